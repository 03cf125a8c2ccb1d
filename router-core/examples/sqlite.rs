//! Two replicas that follow one `SQLite` database: `cargo run -p router-core --example sqlite`.
//!
//! The revision and the number of rows stand in a table of their own, which each write updates in its own transaction.
//! A write takes the lock of the database first, and so revisions grow in the order of the commits.

use std::error::Error;

use router_core::{Change, Query, Reading, Replica, Revision, Row, Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

const SCHEMA: &str = "
    create table if not exists deployments (
        id text primary key, model_name text not null, model text not null, tag text not null,
        team text, team_model_name text, blocked integer not null, weight integer not null
    ) strict;
    create table if not exists state (revision integer not null, deployments integer not null) strict;
    insert into state select 0, 0 where not exists (select * from state);
";

const PUT: &str = "
    insert into deployments values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (id) do update set
        model_name = excluded.model_name, model = excluded.model, tag = excluded.tag, team = excluded.team,
        team_model_name = excluded.team_model_name, blocked = excluded.blocked, weight = excluded.weight
";

const ADVANCE: &str = "
    update state set revision = revision + 1, deployments = (select count(*) from deployments) returning revision
";

/// A store in an `SQLite` database.
struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    fn open(path: &str) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection })
    }
}

/// A row as the database gives it, before it is checked.
struct Fetched {
    id: String,
    model_name: String,
    model: String,
    tag: String,
    team: Option<String>,
    team_model_name: Option<String>,
    blocked: bool,
    weight: u32,
}

impl Fetched {
    fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            model_name: row.get(1)?,
            model: row.get(2)?,
            tag: row.get(3)?,
            team: row.get(4)?,
            team_model_name: row.get(5)?,
            blocked: row.get(6)?,
            weight: row.get(7)?,
        })
    }

    fn row(&self) -> Row<'_> {
        Row {
            id: &self.id,
            model_name: &self.model_name,
            model: &self.model,
            tag: &self.tag,
            team: self.team.as_deref(),
            team_model_name: self.team_model_name.as_deref(),
            blocked: self.blocked,
            weight: self.weight,
        }
    }
}

fn fetch(transaction: &Transaction<'_>) -> rusqlite::Result<(u64, usize, Vec<Fetched>)> {
    let (revision, count) = transaction.query_row("select revision, deployments from state", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let mut select = transaction.prepare_cached("select * from deployments")?;
    let rows = select.query_map([], Fetched::of)?.collect::<Result<_, _>>()?;
    Ok((revision, count, rows))
}

impl Store for Sqlite {
    type Error = rusqlite::Error;

    fn revision(&mut self) -> Result<Revision, Self::Error> {
        self.connection
            .query_row("select revision from state", [], |row| row.get(0))
            .map(Revision)
    }

    fn read(&mut self) -> Result<Reading, StoreError<Self::Error>> {
        let transaction = self.connection.transaction().map_err(StoreError::Failed)?;
        let (revision, count, rows) = fetch(&transaction).map_err(StoreError::Failed)?;
        Ok(Reading::of(Revision(revision), count, rows.iter().map(Fetched::row))?)
    }

    fn write(&mut self, change: &Change) -> Result<Revision, Self::Error> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        match change {
            Change::Put(deployment) => {
                let Row {
                    id,
                    model_name,
                    model,
                    tag,
                    team,
                    team_model_name,
                    blocked,
                    weight,
                } = deployment.row();
                let values = params![id, model_name, model, tag, team, team_model_name, blocked, weight];
                transaction.execute(PUT, values)?;
            }
            Change::Delete(id) => {
                transaction.execute("delete from deployments where id = ?1", [id])?;
            }
        }
        let revision = transaction.query_row(ADVANCE, [], |row| row.get(0)).map(Revision)?;
        transaction.commit()?;
        Ok(revision)
    }
}

/// The tag that a replica answers from.
fn served(replica: &Replica, model: &str) -> Option<String> {
    let snapshot = replica.router().snapshot();
    let answer = snapshot.table().lookup(Query { model, team: None });
    answer.pick(0).map(|candidate| candidate.tag().to_string())
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "file:routes?mode=memory&cache=shared".to_owned());
    let (mut one_store, mut other_store) = (Sqlite::open(&path)?, Sqlite::open(&path)?);
    let (mut one, mut other) = (Replica::default(), Replica::default());
    let row = Row {
        id: "d1",
        model_name: "openai/*",
        model: "openai/*",
        tag: "v1",
        ..Row::default()
    };

    let revision = one.write(&mut one_store, Change::Put(row.parse()?))?;
    println!(
        "one wrote revision {}, and serves {:?}",
        revision.0,
        served(&one, "openai/gpt-4o")
    );
    println!("other, before it polls, serves {:?}", served(&other, "openai/gpt-4o"));
    let outcome = other.poll(&mut other_store)?;
    println!(
        "other polled: {outcome:?}, and serves {:?}",
        served(&other, "openai/gpt-4o")
    );

    // A row that another program wrote past all checks: the reading is refused, and the old rows are served on.
    other_store
        .connection
        .execute("update deployments set model = 'openai/*/*'", [])?;
    other_store
        .connection
        .query_row(ADVANCE, [], |row| row.get::<_, u64>(0))
        .optional()?;
    if let Err(error) = other.poll(&mut other_store) {
        println!(
            "other polled: {error}; it still serves {:?}",
            served(&other, "openai/gpt-4o")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_follow_a_database() {
        let path = "file:replicas_follow_a_database?mode=memory&cache=shared";
        let mut stores = [Sqlite::open(path).unwrap(), Sqlite::open(path).unwrap()];
        let mut replicas = [Replica::default(), Replica::default()];
        for turn in 0..20_usize {
            let (writer, id) = (turn % 2, format!("d{}", turn % 3));
            let tag = format!("v{turn}");
            let team = (turn % 5 == 0).then_some("t");
            let row = Row {
                id: &id,
                model_name: "a*",
                model: "x*",
                tag: &tag,
                team,
                weight: 7,
                ..Row::default()
            };
            let change = if turn % 4 == 3 {
                Change::Delete(id.as_str().into())
            } else {
                Change::Put(row.parse().unwrap())
            };
            let revision = replicas[writer].write(&mut stores[writer], change).unwrap();
            assert_eq!(revision, Revision(turn as u64 + 1));
            for (replica, store) in replicas.iter_mut().zip(&mut stores) {
                replica.poll(store).unwrap();
                assert_eq!(replica.applied(), Some(revision));
            }
            let [one, other] = replicas.each_ref().map(|replica| replica.router().snapshot());
            assert_eq!(one.table(), other.table());
        }
    }

    #[test]
    fn a_reading_that_is_cut_short_is_refused() {
        let mut store = Sqlite::open(":memory:").unwrap();
        let mut replica = Replica::default();
        let row = Row {
            id: "d1",
            model_name: "a",
            model: "x",
            tag: "v1",
            ..Row::default()
        };
        replica.write(&mut store, Change::Put(row.parse().unwrap())).unwrap();
        store.connection.execute("delete from deployments", []).unwrap();
        let error = replica.poll(&mut store).unwrap_err();
        assert!(error.to_string().contains("0 rows came and the store has 1"), "{error}");
        assert_eq!(served(&replica, "a").as_deref(), Some("v1"));
    }
}
