//! A fleet in this process: replicas as state machines, and what makes a router under test of them.
//!
//! A [`LocalReplica`] never touches the store on its own account: it asks its driver for each access, and is given the
//! result, or told to carry it out through a connection of its own. So the driver decides what happens between any two
//! accesses. [`InProcessFleet`] is that driver: it owns the store, the notifications under way and the operations that are
//! held, and carries out the steps of a trace.
//!
//! ```
//! use protocol::fleet::{Act, Given, InProcessFleet, LocalReplica, Want};
//! use protocol::wire::PROTOCOL_VERSION;
//! use protocol::{Capability, Dialect, Hello, Now, Op, Question, Row, RouterUnderTest, Run, Shown, Step, StepReply};
//! use protocol::Trace;
//!
//! /// Serves what it read last, and polls alone.
//! #[derive(Clone, Default)]
//! struct Poller(Vec<Row>);
//!
//! impl LocalReplica for Poller {
//!     type Task = ();
//!
//!     fn describe(&self) -> Hello {
//!         Hello {
//!             protocol: PROTOCOL_VERSION,
//!             router: "poller".into(),
//!             version: "0.1.0".into(),
//!             capabilities: vec![Capability::Fleet, Capability::Claims],
//!             dialect: Dialect::default(),
//!         }
//!     }
//!     fn begin(&mut self, _: Act) -> Self::Task {}
//!     fn proceed(&mut self, _: &mut (), given: Given) -> Want {
//!         match given {
//!             Given::Begun => Want::ReadAll,
//!             Given::All(Ok(reading)) => {
//!                 self.0 = reading.rows;
//!                 Want::End(Now::Done)
//!             }
//!             Given::All(Err(why)) => Want::End(Now::Failed(why)),
//!             _ => unreachable!("it wants nothing else"),
//!         }
//!     }
//!     fn ask(&self, _: &Question) -> Shown {
//!         Shown::Ids(self.0.iter().map(|row| row.id.clone()).collect())
//!     }
//! }
//!
//! let mut trace = Trace::of_fleet(1, vec![Step::Do(Op::Poll(0)), Step::Ask(Some(0), Question::Claims)]);
//! trace.setup.rows.push(Row::new("d1", "gpt-4o", "openai/gpt-4o", "v1"));
//! let run = Run { trace, ..Run::default() };
//! let replies = InProcessFleet::new(Poller::default()).run(&[run])?;
//! assert_eq!(replies[0].steps[1], StepReply::Shown(Shown::Ids(vec!["d1".into()])));
//! # Ok::<(), protocol::AdapterFault>(())
//! ```

mod database;
mod kernel;
mod sight;
mod store;

use serde::{Deserialize, Serialize};

use crate::ask::{Query, Question};
use crate::local::carry_out;
use crate::op::Write;
use crate::router::{AdapterFault, FaultKind, RouterUnderTest};
use crate::row::Row;
use crate::run::{Changed, Now, Run, RunReply, Shown};
use crate::trace::Level;
use crate::wire::Hello;

pub use database::{Database, KeptRow, Made, MemoryDatabase};
pub use kernel::{ACCESSES_MAX, HELD_MAX};
pub use sight::Sight;

/// One replica of a fleet in this process. A clone of a replica to which nothing has happened is an empty replica.
pub trait LocalReplica: Clone {
    /// An operation on its way: whatever it has to remember between two accesses to the store.
    type Task;

    /// Describes the fleet: its name and what it can do.
    fn describe(&self) -> Hello;

    /// Begins an operation; nothing is read or written before the first [`LocalReplica::proceed`].
    fn begin(&mut self, act: Act) -> Self::Task;

    /// Goes on with an operation, given what it wanted, up to its next access to the store.
    fn proceed(&mut self, task: &mut Self::Task, given: Given) -> Want;

    /// Answers one question, without the store. [`Question::Store`] is never put to a replica.
    fn ask(&self, question: &Question) -> Shown;

    /// Answers several questions, one after the other.
    fn ask_all(&self, questions: &[&Question]) -> Vec<Shown> {
        questions.iter().map(|question| self.ask(question)).collect()
    }

    /// Carries out an access that an operation wants through a connection of the replica's own, as `sight` says; nothing where
    /// it has none, and its driver does it.
    fn reach(&mut self, _want: &Want, _sight: &Sight) -> Option<Given> {
        None
    }
}

