//! The flags of `routeproof faults`.

use std::path::PathBuf;

use clap::Args;

use super::format::Format;
use super::report::ReportArgs;
use super::trial::LevelArg;

/// The flags of `faults`.
#[derive(Clone, Debug, Args)]
pub struct FaultsArgs {
    /// The faults on trial: those of one router, or those of a fleet
    #[arg(long, value_name = "LEVEL", default_value = "router")]
    pub level: LevelArg,
    /// Results of the fuzzer on routers, as `fuzz/kill` measures them: adds its column
    #[arg(long, value_name = "FILE")]
    pub fuzzed: Option<PathBuf>,
    /// Output format: text or markdown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Files of reports.
    #[command(flatten)]
    pub reports: ReportArgs,
}
