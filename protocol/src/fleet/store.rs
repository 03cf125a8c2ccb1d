//! The store of a fleet: a database, what it does with the accesses of replicas, and whether it failed by itself.

use super::database::Database;
use super::sight::Sight;
use super::{Given, Want, Written};
use crate::op::{StoreView, Write};
use crate::row::Row;
use crate::trace::Setup;

/// A store of rows that remembers its state before the last write, since a read may show that one.
pub(super) struct Store<'d> {
    database: &'d mut dyn Database,
    pub(super) sight: Sight,
    /// The first failure of the database itself.
    trouble: Option<String>,
}

impl<'d> Store<'d> {
    pub(super) fn set_up(database: &'d mut dyn Database, setup: &Setup) -> Self {
        let ready = database.set_up(&setup.rows).and_then(|()| database.revision());
        let (set_up, trouble) = ready.map_or_else(|why| (0, Some(why)), |revision| (revision, None));
        Self {
            database,
            sight: Sight {
                set_up,
                fails: false,
                view: StoreView::All,
                order: setup.order,
                config: setup.config.clone(),
            },
            trouble,
        }
    }

    /// The reason why the database itself failed, if it did: nothing that was seen since says anything of the fleet.
    pub(super) fn into_trouble(self) -> Option<String> {
        self.trouble
    }

    fn noted<T>(&mut self, result: Result<T, String>) -> Result<T, String> {
        result.inspect_err(|why| {
            self.trouble.get_or_insert_with(|| why.clone());
        })
    }

    /// The rows as they are, whatever reads show, in the order of their ids.
    pub(super) fn rows(&mut self) -> Vec<Row> {
        let read = self.database.revision().and_then(|now| self.database.rows(now));
        let mut rows: Vec<Row> = self
            .noted(read)
            .unwrap_or_default()
            .into_iter()
            .map(|kept| kept.row)
            .collect();
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        rows
    }

    /// Carries out an access of a replica.
    pub(super) fn reach(&mut self, want: &Want) -> Given {
        let reached = self.sight.reach(self.database, want);
        self.noted(reached).unwrap_or_else(|why| Given::failed(want, &why))
    }

    /// A write straight into the store, which no fault on purpose stops.
    pub(super) fn write(&mut self, write: &Write, only_if: Option<u64>) -> Result<Written, String> {
        let written = self.database.write(write, only_if);
        self.noted(written)
    }
}
