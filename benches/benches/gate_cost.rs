//! What a trial on a real LiteLLM costs over the time that the router itself takes for the same operations.
//!
//! `cargo bench -p benches --bench gate_cost -- 1.85.0 1.109.1`: the releases to measure. Prints both times of the same
//! runs, and their ratio: the adapter counts the nanoseconds inside the router's own calls, the gate those on the wall.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and the environment"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gate::adapter::spec::Spec;
use gate::adapter::supervisor::Waits;
use gate::adapter::{Settings, open};
use model::generate::{Cadence, Seeded, generate};
use model::rules::RuleSet;
use model::trial::{Judge, trial};
use model::universe::{Scope, UNIVERSES};
use protocol::Run;

const TRACES: u32 = 96;
const BATCH: usize = 16;

fn main() {
    let releases: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if releases.is_empty() {
        println!("gate_cost: name the releases to measure, such as `-- 1.85.0 1.109.1`");
    }
    for release in releases {
        measure(&release);
    }
}

fn measure(release: &str) {
    let spec = Spec::parse(&format!("litellm=={release}"), &[]).expect("a release is written as `1.85.0`");
    let cache = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/routeproof"));
    let settings = Settings {
        cache_dir: cache,
        path: std::env::var_os("PATH"),
        waits: Waits {
            hello: Duration::from_mins(2),
            reply: Duration::from_mins(1),
        },
    };
    let mut router = open(&spec, &settings, &|line| eprintln!("{line}")).expect("the release can be installed");
    let hello = router.hello().clone();
    let judge = Judge::new(&hello, RuleSet::default()).expect("the adapter claims a preset that there is");
    let draw = |number: u32| -> Run {
        let scope = Scope::new(UNIVERSES[number as usize % UNIVERSES.len()], &hello);
        generate(&scope, &mut Seeded::new(1, number), Cadence::AtTheEnd)
    };
    // The first runs warm up the interpreter, and are not counted.
    trial(router.as_mut(), &judge, &[draw(TRACES), draw(TRACES + 1)]).expect("the adapter serves");
    let begun = Instant::now();
    let runs: Vec<Run> = (0..TRACES).map(draw).collect();
    let mut inside = Duration::ZERO;
    for batch in runs.chunks(BATCH) {
        let judged = trial(router.as_mut(), &judge, batch).expect("the adapter serves");
        inside += judged
            .iter()
            .map(|judged| Duration::from_nanos(judged.router_ns))
            .sum::<Duration>();
    }
    let wall = begun.elapsed();
    println!(
        "litellm {release}: {TRACES} traces, {:.2} s on the wall, {:.2} s inside the router: {:+.1} % ({:.0} traces/s)",
        wall.as_secs_f64(),
        inside.as_secs_f64(),
        (wall.as_secs_f64() / inside.as_secs_f64() - 1.0) * 100.0,
        f64::from(TRACES) / wall.as_secs_f64()
    );
}
