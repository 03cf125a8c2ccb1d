//! The routers that the exhaustive engine explores: a router in this process, by its whole memory, or any other, by what is observed.

use std::hash::Hash;

use protocol::observe;
use protocol::{
    AdapterFault, Change, Changed, Local, Observation, Outcome, Question, Questions, Round, RouterUnderTest, Row, Run,
    RunReply, Step, StepReply, Trace,
};

use crate::alphabet::matrix;
use crate::evidence::{Fresh, Look};
use crate::generate::{router_questions, viewers};
use crate::trial::{carry_out_checked, seen_fresh};
use crate::universe::Scope;

/// A router to be explored: where a change leads from a state, and what a fresh router shows.
pub(super) trait Explorable {
    type State: Clone + Eq + Hash;
    const WHOLE_MEMORY: bool;

    fn start(&mut self) -> Result<Reached<Self::State>, AdapterFault>;

    /// Returns the answers in a state. Looking may change it: routers remember what they were asked.
    fn look(&self, state: &mut Self::State) -> Observation;

    /// Returns the answers in a state to each question as if it were the first; `None` where that is not known.
    fn look_at_each(&self, state: &Self::State) -> Option<Observation>;

    /// Returns the state behind the question at that place.
    fn ask(&self, state: &Self::State, place: usize) -> Self::State;

    /// Returns the states to which each of `changes` leads from the end of `path`, which is in `state`.
    fn expand(
        &mut self,
        path: &[Step],
        state: &Self::State,
        changes: &[Change],
    ) -> Result<Vec<Reached<Self::State>>, AdapterFault>;

    fn fresh(&mut self, rows: &[Row]) -> Result<Fresh, AdapterFault>;
}

/// The state to which a change led, and the reply to the change.
pub(super) struct Reached<S> {
    pub(super) state: S,
    pub(super) changed: Changed,
}

/// Every question of the scope, asked at once.
pub(super) fn questions(scope: &Scope) -> Matrix {
    Matrix(Questions::at(
        router_questions(scope, matrix(scope), viewers(scope)),
        [0],
    ))
}

/// Questions with one round that asks them all.
#[derive(Clone)]
pub(super) struct Matrix(Questions);

impl Matrix {
    /// The questions, in the order in which they are asked.
    pub(super) fn questions(&self) -> &[Question] {
        &self.0.asked
    }

    fn round(&self) -> &Round {
        &self.0.rounds[0]
    }

    /// Returns these answers beside the questions.
    pub(super) fn look<'a>(&'a self, seen: &'a Observation) -> Look<'a> {
        Look {
            questions: &self.0,
            round: self.round(),
            seen,
        }
    }

    /// The run of a router of these rows that asks everything behind the last of these steps.
    fn run(&self, rows: Vec<Row>, steps: Vec<Step>) -> Run {
        Run {
            questions: Questions::at_end(self.0.asked.clone(), steps.len()),
            trace: Trace::of_router(rows, steps),
        }
    }
}

/// A router in this process.
pub(super) struct InMemory<R> {
    questions: Matrix,
    router: R,
}

impl<R> InMemory<R> {
    pub(super) fn new(router: R, questions: Matrix) -> Self {
        Self { questions, router }
    }
}

impl<R: Local + Clone + Eq + Hash> Explorable for InMemory<R> {
    type State = R;
    const WHOLE_MEMORY: bool = true;

    fn start(&mut self) -> Result<Reached<R>, AdapterFault> {
        let mut state = self.router.clone();
        let changed = state.reset(&[]);
        Ok(Reached { state, changed })
    }

    fn look(&self, state: &mut R) -> Observation {
        observe(state, &self.questions.0, self.questions.round())
    }

    fn look_at_each(&self, state: &R) -> Option<Observation> {
        let asked = self.questions.questions();
        let shown = asked.iter().map(|question| state.clone().ask(question));
        Some(Observation {
            replica: None,
            shown: shown.collect(),
        })
    }

