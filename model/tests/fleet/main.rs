//! The rules of a fleet, on random schedules and on histories that are written by hand.

mod follow;
mod planted;
mod searched;
mod stories;

use std::collections::{BTreeMap, BTreeSet};

use adapter_reference::reference_fleet;
use model::universe::{FLEET_UNIVERSES, Scope};
use model::{Judge, Pending, RuleId, RuleSet, Seeded, Tally, add_premises, closed_run, schedule, trial};
use protocol::fleet::InProcessFleet;
use protocol::{Level, RouterUnderTest, Run};

use crate::planted::Planted;

/// The number of schedules that are drawn.
const SCHEDULES: u32 = 2_000;

/// The schedule of that number, with its closing and the questions that are asked.
fn draw(fleet: &dyn RouterUnderTest, number: u32) -> Run {
    let universe = FLEET_UNIVERSES[number as usize % FLEET_UNIVERSES.len()];
    let scope = Scope::new(universe, fleet.hello());
    let replicas = if number.is_multiple_of(3) { 3 } else { 2 };
    let (trace, queries) = schedule(&scope, replicas, &mut Seeded::new(7, number));
    let pending = if number.is_multiple_of(2) {
        Pending::Dropped
    } else {
        Pending::Delivered
    };
    closed_run(&trace, queries, pending, &fleet.hello().capabilities)
}

fn judge(fleet: &mut dyn RouterUnderTest, run: &Run) -> Tally {
    let judge = Judge::new(fleet.hello(), RuleSet::of(Level::Fleet)).unwrap();
    let runs = std::slice::from_ref(run);
    trial(fleet, &judge, runs).unwrap().remove(0).tally
}

/// Asserts that none of so many random schedules breaks a rule, and returns the premises of each rule.
fn breaks_nothing(fleet: &mut dyn RouterUnderTest, schedules: u32) -> BTreeMap<RuleId, u64> {
    let mut premises = BTreeMap::new();
    for number in 0..schedules {
        let run = draw(fleet, number);
        let tally = judge(fleet, &run);
        if let Some(finding) = tally.findings.first() {
            let [allowed, got] = finding.words();
            let reply = fleet.run(std::slice::from_ref(&run));
            panic!(
                "schedule {number}: {finding:#?}\nallowed {allowed}; got {got}\n{:#?}\n{reply:#?}",
                run.trace
            );
        }
        add_premises(&mut premises, tally.premises);
    }
    premises
}

#[test]
fn the_reference_breaks_no_rule() {
    let premises = breaks_nothing(&mut reference_fleet(), SCHEDULES);
    for rule in RuleSet::of(Level::Fleet).iter() {
        let count = premises.get(&rule).copied().unwrap_or_default();
        assert!(count > 100, "`{rule}` had {count} premises in {SCHEDULES} schedules");
    }
}

#[test]
fn a_naive_replica_without_a_fault_breaks_no_rule() {
    breaks_nothing(&mut InProcessFleet::new(Planted::new("none")), SCHEDULES / 8);
}

#[test]
fn each_planted_fault_is_found_by_the_rule_that_it_breaks() {
    #[rustfmt::skip]
    let rows = [
        ("older-reading-applied", &[RuleId::Monotonic, RuleId::ReadYourWrites][..]),
        ("empty-reading-empties", &[RuleId::FailsSafe]),
        ("write-served-at-next-poll", &[RuleId::ReadYourWrites]),
        ("bad-reading-loses-row", &[RuleId::AtomicRefusal]),
        ("poll-keeps-deleted", &[RuleId::Heals, RuleId::Converges]),
        ("router-keeps-deleted-pattern", &[RuleId::Current]),
        ("refusal-loses-row", &[RuleId::AtomicRefusal]),
        ("invalid-row-accepted", &[RuleId::AtomicRefusal]),
        ("patch-writes-whole-row", &[RuleId::KeepsWrites]),
        ("nothing-served-meanwhile", &[RuleId::Undisturbed]),
        ("lock-kept-on-failure", &[RuleId::Converges]),
    ];
    for (fault, rules) in rows {
        let mut fleet = InProcessFleet::new(Planted::new(fault));
        let mut due: BTreeSet<RuleId> = rules.iter().copied().collect();
        for number in 0..SCHEDULES {
            let run = draw(&fleet, number);
            for finding in judge(&mut fleet, &run).findings {
                due.remove(&finding.rule);
            }
            if due.is_empty() {
                break;
            }
        }
        assert_eq!(due, BTreeSet::new(), "`{fault}` is not found by these rules");
    }
}
