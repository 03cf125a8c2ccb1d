//! The flags of `routeproof replay`.

use std::path::PathBuf;

use clap::Args;

use super::report::ReportArgs;
use super::router::parse_spec;
use super::store::StoreArgs;
use crate::adapter::spec::{FORMS, Spec};

/// The flags of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// A trace, or a directory of them
    #[arg(value_name = "TRACE|DIR")]
    pub traces: PathBuf,
    /// The router on trial.
    #[arg(help = FORMS, long, value_name = "SPEC", default_value = "reference", value_parser = parse_spec)]
    pub router: Spec,
    /// A fleet of references.
    #[command(flatten)]
    pub fleet: StoreArgs,
    /// Files of reports.
    #[command(flatten)]
    pub reports: ReportArgs,
}
