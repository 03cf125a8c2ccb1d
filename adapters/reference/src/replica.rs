//! `router-core`'s replica as one of a fleet in this process.

use protocol::fleet::{Act, Given, InProcessFleet, LocalReplica, Notification, StoreReading, Want};
use protocol::{Capability, Changed, Hello, Local, Now, Outcome, Query, Question, Row, Shown, Write};
use router_core::{Change, Pinned, Reading, Replica, Revision, RowError};

use crate::{Reference, ask, core_row};

/// The most tries of one patch: another one where its row was written between the read and the write.
pub const PATCH_TRIES_MAX: u32 = 4;

/// `router-core`'s replica, with what a gateway puts around it: it polls the whole store, a notification that is news makes
/// it poll, and a write is made in the store by one statement and served at once.
///
/// A patch is a read and one write that is conditional on the row's revision. A row that is invalid is refused before it
/// gets to the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReferenceReplica {
    replica: Replica,
}

/// The reference as a fleet.
pub fn reference_fleet() -> InProcessFleet<ReferenceReplica> {
    InProcessFleet::new(ReferenceReplica::default())
}

/// An operation of a [`ReferenceReplica`] on its way.
#[derive(Debug)]
pub struct Task {
    act: Act,
    /// The number of tries of a patch so far.
    tries: u32,
    /// The change that is served once the store has made it.
    change: Option<Change>,
}

impl ReferenceReplica {
    fn snapshot(&self) -> Pinned {
        self.replica.router().snapshot()
    }

    fn poll(&mut self, given: Given) -> Want {
        match given {
            Given::All(Ok(reading)) => Want::End(self.apply(&reading)),
            Given::All(Err(why)) => Want::End(Now::Failed(why)),
            _ => Want::ReadAll,
        }
    }

    fn apply(&mut self, reading: &StoreReading) -> Now {
        let revision = Revision(reading.revision);
        if self.replica.applied() == Some(revision) {
            return Now::Done;
        }
        match Reading::of(revision, reading.count, reading.rows.iter().map(core_row)) {
            Ok(reading) => {
                self.replica.apply(reading);
                Now::Done
            }
            Err(why) => Now::Failed(why.to_string()),
        }
    }

    /// Goes on with a write that was given this result; `task` has its number of tries and the change to serve.
    fn write(&mut self, write: &Write, task: (&mut u32, &mut Option<Change>), given: Given) -> Want {
        let (tries, change) = task;
        match given {
            Given::Row(Ok(Some(mut stored))) => {
                if let Write::Patch(patch) = write {
                    patch.fields.apply_to(&mut stored.row);
                }
                request(change, put(&stored.row), Write::Put(stored.row), Some(stored.revision))
            }
            Given::Row(Ok(None)) => ended(refused(format!("there is no row `{}`", write.id()))),
            Given::Wrote(Ok(written)) => {
                let served = change
                    .take()
                    .filter(|_| written.made || matches!(write, Write::Delete(_)));
                if let Some(change) = served {
                    self.replica.wrote(change, Revision(written.revision));
                }
                match write {
                    _ if written.made => ended(Outcome::Applied),
                    Write::Patch(_) if *tries < PATCH_TRIES_MAX => read_to_patch(tries, write.id()),
                    Write::Patch(_) => ended(refused(format!(
                        "the row `{}` was written {tries} times meanwhile; try again",
                        write.id()
                    ))),
                    Write::Put(_) | Write::Add(_) => ended(refused(format!("the id `{}` exists", write.id()))),
                    Write::Delete(_) => ended(Outcome::Unchanged),
                }
            }
            Given::Row(Err(why)) | Given::Wrote(Err(why)) => Want::End(Now::Failed(why)),
            Given::Begun | Given::All(_) | Given::Woken => match write {
                Write::Patch(patch) => read_to_patch(tries, &patch.id),
                Write::Put(row) | Write::Add(row) => request(change, put(row), write.clone(), None),
                Write::Delete(id) => request(change, Ok(Change::Delete(id.as_str().into())), write.clone(), None),
            },
        }
    }

    fn answer(&self, query: &Query) -> Now {
        Now::Answered(ask::lookup(self.snapshot().table(), query))
    }
}

impl LocalReplica for ReferenceReplica {
    type Task = Task;

    fn describe(&self) -> Hello {
        let mut hello = Reference::default().describe();
        hello.capabilities.extend([Capability::Holds, Capability::Fleet]);
        hello.capabilities.extend(Capability::OF_FLEETS);
        hello.dialect.registry = Some(ask::REGISTRY.to_owned());
        hello
    }

    fn begin(&mut self, act: Act) -> Task {
        Task {
            act,
            tries: 0,
            change: None,
        }
    }

    fn proceed(&mut self, task: &mut Task, given: Given) -> Want {
        let Task { act, tries, change } = task;
        match act {
            Act::Start => Want::End(Now::Done),
            Act::Notified(Notification { revision, .. })
                if given == Given::Begun && !self.replica.is_news(Revision(*revision)) =>
            {
                Want::End(Now::Done)
            }
            Act::Poll | Act::Notified(_) => self.poll(given),
            Act::Write(write) => self.write(write, (tries, change), given),
            Act::Request(query) => Want::End(self.answer(query)),
        }
    }

    fn ask(&self, question: &Question) -> Shown {
        let snapshot = self.snapshot();
        let table = snapshot.table();
        match question {
            Question::Lookup(query) => Shown::Answers(ask::lookup(table, query)),
            Question::Listing(team) => Shown::Names(ask::listing(table, team.as_deref())),
            Question::Claims => Shown::Ids(ask::claims(table)),
            Question::Holds => Shown::Holds(ask::holds(table)),
            Question::Sizes => Shown::Sizes(ask::sizes(table)),
            Question::Store => Shown::Rows(Vec::new()),
        }
    }
}

fn put(row: &Row) -> Result<Change, RowError> {
    core_row(row).parse().map(Change::Put)
}

/// Asks for a write, which is served as `change` once it is made; a row that is invalid is refused.
fn request(served: &mut Option<Change>, change: Result<Change, RowError>, write: Write, only_if: Option<u64>) -> Want {
    match change {
        Ok(change) => {
            *served = Some(change);
            Want::Write { write, only_if }
        }
        Err(why) => ended(refused(why.to_string())),
    }
}

fn read_to_patch(tries: &mut u32, id: &str) -> Want {
    *tries += 1;
    Want::ReadRow(id.to_owned())
}

fn refused(why: String) -> Outcome {
    Outcome::Refused(why)
}

/// The end of a write. A replica of a fleet says what it holds where it is asked.
fn ended(outcome: Outcome) -> Want {
    Want::End(Now::Changed(Changed { outcome, held: None }))
}
