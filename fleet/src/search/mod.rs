//! The engines: the level-synchronous search for scale, and stateright's checker as the second opinion.

mod checker;
mod counted;
mod error;
mod explore;
mod hosts;
mod levels;
mod options;
mod report;
mod timely;
mod visited;
mod worker;

pub use self::checker::{CheckOptions, check, serve};
pub use self::error::ExploreError;
pub use self::explore::explore;
pub use self::levels::{Checkpoint, CheckpointError};
pub use self::options::{ExploreOptions, Hosts, OnProgress, Progress};
pub use self::report::{Ended, Exploration, Limit, Violation};
pub use self::visited::Visited;
