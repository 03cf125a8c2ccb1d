//! A replica that follows its store by the choices of a fault.

use std::collections::BTreeMap;

use protocol::fleet::{Act, Given, LocalReplica, Notification, StoreReading, StoredRow, Want, Written};
use protocol::{Capability, Change, Changed, Hello, Local, Now, Outcome, Question, Row, Shown, Write};

use super::faults::{Choices, FleetFault};
use crate::faults::find;
use crate::router::Router;

/// A replica of a fleet with a planted fault, or of the fleet without one.
#[derive(Clone, Debug)]
pub struct FleetReplica {
    name: &'static str,
    choices: Choices,
    /// The rows that it follows the store by.
    rows: BTreeMap<String, Row>,
    /// The rows that it dropped for the time being.
    dropped: BTreeMap<String, Row>,
    /// The router that it answers by.
    router: Router,
    /// The revision of the newest reading that it has applied.
    applied: Option<u64>,
    /// The revision of the latest write of each row that went through this replica, until a reading has it.
    own: BTreeMap<String, u64>,
    /// True while a poll is under way.
    locked: bool,
}

/// An operation on its way.
#[derive(Debug)]
pub struct Task {
    act: Act,
    /// The change that is served once the store has made it.
    served: Option<Change>,
    /// True once it has the lock.
    locks: bool,
}

impl FleetReplica {
    /// Returns an empty replica with that fault.
    pub fn new(fault: &FleetFault) -> Self {
        let router = find(fault.choices.router).expect("a fault of a fleet names a fault of a router");
        Self {
            name: fault.name,
            choices: fault.choices,
            rows: BTreeMap::new(),
            dropped: BTreeMap::new(),
            router: Router::new(router),
            applied: None,
            own: BTreeMap::new(),
            locked: false,
        }
    }

    /// Returns the rows that it answers from, in the order of its router's list.
    pub fn rows(&self) -> &[Row] {
        self.router.rows()
    }

    /// Lets the router hold the rows, by one change for each row that differs.
    fn serve(&mut self) {
        let held: Vec<Row> = self.router.rows().to_vec();
        let gone = held.iter().filter(|row| !self.rows.contains_key(&row.id));
        for row in gone {
            self.router.change(&Change::Delete(row.id.clone()));
        }
        for row in self.rows.values() {
            self.router.change(&Change::Upsert(row.clone()));
        }
    }

    /// Reads all rows under the lock, and applies them.
    fn poll(&mut self, task: &mut Task, given: Given) -> Want {
        match given {
            Given::All(reading) => {
                let failed = reading.is_err();
                let now = reading.map_or_else(Now::Failed, |reading| self.apply(reading));
                self.locked = failed && !self.choices.unlocks_on_failure;
                Want::End(now)
            }
            _ if self.locked && !task.locks => Want::Wait,
            _ => {
                (self.locked, task.locks) = (true, true);
                Want::ReadAll
            }
        }
    }

    fn apply(&mut self, mut reading: StoreReading) -> Now {
        reading.rows.truncate(self.choices.reads_max);
        let due = reading.count.min(self.choices.reads_max);
        let is_excused = reading.rows.is_empty() && !self.choices.checks_empty;
        if reading.rows.len() != due && !is_excused {
            return Now::Failed("the reading is cut short".to_owned());
        }
        let is_older = self.applied.is_some_and(|applied| reading.revision < applied);
        if is_older && self.choices.checks_revision {
            return Now::Done;
        }
        let (valid, invalid): (Vec<Row>, Vec<Row>) = reading.rows.into_iter().partition(is_valid);
        if !invalid.is_empty() && self.choices.keeps_on_bad_reading {
            return Now::Failed("the reading has an invalid row".to_owned());
        }
        let mut rows: BTreeMap<String, Row> = valid.into_iter().map(|row| (row.id.clone(), row)).collect();
        if !self.choices.checks_revision {
            self.own.clear();
        }
        self.own.retain(|_, written| *written > reading.revision);
        rows.retain(|id, _| !self.own.contains_key(id));
        for (id, row) in &self.rows {
            let is_deleted = !rows.contains_key(id) && !self.own.contains_key(id);
            if self.own.contains_key(id) || is_deleted && !self.choices.removes_deleted {
                rows.insert(id.clone(), row.clone());
            }
        }
        self.rows = rows;
        self.serve();
        self.applied = Some(reading.revision);
        Now::Done
    }

    /// Hears of a write: reads the row alone, where the choice is not to poll.
    fn notified(&mut self, news: &Notification, task: &mut Task, given: Given) -> Want {
        if self.choices.polls_on_notice {
            return self.poll(task, given);
        }
        match given {
            Given::Begun => Want::ReadRow(news.id.clone()),
            Given::Row(Ok(stored)) => {
                match stored.filter(|stored| is_valid(&stored.row)) {
                    Some(stored) => drop(self.rows.insert(news.id.clone(), stored.row)),
                    None => drop(self.rows.remove(&news.id)),
                }
                self.serve();
                Want::End(Now::Done)
            }
            Given::Row(Err(why)) => Want::End(Now::Failed(why)),
            _ => unreachable!("it wants nothing else"),
        }
    }

