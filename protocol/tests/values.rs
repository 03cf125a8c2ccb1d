//! What the plain values say of themselves, and what is left out of their text where it says nothing.

use protocol::router::FaultKind;
use protocol::wire::{Dialect, Extra};
use protocol::{AdapterFault, Change, FleetStep, Query, Row, Run, Step};
use serde_json::json;

fn row() -> Row {
    Row::new("d1", "gpt", "openai/gpt", "v1")
}

#[test]
fn a_team_asks_by_its_own_name_where_it_has_one() {
    let mut row = row();
    row.team_model_name = Some("pub".into());
    assert_eq!(row.asked_name(), "gpt", "a name without a team is no team's name");
    row.team = Some("t1".into());
    assert_eq!(row.asked_name(), "pub");
    row.team_model_name = None;
    assert_eq!(row.asked_name(), "gpt");
}

#[test]
fn a_change_names_its_verb_and_its_rows() {
    let rows = vec![row()];
    let changes = [
        (Change::Upsert(row()), "upsert", 1),
        (Change::Add(row()), "add", 1),
        (Change::Delete("d1".into()), "delete", 0),
        (Change::Replace(rows), "replace", 1),
    ];
    for (change, verb, count) in changes {
        assert_eq!((change.verb(), change.rows().len()), (verb, count));
        assert_eq!(Step::Change(change.clone()).change(), Some(&change));
    }
    assert_eq!(Step::Lookup(Query::new("gpt", None)).change(), None);
    assert_eq!(Step::Fleet(FleetStep::Poll(0)).change(), None);
}

#[test]
fn a_fault_quotes_what_the_adapter_said_last() {
    let mut fault = AdapterFault::new(FaultKind::Exited, "it ended");
    assert_eq!(fault.to_string(), "it ended");
    fault.last_lines = vec!["Traceback".into(), "KeyError: 1".into()];
    assert_eq!(fault.to_string(), "it ended\n  | Traceback\n  | KeyError: 1");
}

#[test]
fn a_router_answers_once_a_path() {
    let with = |paths: &[&str]| Dialect {
        paths: paths.iter().map(ToString::to_string).collect(),
        ..Dialect::default()
    };
    assert_eq!(with(&[]).path_count(), 1);
    assert_eq!(with(&["sync"]).path_count(), 1);
    assert_eq!(with(&["sync", "async", "batch"]).path_count(), 3);
}

#[test]
fn what_says_nothing_is_not_written() {
    let run = Run::default();
    assert_eq!(
        serde_json::to_value(&run).unwrap(),
        json!({"steps": [], "observe": [], "queries": []})
    );
    let fleet = Run { replicas: 2, ..run };
    assert_eq!(serde_json::to_value(&fleet).unwrap()["replicas"], 2);
    assert_eq!(
        serde_json::to_value(row()).unwrap(),
        json!({"id": "d1", "model_name": "gpt", "model": "openai/gpt", "tag": "v1"})
    );
    let blocked = Row { blocked: true, ..row() };
    assert_eq!(serde_json::to_value(blocked).unwrap()["blocked"], true);
    let extra: Extra = serde_json::from_value(json!({"name": "region", "why": "w"})).unwrap();
    assert!(
        extra.plain,
        "a row with extra parameters answers like any other unless it is said not to"
    );
}
