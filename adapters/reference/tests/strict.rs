//! `router-core` behind the protocol follows the strict semantics.

use adapter_reference::Reference;
use protocol::Row;
use router_core::Deployment;

#[path = "../../strict.rs"]
mod strict;

impl strict::Rows for Reference {
    fn rows(&self) -> Vec<Row> {
        let row = |deployment: &Deployment| {
            let row = deployment.row();
            Row {
                team: row.team.map(str::to_owned),
                team_model_name: row.team_model_name.map(str::to_owned),
                blocked: row.blocked,
                weight: Some(row.weight),
                ..Row::new(row.id, row.model_name, row.model, row.tag)
            }
        };
        self.table().rows().map(row).collect()
    }
}

#[test]
fn the_reference_answers_the_examples() {
    strict::examples::<Reference>();
}

#[test]
fn the_reference_agrees_with_the_specification_on_random_traces() {
    assert_eq!(strict::difference::<Reference>(), None);
}
