//! The flags of `routeproof`, and what comes from the environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::adapter::spec::{FORMS, Spec};
use crate::adapter::supervisor::Waits;
use crate::adapter::{Settings, builtin};
use crate::commands::explore::args::ExploreArgs;
use crate::exit::Exit;

/// Puts a request router on trial.
///
/// After any sequence of deployment updates every lookup must answer from the current deployments. Routeproof shows that
/// it does, or prints the shortest sequence after which one does not.
#[derive(Clone, Debug, Parser)]
#[command(name = "routeproof", version, after_help = exit_codes(), subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
}

fn exit_codes() -> String {
    format!("Exit codes:\n{}", Exit::table())
}

/// One verb each.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Put a router on trial by every rule
    Run(RunArgs),
    /// Replay traces, against what is known of them
    Replay(ReplayArgs),
    /// Put every planted fault on trial: the kill table
    Faults {
        /// What the fuzzer came to, as `fuzz/kill` measures it: adds its column
        #[arg(long, value_name = "FILE")]
        fuzzed: Option<PathBuf>,
        /// For whom
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Explore every interleaving of a small fleet
    Explore(Box<ExploreArgs>),
    /// List the rules
    Rules {
        /// For whom
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Explain one rule
    Explain {
        /// Its id
        rule: String,
    },
    /// Serve a router over stdin and stdout, as an adapter does
    Adapter(AdapterArgs),
    /// Print the completions for a shell
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// For whom a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A person at a terminal.
    Text,
    /// The book.
    Markdown,
}

/// What `run` takes.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The router on trial.
    #[arg(help = FORMS, long, value_name = "SPEC", default_value = "reference", value_parser = parse_spec)]
    pub router: Spec,
    /// The rules to judge by: an id, a pattern such as `*-free`, or with a `!` in front one to leave out; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub rule: Vec<String>,
    /// How long to look for failures, such as `30s` or `5m`
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub budget: Duration,
    /// What replays a run; drawn from the clock where absent
    #[arg(long, value_name = "N")]
    pub seed: Option<u32>,
    /// How many random traces at the most
    #[arg(long, value_name = "N", default_value_t = u32::MAX)]
    pub traces: u32,
    /// Write a report there too; its ending is its format: `.json`
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
    /// Excuse the failures that this file names
    #[arg(long, value_name = "FILE")]
    pub skips: Option<PathBuf>,
    /// Where the traces of failures go
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
}

/// What `replay` takes.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// A trace, or a directory of them
    #[arg(value_name = "TRACE|DIR")]
    pub traces: PathBuf,
    /// The router on trial.
    #[arg(help = FORMS, long, value_name = "SPEC", default_value = "reference", value_parser = parse_spec)]
    pub router: Spec,
}

/// Which router to serve.
#[derive(Clone, Debug, Args)]
pub struct AdapterArgs {
    /// The router on trial.
    #[arg(help = FORMS, value_name = "SPEC", value_parser = parse_spec)]
    pub router: Spec,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Where virtual environments are kept [default: `routeproof` in `$XDG_CACHE_HOME` or in `~/.cache`]
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// How many seconds an adapter may take for one reply
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub wait: u64,
    /// How many seconds an adapter may take to start and say hello
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub hello_wait: u64,
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

fn parse_spec(text: &str) -> Result<Spec, String> {
    Spec::parse(text, &builtin::fault_names()).map_err(|why| why.to_string())
}

/// What the gate takes from the environment, beside what libraries read for it (`NO_COLOR`, `CLICOLOR`, `TERM`).
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
    /// `PATH`.
    pub path: Option<OsString>,
}

impl Environment {
    /// Reads the variables of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the edge: `main` calls it once")]
    pub fn of_this_process() -> Self {
        Self {
            cache_home: std::env::var_os("XDG_CACHE_HOME"),
            home: std::env::var_os("HOME"),
            path: std::env::var_os("PATH"),
        }
    }
}

impl Global {
    /// What a router is opened with.
    pub fn settings(&self, environment: &Environment) -> Settings {
        Settings {
            cache_dir: self.cache_dir.clone().or_else(|| default_cache(environment)),
            path: environment.path.clone(),
            waits: Waits {
                hello: Duration::from_secs(self.hello_wait),
                reply: Duration::from_secs(self.wait),
            },
        }
    }
}

/// The XDG rule: a relative path is as good as none.
fn default_cache(environment: &Environment) -> Option<PathBuf> {
    let absolute = |text: &OsString| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    let cache = environment.cache_home.as_ref().and_then(absolute);
    let cache = cache.or_else(|| Some(environment.home.as_ref().and_then(absolute)?.join(".cache")));
    Some(cache?.join("routeproof"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_ends_with_the_exit_codes() {
        let help = Cli::command().render_long_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(&format!("{}: ", exit.name())), "{help}");
        }
    }

    #[test]
    fn where_the_cache_is() {
        let environment = |cache_home: &str, home: &str| Environment {
            cache_home: Some(cache_home.into()),
            home: Some(home.into()),
            path: None,
        };
        #[rustfmt::skip]
        let rows = [
            ("/c", "/h", Some("/c/routeproof")),
            ("", "/h", Some("/h/.cache/routeproof")),
            ("relative", "/h", Some("/h/.cache/routeproof")),
            ("", "", None),
        ];
        for (cache_home, home, expected) in rows {
            assert_eq!(
                default_cache(&environment(cache_home, home)),
                expected.map(PathBuf::from)
            );
        }
    }
}
