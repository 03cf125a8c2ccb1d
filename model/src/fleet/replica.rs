//! A fleet over any replica, real code included: the environment of the packed model over ordered maps.
//!
//! A [`Replica`] is plain state that a checker can copy, compare and hash. With [`super::naive::NaiveReplica`] this is the
//! oracle of the packed fleet; with a router's own replica, that code sits inside the checker's states.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hash::Hash;

use super::actions::{Action, At, Kind, Shape};
use super::lane::{Candidate, Query};
use super::model::Bounds;
use super::state::{Cell, Content};
use super::strategies::{After, Strategy};

/// Rows by their number. In a read, a row that was deleted is there as absent, in the version of its deletion.
pub type Table = BTreeMap<u8, Cell>;

/// What a read of the store brings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Read {
    /// All rows.
    Whole(Table),
    /// What a read that broke off, or came back empty by error, brings.
    Faulty(Table),
    /// Nothing but an error.
    Failed,
}

/// A replica of a router: how it takes in rows and what it answers.
pub trait Replica: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// A replica that has just started.
    fn start(strategy: &Strategy) -> Self;

    /// Takes in a row as the store holds it now.
    fn take(&mut self, row: u8, cell: Cell);

    /// In how many parts a read is applied.
    fn parts(&self, rows: u8) -> u8;

    /// Applies one part of a read.
    fn apply(&mut self, part: u8, read: &Read);

    /// Drops every row.
    fn clear(&mut self);

    /// The rows that the replica claims to hold.
    fn claims(&self) -> Table;

    /// What it answers, in the order of [`Candidate`].
    fn answer(&self, query: Query) -> Vec<Candidate>;
}

/// One replica and what an observer knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seat<R> {
    /// The replica; none where it is down.
    pub replica: Option<R>,
    /// The read that it holds, and how many parts of it are applied.
    pub reading: Option<(u8, Table)>,
    /// The newest version of each row that it answered with since it started.
    pub answered: BTreeMap<u8, u8>,
    /// The newest version of each row that it acknowledged since it started.
    pub acked: BTreeMap<u8, u8>,
    /// The rows of which a notification is under way.
    pub notified: BTreeSet<u8>,
}

/// A fleet of such replicas.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fleet<R> {
    /// The store's rows, with those that were deleted.
    pub store: Table,
    /// The store before the last write.
    pub lagging: Table,
    /// The replicas.
    pub seats: Vec<Seat<R>>,
}

impl<R: Replica> Fleet<R> {
    /// An empty store with replicas that have just started.
    pub fn initial(bounds: &Bounds) -> Self {
        let seats = bounds.strategies.iter().map(|strategy| Seat {
            replica: Some(R::start(strategy)),
            reading: None,
            answered: BTreeMap::new(),
            acked: BTreeMap::new(),
            notified: BTreeSet::new(),
        });
        Self {
            store: Table::new(),
            lagging: Table::new(),
            seats: seats.collect(),
        }
    }

    /// Every action that can happen, with the fleet that it leads to.
    pub fn successors(&self, bounds: &Bounds) -> Vec<(Action, Self)> {
        let mut next = Vec::new();
        self.writes(bounds, At::Store, &mut next);
        for (index, strategy) in (0..).zip(&bounds.strategies) {
            let seat = &self.seats[usize::from(index)];
            if bounds.admin && seat.replica.is_some() && !(strategy.locked && seat.reading.is_some()) {
                self.writes(bounds, At::Replica(index), &mut next);
            }
            for (kind, row, seat) in seat.successors(bounds, strategy, &self.store, &self.lagging) {
                let mut fleet = self.clone();
                fleet.seats[usize::from(index)] = seat;
                next.push((Action::new(kind, At::Replica(index), row), fleet));
            }
        }
        next.retain(|(action, _)| bounds.kinds.contains(&action.kind));
        next
    }

    fn writes(&self, bounds: &Bounds, at: At, next: &mut Vec<(Action, Self)>) {
        for row in 0..bounds.rows {
            let cell = self.store.get(&row).copied().unwrap_or_default();
            if cell.version == bounds.versions {
                continue;
            }
            for (kind, shape, content) in writes_to(cell.content, &bounds.shapes) {
                let mut fleet = self.clone();
                if bounds.kinds.contains(&Kind::StaleRead) {
                    fleet.lagging.clone_from(&self.store);
                }
                let version = cell.version + 1;
                fleet.store.insert(row, Cell { version, content });
                for (index, strategy) in (0..).zip(&bounds.strategies) {
                    let seat = &mut fleet.seats[usize::from(index)];
                    let hears = bounds.kinds.contains(&Kind::Deliver) && strategy.notified && seat.replica.is_some();
                    if hears && at != At::Replica(index) {
                        seat.notified.insert(row);
                    }
                }
                if let At::Replica(index) = at {
                    let strategy = &bounds.strategies[usize::from(index)];
                    let seat = &mut fleet.seats[usize::from(index)];
                    seat.acked.insert(row, version);
                    let after = match kind {
                        Kind::Create => strategy.after_create,
                        Kind::Delete => strategy.after_delete,
                        _ => strategy.after_change,
                    };
                    let replica = seat.replica.as_mut().expect("only a replica that is up takes writes");
                    follow_up(replica, after, bounds.rows, row, &fleet.store);
                }
                next.push((Action::new(kind, at, row).shaped(shape), fleet));
            }
        }
    }
}

