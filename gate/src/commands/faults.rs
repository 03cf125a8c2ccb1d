//! `routeproof faults`: the kill table.

use crate::cli::{FaultsArgs, Format};
use crate::error::Error;
use crate::exit::Exit;
use crate::kill::{self, Fuzzed};
use crate::output::{ended, progress, write_stdout};

/// Puts every planted fault on trial and prints the table.
///
/// # Errors
///
/// A file of kills that cannot be read, or an output that cannot be written.
pub fn run(args: &FaultsArgs) -> Result<Exit, Error> {
    let fuzzed = args.fuzzed.as_deref().map(Fuzzed::read).transpose();
    let fuzzed = fuzzed.map_err(|why| Error::Usage(why.to_string()))?;
    let table = kill::table(fuzzed.as_ref(), &mut |line| progress(line))?;
    let printed = write_stdout(&match args.format {
        Format::Text => table.text(),
        Format::Markdown => table.markdown(),
    });
    ended(table.exit(), printed)
}
