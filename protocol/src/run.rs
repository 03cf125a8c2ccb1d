//! One trace with its questions, and the reply to it: the unit of work that crosses the wire.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::row::Row;
use crate::step::{Query, Step};

/// One trace from a fresh router on, with the questions to put to it on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The rows that the fresh router is constructed with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initial: Vec<Row>,
    /// How many replicas stand over one store; 0 for a router alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replicas: u8,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// When to observe: after that many steps, ascending, each at most the number of steps.
    pub observe: Vec<u32>,
    /// The lookups of each observation.
    pub queries: Vec<Query>,
    /// The callers whose listing each observation holds: `null` is a caller without a team.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub viewers: Vec<Option<String>>,
}

/// What the router said of a change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It took the change.
    Applied,
    /// It found nothing to change.
    Unchanged,
    /// It refused, and says why.
    Refused(String),
}

/// The reply to a change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    /// What the router said.
    pub outcome: Outcome,
    /// The ids that the router itself now claims to hold, in any order; absent where it cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Vec<String>>,
}

/// The reply to one step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepReply {
    /// To a change, or to a fleet's write.
    Changed(Changed),
    /// To a lookup: one answer for each path of the dialect.
    Answered(Vec<Answer>),
    /// To any other step of a fleet: whether it worked.
    Did(Outcome),
}

/// What was seen at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// The replica that was asked; only in a fleet, where each moment has one observation a replica that is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u8>,
    /// For each query, one answer for each path of the dialect.
    pub answers: Vec<Vec<Answer>>,
    /// For each viewer, the model names that the router shows; empty without the `listing` capability.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listings: Vec<Vec<String>>,
    /// Entries in each derived structure; empty without the `sizes` capability.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sizes: BTreeMap<String, u64>,
}

/// The reply to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunReply {
    /// What became of constructing the router with the initial rows.
    pub initial: Changed,
    /// One reply a step.
    pub steps: Vec<StepReply>,
    /// What was seen at each moment of `observe`: one each, or one a replica each in a fleet.
    pub observations: Vec<Observation>,
    /// Nanoseconds spent inside the router's own operations, construction included; absent where it is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router_ns: Option<u64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
fn is_zero(count: &u8) -> bool {
    *count == 0
}
