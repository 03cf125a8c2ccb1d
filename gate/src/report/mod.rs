//! Reports: functions of a document, one format a file. None of them decides anything.

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

/// Writes the report files of a document, prints it in that format, and gives the exit of its verdict.
///
/// # Errors
///
/// What could not be written, where the verdict alone would have been a pass.
pub fn publish(document: &Document, files: &[PathBuf], format: Format) -> Result<Exit, Error> {
    let table = match format {
        Format::Text => None,
        Format::Markdown => markdown::table(document),
    };
    let printed = write_stdout(&table.unwrap_or_else(|| human::text(document)));
    settle(document, files, printed.map_err(Error::Output))
}

/// Writes the report files of a document, prints nothing, and gives the exit of its verdict.
///
/// # Errors
///
/// As of [`publish`].
pub fn settle(document: &Document, files: &[PathBuf], printed: Result<(), Error>) -> Result<Exit, Error> {
    let json = json::text(document);
    let mut outcomes = vec![printed];
    outcomes.extend(
        files
            .iter()
            .map(|file| write_whole(file, &json).map_err(|why| usage(file, why))),
    );
    ended(document.verdict().exit, outcomes)
}

fn usage(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{}: {why}", file.display()))
}
