//! Golden counts: an exploration of each strategy counts and finds what the files under `kept/` say.

#[path = "../../model/tests/kept/mod.rs"]
mod kept;

use std::fmt::Write as _;
use std::sync::Arc;

use fleet::generic::{FleetOf, NaiveReplica};
use fleet::poll2::{Poll2, Poll2Bounds};
use fleet::strategies::{CANARIES, LITELLM_1_85, REFERENCE, STRATEGIES, Strategy, named};
use fleet::trace::trace;
use fleet::{
    Action, At, Bounds, ExploreOptions, Fairness, Fleet, Kind, Machine, Packed, STATES_MAX, Shape, converges, explore,
};
use model::RuleId;

use crate::kept::check;

fn fleet(rows: u8, strategies: &[Strategy]) -> Fleet {
    let bounds = Bounds {
        rows,
        versions: 2,
        strategies: strategies.to_vec(),
        kinds: Kind::ALL.to_vec(),
        shapes: Shape::ALL.to_vec(),
        admin: true,
    };
    Fleet::new(bounds.possible()).expect("bounds fit")
}

fn explored<M: Packed + Clone>(text: &mut String, name: &str, fleet: &M, options: &ExploreOptions) {
    let report = explore(fleet, options, Arc::new(|_| {})).expect("it runs");
    writeln!(
        text,
        "{name}: {}, {} distinct, {} generated, depth {}, coverage {:?}",
        report.ended, report.distinct, report.generated, report.depth, report.coverage
    )
    .unwrap();
    for (rule, premises) in fleet.rules().iter().zip(&report.premises) {
        write!(text, "  {rule} {premises}").unwrap();
    }
    text.push('\n');
    for violation in &report.violations {
        let path: Vec<String> = violation.path.iter().map(|(action, _)| action.to_string()).collect();
        writeln!(text, "  {}: {}", violation.rule, path.join(", ")).unwrap();
    }
}

#[test]
fn strategies_are_what_is_known_of_each_router() {
    let mut text = String::new();
    for strategy in STRATEGIES {
        assert_eq!(named(strategy.name), Some(strategy));
        writeln!(text, "{strategy:#?}").unwrap();
    }
    assert_eq!(named("nobody"), None);
    for (rule, canary) in CANARIES {
        writeln!(text, "canary of {rule}: {canary:#?}").unwrap();
    }
    check("strategies", &text);
}

/// Some run, in the words that a person is shown.
fn walked<M: Machine>(text: &mut String, machine: &M) {
    let rules: Vec<&str> = machine.rules().iter().map(|rule| rule.name()).collect();
    let (rules, kinds) = (rules.join(", "), machine.kinds());
    writeln!(text, "  {}", machine.identity()).unwrap();
    writeln!(text, "  rules {rules}; kinds {kinds:?}").unwrap();
    let mut state = machine.initial();
    for step in 0..24 {
        let mut successors = Vec::new();
        machine.successors(&state, |action, next| {
            if next != state {
                successors.push((action, next));
            }
        });
        let Some(index) = (step * 7 + 3_usize).checked_rem(successors.len()) else {
            break;
        };
        let (action, next) = successors.swap_remove(index);
        writeln!(text, "  {action}: {}", machine.lanes(&next).join("; ")).unwrap();
        state = next;
    }
}

#[test]
fn a_path_of_everything_becomes_a_trace() {
    let store = |kind, row| Action::new(kind, At::Store, row);
    let first = |kind, row| Action::new(kind, At::Replica(0), row);
    let second = |kind| Action::new(kind, At::Replica(1), 0);
    let path = [
        // Nothing to read but the second row: a read of the first shows nothing.
        store(Kind::Create, 1).shaped(Shape::Team),
        first(Kind::PartialPoll, 0),
        store(Kind::Create, 0).shaped(Shape::Wild),
        first(Kind::PartialPoll, 0),
        first(Kind::Create, 2).shaped(Shape::Exact),
        first(Kind::Read, 0),
        second(Kind::StaleRead),
        first(Kind::Apply, 0),
        second(Kind::Apply),
        first(Kind::Apply, 0),
        first(Kind::Read, 0),
        first(Kind::Apply, 0),
        store(Kind::Update, 2),
        // The notifications of r1: d2, d1, d3.
        first(Kind::Duplicate, 2),
        first(Kind::Deliver, 0),
        first(Kind::Drop, 1),
        first(Kind::Deliver, 2),
        store(Kind::Break, 0),
        store(Kind::Update, 0),
        store(Kind::Block, 1),
        store(Kind::Rename, 1).shaped(Shape::Exact),
        store(Kind::Block, 1),
        store(Kind::Break, 1),
        first(Kind::Block, 1),
        first(Kind::Request, 0),
        second(Kind::FailedPoll),
        second(Kind::EmptyPoll),
        second(Kind::Crash),
        store(Kind::Delete, 1),
        second(Kind::Start),
        second(Kind::Update),
        second(Kind::Miss),
        first(Kind::Deliver, 0),
        first(Kind::Crash, 0),
    ];
    for kind in Kind::ALL {
        assert!(path.iter().any(|action| action.kind == *kind), "{kind:?} never happens");
    }
    check(
        "path",
        &trace("everything happens", RuleId::Current, &path, 3, Shape::Wild).to_toml(),
    );
}

