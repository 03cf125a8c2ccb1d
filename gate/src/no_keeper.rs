//! No keeper of adapters, for systems that cannot have one: what an adapter starts ends with its process group.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The first argument by which this program becomes a keeper elsewhere.
pub const KEEP: &str = "keep-adapter";

/// A keeper, of which there is none.
#[derive(Clone, Debug)]
pub(crate) struct Keeper(Infallible);

impl Keeper {
    /// None.
    pub(crate) fn new(_program: PathBuf, _path: Option<OsString>) -> Option<Self> {
        None
    }

    /// Cannot be called.
    pub(crate) fn of(&self, _command: &Command) -> io::Result<Command> {
        match self.0 {}
    }
}

/// Refuses.
pub fn keep(_words: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::from(2)
}
