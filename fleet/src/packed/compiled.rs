//! The packed fleet with a memory, for speed: what a replica can do depends on its own lane and on the store alone.
//!
//! So what one lane does beside one store is worked out once, by [`Fleet`], and looked up wherever the same lane stands
//! beside the same store again, whatever the other replicas are at. Nothing about strategies is said here.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::actions::{Action, At, Kind};
use crate::cell::REPLICAS_MAX;
use crate::machine::{Expand, Findings, Machine as _, Packed};
use crate::packed::fleet::Fleet;
use crate::word::Word as _;

/// The most lanes beside stores that are remembered. When there are more, all are forgotten and worked out again: the
/// bound decides how fast a worker is, and no result.
const KNOWN_MAX: usize = 1 << 17;

/// A step of one lane, or a write to the store.
#[derive(Clone, Copy)]
struct LaneStep {
    action: Action,
    lane: u128,
    store: u128,
    findings: Findings,
}

/// The steps and findings of one lane beside one store, or of the store alone.
#[derive(Clone, Copy)]
struct Known {
    first: usize,
    count: usize,
    findings: Findings,
}

type Memory = HashMap<u128, Known, BuildHasherDefault<Spread>>;

/// A worker's fleet and what it has worked out so far.
pub struct Compiled {
    fleet: Fleet,
    replicas: usize,
    lane_bits: u32,
    /// For each replica the first one of the same strategy, for which its steps are worked out.
    stands_for: [usize; REPLICAS_MAX],
    /// For each replica, a row's notification in its lane; nothing where it does not listen.
    notices: [[u128; crate::cell::ROWS_MAX]; REPLICAS_MAX],
    /// One memory a replica, indexed by `stands_for`.
    lanes: [Memory; REPLICAS_MAX],
    writes: Memory,
    steps: Vec<LaneStep>,
}

/// A lane that is down, which does nothing but start and hears of nothing.
const DOWN: u128 = 1;

impl Compiled {
    /// The same fleet, with nothing worked out yet.
    pub fn new(fleet: &Fleet) -> Self {
        let strategies = &fleet.bounds().strategies;
        let first = |index: usize| strategies.iter().position(|other| *other == strategies[index]);
        let publishes = fleet.bounds().kinds.contains(&Kind::Deliver);
        Self {
            replicas: strategies.len(),
            lane_bits: fleet.lane_bits(),
            stands_for: std::array::from_fn(|index| {
                (index < strategies.len()).then(|| first(index)).flatten().unwrap_or(0)
            }),
            notices: std::array::from_fn(|index| {
                let listens = publishes && strategies.get(index).is_some_and(crate::strategies::Strategy::listens);
                std::array::from_fn(|row| if listens { fleet.notice(row) } else { 0 })
            }),
            lanes: std::array::from_fn(|_| Memory::default()),
            writes: Memory::default(),
            steps: Vec::new(),
            fleet: fleet.clone(),
        }
    }

    fn shift(&self, replica: usize) -> u32 {
        self.lane_bits * u32::try_from(replica).expect("replicas are few")
    }

    fn lane(&self, word: u128, replica: usize) -> u128 {
        word >> self.shift(replica) & ((1 << self.lane_bits) - 1)
    }

    fn store(&self, word: u128) -> u128 {
        word.unbounded_shr(self.shift(self.replicas))
    }

    /// A fleet with this store in which only this replica is up, if any.
    fn alone(&self, lane: Option<(usize, u128)>, store: u128) -> u128 {
        let store = store.unbounded_shl(self.shift(self.replicas));
        // Lanes and the store do not overlap in a word, here and below: `|` joins them as `^` would.
        (0..self.replicas).fold(store, |word, replica| {
            let lane = lane.filter(|(of, _)| *of == replica).map_or(DOWN, |(_, lane)| lane);
            word | lane << self.shift(replica)
        })
    }

    fn work_out(&mut self, word: u128, at: At) -> Known {
        let (first, replica) = (self.steps.len(), place(at).unwrap_or(0));
        let mut found = Vec::new();
        self.fleet.successors(&word, |action, next| {
            if action.at == at {
                found.push(LaneStep {
                    action,
                    lane: self.lane(next, replica),
                    store: self.store(next),
                    findings: self.fleet.judge_step(&word, action, &next),
                });
            }
        });
        self.steps.append(&mut found);
        Known {
            first,
            count: self.steps.len() - first,
            findings: self.fleet.judge(&word),
        }
    }

    /// Returns the steps and findings of this replica's lane.
    fn of_lane(&mut self, word: u128, replica: usize) -> Known {
        let (lane, store, stands_for) = (self.lane(word, replica), self.store(word), self.stands_for[replica]);
        let key = lane | store.unbounded_shl(self.lane_bits);
        if let Some(known) = self.lanes[stands_for].get(&key) {
            return *known;
        }
        if self.lanes.iter().map(HashMap::len).sum::<usize>() >= KNOWN_MAX {
            self.lanes.iter_mut().for_each(HashMap::clear);
            self.writes.clear();
            self.steps.clear();
        }
        let at = At::Replica(u8::try_from(stands_for).expect("replicas are few"));
        let known = self.work_out(self.alone(Some((stands_for, lane)), store), at);
        self.lanes[stands_for].insert(key, known);
        known
    }

