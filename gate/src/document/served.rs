//! The outcome of a cause whose trace was replayed on complete servers.

use model::Got;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A replay of a cause on complete servers of the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServedReport {
    /// The text that names the servers.
    pub spec: String,
    /// The outcome.
    pub outcome: Served,
}

/// The outcome of a replay on complete servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Served {
    /// The same rule is broken in the same way.
    Confirmed,
    /// The rule is kept, or broken in another way.
    NotConfirmed {
        /// The answer that came to the question that shows the cause; absent where none shows it alone.
        came: Option<Got>,
    },
    /// The servers cannot be driven along the trace, or be asked what shows the cause.
    NotDrivable {
        /// The capability that they lack, or another reason.
        lacks: String,
    },
    /// No replay, for a reason.
    NotReplayed {
        /// The reason.
        why: String,
    },
}
