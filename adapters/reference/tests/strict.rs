//! `router-core` behind the protocol follows the strict semantics.

use adapter_reference::{Reference, protocol_row};
use protocol::Row;

#[path = "../../strict.rs"]
mod strict;

impl strict::Rows for Reference {
    fn rows(&self) -> Vec<Row> {
        let rows = self.table().rows();
        rows.map(|deployment| protocol_row(deployment.row())).collect()
    }
}

#[test]
fn the_reference_answers_the_examples() {
    strict::examples::<Reference>();
}

#[test]
fn the_reference_agrees_with_the_specification_on_random_traces() {
    assert_eq!(strict::difference(&Reference::default()), None);
}
