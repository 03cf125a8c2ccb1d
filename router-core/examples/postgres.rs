//! Two replicas that follow one `PostgreSQL` database: `cargo run -p router-core --example postgres -- CONNECTION`, where
//! `CONNECTION` is like `host=localhost user=postgres`.
//!
//! Each write first updates the only row of a table of revisions, whose lock it keeps until it commits: revisions grow in
//! the order of the commits. A reading sees the revision and the rows in one snapshot of the database. Writers tell the
//! others by a notification, which is a hint to poll and may be lost.

use std::error::Error;

use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, IsolationLevel, NoTls};
use router_core::{Change, Query, Reading, Replica, Revision, Row, Store, StoreError};

const SCHEMA: &str = "
    create table if not exists deployments (
        id text primary key, model_name text not null, model text not null, tag text not null,
        team text, team_model_name text, blocked boolean not null, weight bigint not null
    );
    create table if not exists state (revision bigint not null, deployments bigint not null);
    insert into state select 0, 0 where not exists (select * from state);
    listen deployments;
";

const ADVANCE: &str = "update state set revision = revision + 1 returning revision";

const PUT: &str = "
    insert into deployments values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do update set
        model_name = excluded.model_name, model = excluded.model, tag = excluded.tag, team = excluded.team,
        team_model_name = excluded.team_model_name, blocked = excluded.blocked, weight = excluded.weight
";

const COUNT: &str = "update state set deployments = (select count(*) from deployments)";

/// A store in a `PostgreSQL` database.
struct Postgres {
    client: Client,
}

impl Postgres {
    fn connect(connection: &str) -> Result<Self, postgres::Error> {
        let mut client = Client::connect(connection, NoTls)?;
        client.batch_execute(SCHEMA)?;
        Ok(Self { client })
    }

    /// The revisions that others told of since the last time.
    fn hints(&mut self) -> Result<Vec<Revision>, postgres::Error> {
        let mut told = self.client.notifications();
        let mut told = told.iter().map(|notification| Ok(notification.payload().parse().ok()));
        let mut hints = Vec::new();
        while let Some(hint) = told.next()? {
            hints.extend(hint.map(Revision));
        }
        Ok(hints)
    }

    fn fetch(&mut self) -> Result<(i64, i64, Vec<postgres::Row>), postgres::Error> {
        let mut reading = self.client.build_transaction();
        reading = reading.isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let mut transaction = reading.start()?;
        let state = transaction.query_one("select revision, deployments from state", &[])?;
        let rows = transaction.query("select * from deployments", &[])?;
        transaction.commit()?;
        Ok((state.get(0), state.get(1), rows))
    }
}

/// A row as the database gives it. A weight out of range, which only another program can have written, counts as none.
fn row(row: &postgres::Row) -> Row<'_> {
    Row {
        id: row.get(0),
        model_name: row.get(1),
        model: row.get(2),
        tag: row.get(3),
        team: row.get(4),
        team_model_name: row.get(5),
        blocked: row.get(6),
        weight: u32::try_from(row.get::<_, i64>(7)).unwrap_or(0),
    }
}

fn revision(number: i64) -> Revision {
    Revision(u64::try_from(number).expect("a revision counts up from 0"))
}

impl Store for Postgres {
    type Error = postgres::Error;

    fn revision(&mut self) -> Result<Revision, Self::Error> {
        Ok(revision(
            self.client.query_one("select revision from state", &[])?.get(0),
        ))
    }

    fn read(&mut self) -> Result<Reading, StoreError<Self::Error>> {
        let (number, count, rows) = self.fetch().map_err(StoreError::Failed)?;
        let count = usize::try_from(count).expect("a count is not negative");
        Ok(Reading::of(revision(number), count, rows.iter().map(row))?)
    }

    fn write(&mut self, change: &Change) -> Result<Revision, Self::Error> {
        let mut transaction = self.client.transaction()?;
        let number: i64 = transaction.query_one(ADVANCE, &[])?.get(0);
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
                let weight = i64::from(weight);
                transaction.execute(
                    PUT,
                    &[
                        &id,
                        &model_name,
                        &model,
                        &tag,
                        &team,
                        &team_model_name,
                        &blocked,
                        &weight,
                    ],
                )?;
            }
            Change::Delete(id) => {
                transaction.execute("delete from deployments where id = $1", &[&&**id])?;
            }
        }
        transaction.execute(COUNT, &[])?;
        transaction.execute("select pg_notify('deployments', $1)", &[&number.to_string()])?;
        transaction.commit()?;
        Ok(revision(number))
    }
}

/// The tag that a replica answers from.
fn served(replica: &Replica, model: &str) -> Option<String> {
    let snapshot = replica.router().snapshot();
    let answer = snapshot.table().lookup(Query { model, team: None });
    answer.pick(0).map(|candidate| candidate.tag().to_string())
}

fn main() -> Result<(), Box<dyn Error>> {
    let connection = std::env::args()
        .nth(1)
        .ok_or("give a connection, like `host=localhost user=postgres`")?;
    let (mut one_store, mut other_store) = (Postgres::connect(&connection)?, Postgres::connect(&connection)?);
    let (mut one, mut other) = (Replica::default(), Replica::default());
    one.poll(&mut one_store)?;
    other.poll(&mut other_store)?;
    for tag in ["v1", "v2"] {
        let row = Row {
            id: "d1",
            model_name: "openai/*",
            model: "openai/*",
            tag,
            ..Row::default()
        };
        let written = one.write(&mut one_store, Change::Put(row.parse()?))?;
        println!(
            "one wrote revision {}, and serves {:?}",
            written.0,
            served(&one, "openai/gpt-4o")
        );
        println!("other, before it polls, serves {:?}", served(&other, "openai/gpt-4o"));
        let outcome = other.poll(&mut other_store)?;
        println!(
            "other polled: {outcome:?}, and serves {:?}",
            served(&other, "openai/gpt-4o")
        );
        for hint in other_store.hints()? {
            println!(
                "other was told of revision {}, which is news: {}",
                hint.0,
                other.is_news(hint)
            );
        }
    }
    one.write(&mut one_store, Change::Delete("d1".into()))?;
    println!("one deleted; other polled: {:?}", other.poll(&mut other_store)?);
    Ok(())
}
