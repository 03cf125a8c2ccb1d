//! Real databases behind a fleet: every version of every row, with the revisions from and to which it stood.
//!
//! A fleet that lags one write behind is shown the rows of the revision before, so no version is thrown away in a run.

mod postgres;
mod sqlite;

use protocol::Row;
use protocol::fleet::KeptRow;

pub use self::postgres::PostgresDatabase;
pub use self::sqlite::SqliteDatabase;

/// A row as a column holds it.
fn to_column(row: &Row) -> String {
    serde_json::to_string(row).expect("a row is plain data")
}

/// The row of a column.
///
/// # Errors
///
/// A sentence on a column that holds none: somebody else writes to these tables.
fn from_columns(column: &str, inserted: i64, written: i64) -> Result<KeptRow, String> {
    let row = serde_json::from_str(column)
        .map_err(|why| format!("a row cannot be read ({why}); let nobody else write to its tables"))?;
    let revision = |number: i64| u64::try_from(number).map_err(|_| format!("a row is of revision {number}"));
    Ok(KeptRow {
        row,
        inserted: revision(inserted)?,
        written: revision(written)?,
    })
}

/// A revision as a column holds it.
fn number(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}
