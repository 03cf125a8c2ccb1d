//! The flags of every command that puts routers on trial.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::Level;
use protocol::wire::REPLICAS_MAX;

use crate::adapter::several::JOBS_MAX;

/// The number of changes within which nineteen of twenty planted faults are found by random traces: 476 in the kill table,
/// and some more.
const CHANGES_MIN: u64 = 500;

/// The level, rules and bounds of a trial.
#[derive(Clone, Debug, Args)]
pub struct TrialArgs {
    /// What is on trial: one router, or several replicas of it over one store
    #[arg(long, value_name = "LEVEL", default_value = "router")]
    pub level: LevelArg,
    /// Most replicas of a fleet, where the adapter does not say fewer
    #[arg(long, value_name = "N", default_value_t = REPLICAS, value_parser = clap::value_parser!(u8).range(1..=i64::from(REPLICAS_MAX)))]
    pub replicas: u8,
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
    /// Processes of an adapter that traces are dealt out to; what is tried, and what is found of a trace, does not depend
    /// on it
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_jobs)]
    pub jobs: NonZeroUsize,
    /// Most random traces to try
    #[arg(long, value_name = "N", default_value_t = u32::MAX)]
    pub traces: u32,
    /// Time after which the witness of a cause is asked for again, of a router that declares `wait`; `0s` for not at all
    #[arg(long, value_name = "TIME", default_value = ASK_AGAIN, value_parser = parse_time)]
    pub ask_again: Duration,
}

/// The time after which a witness is asked for again.
const ASK_AGAIN: &str = "2s";
/// The most replicas of a fleet.
const REPLICAS: u8 = 3;

impl TrialArgs {
    /// The words that give the same flags again, but for those that are what they are where nobody gives them.
    pub(super) fn words(&self) -> Vec<String> {
        let time = |time: Duration| match time.subsec_millis() {
            0 => format!("{}s", time.as_secs()),
            _ => format!("{}ms", time.as_millis()),
        };
        let mut flags: Vec<(&str, Option<String>)> = vec![
            ("--level", (self.level == LevelArg::Fleet).then(|| "fleet".to_owned())),
            (
                "--replicas",
                (self.replicas != REPLICAS).then(|| self.replicas.to_string()),
            ),
        ];
        flags.extend(self.rule.iter().map(|glob| ("--rule", Some(glob.clone()))));
        flags.extend([
            ("--budget", self.budget.map(time)),
            (
                "--changes-min",
                (self.changes_min != CHANGES_MIN).then(|| self.changes_min.to_string()),
            ),
            (
                "--jobs",
                (self.jobs != NonZeroUsize::MIN).then(|| self.jobs.to_string()),
            ),
            ("--traces", (self.traces != u32::MAX).then(|| self.traces.to_string())),
            (
                "--ask-again",
                Some(time(self.ask_again)).filter(|time| time != ASK_AGAIN),
            ),
        ]);
        let given = flags
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        given.flatten().collect()
    }
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
