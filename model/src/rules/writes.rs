//! The rule on the store of a fleet: what was acknowledged stays written.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Row, Write};
use serde_json::Value;

use super::notes::{Notes, Subject};
use crate::evidence::Ground;
use crate::evidence::fleet::{History, Operation};
use crate::failure::{Allowed, Cell, Got};

/// The fields of a row, in the words of trace files.
const FIELDS: [&str; 8] = [
    "model_name",
    "model",
    "tag",
    "team",
    "team_model_name",
    "blocked",
    "weight",
    "extra",
];

/// A write as the values that it gives to the fields of its row.
struct Covering<'h> {
    write: &'h Operation,
    /// The values, by field; a field that is not there is not covered.
    fields: BTreeMap<&'static str, Value>,
    /// True if the row is there from then on, false if it is gone; absent of a patch, which decides neither.
    exists: Option<bool>,
}

impl<'h> Covering<'h> {
    fn of(write: &'h Operation) -> Option<Self> {
        let (fields, exists) = match write.write()? {
            Write::Put(row) | Write::Add(row) => (fields_of(row), Some(true)),
            Write::Delete(_) => (BTreeMap::new(), Some(false)),
            Write::Patch(patch) => {
                let set = serde_json::to_value(&patch.fields).unwrap_or_default();
                let set = FIELDS
                    .into_iter()
                    .filter_map(|field| Some((field, set.get(field)?.clone())));
                (set.collect(), None)
            }
        };
        Some(Self { write, fields, exists })
    }

    /// Returns whether it decides on the field: whatever decides that a row is gone decides on all of them.
    fn covers(&self, field: &str) -> bool {
        self.exists == Some(false) || self.fields.contains_key(field)
    }
}

fn fields_of(row: &Row) -> BTreeMap<&'static str, Value> {
    let value = serde_json::to_value(row).unwrap_or_default();
    let of = |field: &'static str| {
        let absent = if field == "blocked" {
            Value::Bool(false)
        } else {
            Value::Null
        };
        (field, value.get(field).cloned().unwrap_or(absent))
    };
    FIELDS.into_iter().map(of).collect()
}

/// Notes each cell of the store that holds a value which an acknowledged write had replaced.
pub(super) fn keeps_writes(history: &History, _: &Ground, notes: &mut Notes) {
    let written = history.operations.iter().filter_map(Operation::write);
    let ids: BTreeSet<&str> = written.map(Write::id).collect();
    for after in 1..=history.trace.steps.len() {
        let Some(store) = history.store(after).filter(|_| history.rest(after) == after) else {
            continue;
        };
        for id in &ids {
            notes.at_store(after);
            cells_are_possible(history, (id, store.get(*id)), after, notes);
        }
    }
}

fn cells_are_possible(history: &History, (id, held): (&str, Option<&Row>), after: usize, notes: &mut Notes) {
    let begun = history.writes(id).filter(|write| write.from <= after);
    let writes: Vec<Covering> = begun.filter_map(Covering::of).collect();
    let acknowledged = |write: &Operation| write.is_acknowledged() && write.to.is_some_and(|to| to <= after);
    if !writes.iter().any(|one| one.write.from > 0 && acknowledged(one.write)) {
        return;
    }
    notes.premise();
    // A write replaces what had ended before it began; what was there at first had ended before all.
    let replaced = |earlier: Option<&Operation>, covers: &dyn Fn(&Covering) -> bool| {
        writes.iter().any(|later| {
            let ended = earlier.is_none_or(|earlier| earlier.ended_before(later.write));
            acknowledged(later.write) && covers(later) && ended
        })
    };
    let decides = |one: &Covering| one.exists.is_some();
    let stands = |one: &&Covering| decides(one) && !replaced(Some(one.write), &decides);
    let mut possible: BTreeSet<bool> = writes.iter().filter(stands).filter_map(|one| one.exists).collect();
    if !replaced(None, &decides) {
        possible.insert(false);
    }
    let cell = |field: &str, value: &Value| Cell {
        id: id.to_owned(),
        field: field.to_owned(),
        value: value.to_string(),
    };
    if !possible.contains(&held.is_some()) {
        let allowed = possible.iter().map(|exists| cell("exists", &Value::Bool(*exists)));
        let got = cell("exists", &Value::Bool(held.is_some()));
        fail(notes, id, held, allowed.collect(), got);
        return;
    }
    let Some(row) = held else { return };
    for (field, value) in fields_of(row) {
        let covers = |one: &Covering| one.covers(field);
        let stands = |one: &&Covering| !replaced(Some(one.write), &covers);
        let allowed: Vec<&Value> = writes
            .iter()
            .filter(stands)
            .filter_map(|one| one.fields.get(field))
            .collect();
        if !allowed.contains(&&value) {
            let allowed = allowed.into_iter().map(|value| cell(field, value));
            fail(notes, id, held, allowed.collect(), cell(field, &value));
        }
    }
}

fn fail(notes: &mut Notes, id: &str, row: Option<&Row>, allowed: BTreeSet<Cell>, got: Cell) {
    let subject = Subject {
        row,
        id: Some(id.to_owned()),
        ..Subject::default()
    };
    notes.fail(
        "lost",
        subject,
        Allowed::OneOf(allowed.into_iter().collect()),
        Got::Cell(got),
    );
}
