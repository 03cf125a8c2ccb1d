//! The fleet: a store and replicas that each follow it in their own way.
//!
//! All rows are asked for by names that match one request: an exact name, a global wildcard, or one team's wildcard. So
//! what one row has left behind in a replica's tables can hide or shadow another. Each write to a row makes its next
//! version, up to a bound.

use crate::actions::{Action, At, Kind, Shape};
use crate::bounds::{Bounds, BoundsError};
use crate::cell::{Cell, Cells, Content, REPLICAS_MAX, ROWS_MAX, VERSIONS_MAX};
use crate::fair::Converging;
use crate::machine::{Findings, Machine};
use crate::packed::lane::LaneView;
use crate::packed::state::{Lane, Layout, State};
use crate::rules;
use crate::strategies::Strategy;
use crate::text;
use crate::view;
use crate::view::{ModelCandidate, QUERIES};
use crate::walk::Serving;
use model::RuleId;

/// Kinds without which no replica ever has a row.
const NEEDED: [Kind; 3] = [Kind::Create, Kind::Read, Kind::Apply];

/// Called with each step of a replica: its kind, its row, and what it changes.
type Steps<'a> = dyn FnMut(Kind, u8, &dyn Fn(&mut Lane)) + 'a;

/// A fleet within its bounds.
#[derive(Clone, Debug)]
pub struct Fleet {
    bounds: Bounds,
    layout: Layout,
}

impl Fleet {
    /// The fleet within these bounds.
    ///
    /// # Errors
    ///
    /// If a bound is out of its range, if a state would not fit its word, if one of the actions can never happen, or if
    /// nothing can.
    pub fn new(bounds: Bounds) -> Result<Self, BoundsError> {
        for (name, got, max) in [
            ("replicas", bounds.replicas(), REPLICAS_MAX),
            ("rows", usize::from(bounds.rows), ROWS_MAX),
            ("versions", usize::from(bounds.versions), VERSIONS_MAX),
            ("shapes", bounds.shapes.len(), Shape::ALL.len()),
        ] {
            if got == 0 || got > max {
                return Err(BoundsError::Range { name, max, got });
            }
        }
        if let Some(kind) = NEEDED.into_iter().find(|kind| !bounds.kinds.contains(kind)) {
            return Err(BoundsError::Idle { kind: kind.name() });
        }
        for kind in &bounds.kinds {
            if let Some(why) = bounds.impossible(*kind) {
                return Err(BoundsError::Impossible { kind: kind.name(), why });
            }
        }
        let layout = Layout::new(&bounds);
        if layout.bits() > u128::BITS {
            return Err(BoundsError::Packing {
                bits: layout.bits(),
                bits_max: u128::BITS,
            });
        }
        Ok(Self { bounds, layout })
    }

    /// The bounds.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The state of a word.
    pub fn unpack(&self, word: u128) -> State {
        self.layout.unpack(word)
    }

    /// The word of a state.
    pub fn pack(&self, state: &State) -> u128 {
        self.layout.pack(state)
    }

    /// Returns the number of low bits that the states use.
    pub(crate) fn state_bits(&self) -> u32 {
        self.layout.bits()
    }

    /// Returns the number of bits of a replica: they lie from the low end, and the lowest of each says whether it is down.
    pub(crate) fn lane_bits(&self) -> u32 {
        self.layout.lane_bits()
    }

    /// The bit of a lane that says that a notification of `row` is under way; none for a row beyond the bounds.
    pub(crate) fn notice(&self, row: usize) -> u128 {
        let mut state = State::default();
        state.lanes[0].rows[row].notified = true;
        self.pack(&state)
    }

    fn seen<'a>(&self, lane: &'a Lane, strategy: &'a Strategy) -> LaneView<'a> {
        LaneView {
            lane,
            strategy,
            rows: self.rows(),
        }
    }

    fn has(&self, kind: Kind) -> bool {
        self.bounds.kinds.contains(&kind)
    }

    fn rows(&self) -> usize {
        usize::from(self.bounds.rows)
    }

    /// The writes that can happen to `row`, each with what the row then holds.
    fn contents(&self, row: u8, cell: Cell, at: At, mut visit: impl FnMut(Action, Content)) {
        if cell.version == self.bounds.versions {
            return;
        }
        let mut write = |kind, shape, content| {
            if self.has(kind) {
                visit(Action::new(kind, at, row).shaped(shape), content);
            }
        };
        let first = self.bounds.shapes[0];
        let others = |than| self.bounds.shapes.iter().copied().filter(move |shape| *shape != than);
        match cell.content {
            Content::Absent => {
                for shape in &self.bounds.shapes {
                    write(Kind::Create, *shape, Content::Row(*shape));
                }
                return;
            }
            Content::Row(shape) => {
                others(shape).for_each(|other| write(Kind::Rename, other, Content::Row(other)));
                write(Kind::Block, Shape::Exact, Content::Blocked(shape));
            }
            Content::Blocked(shape) => {
                others(shape).for_each(|other| write(Kind::Rename, other, Content::Blocked(other)));
                write(Kind::Block, Shape::Exact, Content::Row(shape));
            }
            Content::Invalid => {}
        }
        let updated = if cell.content == Content::Invalid {
            Content::Row(first)
        } else {
            cell.content
        };
        write(Kind::Update, Shape::Exact, updated);
        write(Kind::Delete, Shape::Exact, Content::Absent);
        if cell.content != Content::Invalid {
            write(Kind::Break, Shape::Exact, Content::Invalid);
        }
    }

