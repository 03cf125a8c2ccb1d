//! A strategy of the model as a fleet under test, so that a trace of the model can be carried out by the strategy
//! itself.
//!
//! A [`StrategyReplica`] is a [`NaiveReplica`] that speaks the vocabulary of traces: several operations may be under way at
//! once, and each can be held at its accesses to the store. It knows the rows that the model's traces have, and answers
//! their two requests; see [`crate::trace`].

use std::collections::{BTreeMap, BTreeSet};

use protocol::fleet::{Act, Given, InProcessFleet, LocalReplica, StoreReading, Want, Written};
use protocol::wire::PROTOCOL_VERSION;
use protocol::{
    Answer, Candidate, Capability, Changed, Dialect, Hello, Now, Outcome, Query, Question, Refusal, Shown, Write,
};

use crate::actions::Shape;
use crate::cell::{Cell, Content, ROWS_MAX, VERSIONS_MAX};
use crate::generic::{NaiveReplica, Read, Replica, Table, apply};
use crate::strategies::{After, Notices, Strategy};
use crate::trace::{self, TEAM, name, row_of, tag, target};
use crate::view;

/// The structure that is the replica's own list of rows.
const REGISTRY: &str = "list";
/// The structure that holds the wildcards.
const PATTERNS: &str = "patterns";
/// The rows of a fleet, which tell the naive replica into how many parts a read falls.
#[expect(clippy::cast_possible_truncation, reason = "it is a small constant")]
const ROWS: u8 = ROWS_MAX as u8;

/// The fleet whose replicas follow that strategy.
pub fn strategy_fleet(strategy: &Strategy) -> InProcessFleet<StrategyReplica> {
    InProcessFleet::new(StrategyReplica {
        strategy: *strategy,
        replica: NaiveReplica::start(strategy),
        reading: false,
        known: BTreeMap::new(),
    })
}

/// One replica that follows a [`Strategy`].
#[derive(Clone, Debug)]
pub struct StrategyReplica {
    strategy: Strategy,
    replica: NaiveReplica,
    /// True if a poll is between its read and its apply.
    reading: bool,
    /// The revision of the store as of which each row is known; only where rows and reads carry revisions.
    known: BTreeMap<u8, u64>,
}

/// An operation of a [`StrategyReplica`] on its way.
#[derive(Debug)]
pub struct Task {
    act: Act,
    /// The reply to a write that was made and its revision, as long as the replica has not reacted to the write.
    written: Option<(Changed, u64)>,
}

impl StrategyReplica {
    /// Reads the store, unless a read that is not applied yet is to be waited for.
    fn read_all(&mut self) -> Want {
        if self.strategy.locked && self.reading {
            return Want::Wait;
        }
        self.reading = true;
        Want::ReadAll
    }

    fn apply(&mut self, reading: &Result<StoreReading, String>) {
        self.reading = false;
        let read = match reading {
            Err(_) => Read::Failed,
            Ok(reading) => {
                let got = self.table(reading);
                let whole = reading.rows.len() == reading.count;
                if whole {
                    Read::Whole(got)
                } else {
                    Read::Faulty {
                        whole: got.clone(),
                        got,
                    }
                }
            }
        };
        apply(&mut self.replica, ROWS, &read);
    }

    /// The cells of a reading. Where revisions are kept, a row that the reading lacks is there as deleted, and one of which
    /// something newer is known is there as it is held.
    fn table(&mut self, reading: &StoreReading) -> Table {
        let mut table: Table = reading.rows.iter().filter_map(row_of).collect();
        if !self.strategy.refuses_older {
            return table;
        }
        let held = self.replica.claims();
        for row in 0..ROWS {
            let known = self.known.get(&row).copied().unwrap_or(0);
            if known > reading.revision {
                match held.get(&row) {
                    Some(cell) => table.insert(row, *cell),
                    None => table.remove(&row),
                };
            } else if table.contains_key(&row) || held.contains_key(&row) {
                self.known.insert(row, reading.revision);
                table.entry(row).or_insert_with(|| self.replica.deleted_next(row));
            }
        }
        table
    }

    /// Takes in one row as the store holds it in that revision.
    fn take(&mut self, row: u8, cell: Option<Cell>, revision: u64) {
        let known = self.known.get(&row).copied().unwrap_or(0);
        if self.strategy.refuses_older && known > revision {
            return;
        }
        self.known.insert(row, revision);
        let gone = view::read(&self.strategy, self.replica.deleted_next(row));
        self.replica.take(row, cell.unwrap_or(gone));
    }

    fn poll(&mut self, given: &Given) -> Want {
        match given {
            Given::All(reading) => {
                self.apply(reading);
                Want::End(match reading {
                    Ok(_) => Now::Done,
                    Err(why) => Now::Failed(why.clone()),
                })
            }
            _ => self.read_all(),
        }
    }

