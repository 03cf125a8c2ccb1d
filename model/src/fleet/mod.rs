//! Every interleaving of writes, polls, crashes and requests in a fleet: one store, several replicas.
//!
//! A model is a [`Machine`]: states packed into one machine word, actions that lead from one to the next, and rules. It
//! is stated twice: packed, for speed, and naively over ordered maps, as the oracle of the first. Two engines
//! explore it: stateright's checker ([`checker`]), as the second opinion on small bounds, and the level-synchronous
//! engine ([`explore`]), for scale. A run that did not see every state says so: see [`report::Ended`].

pub mod actions;
pub mod bounds;
pub mod checker;
pub mod compiled;
mod counted;
pub mod error;
pub mod explore;
pub mod fair;
pub mod generic;
mod hosts;
pub mod lane;
mod levels;
pub mod machine;
pub mod model;
pub mod naive;
#[cfg(test)]
mod naive_poll2;
pub mod options;
pub mod poll2;
pub mod properties;
pub mod replica;
pub mod report;
mod search;
mod seat;
pub mod state;
pub mod strategies;
mod text;
mod timely;
pub mod trace;
pub mod view;
pub mod visited;
pub mod walk;
pub mod word;

pub use actions::{Action, At, Kind};
pub use levels::{Checkpoint, CheckpointError};
pub use machine::{Findings, Machine};
pub use report::{Ended, Report, Violation};