    /// Visits the writes that go in at `at`.
    fn writes(&self, state: &State, at: At, visit: &mut impl FnMut(Action, &State)) {
        for row in 0..self.bounds.rows {
            let index = usize::from(row);
            self.contents(row, state.store[index], at, |action, content| {
                let mut next = *state;
                next.lagging = state.store;
                next.store[index] = Cell {
                    version: state.store[index].version + 1,
                    content,
                };
                self.publish(&mut next, index, at);
                if let At::Replica(replica) = at {
                    let strategy = &self.bounds.strategies[usize::from(replica)];
                    let after = match action.kind {
                        Kind::Create => strategy.after_create,
                        Kind::Delete => strategy.after_delete,
                        _ => strategy.after_change,
                    };
                    let lane = &mut next.lanes[usize::from(replica)];
                    lane.after_write(strategy, after, index, &next.store);
                    // A write that must be refused, and was, is no acknowledgement.
                    if content != Content::Invalid {
                        lane.rows[index].acked = next.store[index].version;
                    }
                }
                visit(action, &next);
            });
        }
    }

    /// Sends a notification of a change of `row` to every replica that listens, but the one that made it.
    fn publish(&self, state: &mut State, row: usize, at: At) {
        if !self.has(Kind::Deliver) {
            return;
        }
        for (replica, (lane, strategy)) in (0..).zip(state.lanes.iter_mut().zip(&self.bounds.strategies)) {
            if strategy.listens() && !lane.down && at != At::Replica(replica) {
                lane.rows[row].notified = true;
            }
        }
    }

    /// Visits the next lanes of a replica that is up.
    fn steps(&self, state: &State, replica: usize, mut visit: impl FnMut(Kind, u8, &Lane)) {
        let (lane, strategy) = (&state.lanes[replica], &self.bounds.strategies[replica]);
        let mut step = |kind, row, change: &dyn Fn(&mut Lane)| {
            if self.has(kind) {
                let mut next = *lane;
                change(&mut next);
                visit(kind, row, &next);
            }
        };
        if lane.phase == 0 {
            step(Kind::Read, 0, &|next| hold(next, &Lane::reads(strategy, &state.store)));
            if state.lagging != state.store {
                step(Kind::StaleRead, 0, &|next| {
                    hold(next, &Lane::reads(strategy, &state.lagging));
                });
            }
            Self::faulty_polls(strategy, &state.store, &mut step);
        } else {
            step(Kind::Apply, 0, &|next| next.apply_held(strategy, self.rows()));
        }
        for row in 0..self.bounds.rows {
            let index = usize::from(row);
            let held = &lane.rows[index];
            if held.notified && !(strategy.locked && lane.phase > 0) {
                step(Kind::Deliver, row, &|next| {
                    next.rows[index].notified = false;
                    next.look(strategy, index, &state.store);
                });
                step(Kind::Duplicate, row, &|next| next.look(strategy, index, &state.store));
                step(Kind::Drop, row, &|next| next.rows[index].notified = false);
            }
            let stored = state.store[index].content.shape().is_some();
            if strategy.reads_through && held.cell.content == Content::Absent && stored {
                step(Kind::Miss, row, &|next| next.look(strategy, index, &state.store));
            }
            if self.has(Kind::Request) {
                let newest = lane.newest(strategy, index);
                if newest > held.answered {
                    step(Kind::Request, row, &|next| next.rows[index].answered = newest);
                }
            }
        }
        step(Kind::Crash, 0, &|next| {
            *next = Lane {
                down: true,
                ..Lane::default()
            };
        });
    }

    fn faulty_polls(strategy: &Strategy, store: &Cells, step: &mut Steps<'_>) {
        let nothing = Cells::default();
        step(Kind::FailedPoll, 0, &|next| {
            if !strategy.knows_failures {
                next.apply(strategy, &nothing);
            }
        });
        let mut broken_off = |kind, first: usize| {
            // Only a read that lacks a row is a faulty one.
            if store[first..].iter().all(|cell| cell.content == Content::Absent) {
                return;
            }
            let mut read = Lane::reads(strategy, store);
            read[first..].fill(Cell::default());
            step(kind, 0, &|next| {
                if !strategy.knows_whole_reads {
                    next.apply(strategy, &read);
                }
            });
        };
        broken_off(Kind::EmptyPoll, 0);
        broken_off(Kind::PartialPoll, 1);
    }
}

fn hold(lane: &mut Lane, read: &Cells) {
    lane.phase = 1;
    for (row, read) in lane.rows.iter_mut().zip(read) {
        row.read = *read;
    }
}

