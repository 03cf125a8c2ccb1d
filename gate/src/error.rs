//! Errors of commands that came to no verdict, and their exit codes.

use std::io;

use fleet::ExploreError;
use model::{Interrupted, UnknownPreset};
use protocol::AdapterFault;

use crate::exit::Exit;

/// The reason why a command came to no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line, a file or a name in it is wrong.
    #[error("{0}")]
    Usage(String),
    /// The adapter is to blame.
    #[error(transparent)]
    Adapter(#[from] AdapterFault),
    /// The adapter claims a preset that does not exist.
    #[error(transparent)]
    Preset(#[from] UnknownPreset),
    /// The processes of a search lost each other.
    #[error(transparent)]
    Search(ExploreError),
    /// Output could not be written.
    #[error("cannot write to stdout ({0}); see that it is open and has room")]
    Output(#[from] io::Error),
}

impl From<Interrupted> for Error {
    fn from(interrupted: Interrupted) -> Self {
        Self::Adapter(interrupted.fault)
    }
}

impl From<ExploreError> for Error {
    fn from(error: ExploreError) -> Self {
        match error {
            ExploreError::PeerLeft
            | ExploreError::Panicked
            | ExploreError::Network(_)
            | ExploreError::Absent { .. } => Self::Search(error),
            _ => Self::Usage(error.to_string()),
        }
    }
}

impl Error {
    /// The exit code that says it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Adapter(_) | Self::Preset(_) => Exit::AdapterFault,
            Self::Search(_) => Exit::Inconclusive,
            Self::Usage(_) | Self::Output(_) => Exit::Usage,
        }
    }
}
