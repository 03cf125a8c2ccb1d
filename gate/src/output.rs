//! Writing to stdout and stderr.
//!
//! A report that cannot be written never changes a verdict for the better: a violation stays a violation. Output that is
//! all that a command is for is another matter: there a failed write is the outcome.

use std::io::{self, Write as _};

use crate::error::Error;
use crate::exit::Exit;

/// Prints what a command is for and judges nothing by.
///
/// # Errors
///
/// [`Error::Output`] where stdout cannot be written, a closed pipe included.
pub fn print(text: &str) -> Result<Exit, Error> {
    write_stdout(text)?;
    Ok(Exit::Conforms)
}

/// Writes to stdout, and flushes it.
///
/// # Errors
///
/// Those of writing.
pub fn write_stdout(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// The exit of a command that reached `verdict`, after its report was `printed`.
///
/// # Errors
///
/// [`Error::Output`] where a report that would have said *conforms* could not be written. A closed pipe is no such case:
/// its reader has what it wanted.
pub fn ended(verdict: Exit, printed: io::Result<()>) -> Result<Exit, Error> {
    match printed {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            let failure = Error::Output(why);
            if verdict == Exit::Conforms {
                return Err(failure);
            }
            progress(&failure.to_string());
            Ok(verdict)
        }
        Ok(()) | Err(_) => Ok(verdict),
    }
}

/// Writes a line of progress to stderr.
pub fn progress(line: &str) {
    // Progress that nobody can see is no reason to stop.
    let _ = writeln!(anstream::stderr(), "routeproof: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_improves_no_verdict() {
        let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
        let closed = || Err(io::Error::from(io::ErrorKind::BrokenPipe));
        for exit in Exit::ALL.into_iter().filter(|exit| *exit != Exit::Conforms) {
            for printed in [Ok(()), closed(), full()] {
                assert_eq!(ended(exit, printed).ok(), Some(exit));
            }
        }
        assert_eq!(ended(Exit::Conforms, closed()).ok(), Some(Exit::Conforms));
        assert_eq!(ended(Exit::Conforms, full()).unwrap_err().exit(), Exit::Usage);
    }
}
