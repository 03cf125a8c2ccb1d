//! Reports: functions of a document, one format a file. None of them decides anything.

mod fleets;
pub mod human;
pub mod json;
mod kills;
pub mod markdown;
pub mod repro;

use std::path::{Path, PathBuf};

use crate::cli::Format;
use crate::document::Document;
use crate::error::Error;
use crate::exit::Exit;
use crate::files::{can_write, write_whole};
use crate::output::{ended, write_stdout};

/// Refuses report files of an unknown format, or in a place that cannot be written, before anything is tried.
///
/// # Errors
///
/// A usage error that names the file.
pub fn check(files: &[PathBuf]) -> Result<(), Error> {
    for file in files {
        if file.extension().is_none_or(|ending| ending != "json") {
            return Err(usage(file, "a report ends in `.json`"));
        }
        can_write(file).map_err(|why| usage(file, why))?;
    }
    Ok(())
}

/// Prints a document, if a format is given, writes its report files, and gives the exit of its verdict.
///
/// # Errors
///
/// A file or stream that could not be written, where the verdict alone would have been a pass.
pub fn publish(document: &Document, files: &[PathBuf], format: Option<Format>) -> Result<Exit, Error> {
    let printed = format.map_or(Ok(()), |format| write_stdout(&text(document, format)));
    let json = json::text(document);
    let mut outcomes = vec![printed.map_err(Error::Output)];
    for file in files {
        outcomes.push(write_whole(file, &json).map_err(|why| usage(file, why)));
    }
    ended(document.verdict().exit, outcomes)
}

fn text(document: &Document, format: Format) -> String {
    let table = match format {
        Format::Text => None,
        Format::Markdown => markdown::table(document),
    };
    table.unwrap_or_else(|| human::text(document))
}

fn usage(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{}: {why}", file.display()))
}
