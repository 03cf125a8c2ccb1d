//! The process of a replica, which this program becomes when the gate starts one.
//!
//! Calls are read until the input ends, and that ends with the gate, however it does. So no replica outlives its gate.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use adapter_reference::{PostgresDatabase, ReferenceReplica, SqliteDatabase};
use protocol::fleet::{Database, LocalReplica, Want};

use super::talk::{Call, Reply, Shared, hear, say};
use crate::output::progress;

/// The first argument by which this program becomes a replica.
pub const REPLICA: &str = "be-replica";

/// Is a replica of the reference, until the gate ends.
pub fn be_replica() -> ExitCode {
    match serve(
        ReferenceReplica::default(),
        &mut io::stdin().lock(),
        &mut io::stdout().lock(),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            progress(&format!(
                "`{REPLICA}` is for Routeproof itself ({why}); `routeproof --help` lists what is there for you"
            ));
            ExitCode::from(2)
        }
    }
}

fn serve<R: LocalReplica>(mut replica: R, input: &mut impl BufRead, out: &mut impl Write) -> io::Result<()> {
    let mut database: Option<Box<dyn Database>> = None;
    let mut tasks: BTreeMap<u64, R::Task> = BTreeMap::new();
    while let Some(call) = hear(input)? {
        let reply = match (call, &mut database) {
            (Call::Open(shared), _) => match open(&shared) {
                Ok(opened) => {
                    database = Some(opened);
                    Reply::Ready
                }
                Err(why) => Reply::Trouble(why),
            },
            (Call::Proceed { task, act, given }, _) => {
                if let Some(act) = act {
                    tasks.insert(task, replica.begin(act));
                }
                let under_way = tasks.get_mut(&task).ok_or(io::ErrorKind::InvalidInput)?;
                let want = replica.proceed(under_way, given);
                if matches!(want, Want::End(_)) {
                    tasks.remove(&task);
                }
                Reply::Wants(want)
            }
            (Call::Reach { want, sight }, Some(database)) => match sight.reach(database.as_mut(), &want) {
                Ok(given) => Reply::Reached(given),
                Err(why) => Reply::Trouble(why),
            },
            (Call::Reach { .. }, None) => Reply::Trouble("it was not told where the rows are".to_owned()),
            (Call::Ask(questions), _) => Reply::Shown(replica.ask_all(&questions.iter().collect::<Vec<_>>())),
        };
        say(out, &reply)?;
    }
    Ok(())
}

fn open(shared: &Shared) -> Result<Box<dyn Database>, String> {
    Ok(match shared {
        Shared::Sqlite(file) => Box::new(SqliteDatabase::open(file)?),
        Shared::Postgres { address, schema } => Box::new(PostgresDatabase::join(address, schema)?),
    })
}
