//! Answers: the candidates, refusals and failures that a router returns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One deployment that may serve a query, as the router returned it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The deployment's id.
    pub id: String,
    /// The upstream model that the request would be sent to, wildcards filled in.
    pub model: String,
    /// The tag of the row version that the router answered from.
    pub tag: String,
}

/// The reason why a query has no candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No visible row goes by that name.
    UnknownModel,
    /// Every row that goes by that name is blocked.
    Blocked,
    /// The query itself cannot be asked: it is empty, or holds control characters.
    Invalid,
}

/// The answer to one query on one path of the router. Candidates are a multiset: one that comes twice skews the load.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The deployments that may serve the query, at least one, in any order.
    Candidates(Vec<Candidate>),
    /// The router refused in a way that it means to.
    Refused(Refusal),
    /// The router broke while answering: an exception, an assertion. The text is its own.
    Failed(String),
}

impl Answer {
    /// The same answer with its candidates sorted, so that two answers compare as multisets.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        if let Self::Candidates(candidates) = &mut self {
            candidates.sort_unstable();
        }
        self
    }

    /// The candidates; none where the router refused or failed.
    pub fn candidates(&self) -> &[Candidate] {
        match self {
            Self::Candidates(candidates) => candidates,
            Self::Refused(_) | Self::Failed(_) => &[],
        }
    }
}
