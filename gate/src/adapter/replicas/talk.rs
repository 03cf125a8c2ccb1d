//! The messages of the gate and the process of a replica: a line of JSON each, by turns.

use std::io::{self, BufRead, Read as _, Write};
use std::path::PathBuf;

use protocol::fleet::{Act, Given, Sight, Want};
use protocol::wire::LINE_BYTES_MAX;
use protocol::{Question, Shown};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The place of the rows that all replicas of a fleet share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shared {
    /// An `SQLite` file.
    Sqlite(PathBuf),
    /// A schema of a `PostgreSQL` database.
    Postgres {
        /// The address of the database.
        address: String,
        /// The name of the schema.
        schema: String,
    },
}

/// A message of the gate.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Call {
    /// To connect to the rows: the first of all.
    Open(Shared),
    /// To go on with an operation, which begins where there is an act.
    Proceed {
        /// The number of the operation.
        task: u64,
        /// The act of the operation, the first time.
        act: Option<Act>,
        /// The result of its last access.
        given: Given,
    },
    /// To carry out an access as the sight says.
    Reach {
        /// The access.
        want: Want,
        /// The ways of the store at this moment.
        sight: Sight,
    },
    /// To answer questions, one after the other.
    Ask(Vec<Question>),
}

/// The reply of the replica.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Reply {
    /// Connected to the rows.
    Ready,
    /// The operation wants this next.
    Wants(Want),
    /// The access came to this.
    Reached(Given),
    /// The answers, one for each question.
    Shown(Vec<Shown>),
    /// The database itself failed, for that reason.
    Trouble(String),
}

/// Writes a line.
pub(super) fn say(out: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

/// Reads a line; nothing where the other side has ended.
pub(super) fn hear<T: DeserializeOwned>(input: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    input.take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}
