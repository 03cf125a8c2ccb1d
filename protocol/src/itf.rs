//! A trace in the Informal Trace Format, the JSON that Quint and Apalache read.
//!
//! Variables of each state: `step`, the step that led to it as a record of its one verb, and `table`, the rows by id that
//! the changes so far ask for. ITF has no null: an absent field is absent. Source: Apalache ADR 015.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::row::Row;
use crate::step::{Change, FleetStep, Step};
use crate::trace::Trace;

impl Trace {
    /// This trace as an ITF document.
    pub fn to_itf(&self) -> Value {
        let mut table: BTreeMap<&str, &Row> = self.initial.iter().map(|row| (row.id.as_str(), row)).collect();
        let mut states = vec![state(0, &json!({"init": {}}), &table)];
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Change(change) => change.apply_to(&mut table),
                Step::Fleet(FleetStep::Write(write)) => write.change.apply_to(&mut table),
                Step::Lookup(_) | Step::Fleet(_) => {}
            }
            let step = serde_json::to_value(step).expect("a step is plain data");
            states.push(state(index + 1, &numbers(step), &table));
        }
        json!({
            "#meta": {"format": "ITF", "description": self.why, "source": "routeproof"},
            "vars": ["step", "table"],
            "states": states,
        })
    }
}

impl Change {
    fn apply_to<'a>(&'a self, table: &mut BTreeMap<&'a str, &'a Row>) {
        match self {
            Self::Upsert(row) => {
                table.insert(&row.id, row);
            }
            Self::Add(row) => {
                table.entry(&row.id).or_insert(row);
            }
            Self::Delete(id) => {
                table.remove(id.as_str());
            }
            Self::Replace(rows) => *table = rows.iter().map(|row| (row.id.as_str(), row)).collect(),
        }
    }
}

fn state(index: usize, step: &Value, table: &BTreeMap<&str, &Row>) -> Value {
    let rows: Vec<Value> = table
        .iter()
        .map(|(id, row)| json!([id, numbers(serde_json::to_value(row).expect("a row is plain data"))]))
        .collect();
    json!({"#meta": {"index": index}, "step": step, "table": {"#map": rows}})
}

/// ITF writes integers as `{"#bigint": "1"}`, so that no reader rounds them.
fn numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => json!({"#bigint": number.to_string()}),
        Value::Array(items) => items.into_iter().map(numbers).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, numbers(value))).collect(),
        other => other,
    }
}
