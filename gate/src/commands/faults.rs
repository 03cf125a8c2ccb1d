//! `routeproof faults`: the kill table.

use crate::cli::FaultsArgs;
use crate::document::Document;
use crate::error::Error;
use crate::kill::{self, Fuzzed};
use crate::output::progress;

/// Puts every planted fault on trial.
///
/// # Errors
///
/// A file of kills that cannot be read.
pub(crate) fn run(args: &FaultsArgs) -> Result<Document, Error> {
    let fuzzed = args.fuzzed.as_deref().map(Fuzzed::read).transpose();
    let fuzzed = fuzzed.map_err(|why| Error::Usage(why.to_string()))?;
    let table = kill::table(fuzzed.as_ref(), &mut |line| progress(line))?;
    Ok(Document::Faults(table))
}