    fn notified(&mut self, id: &str, given: Given) -> Want {
        match (self.strategy.notices, given) {
            (Notices::Ignored, _) => Want::End(Now::Done),
            (Notices::Polled, given) => self.poll(&given),
            (Notices::RowRead, Given::Row(Ok(found))) => {
                if let Some(number) = trace::number(id) {
                    let revision = found.as_ref().map_or(0, |stored| stored.revision);
                    let cell = found.and_then(|stored| row_of(&stored.row)).map(|(_, cell)| cell);
                    self.take(number, cell, revision);
                }
                Want::End(Now::Done)
            }
            (Notices::RowRead, Given::Row(Err(why))) => Want::End(Now::Failed(why)),
            (Notices::RowRead, _) if self.strategy.locked && self.reading => Want::Wait,
            (Notices::RowRead, _) => Want::ReadRow(id.to_owned()),
        }
    }

    fn write(&mut self, task: &mut Option<(Changed, u64)>, write: &Write, given: Given) -> Want {
        match (given, &*task) {
            (Given::Begun, _) => match refused_at_the_door(write) {
                Some(why) => ended(Outcome::Refused(why), None),
                None => Want::Write {
                    write: write.clone(),
                    only_if: None,
                },
            },
            (Given::Wrote(Ok(written)), _) => self.wrote(task, write, written),
            (Given::Wrote(Err(why)), _) => Want::End(Now::Failed(why)),
            (Given::All(reading), Some((reply, _))) => {
                let reply = reply.clone();
                self.apply(&reading);
                self.reply(reply)
            }
            (_, Some((_, revision))) => {
                let revision = *revision;
                self.after(task, write, revision)
            }
            (_, None) => Want::Wait,
        }
    }

    fn wrote(&mut self, task: &mut Option<(Changed, u64)>, write: &Write, written: Written) -> Want {
        if !written.made {
            return match write {
                Write::Delete(_) => ended(Outcome::Unchanged, None),
                _ => ended(Outcome::Refused(format!("`{}` cannot be written so", write.id())), None),
            };
        }
        let is_invalid = write
            .row()
            .and_then(row_of)
            .is_some_and(|(_, cell)| cell.content == Content::Invalid);
        let outcome = if is_invalid {
            Outcome::Refused("the target has more wildcards than the name".to_owned())
        } else {
            Outcome::Applied
        };
        *task = Some((Changed { outcome, held: None }, written.revision));
        self.after(task, write, written.revision)
    }

    /// Reacts to a write that the store has since `revision`, as the strategy does after one of its kind. A strategy
    /// with a lock first waits until no read is left unapplied.
    fn after(&mut self, task: &mut Option<(Changed, u64)>, write: &Write, revision: u64) -> Want {
        if self.strategy.locked && self.reading {
            return Want::Wait;
        }
        let number = trace::number(write.id());
        let after = match write {
            Write::Add(_) => self.strategy.after_create,
            Write::Delete(_) => self.strategy.after_delete,
            Write::Put(_) | Write::Patch(_) => self.strategy.after_change,
        };
        match after {
            After::Nothing => {}
            After::Row => {
                if let Some(number) = number {
                    let cell = write.row().and_then(row_of).map(|(_, cell)| cell);
                    self.take(number, cell, revision);
                }
            }
            After::Poll => return self.read_all(),
            After::DropAndPoll => {
                self.replica.drop_rows();
                return self.read_all();
            }
        }
        let (reply, _) = task.take().expect("the write was made");
        self.reply(reply)
    }

    fn reply(&self, changed: Changed) -> Want {
        Want::End(Now::Changed(Changed {
            held: Some(self.ids()),
            ..changed
        }))
    }

    fn request(&mut self, query: &Query, given: Given) -> Want {
        match given {
            Given::All(reading) => {
                self.reading = false;
                let Ok(reading) = reading else {
                    return Want::End(Now::Failed("the store failed".to_owned()));
                };
                let held = self.replica.claims();
                for (number, cell) in reading.rows.iter().filter_map(row_of) {
                    if !held.contains_key(&number) {
                        self.take(number, Some(cell), reading.revision);
                    }
                }
            }
            _ if self.strategy.reads_through && query.model == name(Shape::Exact) && self.misses() => {
                return self.read_all();
            }
            _ => {}
        }
        Want::End(Now::Answered(vec![self.lookup(query)]))
    }

    /// Returns whether no row that it holds goes by the exact name.
    fn misses(&self) -> bool {
        let is_exact = |cell: &Cell| cell.content.shape() == Some(Shape::Exact);
        !self.replica.claims().values().any(is_exact)
    }

