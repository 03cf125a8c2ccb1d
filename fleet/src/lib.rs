//! The model checker of a fleet: every interleaving of writes, polls, crashes and requests in one store and its replicas.
//!
//! A model is a [`Machine`]: states, actions that lead from one to the next, and rules. The fleet is stated twice: packed
//! into one machine word ([`Fleet`]), for speed, and over ordered maps ([`generic`]), as the oracle of the first; so is the
//! base protocol ([`poll2`]). Two engines explore a machine: [`explore`], level by level, for scale, and [`check`],
//! stateright's checker, as the second opinion on small bounds. [`converges`] decides liveness on the whole graph. A run that
//! did not see every state says so: see [`Ended`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use fleet::strategies::LITELLM_1_85;
//! use model::rules::RuleId;
//! use fleet::{Bounds, Ended, Fleet, Kind, Options, Shape, explore};
//!
//! let fleet = Fleet::new(Bounds {
//!     rows: 1,
//!     versions: 2,
//!     strategies: vec![LITELLM_1_85],
//!     kinds: vec![Kind::Create, Kind::Update, Kind::Read, Kind::Apply],
//!     shapes: vec![Shape::Wild],
//!     admin: true,
//! })?;
//! let report = explore(&fleet, &Options::default(), Arc::new(|_| {}))?;
//!
//! assert_eq!(report.ended, Ended::Exhausted);
//! assert_eq!((report.violations[0].rule, report.violations[0].path.len()), (RuleId::Current, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod actions;
mod bounds;
mod cell;
mod fair;
pub mod generic;
mod machine;
mod packed;
pub mod poll2;
mod replica;
pub mod rules;
mod search;
pub mod strategies;
mod text;
pub mod trace;
mod view;
mod walk;
mod word;

pub use self::actions::{Action, At, KINDS, Kind, Shape};
pub use self::bounds::{Bounds, BoundsError};
pub use self::cell::{COPIES_MAX, Cell, Cells, Content, REPLICAS_MAX, ROWS_MAX, VERSIONS_MAX};
pub use self::fair::{Convergence, Converging, Fairness, STATES_MAX, Stuck, TooManyStates, converges};
pub use self::machine::{Expand, Findings, Machine, Packed, Plain};
pub use self::packed::{Compiled, Fleet, Held, Lane, Layout, State};
pub use self::replica::{StrategyReplica, strategy_fleet};
pub use self::search::{
    CheckOptions, Checkpoint, CheckpointError, Ended, ExploreError, Hosts, Limit, OnProgress, Options, Progress,
    Report, Violation, Visited, check, explore, serve,
};
pub use self::view::{Candidate, QUERIES, Query};
pub use self::walk::{Parting, Serving, Walks, compare};
pub use self::word::Word;
