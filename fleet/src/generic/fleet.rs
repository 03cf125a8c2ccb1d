//! A fleet over any replica, real code included: the environment of the packed model over ordered maps.
//!
//! With [`super::NaiveReplica`] this is the oracle of the packed fleet; with a router's own replica, that code sits
//! inside the checker's states.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::marker::PhantomData;

use crate::actions::{Action, At, Kind, Shape};
use crate::bounds::{Bounds, BoundsError};
use crate::cell::{Cell, Content};
use crate::fair::Converging;
use crate::generic::replica::{Replica, Table};
use crate::generic::seat::{Seat, cells};
use crate::machine::{Findings, Machine};
use crate::packed;
use crate::rules;
use crate::strategies::Strategy;
use crate::text;
use crate::view::{self, ModelCandidate, QUERIES};
use crate::walk::Serving;
use model::RuleId;

/// A state of a fleet of such replicas.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StateOf<R> {
    /// The store's rows, with those that were deleted.
    pub store: Table,
    /// The store before the last write; only where stale reads can happen.
    pub lagging: Table,
    /// The replicas.
    pub seats: Vec<Seat<R>>,
}

/// A fleet of such replicas within its bounds.
#[derive(Clone, Debug)]
pub struct FleetOf<R> {
    bounds: Bounds,
    replica: PhantomData<fn() -> R>,
}

impl<R: Replica> FleetOf<R> {
    /// The fleet within these bounds.
    ///
    /// # Errors
    ///
    /// Those of [`packed::Fleet::new`], which has the same bounds: the two are to be compared.
    pub fn new(bounds: Bounds) -> Result<Self, BoundsError> {
        let bounds = packed::Fleet::new(bounds)?.bounds().clone();
        Ok(Self {
            bounds,
            replica: PhantomData,
        })
    }

    fn writes(&self, state: &StateOf<R>, at: At, visit: &mut impl FnMut(Action, StateOf<R>)) {
        let bounds = &self.bounds;
        for row in 0..bounds.rows {
            let cell = state.store.get(&row).copied().unwrap_or_default();
            if cell.version == bounds.versions {
                continue;
            }
            let writes = writes_to(cell.content, &bounds.shapes).into_iter();
            for (kind, shape, content) in writes.filter(|(kind, ..)| bounds.kinds.contains(kind)) {
                let mut next = state.clone();
                if bounds.kinds.contains(&Kind::StaleRead) {
                    next.lagging.clone_from(&state.store);
                }
                let version = cell.version + 1;
                next.store.insert(row, Cell { version, content });
                for (index, strategy) in (0..).zip(&bounds.strategies) {
                    let seat = &mut next.seats[usize::from(index)];
                    let hears = bounds.kinds.contains(&Kind::Deliver) && strategy.listens() && seat.replica.is_some();
                    if hears && at != At::Replica(index) {
                        seat.notified.insert(row);
                    }
                }
                if let At::Replica(index) = at {
                    let strategy = &bounds.strategies[usize::from(index)];
                    let seat = &mut next.seats[usize::from(index)];
                    // A write that must be refused, and was, is no acknowledgement.
                    if content != Content::Invalid {
                        seat.acked.insert(row, version);
                    }
                    let after = match kind {
                        Kind::Create => strategy.after_create,
                        Kind::Delete => strategy.after_delete,
                        _ => strategy.after_change,
                    };
                    let replica = seat.replica.as_mut().expect("only a replica that is up takes writes");
                    replica.wrote(after, bounds.rows, row, &next.store);
                }
                visit(Action::new(kind, at, row).shaped(shape), next);
            }
        }
    }
}

/// The same for equal seats in every run.
fn fingerprint<R: Hash>(seat: &Seat<R>) -> u64 {
    let mut hasher = DefaultHasher::new();
    seat.hash(&mut hasher);
    hasher.finish()
}

/// Returns the writes that can happen to a row: the kind, the shape that it names, and what the row then holds.
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

impl<R: Replica> Machine for FleetOf<R> {
    type State = StateOf<R>;

    fn identity(&self) -> String {
        format!("{} over {}", self.bounds.identity(), std::any::type_name::<R>())
    }

    fn kinds(&self) -> &[Kind] {
        &self.bounds.kinds
    }

