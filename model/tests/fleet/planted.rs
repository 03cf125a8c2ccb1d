//! A replica as naive as can be, that follows the store rightly or with one fault.

use std::collections::BTreeMap;
use std::rc::Rc;

use model::semantics::STRICT;
use model::{Spec, Table};
use protocol::fleet::{Act, Given, LocalReplica, StoreReading, Want};
use protocol::wire::PROTOCOL_VERSION;
use protocol::{
    Answer, Candidate, Capability, Change, Changed, Dialect, Hello, Now, Outcome, Query, Question, Row, Shown, Write,
};

/// A fault of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Applies a reading that is older than what it has.
    AppliesOlder,
    /// Takes an empty reading for an empty store.
    EmptyEvicts,
    /// Makes a write in the store, and leaves its own table to the next poll.
    WriteUnserved,
    /// Applies a reading with a row that must be refused, and drops what it had of that row.
    RefusedLoses,
    /// Never removes a row at a poll.
    KeepsDeleted,
    /// Answers from an index out of which nothing is ever taken.
    StaleIndex,
    /// Loses the row that was there when it refuses a write of it.
    RefusalLoses,
    /// Takes rows that must be refused.
    AcceptsInvalid,
    /// Writes the whole row that it read for a patch, whatever was written meanwhile.
    PatchOverwrites,
    /// Never loads the row `d2`, not even where it comes up.
    NeverLoads,
    /// Drops all rows before a write, and has them again once the write is made.
    DropsMeanwhile,
}

#[derive(Clone, Debug)]
pub(crate) struct Planted {
    pub(crate) fault: Option<Fault>,
    /// True if it says what its structures hold, and which of them is its registry.
    tells: bool,
    /// True if it answers by the target of a row as well, which no preset knows of.
    by_target: bool,
    rows: Table,
    /// The rows that it answers from.
    index: Table,
    /// The rows that it dropped for the time being.
    dropped: Table,
    applied: Option<u64>,
    /// The revision of the latest write of each row that went through this replica.
    own: BTreeMap<String, u64>,
    spec: Rc<Spec>,
}

pub(crate) struct Task {
    act: Act,
    served: Option<Change>,
}

