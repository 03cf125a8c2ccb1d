//! `routeproof adapter`: any router that the gate can open, served over stdin and stdout.

use std::io::{self, BufWriter};

use crate::adapter::{AdapterSettings, open_router};
use crate::cli::AdapterArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::progress;

/// Serves until stdin ends.
///
/// # Errors
///
/// An adapter fault at the start, or stdout that cannot be written.
pub(crate) fn serve(args: &AdapterArgs, settings: &AdapterSettings) -> Result<Exit, Error> {
    let mut router = open_router(&args.router, settings, &progress)?;
    let output = BufWriter::new(io::stdout().lock());
    protocol::serve(router.as_mut(), io::stdin().lock(), output).map_err(Error::Output)?;
    Ok(Exit::Conforms)
}
