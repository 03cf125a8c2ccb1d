//! Writing to stdout and stderr.
//!
//! A report that cannot be written never changes a verdict for the better: a violation stays a violation. Output that is
//! all that a command is for is another matter: there a failed write is the outcome.

use std::ffi::OsString;
use std::io::{self, Write as _};

use crate::error::Error;
use crate::exit::Exit;
use crate::foreign::{clean_lines, escaped};

/// Prints the text of a command that only prints, such as `rules`.
///
/// # Errors
///
/// [`Error::Output`] where stdout cannot be written, a closed pipe included.
pub(crate) fn print(text: &str) -> Result<Exit, Error> {
    write_stdout(text)?;
    Ok(Exit::Conforms)
}

/// Writes to stdout, and flushes it.
///
/// # Errors
///
/// An error of writing.
pub(crate) fn write_stdout(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// The exit of a command that reached `verdict`, whatever became of its report.
///
/// # Errors
///
/// The first write that failed, where the verdict alone would be a pass. A closed pipe is no such case: its reader has
/// what it wanted.
pub(crate) fn ended(verdict: Exit, written: impl IntoIterator<Item = Result<(), Error>>) -> Result<Exit, Error> {
    let closed = |failure: &Error| matches!(failure, Error::Output(why) if why.kind() == io::ErrorKind::BrokenPipe);
    let failures = written.into_iter().filter_map(Result::err);
    for failure in failures.filter(|failure| !closed(failure)) {
        if verdict == Exit::Conforms {
            return Err(failure);
        }
        progress(&failure.to_string());
    }
    Ok(verdict)
}

/// Writes a line of progress, or a complaint, to stderr.
pub fn progress(line: &str) {
    // Progress that nobody can see is no reason to stop, and of a complaint the exit code tells.
    let _ = writeln!(anstream::stderr(), "routeproof: {}", clean_lines(line));
}

/// Writes what is wrong with a command line to stderr, in the words of its parser. They quote the words of the line, and the
/// names of files are among these.
pub fn complain_of(message: &str, words: impl Iterator<Item = OsString>) {
    let mut text = message.to_owned();
    for word in words {
        // The parser leaves out what looks like a style, and quotes a flag's value alone.
        let word = anstream::adapter::strip_str(&word.to_string_lossy()).to_string();
        let value = word.split_once('=').map(|(_, value)| value);
        for part in [Some(&*word), value].into_iter().flatten() {
            let plain = escaped(part);
            if plain != part {
                text = text.replace(part, &plain);
            }
        }
    }
    // Where stderr is closed, the exit code still tells.
    let _ = writeln!(anstream::stderr(), "{}", clean_lines(&text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_improves_no_verdict() {
        let full = || Err(Error::Output(io::ErrorKind::StorageFull.into()));
        let closed = || Err(Error::Output(io::ErrorKind::BrokenPipe.into()));
        for exit in Exit::ALL.into_iter().filter(|exit| *exit != Exit::Conforms) {
            assert_eq!(ended(exit, [closed(), full(), Ok(())]).ok(), Some(exit));
        }
        assert_eq!(ended(Exit::Conforms, [closed(), Ok(())]).ok(), Some(Exit::Conforms));
        assert_eq!(
            ended(Exit::Conforms, [closed(), full()]).unwrap_err().exit(),
            Exit::Usage
        );
    }
}