    fn lookup(&self, query: &Query) -> Answer {
        let by_wildcards = query.model.strip_prefix(trace::STEM).is_some();
        if !by_wildcards {
            return Answer::Refused(Refusal::UnknownModel);
        }
        let asked = view::ModelQuery {
            exact: query.model == name(Shape::Exact),
            team: query.team.as_deref() == Some(TEAM),
        };
        let candidate = |found: view::ModelCandidate| {
            let one = Candidate {
                id: trace::id(found.row),
                model: resolved(found.table, &query.model),
                tag: tag(found.row, found.version),
            };
            std::iter::repeat_n(one, usize::from(found.copies))
        };
        let candidates: Vec<Candidate> = self.replica.answer(asked).into_iter().flat_map(candidate).collect();
        if !candidates.is_empty() {
            return Answer::Candidates(candidates);
        }
        Answer::Refused(if self.replica.is_blocked(asked) {
            Refusal::Blocked
        } else {
            Refusal::UnknownModel
        })
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        let shown = |shape: &Shape| {
            let visible = *shape != Shape::Team || team == Some(TEAM) || !self.strategy.checks_team;
            visible && self.replica.lists(*shape)
        };
        let shapes = Shape::ALL.into_iter().filter(|shape| shown(shape));
        shapes.map(|shape| name(shape).to_owned()).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.replica.claims().into_keys().map(trace::id).collect()
    }

    fn holds(&self) -> BTreeMap<String, Vec<String>> {
        let listed = self.replica.claims().into_iter();
        let listed = listed.map(|(row, cell)| tag(row, cell.version)).collect();
        let entries = [Shape::Wild, Shape::Team].into_iter().flat_map(|shape| {
            let rows = (0..ROWS).flat_map(move |row| (1..=VERSIONS).map(move |version| (row, version)));
            rows.filter(move |(row, version)| self.replica.copies(shape, *row, *version) > 0)
        });
        let entries: BTreeSet<String> = entries.map(|(row, version)| tag(row, version)).collect();
        [
            (REGISTRY.to_owned(), listed),
            (PATTERNS.to_owned(), entries.into_iter().collect()),
        ]
        .into()
    }
}

/// The most versions of a row in a trace of the model.
#[expect(clippy::cast_possible_truncation, reason = "it is a small constant")]
const VERSIONS: u8 = VERSIONS_MAX as u8;

/// Returns the reason to refuse a write that the model does not know.
fn refused_at_the_door(write: &Write) -> Option<String> {
    let known = match write {
        Write::Put(row) | Write::Add(row) => row_of(row).is_some(),
        Write::Delete(id) => trace::number(id).is_some(),
        Write::Patch(_) => false,
    };
    (!known).then(|| "it is no write of the model, whose rows are those that `explore` writes".to_owned())
}

fn ended(outcome: Outcome, held: Option<Vec<String>>) -> Want {
    Want::End(Now::Changed(Changed { outcome, held }))
}

/// The upstream model of a row of that shape for a request by that name.
fn resolved(shape: Shape, model: &str) -> String {
    let capture = name(shape)
        .strip_suffix('*')
        .and_then(|prefix| model.strip_prefix(prefix));
    capture.map_or_else(
        || target(shape).to_owned(),
        |capture| target(shape).replace('*', capture),
    )
}

impl LocalReplica for StrategyReplica {
    type Task = Task;

    fn describe(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: format!("strategy:{}", self.strategy.name),
            version: env!("CARGO_PKG_VERSION").to_owned(),
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
            .filter(|capability| *capability != Capability::Patch)
            .collect(),
            dialect: Dialect {
                semantics: Some("strict".to_owned()),
                registry: Some(REGISTRY.to_owned()),
                ..Dialect::default()
            },
        }
    }

    fn begin(&mut self, act: Act) -> Task {
        Task { act, written: None }
    }

    fn proceed(&mut self, task: &mut Task, given: Given) -> Want {
        let Task { act, written } = task;
        match act {
            Act::Start => Want::End(Now::Done),
            Act::Poll => self.poll(&given),
            Act::Notified(notification) => self.notified(&notification.id, given),
            Act::Write(write) => self.write(written, write, given),
            Act::Request(query) => self.request(query, given),
        }
    }

    fn ask(&self, question: &Question) -> Shown {
        match question {
            Question::Lookup(query) => Shown::Answers(vec![self.lookup(query)]),
            Question::Listing(team) => Shown::Names(self.listing(team.as_deref())),
            Question::Claims => Shown::Ids(self.ids()),
            Question::Holds => Shown::Holds(self.holds()),
            Question::Sizes => Shown::Sizes([(PATTERNS.to_owned(), self.replica.entries().into())].into()),
            Question::Store => Shown::Rows(Vec::new()),
        }
    }
}