impl Planted {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            tells: true,
            by_target: false,
            rows: Table::new(),
            index: Table::new(),
            dropped: Table::new(),
            applied: None,
            own: BTreeMap::new(),
            spec: Rc::new(Spec::new(&STRICT, &[])),
        }
    }

    /// Returns a replica that does not say what its structures hold.
    pub(crate) fn silent(fault: Option<Fault>) -> Self {
        Self {
            tells: false,
            ..Self::new(fault)
        }
    }

    /// Returns a replica without a fault that answers by the targets of rows too.
    pub(crate) fn answering_by_target() -> Self {
        Self {
            by_target: true,
            ..Self::new(None)
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn apply(&mut self, reading: StoreReading) -> Now {
        let empties = self.has(Fault::EmptyEvicts) && reading.rows.is_empty();
        if reading.rows.len() != reading.count && !empties {
            return Now::Failed("the reading is cut short".into());
        }
        let older = self.applied.is_some_and(|applied| reading.revision < applied);
        if older && !self.has(Fault::AppliesOlder) {
            return Now::Done;
        }
        let (valid, invalid): (Vec<Row>, Vec<Row>) =
            reading.rows.into_iter().partition(|row| is_valid(&self.spec, row));
        if !invalid.is_empty() && !self.has(Fault::RefusedLoses) {
            return Now::Failed("the reading has an invalid row".into());
        }
        let mut rows: Table = valid.into_iter().map(|row| (row.id.clone(), row)).collect();
        rows.retain(|id, _| id != "d2" || !self.has(Fault::NeverLoads));
        if self.has(Fault::AppliesOlder) {
            self.own.clear();
        }
        self.own.retain(|_, written| *written > reading.revision);
        for (id, row) in &self.rows {
            if self.has(Fault::KeepsDeleted) && !rows.contains_key(id) || self.own.contains_key(id) {
                rows.insert(id.clone(), row.clone());
            }
        }
        rows.retain(|id, _| !self.own.contains_key(id) || self.rows.contains_key(id));
        self.rows = rows;
        self.index();
        self.applied = Some(reading.revision);
        Now::Done
    }

    fn index(&mut self) {
        if !self.has(Fault::StaleIndex) {
            self.index.clear();
        }
        self.index.extend(self.rows.clone());
    }

    fn wrote(&mut self, change: &Change, id: &str, revision: u64) {
        let newest = self.own.get(id).copied().max(self.applied);
        if newest.is_none_or(|newest| revision > newest) && !self.has(Fault::WriteUnserved) {
            change.apply_to(&mut self.rows);
            self.index();
            self.own.insert(id.to_owned(), revision);
        }
    }

    fn write(&mut self, write: &Write, served: &mut Option<Change>, given: Given) -> Want {
        let refused = |why: &str| ended(Outcome::Refused(why.to_owned()));
        if self.has(Fault::DropsMeanwhile) {
            if given == Given::Begun {
                self.dropped = std::mem::take(&mut self.rows);
            } else if matches!(given, Given::Wrote(_)) {
                self.rows = std::mem::take(&mut self.dropped);
            }
            self.index();
        }
        let (write_now, only_if) = match (given, write) {
            (Given::Begun, Write::Patch(patch)) => return Want::ReadRow(patch.id.clone()),
            (Given::Row(Ok(Some(mut stored))), Write::Patch(patch)) => {
                patch.fields.apply_to(&mut stored.row);
                (
                    Write::Put(stored.row),
                    Some(stored.revision).filter(|_| !self.has(Fault::PatchOverwrites)),
                )
            }
            (Given::Row(Ok(_)), _) => return refused("there is no such row"),
            (Given::Wrote(Ok(written)), write) => {
                if let Some(change) = served.take().filter(|_| written.made) {
                    self.wrote(&change, write.id(), written.revision);
                    return ended(Outcome::Applied);
                }
                return if matches!(write, Write::Delete(_)) {
                    ended(Outcome::Unchanged)
                } else {
                    refused("it is another")
                };
            }
            (Given::Row(Err(why)) | Given::Wrote(Err(why)), _) => return Want::End(Now::Failed(why)),
            (_, write) => (write.clone(), None),
        };
        let change = match &write_now {
            Write::Put(row) | Write::Add(row) if !is_valid(&self.spec, row) && !self.has(Fault::AcceptsInvalid) => {
                if self.has(Fault::RefusalLoses) {
                    self.rows.remove(&row.id);
                    self.index();
                }
                return refused("the row is invalid");
            }
            Write::Put(row) | Write::Add(row) => Change::Upsert(row.clone()),
            write => Change::Delete(write.id().to_owned()),
        };
        *served = Some(change);
        Want::Write {
            write: write_now,
            only_if,
        }
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        let mut allowed = self.spec.lookup(&self.index, query, "");
        allowed.truncate(1);
        if let Some(row) = self
            .index
            .values()
            .find(|row| self.by_target && row.model == query.model)
        {
            let (id, model, tag) = (row.id.clone(), row.model.clone(), row.tag.clone());
            return vec![Answer::Candidates(vec![Candidate { id, model, tag }])];
        }
        allowed
    }
}

fn is_valid(spec: &Spec, row: &Row) -> bool {
    let change = Change::Upsert(row.clone());
    spec.change(&Table::new(), &change).is_ok()
}

fn ended(outcome: Outcome) -> Want {
    Want::End(Now::Changed(Changed { outcome, held: None }))
}

impl LocalReplica for Planted {
    type Task = Task;

    fn describe(&self) -> Hello {
        let mut hello = hello();
        if !self.tells {
            hello.capabilities.retain(|capability| *capability != Capability::Holds);
            hello.dialect.registry = None;
        }
        hello
    }

    fn begin(&mut self, act: Act) -> Task {
        Task { act, served: None }
    }

    fn proceed(&mut self, task: &mut Task, given: Given) -> Want {
        match (&task.act, given) {
            (Act::Start, _) => Want::End(Now::Done),
            (Act::Write(write), given) => self.write(write, &mut task.served, given),
            (Act::Request(query), _) => Want::End(Now::Answered(self.lookup(query))),
            (Act::Poll | Act::Notified(_), Given::All(Ok(reading))) => Want::End(self.apply(reading)),
            (Act::Poll | Act::Notified(_), Given::All(Err(why))) => Want::End(Now::Failed(why)),
            (Act::Poll | Act::Notified(_), _) => Want::ReadAll,
        }
    }

    fn ask(&self, question: &Question) -> Shown {
        let tags = || self.rows.values().map(|row| row.tag.clone()).collect();
        match question {
            Question::Lookup(query) => Shown::Answers(self.lookup(query)),
            Question::Listing(team) => {
                let names = self.spec.listing(&self.index, team.as_deref());
                Shown::Names(names.into_iter().collect())
            }
            Question::Claims => Shown::Ids(self.rows.keys().cloned().collect()),
            Question::Holds => Shown::Holds([("list".to_owned(), tags())].into()),
            Question::Sizes => Shown::Sizes([("list".to_owned(), self.rows.len() as u64)].into()),
            Question::Store => Shown::Rows(Vec::new()),
        }
    }
}

/// The hello of a fleet that follows the strict preset.
fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        router: "planted".into(),
        version: "1".into(),
        capabilities: [
            Capability::Upsert,
            Capability::Add,
            Capability::Delete,
            Capability::Patterns,
            Capability::Teams,
            Capability::Blocked,
            Capability::Listing,
            Capability::Sizes,
            Capability::Claims,
            Capability::Holds,
            Capability::Fleet,
        ]
        .into_iter()
        .chain(Capability::OF_FLEETS)
        .collect(),
        dialect: Dialect {
            semantics: Some("strict".into()),
            registry: Some("list".into()),
            ..Dialect::default()
        },
    }
}
