//! One verb a file. A command says how it ended; only `main` ends the process.

pub mod adapter;
pub mod shell;

use std::io::{self, Write as _};

use protocol::AdapterFault;

use crate::cli::{Cli, Command, Environment};
use crate::exit::Exit;

/// Why a command came to no report.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The adapter is to blame.
    #[error(transparent)]
    Adapter(#[from] AdapterFault),
    /// What was to be written could not be.
    #[error("cannot write to stdout ({0}); see that it is open and that its disk has room")]
    Output(io::Error),
}

impl Failure {
    /// The exit code that says it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Adapter(_) => Exit::AdapterFault,
            // Whoever closed the pipe has read what they wanted.
            Self::Output(why) if why.kind() == io::ErrorKind::BrokenPipe => Exit::Conforms,
            Self::Output(_) => Exit::Usage,
        }
    }
}

/// Carries out what the command line asks for.
///
/// # Errors
///
/// See [`Failure`].
pub fn dispatch(cli: &Cli, environment: &Environment) -> Result<Exit, Failure> {
    let settings = cli.global.settings(environment);
    match &cli.command {
        Command::Adapter(args) => adapter::serve(args, &settings),
        Command::Completions { shell } => shell::completions(*shell),
        Command::Man => shell::man(),
    }
}

/// A line of progress on stderr.
pub fn progress(line: &str) {
    // Progress that nobody can see is no reason to stop.
    let _ = writeln!(anstream::stderr(), "routeproof: {line}");
}