fn converging(text: &mut String, fleet: &Fleet) {
    for fairness in [Fairness::Weak, Fairness::None] {
        let found = converges(fleet, fairness, STATES_MAX).expect("it is small");
        let stuck = found.stuck.map(|stuck| (stuck.path.len(), stuck.among));
        writeln!(
            text,
            "  {fairness:?}: {} distinct, {} premises, stuck {stuck:?}",
            found.distinct, found.premises
        )
        .unwrap();
    }
}

#[test]
fn one_replica_of_every_strategy() {
    let mut text = String::new();
    let canaries = CANARIES
        .iter()
        .map(|(rule, canary)| (format!("canary of {rule}"), *canary));
    let strategies = STRATEGIES
        .into_iter()
        .map(|strategy| (strategy.name.to_owned(), strategy));
    for (name, strategy) in strategies.chain(canaries) {
        let fleet = fleet(1, &[strategy]);
        explored(&mut text, &name, &fleet, &ExploreOptions::default());
        converging(&mut text, &fleet);
    }
    check("fleet", &text);
}

#[test]
fn fleets_of_several_replicas_and_rows() {
    let mut text = String::new();
    let symmetric = ExploreOptions {
        symmetric: true,
        threads: 2,
        ..ExploreOptions::default()
    };
    let deep = ExploreOptions {
        depth_max: Some(6),
        ..ExploreOptions::default()
    };
    let shallow = ExploreOptions {
        depth_max: Some(4),
        ..ExploreOptions::default()
    };
    let first = ExploreOptions {
        stop_at_violation: true,
        ..ExploreOptions::default()
    };
    explored(
        &mut text,
        "two of 1.85, to a depth",
        &fleet(1, &[LITELLM_1_85; 2]),
        &deep,
    );
    explored(
        &mut text,
        "two of 1.85, symmetric, to the first",
        &fleet(1, &[LITELLM_1_85; 2]),
        &ExploreOptions {
            stop_at_violation: true,
            ..symmetric
        },
    );
    explored(
        &mut text,
        "two of the reference, to a depth",
        &fleet(1, &[REFERENCE; 2]),
        &deep,
    );
    explored(
        &mut text,
        "both, two rows, to a depth",
        &fleet(2, &[REFERENCE, LITELLM_1_85]),
        &shallow,
    );
    explored(
        &mut text,
        "1.85, three rows, to a depth",
        &fleet(3, &[LITELLM_1_85]),
        &shallow,
    );
    explored(
        &mut text,
        "1.85, three rows, to the first",
        &fleet(3, &[LITELLM_1_85]),
        &first,
    );
    check("fleets", &text);
}

#[test]
fn the_base_protocol_and_what_a_person_is_shown() {
    let mut text = String::new();
    for (replicas, rows, versions, crash) in [(2, 1, 2, false), (2, 1, 2, true), (1, 2, 2, true), (3, 1, 1, false)] {
        let poll2 = Poll2::new(Poll2Bounds {
            replicas,
            rows,
            versions,
            crash,
        })
        .expect("bounds fit");
        let name = format!("poll2 of {replicas} replicas, {rows} rows, {versions} versions, crash {crash}");
        explored(&mut text, &name, &poll2, &ExploreOptions::default());
        walked(&mut text, &poll2);
    }
    for strategies in [[REFERENCE, LITELLM_1_85], [LITELLM_1_85; 2]] {
        let fleet = fleet(2, &strategies);
        writeln!(text, "two rows of {} and {}", strategies[0].name, strategies[1].name).unwrap();
        walked(&mut text, &fleet);
        writeln!(text, "the same over ordered maps").unwrap();
        let naive = FleetOf::<NaiveReplica>::new(fleet.bounds().clone()).expect("bounds fit");
        walked(&mut text, &naive);
    }
    check("shown", &text);
}
