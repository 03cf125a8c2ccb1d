//! A reason why a search could not be carried out.

use crate::search::levels::CheckpointError;
use crate::search::timely::PeerLeft;

/// A reason why a search could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// No worker at all.
    #[error("a search needs at least one thread")]
    NoThreads,
    /// The list of hosts does not fit the process.
    #[error("process {process} is not one of the {processes} in the list of hosts, which count from 0")]
    NoSuchProcess {
        /// The value that was asked for.
        process: usize,
        /// Number of processes in the list.
        processes: usize,
    },
    /// The bound on memory is below what the run needs.
    #[error("{memory_max} bytes of memory are too few: {why}")]
    TooLittleMemory {
        /// The value that was asked for.
        memory_max: u64,
        /// The part that would need more.
        why: String,
    },
    /// The processes do not reach each other.
    #[error("the processes of the search do not reach each other: {0}")]
    Network(String),
    /// A process of the list never came.
    #[error("process {process} at `{address}` did not come in {seconds} s: start it, or wait longer")]
    Absent {
        /// Number of the process, from 0.
        process: usize,
        /// Address at which it should listen.
        address: String,
        /// Seconds that it was waited for.
        seconds: u64,
    },
    /// A worker ended before the search did.
    #[error("another worker of the search ended early: see its own message, and resume from the checkpoint")]
    PeerLeft,
    /// A worker panicked.
    #[error("a worker of the search panicked: its message is above")]
    Panicked,
    /// The levels could not be kept or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl From<PeerLeft> for ExploreError {
    fn from(_: PeerLeft) -> Self {
        Self::PeerLeft
    }
}
