//! One worker's part of a search: what it owns, what it expands, what it counts.

use std::rc::Rc;

use ::timely::worker::Worker;
use serde::{Deserialize, Serialize};

use crate::machine::{Expand as _, Packed};
use crate::search::checker::concrete;
use crate::search::counted::{Counted, Found, least};
use crate::search::error::ExploreError;
use crate::search::levels::{CheckpointError, Levels};
use crate::search::options::{ExploreOptions, Progress};
use crate::search::report::{Ended, Exploration, Limit, Violation};
use crate::search::timely::Fabric;
use crate::search::visited::Visited;
use crate::word::Word;

/// Number of states that are expanded between two rounds of sending.
const EXPAND_STATES: usize = 1 << 12;
/// Number of states that are looked up at a time, so that their cache misses overlap.
const LOOKUP_STATES: usize = 1 << 7;
/// The top bits of a scrambled state that choose its worker.
const OWNER_BITS: u32 = 16;

/// A message of one worker to all others, when they meet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "W: Word", deserialize = "W: Word"))]
enum Note<W> {
    /// Number of levels that a worker could go on from.
    Whole(u32),
    /// A worker has expanded its part of a level, or had no memory to do so.
    Expanded { full: bool },
    /// The states and counts of a worker at the end of a level.
    Sealed {
        fresh: u64,
        distinct: u64,
        bytes: u64,
        counted: Counted<W>,
    },
    /// For each path that is traced back, the least state of this worker from which its earliest known one follows.
    Before(Vec<Option<W>>),
}

/// The states and counts of all workers together.
struct Totals<W> {
    fresh: u64,
    distinct: u64,
    bytes: u64,
    counted: Counted<W>,
}

/// The states that a worker owns and what it counts, apart from the fabric, so that states can arrive while it sends.
struct Owned<M: Packed> {
    worker: M::Worker,
    bits: u32,
    visited: Visited<M::State>,
    next: Vec<M::State>,
    /// Number of steps from the start to the states that arrive.
    steps: u32,
    counted: Counted<M::State>,
}

impl<M: Packed> Owned<M> {
    /// Takes in scrambled states that this worker owns; those that are new are judged and wait for the next level.
    fn arrive(&mut self, scrambled: &[M::State]) {
        let bits = self.bits;
        for batch in scrambled.chunks(LOOKUP_STATES) {
            self.visited.extend(batch, |index| {
                let state = batch[index].unscramble(bits);
                self.next.push(state);
                let found = Found {
                    steps: self.steps,
                    by_step: false,
                    state,
                };
                self.counted.note(self.worker.judge(state), found);
            });
        }
    }
}

/// One worker's part of a search.
pub(crate) struct Search<'a, 'w, M: Packed> {
    machine: &'a M,
    options: &'a ExploreOptions,
    fabric: Fabric<'w, M::State, Note<M::State>>,
    owned: Owned<M>,
    levels: Levels<M::State>,
    frontier: Rc<Vec<M::State>>,
}

impl<'a, 'w, M: Packed> Search<'a, 'w, M> {
    /// Joins the other workers and opens this one's levels.
    pub(crate) fn join(
        machine: &'a M,
        options: &'a ExploreOptions,
        worker: &'w mut Worker,
    ) -> Result<Self, ExploreError> {
        // A worker joins before anything can fail: the others wait for every worker to join or to leave.
        let fabric = Fabric::join(worker);
        let run = format!("{} symmetric={}", machine.identity(), options.symmetric);
        let levels = Levels::open(options.checkpoint.as_ref(), run, fabric.index(), fabric.peers())?;
        let owned = Owned {
            worker: machine.worker(),
            bits: machine.bits(),
            visited: Visited::new(machine.bits()),
            next: Vec::new(),
            steps: 0,
            counted: Counted::new(machine.rules().len()),
        };
        Ok(Self {
            machine,
            options,
            fabric,
            owned,
            levels,
            frontier: Rc::default(),
        })
    }

    /// Searches until every state is seen or a limit is met.
    pub(crate) fn run(&mut self, on_progress: &dyn Fn(Progress)) -> Result<Exploration<M::State>, ExploreError> {
        let mut level = if self
            .options
            .checkpoint
            .as_ref()
            .is_some_and(|checkpoint| checkpoint.resume)
        {
            self.resume()?
        } else {
            self.start()?;
            0
        };
        loop {
            let totals = self.meet()?;
            if self.fabric.index() == 0 && totals.fresh > 0 {
                on_progress(Progress {
                    depth: level + 1,
                    distinct: totals.distinct,
                    frontier: totals.fresh,
                    generated: totals.counted.generated + 1,
                    bytes: totals.bytes,
                });
            }
            if let Some(ended) = self.ended(level, &totals) {
                let depth = if totals.fresh == 0 { level } else { level + 1 };
                return self.report(ended, depth, totals);
            }
            level += 1;
            self.owned.steps = level;
            let full = self.expand();
            let owned = &mut self.owned;
            let notes = self
                .fabric
                .gather(&Note::Expanded { full }, |states| owned.arrive(&states))?;
            if notes.iter().any(|note| matches!(note, Note::Expanded { full: true })) {
                let totals = self.meet()?;
                let limit = self
                    .options
                    .memory_max
                    .expect("only a bound on memory is met within a level");
                return self.report(Ended::Cut(Limit::Memory(limit)), level + 1, totals);
            }
            self.seal(level)?;
        }
    }