    fn rules(&self) -> &'static [RuleId] {
        rules::RULES
    }

    fn initial(&self) -> StateOf<R> {
        let seats = self.bounds.strategies.iter().map(|strategy| Seat {
            replica: Some(R::start(strategy)),
            reading: None,
            answered: BTreeMap::new(),
            acked: BTreeMap::new(),
            notified: BTreeSet::new(),
        });
        StateOf {
            store: Table::new(),
            lagging: Table::new(),
            seats: seats.collect(),
        }
    }

    fn successors(&self, state: &StateOf<R>, mut visit: impl FnMut(Action, StateOf<R>)) {
        let bounds = &self.bounds;
        self.writes(state, At::Store, &mut visit);
        for (index, strategy) in (0..).zip(&bounds.strategies) {
            let seat = &state.seats[usize::from(index)];
            if bounds.admin && seat.replica.is_some() && !(strategy.locked && seat.reading.is_some()) {
                self.writes(state, At::Replica(index), &mut visit);
            }
            let steps = seat
                .successors(bounds, strategy, &state.store, &state.lagging)
                .into_iter();
            for (kind, row, seat) in steps.filter(|(kind, ..)| bounds.kinds.contains(kind)) {
                let mut next = state.clone();
                next.seats[usize::from(index)] = seat;
                visit(Action::new(kind, At::Replica(index), row), next);
            }
        }
    }

    /// Puts replicas of one strategy into the order of their fingerprints. States of one representative differ in
    /// nothing but the numbering of the replicas; if fingerprints collide, states that differ in nothing else may have
    /// two representatives.
    fn canonical(&self, state: &StateOf<R>) -> StateOf<R> {
        let mut state = state.clone();
        let strategies = &self.bounds.strategies;
        for place in 0..strategies.len() {
            for before in 0..place {
                if strategies[before] == strategies[place] {
                    let mut pair = [before, place].map(|seat| state.seats[seat].clone());
                    pair.sort_by_key(fingerprint);
                    [state.seats[before], state.seats[place]] = pair;
                }
            }
        }
        state
    }

    fn judge(&self, state: &StateOf<R>) -> Findings {
        let mut findings = Findings::default();
        let store = cells(&state.store);
        for (seat, strategy) in state.seats.iter().zip(&self.bounds.strategies) {
            if let Some(seen) = seat.seen(strategy, self.bounds.rows) {
                rules::judge(&store, &seen, usize::from(self.bounds.rows), &mut findings);
            }
        }
        findings
    }

    fn judge_step(&self, before: &StateOf<R>, action: Action, after: &StateOf<R>) -> Findings {
        let mut findings = Findings::default();
        if let At::Replica(replica) = action.at
            && rules::judges(action.kind)
        {
            let strategy = &self.bounds.strategies[usize::from(replica)];
            let [before, seen] = [before, after].map(|state| {
                let seen = state.seats[usize::from(replica)].seen(strategy, self.bounds.rows);
                seen.expect("it is up before and after each of these steps")
            });
            rules::judge_step(&before, action, &seen, &cells(&after.store), &mut findings);
        }
        findings
    }

    fn lanes(&self, state: &StateOf<R>) -> Vec<String> {
        let store = format!("store: {}", text::cells(&cells(&state.store)));
        let lanes = (1..).zip(&state.seats).map(|(name, seat)| {
            let name: u8 = name;
            match &seat.replica {
                None => format!("r{name}: down"),
                Some(replica) => format!("r{name}: holds {}", text::cells(&cells(&replica.claims()))),
            }
        });
        std::iter::once(store).chain(lanes).collect()
    }
}

impl<R: Replica> Converging for FleetOf<R> {
    /// While the store has an invalid row, nothing is prescribed, and every state counts as agreed.
    fn agrees(&self, state: &StateOf<R>) -> bool {
        let store = cells(&state.store);
        let agrees = |(seat, strategy): (&Seat<R>, &Strategy)| {
            let seen = seat.seen(strategy, self.bounds.rows);
            seen.is_some_and(|seen| view::agrees(&seen, &store))
        };
        store.iter().any(|cell| cell.content == Content::Invalid)
            || state.seats.iter().zip(&self.bounds.strategies).all(agrees)
    }
}

impl<R: Replica> Serving for FleetOf<R> {
    fn answers(&self, state: &StateOf<R>) -> Vec<Option<Vec<Vec<ModelCandidate>>>> {
        let answers = |replica: &R| QUERIES.map(|query| replica.answer(query)).to_vec();
        state
            .seats
            .iter()
            .map(|seat| seat.replica.as_ref().map(answers))
            .collect()
    }
}
