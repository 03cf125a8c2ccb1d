//! A fleet of `router-core`'s replicas beside a naive store, in any order of reads, applications, writes and failures.
//!
//! After each step every replica serves each row as it was in some state of the store, not older than any that it served
//! or promised before. A failed poll changes nothing. At the end one poll makes each replica serve what the store holds.

use std::collections::{BTreeMap, VecDeque};

use adapter_reference::core_row;
use model::Spec;
use model::semantics::STRICT;
use protocol::{Begin, Change, Level, Op, OpId, Row, Rows, Step, StoreView, Via, World, Write, WriteOp};
use router_core::{Change as Put, Id, Outcome, Reading, Replica, Revision, Store, StoreError, Table};

use crate::codec::{HEADER_BYTES, Input, REPLICAS, Record, decode, decode_records};
use crate::failure::{caught, of_steps};
use crate::{Body, Ran, Work};

/// The ways in which the store fails, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The store does not answer.
    Down,
    /// The store tells its revision, and not its rows.
    Broken,
    /// The rows come back empty.
    Empty,
    /// The last row is missing.
    Partial,
}

const FAULTS: [Fault; 4] = [Fault::Down, Fault::Broken, Fault::Empty, Fault::Partial];

/// A store that remembers every state it was in.
struct Memory {
    /// The rows at each revision, valid or not.
    history: Vec<Rows>,
    fault: Option<Fault>,
    /// The view that a read shows while there is no fault.
    shown: StoreView,
}

impl Memory {
    fn now(&self) -> usize {
        self.history.len() - 1
    }

    fn rows(&self) -> &Rows {
        &self.history[self.now()]
    }

    /// The state that a read shows: a copy of the store may lag a write behind.
    fn read_from(&self) -> usize {
        self.now() - usize::from(self.shown == StoreView::BeforeLastWrite && self.now() > 0)
    }

    /// Returns whether a read that succeeds gives every row of a state.
    fn shows_a_state(&self) -> bool {
        self.fault.is_none() && matches!(self.shown, StoreView::All | StoreView::BeforeLastWrite)
    }

    fn push(&mut self, rows: Rows) -> Revision {
        self.history.push(rows);
        revision(self.now())
    }
}

fn revision(at: usize) -> Revision {
    Revision(at as u64)
}

impl Store for Memory {
    type Error = &'static str;

    fn revision(&mut self) -> Result<Revision, Self::Error> {
        if self.fault == Some(Fault::Down) {
            return Err("down");
        }
        Ok(revision(self.read_from()))
    }

    fn read(&mut self) -> Result<Reading, StoreError<Self::Error>> {
        let revision = self.revision().map_err(StoreError::Failed)?;
        let state = &self.history[self.read_from()];
        let mut rows: Vec<_> = state.values().map(core_row).collect();
        match self.shown {
            StoreView::Nothing => rows.clear(),
            StoreView::FirstRow => rows.truncate(1),
            StoreView::All | StoreView::BeforeLastWrite => {}
        }
        match self.fault {
            Some(Fault::Down | Fault::Broken) => return Err(StoreError::Failed("the rows cannot be read")),
            Some(Fault::Empty) => rows.clear(),
            Some(Fault::Partial) => drop(rows.pop()),
            None => {}
        }
        Ok(Reading::of(revision, state.len(), rows)?)
    }

    fn write(&mut self, change: &Put) -> Result<Revision, Self::Error> {
        if self.fault.is_some() {
            return Err("the store fails");
        }
        let mut rows = self.rows().clone();
        match change {
            Put::Put(deployment) => {
                let row = protocol_row(deployment.row());
                rows.insert(row.id.clone(), row);
            }
            Put::Delete(id) => {
                rows.remove(&**id);
            }
        }
        Ok(self.push(rows))
    }
}

fn protocol_row(row: router_core::Row) -> Row {
    Row {
        team: row.team.map(str::to_owned),
        team_model_name: row.team_model_name.map(str::to_owned),
        blocked: row.blocked,
        weight: Some(row.weight),
        ..Row::new(row.id, row.model_name, row.model, row.tag)
    }
}

