//! Options of the engine for scale, and its progress.

use std::sync::Arc;
use std::time::Duration;

use crate::search::levels::Checkpoint;

/// Options of a search.
#[derive(Clone, Debug)]
pub struct ExploreOptions {
    /// Explore only the representative of the states that differ in the numbering of the replicas.
    pub symmetric: bool,
    /// Number of workers in this process.
    pub threads: usize,
    /// The processes that share the search, where there are several.
    pub hosts: Option<Hosts>,
    /// Stop at the level with the first violation; otherwise go on past it.
    pub stop_at_violation: bool,
    /// Cut the run at the end of the level that reaches this many distinct states.
    pub states_max: Option<u64>,
    /// Cut the run at this many levels.
    pub depth_max: Option<u32>,
    /// Cut the run when the states of this process would take more bytes.
    pub memory_max: Option<u64>,
    /// Keep the levels in files.
    pub checkpoint: Option<Checkpoint>,
}

impl Default for ExploreOptions {
    fn default() -> Self {
        Self {
            symmetric: false,
            threads: 1,
            hosts: None,
            stop_at_violation: false,
            states_max: None,
            depth_max: None,
            memory_max: None,
            checkpoint: None,
        }
    }
}

/// The processes that share a search; each of them is started with the same list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// Address at which each process listens, as `host:port`.
    pub addresses: Vec<String>,
    /// Number of this process among them, from 0.
    pub process: usize,
    /// About how long to wait for the others to come.
    pub wait: Duration,
}

/// Progress of a search, reported by the first worker at the end of each level.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Number of complete levels.
    pub depth: u32,
    /// Number of distinct states in them.
    pub distinct: u64,
    /// Number of states in the last of them.
    pub frontier: u64,
    /// Number of states generated.
    pub generated: u64,
    /// Number of bytes that the states take, in all processes.
    pub bytes: u64,
}

/// Called with each [`Progress`].
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;
