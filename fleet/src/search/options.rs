//! How the engine for scale is to explore, and how it tells how far it is.

use std::sync::Arc;
use std::time::Duration;

use crate::search::levels::Checkpoint;

/// How to explore.
#[derive(Clone, Debug)]
pub struct Options {
    /// Explore only the representative of the states that differ in the numbering of the replicas.
    pub symmetric: bool,
    /// How many workers this process has.
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

impl Default for Options {
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
    /// Where each process listens, as `host:port`.
    pub addresses: Vec<String>,
    /// Which of them this process is.
    pub process: usize,
    /// About how long to wait for the others to come.
    pub wait: Duration,
}

/// How far a search is. Reported by the first worker at the end of each level.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// How many levels are complete.
    pub depth: u32,
    /// How many distinct states they hold.
    pub distinct: u64,
    /// How many of them the last level holds.
    pub frontier: u64,
    /// How many states were generated.
    pub generated: u64,
    /// How many bytes the states take, in all processes.
    pub bytes: u64,
}

/// Called with each [`Progress`].
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;
