//! The flags of `routeproof run`.

use std::path::PathBuf;

use clap::Args;

use super::report::ReportArgs;
use super::router::parse_spec;
use super::store::StoreArgs;
use super::trial::TrialArgs;
use crate::adapter::spec::{FORMS, Spec};

/// The flags of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The router on trial.
    #[arg(help = FORMS, long, value_name = "SPEC", default_value = "reference", value_parser = parse_spec)]
    pub router: Spec,
    /// Level, rules and bounds.
    #[command(flatten)]
    pub trial: TrialArgs,
    /// A fleet of references.
    #[command(flatten)]
    pub fleet: StoreArgs,
    /// Random seed, drawn from the clock where absent; the same seed and version replay a run
    #[arg(long, value_name = "N")]
    pub seed: Option<u32>,
    /// Files of reports.
    #[command(flatten)]
    pub reports: ReportArgs,
    /// Excuse the failures that this file names
    #[arg(long, value_name = "FILE")]
    pub skips: Option<PathBuf>,
    /// Run the tests of causes on this release of the router too, which is said to be mended
    #[arg(long, value_name = "VERSION")]
    pub fixed_in: Option<String>,
    /// Replay each cause of a fleet of LiteLLM on complete servers of the release; none is begun later than 15 minutes after
    /// the first
    #[arg(long)]
    pub confirm: bool,
    /// Print every failure, and not its cause alone
    #[arg(long)]
    pub all: bool,
    /// Directory of the traces of failures, and of the report that `explain` reads
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
}
