//! The router on trial: [`Tables`] and the [`Steps`] that keep them.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use protocol::wire::PROTOCOL_VERSION;
use protocol::{Answer, Capability, Change, Changed, Dialect, Hello, Local, Outcome, Query, Row};

use crate::steps::Steps;
use crate::tables::{REGISTRY, Tables};

/// The weight of a row that states none.
const WEIGHT_DEFAULT: u32 = 1;

/// A router whose derived structures are kept by the steps `S`.
///
/// Equality and hash cover its whole state, so that an explorer can keep it in its states. Lookups write to the memo of
/// the router that is asked: ask a router before it becomes the key of a map, or ask a clone.
pub struct Router<S> {
    tables: Tables,
    steps: PhantomData<fn() -> S>,
}

impl<S: Steps> Router<S> {
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

impl<S: Steps> Local for Router<S> {
    fn describe() -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: format!("faulty:{}", S::NAME),
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
        let outcome = match S::replace(&mut self.tables, &rows) {
            Outcome::Applied | Outcome::Unchanged => Outcome::Applied,
            refused @ Outcome::Refused(_) => refused,
        };
        self.changed(outcome)
    }

    fn change(&mut self, change: &Change) -> Changed {
        let rows: Vec<Row> = change.rows().iter().map(taken).collect();
        let outcome = match change {
            Change::Upsert(_) => S::upsert(&mut self.tables, &rows[0]),
            Change::Add(_) => S::add(&mut self.tables, &rows[0]),
            Change::Delete(id) => S::delete(&mut self.tables, id),
            Change::Replace(_) => S::replace(&mut self.tables, &rows),
        };
        S::forget(&mut self.tables);
        self.changed(outcome)
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        vec![S::lookup(&self.tables, query)]
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        S::listing(&self.tables, team)
    }

    fn claims(&self) -> Vec<String> {
        S::held(&self.tables)
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

// Derived implementations would require these traits of `S`, although there is never a value of it.

impl<S> Default for Router<S> {
    fn default() -> Self {
        Self {
            tables: Tables::default(),
            steps: PhantomData,
        }
    }
}

impl<S> Clone for Router<S> {
    fn clone(&self) -> Self {
        Self {
            tables: self.tables.clone(),
            steps: PhantomData,
        }
    }
}

impl<S> PartialEq for Router<S> {
    fn eq(&self, other: &Self) -> bool {
        self.tables == other.tables
    }
}

impl<S> Eq for Router<S> {}

impl<S> Hash for Router<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tables.hash(state);
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables.fmt(f)
    }
}
