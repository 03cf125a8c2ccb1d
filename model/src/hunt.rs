//! The result of any engine: how much it did, what it found, and how it ended.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use protocol::AdapterFault;

use protocol::{Run, Step};

use crate::coverage::Coverage;
use crate::failure::{Failure, Signature};
use crate::rules::catalogue::RuleId;

/// The result of one engine on one router.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The amount of work done.
    pub work: Work,
    /// The number of premises of each rule.
    pub premises: BTreeMap<RuleId, u64>,
    /// The coverage of its traces; empty of an exploration.
    pub coverage: Coverage,
    /// The distinct failures.
    pub failures: BTreeMap<Signature, Failure>,
    /// Findings that look new and were not made small: the hunt was stopped, or held as many failures as it may, or some
    /// order of the rows may explain them.
    pub uncounted: u64,
    /// The way in which the hunt ended.
    pub ended: Ended,
}

impl Default for Hunt {
    fn default() -> Self {
        Self {
            work: Work::default(),
            premises: BTreeMap::new(),
            coverage: Coverage::default(),
            failures: BTreeMap::new(),
            uncounted: 0,
            ended: Ended::Done,
        }
    }
}

impl Hunt {
    /// Keeps a failure, of those with the same signature the smallest that was made small.
    pub fn keep(&mut self, mut failure: Failure) {
        if let Some(known) = self.failures.get_mut(&failure.signature) {
            failure.count += known.count;
            if failure.rank() >= known.rank() {
                known.count = failure.count;
                return;
            }
        }
        self.failures.insert(failure.signature.clone(), failure);
    }
}

/// A hunt that a fault of the adapter ended, with everything that it had found by then.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct Interrupted {
    /// The fault.
    pub fault: AdapterFault,
    /// The hunt so far.
    pub hunt: Box<Hunt>,
}

impl From<Interrupted> for AdapterFault {
    fn from(interrupted: Interrupted) -> Self {
        interrupted.fault
    }
}

/// The number of runs that the next message may hold, or the end of the hunt.
pub type Pace = ControlFlow<(), u32>;

/// The caller of an engine, who knows the time: it is asked before each message and each attempt at making a failure small.
pub type GoOn<'a> = dyn FnMut(&Hunt) -> Pace + 'a;

/// Returns the pace of a hunt that nothing but its own limits ends.
pub fn to_the_end(_: &Hunt) -> Pace {
    ControlFlow::Continue(u32::MAX)
}

/// The amount of work that an engine did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Traces of the sweep put on trial; of an exploration none.
    pub swept: u32,
    /// Random traces put on trial; of an exploration none.
    pub traces: u32,
    /// Changes carried out.
    pub changes: u64,
    /// Changes, in traces that were drawn, that the router said it had applied, and that changed the table.
    pub effects: u64,
    /// Answers judged.
    pub answers: u64,
    /// Nanoseconds inside the router, as far as the adapter measures.
    pub router_ns: u64,
    /// Distinct states; of a search none.
    pub states: usize,
    /// Number of changes on the shortest way to the farthest state.
    pub depth: usize,
    /// True if a state was the router's whole memory, and not only what can be observed of it.
    pub whole_memory: bool,
}

impl Work {
    /// Adds the changes and lookups of a run.
    pub(crate) fn add(&mut self, run: &Run) {
        for step in &run.trace.steps {
            match step {
                Step::Ask(_, question) => self.answers += u64::from(question.query().is_some()),
                _ => self.changes += 1,
            }
        }
        let asked = run.questions.rounds.iter().flat_map(|round| run.questions.of(round));
        self.answers += asked.filter(|(_, question)| question.query().is_some()).count() as u64;
    }
}

/// The way in which a hunt, or an exploration of the fleet's model, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was asked for was done.
    Done,
    /// Every reachable state was seen.
    Exhausted,
    /// A rule was broken, and it was to stop at the first failure.
    Violated,
    /// A limit cut it: nothing is known of what lies beyond.
    Cut(Limit),
}

/// A limit of a hunt or an exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A stop by the caller, such as a time budget.
    Budget,
    /// The number of distinct states.
    States(u64),
    /// The number of steps from the start.
    Depth(u32),
    /// Bytes of memory for states and for the set of those seen.
    Memory(u64),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => write!(f, "done"),
            Self::Exhausted => write!(f, "exhausted"),
            Self::Violated => write!(f, "stopped at the first violation"),
            Self::Cut(Limit::Budget) => write!(f, "cut by the budget"),
            Self::Cut(Limit::States(states)) => write!(f, "cut at {states} states"),
            Self::Cut(Limit::Depth(depth)) => write!(f, "cut at depth {depth}"),
            Self::Cut(Limit::Memory(bytes)) => write!(f, "cut at {} MiB", bytes >> 20),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Change, Row, Run, Step, Trace};

    use super::*;
    use crate::failure::{Allowed, Finding, Got, Origin, Tier};

    fn failure(steps: usize, shrunk: bool, trace: u32) -> Failure {
        let finding = Finding {
            rule: RuleId::Current,
            class: "stale",
            tier: Some(Tier::Exact),
            id: None,
            replica: None,
            extra: None,
            question: None,
            path: 0,
            after: steps,
            allowed: Allowed::Ids(Vec::new()),
            got: Got::Ids(Vec::new()),
        };
        let upsert = Step::Change(Change::Upsert(Row::new("d1", "a", "up", "v1")));
        let run = Run {
            trace: Trace::of_router(Vec::new(), vec![upsert; steps]),
            ..Run::default()
        };
        Failure {
            signature: Signature::of(&finding, &run.trace.steps),
            finding,
            run,
            origin: Origin {
                universe: "tiny",
                trace,
                steps,
            },
            count: 1,
            shrunk,
        }
    }

    #[test]
    fn of_one_failure_the_smallest_shrunk_trace_is_kept() {
        let mut hunt = Hunt::default();
        // Steps, whether it was made small, its trace, and the trace that is kept by then.
        for (steps, shrunk, trace, kept) in [
            (3, false, 1, 1),
            (2, false, 2, 2),
            (4, true, 3, 3),
            (4, true, 4, 3),
            (1, false, 5, 3),
            (3, true, 6, 6),
        ] {
            hunt.keep(failure(steps, shrunk, trace));
            let failures: Vec<_> = hunt.failures.values().collect();
            let told: Vec<_> = failures
                .iter()
                .map(|failure| (failure.origin.trace, failure.count))
                .collect();
            assert_eq!(told, [(kept, u64::from(trace))]);
        }
    }
}
