//! The router follows the strict semantics without a fault, and with any fault it does not.

use adapter_faulty::{FAULTS, Router};
use protocol::{Local, Query, Row};

#[path = "../../strict.rs"]
mod strict;

impl strict::Rows for Router {
    fn rows(&self) -> Vec<Row> {
        self.rows().to_vec()
    }
}

#[test]
fn a_router_without_a_fault_answers_the_examples() {
    strict::examples::<Router>();
}

#[test]
fn a_router_without_a_fault_agrees_with_the_specification_on_random_traces() {
    assert_eq!(strict::difference(&Router::default()), None);
}

#[test]
fn every_fault_differs_from_the_specification_on_random_traces() {
    for fault in FAULTS {
        let name = fault.name;
        assert!(
            strict::difference(&Router::new(fault)).is_some(),
            "{name} was not told from a router without a fault"
        );
    }
}

/// The number of traces that each fault goes through to the end.
const SURVIVED_TRACES: u64 = 5;

/// Asks everything after each change, long after the first wrong answer.
fn survives(mut router: Router) {
    for seed in 1..=SURVIVED_TRACES {
        router.reset(&[]);
        for change in strict::trace(seed) {
            router.change(&change);
            for team in strict::TEAMS {
                for model in strict::QUERIES {
                    router.lookup(&Query::new(model, team));
                }
                router.listing(team);
            }
            router.sizes();
        }
    }
}

#[test]
fn no_fault_makes_the_router_panic() {
    for fault in FAULTS {
        survives(Router::new(fault));
    }
}
