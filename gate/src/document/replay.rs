//! The document of `replay`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Counts, Facts, FindingReport, Interruption, TrialReport};

/// Traces, held against what is known of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayReport {
    /// The router; absent where there was no trace to replay.
    pub trial: Option<TrialReport>,
    /// Every trace that was carried out or skipped, in the order of the files.
    pub traces: Vec<TraceReport>,
    /// The event that ended the replay before its time, if one did.
    pub interrupted: Option<Interruption>,
}

/// A trace that was replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceReport {
    /// The file of the trace.
    pub file: String,
    /// The verdict on it.
    pub status: TraceStatus,
    /// The reason of a skip.
    pub reason: Option<String>,
    /// The findings, of the trace's own rule where it names one.
    pub findings: Vec<FindingReport>,
}

/// The verdict on a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TraceStatus {
    /// The rule holds, as it should.
    Holds,
    /// The rule is broken, in a version that is documented to be affected.
    Reproduced,
    /// The rule is broken, and should not be.
    Violates,
    /// The rule holds, in a version that is documented to be affected.
    NotReproduced,
    /// The trace is of another router, or of what this one cannot do.
    Skipped,
}

impl ReplayReport {
    /// The numbers of traces by whether they are as documented.
    pub fn counts(&self) -> Counts {
        let count = |wanted: &[TraceStatus]| self.traces.iter().filter(|one| wanted.contains(&one.status)).count();
        Counts {
            passed: count(&[TraceStatus::Holds, TraceStatus::Reproduced]),
            failed: count(&[TraceStatus::Violates, TraceStatus::NotReproduced]),
            skipped: count(&[TraceStatus::Skipped]),
            vacuous: 0,
        }
    }

    pub(super) fn facts(&self) -> Facts {
        let counts = self.counts();
        Facts {
            violated: counts.failed > 0,
            fault: self.interrupted.as_ref().and_then(Interruption::fault),
            misuse: None,
            judged: counts.passed > 0 || self.interrupted.is_some(),
            open: self.interrupted.as_ref().and_then(Interruption::signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::exit::Exit;

    #[test]
    fn a_replay_passes_where_every_trace_is_as_documented() {
        use TraceStatus::{Holds, NotReproduced, Reproduced, Skipped, Violates};
        let trace = |status: &TraceStatus| TraceReport {
            file: "trace.toml".to_owned(),
            status: *status,
            reason: None,
            findings: Vec::new(),
        };
        let rows: &[(&[TraceStatus], Exit)] = &[
            (&[], Exit::NothingRan),
            (&[Skipped], Exit::NothingRan),
            (&[Holds], Exit::Conforms),
            (&[Reproduced], Exit::Conforms),
            (&[Holds, Skipped, Reproduced], Exit::Conforms),
            (&[Violates], Exit::Violation),
            (&[NotReproduced], Exit::Violation),
            (&[Holds, Violates], Exit::Violation),
            (&[Reproduced, NotReproduced], Exit::Violation),
        ];
        for (statuses, expected) in rows {
            let report = ReplayReport {
                trial: None,
                traces: statuses.iter().map(trace).collect(),
                interrupted: None,
            };
            assert_eq!(Document::Replay(report).verdict().exit, *expected, "{statuses:?}");
        }
    }
}
