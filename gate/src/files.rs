//! Files of failures and reports: each is written whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::adapter::spec::{Spec, command_line};
use crate::document::FailureReport;
use model::RuleId;

/// A directory of traces, made when the first one is put there.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
    numbers: BTreeMap<RuleId, usize>,
    trouble: Option<String>,
}

impl Shelf {
    /// A shelf in that directory.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            numbers: BTreeMap::new(),
            trouble: None,
        }
    }

    /// Returns the first error of writing.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    /// The next place for a failure of that rule.
    pub(crate) fn place(&mut self, rule: RuleId) -> Place {
        let number = self.numbers.entry(rule).or_default();
        *number += 1;
        Place { rule, number: *number }
    }

    /// Writes the trace and its ITF form; notes in `failure` what was written and how to replay it. Files that stood at that
    /// place are replaced.
    pub(crate) fn put(&mut self, place: Place, spec: &Spec, failure: &mut FailureReport) {
        self.put_as(&format!("{}-{}", place.rule, place.number), spec, failure);
    }

    /// Writes the same files under that name.
    pub(crate) fn put_as(&mut self, name: &str, spec: &Spec, failure: &mut FailureReport) {
        let stem = self.dir.join(name);
        let trace = stem.with_extension("toml");
        let files = [
            (trace.clone(), failure.trace.to_toml()),
            (
                stem.with_extension("itf.json"),
                format!("{:#}\n", failure.trace.to_itf()),
            ),
        ];
        for (path, text) in files {
            match write_whole(&path, &text) {
                Ok(()) => failure.files.push(path.display().to_string()),
                Err(why) => {
                    let trouble = format!(
                        "{} cannot be written: {why}; name another place with `--out`",
                        path.display()
                    );
                    self.trouble.get_or_insert(trouble);
                    return;
                }
            }
        }
        let words = [
            "routeproof",
            "replay",
            &trace.display().to_string(),
            "--router",
            &spec.to_string(),
        ];
        failure.replay = Some(command_line(&words.map(str::to_owned)));
    }

    /// Removes the files of a failure that does not stand, or that turned out to be another that has its own.
    pub(crate) fn remove(&mut self, failure: &FailureReport) {
        for file in &failure.files {
            if let Err(why) = fs::remove_file(file) {
                self.trouble
                    .get_or_insert_with(|| format!("{file} cannot be removed: {why}; the report does not name it"));
            }
        }
    }
}

/// The place of a failure's files on a shelf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    rule: RuleId,
    number: usize,
}

/// Tries whether a file could be written, and makes its directory.
///
/// # Errors
///
/// An error of the file system.
pub(crate) fn can_write(path: &Path) -> io::Result<()> {
    let dir = directory(path);
    fs::create_dir_all(dir)?;
    tempfile::NamedTempFile::new_in(dir)?;
    Ok(())
}

/// The directory that a file is in.
fn directory(path: &Path) -> &Path {
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

/// Writes a file whole or not at all, and makes its directory.
///
/// # Errors
///
/// An error of the file system; nothing is left behind then.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let dir = directory(path);
    fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