    fn ask(&self, state: &R, place: usize) -> R {
        let state = state.clone();
        state.ask(&self.questions.questions()[place]);
        state
    }

    fn expand(&mut self, _path: &[Step], state: &R, changes: &[Change]) -> Result<Vec<Reached<R>>, AdapterFault> {
        let reach = |change| {
            let mut state = state.clone();
            let changed = state.change(change);
            Reached { state, changed }
        };
        Ok(changes.iter().map(reach).collect())
    }

    fn fresh(&mut self, rows: &[Row]) -> Result<Fresh, AdapterFault> {
        let mut state = self.router.clone();
        Ok(match state.reset(rows).outcome {
            Outcome::Refused(why) => Err(why),
            Outcome::Applied | Outcome::Unchanged => Ok(self.look(&mut state)),
        })
    }
}

/// A router at the other end of a pipe, or any other.
pub(super) struct Observed<'a> {
    router: &'a mut dyn RouterUnderTest,
    questions: Matrix,
}

impl<'a> Observed<'a> {
    pub(super) fn new(router: &'a mut dyn RouterUnderTest, questions: Matrix) -> Self {
        Self { router, questions }
    }
}

/// A router's state as far as it can be observed, and the question that it was asked since it was last changed.
///
/// A mark that the question left cannot be seen: it is taken to have left one, and every change is made behind each.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Observable {
    shown: Observation,
    asked: Option<usize>,
}

impl Observable {
    fn unasked(shown: Observation) -> Self {
        Self { shown, asked: None }
    }
}

impl Explorable for Observed<'_> {
    type State = Observable;
    const WHOLE_MEMORY: bool = false;

    fn start(&mut self) -> Result<Reached<Observable>, AdapterFault> {
        let run = self.questions.run(Vec::new(), Vec::new());
        let mut reply = carry_out_checked(self.router, &[run])?.remove(0);
        Ok(Reached {
            state: Observable::unasked(last_seen(&mut reply)),
            changed: reply.setup,
        })
    }

    fn look(&self, state: &mut Observable) -> Observation {
        state.shown.clone()
    }

    fn look_at_each(&self, _state: &Observable) -> Option<Observation> {
        None
    }

    fn ask(&self, state: &Observable, place: usize) -> Observable {
        Observable {
            asked: Some(place),
            ..state.clone()
        }
    }

    fn expand(
        &mut self,
        path: &[Step],
        state: &Observable,
        changes: &[Change],
    ) -> Result<Vec<Reached<Observable>>, AdapterFault> {
        // What was asked before the change is asked first behind it: nothing is to push it out of a cache.
        let first = state.asked.unwrap_or_default();
        let run = |change: &Change| {
            let steps = path.iter().cloned().chain([Step::Change(change.clone())]);
            let mut run = self.questions.run(Vec::new(), steps.collect());
            let asked = &mut run.questions.asked;
            asked[..=first].rotate_right(1);
            run
        };
        let runs: Vec<Run> = changes.iter().map(run).collect();
        let reached = carry_out_checked(self.router, &runs)?
            .into_iter()
            .filter_map(|mut reply| {
                let Some(StepReply::Changed(changed)) = reply.steps.pop() else {
                    return None;
                };
                let mut shown = last_seen(&mut reply);
                if let Some(shown) = shown.shown.get_mut(..=first) {
                    shown.rotate_left(1);
                }
                Some(Reached {
                    state: Observable::unasked(shown),
                    changed,
                })
            });
        Ok(reached.collect())
    }

    fn fresh(&mut self, rows: &[Row]) -> Result<Fresh, AdapterFault> {
        let run = self.questions.run(rows.to_vec(), Vec::new());
        Ok(seen_fresh(&carry_out_checked(self.router, &[run])?[0]))
    }
}

/// Returns the answers of the only round of a run; empty where the reply has none.
fn last_seen(reply: &mut RunReply) -> Observation {
    let round = reply.rounds.pop().unwrap_or_default();
    round.into_iter().next().unwrap_or_default()
}
