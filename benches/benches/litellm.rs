//! The real LiteLLM beside the reference, and what a trial on it costs.
//!
//! `cargo bench -p benches --bench litellm -- 1.85.0 1.109.1 --out docs/src`: the releases to measure, and where the
//! page goes. The adapter counts the nanoseconds inside the router's own calls. Printed for each release:
//!
//! - picks and upserts of the same rows by both routers;
//! - the time on the wall of random trials, over the time inside the router in the same runs.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and the environment"
)]

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use benches::page;
use benches::race::{as_float, nanoseconds_since, now, quantile};
use benches::{NameShape, positions};
use gate::{AdapterSettings, Spec, Store, Waits, open_router};
use model::universe::{Scope, UNIVERSES};
use model::{Cadence, Judge, RuleSet, Seeded, generate, trial};
use protocol::{Change, Query, Question, Questions, RouterUnderTest, Row, Run, Step, Trace};
use router_core::{Router, Table};

const TRACES: u32 = 96;
const BATCH: usize = 16;
/// The number of picks, and of upserts, of each table.
const ASKED: usize = 64;
/// The number of measurements of each; odd, so that one time is the median.
const TURNS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let out = page::folder(&arguments);
    let is_release = |word: &&String| word.starts_with(|first: char| first.is_ascii_digit());
    let releases: Vec<&String> = arguments.iter().filter(is_release).collect();
    if releases.is_empty() {
        println!("litellm: name the releases to measure, such as `-- 1.85.0 1.109.1`");
        return;
    }
    let words: Vec<&str> = releases.iter().map(|release| release.as_str()).collect();
    let command = format!("litellm -- {} --out docs/src", words.join(" "));
    let mut text = format!("# Beside LiteLLM\n\n{}", page::measured_by(&command));
    for release in words {
        let mut router = start(release);
        text = format!(
            "{text}\n## LiteLLM {release}\n\n{}\n{}",
            beside_the_reference(router.as_mut()),
            cost_of_the_gate(router.as_mut())
        );
    }
    print!("{text}");
    if let Some(folder) = out {
        page::write(folder, "benchmarks-litellm.md", &text);
    }
}

fn start(release: &str) -> Box<dyn RouterUnderTest> {
    let spec = Spec::parse(&format!("litellm=={release}"), &[], &[]).expect("a release is written as `1.85.0`");
    let cache = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/routeproof"));
    let settings = AdapterSettings {
        cache_dir: cache,
        path: std::env::var_os("PATH"),
        waits: Waits {
            hello: Duration::from_mins(2),
            reply: Duration::from_mins(5),
        },
        jobs: NonZeroUsize::MIN,
        store: Store::Sqlite,
        processes: false,
        program: PathBuf::new(),
    };
    open_router(&spec, &settings, &|line| eprintln!("{line}")).expect("the release can be installed")
}