/// A replica that is up, what is under way to it, and what its callers have been promised.
#[derive(Default)]
struct Node {
    replica: Replica,
    /// The rows that it has read and not applied: the last poll that was begun, by name.
    reading: Option<(OpId, Reading)>,
    notified: VecDeque<Revision>,
    /// For each row, the oldest state that may still be served.
    floors: BTreeMap<&'static str, usize>,
}

impl Node {
    fn table(&self) -> Table {
        self.replica.router().snapshot().table().clone()
    }

    /// Promises that every row is served from now on as it was at that state, or later.
    fn promise(&mut self, ids: &[&'static str], state: usize) {
        for id in ids {
            let floor = self.floors.entry(id).or_default();
            *floor = (*floor).max(state);
        }
    }

    fn check(&mut self, ids: &[&'static str], store: &Memory) -> Result<(), String> {
        let snapshot = self.replica.router().snapshot();
        for id in ids {
            let served = snapshot
                .table()
                .row(Id::parse(id).expect("ids of a universe are valid"));
            let served = served.map(|row| row.row());
            let floor = self.floors.entry(id).or_default();
            let state = (*floor..=store.now()).find(|&at| store.history[at].get(*id).map(core_row) == served);
            *floor =
                state.ok_or_else(|| format!("`{id}` is served as {served:?}, which it is not since state {floor}"))?;
        }
        Ok(())
    }

    fn poll(&mut self, ids: &[&'static str], store: &mut Memory) -> Result<(), String> {
        let before = self.table();
        match self.replica.poll(store) {
            Ok(Outcome::Applied { .. } | Outcome::UpToDate) => self.promise(ids, store.read_from()),
            Err(_) if self.table() != before => return Err("a failed poll changed what is served".to_owned()),
            Err(_)
                if store.shows_a_state()
                    && Table::of(store.history[store.read_from()].values().map(core_row)).is_ok() =>
            {
                return Err("a poll failed, and the store does not".to_owned());
            }
            Ok(Outcome::Older) | Err(_) => {}
        }
        Ok(())
    }
}

/// The target.
pub(crate) struct Fleet;

impl Fleet {
    /// The target.
    ///
    /// # Errors
    ///
    /// None.
    pub(crate) fn body() -> Box<dyn Body> {
        Box::new(Self)
    }
}

impl Body for Fleet {
    fn run(&mut self, data: &[u8]) -> Ran {
        let Some(input) = decode(data, Level::Fleet) else {
            return Ok(None);
        };
        let what = match caught(|| judge(&input)) {
            Ok(work) => return Ok(Some(work)),
            Err(what) => what,
        };
        let (records, _) = data[HEADER_BYTES..].as_chunks();
        Err(of_steps(what, &input, records, Level::Fleet, |records: &[Record]| {
            caught(|| judge(&decode_records(input.header, records, Level::Fleet))).is_err()
        }))
    }
}

fn judge(input: &Input) -> Result<Work, String> {
    let ids = input.world.scope.universe.ids;
    let mut trial = Trial {
        ids,
        spec: Spec::new(&STRICT, &[]),
        store: Memory {
            history: vec![Rows::new()],
            fault: None,
            shown: StoreView::All,
        },
        nodes: (0..REPLICAS).map(|_| Some(Node::default())).collect(),
        failures: usize::from(input.header.asks),
    };
    let mut work = Work::default();
    for (step, after) in input.trace.steps.iter().zip(1..) {
        if let Step::Ask(..) = step {
            continue;
        }
        trial.take(step).map_err(|what| format!("step {after}: {what}"))?;
        for node in trial.nodes.iter_mut().flatten() {
            node.check(ids, &trial.store)
                .map_err(|what| format!("after step {after}: {what}"))?;
            work.lookups += ids.len() as u64;
        }
        work.steps += 1;
    }
    trial.heal()?;
    Ok(work)
}

/// One input under way.
struct Trial {
    ids: &'static [&'static str],
    spec: Spec,
    store: Memory,
    /// The replicas that are up.
    nodes: Vec<Option<Node>>,
    /// Number of times that the store has failed; it fails in another way each time.
    failures: usize,
}

impl Trial {
    fn node(&mut self, replica: u8) -> Option<&mut Node> {
        self.nodes[usize::from(replica)].as_mut()
    }

    fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Do(op) => self.carry_out(op)?,
            Step::Begin(Begin {
                op,
                act: Op::Poll(replica),
                ..
            }) => {
                let read = self.store.read().ok();
                if let Some(node) = self.node(*replica) {
                    node.reading = read.map(|read| (op.clone(), read));
                }
            }
            Step::Finish(op) => self.apply(op)?,
            Step::World(event) => self.happen(event)?,
            // No input has bytes for another begin, or for a change of one router, and questions are not carried out.
            Step::Begin(_) | Step::Change(_) | Step::Ask(..) => {}
        }
        Ok(())
    }

