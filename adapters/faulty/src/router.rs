//! The router on trial: [`Tables`] and the steps that keep them.

use std::collections::BTreeMap;

use protocol::wire::PROTOCOL_VERSION;
use protocol::{
    Answer, Capability, Change, Changed, Dialect, Hello, InProcess, Local, Outcome, Query, RouterUnderTest, Row,
};

use crate::faults::{Fault, NO_FAULT};
use crate::tables::{REGISTRY, Tables};

/// The weight of a row that states none.
const WEIGHT_DEFAULT: u32 = 1;

/// A router whose derived structures are kept by the steps of a fault.
///
/// Equality and hash cover its fault and its whole state, so that an explorer can keep it in its states. Lookups write to
/// the memo of the router that is asked: ask a router before it becomes the key of a map, or ask a clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Router {
    fault: &'static Fault,
    tables: Tables,
}

impl Default for Router {
    /// The router without a fault.
    fn default() -> Self {
        Self::new(&NO_FAULT)
    }
}

impl Router {
    /// Returns a router with this fault that holds nothing.
    pub fn new(fault: &'static Fault) -> Self {
        Self {
            fault,
            tables: Tables::default(),
        }
    }

    /// Returns the rows that are held, in the order of the model list.
    pub fn rows(&self) -> &[Row] {
        &self.tables.rows
    }

    fn changed(&self, outcome: Outcome) -> Changed {
        Changed {
            outcome,
            held: Some(self.claims()),
        }
    }
}

impl Fault {
    /// A fresh router with this fault.
    pub fn router(&'static self) -> Box<dyn RouterUnderTest + Send> {
        Box::new(InProcess::new(Router::new(self)))
    }
}

impl Local for Router {
    fn describe(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: format!("faulty:{}", self.fault.name),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: vec![
                Capability::Upsert,
                Capability::Add,
                Capability::Delete,
                Capability::Replace,
                Capability::Patterns,
                Capability::Teams,
                Capability::Blocked,
                Capability::Ids,
                Capability::Weights,
                Capability::Listing,
                Capability::Sizes,
                Capability::Holds,
                Capability::Claims,
            ],
            dialect: Dialect {
                semantics: Some("strict".to_owned()),
                registry: Some(REGISTRY.to_owned()),
                ..Dialect::default()
            },
        }
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        self.tables = Tables::default();
        let rows: Vec<Row> = initial.iter().map(taken).collect();
        let outcome = match (self.fault.calls.replace)(&mut self.tables, &rows) {
            Outcome::Applied | Outcome::Unchanged => Outcome::Applied,
            refused @ Outcome::Refused(_) => refused,
        };
        self.changed(outcome)
    }

    fn change(&mut self, change: &Change) -> Changed {
        let rows: Vec<Row> = change.rows().iter().map(taken).collect();
        let (calls, tables) = (&self.fault.calls, &mut self.tables);
        let outcome = match change {
            Change::Upsert(_) => (calls.upsert)(tables, &rows[0]),
            Change::Add(_) => (calls.add)(tables, &rows[0]),
            Change::Delete(id) => (calls.delete)(tables, id),
            Change::Replace(_) => (calls.replace)(tables, &rows),
        };
        (calls.forget)(tables);
        self.changed(outcome)
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        vec![(self.fault.calls.lookup)(&self.tables, query)]
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        (self.fault.calls.listing)(&self.tables, team)
    }

    fn claims(&self) -> Vec<String> {
        (self.fault.calls.held)(&self.tables)
    }

    fn holds(&self) -> BTreeMap<String, Vec<String>> {
        self.tables.holds()
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        self.tables.sizes()
    }
}

/// The row as this router takes it: it has no parameter bundles, and a weight always.
fn taken(row: &Row) -> Row {
    Row {
        weight: Some(row.weight.unwrap_or(WEIGHT_DEFAULT)),
        extra: None,
        ..row.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;
    use crate::faults::find;

    #[test]
    fn routers_are_equal_where_both_the_fault_and_the_tables_are() {
        let with = |fault: &str| Router::new(find(fault).expect("it is registered"));
        let mut changed = with("none");
        changed.change(&Change::Upsert(Row::new("d1", "a", "b", "v1")));
        let state = RandomState::new();
        for other in [with("delete-by-prefix"), changed] {
            assert_ne!(with("none"), other);
            assert_ne!(state.hash_one(with("none")), state.hash_one(&other));
            assert_eq!(other, other.clone());
            assert_eq!(state.hash_one(&other), state.hash_one(other.clone()));
        }
    }
}