/// Microseconds a pick and an upsert, by both routers.
fn beside_the_reference(router: &mut dyn RouterUnderTest) -> String {
    let head = ["names", "rows", "pick", "the reference", "upsert", "the reference"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (shape, count) in [
        (NameShape::Exact, 100),
        (NameShape::Exact, 1_000),
        (NameShape::Prefix, 100),
        (NameShape::Prefix, 1_000),
    ] {
        let table: Vec<Row> = (0..count).map(|position| row(shape, position, "v1")).collect();
        let asked = positions(count, ASKED, false);
        let queries: Vec<Query> = asked
            .iter()
            .map(|&position| Query::new(&shape.hit(position), None))
            .collect();
        let upserts: Vec<Row> = asked
            .iter()
            .enumerate()
            .map(|(turn, &position)| row(shape, position, &format!("w{turn}")))
            .collect();
        let theirs = theirs(router, &table, &queries, &upserts);
        let ours = ours(&table, &queries, &upserts);
        let times = [theirs[0], ours[0], theirs[1], ours[1]];
        let cells = times.iter().map(|time| format!("{:.2}", time / 1e3));
        rows.push(
            [shape.as_str().to_owned(), count.to_string()]
                .into_iter()
                .chain(cells)
                .collect(),
        );
    }
    format!(
        "Microseconds, medians of {TURNS} turns of {ASKED}. LiteLLM picks once by its synchronous and once by its \
         asynchronous way, whose mean is told; its upsert includes the list of the ids that it then claims to hold.\n\n{}",
        page::table(&rows)
    )
}

fn row(shape: NameShape, position: usize, tag: &str) -> Row {
    let target = if shape == NameShape::Exact {
        "openai/up"
    } else {
        "openai/*"
    };
    Row::new(&format!("deployment-{position:06}"), &shape.name(position), target, tag)
}

/// Nanoseconds a pick and an upsert of the router under test: what a run takes with them, less what it takes without.
fn theirs(router: &mut dyn RouterUnderTest, table: &[Row], queries: &[Query], upserts: &[Row]) -> [f64; 2] {
    let of = |steps| Run {
        trace: Trace::of_router(table.to_vec(), steps),
        ..Run::default()
    };
    let load = of(Vec::new());
    let asked = queries.iter().cloned().map(Question::Lookup).collect();
    let picks = Run {
        questions: Questions::at_end(asked, 0),
        ..load.clone()
    };
    let changes = of(upserts.iter().cloned().map(Change::Upsert).map(Step::Change).collect());
    let mut inside = |run: &Run| {
        let replies = router.run(std::slice::from_ref(run)).expect("the adapter serves");
        let taken = replies[0].router_ns.expect("the adapter measures");
        Duration::from_nanos(taken).as_secs_f64() * 1e9
    };
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..TURNS {
        for (run, times) in [&load, &picks, &changes].into_iter().zip(&mut times) {
            times.push(inside(run));
        }
    }
    let [load, picks, changes] = times.map(|times| quantile(times, 0.5));
    [
        (picks - load) / as_float(2 * queries.len()),
        (changes - load) / as_float(upserts.len()),
    ]
}

/// Nanoseconds a pick and an upsert of the reference, published to readers.
fn ours(table: &[Row], queries: &[Query], upserts: &[Row]) -> [f64; 2] {
    let core = |row: &Row| -> router_core::Deployment {
        let row = router_core::Row {
            id: &row.id,
            model_name: &row.model_name,
            model: &row.model,
            tag: &row.tag,
            ..router_core::Row::default()
        };
        row.parse().expect("the row is valid")
    };
    let mut held = Table::default();
    for row in table {
        held.put(&core(row));
    }
    let router = Router::new(held);
    let upserts: Vec<_> = upserts.iter().map(core).collect();
    let mut times: [Vec<f64>; 2] = Default::default();
    for _ in 0..TURNS {
        let start = now();
        for query in queries {
            let query = router_core::Query {
                model: &query.model,
                team: None,
            };
            let snapshot = router.snapshot();
            black_box(
                snapshot
                    .table()
                    .lookup(query)
                    .pick(42)
                    .expect("there is a candidate")
                    .id(),
            );
        }
        times[0].push(nanoseconds_since(start) / as_float(queries.len()));
        let start = now();
        for row in &upserts {
            router.publish([router_core::Change::Put(row.clone())]);
        }
        times[1].push(nanoseconds_since(start) / as_float(upserts.len()));
    }
    times.map(|times| quantile(times, 0.5))
}

/// Time on the wall over time inside the router, of random trials.
fn cost_of_the_gate(router: &mut dyn RouterUnderTest) -> String {
    let hello = router.hello().clone();
    let judge =
        Judge::new(&hello, RuleSet::of(protocol::Level::Router)).expect("the adapter claims a preset that there is");
    let draw = |number: u32| -> Run {
        let scope = Scope::new(UNIVERSES[number as usize % UNIVERSES.len()], &hello);
        generate(&scope, &mut Seeded::new(1, number), Cadence::AtTheEnd)
    };
    // The first runs warm up the interpreter, and are not counted.
    trial(router, &judge, &[draw(TRACES), draw(TRACES + 1)]).expect("the adapter serves");
    let begun = Instant::now();
    let runs: Vec<Run> = (0..TRACES).map(draw).collect();
    let mut inside = Duration::ZERO;
    for batch in runs.chunks(BATCH) {
        let judged = trial(router, &judge, batch).expect("the adapter serves");
        inside += judged
            .iter()
            .map(|judged| Duration::from_nanos(judged.router_ns))
            .sum::<Duration>();
    }
    let wall = begun.elapsed();
    format!(
        "{TRACES} traces, {:.2} s on the wall, {:.2} s inside the router: {:+.1} % ({:.0} traces/s)\n",
        wall.as_secs_f64(),
        inside.as_secs_f64(),
        (wall.as_secs_f64() / inside.as_secs_f64() - 1.0) * 100.0,
        f64::from(TRACES) / wall.as_secs_f64()
    )
}
