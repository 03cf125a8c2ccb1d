//! The documents: what each command that judges came to, as data.
//!
//! Reports are functions of a document and decide nothing; the exit code is computed from it by [`Document::verdict`]
//! alone. The types are the report's JSON as well, whose schema is `docs/schema/report.json`: their fields are a stable
//! interface. A new command is a new variant, a file of its own, and a rendering.

mod cause;
mod coverage;
mod explore;
mod faults;
mod finding;
mod headline;
mod matrix;
mod replay;
mod reproduction;
mod run;
mod served;
mod suspect;
mod verdict;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use cause::{CauseReport, FormReport, KnownReport};
pub(crate) use coverage::{CoverageReport, NotTried};
pub(crate) use explore::{
    ActionReport, ConvergenceReport, Counterexample, ExploreReport, FleetReport, FleetRuleReport, FleetStepReport,
    ModelledOn, ModelledOutcome,
};
pub use faults::{Engine, FaultReport, FaultsReport, Kill, Killed};
pub(crate) use finding::FindingReport;
pub(crate) use headline::headline;
pub(crate) use matrix::{
    CauseCell, Damage, MatrixCause, MatrixReport, ReleaseReport, ReleaseTrial, Since, TriedRelease,
};
pub(crate) use replay::{ReplayReport, TraceReport, TraceStatus};
pub(crate) use reproduction::{ReproductionReport, TestResult, TestRun};
pub(crate) use run::{
    Confirmation, ExplorationReport, FailureReport, IdleSkip, OriginReport, PREMISES_MIN, RuleReport, RuleStatus,
    RunReport, SearchReport, Unexplored,
};
pub(crate) use served::{Served, ServedReport};
pub(crate) use suspect::{Brings, SuspectReport};
pub(crate) use verdict::{Counts, Facts, Verdict};

use protocol::{Capability, Hello, Level};

/// The version of the JSON report.
pub(crate) const FORMAT: u32 = 4;

/// The outcome of a command that judges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Document {
    /// Of `run`.
    Run(RunReport),
    /// Of `matrix`.
    Matrix(MatrixReport),
    /// Of `replay`.
    Replay(ReplayReport),
    /// Of `explore`.
    Explore(ExploreReport),
    /// Of `faults`.
    Faults(FaultsReport),
}

impl Document {
    /// The verdict, from the document alone.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(match self {
            Self::Run(run) => run.facts(),
            Self::Matrix(matrix) => matrix.facts(),
            Self::Replay(replay) => replay.facts(),
            Self::Explore(explored) => explored.facts(),
            Self::Faults(faults) => faults.facts(),
        })
    }

    /// Numbers of what was judged.
    pub fn counts(&self) -> Counts {
        match self {
            Self::Run(run) => run.counts(),
            Self::Matrix(matrix) => matrix.counts(),
            Self::Replay(replay) => replay.counts(),
            Self::Explore(explored) => explored.counts(),
            Self::Faults(faults) => faults.counts(),
        }
    }
}

/// The router on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrialReport {
    /// The router, as it was named on the command line.
    pub spec: String,
    /// The name of the router, from its hello.
    pub router: String,
    /// The version of the router, from its hello.
    pub version: String,
    /// The protocol that it speaks.
    pub protocol: u32,
    /// The preset that it claims.
    pub semantics: Option<String>,
    /// One router, or several replicas over one store.
    #[serde(default)]
    pub level: Level,
}

impl TrialReport {
    /// The router of that name that said `hello`.
    pub fn new(spec: &str, hello: &Hello) -> Self {
        Self {
            spec: spec.to_owned(),
            router: hello.router.clone(),
            version: hello.version.clone(),
            protocol: hello.protocol,
            semantics: hello.dialect.semantics.clone(),
            level: if hello.can(Capability::Fleet) {
                Level::Fleet
            } else {
                Level::Router
            },
        }
    }
}

/// An event that ends a command before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interruption {
    /// A fault of the adapter, in words.
    AdapterFault(String),
    /// A signal of that number.
    Signal(i32),
}

impl Interruption {
    /// The fault of the adapter, if it was one.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::AdapterFault(fault) => Some(fault.clone()),
            Self::Signal(_) => None,
        }
    }

    /// The reason why something is left open, if it was a signal.
    pub(super) fn signal(&self) -> Option<String> {
        match self {
            Self::AdapterFault(_) => None,
            Self::Signal(signal) => Some(format!("signal {signal} ended it before its time")),
        }
    }
}

/// A JSON report: a document with its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JsonReport<'a> {
    /// The version of the report's format.
    pub format: u32,
    /// The version of Routeproof.
    pub routeproof: String,
    /// The verdict, which follows from the document.
    pub summary: Summary,
    /// The document.
    #[serde(flatten)]
    pub document: Cow<'a, Document>,
}

/// The verdict in words and numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The name of the exit code.
    pub verdict: String,
    /// The exit code.
    pub exit_code: u8,
    /// The reason, where it is not plain.
    pub why: Option<String>,
    /// Numbers of what was judged.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Summary {
    fn new(Verdict { exit, why }: Verdict, counts: Counts) -> Self {
        Self {
            verdict: exit.name().to_owned(),
            exit_code: exit.code(),
            why,
            counts,
        }
    }
}

impl<'a> JsonReport<'a> {
    /// The report of a document.
    pub fn new(document: &'a Document) -> Self {
        Self {
            format: FORMAT,
            routeproof: env!("CARGO_PKG_VERSION").to_owned(),
            summary: Summary::new(document.verdict(), document.counts()),
            document: Cow::Borrowed(document),
        }
    }
}