    fn carry_out(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Write(WriteOp { via: Via::Store, write }) => self.write_store(write),
            Op::Write(WriteOp {
                via: Via::Replica(replica),
                write,
            }) => self.write(*replica, write)?,
            Op::Poll(replica) => self.poll(*replica)?,
            Op::Start(replica) => {
                self.nodes[usize::from(*replica)].get_or_insert_default();
            }
            Op::Deliver(replica) => self.deliver(*replica, false)?,
            // These replicas read nothing on a miss: a request is a question, of which none is carried out.
            Op::Request(_) => {}
        }
        Ok(())
    }

    /// The replica that holds what this poll read applies it.
    fn apply(&mut self, op: &OpId) -> Result<(), String> {
        let ids = self.ids;
        let holds = |node: &&mut Node| node.reading.as_ref().is_some_and(|(held, _)| held == op);
        let Some(node) = self.nodes.iter_mut().flatten().find(holds) else {
            return Ok(());
        };
        let Some((_, reading)) = node.reading.take() else {
            return Ok(());
        };
        let read = reading.revision();
        let older = node.replica.applied().is_some_and(|applied| read < applied);
        if (node.replica.apply(reading) == Outcome::Older) != older {
            return Err(format!("a reading of {read:?} was taken for older or newer than it is"));
        }
        if !older {
            node.promise(ids, usize::try_from(read.0).expect("few revisions"));
        }
        Ok(())
    }

    fn happen(&mut self, event: &World) -> Result<(), String> {
        match event {
            World::StoreFails(true) => {
                self.store.fault = Some(FAULTS[self.failures % FAULTS.len()]);
                self.failures += 1;
            }
            World::StoreFails(false) => self.store.fault = None,
            World::StoreShows(shown) => {
                self.store.fault = None;
                self.store.shown = *shown;
            }
            World::Crash(replica) => self.nodes[usize::from(*replica)] = None,
            World::Duplicate(replica) => self.deliver(*replica, true)?,
            World::Drop(replica) | World::Defer(replica) => {
                if let Some(node) = self.node(*replica)
                    && let Some(revision) = node.notified.pop_front()
                    && matches!(event, World::Defer(_))
                {
                    node.notified.push_back(revision);
                }
            }
            // No input has bytes for these.
            World::StoreOrder(_) | World::Config(_) | World::Wait(_) => {}
        }
        Ok(())
    }

    /// The oldest notification under way reaches the replica, and is still under way if it comes `again`.
    fn deliver(&mut self, replica: u8, again: bool) -> Result<(), String> {
        let heard = self.node(replica).and_then(|node| {
            let revision = node.notified.pop_front()?;
            if again {
                node.notified.push_front(revision);
            }
            Some(node.replica.is_news(revision))
        });
        if heard == Some(true) {
            self.poll(replica)?;
        }
        Ok(())
    }

    fn poll(&mut self, replica: u8) -> Result<(), String> {
        match &mut self.nodes[usize::from(replica)] {
            Some(node) => node.poll(self.ids, &mut self.store),
            None => Ok(()),
        }
    }

    /// A write past all replicas: the store takes any row, and refuses to add an id that it has.
    fn write_store(&mut self, write: &Write) {
        let mut rows = self.store.rows().clone();
        if let Write::Add(row) = write
            && rows.contains_key(&row.id)
        {
            return;
        }
        write.apply_to(&mut rows);
        let revision = self.store.push(rows);
        self.notify(revision, None);
    }

    /// A write through a replica, which is served there once it is acknowledged.
    fn write(&mut self, replica: u8, write: &Write) -> Result<(), String> {
        let change = change_of(write);
        let known = change.is_some_and(|change| self.spec.change(self.store.rows(), &change).is_ok());
        let put = match write {
            Write::Delete(id) => Put::Delete(id.as_str().into()),
            Write::Put(row) | Write::Add(row) if known => {
                Put::Put(core_row(row).parse().map_err(|why| why.to_string())?)
            }
            // A write that the replica refuses is no write, and no input has bytes for a patch.
            Write::Put(_) | Write::Add(_) | Write::Patch(_) => return Ok(()),
        };
        let Some(node) = &mut self.nodes[usize::from(replica)] else {
            return Ok(());
        };
        let before = node.table();
        let id = self
            .ids
            .iter()
            .copied()
            .find(|id| *id == put.id())
            .expect("ids are of the universe");
        match node.replica.write(&mut self.store, put) {
            Ok(revision) => {
                node.promise(&[id], usize::try_from(revision.0).expect("few revisions"));
                self.notify(revision, Some(replica));
                Ok(())
            }
            Err(_) if node.table() == before => Ok(()),
            Err(why) => Err(format!("a write that failed ({why}) changed what is served")),
        }
    }

    fn notify(&mut self, revision: Revision, but: Option<u8>) {
        for (node, number) in self.nodes.iter_mut().zip(0..) {
            if let Some(node) = node.as_mut().filter(|_| but != Some(number)) {
                node.notified.push_back(revision);
            }
        }
    }

    /// Once the store works and its rows are valid, one poll makes every replica serve them, and a second has no news.
    fn heal(&mut self) -> Result<(), String> {
        self.store.fault = None;
        self.store.shown = StoreView::All;
        let mut rows = self.store.rows().clone();
        rows.retain(|_, row| core_row(row).parse().is_ok());
        self.store.push(rows);
        let expected = Table::of(self.store.rows().values().map(core_row)).map_err(|why| why.to_string())?;
        for node in self.nodes.iter_mut().flatten() {
            node.poll(self.ids, &mut self.store)?;
            if node.table() != expected {
                return Err("after a poll of a store that works a replica serves something else".to_owned());
            }
            if node.replica.poll(&mut self.store) != Ok(Outcome::UpToDate) {
                return Err("a second poll has news, and nothing was written".to_owned());
            }
        }
        Ok(())
    }
}

