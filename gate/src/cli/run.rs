//! The flags of `routeproof run`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::Level;
use protocol::wire::REPLICAS_MAX;

use super::report::ReportArgs;
use super::router::parse_spec;
use crate::adapter::several::JOBS_MAX;
use crate::adapter::spec::{FORMS, Spec};
use crate::adapter::store::{STORE_FORMS, Store};

/// The number of changes within which nineteen of twenty planted faults are found by random traces: 476 in the kill table,
/// and some more.
const CHANGES_MIN: u64 = 500;

/// The flags of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The router on trial.
    #[arg(help = FORMS, long, value_name = "SPEC", default_value = "reference", value_parser = parse_spec)]
    pub router: Spec,
    /// What is on trial: one router, or several replicas of it over one store
    #[arg(long, value_name = "LEVEL", default_value = "router")]
    pub level: LevelArg,
    /// Most replicas of a fleet, where the adapter does not say fewer
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=i64::from(REPLICAS_MAX)))]
    pub replicas: u8,
    /// The store of a fleet of references [default: sqlite]
    #[arg(help = format!("The store of a fleet of references: {STORE_FORMS} [default: sqlite]"), long, value_name = "STORE", value_parser = Store::from_str)]
    pub store: Option<Store>,
    /// The rules to judge by: an id or a pattern such as `*-free`; with a `!` in front, rules to leave out; may be
    /// repeated
    #[arg(long, value_name = "GLOB")]
    pub rule: Vec<String>,
    /// Time to look for failures and make them small, such as `30s` or `5m`; where absent, until there is enough for a
    /// verdict: 10 s to 10 min
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub budget: Option<Duration>,
    /// Least number of changes with an effect, in traces, for a router to conform
    #[arg(long, value_name = "N", default_value_t = CHANGES_MIN)]
    pub changes_min: u64,
    /// Random seed, drawn from the clock where absent; the same seed and version replay a run
    #[arg(long, value_name = "N")]
    pub seed: Option<u32>,
    /// Processes of an adapter that traces are dealt out to; what is tried, and what is found of a trace, does not depend
    /// on it
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_jobs)]
    pub jobs: NonZeroUsize,
    /// Most random traces to try
    #[arg(long, value_name = "N", default_value_t = u32::MAX)]
    pub traces: u32,
    /// Files of reports.
    #[command(flatten)]
    pub reports: ReportArgs,
    /// Excuse the failures that this file names
    #[arg(long, value_name = "FILE")]
    pub skips: Option<PathBuf>,
    /// Time after which the witness of a cause is asked for again, of a router that declares `wait`; `0s` for not at all
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_time)]
    pub ask_again: Duration,
    /// Run the tests of causes on this release of the router too, which is said to be mended
    #[arg(long, value_name = "VERSION")]
    pub fixed_in: Option<String>,
    /// Print every failure, and not its cause alone
    #[arg(long)]
    pub all: bool,
    /// Directory of the traces of failures, and of the report that `explain` reads
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
}

/// The level of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LevelArg {
    /// One router.
    Router,
    /// Several replicas over one store.
    Fleet,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Router => Self::Router,
            LevelArg::Fleet => Self::Fleet,
        }
    }
}

fn parse_jobs(text: &str) -> Result<NonZeroUsize, String> {
    let jobs = text.parse::<NonZeroUsize>().ok().filter(|jobs| jobs.get() <= JOBS_MAX);
    jobs.ok_or_else(|| format!("write a whole number from 1 to {JOBS_MAX}"))
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        other => {
            return Err(format!(
                "there is no unit `{other}`; write `500ms`, `30s`, `5m` or `2h`"
            ));
        }
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "write a whole number and a unit, such as `30s`".to_owned())?;
    let millis = number
        .checked_mul(unit)
        .ok_or_else(|| "that is longer than can be counted".to_owned())?;
    Ok(Duration::from_millis(millis))
}
