//! The flags of `routeproof`, one file a group of them, and what comes from the environment.

mod adapter;
mod explore;
mod faults;
mod format;
mod global;
mod matrix;
mod replay;
mod report;
mod router;
mod run;
mod store;
mod trial;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use adapter::AdapterArgs;
pub(crate) use explore::{ExploreArgs, ExploreEngine, Model};
pub(crate) use faults::FaultsArgs;
pub(crate) use format::{Format, PageFormat};
pub use global::Environment;
pub(crate) use global::Global;
pub(crate) use matrix::{MatrixArgs, Named};
pub(crate) use replay::ReplayArgs;
pub(crate) use run::RunArgs;

use crate::exit::Exit;

/// Puts a request router on trial.
///
/// After any sequence of deployment updates every lookup must answer from the current deployments. Routeproof shows that
/// it does, or prints the shortest sequence after which one does not.
#[derive(Clone, Debug, Parser)]
#[command(name = "routeproof", version, after_help = exit_codes(), subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// The flags of every command.
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
    /// Put several releases of a router on trial: rules and causes by release
    Matrix(MatrixArgs),
    /// Replay traces, against what is known of them
    Replay(ReplayArgs),
    /// Put every planted fault on trial: the kill table
    Faults(FaultsArgs),
    /// Explore every interleaving of a small fleet
    Explore(Box<ExploreArgs>),
    /// List the rules
    Rules {
        /// Output format: text or markdown
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Explain one rule, or one cause of the last run
    Explain {
        /// The id of a rule, such as `current`, or of a cause, such as `cause-3`
        #[arg(value_name = "RULE|CAUSE")]
        what: String,
        /// The JSON report that the cause is in
        #[arg(long, value_name = "FILE", default_value = "out/report.json")]
        report: PathBuf,
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
}
