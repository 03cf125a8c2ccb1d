//! The traces that were under way when an adapter failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The traces that were under way when an adapter failed, or the one among them that brings it down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuspectReport {
    /// The number of traces in the message that it failed on.
    pub message: usize,
    /// The result of carrying them out again, one by one.
    pub brings: Brings,
    /// The command that replays the first trace that was written.
    pub replay: Option<String>,
    /// The files that were written: of one trace where it brings the adapter down, else of the message.
    pub files: Vec<String>,
}

/// The result of carrying out the traces of a message again, one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Brings {
    /// One brings a fresh adapter down by itself.
    Alone,
    /// One brings it down, but only behind those before it.
    BehindOthers,
    /// None brings it down.
    NotAgain,
    /// The adapter did not come up again, or time was up.
    NotTried,
}

impl Brings {
    /// The sentence about the traces that were written, which were under way when the adapter failed.
    pub fn words(self) -> &'static str {
        match self {
            Self::Alone => "it brings a fresh adapter down by itself",
            Self::BehindOthers => "it brought the adapter down again, but only behind those before it in the message",
            Self::NotAgain => "none of the message brings a fresh adapter down when it is carried out again by itself",
            Self::NotTried => "they were not all carried out again: the adapter did not come up, or time was up",
        }
    }
}
