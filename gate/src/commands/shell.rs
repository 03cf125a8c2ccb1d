//! `routeproof completions` and `routeproof man`: both come from the flags.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::print;

/// Prints the completions for `shell`.
///
/// # Errors
///
/// An error of writing to stdout.
pub(crate) fn completions(shell: Shell) -> Result<Exit, Error> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "routeproof", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// Prints the manual page.
///
/// # Errors
///
/// An error of writing to stdout.
pub(crate) fn man() -> Result<Exit, Error> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(Error::Output)?;
    print(&String::from_utf8_lossy(&text))
}
