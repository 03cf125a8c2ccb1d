//! The router follows the strict semantics without a fault, and with any fault it does not.

use adapter_faulty::{Correct, Fault, Router, Trial, Visit, each};
use protocol::{Query, Row};

#[path = "../../strict.rs"]
mod strict;

impl strict::Rows for Router<Correct> {
    fn rows(&self) -> Vec<Row> {
        self.rows().to_vec()
    }
}

#[test]
fn a_router_without_a_fault_answers_the_examples() {
    strict::examples::<Router<Correct>>();
}

#[test]
fn a_router_without_a_fault_agrees_with_the_specification_on_random_traces() {
    assert_eq!(strict::difference::<Router<Correct>>(), None);
}

#[derive(Clone)]
struct Difference;

impl Visit for Difference {
    type Output = (&'static str, Option<String>);

    fn visit<R: Trial>(self, fault: &'static Fault) -> Self::Output {
        (fault.name, strict::difference::<R>())
    }
}

#[test]
fn every_fault_differs_from_the_specification_on_random_traces() {
    for (name, difference) in each(&Difference) {
        assert!(
            difference.is_some(),
            "{name} was not told from a router without a fault"
        );
    }
}

/// The number of traces that each fault goes through to the end.
const SURVIVED_TRACES: u64 = 5;

/// Asks everything after each change, long after the first wrong answer.
#[derive(Clone)]
struct Survives;

impl Visit for Survives {
    type Output = ();

    fn visit<R: Trial>(self, _: &'static Fault) {
        let mut router = R::default();
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
}

#[test]
fn no_fault_makes_the_router_panic() {
    each(&Survives);
}
