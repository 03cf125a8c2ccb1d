//! The ways in which the store of a fleet fails its replicas or shows them something else, as data: whoever has a connection to
//! the database can carry out an access as they say.

use serde::{Deserialize, Serialize};

use super::database::{Database, KeptRow};
use super::{Given, StoreReading, StoredRow, Want};
use crate::op::{RowOrder, StoreView};
use crate::row::Row;

/// The ways of the store at this moment: whether it fails, and how much, how late and in which order it shows its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    /// The revision of the set-up: before it there is nothing to be shown.
    pub(super) set_up: u64,
    /// True if it fails every access.
    pub(super) fails: bool,
    /// The part of the rows that a read gives.
    pub(super) view: StoreView,
    /// The order in which it gives them.
    pub(super) order: RowOrder,
    /// The rows of the second source.
    pub(super) config: Option<Vec<Row>>,
}

impl Sight {
    /// Carries out an access of a replica to that database.
    ///
    /// # Errors
    ///
    /// The reason why the database itself failed; that the store fails on purpose is in what is given.
    ///
    /// # Panics
    ///
    /// To wait and to end are no accesses.
    pub fn reach(&self, database: &mut dyn Database, want: &Want) -> Result<Given, String> {
        if self.fails {
            return Ok(Given::failed(want, "the store fails"));
        }
        Ok(match want {
            Want::ReadAll => Given::All(Ok(self.read_all(database)?)),
            Want::ReadRow(id) => Given::Row(Ok(self.read_row(database, id)?)),
            Want::Write { write, only_if } => Given::Wrote(Ok(database.write(write, *only_if)?)),
            Want::Wait | Want::End(_) => panic!("this is no access to a store: {want:?}"),
        })
    }

    /// The rows that a read sees, by their ids, and their revision.
    fn seen(&self, database: &mut dyn Database) -> Result<(Vec<KeptRow>, u64), String> {
        let now = database.revision()?;
        let lags = self.view == StoreView::BeforeLastWrite && now > self.set_up;
        let revision = now - u64::from(lags);
        let mut rows = database.rows(revision)?;
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

    fn read_all(&self, database: &mut dyn Database) -> Result<StoreReading, String> {
        let (rows, revision) = self.seen(database)?;
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

    fn read_row(&self, database: &mut dyn Database, id: &str) -> Result<Option<StoredRow>, String> {
        let (rows, _) = self.seen(database)?;
        let found = self.shown(rows).into_iter().find(|kept| kept.row.id == id);
        Ok(found.map(|kept| StoredRow {
            row: kept.row,
            revision: kept.written,
        }))
    }
}

/// The place of a row in the order of that number. Source: FNV-1a, RFC 9923.
fn shuffled(number: u32, id: &str) -> u64 {
    let bytes = number.to_le_bytes().into_iter().chain(id.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
