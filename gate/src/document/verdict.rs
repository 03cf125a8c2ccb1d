//! The one place that decides an exit code.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// The facts that decide a verdict, whatever the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// True if something was broken.
    pub violated: bool,
    /// A fault of the adapter that ended it before its time.
    pub fault: Option<String>,
    /// An error in the input that only showed at the end.
    pub misuse: Option<String>,
    /// True if anything was judged.
    pub judged: bool,
    /// The reason why something could not be judged, and what to raise.
    pub open: Option<String>,
}

/// The verdict of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The exit code of the command.
    pub exit: Exit,
    /// The reason, where it is not plain.
    pub why: Option<String>,
}

/// Numbers of what was judged: rules of a run or an exploration, traces of a replay, releases of a matrix, faults by engine of
/// a kill table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// The number that held, were as documented, or were found.
    pub passed: usize,
    /// The number that did not hold, were not as documented, or were not found.
    pub failed: usize,
    /// The number that could not apply, or could not be tried.
    pub skipped: usize,
    /// The number that never had anything to check, or too little.
    pub vacuous: usize,
}

impl Verdict {
    /// Weighs the facts: a violation is there whatever else is wrong, and nothing passes that was not judged.
    pub(super) fn of(facts: Facts) -> Self {
        let (exit, why) = match facts {
            Facts { violated: true, .. } => (Exit::Violation, None),
            Facts { fault: Some(why), .. } => (Exit::AdapterFault, Some(why)),
            Facts { misuse: Some(why), .. } => (Exit::Usage, Some(why)),
            Facts { judged: false, .. } => {
                let why = "nothing was judged; see that a rule and a trace are left to run";
                (Exit::NothingRan, Some(why.to_owned()))
            }
            Facts { open: Some(why), .. } => (Exit::Inconclusive, Some(why)),
            Facts { .. } => (Exit::Conforms, None),
        };
        Self { exit, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_outweighs_all_and_nothing_passes_unjudged() {
        for bits in 0..32_u8 {
            let is_set = |bit: u8| bits & 1 << bit != 0;
            let text = |bit: u8| is_set(bit).then(|| "why".to_owned());
            let verdict = Verdict::of(Facts {
                violated: is_set(0),
                fault: text(1),
                misuse: text(2),
                judged: !is_set(3),
                open: text(4),
            });
            let by_rank = [
                Exit::Violation,
                Exit::AdapterFault,
                Exit::Usage,
                Exit::NothingRan,
                Exit::Inconclusive,
                Exit::Conforms,
            ];
            let expected = by_rank[bits.trailing_zeros().min(5) as usize];
            assert_eq!(verdict.exit, expected, "{bits:#b}");
            let plain = matches!(expected, Exit::Violation | Exit::Conforms);
            assert_eq!(verdict.why.is_none(), plain, "{verdict:?}");
        }
    }
}
