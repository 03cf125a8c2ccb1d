//! Two machines side by side on random walks: the packed fleet and the same fleet over a router's own code.
//!
//! Small fleets are compared state by state; this is for those whose states are too many, and for replicas that know
//! more than the packed ones, so that their states cannot be matched one to one.

use crate::actions::Action;
use crate::machine::{Findings, Machine};
use crate::view::ModelCandidate;

/// A machine with replicas that answer.
pub trait Serving: Machine {
    /// Returns the answers of each replica to each of [`crate::view::QUERIES`], in the order of [`ModelCandidate`]; nothing
    /// where it is down.
    fn answers(&self, state: &Self::State) -> Vec<Option<Vec<Vec<ModelCandidate>>>>;
}

/// The seed, number and length of random walks.
#[derive(Clone, Copy, Debug)]
pub struct Walks {
    /// Seed of the choices.
    pub seed: u64,
    /// Number of walks from the start.
    pub walks: u32,
    /// The most steps of a walk.
    pub steps: u32,
}

/// The point where two machines part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The steps up to there.
    pub path: Vec<Action>,
    /// The difference between them.
    pub what: String,
}

/// Walks both machines through the same steps, and compares the actions that can happen, the answers and the findings of
/// every state and step on the way. Returns how many states were compared.
///
/// # Errors
///
/// The first difference.
pub fn compare<A: Serving, B: Serving>(one: &A, other: &B, walks: Walks) -> Result<u64, Parting> {
    let mut random = fastrand::Rng::with_seed(walks.seed);
    let mut compared = 0;
    for _ in 0..walks.walks {
        let mut path = Vec::new();
        let (mut here, mut there) = (one.initial(), other.initial());
        for _ in 0..walks.steps {
            let part = |what| Parting {
                path: path.clone(),
                what,
            };
            same(&one.answers(&here), &other.answers(&there), "answers").map_err(part)?;
            same(&one.judge(&here), &other.judge(&there), "findings of the state").map_err(part)?;
            compared += 1;
            let (mut ours, theirs) = (steps(one, &here), steps(other, &there));
            let all = |steps: &[&Action]| steps.iter().map(ToString::to_string).collect::<Vec<_>>();
            let actions = (
                all(&ours.iter().map(|step| &step.0).collect::<Vec<_>>()),
                all(&theirs.iter().map(|step| &step.0).collect::<Vec<_>>()),
            );
            same(&actions.0, &actions.1, "actions").map_err(part)?;
            for (ours, theirs) in ours.iter().zip(&theirs) {
                let what = format!("findings of `{}`", ours.0);
                same(&ours.2, &theirs.2, &what).map_err(part)?;
            }
            if ours.is_empty() {
                break;
            }
            let chosen = random.usize(..ours.len());
            path.push(ours[chosen].0);
            here = ours.swap_remove(chosen).1;
            there = theirs.into_iter().nth(chosen).expect("there are as many").1;
        }
    }
    Ok(compared)
}

fn same<T: PartialEq + std::fmt::Debug>(ours: &T, theirs: &T, what: &str) -> Result<(), String> {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("{what}: {ours:?} in one, {theirs:?} in the other"))
    }
}

/// The steps from a state in an order of their own.
fn steps<M: Machine>(machine: &M, state: &M::State) -> Vec<(Action, M::State, Findings)> {
    let mut steps = Vec::new();
    machine.successors(state, |action, next| {
        let findings = machine.judge_step(state, action, &next);
        steps.push((action, next, findings));
    });
    steps.sort_by_key(|(action, ..)| *action);
    steps
}
