//! The results of the fuzzer, which runs in a process of its own and keeps them in a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adapter_faulty::Fault;

use crate::document::Kill;
use crate::files::read_text;
use crate::foreign;

/// The largest file of kills.
const KILLS_BYTES_MAX: usize = 1 << 20;

/// The first failure that the fuzzer came to of each fault, for each the median of several seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fuzzed(BTreeMap<String, Kill>);

/// A file of kills cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} is no file of kills: {why}", path = foreign::path(path))]
pub(crate) struct Unreadable {
    path: PathBuf,
    why: String,
}

impl Fuzzed {
    /// Reads a file that has a table `[fault]` with `changes`, `steps` and `rule` for each fault.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not of that form.
    pub(crate) fn read(path: &Path) -> Result<Self, Unreadable> {
        let kills =
            read_text(path, KILLS_BYTES_MAX).and_then(|text| toml::from_str(&text).map_err(|why| why.to_string()));
        kills.map(Self).map_err(|why| Unreadable {
            path: path.to_owned(),
            why,
        })
    }

    /// Returns the result on that fault.
    pub(crate) fn of(&self, fault: &Fault) -> Option<&Kill> {
        self.0.get(fault.name)
    }
}
