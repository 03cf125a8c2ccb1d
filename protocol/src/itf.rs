//! A trace in the Informal Trace Format, the JSON that Quint and Apalache read.
//!
//! Variables of each state: `step`, the step that led to it as a record of its one verb, and `table`, the rows by id that
//! the changes so far ask for. ITF has no null: an absent field is absent. Source: Apalache ADR 015.

use serde_json::{Value, json};

use crate::file::TraceFile;
use crate::row::Rows;

impl TraceFile {
    /// Returns the trace as an ITF document.
    pub fn to_itf(&self) -> Value {
        let setup = &self.trace.setup;
        let mut table: Rows = setup.rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
        let mut states = vec![state(0, &json!({"init": {}}), &table)];
        for (index, step) in self.trace.steps.iter().enumerate() {
            step.apply_to(&mut table);
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

fn state(index: usize, step: &Value, table: &Rows) -> Value {
    let rows: Vec<Value> = table
        .iter()
        .map(|(id, row)| json!([id, numbers(serde_json::to_value(row).expect("a row is plain data"))]))
        .collect();
    json!({"#meta": {"index": index}, "step": step, "table": {"#map": rows}})
}

/// The value with each integer as ITF writes it, `{"#bigint": "1"}`, so that no reader rounds it.
fn numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => json!({"#bigint": number.to_string()}),
        Value::Array(items) => items.into_iter().map(numbers).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, numbers(value))).collect(),
        other => other,
    }
}
