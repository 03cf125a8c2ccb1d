//! Files: read within bounds, and written whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use model::RuleId;
use protocol::TraceFile;
use rustix::fs::OFlags;

use crate::adapter::spec::{Spec, command_line};
use crate::document::FailureReport;
use crate::foreign;

/// A directory of traces, made when the first one is put there.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
    /// The flags that a replay takes beside the router.
    replay_words: Vec<String>,
    numbers: BTreeMap<RuleId, usize>,
    trouble: Option<String>,
}

impl Shelf {
    /// A shelf in that directory, of a run whose failures are replayed with these flags beside the router.
    pub(crate) fn new(dir: &Path, replay_words: &[String]) -> Self {
        Self {
            dir: dir.to_owned(),
            replay_words: replay_words.to_vec(),
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
        let Some(Written { file, replay }) = self.put_trace(name, &failure.trace, spec) else {
            return;
        };
        failure.files.push(file);
        let itf = format!("{:#}\n", failure.trace.to_itf());
        let Some(file) = self.put_text(&format!("{name}.itf.json"), &itf) else {
            return;
        };
        failure.files.push(file);
        failure.replay = Some(replay);
    }

    /// Writes a trace under that name; none where it cannot be written.
    pub(crate) fn put_trace(&mut self, name: &str, trace: &TraceFile, spec: &Spec) -> Option<Written> {
        let file = self.put_text(&format!("{name}.toml"), &trace.to_toml())?;
        let words = ["routeproof", "replay", &file, "--router", &spec.to_string()];
        let words = words
            .into_iter()
            .map(str::to_owned)
            .chain(self.replay_words.iter().cloned());
        let replay = command_line(&words.collect::<Vec<_>>());
        Some(Written { file, replay })
    }

    /// Writes a script for the shell under that name, and returns its path; none where it cannot be written.
    pub(crate) fn put_script(&mut self, name: &str, script: &str) -> Option<String> {
        self.put_text(&format!("{name}.sh"), script)
    }

    /// Writes a text to the file of that name, and returns its path; none where it cannot be written.
    fn put_text(&mut self, name: &str, text: &str) -> Option<String> {
        let path = self.dir.join(name);
        if let Err(why) = write_whole(&path, text) {
            let path = foreign::path(&path);
            let trouble = format!("{path} cannot be written: {why}; name another place with `--out`");
            self.trouble.get_or_insert(trouble);
            return None;
        }
        Some(path.display().to_string())
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

/// A trace that was written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The path of its file.
    pub file: String,
    /// The command that replays it.
    pub replay: String,
}

/// The place of a failure's files on a shelf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    rule: RuleId,
    number: usize,
}

/// Returns the text of a file that may have at most `bytes_max` bytes.
///
/// # Errors
///
/// The reason why it cannot be had: it is no regular file, say, or too large.
pub(crate) fn read_text(path: &Path, bytes_max: usize) -> Result<String, String> {
    let told = |why: io::Error| why.to_string();
    let kind = fs::metadata(path).map_err(told)?.file_type();
    if kind.is_dir() {
        return Err("this is a directory, and a file is wanted".to_owned());
    }
    if !kind.is_file() {
        return Err("this is a pipe, a socket or a device; copy what is in it to a file, and name that".to_owned());
    }
    let mut options = OpenOptions::new();
    // A pipe that has come to stand there since must not hold this process up until somebody writes to it.
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = options
        .read(true)
        .custom_flags(without_waiting)
        .open(path)
        .map_err(told)?;
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() > bytes_max {
        return Err(format!(
            "this has more bytes than may be, and at most {bytes_max} are read"
        ));
    }
    String::from_utf8(bytes).map_err(|_| "this is no UTF-8 text".to_owned())
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
    // As for any other file, the umask says who may read it; a temporary file alone would be its owner's.
    let for_all = Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(for_all).tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