    fn start(&mut self) -> Result<(), ExploreError> {
        let initial = self.explored(&self.machine.initial()).scramble(self.machine.bits());
        if self.owner_of()(initial) == self.fabric.index() {
            self.owned.arrive(&[initial]);
        }
        self.seal(0)
    }

    /// Takes in every level that all workers have whole, and returns the number of the last.
    fn resume(&mut self) -> Result<u32, ExploreError> {
        let notes = self.fabric.gather(&Note::Whole(self.levels.whole()), |_| {})?;
        let whole = notes.iter().map(|note| match note {
            Note::Whole(whole) => *whole,
            _ => unreachable!("all workers are at the same meeting"),
        });
        let whole = whole.min().expect("there is a worker");
        let dir = || self.options.checkpoint.as_ref().expect("it is resumed").dir.clone();
        let last = whole
            .checked_sub(1)
            .ok_or_else(|| CheckpointError::Nothing { dir: dir() })?;
        let bits = self.machine.bits();
        for level in 0..whole {
            let before = self.owned.visited.len();
            let mut states_read = 0;
            let (mut strangers, owner) = (false, self.owner_of());
            let counted = self.levels.visit(level, |states: &[M::State]| {
                states_read += states.len() as u64;
                let keys: Vec<_> = states.iter().map(|state| state.scramble(bits)).collect();
                strangers |= keys.iter().any(|key| owner(*key) != self.fabric.index());
                self.owned.visited.extend(&keys, |_| {});
                if level == last {
                    self.owned.next.extend_from_slice(states);
                }
            })?;
            if strangers || self.owned.visited.len() != before + states_read {
                return Err(self
                    .levels
                    .corrupt(level, "its states are not those of the level")
                    .into());
            }
            self.owned.counted = counted.expect("a checkpoint is in files");
        }
        self.frontier = Rc::new(std::mem::take(&mut self.owned.next));
        Ok(last)
    }

    /// Makes what arrived the frontier, and keeps it as the level of this number.
    fn seal(&mut self, level: u32) -> Result<(), ExploreError> {
        let mut next = std::mem::take(&mut self.owned.next);
        next.shrink_to_fit();
        self.frontier = Rc::new(next);
        self.levels.keep(level, &self.frontier, &self.owned.counted)?;
        Ok(())
    }

    /// Adds up what the workers hold and have counted, and shares what they have found.
    fn meet(&mut self) -> Result<Totals<M::State>, ExploreError> {
        let note = Note::Sealed {
            fresh: self.frontier.len() as u64,
            distinct: self.owned.visited.len(),
            bytes: self.bytes(),
            counted: self.owned.counted.clone(),
        };
        let mut totals = Totals {
            fresh: 0,
            distinct: 0,
            bytes: 0,
            counted: Counted::new(self.machine.rules().len()),
        };
        for note in self.fabric.gather(&note, |_| {})? {
            let Note::Sealed {
                fresh,
                distinct,
                bytes,
                counted,
            } = note
            else {
                unreachable!("all workers are at the same meeting");
            };
            totals.fresh += fresh;
            totals.distinct += distinct;
            totals.bytes += bytes;
            totals.counted.add(&counted);
        }
        self.owned.counted.found.clone_from(&totals.counted.found);
        Ok(totals)
    }

    fn ended(&self, level: u32, totals: &Totals<M::State>) -> Option<Ended> {
        let ExploreOptions {
            stop_at_violation,
            states_max,
            depth_max,
            ..
        } = self.options;
        if totals.fresh == 0 {
            return Some(Ended::Exhausted);
        }
        if *stop_at_violation && totals.counted.found.iter().any(Option::is_some) {
            return Some(Ended::Violated);
        }
        let states = states_max
            .filter(|states| totals.distinct >= *states)
            .map(Limit::States);
        let depth = depth_max.filter(|depth| level + 1 >= *depth).map(Limit::Depth);
        states.or(depth).map(Ended::Cut)
    }

    /// Hands each successor of the frontier to its owner, and says whether the bound on memory stopped it.
    fn expand(&mut self) -> bool {
        let frontier = Rc::clone(&self.frontier);
        let (me, goes_to, bits) = (self.fabric.index(), self.owner_of(), self.machine.bits());
        let symmetric = self.options.symmetric;
        let memory_max = self.memory_max();
        let mut queues = vec![Vec::new(); self.fabric.peers()];
        // What has arrived leaves its memory to what is sent next.
        let mut spare = Vec::new();
        for chunk in frontier.chunks(EXPAND_STATES) {
            for state in chunk {
                let Owned {
                    worker, counted, steps, ..
                } = &mut self.owned;
                worker.successors(*state, |action, next, findings| {
                    counted.generated += 1;
                    counted.coverage[action.kind as usize] += 1;
                    let found = Found {
                        steps: *steps,
                        by_step: true,
                        state: *state,
                    };
                    counted.note(findings, found);
                    let next = if symmetric { self.machine.canonical(&next) } else { next };
                    let scrambled = next.scramble(bits);
                    queues[goes_to(scrambled)].push(scrambled);
                });
            }
            let owned = &mut self.owned;
            owned.arrive(&queues[me]);
            queues[me].clear();
            for (to, queue) in queues.iter_mut().enumerate().filter(|(_, queue)| !queue.is_empty()) {
                self.fabric
                    .send(to, std::mem::replace(queue, spare.pop().unwrap_or_default()));
            }
            self.fabric.pump(|mut states| {
                owned.arrive(&states);
                states.clear();
                spare.push(states);
            });
            // A run that takes exactly as many bytes as it may could end either way.
            if memory_max.is_some_and(|max| self.bytes() > max) {
                return true;
            }
        }
        false
    }

