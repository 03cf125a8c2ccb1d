//! The flags of every command that judges.

use std::path::PathBuf;

use clap::Args;

/// Files of reports, beside stdout.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Write the report to this file too; its ending says the format: `.json`
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
}
