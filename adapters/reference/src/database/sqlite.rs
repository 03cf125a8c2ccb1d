//! Rows in `SQLite`.

use std::fmt;
use std::path::Path;

use protocol::Row;
use protocol::Write;
use protocol::fleet::{Database, KeptRow, Made, Written};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{from_columns, number, to_column};

/// No run outlives its machine, so nothing is gained by waiting for the disk. The journal is a file, since a process that is
/// killed must leave a database that others can use.
const SETTINGS: &str = "pragma journal_mode = truncate; pragma synchronous = off; pragma busy_timeout = 5000;";

const SCHEMA: &str = "
    create table if not exists versions (
        id text not null, row text not null, inserted integer not null, written integer not null, until integer
    ) strict;
    create index if not exists by_id on versions (id, written);
    create table if not exists state (revision integer not null) strict;
    insert into state select 0 where not exists (select * from state);
";

/// Rows in an `SQLite` database of their own.
pub struct SqliteDatabase {
    connection: Connection,
}

impl fmt::Debug for SqliteDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteDatabase").finish_non_exhaustive()
    }
}

impl SqliteDatabase {
    /// The database in that file, which is made where there is none.
    ///
    /// # Errors
    ///
    /// A sentence that names the file: it cannot be opened or written, or is no database.
    pub fn open(file: &Path) -> Result<Self, String> {
        let opened = Connection::open(file).and_then(Self::with);
        opened.map_err(|why| format!("the database {} cannot be used: {why}", file.display()))
    }

    /// A database in memory.
    ///
    /// # Errors
    ///
    /// A sentence of `SQLite`.
    pub fn in_memory() -> Result<Self, String> {
        Connection::open_in_memory().and_then(Self::with).map_err(told)
    }

    fn with(connection: Connection) -> rusqlite::Result<Self> {
        connection.execute_batch(SETTINGS)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection })
    }

    fn begin(&mut self) -> Result<Transaction<'_>, String> {
        let begun = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        begun.map_err(told)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` passes")]
fn told(why: rusqlite::Error) -> String {
    format!("SQLite: {why}")
}

/// Makes one write of the next revision; says whether there was anything to make.
fn write(transaction: &Transaction<'_>, write: &Write, only_if: Option<u64>) -> Result<Written, String> {
    let now: i64 = transaction
        .query_row("select revision from state", [], |row| row.get(0))
        .map_err(told)?;
    let mut select = transaction
        .prepare_cached("select row, inserted, written from versions where id = ?1 and until is null")
        .map_err(told)?;
    let known: Option<(String, i64, i64)> = select
        .query_row([write.id()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
        .map_err(told)?;
    let known = known.map(|(row, inserted, written)| from_columns(&row, inserted, written));
    let known = known.transpose()?;
    let next = now + 1;
    let made = Made::of(write, known.as_ref(), only_if);
    if made != Made::Nothing {
        let mut ended = transaction
            .prepare_cached("update versions set until = ?2 where id = ?1 and until is null")
            .map_err(told)?;
        ended.execute(params![write.id(), next]).map_err(told)?;
        let mut advance = transaction
            .prepare_cached("update state set revision = ?1")
            .map_err(told)?;
        advance.execute([next]).map_err(told)?;
    }
    if let Made::Row(row) = &made {
        let inserted = known.map_or(next, |kept| number(kept.inserted));
        let mut insert = transaction
            .prepare_cached("insert into versions values (?1, ?2, ?3, ?4, null)")
            .map_err(told)?;
        insert
            .execute(params![row.id, to_column(row), inserted, next])
            .map_err(told)?;
    }
    let made = made != Made::Nothing;
    let revision = if made { next } else { now };
    Ok(Written {
        revision: revision.unsigned_abs(),
        made,
    })
}

impl Database for SqliteDatabase {
    fn set_up(&mut self, rows: &[Row]) -> Result<(), String> {
        let transaction = self.begin()?;
        transaction
            .execute_batch("delete from versions; update state set revision = 0;")
            .map_err(told)?;
        for row in rows {
            write(&transaction, &Write::Put(row.clone()), None)?;
        }
        transaction.commit().map_err(told)
    }

    fn revision(&mut self) -> Result<u64, String> {
        let mut select = self
            .connection
            .prepare_cached("select revision from state")
            .map_err(told)?;
        let revision: i64 = select.query_row([], |row| row.get(0)).map_err(told)?;
        Ok(revision.unsigned_abs())
    }

    fn rows(&mut self, revision: u64) -> Result<Vec<KeptRow>, String> {
        let mut select = self
            .connection
            .prepare_cached(
                "select row, inserted, written from versions where written <= ?1 and (until is null or until > ?1)",
            )
            .map_err(told)?;
        let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let rows = select.query_map([number(revision)], columns).map_err(told)?;
        let rows: Vec<(String, i64, i64)> = rows.collect::<Result<_, _>>().map_err(told)?;
        let kept = rows
            .iter()
            .map(|(row, inserted, written)| from_columns(row, *inserted, *written));
        kept.collect()
    }

    fn write(&mut self, change: &Write, only_if: Option<u64>) -> Result<Written, String> {
        let transaction = self.begin()?;
        let written = write(&transaction, change, only_if)?;
        transaction.commit().map_err(told)?;
        Ok(written)
    }
}
