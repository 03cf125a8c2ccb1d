//! The words of a dialect that say what cannot be judged of a router, or not in the usual way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The content of a derived structure of a router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StructureKind {
    /// Something of each row that is held, and of no other: its size is that of a fresh router of the same rows.
    #[default]
    Rows,
    /// Answers that may be there or not. Its size says nothing.
    Cache,
    /// Something of each event. It may grow for ever.
    Log,
}