/// Something that a replica is told to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Read the store and apply what was read.
    Poll,
    /// Come up.
    Start,
    /// Hear that a row was written.
    Notified(Notification),
    /// Carry out a write that came in at its admin endpoint.
    Write(Write),
    /// Answer a caller, who may make it read the store on a miss.
    Request(Query),
}

/// The news that a row was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notification {
    /// The row.
    pub id: String,
    /// The revision of the store that has the write.
    pub revision: u64,
}

/// The access, or the end, that an operation asks for next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// All rows of the store, with the second source; given as [`Given::All`].
    ReadAll,
    /// The row of that id; given as [`Given::Row`].
    ReadRow(String),
    /// To make this write; given as [`Given::Wrote`].
    Write {
        /// The write.
        write: Write,
        /// A condition: the write is made only if the row is there and was last written in that revision.
        only_if: Option<u64>,
    },
    /// To be woken once another operation of this replica has moved.
    Wait,
    /// Nothing more: the operation is over, in this state.
    End(Now),
}

/// The result that an operation is given when it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// Nothing yet: the operation has just begun.
    Begun,
    /// All rows, or the reason why the store failed.
    All(Result<StoreReading, String>),
    /// The row, if there is one, or the reason why the store failed.
    Row(Result<Option<StoredRow>, String>),
    /// The fate of a write, or the reason why the store failed: then the write was not made.
    Wrote(Result<Written, String>),
    /// Another operation of the replica has moved.
    Woken,
}

impl Given {
    /// The result of an access that failed for that reason.
    pub fn failed(want: &Want, why: &str) -> Self {
        let why = why.to_owned();
        match want {
            Want::ReadRow(_) => Self::Row(Err(why)),
            Want::Write { .. } => Self::Wrote(Err(why)),
            Want::ReadAll | Want::Wait | Want::End(_) => Self::All(Err(why)),
        }
    }
}

/// All rows of a store, as a read in one transaction gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreReading {
    /// The number of writes that were made by then, those of the set-up included.
    pub revision: u64,
    /// The number of rows that the store says it has. It is asked for apart from the rows, so that a read that was cut
    /// short can be told.
    pub count: usize,
    /// The rows, in the order of the store.
    pub rows: Vec<Row>,
    /// The rows of the second source; none where it has no list at all.
    pub config: Option<Vec<Row>>,
}

/// One row of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredRow {
    /// The row.
    pub row: Row,
    /// The revision in which it was last written.
    pub revision: u64,
}

/// The fate of a write that the store did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The revision of the store by then; of this write, where it was made.
    pub revision: u64,
    /// True if the write was made. False if there was no row to delete or to patch, if the id to add existed, or if the
    /// row did not meet the write's condition.
    pub made: bool,
}

/// A fleet of [`LocalReplica`]s over one database, as a [`RouterUnderTest`].
#[derive(Clone, Debug)]
pub struct InProcessFleet<R, D = MemoryDatabase> {
    empty: R,
    hello: Hello,
    database: D,
}

impl<R: LocalReplica> InProcessFleet<R> {
    /// A fleet over a database in memory, whose replicas come up as clones of this one.
    pub fn new(empty: R) -> Self {
        Self::over(MemoryDatabase::default(), empty)
    }
}

impl<R: LocalReplica, D: Database> InProcessFleet<R, D> {
    /// A fleet over that database, whose replicas come up as clones of this one.
    pub fn over(database: D, empty: R) -> Self {
        Self {
            hello: empty.describe(),
            empty,
            database,
        }
    }

    fn run_one(&mut self, run: &Run) -> Result<RunReply, AdapterFault> {
        if run.trace.level == Level::Router {
            let message = format!(
                "`{}` is a fleet and no single router; take a fleet-level trace",
                self.hello.router
            );
            return Err(AdapterFault::new(FaultKind::Refused, message));
        }
        let mut kernel = kernel::Kernel::set_up(&self.empty, &mut self.database, &run.trace.setup);
        let reply = carry_out(run, Changed::APPLIED, &mut kernel);
        kernel.into_trouble().map_or(Ok(reply), |why| {
            let message = format!("the store of the fleet failed by itself: {why}");
            Err(AdapterFault::new(FaultKind::Exited, message))
        })
    }
}

impl<R: LocalReplica, D: Database> RouterUnderTest for InProcessFleet<R, D> {
    fn hello(&self) -> &Hello {
        &self.hello
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        runs.iter().map(|run| self.run_one(run)).collect()
    }
}
