//! The flags of `routeproof faults`.

use std::path::PathBuf;

use clap::Args;

use super::format::Format;
use super::report::ReportArgs;

/// What `faults` takes.
#[derive(Clone, Debug, Args)]
pub struct FaultsArgs {
    /// What the fuzzer came to, as `fuzz/kill` measures it: adds its column
    #[arg(long, value_name = "FILE")]
    pub fuzzed: Option<PathBuf>,
    /// For whom
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Where reports go.
    #[command(flatten)]
    pub reports: ReportArgs,
}