/// The writes that leave in a store of these rows what the change leaves in a table of them; a store takes no list.
pub(crate) fn writes(rows: &Rows, change: &Change) -> Vec<Write> {
    match change {
        Change::Upsert(row) => vec![Write::Put(row.clone())],
        Change::Add(row) => vec![Write::Add(row.clone())],
        Change::Delete(id) => vec![Write::Delete(id.clone())],
        Change::Replace(list) => {
            let gone = rows.keys().filter(|id| list.iter().all(|row| row.id != **id));
            gone.map(|id| Write::Delete(id.clone()))
                .chain(list.iter().cloned().map(Write::Put))
                .collect()
        }
    }
}

/// The change of one router that a write is; a patch is none.
pub(crate) fn change_of(write: &Write) -> Option<Change> {
    match write {
        Write::Put(row) => Some(Change::Upsert(row.clone())),
        Write::Add(row) => Some(Change::Add(row.clone())),
        Write::Delete(id) => Some(Change::Delete(id.clone())),
        Write::Patch(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_leave_in_a_store_what_a_change_leaves_in_a_table() {
        let row = |id: &str, tag: &str| Row::new(id, "m", "m", tag);
        let before: Rows = [row("a", "1"), row("b", "2")].map(|row| (row.id.clone(), row)).into();
        let changes = [
            Change::Upsert(row("a", "3")),
            Change::Upsert(row("c", "3")),
            Change::Add(row("a", "3")),
            Change::Add(row("c", "3")),
            Change::Delete("a".into()),
            Change::Delete("c".into()),
            Change::Replace(vec![row("c", "3"), row("a", "4")]),
            Change::Replace(vec![row("c", "3"), row("c", "4")]),
            Change::Replace(Vec::new()),
        ];
        for change in changes {
            let (mut table, mut store) = (before.clone(), before.clone());
            change.apply_to(&mut table);
            for write in writes(&before, &change) {
                write.apply_to(&mut store);
            }
            assert_eq!(store, table, "{change:?}");
        }
    }
}
