//! From failures to causes: the step of a trace that is to blame, what it left behind, and the failures that share both.
//!
//! Neither rule nor trace tells faults apart: one fault breaks many rules, and the same steps show different faults. What
//! the guilty step left behind does. [`diagnose()`] finds it by asking a router, and fresh routers of the rows that it had
//! accepted, after each prefix of the shrunk trace. [`group()`] puts the failures of one [`CauseKey`] together.

mod diagnose;
mod group;
mod harm;
mod lasts;
mod own;
mod schedule;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use protocol::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use diagnose::{Diagnosis, diagnose};
pub use group::{Cause, Member, group};
pub use harm::{Harm, HarmKind};
pub use lasts::{Lasts, lasts};
pub use schedule::{Left, Race, RowChange, Schedule, Until};

use crate::failure::Version;
use crate::rules::{Oracle, RuleId};

/// The equality key of a cause. It depends on one failure alone, so that each can be placed while a run goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CauseKey {
    /// An accepted change left the router out of step with a fresh one.
    Applied {
        /// The verb of the change.
        verb: String,
        /// The way in which the answers are wrong since.
        shows: Wrong,
        /// The structures that hold a version that should be gone, or one copy too many, where the router tells.
        structures: BTreeSet<String>,
        /// The parameter bundles without which the router's own registry would be in step.
        extras: BTreeSet<String>,
    },
    /// A refused row changed something.
    RefusedRow {
        /// The state of the row, and of the version before it.
        remains: Remains,
    },
    /// A refused list changed something.
    RefusedList,
    /// Rows were accepted of which no fresh router can be built.
    Unbuildable {
        /// The verb of the change that brought the last of them.
        verb: String,
        /// The first words of the reason: each check that a change leaves out is a fault of its own.
        reason: String,
    },
    /// The answer depends on what was asked before.
    AskedBefore,
    /// The state is right, and the answer that is looked up in it is wrong.
    Lookup {
        /// The worst rule that the answer breaks.
        rule: RuleId,
        /// The way in which it breaks it.
        class: String,
        /// The code paths that break it; of the rules on teams and blocked rows, on a router with several.
        paths: BTreeSet<String>,
        /// True if the row was reached by its id.
        by_id: bool,
        /// The parameter bundles without which the answer is right.
        extras: BTreeSet<String>,
    },
    /// A structure has another number of entries than in a fresh router.
    Growth {
        /// The router's own name of the structure.
        structure: String,
        /// True if it has fewer.
        fewer: bool,
    },
    /// A change was called unchanged, and the row is what it was before.
    NotCarriedOut {
        /// The verb of the change.
        verb: String,
    },
    /// A row was accepted and is not held, by a fresh router neither.
    LeftOut {
        /// The parameter bundles without which it is held.
        extras: BTreeSet<String>,
    },
    /// A change was refused that is valid, or accepted that is not, while nothing else was out of step.
    Decision {
        /// The way in which it was decided wrongly.
        class: String,
        /// The verb of the change.
        verb: String,
        /// The first words of the reason for refusing it, the router's or the preset's.
        reason: String,
    },
    /// A schedule of a fleet went wrong.
    Schedule(Schedule),
    /// The evidence does not tell which step is to blame: nothing is grouped but by what was broken.
    Unexplained {
        /// The rule.
        rule: RuleId,
        /// The way in which it is broken.
        class: String,
    },
}

/// The way in which answers are wrong since a change was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    /// A version that was replaced or deleted is still there, or a current one more than once.
    Kept,
    /// A current version is there where a fresh router has none.
    New,
    /// A current version is missing.
    Hides,
    /// A lookup breaks that a fresh router answers.
    Breaks,
    /// Nothing has changed at all.
    Ignored,
}

/// The state of a refused row and of the version before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Remains {
    /// The refused row is held as if it had been accepted.
    Held,
    /// The version before it is gone.
    Lost,
    /// The refused row left something in a derived structure.
    LeftBehind,
}

/// A router after one step of a diagnosed trace, as far as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// The router's word on the step, or on its construction; absent of a question.
    pub outcome: Option<Outcome>,
    /// The versions of the rows that were accepted by then.
    pub rows: Vec<Version>,
    /// The versions that some answer holds.
    pub serves: Vec<Version>,
    /// The tags in each structure, where the router tells.
    pub holds: BTreeMap<String, Vec<String>>,
}

impl CauseKey {
    /// Returns whether mistakes of Routeproof's own look like this: a preset that is out of date, a wrong premise. Such a
    /// cause is to be checked by a person, and counts as none.
    pub fn is_to_be_checked(&self) -> bool {
        match self {
            Self::LeftOut { .. } | Self::Decision { .. } => true,
            // That another row should have answered is the preset's word alone.
            Self::Lookup { rule, class, .. } => rule.rule().oracle == Oracle::Spec && class == "not-eligible",
            _ => false,
        }
    }
}
