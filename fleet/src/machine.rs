//! The transition systems that the engines explore.

use std::fmt::Debug;
use std::hash::Hash;

use crate::actions::{Action, Kind};
use crate::word::Word;
use model::RuleId;

/// The verdict of a machine's rules on one state or one step; bit `i` stands for the rule of index `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The rules that had something to check.
    pub premises: u32,
    /// The rules that do not hold.
    pub violated: u32,
}

impl Findings {
    /// Records that the rule of this index had something to check, and whether it held.
    pub fn check(&mut self, rule: usize, holds: bool) {
        self.premises |= 1 << rule;
        self.violated |= u32::from(!holds) << rule;
    }

    /// Both findings together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            premises: self.premises | other.premises,
            violated: self.violated | other.violated,
        }
    }
}

/// A transition system, its rules and its symmetry.
///
/// Implementations are plain values: a machine computes and remembers nothing.
pub trait Machine: Clone + Send + Sync + 'static {
    /// A state, whole: two equal states have the same future.
    type State: Clone + Eq + Hash + Debug + Send + Sync + 'static;

    /// Returns the model and its bounds, in one line. Two machines of the same identity have the same states:
    /// a checkpoint is only resumed by a machine of its own identity.
    fn identity(&self) -> String;

    /// The kinds of action that can happen within the bounds. One of them that never does is an error of the model.
    fn kinds(&self) -> &[Kind];

    /// The ids of the rules, at most 32, by index.
    fn rules(&self) -> &'static [RuleId];

    /// The state in which everything starts.
    fn initial(&self) -> Self::State;

    /// Calls `visit` with each action that can happen in `state` and the state that it leads to.
    fn successors(&self, state: &Self::State, visit: impl FnMut(Action, Self::State));

    /// The representative of the states that differ from `state` only in the numbering of the replicas.
    fn canonical(&self, state: &Self::State) -> Self::State;

    /// The state that is explored in the place of this one.
    fn explored(&self, state: &Self::State, symmetric: bool) -> Self::State {
        if symmetric {
            self.canonical(state)
        } else {
            state.clone()
        }
    }

    /// Returns the findings of the rules about single states.
    fn judge(&self, state: &Self::State) -> Findings;

    /// Returns the findings of the rules about steps.
    fn judge_step(&self, before: &Self::State, action: Action, after: &Self::State) -> Findings;

    /// The state for a person: a line for the store, then one for each replica.
    fn lanes(&self, state: &Self::State) -> Vec<String>;
}

/// A machine whose states are words, which the engine for scale can take.
pub trait Packed: Machine<State: Word> {
    /// Returns the number of low bits that the states use.
    fn bits(&self) -> u32;

    /// The machine as a worker of the engine explores it, with a memory of its own.
    type Worker: Expand<Self::State>;

    /// A worker's own, with nothing remembered.
    fn worker(&self) -> Self::Worker;
}

/// The hot part of a machine, which may remember what it worked out.
pub trait Expand<S> {
    /// Calls `visit` with each action that can happen in `state`, the state that it leads to and what the rules about steps
    /// say of it.
    fn successors(&mut self, state: S, visit: impl FnMut(Action, S, Findings));

    /// Returns the findings of the rules about single states.
    fn judge(&mut self, state: S) -> Findings;

    /// Returns the number of bytes that the memory takes.
    fn bytes(&self) -> u64;
}

/// A machine as it is, which remembers nothing.
pub struct Plain<M>(pub M);

impl<M: Packed> Expand<M::State> for Plain<M> {
    #[inline]
    fn successors(&mut self, state: M::State, mut visit: impl FnMut(Action, M::State, Findings)) {
        self.0.successors(&state, |action, next| {
            let findings = self.0.judge_step(&state, action, &next);
            visit(action, next, findings);
        });
    }

    #[inline]
    fn judge(&mut self, state: M::State) -> Findings {
        self.0.judge(&state)
    }

    fn bytes(&self) -> u64 {
        0
    }
}
