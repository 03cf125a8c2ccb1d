//! The report of an exploration, which says whether every state was seen.

use crate::actions::{Action, KINDS, Kind};
use crate::machine::Machine;
use model::RuleId;

pub use model::{Ended, Limit};

/// A violated rule with a path to it from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation<S> {
    /// The rule.
    pub rule: RuleId,
    /// The actions in order, each with the state that it led to.
    pub path: Vec<(Action, S)>,
}

/// The report of an exploration.
#[derive(Clone, Debug)]
pub struct Exploration<S> {
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

impl<S> Exploration<S> {
    /// The kinds that should have happened and never did. Where the run was not exhaustive, nothing follows from them.
    pub fn dead<M: Machine>(&self, machine: &M) -> Vec<Kind> {
        let kinds = machine.kinds().iter().copied();
        kinds.filter(|kind| self.coverage[*kind as usize] == 0).collect()
    }

    /// The rules that never had anything to check.
    pub fn vacuous<M: Machine>(&self, machine: &M) -> Vec<RuleId> {
        let rules = machine.rules().iter().zip(&self.premises);
        rules
            .filter(|(_, premises)| **premises == 0)
            .map(|(rule, _)| *rule)
            .collect()
    }
}

#[cfg(test)]
impl<S: std::fmt::Debug + PartialEq> Exploration<S> {
    /// The distinct states, those generated, and the depth, of a search that saw everything and found nothing amiss.
    pub(super) fn counts<M: Machine>(&self, machine: &M) -> (u64, u64, u32) {
        assert_eq!(self.ended, Ended::Exhausted);
        assert_eq!(self.violations, []);
        assert_eq!(self.dead(machine), []);
        assert_eq!(self.vacuous(machine), []);
        (self.distinct, self.generated, self.depth)
    }
}
