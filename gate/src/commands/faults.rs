//! `routeproof faults`: the kill table.

use protocol::Level;

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
    let table = match args.level.into() {
        Level::Router => {
            let fuzzed = args.fuzzed.as_deref().map(Fuzzed::read).transpose();
            let fuzzed = fuzzed.map_err(|why| Error::Usage(why.to_string()))?;
            kill::table(fuzzed.as_ref(), &mut |line| progress(line))?
        }
        Level::Fleet if args.fuzzed.is_some() => {
            return Err(Error::Usage(
                "`--fuzzed` is of routers; leave it out with `--level fleet`".to_owned(),
            ));
        }
        Level::Fleet => kill::fleet_table(&mut |line| progress(line))?,
    };
    Ok(Document::Faults(table))
}
