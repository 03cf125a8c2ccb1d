//! The database behind a fleet in this process: rows with the revisions in which they were written, also as of an earlier
//! one.

use std::collections::BTreeMap;

use super::Written;
use crate::op::Write;
use crate::row::Row;

/// A database of rows. The driver of a fleet alone touches it, one access at a time; that it fails on purpose, or shows
/// something else, is the driver's.
///
/// An error says in words why the database itself failed: it ends the run as a fault, and never speaks against a fleet.
pub trait Database {
    /// Empties it, and puts these rows in by one write each, the first of revision 1.
    fn set_up(&mut self, rows: &[Row]) -> Result<(), String>;

    /// The number of writes that were made, those of the set-up included.
    fn revision(&mut self) -> Result<u64, String>;

    /// The rows as they were in that revision: the last one, or the one before it.
    fn rows(&mut self, revision: u64) -> Result<Vec<KeptRow>, String>;

    /// Makes a write of the next revision, provided that the row is there and was last written in revision `only_if`, where one
    /// is given. It is not made if there is no row to delete or to patch, or if the id to add exists.
    fn write(&mut self, write: &Write, only_if: Option<u64>) -> Result<Written, String>;
}

/// A row of a [`Database`], and the revisions in which it came and was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRow {
    /// The row.
    pub row: Row,
    /// The revision in which its id was inserted.
    pub inserted: u64,
    /// The revision in which it was last written.
    pub written: u64,
}

/// What a write makes of the row of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// This one from now on.
    Row(Row),
    /// Nothing: the row is gone.
    Gone,
    /// What it was: the write is not made.
    Nothing,
}

impl Made {
    /// Returns what a write makes of the row that is there, if one is.
    pub fn of(write: &Write, known: Option<&KeptRow>, only_if: Option<u64>) -> Self {
        if only_if.is_some_and(|revision| known.is_none_or(|kept| kept.written != revision)) {
            return Self::Nothing;
        }
        match (write, known) {
            (Write::Put(row), _) | (Write::Add(row), None) => Self::Row(row.clone()),
            (Write::Patch(patch), Some(kept)) => {
                let mut row = kept.row.clone();
                patch.fields.apply_to(&mut row);
                Self::Row(row)
            }
            (Write::Add(_), Some(_)) | (Write::Patch(_) | Write::Delete(_), None) => Self::Nothing,
            (Write::Delete(_), Some(_)) => Self::Gone,
        }
    }
}

/// The rows of one revision, by id.
type State = BTreeMap<String, KeptRow>;

/// A [`Database`] in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryDatabase {
    now: State,
    /// The rows before the last write.
    before: State,
    revision: u64,
}

impl Database for MemoryDatabase {
    fn set_up(&mut self, rows: &[Row]) -> Result<(), String> {
        *self = Self::default();
        for row in rows {
            self.write(&Write::Put(row.clone()), None)?;
        }
        Ok(())
    }

    fn revision(&mut self) -> Result<u64, String> {
        Ok(self.revision)
    }

    fn rows(&mut self, revision: u64) -> Result<Vec<KeptRow>, String> {
        let state = if revision < self.revision {
            &self.before
        } else {
            &self.now
        };
        Ok(state.values().cloned().collect())
    }

    fn write(&mut self, write: &Write, only_if: Option<u64>) -> Result<Written, String> {
        let known = self.now.get(write.id());
        let written = self.revision + 1;
        let inserted = known.map_or(written, |kept| kept.inserted);
        let mut state = self.now.clone();
        match Made::of(write, known, only_if) {
            Made::Nothing => {
                return Ok(Written {
                    revision: self.revision,
                    made: false,
                });
            }
            Made::Gone => drop(state.remove(write.id())),
            Made::Row(row) => drop(state.insert(row.id.clone(), KeptRow { row, inserted, written })),
        }
        self.before = std::mem::replace(&mut self.now, state);
        self.revision = written;
        Ok(Written {
            revision: written,
            made: true,
        })
    }
}
