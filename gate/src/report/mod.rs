//! Reports: functions of a document, one format a file. None of them decides anything.

mod causes;
mod fleets;
#[cfg(test)]
mod hostile;
pub(crate) mod human;
pub(crate) mod json;
mod kills;
pub(crate) mod markdown;
mod releases;

use std::path::{Path, PathBuf};

use crate::cli::PageFormat;
use crate::document::Document;
use crate::error::Error;
use crate::exit::Exit;
use crate::files::{can_write, write_whole};
use crate::foreign;
use crate::output::{ended, write_stdout};

/// Refuses report files of an unknown format, or in a place that cannot be written, before anything is tried.
///
/// # Errors
///
/// A usage error that names the file.
pub(crate) fn check(files: &[PathBuf]) -> Result<(), Error> {
    for file in files {
        if file.extension().is_none_or(|ending| ending != "json") {
            return Err(usage(file, "a report ends in `.json`"));
        }
        if file.is_dir() {
            return Err(usage(file, "this is a directory, and a report is a file"));
        }
        can_write(file).map_err(|why| usage(file, why))?;
    }
    Ok(())
}

/// The name of the report that `run` leaves beside the traces, and `explain` reads.
pub(crate) const LAST: &str = "report.json";
/// The largest report that is read.
pub(crate) const REPORT_BYTES_MAX: usize = 64 << 20;

/// A page that a document is printed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// The format.
    pub format: PageFormat,
    /// The number of columns, where the format is for people.
    pub columns: usize,
    /// True if each failure of a run is told, and not its cause alone.
    pub all: bool,
}

/// Prints a document, if a page is given, writes its report files, and gives the exit of its verdict.
///
/// # Errors
///
/// A file or stream that could not be written, where the verdict alone would have been a pass.
pub(crate) fn publish(document: &Document, files: &[PathBuf], page: Option<Page>) -> Result<Exit, Error> {
    let printed = page.map_or(Ok(()), |page| write_stdout(&text(document, page)));
    let json = json::text(document);
    let mut outcomes = vec![printed.map_err(Error::Output)];
    for file in files {
        outcomes.push(write_whole(file, &json).map_err(|why| usage(file, why)));
    }
    ended(document.verdict().exit, outcomes)
}

fn text(document: &Document, page: Page) -> String {
    let table = match page.format {
        PageFormat::Text => None,
        PageFormat::Markdown => markdown::markdown_table(document),
        PageFormat::Json => Some(json::text(document)),
    };
    table.unwrap_or_else(|| human::text(document, page.columns, page.all))
}

fn usage(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{}: {why}", foreign::path(file)))
}
