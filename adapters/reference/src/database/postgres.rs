//! Rows in `PostgreSQL`.

use std::fmt;

use postgres::{Client, NoTls, Transaction};
use protocol::Row;
use protocol::Write;
use protocol::fleet::{Database, KeptRow, Made, Written};

use super::{from_columns, number, to_column};

const TABLES: &str = "
    create table versions (
        id text not null, row text not null, inserted bigint not null, written bigint not null, until bigint
    );
    create index on versions (id, written);
    create table state (revision bigint not null);
    insert into state values (0);
";

/// The schema of temporary tables: they are of one connection alone, and go with it.
const TEMPORARY: &str = "pg_temp";

/// The schemas of connections that have ended: each connection holds a lock by the name of its own.
const LEFT: &str = "
    select nspname from pg_namespace
    where nspname like 'routeproof\\_%' and pg_try_advisory_lock(hashtext(nspname))
";
/// The most of them that are dropped in one go.
const LEFT_MAX: i64 = 100;

/// Rows in tables of a `PostgreSQL` database: two runs in one database do not see each other's, and nothing is left behind.
pub struct PostgresDatabase {
    client: Client,
    /// The schema that goes with this connection.
    own: Option<String>,
}

impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDatabase").finish_non_exhaustive()
    }
}

impl PostgresDatabase {
    /// A connection to the database of that address, such as `postgres://user@host/name`, with tables that no other sees.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the address, or why nobody answers there.
    pub fn connect(address: &str) -> Result<Self, String> {
        let mut database = Self::join(address, TEMPORARY)?;
        database.client.batch_execute(TABLES).map_err(|why| told(&why))?;
        Ok(database)
    }

    /// A connection with tables in a schema of their own, and the name of that schema, by which others can [join](Self::join)
    /// it. The schema goes with this connection; where the process was killed, with the next connection of this kind.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresDatabase::connect`].
    pub fn share(address: &str) -> Result<(Self, String), String> {
        let mut client = reached(address)?;
        let made = make_schema(&mut client).map_err(|why| told(&why))?;
        let database = Self {
            client,
            own: Some(made.clone()),
        };
        Ok((database, made))
    }

    /// Another connection to the tables in that schema.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresDatabase::connect`].
    pub fn join(address: &str, schema: &str) -> Result<Self, String> {
        let mut client = reached(address)?;
        let path = format!("set search_path = {schema}");
        client.batch_execute(&path).map_err(|why| told(&why))?;
        Ok(Self { client, own: None })
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if let Some(schema) = &self.own {
            // Where this fails, the next connection of the kind does it.
            let _ = self.client.batch_execute(&format!("drop schema {schema} cascade"));
        }
    }
}

fn reached(address: &str) -> Result<Client, String> {
    let connected = Client::connect(address, NoTls);
    connected.map_err(|why| format!("the database cannot be reached: {}", chain(&why)))
}

/// Makes a schema that nobody else has, with empty tables, and drops those that were left behind.
fn make_schema(client: &mut Client) -> Result<String, postgres::Error> {
    let left = client.query(&format!("{LEFT} limit {LEFT_MAX}"), &[])?;
    for name in left.iter().map(|row| row.get::<_, String>(0)) {
        client.batch_execute(&format!("drop schema if exists {name} cascade"))?;
    }
    // The number of a transaction is given once in the life of a server.
    let name = client.query_one("select 'routeproof_' || txid_current()", &[])?;
    let name: String = name.get(0);
    let make = format!(
        "select pg_advisory_unlock_all(); select pg_advisory_lock(hashtext('{name}'));
         create schema {name}; set search_path = {name}; {TABLES}"
    );
    client.batch_execute(&make)?;
    Ok(name)
}

/// An error with the errors behind it: the first alone says no more than `error connecting to server`.
fn chain(why: &dyn std::error::Error) -> String {
    let behind = std::iter::successors(Some(why), |error| error.source());
    behind.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn told(why: &postgres::Error) -> String {
    format!("PostgreSQL: {}", chain(why))
}

fn write(transaction: &mut Transaction<'_>, write: &Write, only_if: Option<u64>) -> Result<Written, postgres::Error> {
    let now: i64 = transaction.query_one("select revision from state", &[])?.get(0);
    let known = transaction.query_opt(
        "select row, inserted, written from versions where id = $1 and until is null",
        &[&write.id()],
    )?;
    let known = known.map(|row| from_columns(row.get(0), row.get(1), row.get(2)));
    // What this connection has written itself reads back.
    let known = known.and_then(Result::ok);
    let next = now + 1;
    let made = Made::of(write, known.as_ref(), only_if);
    if made != Made::Nothing {
        let ended = "update versions set until = $2 where id = $1 and until is null";
        transaction.execute(ended, &[&write.id(), &next])?;
        transaction.execute("update state set revision = $1", &[&next])?;
    }
    if let Made::Row(row) = &made {
        let inserted = known.map_or(next, |kept| number(kept.inserted));
        let insert = "insert into versions values ($1, $2, $3, $4, null)";
        transaction.execute(insert, &[&row.id, &to_column(row), &inserted, &next])?;
    }
    let made = made != Made::Nothing;
    let revision = if made { next } else { now };
    Ok(Written {
        revision: revision.unsigned_abs(),
        made,
    })
}

impl Database for PostgresDatabase {
    fn set_up(&mut self, rows: &[Row]) -> Result<(), String> {
        let mut set_up = || {
            let mut transaction = self.client.transaction()?;
            transaction.batch_execute("delete from versions; update state set revision = 0;")?;
            for row in rows {
                write(&mut transaction, &Write::Put(row.clone()), None)?;
            }
            transaction.commit()
        };
        set_up().map_err(|why| told(&why))
    }

    fn revision(&mut self) -> Result<u64, String> {
        let row = self.client.query_one("select revision from state", &[]);
        let revision: i64 = row.map_err(|why| told(&why))?.get(0);
        Ok(revision.unsigned_abs())
    }

    fn rows(&mut self, revision: u64) -> Result<Vec<KeptRow>, String> {
        let select =
            "select row, inserted, written from versions where written <= $1 and (until is null or until > $1)";
        let rows = self.client.query(select, &[&number(revision)]);
        let rows = rows.map_err(|why| told(&why))?;
        let kept = rows.iter().map(|row| from_columns(row.get(0), row.get(1), row.get(2)));
        kept.collect()
    }

    fn write(&mut self, change: &Write, only_if: Option<u64>) -> Result<Written, String> {
        let mut make = || {
            let mut transaction = self.client.transaction()?;
            let written = write(&mut transaction, change, only_if)?;
            transaction.commit()?;
            Ok(written)
        };
        make().map_err(|why: postgres::Error| told(&why))
    }
}
