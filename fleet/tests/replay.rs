//! Counterexamples of the model, carried out by the strategies in which they were found.

use adapter_reference::reference_fleet;
use fleet::strategies::STRATEGIES;
use fleet::{
    Action, Bounds, Kind, QUERIES, Shape, TABLE_REPLICAS, book_tables, counterexamples, strategy_fleet, trace,
};
use model::{Judge, Pending, RuleId, RuleSet, closed_run, trial};
use protocol::{Level, RouterUnderTest};

/// Carries out the path of these actions and its closing on `fleet`. Returns the numbers of steps after which the rule
/// is broken, and the range of those that belong to the last action.
fn broken_after(
    fleet: &mut dyn RouterUnderTest,
    rule: RuleId,
    actions: &[Action],
) -> (Vec<usize>, std::ops::RangeInclusive<usize>) {
    let steps = |actions: &[Action]| trace::path(actions, TABLE_REPLICAS, Shape::Exact).0.steps.len();
    // The last part of an apply is the last step: the read that it ends is finished there.
    let before = if actions.last().is_some_and(|action| action.kind == Kind::Apply) {
        steps(actions) - 1
    } else {
        steps(&actions[..actions.len() - 1])
    };
    let last = before + 1..=steps(actions);
    let path = trace::path(actions, TABLE_REPLICAS, Shape::Exact).0;
    let hello = fleet.hello().clone();
    let run = closed_run(
        &path,
        QUERIES.map(trace::question).to_vec(),
        Pending::Dropped,
        &hello.capabilities,
    );
    let judge = Judge::new(&hello, RuleSet::only(rule)).expect("the preset exists");
    let judged = trial(fleet, &judge, std::slice::from_ref(&run)).expect("a fleet in this process does not fail");
    let findings = judged.into_iter().flat_map(|judged| judged.tally.findings);
    (findings.map(|finding| finding.after).collect(), last)
}

/// Replays every counterexample within these bounds: on its strategy, where it breaks its rule where it ends, and on the
/// reference, which breaks none. Returns how many there were, and those that end between two parts of an apply and break
/// their rule nowhere else: a trace cannot stop there.
fn replay(bounds: impl IntoIterator<Item = Bounds>) -> (usize, Vec<(&'static str, RuleId)>) {
    let mut replayed = 0;
    let mut between_parts = Vec::new();
    for bounds in bounds {
        for strategy in STRATEGIES {
            for (rule, actions) in counterexamples(strategy, &bounds).expect("it is explored") {
                replayed += 1;
                let (after, last) = broken_after(&mut strategy_fleet(&strategy), rule, &actions);
                let right = match rule {
                    RuleId::Heals | RuleId::Converges => after.iter().any(|after| after > last.end()),
                    // A fresh replica, to hold the sizes against, is there in the closing alone.
                    RuleId::Bounded => !after.is_empty(),
                    // The answers of one moment are not compared with each other, but with those of the next.
                    RuleId::Monotonic => after
                        .iter()
                        .any(|after| (*last.start()..=last.end() + 1).contains(after)),
                    _ => after.iter().any(|after| last.contains(after)),
                };
                let ends_in_apply = actions.last().is_some_and(|action| action.kind == Kind::Apply);
                if !right && after.is_empty() && ends_in_apply {
                    between_parts.push((strategy.name, rule));
                } else {
                    assert!(
                        right,
                        "{} {rule} after {after:?}, not {last:?}: {actions:?}",
                        strategy.name
                    );
                }
                for rule in RuleSet::of(Level::Fleet).iter() {
                    let (after, _) = broken_after(&mut reference_fleet(), rule, &actions);
                    assert!(
                        after.is_empty(),
                        "the reference breaks {rule} after {after:?}: {actions:?}"
                    );
                }
            }
        }
    }
    (replayed, between_parts)
}

/// A name is listed while a read is half applied: the rows that it lacks are deleted, and those that it brings are not there.
const BETWEEN_PARTS: [(&str, RuleId); 3] = [
    ("litellm-1.85", RuleId::Listing),
    ("rebuild-pattern-table", RuleId::Listing),
    ("remove-by-id", RuleId::Listing),
];

#[test]
fn counterexamples_of_polls_and_of_two_rows_break_their_rules_on_their_strategies() {
    let [_, polls, rows] = book_tables();
    let (replayed, between_parts) = replay([polls, rows]);
    assert_eq!((replayed, between_parts), (REPLAYED_BY_DAY, BETWEEN_PARTS.to_vec()));
}

#[test]
#[ignore = "a debug build takes minutes to explore the largest table"]
fn counterexamples_of_every_table_break_their_rules_on_their_strategies() {
    let (replayed, between_parts) = replay(book_tables());
    assert_eq!((replayed, between_parts), (REPLAYED, BETWEEN_PARTS.to_vec()));
}

/// The counterexamples of the two smaller tables, and of all three.
const REPLAYED_BY_DAY: usize = 33;
const REPLAYED: usize = 69;
