//! Without a fault the router follows the strict semantics, and with any fault it does not.

use adapter_faulty::{Correct, Fault, Router, Trial, Visit, each};

#[path = "../../strict.rs"]
mod strict;

#[test]
fn no_fault_answers_the_examples() {
    strict::examples::<Router<Correct>>();
}

#[test]
fn no_fault_agrees_with_the_naive_table() {
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
fn every_fault_differs_from_the_naive_table() {
    for (name, difference) in each(&Difference) {
        assert!(
            difference.is_some(),
            "{name} was not told from a router without a fault"
        );
    }
}
