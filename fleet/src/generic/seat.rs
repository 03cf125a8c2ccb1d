//! One replica of a fleet over any replica: its steps, and how the rules see it.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::{Kind, Shape};
use crate::bounds::Bounds;
use crate::cell::{Cells, Content};
use crate::generic::replica::{Read, Replica, Table, apply};
use crate::strategies::Strategy;
use crate::view::{self, ModelCandidate, ModelQuery, QUERIES, View};

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

impl<R: Replica> Seat<R> {
    /// The replica as the rules see it; nothing where it is down.
    pub(crate) fn seen<'a>(&'a self, strategy: &'a Strategy, rows: u8) -> Option<SeatView<'a, R>> {
        let replica = self.replica.as_ref()?;
        Some(SeatView {
            seat: self,
            replica,
            strategy,
            rows,
            cells: cells(&replica.claims()),
            answers: QUERIES.map(|query| replica.answer(query)),
        })
    }

    pub(crate) fn successors(
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
            self.about(bounds.rows, row, replica, strategy, store, &mut next);
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
        let holding = |from: &Table| Self {
            reading: Some((0, read(strategy, from))),
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
            next.push((
                Kind::EmptyPoll,
                0,
                polled(&Read::Faulty {
                    got: Table::new(),
                    whole: store.clone(),
                }),
            ));
        }
        if lost(1) {
            let faulty = Read::Faulty {
                got: store.range(..1).map(|(row, cell)| (*row, *cell)).collect(),
                whole: store.clone(),
            };
            next.push((Kind::PartialPoll, 0, polled(&faulty)));
        }
    }

    fn about(
        &self,
        rows: u8,
        row: u8,
        replica: &R,
        strategy: &Strategy,
        store: &Table,
        next: &mut Vec<(Kind, u8, Self)>,
    ) {
        let looked = || {
            let mut seat = self.clone();
            seat.replica.as_mut().expect("it is up").look(rows, row, store);
            seat
        };
        if self.notified.contains(&row) && !(strategy.locked && self.reading.is_some()) {
            next.push((Kind::Duplicate, row, looked()));
            let mut delivered = looked();
            delivered.notified.remove(&row);
            next.push((Kind::Deliver, row, delivered));
            let mut dropped = self.clone();
            dropped.notified.remove(&row);
            next.push((Kind::Drop, row, dropped));
        }
        let servable = store.get(&row).is_some_and(|cell| cell.content.shape().is_some());
        if strategy.reads_through && servable && !replica.claims().contains_key(&row) {
            next.push((Kind::Miss, row, looked()));
        }
        let answers = QUERIES.into_iter().flat_map(|query| replica.answer(query));
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

/// The rows of a read: only revisions tell a reader of the rows that are gone.
pub(crate) fn read(strategy: &Strategy, from: &Table) -> Table {
    let cells = from.iter().map(|(row, cell)| (*row, view::read(strategy, *cell)));
    cells.filter(|(_, cell)| cell.version > 0).collect()
}

/// The rows of a table in their places.
pub(crate) fn cells(table: &Table) -> Cells {
    let mut cells = Cells::default();
    for (row, cell) in table {
        cells[usize::from(*row)] = *cell;
    }
    cells
}

/// A replica that is up, with what it answers.
pub(crate) struct SeatView<'a, R> {
    seat: &'a Seat<R>,
    replica: &'a R,
    strategy: &'a Strategy,
    rows: u8,
    cells: Cells,
    /// Answers to each of [`QUERIES`].
    answers: [Vec<ModelCandidate>; QUERIES.len()],
}

impl<R: PartialEq> PartialEq for SeatView<'_, R> {
    fn eq(&self, other: &Self) -> bool {
        self.seat == other.seat
    }
}

impl<R: Replica> View for SeatView<'_, R> {
    fn strategy(&self) -> &Strategy {
        self.strategy
    }

    fn cells(&self) -> Cells {
        self.cells
    }

    fn reading(&self) -> Cells {
        self.seat
            .reading
            .as_ref()
            .map_or_else(Cells::default, |(_, read)| cells(read))
    }

    fn answered(&self, row: usize) -> u8 {
        of_row(&self.seat.answered, row)
    }

    fn acked(&self, row: usize) -> u8 {
        of_row(&self.seat.acked, row)
    }

    fn lists(&self, shape: Shape) -> bool {
        self.replica.lists(shape)
    }

    fn entries(&self) -> u8 {
        self.replica.entries()
    }

    fn candidates(&self, query: ModelQuery, visit: impl FnMut(ModelCandidate)) {
        let asked = QUERIES.iter().position(|known| *known == query);
        let answer = &self.answers[asked.expect("every query is among those that can be told apart")];
        answer.iter().copied().for_each(visit);
    }

    fn holds_like(&self, other: &Self, row: usize) -> bool {
        let row = u8::try_from(row).expect("rows are few");
        self.replica.holds_like(other.replica, row)
    }

    fn heals(&self, store: &Cells) -> bool {
        let mut healed = Seat::clone(self.seat);
        let replica = healed.replica.as_mut().expect("it is up");
        if let Some((part, read)) = healed.reading.take() {
            for part in part..replica.parts(self.rows) {
                replica.apply(part, &Read::Whole(read.clone()));
            }
        }
        let store_rows = (0..).zip(store).map(|(row, cell)| (row, *cell)).collect();
        apply(replica, self.rows, &Read::Whole(read(self.strategy, &store_rows)));
        let healed = healed.seen(self.strategy, self.rows).expect("it is up");
        view::agrees(&healed, store)
    }
}

fn of_row(versions: &BTreeMap<u8, u8>, row: usize) -> u8 {
    let row = u8::try_from(row).expect("rows are few");
    versions.get(&row).copied().unwrap_or(0)
}