    fn of_store(&mut self, word: u128) -> Known {
        let store = self.store(word);
        if let Some(known) = self.writes.get(&store) {
            return *known;
        }
        let known = self.work_out(self.alone(None, store), At::Store);
        self.writes.insert(store, known);
        known
    }

    /// The word after a step, with the notifications that it sends.
    fn after(&self, word: u128, step: &LaneStep, replica: Option<usize>) -> u128 {
        let lanes_bits = self.shift(self.replicas);
        let mut next = word & 1_u128.unbounded_shl(lanes_bits).wrapping_sub(1) | step.store.unbounded_shl(lanes_bits);
        if let Some(replica) = replica {
            let shift = self.shift(replica);
            next = next & !(((1 << self.lane_bits) - 1) << shift) | step.lane << shift;
        }
        if step.action.writes() {
            for other in (0..self.replicas).filter(|other| Some(*other) != replica) {
                if self.lane(word, other) & DOWN == 0 {
                    next |= self.notices[other][usize::from(step.action.row)] << self.shift(other);
                }
            }
        }
        next
    }
}

fn place(at: At) -> Option<usize> {
    match at {
        At::Store => None,
        At::Replica(replica) => Some(usize::from(replica)),
    }
}

impl Expand<u128> for Compiled {
    fn successors(&mut self, word: u128, mut visit: impl FnMut(Action, u128, Findings)) {
        let known = self.of_store(word);
        for step in &self.steps[known.first..known.first + known.count] {
            visit(step.action, self.after(word, step, None), step.findings);
        }
        for replica in 0..self.replicas {
            let known = self.of_lane(word, replica);
            let at = At::Replica(u8::try_from(replica).expect("replicas are few"));
            for step in &self.steps[known.first..known.first + known.count] {
                let next = self.after(word, step, Some(replica));
                visit(Action { at, ..step.action }, next, step.findings);
            }
        }
    }

    fn judge(&mut self, word: u128) -> Findings {
        let lanes = 0..self.replicas;
        lanes.fold(Findings::default(), |findings, replica| {
            findings.and(self.of_lane(word, replica).findings)
        })
    }

    fn bytes(&self) -> u64 {
        let known = self.lanes.iter().map(HashMap::capacity).sum::<usize>() + self.writes.capacity();
        (known * size_of::<(u128, Known)>() + self.steps.capacity() * size_of::<LaneStep>()) as u64
    }
}

impl Packed for Fleet {
    fn bits(&self) -> u32 {
        self.state_bits()
    }

    type Worker = Compiled;

    fn worker(&self) -> Compiled {
        Compiled::new(self)
    }
}

/// A hash of the words of lanes and stores. Keys are never attacker-controlled, so no DoS-resistant hash is needed.
/// Keys of one hash are told apart by comparison, so that a poor hash makes the memory slow and never wrong.
#[derive(Clone, Copy, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    #[inline]
    fn write_u128(&mut self, word: u128) {
        self.0 = (self.0 ^ word.low()).scramble(u64::BITS) ^ (word >> 64).low().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = self.0.scramble(u64::BITS);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::actions::Shape;
    use crate::bounds::Bounds;
    use crate::strategies::{LITELLM_1_85, LITELLM_1_109, REFERENCE, Strategy};

    /// Compares every successor and finding of the first states of a breadth-first walk.
    fn agrees(strategies: &[Strategy], rows: u8, states_max: usize) {
        let bounds = Bounds {
            rows,
            versions: 2,
            strategies: strategies.to_vec(),
            kinds: Kind::ALL.to_vec(),
            shapes: Shape::ALL.to_vec(),
            admin: true,
        };
        let fleet = Fleet::new(bounds.possible()).expect("bounds fit");
        let mut compiled = Compiled::new(&fleet);
        let mut seen = BTreeSet::from([fleet.initial()]);
        let mut todo = std::collections::VecDeque::from([fleet.initial()]);
        while let Some(word) = todo.pop_front() {
            assert_eq!(compiled.judge(word), fleet.judge(&word), "{:?}", fleet.lanes(&word));
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            compiled.successors(word, |action, next, findings| {
                ours.push((action, next, findings.premises, findings.violated));
            });
            fleet.successors(&word, |action, next| {
                let findings = fleet.judge_step(&word, action, &next);
                theirs.push((action, next, findings.premises, findings.violated));
            });
            ours.sort_unstable();
            theirs.sort_unstable();
            assert_eq!(ours, theirs, "{:?}", fleet.lanes(&word));
            for (_, next, ..) in ours {
                if seen.len() < states_max && seen.insert(next) {
                    todo.push_back(next);
                }
            }
        }
        assert_eq!(seen.len(), states_max);
        let lanes: usize = compiled.lanes.iter().map(HashMap::capacity).sum();
        let remembered = [lanes, compiled.writes.capacity()].map(|count| count * size_of::<(u128, Known)>());
        let steps = compiled.steps.capacity() * size_of::<LaneStep>();
        assert_eq!(compiled.bytes(), (remembered[0] + remembered[1] + steps) as u64);
    }

    #[test]
    fn what_is_remembered_is_what_is_worked_out() {
        agrees(&[REFERENCE, LITELLM_1_109], 1, 4_000);
        agrees(&[LITELLM_1_85, REFERENCE, LITELLM_1_85], 1, 2_000);
        agrees(&[REFERENCE; 2], 2, 2_000);
    }
}