    fn write(&mut self, write: &Write, served: &mut Option<Change>, given: Given) -> Want {
        if !self.choices.serves_meanwhile {
            self.drop_meanwhile(&given);
        }
        match given {
            Given::Row(Ok(stored)) => self.patch(write, served, stored),
            Given::Wrote(Ok(written)) => self.wrote(write, served.take(), written),
            Given::Row(Err(why)) | Given::Wrote(Err(why)) => Want::End(Now::Failed(why)),
            Given::Begun | Given::All(_) | Given::Woken => match write {
                Write::Patch(patch) => Want::ReadRow(patch.id.clone()),
                write => self.ask_for(write.clone(), served, None),
            },
        }
    }

    /// Drops all rows as a write begins, and has them again once it is made.
    fn drop_meanwhile(&mut self, given: &Given) {
        match given {
            Given::Begun => self.dropped = std::mem::take(&mut self.rows),
            Given::Wrote(_) => self.rows = std::mem::take(&mut self.dropped),
            _ => return,
        }
        self.serve();
    }

    fn patch(&mut self, write: &Write, served: &mut Option<Change>, stored: Option<StoredRow>) -> Want {
        let (Write::Patch(patch), Some(mut stored)) = (write, stored) else {
            return refused("there is no such row");
        };
        patch.fields.apply_to(&mut stored.row);
        let only_if = Some(stored.revision).filter(|_| self.choices.patches_on_condition);
        self.ask_for(Write::Put(stored.row), served, only_if)
    }

    /// Asks the store for a write, unless its row must be refused.
    fn ask_for(&mut self, write: Write, served: &mut Option<Change>, only_if: Option<u64>) -> Want {
        *served = Some(match &write {
            Write::Put(row) | Write::Add(row) if !is_valid(row) && self.choices.refuses_invalid => {
                if !self.choices.keeps_on_refusal {
                    self.rows.remove(&row.id);
                    self.serve();
                }
                return refused("the row is invalid");
            }
            Write::Put(row) | Write::Add(row) => Change::Upsert(row.clone()),
            Write::Delete(id) => Change::Delete(id.clone()),
            Write::Patch(_) => unreachable!("a patch is written as its whole row"),
        });
        Want::Write { write, only_if }
    }

    fn wrote(&mut self, write: &Write, served: Option<Change>, written: Written) -> Want {
        match (served, write) {
            (Some(change), _) if written.made => {
                self.serve_own(&change, write.id(), written.revision);
                ended(Outcome::Applied)
            }
            (_, Write::Patch(_)) if !self.choices.tells_conflicts => ended(Outcome::Applied),
            (_, Write::Delete(_)) => ended(Outcome::Unchanged),
            _ => refused("the row is another by now"),
        }
    }

    fn serve_own(&mut self, change: &Change, id: &str, revision: u64) {
        let newest = self.own.get(id).copied().max(self.applied);
        if newest.is_some_and(|newest| revision <= newest) || !self.choices.serves_writes {
            return;
        }
        match change {
            Change::Upsert(row) => drop(self.rows.insert(row.id.clone(), row.clone())),
            _ => drop(self.rows.remove(id)),
        }
        self.serve();
        let is_deletion = matches!(change, Change::Delete(_));
        if !is_deletion || self.choices.remembers_deletions {
            self.own.insert(id.to_owned(), revision);
        }
    }
}

/// Returns whether a router takes the row.
fn is_valid(row: &Row) -> bool {
    let changed = Router::default().change(&Change::Upsert(row.clone()));
    !matches!(changed.outcome, Outcome::Refused(_))
}

fn refused(why: &str) -> Want {
    ended(Outcome::Refused(why.to_owned()))
}

/// The end of a write. A replica of a fleet says what it holds where it is asked.
fn ended(outcome: Outcome) -> Want {
    Want::End(Now::Changed(Changed { outcome, held: None }))
}

impl LocalReplica for FleetReplica {
    type Task = Task;

    fn describe(&self) -> Hello {
        let mut hello = self.router.describe();
        hello.router = format!("faulty:{}", self.name);
        hello.capabilities.push(Capability::Fleet);
        // It has no second source of rows.
        let of_fleets = Capability::OF_FLEETS.into_iter();
        hello
            .capabilities
            .extend(of_fleets.filter(|capability| *capability != Capability::Config));
        hello
    }

    fn begin(&mut self, act: Act) -> Task {
        Task {
            act,
            served: None,
            locks: false,
        }
    }

    fn proceed(&mut self, task: &mut Task, given: Given) -> Want {
        match &task.act {
            Act::Start => Want::End(Now::Done),
            Act::Request(query) => Want::End(Now::Answered(self.router.lookup(query))),
            Act::Write(write) => {
                let write = write.clone();
                self.write(&write, &mut task.served, given)
            }
            Act::Notified(news) => {
                let news = news.clone();
                self.notified(&news, task, given)
            }
            Act::Poll => self.poll(task, given),
        }
    }

    fn ask(&self, question: &Question) -> Shown {
        self.router.ask(question)
    }
}
