//! `router-core` behind the traits of a router and a replica under test.
//!
//! [`Reference`] puts a [`router_core::Table`] on trial, [`ReferenceReplica`] a [`router_core::Replica`]. Each translates
//! and decides nothing, but for what a table has no word for: whether an `add` may be done, and whether a change
//! changed anything.
//!
//! ```
//! use adapter_reference::Reference;
//! use protocol::{Change, Local, Outcome, Query, Row};
//!
//! let mut reference = Reference::default();
//! reference.change(&Change::Upsert(Row::new("d1", "openai/*", "openai/*", "v1")));
//! let refused = reference.change(&Change::Upsert(Row::new("d1", "openai/*", "*/*", "v2")));
//!
//! assert!(matches!(refused.outcome, Outcome::Refused(why) if why.starts_with("`model` has 2 `*`")));
//! assert_eq!(reference.lookup(&Query::new("openai/gpt-4o", None))[0].candidates()[0].tag, "v1");
//! ```

mod ask;
#[cfg(feature = "databases")]
mod database;
mod replica;

use std::collections::BTreeMap;

use protocol::wire::PROTOCOL_VERSION;
use protocol::{Answer, Capability, Change, Changed, Dialect, Hello, Local, Outcome, Query, Row};
use router_core::{LoadError, RowError, Table};

#[cfg(feature = "databases")]
pub use database::{PostgresDatabase, SqliteDatabase};
pub use replica::{PATCH_TRIES_MAX, ReferenceReplica, Task, reference_fleet};

/// `router-core` as a router on trial.
///
/// Equality and hash cover its whole state, derived indexes included, so that an explorer can keep it in its states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reference {
    table: Table,
}

impl Reference {
    /// The table, for a caller that asks it more, or more often, than the trait lets it.
    pub fn table(&self) -> &Table {
        &self.table
    }

    fn upsert(&mut self, row: &Row) -> Result<Outcome, RowError> {
        let row = core_row(row).parse()?;
        let before = self.table.put(&row);
        Ok(outcome(before.as_ref() != Some(&row)))
    }

    fn add(&mut self, row: &Row) -> Result<Outcome, RowError> {
        let row = core_row(row).parse()?;
        if self.table.row(row.id()).is_some() {
            return Ok(Outcome::Refused(format!(
                "`id` `{}` is held already: upsert it, or delete it first",
                row.id()
            )));
        }
        self.table.put(&row);
        Ok(Outcome::Applied)
    }

    fn replace(&mut self, rows: &[Row]) -> Result<Outcome, LoadError> {
        let table = Table::of(rows.iter().map(core_row))?;
        let changes = table != self.table;
        self.table = table;
        Ok(outcome(changes))
    }

    fn changed(&self, outcome: Outcome) -> Changed {
        Changed {
            outcome,
            held: Some(self.claims()),
        }
    }
}

impl Local for Reference {
    fn describe(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: "reference".to_owned(),
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
                Capability::Claims,
            ],
            dialect: Dialect {
                semantics: Some("strict".to_owned()),
                ..Dialect::default()
            },
        }
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        let loaded = Table::of(initial.iter().map(core_row));
        let outcome = match &loaded {
            Ok(_) => Outcome::Applied,
            Err(why) => Outcome::Refused(why.to_string()),
        };
        self.table = loaded.unwrap_or_default();
        self.changed(outcome)
    }

    fn change(&mut self, change: &Change) -> Changed {
        let outcome = match change {
            Change::Upsert(row) => self.upsert(row).unwrap_or_else(|why| Outcome::Refused(why.to_string())),
            Change::Add(row) => self.add(row).unwrap_or_else(|why| Outcome::Refused(why.to_string())),
            Change::Delete(id) => outcome(self.table.delete(id).is_some()),
            Change::Replace(rows) => self
                .replace(rows)
                .unwrap_or_else(|why| Outcome::Refused(why.to_string())),
        };
        self.changed(outcome)
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        ask::lookup(&self.table, query)
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        ask::listing(&self.table, team)
    }

    fn claims(&self) -> Vec<String> {
        ask::claims(&self.table)
    }

    fn holds(&self) -> BTreeMap<String, Vec<String>> {
        ask::holds(&self.table)
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        ask::sizes(&self.table)
    }
}

fn outcome(changes: bool) -> Outcome {
    if changes { Outcome::Applied } else { Outcome::Unchanged }
}

/// The row in the words of `router-core`, which has no parameter bundles, and whose rows all have a weight.
pub fn core_row(row: &Row) -> router_core::Row<'_> {
    let default = router_core::Row::default();
    router_core::Row {
        id: &row.id,
        model_name: &row.model_name,
        model: &row.model,
        tag: &row.tag,
        team: row.team.as_deref(),
        team_model_name: row.team_model_name.as_deref(),
        blocked: row.blocked,
        weight: row.weight.unwrap_or(default.weight),
    }
}

/// The row in the words of the protocol.
pub fn protocol_row(row: router_core::Row) -> Row {
    Row {
        team: row.team.map(str::to_owned),
        team_model_name: row.team_model_name.map(str::to_owned),
        blocked: row.blocked,
        weight: Some(row.weight),
        ..Row::new(row.id, row.model_name, row.model, row.tag)
    }
}
