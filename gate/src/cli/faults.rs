//! The flags of `routeproof faults`.

use std::path::PathBuf;

use clap::Args;

use super::format::Format;
use super::report::ReportArgs;

/// The flags of `faults`.
#[derive(Clone, Debug, Args)]
pub struct FaultsArgs {
    /// Results of the fuzzer, as `fuzz/kill` measures them: adds its column
    #[arg(long, value_name = "FILE")]
    pub fuzzed: Option<PathBuf>,
    /// Output format: text or markdown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Files of reports.
    #[command(flatten)]
    pub reports: ReportArgs,
}
