//! One trace with its questions, and the reply to it: the unit of work that crosses the wire.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::ask::{Question, Questions};
use crate::op::{OpId, Point};
use crate::row::Row;
use crate::step::Step;
use crate::trace::Trace;

/// One trace from a fresh router or fleet on, with the questions to put to it on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The trace to carry out.
    pub trace: Trace,
    /// The questions to put between the steps.
    #[serde(default)]
    pub questions: Questions,
}

impl Run {
    /// The trace up to `steps` of its steps, with what is asked on the way as steps of its own, in the order of asking. Of a
    /// round only the questions up to the first one, behind so many steps, for which `goes_in` is false.
    pub fn spelled_out(&self, steps: usize, goes_in: impl Fn(usize, &Question) -> bool) -> Trace {
        let Self { trace, questions } = self;
        let count = steps.min(trace.steps.len());
        let mut rounds = questions.rounds.iter().peekable();
        let mut steps = Vec::new();
        for done in 0..=count {
            if let Some(round) = rounds.next_if(|round| round.after as usize == done) {
                let asked = questions.of(round).map(|(_, question)| question);
                let asked = asked.take_while(|question| goes_in(done, question));
                steps.extend(asked.map(|question| Step::Ask(None, question.clone())));
            }
            steps.extend(trace.steps[..count].get(done).cloned());
        }
        Trace { steps, ..trace.clone() }
    }

    /// The trace with every question as a step at its end, so that its file asks what the run asks.
    pub fn asking(&self) -> Trace {
        let mut trace = self.trace.clone();
        let asked = self.questions.asked.iter().cloned();
        trace.steps.extend(asked.map(|question| Step::Ask(None, question)));
        trace
    }
}

/// The router's word on a change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The router took the change.
    Applied,
    /// The router found nothing to change.
    Unchanged,
    /// The router refused, and says why.
    Refused(String),
}

/// The reply to a change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// The router's word on the change.
    pub outcome: Outcome,
    /// The ids that the router itself now claims to hold, in any order; absent where it cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Vec<String>>,
}

impl Changed {
    /// A change that was taken, by a router that does not say what it holds.
    pub const APPLIED: Self = Self {
        outcome: Outcome::Applied,
        held: None,
    };
}

/// The reply to one step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepReply {
    /// To a change of the only router there is.
    Changed(Changed),
    /// To a question.
    Shown(Shown),
    /// To any other step of a fleet: each operation whose state changed, the step's own first. Also to a question that is
    /// put to a replica that is down: nothing is shown, and nothing moves.
    Moved(Vec<Moved>),
}

/// An operation whose state changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The operation: the name that `begin` gave it, or `#` and the number of the step, from 1, that carries it out.
    pub op: OpId,
    /// The operation's state.
    pub now: Now,
}

/// The state of an operation after a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Now {
    /// A write has ended, with this reply.
    Changed(Changed),
    /// A request has ended, with this answer.
    Answered(Vec<Answer>),
    /// The operation has ended, with nothing to tell.
    Done,
    /// The operation has ended in an error, with the router's own text; a write may have been made or not.
    Failed(String),
    /// The operation is held there.
    Held(Point),
    /// The operation waits: for this other one, where that can be known.
    Waiting(Option<OpId>),
    /// The operation was lost in a crash.
    Lost,
}

impl Now {
    /// Returns whether the operation is over.
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Held(_) | Self::Waiting(_))
    }
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// To a lookup: one answer for each path of the dialect.
    Answers(Vec<Answer>),
    /// To a listing: the model names.
    Names(Vec<String>),
    /// To a question for claims: ids, in any order.
    Ids(Vec<String>),
    /// To a question for what is held: for each derived structure the tags of the versions in it, in any order.
    Holds(BTreeMap<String, Vec<String>>),
    /// To a question for sizes: the entries of each derived structure.
    Sizes(BTreeMap<String, u64>),
    /// To a question for the store: its rows.
    Rows(Vec<Row>),
}

/// The answers to one round of questions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// The replica that was asked; only in a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u8>,
    /// The answers: one for each question, in the order in which they were asked.
    pub shown: Vec<Shown>,
}

/// The reply to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunReply {
    /// The reply to constructing the router, or to setting up the fleet.
    pub setup: Changed,
    /// One reply a step.
    pub steps: Vec<StepReply>,
    /// For each round of questions one observation, or in a fleet one for each replica that is up.
    pub rounds: Vec<Vec<Observation>>,
    /// For each step a command that a person could give to a shell to do the same, such as a `curl` line, or nothing; empty
    /// where the adapter does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub did: Vec<Option<String>>,
    /// Nanoseconds spent inside the router's own operations, construction included; absent where it is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router_ns: Option<u64>,
}
