//! The store of a fleet, in memory: its state, the one before, and the ways in which it fails.

use std::collections::BTreeMap;

use super::{StoreReading, StoredRow, Written};
use crate::op::{RowOrder, StoreView, Write};
use crate::row::Row;
use crate::trace::Setup;

/// The rows of one state, by id.
type State = BTreeMap<String, Stored>;

/// A row and when it was written, in revisions.
#[derive(Clone)]
struct Stored {
    row: Row,
    inserted: u64,
    written: u64,
}

/// A store of rows that remembers its state before the last write, since a read may show that one.
pub(super) struct Store {
    now: State,
    /// The state before the last write; none before the first write after the set-up.
    before: Option<State>,
    /// The number of writes that were made, those of the set-up included.
    revision: u64,
    pub(super) fails: bool,
    pub(super) view: StoreView,
    pub(super) order: RowOrder,
    pub(super) config: Option<Vec<Row>>,
}

impl Store {
    pub(super) fn set_up(setup: &Setup) -> Self {
        let mut store = Self {
            now: State::new(),
            before: None,
            revision: 0,
            fails: false,
            view: StoreView::All,
            order: setup.order,
            config: setup.config.clone(),
        };
        for row in &setup.rows {
            store.write(&Write::Put(row.clone()), None);
        }
        store.before = None;
        store
    }

    /// The rows as they are, whatever reads show, in the order of their ids.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.now.values().map(|stored| stored.row.clone()).collect()
    }

    /// The state that a read sees, and its revision.
    fn seen(&self) -> (&State, u64) {
        match &self.before {
            Some(before) if self.view == StoreView::BeforeLastWrite => (before, self.revision - 1),
            _ => (&self.now, self.revision),
        }
    }

    /// Returns true if a read gives the row of that id, provided that it is in the state that is seen.
    fn shows(&self, id: &str) -> bool {
        match self.view {
            StoreView::All | StoreView::BeforeLastWrite => true,
            StoreView::Nothing => false,
            StoreView::FirstRow => self.now.keys().next().is_some_and(|first| first == id),
        }
    }

    fn answers(&self) -> Result<(), String> {
        if self.fails {
            return Err("the store fails".to_owned());
        }
        Ok(())
    }

    pub(super) fn read_all(&self) -> Result<StoreReading, String> {
        self.answers()?;
        let (state, revision) = self.seen();
        let mut rows: Vec<&Stored> = state.values().filter(|stored| self.shows(&stored.row.id)).collect();
        match self.order {
            RowOrder::Insertion => rows.sort_by_key(|stored| stored.inserted),
            RowOrder::LastUpdate => rows.sort_by_key(|stored| stored.written),
            RowOrder::Shuffled(number) => rows.sort_by_key(|stored| shuffled(number, &stored.row.id)),
        }
        Ok(StoreReading {
            revision,
            count: state.len(),
            rows: rows.into_iter().map(|stored| stored.row.clone()).collect(),
            config: self.config.clone(),
        })
    }

    pub(super) fn read_row(&self, id: &str) -> Result<Option<StoredRow>, String> {
        self.answers()?;
        let (state, _) = self.seen();
        let stored = state.get(id).filter(|_| self.shows(id));
        Ok(stored.map(|stored| StoredRow {
            row: stored.row.clone(),
            revision: stored.written,
        }))
    }

    /// A write by a replica, made only if the row was last written in that revision, where one is given.
    pub(super) fn write_by_replica(&mut self, write: &Write, only_if: Option<u64>) -> Result<Written, String> {
        self.answers()?;
        Ok(self.write(write, only_if))
    }

    /// A write straight into the store, which no fault stops.
    pub(super) fn write(&mut self, write: &Write, only_if: Option<u64>) -> Written {
        let next = self.revision + 1;
        let mut state = self.now.clone();
        let known = state.get(write.id());
        let meets = only_if.is_none_or(|revision| known.is_some_and(|stored| stored.written == revision));
        let after = match (write, known) {
            (Write::Put(row), _) | (Write::Add(row), None) => Some(row.clone()),
            (Write::Patch(patch), Some(stored)) => {
                let mut row = stored.row.clone();
                patch.fields.apply_to(&mut row);
                Some(row)
            }
            (Write::Add(_), Some(_)) | (Write::Patch(_) | Write::Delete(_), None) => return self.not_made(),
            (Write::Delete(_), Some(_)) => None,
        };
        if !meets {
            return self.not_made();
        }
        let inserted = known.map_or(next, |stored| stored.inserted);
        match after {
            None => drop(state.remove(write.id())),
            Some(row) => {
                let written = next;
                state.insert(row.id.clone(), Stored { row, inserted, written });
            }
        }
        self.before = Some(std::mem::replace(&mut self.now, state));
        self.revision = next;
        Written {
            revision: next,
            made: true,
        }
    }

    fn not_made(&self) -> Written {
        Written {
            revision: self.revision,
            made: false,
        }
    }
}

/// The place of a row in the order of that number. Source: FNV-1a, RFC 9923.
fn shuffled(number: u32, id: &str) -> u64 {
    let bytes = number.to_le_bytes().into_iter().chain(id.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
