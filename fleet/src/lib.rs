//! The model checker of a fleet: every interleaving of writes, polls, crashes and requests in one store and its replicas.
//!
//! A model is a [`Machine`]: states, actions that lead from one to the next, and rules. The fleet is stated twice: packed
//! into one machine word ([`Fleet`]), for speed, and over ordered maps ([`generic`]), as the oracle of the first; so is the
//! base protocol ([`poll2`]). Two engines explore a machine: [`explore`], level by level, for scale, and [`check`],
//! stateright's checker, as the second opinion on small bounds. [`converges`] decides liveness on the whole graph. A run that
//! did not see every state says so: see [`Ended`].
//!
//! All of them stand at the root but for a few vocabularies: [`strategies`] are the values that tell replicas apart,
//! [`generic`] and [`poll2`] two more models with states of their own, and [`trace`] the texts that a state's numbers stand
//! for.
//!
//! ```
//! use std::sync::Arc;
//!
//! use fleet::strategies::LITELLM_1_85;
//! use model::RuleId;
//! use fleet::{Bounds, Ended, ExploreOptions, Fleet, Kind, Shape, explore};
//!
//! let fleet = Fleet::new(Bounds {
//!     rows: 1,
//!     versions: 2,
//!     strategies: vec![LITELLM_1_85],
//!     kinds: vec![Kind::Create, Kind::Update, Kind::Read, Kind::Apply],
//!     shapes: vec![Shape::Wild],
//!     admin: true,
//! })?;
//! let report = explore(&fleet, &ExploreOptions::default(), Arc::new(|_| {}))?;
//!
//! assert_eq!(report.ended, Ended::Exhausted);
//! assert_eq!((report.violations[0].rule, report.violations[0].path.len()), (RuleId::Current, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod actions;
mod bounds;
mod cell;
mod counterexamples;
mod fair;
pub mod generic;
mod machine;
mod packed;
pub mod poll2;
mod replica;
mod rules;
mod search;
pub mod strategies;
mod text;
pub mod trace;
mod view;
mod walk;
mod word;

pub use self::actions::{Action, At, Kind, Shape};
pub use self::bounds::{Bounds, BoundsError};
pub use self::cell::{COPIES_MAX, Cell, Content, ROWS_MAX, VERSIONS_MAX};
pub use self::counterexamples::{TABLE_REPLICAS, book_tables, counterexamples};
pub use self::fair::{Convergence, Converging, Fairness, STATES_MAX, Stuck, TooManyStates, converges};
pub use self::machine::{Expand, Findings, Machine, Packed, Plain};
pub use self::packed::{Compiled, Fleet, Held, Lane, Layout, State};
pub use self::replica::{StrategyReplica, strategy_fleet};
pub use self::search::{
    CheckOptions, Checkpoint, CheckpointError, Ended, Exploration, ExploreError, ExploreOptions, Hosts, Limit,
    OnProgress, Progress, Violation, Visited, check, explore, serve,
};
pub use self::view::{ModelCandidate, ModelQuery, QUERIES};
pub use self::walk::{Parting, Serving, Walks, compare};
pub use self::word::Word;
