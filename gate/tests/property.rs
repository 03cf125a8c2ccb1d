//! The rules as properties of the reference: of every run in a small universe, and of many in larger ones. A run that breaks one is kept as a trace among the regressions, where every later
//! `cargo test` replays it.

use std::path::Path;

use adapter_faulty::find;
use adapter_reference::Reference;
use gate::{Broken, Runs, check_property, write_whole};
use model::universe::{BIG, CLOSABLE, MID, Scope, Universe};
use model::{Ended, ExhaustLimits, Judge, RuleSet, explore, to_the_end};
use protocol::{InProcess, Level, RouterUnderTest, TraceFile};

const CASES: u32 = 24;

/// Checks runs of a universe; keeps the trace of one that breaks a rule.
fn broken(router: &mut dyn RouterUnderTest, universe: &Universe, kept: &Path) -> Option<Broken> {
    let judge = Judge::new(router.hello(), RuleSet::of(Level::Router)).expect("the preset exists");
    let runs = Runs(vec![Scope::new(universe, router.hello())]);
    let broken = check_property(router, &judge, &runs, 1, CASES).expect("a router in this process does not fail")?;
    let shrunk = broken
        .shrunk
        .as_ref()
        .expect("a router in this process fails each time");
    let [allowed, got] = shrunk.finding.words();
    let why = format!("{}: allowed {allowed}, got {got}", shrunk.finding.rule);
    let path = kept.join(format!("property-{}.toml", shrunk.finding.rule));
    write_whole(&path, &TraceFile::new(&why, shrunk.run.asking()).to_toml()).expect("the trace can be written");
    Some(broken)
}

#[test]
fn the_reference_keeps_every_rule() {
    let regressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/regressions");
    for universe in CLOSABLE.into_iter().chain([&MID, &BIG]) {
        let mut router = InProcess::new(Reference::default());
        let broken = broken(&mut router, universe, &regressions);
        assert!(
            broken.is_none(),
            "{}: {broken:?}; its trace is among the regressions",
            universe.name
        );
    }
}

#[test]
fn the_reference_keeps_every_rule_in_every_state_of_the_small_universes() {
    let limits = ExhaustLimits {
        states_max: usize::MAX,
        first_failure: true,
        single_lookups: true,
    };
    let hello = InProcess::new(Reference::default()).hello().clone();
    let judge = Judge::new(&hello, RuleSet::of(Level::Router)).expect("the preset exists");
    // A debug build takes minutes for the two large ones, which come last.
    let universes = if cfg!(debug_assertions) {
        &CLOSABLE[..4]
    } else {
        &CLOSABLE
    };
    for universe in universes {
        let scope = Scope::new(universe, &hello);
        let explored = explore(Reference::default(), &judge, &scope, limits, &mut to_the_end)
            .expect("a router in this process does not fail");
        assert!(
            explored.failures.is_empty(),
            "{}: {:?}",
            universe.name,
            explored.failures
        );
        assert!(
            explored.ended == Ended::Exhausted && explored.work.states > 1,
            "{}: {} states",
            universe.name,
            explored.work.states
        );
    }
}

#[test]
fn a_failure_is_kept_as_a_trace_that_shows_it_again() {
    let kept = tempfile::tempdir().expect("a directory can be made");
    let mut router = find("upsert-keeps-global-pattern")
        .expect("there is that fault")
        .router();
    let broken = broken(router.as_mut(), &MID, kept.path()).expect("the fault is found");
    let shrunk = broken.shrunk.expect("it was made small");
    assert_eq!(shrunk.run.trace.size(), 2, "{:?}", shrunk.run);

    let path = kept.path().join(format!("property-{}.toml", shrunk.finding.rule));
    let text = std::fs::read_to_string(&path).expect("the trace was written");
    let trace = TraceFile::parse(&text).expect("a written trace can be read");
    assert_eq!(trace.trace.steps.iter().filter_map(protocol::Step::change).count(), 2);
}
