//! The report of an exploration, which says whether every state was seen.

use crate::actions::{Action, KINDS, Kind};
use crate::machine::Machine;

/// A reason why an exploration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every reachable state was seen.
    Exhausted,
    /// A rule was violated, and the run was to stop at the first violation.
    Violated,
    /// A limit cut the run: nothing is known of what lies beyond it.
    Cut(Limit),
}

/// A limit of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The number of distinct states.
    States(u64),
    /// The number of steps from the start.
    Depth(u32),
    /// Bytes of memory for states and for the set of those seen.
    Memory(u64),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exhausted => write!(f, "exhausted"),
            Self::Violated => write!(f, "stopped at the first violation"),
            Self::Cut(Limit::States(states)) => write!(f, "cut at {states} states"),
            Self::Cut(Limit::Depth(depth)) => write!(f, "cut at depth {depth}"),
            Self::Cut(Limit::Memory(bytes)) => write!(f, "cut at {} MiB", bytes >> 20),
        }
    }
}

/// A violated rule with a path to it from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation<S> {
    /// The rule's id.
    pub rule: &'static str,
    /// The actions in order, each with the state that it led to.
    pub path: Vec<(Action, S)>,
}

/// The report of an exploration.
#[derive(Clone, Debug)]
pub struct Report<S> {
    /// The reason why it ended.
    pub ended: Ended,
    /// Number of distinct states, the initial one among them.
    pub distinct: u64,
    /// Number of states generated, the initial one and repeats among them.
    pub generated: u64,
    /// Number of levels: one more than the steps to the state farthest from the start.
    pub depth: u32,
    /// Number of times that each kind of action happened, by [`Kind`].
    pub coverage: [u64; KINDS],
    /// Number of states and steps in which each rule had something to check, by the rule's index.
    pub premises: Vec<u64>,
    /// A violation a rule, in the rules' order.
    pub violations: Vec<Violation<S>>,
}

impl<S> Report<S> {
    /// The kinds that should have happened and never did. Where the run was not exhaustive, nothing follows from them.
    pub fn dead<M: Machine>(&self, machine: &M) -> Vec<Kind> {
        let kinds = machine.kinds().iter().copied();
        kinds.filter(|kind| self.coverage[*kind as usize] == 0).collect()
    }

    /// The rules that never had anything to check.
    pub fn vacuous<M: Machine>(&self, machine: &M) -> Vec<&'static str> {
        let rules = machine.rules().iter().zip(&self.premises);
        rules
            .filter(|(_, premises)| **premises == 0)
            .map(|(rule, _)| *rule)
            .collect()
    }
}
