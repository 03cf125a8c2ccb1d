//! The store of a fleet: a database, and the ways in which it fails its replicas or shows them something else.

use super::database::{Database, KeptRow};
use super::{StoreReading, StoredRow, Written};
use crate::op::{RowOrder, StoreView, Write};
use crate::row::Row;
use crate::trace::Setup;

/// A store of rows that remembers its state before the last write, since a read may show that one.
pub(super) struct Store<'d> {
    database: &'d mut dyn Database,
    /// The revision of the set-up: before it there is nothing to be shown.
    set_up: u64,
    pub(super) fails: bool,
    pub(super) view: StoreView,
    pub(super) order: RowOrder,
    pub(super) config: Option<Vec<Row>>,
    /// The first failure of the database itself.
    trouble: Option<String>,
}

impl<'d> Store<'d> {
    pub(super) fn set_up(database: &'d mut dyn Database, setup: &Setup) -> Self {
        let ready = database.set_up(&setup.rows).and_then(|()| database.revision());
        let (set_up, trouble) = ready.map_or_else(|why| (0, Some(why)), |revision| (revision, None));
        Self {
            database,
            set_up,
            fails: false,
            view: StoreView::All,
            order: setup.order,
            config: setup.config.clone(),
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

    /// The rows that a read sees, by their ids, and their revision.
    fn seen(&mut self) -> Result<(Vec<KeptRow>, u64), String> {
        if self.fails {
            return Err("the store fails".to_owned());
        }
        let read = self.database.revision().and_then(|now| {
            let lags = self.view == StoreView::BeforeLastWrite && now > self.set_up;
            let revision = now - u64::from(lags);
            Ok((self.database.rows(revision)?, revision))
        });
        let (mut rows, revision) = self.noted(read)?;
        rows.sort_by(|one, other| one.row.id.cmp(&other.row.id));
        Ok((rows, revision))
    }

    /// The part of the rows that a read gives.
    fn shown(&self, mut rows: Vec<KeptRow>) -> Vec<KeptRow> {
        match self.view {
            StoreView::All | StoreView::BeforeLastWrite => {}
            StoreView::Nothing => rows.clear(),
            StoreView::FirstRow => rows.truncate(1),
        }
        rows
    }

    pub(super) fn read_all(&mut self) -> Result<StoreReading, String> {
        let (rows, revision) = self.seen()?;
        let count = rows.len();
        let mut rows = self.shown(rows);
        match self.order {
            RowOrder::Insertion => rows.sort_by_key(|kept| kept.inserted),
            RowOrder::LastUpdate => rows.sort_by_key(|kept| kept.written),
            RowOrder::Shuffled(number) => rows.sort_by_key(|kept| shuffled(number, &kept.row.id)),
        }
        Ok(StoreReading {
            revision,
            count,
            rows: rows.into_iter().map(|kept| kept.row).collect(),
            config: self.config.clone(),
        })
    }

    pub(super) fn read_row(&mut self, id: &str) -> Result<Option<StoredRow>, String> {
        let (rows, _) = self.seen()?;
        let found = self.shown(rows).into_iter().find(|kept| kept.row.id == id);
        Ok(found.map(|kept| StoredRow {
            row: kept.row,
            revision: kept.written,
        }))
    }

    /// A write by a replica, made only if the row was last written in that revision, where one is given.
    pub(super) fn write_by_replica(&mut self, write: &Write, only_if: Option<u64>) -> Result<Written, String> {
        if self.fails {
            return Err("the store fails".to_owned());
        }
        self.write(write, only_if)
    }

    /// A write straight into the store, which no fault on purpose stops.
    pub(super) fn write(&mut self, write: &Write, only_if: Option<u64>) -> Result<Written, String> {
        let written = self.database.write(write, only_if);
        self.noted(written)
    }
}

/// The place of a row in the order of that number. Source: FNV-1a, RFC 9923.
fn shuffled(number: u32, id: &str) -> u64 {
    let bytes = number.to_le_bytes().into_iter().chain(id.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
