//! The causes of a run's failures.

use std::collections::BTreeSet;

use model::{CauseKey, Harm, Lasts, RuleId, Told};
use protocol::{Level, Outcome, Question, Row, Step, TraceFile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FindingReport, ReproductionReport, ServedReport};

/// A group of failures that one fault explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CauseReport {
    /// The name in this document: `cause-1`, `cause-2`, the worst first.
    pub id: String,
    /// The key, which is the same in each run that meets the cause.
    pub key: CauseKey,
    /// The key in words.
    pub headline: String,
    /// The harm that it does to requests, at its worst.
    pub harm: Harm,
    /// True if mistakes of Routeproof's own look like this: it is to be checked by a person, and counts as no cause.
    pub to_check: bool,
    /// The known issues with the same key.
    pub known: Vec<KnownReport>,
    /// The number of distinct failures.
    pub failures: usize,
    /// The number of findings of all of them.
    pub hits: u64,
    /// The ways in which it showed.
    pub forms: Vec<FormReport>,
    /// The finding of the witness, the worst of its failures.
    pub finding: FindingReport,
    /// The number of steps of the witness up to the guilty one, that one included; absent where no step is to blame.
    pub guilty: Option<usize>,
    /// The structures that hold a version that should be gone, or one copy too many, where the router tells.
    pub structures: BTreeSet<String>,
    /// The router before the first step of the witness and after each, as far as it was seen.
    pub told: Vec<Told>,
    /// What the adapter did for each step of the witness and for the question at its end, as a person would tell a shell to;
    /// empty where it does not say.
    pub did: Vec<Option<String>>,
    /// The time that the witness lasts once nothing happens any more; absent where the router cannot wait.
    pub lasts: Option<Lasts>,
    /// The number of the trace that first showed one of its failures.
    pub trace_number: u32,
    /// The time from the moment that the router was up until one was found.
    pub found_after_seconds: f64,
    /// The command that replays the witness.
    pub replay: Option<String>,
    /// The test that shows it without Routeproof; absent for a router whose language is not known, or if no test did.
    pub reproduction: Option<ReproductionReport>,
    /// The replay on complete servers of the release; absent where the run was not to confirm its causes.
    pub served: Option<ServedReport>,
    /// The files that were written of the witness.
    pub files: Vec<String>,
    /// The trace of the witness, the question at its end.
    pub trace: TraceFile,
}

/// A known issue of the router that has the key of a cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct KnownReport {
    /// The name of its trace.
    pub name: String,
    /// The number of the issue that tells of it, such as `#29064`.
    pub issue: Option<String>,
    /// The versions that are documented to be affected.
    pub affected: Option<String>,
    /// True if the router's version is one of them.
    pub expected: bool,
}

/// A way in which a cause showed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct FormReport {
    /// The rule that was broken.
    pub rule: RuleId,
    /// The way in which it was broken.
    pub class: String,
    /// The number of distinct failures.
    pub failures: usize,
    /// The number of findings.
    pub hits: u64,
}

impl CauseReport {
    /// The rows that the router is constructed with.
    pub fn initial(&self) -> &[Row] {
        &self.trace.trace.setup.rows
    }

    /// The steps of the witness before the question that shows it.
    pub fn steps(&self) -> &[Step] {
        before_question(&self.trace, &self.finding)
    }

    /// Returns whether the step of that number, from 1, was refused; of 0 the construction.
    pub fn is_refused(&self, step: usize) -> bool {
        let outcome = self.told.get(step).and_then(|told| told.outcome.as_ref());
        matches!(outcome, Some(Outcome::Refused(_)))
    }

    /// Returns whether the cause counts as one, and is not of the known issues.
    pub fn is_new(&self) -> bool {
        !self.to_check && self.known.is_empty()
    }
}

/// The steps of a trace before the question at its end that shows a failure.
///
/// The question of a schedule stands among its steps.
pub(super) fn before_question<'a>(file: &'a TraceFile, finding: &FindingReport) -> &'a [Step] {
    let steps = &file.trace.steps;
    let is_router = file.trace.level == Level::Router;
    let is_asked = is_router && finding.asked.as_ref().is_some_and(|asked| *asked != Question::Claims);
    &steps[..steps.len() - usize::from(is_asked)]
}
