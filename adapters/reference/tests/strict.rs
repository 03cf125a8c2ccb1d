//! `router-core` behind the protocol follows the strict semantics.

use adapter_reference::Reference;

#[path = "../../strict.rs"]
mod strict;

#[test]
fn the_reference_answers_the_examples() {
    strict::examples::<Reference>();
}

#[test]
fn the_reference_agrees_with_the_naive_table() {
    assert_eq!(strict::difference::<Reference>(), None);
}