/// What can be written to a row: the kind, the shape that it names, and what the row then holds.
fn writes_to(content: Content, shapes: &[Shape]) -> Vec<(Kind, Shape, Content)> {
    let plain = Shape::Exact;
    let mut writes = Vec::new();
    if content == Content::Absent {
        writes.extend(shapes.iter().map(|shape| (Kind::Create, *shape, Content::Row(*shape))));
        return writes;
    }
    writes.push((Kind::Delete, plain, Content::Absent));
    if content == Content::Invalid {
        writes.push((Kind::Update, plain, Content::Row(shapes[0])));
        return writes;
    }
    writes.push((Kind::Update, plain, content));
    writes.push((Kind::Break, plain, Content::Invalid));
    let held = content.shape().expect("it is a row that may be held");
    let is_blocked = matches!(content, Content::Blocked(_));
    let as_it_is = |shape| {
        if is_blocked {
            Content::Blocked(shape)
        } else {
            Content::Row(shape)
        }
    };
    let toggled = if is_blocked {
        Content::Row(held)
    } else {
        Content::Blocked(held)
    };
    writes.push((Kind::Block, plain, toggled));
    let others = shapes.iter().filter(|shape| **shape != held);
    writes.extend(others.map(|shape| (Kind::Rename, *shape, as_it_is(*shape))));
    writes
}

fn follow_up<R: Replica>(replica: &mut R, after: After, rows: u8, row: u8, store: &Table) {
    match after {
        After::Nothing => {}
        After::Row => replica.take(row, store[&row]),
        After::Poll => apply(replica, rows, &Read::Whole(store.clone())),
        After::DropAndPoll => {
            replica.clear();
            apply(replica, rows, &Read::Whole(store.clone()));
        }
    }
}

fn apply<R: Replica>(replica: &mut R, rows: u8, read: &Read) {
    for part in 0..replica.parts(rows) {
        replica.apply(part, read);
    }
}

impl<R: Replica> Seat<R> {
    fn successors(
        &self,
        bounds: &Bounds,
        strategy: &Strategy,
        store: &Table,
        lagging: &Table,
    ) -> Vec<(Kind, u8, Self)> {
        let Some(replica) = &self.replica else {
            let up = Self {
                replica: Some(R::start(strategy)),
                ..self.clone()
            };
            return vec![(Kind::Start, 0, up)];
        };
        let mut next = Vec::new();
        if self.reading.is_none() {
            self.polls(bounds, strategy, [store, lagging], &mut next);
        }
        if let Some((part, read)) = &self.reading {
            let mut seat = self.clone();
            let replica = seat.replica.as_mut().expect("it is up");
            replica.apply(*part, &Read::Whole(read.clone()));
            let more = part + 1 < replica.parts(bounds.rows);
            seat.reading = more.then(|| (part + 1, read.clone()));
            next.push((Kind::Apply, 0, seat));
        }
        for row in 0..bounds.rows {
            self.about(row, replica, strategy, store, &mut next);
        }
        let crashed = Self {
            replica: None,
            reading: None,
            answered: BTreeMap::new(),
            acked: BTreeMap::new(),
            notified: BTreeSet::new(),
        };
        next.push((Kind::Crash, 0, crashed));
        next
    }

    fn polls(&self, bounds: &Bounds, strategy: &Strategy, stores: [&Table; 2], next: &mut Vec<(Kind, u8, Self)>) {
        let [store, lagging] = stores;
        // Only revisions tell a reader of the rows that are gone.
        let read = |from: &Table| {
            let cells = from.iter().map(|(row, cell)| (*row, *cell));
            cells
                .filter(|(_, cell)| strategy.refuses_older || cell.content != Content::Absent)
                .collect()
        };
        let holding = |from: &Table| Self {
            reading: Some((0, read(from))),
            ..self.clone()
        };
        next.push((Kind::Read, 0, holding(store)));
        if lagging != store {
            next.push((Kind::StaleRead, 0, holding(lagging)));
        }
        let polled = |read: &Read| {
            let mut seat = self.clone();
            apply(seat.replica.as_mut().expect("it is up"), bounds.rows, read);
            seat
        };
        next.push((Kind::FailedPoll, 0, polled(&Read::Failed)));
        let lost = |first: u8| store.range(first..).any(|(_, cell)| cell.content != Content::Absent);
        if lost(0) {
            next.push((Kind::EmptyPoll, 0, polled(&Read::Faulty(Table::new()))));
        }
        if lost(1) {
            let first = store.range(..1).map(|(row, cell)| (*row, *cell)).collect();
            next.push((Kind::PartialPoll, 0, polled(&Read::Faulty(first))));
        }
    }

    fn about(&self, row: u8, replica: &R, strategy: &Strategy, store: &Table, next: &mut Vec<(Kind, u8, Self)>) {
        let took = || {
            let mut seat = self.clone();
            seat.replica.as_mut().expect("it is up").take(row, store[&row]);
            seat
        };
        if self.notified.contains(&row) && !(strategy.locked && self.reading.is_some()) {
            next.push((Kind::Duplicate, row, took()));
            let mut delivered = took();
            delivered.notified.remove(&row);
            next.push((Kind::Deliver, row, delivered));
            let mut dropped = self.clone();
            dropped.notified.remove(&row);
            next.push((Kind::Drop, row, dropped));
        }
        let servable = store.get(&row).is_some_and(|cell| cell.content.shape().is_some());
        if strategy.reads_through && servable && !replica.claims().contains_key(&row) {
            next.push((Kind::Miss, row, took()));
        }
        let answers = super::lane::QUERIES.into_iter().flat_map(|query| replica.answer(query));
        let newest = answers
            .filter(|candidate| candidate.row == row)
            .map(|candidate| candidate.version)
            .max();
        if newest > self.answered.get(&row).copied() {
            let mut seat = self.clone();
            seat.answered.extend(newest.map(|newest| (row, newest)));
            next.push((Kind::Request, row, seat));
        }
    }
}