    /// Returns the share of the bound on memory that each worker has.
    fn memory_max(&self) -> Option<u64> {
        self.options.memory_max.map(|max| max / self.options.threads as u64)
    }

    fn bytes(&self) -> u64 {
        let state_bytes = u64::from(<M::State as Word>::BITS / u8::BITS);
        let frontier = if self.levels.holds_memory() {
            0
        } else {
            self.frontier.len() as u64
        };
        self.owned.visited.bytes()
            + self.owned.worker.bytes()
            + self.levels.bytes()
            + (frontier + self.owned.next.capacity() as u64) * state_bytes
    }

    fn explored(&self, state: &M::State) -> M::State {
        self.machine.explored(state, self.options.symmetric)
    }

    /// Returns a function from a scrambled state to the number of its worker.
    #[expect(clippy::cast_possible_truncation, reason = "a worker's number fits")]
    fn owner_of(&self) -> impl Fn(M::State) -> usize + use<M> {
        let peers = self.fabric.peers() as u64;
        let shift = self.machine.bits().saturating_sub(OWNER_BITS);
        let high_bits = self.machine.bits().min(OWNER_BITS);
        move |scrambled| (((scrambled >> shift).low() * peers) >> high_bits) as usize
    }

    fn report(
        &mut self,
        ended: Ended,
        depth: u32,
        totals: Totals<M::State>,
    ) -> Result<Exploration<M::State>, ExploreError> {
        let paths = self.trace(&totals.counted.found)?;
        let rules = self.machine.rules().iter().enumerate();
        let violations = rules.filter_map(|(index, rule)| {
            let states = paths[index].as_ref()?;
            let path = concrete(self.machine, self.options.symmetric, states, index);
            Some(Violation { rule: *rule, path })
        });
        let violations = violations.collect();
        let Counted {
            generated,
            coverage,
            premises,
            ..
        } = totals.counted;
        Ok(Exploration {
            ended,
            distinct: totals.distinct,
            generated: generated + 1,
            depth,
            coverage: coverage.try_into().expect("one count a kind"),
            premises,
            violations,
        })
    }

    /// The explored states from the start to each of `found`.
    fn trace(&mut self, found: &[Option<Found<M::State>>]) -> Result<Vec<Option<Vec<M::State>>>, ExploreError> {
        let mut paths: Vec<Option<Vec<M::State>>> =
            found.iter().map(|found| found.map(|found| vec![found.state])).collect();
        let deepest = found.iter().flatten().map(Found::level).max().unwrap_or(0);
        for level in (0..deepest).rev() {
            let after: Vec<Option<M::State>> = found
                .iter()
                .zip(&paths)
                .map(|(found, path)| {
                    path.as_ref()
                        .filter(|_| found.is_some_and(|found| found.level() > level))
                })
                .map(|path| path.and_then(|path| path.last().copied()))
                .collect();
            let mut before = self.before(level, &after)?;
            for note in self.fabric.gather(&Note::Before(before.clone()), |_| {})? {
                let Note::Before(theirs) = note else {
                    unreachable!("all workers are at the same meeting");
                };
                before = before
                    .iter()
                    .zip(theirs)
                    .map(|(ours, theirs)| least(*ours, theirs))
                    .collect();
            }
            for ((path, before), _) in paths
                .iter_mut()
                .zip(before)
                .zip(after)
                .filter(|(_, after)| after.is_some())
            {
                let path = path.as_mut().expect("it is traced");
                path.push(before.expect("each state of a level follows from one of the level before"));
            }
        }
        for path in paths.iter_mut().flatten() {
            path.reverse();
        }
        Ok(paths)
    }

    /// The least state of this worker's part of `level` from which each of `after` follows.
    fn before(&self, level: u32, after: &[Option<M::State>]) -> Result<Vec<Option<M::State>>, ExploreError> {
        let mut before = vec![None; after.len()];
        self.levels.visit::<Counted<M::State>>(level, |states| {
            for state in states {
                self.machine.successors(state, |_, next| {
                    let next = self.explored(&next);
                    for (before, _) in before.iter_mut().zip(after).filter(|(_, after)| **after == Some(next)) {
                        *before = least(*before, Some(*state));
                    }
                });
            }
        })?;
        Ok(before)
    }
}