impl Machine for Fleet {
    type State = u128;

    fn identity(&self) -> String {
        self.bounds.identity()
    }

    fn kinds(&self) -> &[Kind] {
        &self.bounds.kinds
    }

    fn rules(&self) -> &'static [RuleId] {
        rules::RULES
    }

    fn initial(&self) -> u128 {
        0
    }

    fn successors(&self, word: &u128, mut visit: impl FnMut(Action, u128)) {
        let state = self.unpack(*word);
        let mut write = |action: Action, next: &State| visit(action, self.pack(next));
        self.writes(&state, At::Store, &mut write);
        for (index, (lane, strategy)) in state.lanes.iter().zip(&self.bounds.strategies).enumerate() {
            let replica = u8::try_from(index).expect("replicas are few");
            let at = At::Replica(replica);
            let mut next = state;
            if lane.down {
                next.lanes[index].down = false;
                if self.has(Kind::Start) {
                    visit(Action::new(Kind::Start, at, 0), self.pack(&next));
                }
                continue;
            }
            if self.bounds.admin && !(strategy.locked && lane.phase > 0) {
                self.writes(&state, at, &mut |action, next| visit(action, self.pack(next)));
            }
            self.steps(&state, index, |kind, row, lane| {
                next.lanes[index] = *lane;
                visit(Action::new(kind, at, row), self.pack(&next));
            });
        }
    }

    fn canonical(&self, word: &u128) -> u128 {
        let lane_bits = self.layout.lane_bits();
        let mask = (1 << lane_bits) - 1;
        let mut lanes = [0; REPLICAS_MAX];
        let replicas = self.bounds.replicas();
        for (index, lane) in lanes[..replicas].iter_mut().enumerate() {
            *lane = word >> (lane_bits * u32::try_from(index).expect("replicas are few")) & mask;
        }
        // Only replicas of one strategy can change places.
        let strategies = &self.bounds.strategies;
        for place in 0..replicas {
            for before in 0..place {
                if strategies[before] == strategies[place] {
                    let pair = [lanes[before], lanes[place]];
                    lanes[before] = pair[0].min(pair[1]);
                    lanes[place] = pair[0].max(pair[1]);
                }
            }
        }
        let store = word.unbounded_shr(lane_bits * u32::try_from(replicas).expect("replicas are few"));
        // Lanes do not overlap: `|` joins them as `^` would.
        lanes[..replicas]
            .iter()
            .rev()
            .fold(store, |word, lane| word << lane_bits | lane)
    }

    fn judge(&self, word: &u128) -> Findings {
        let state = self.unpack(*word);
        let mut findings = Findings::default();
        for (lane, strategy) in state.lanes.iter().zip(&self.bounds.strategies) {
            if !lane.down {
                rules::judge(&state.store, &self.seen(lane, strategy), self.rows(), &mut findings);
            }
        }
        findings
    }

    fn judge_step(&self, before: &u128, action: Action, after: &u128) -> Findings {
        let mut findings = Findings::default();
        if let At::Replica(replica) = action.at
            && rules::judges(action.kind)
        {
            let (before, after) = (self.unpack(*before), self.unpack(*after));
            let strategy = &self.bounds.strategies[usize::from(replica)];
            let [before, seen] = [&before, &after].map(|state| self.seen(&state.lanes[usize::from(replica)], strategy));
            rules::judge_step(&before, action, &seen, &after.store, &mut findings);
        }
        findings
    }

    fn lanes(&self, word: &u128) -> Vec<String> {
        let state = self.unpack(*word);
        let store = format!("store: {}", text::cells(&state.store));
        let lanes = state.lanes[..self.bounds.replicas()]
            .iter()
            .zip(&self.bounds.strategies);
        let lanes = (1..)
            .zip(lanes)
            .map(|(name, (lane, strategy))| format!("r{name}: {}", text::lane(lane, strategy)));
        std::iter::once(store).chain(lanes).collect()
    }
}

impl Converging for Fleet {
    /// While the store has an invalid row, nothing is prescribed, and every state counts as agreed.
    fn agrees(&self, word: &u128) -> bool {
        let state = self.unpack(*word);
        let lanes = || state.lanes.iter().zip(&self.bounds.strategies);
        state.store.iter().any(|cell| cell.content == Content::Invalid)
            || lanes().all(|(lane, strategy)| !lane.down && view::agrees(&self.seen(lane, strategy), &state.store))
    }
}

impl Serving for Fleet {
    fn answers(&self, word: &u128) -> Vec<Option<Vec<Vec<ModelCandidate>>>> {
        let state = self.unpack(*word);
        let answers = |lane: &Lane, strategy: &Strategy| {
            let answer = |query| {
                let mut answer = Vec::new();
                lane.candidates(strategy, query, |candidate| answer.push(candidate));
                answer
            };
            QUERIES.map(answer).to_vec()
        };
        let lanes = state.lanes.iter().zip(&self.bounds.strategies);
        lanes
            .map(|(lane, strategy)| (!lane.down).then(|| answers(lane, strategy)))
            .collect()
    }
}
