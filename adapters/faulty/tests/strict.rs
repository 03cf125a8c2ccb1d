//! Without a fault the router follows the strict semantics.

use adapter_faulty::{Correct, Router};

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
