//! How does a router with planted faults hear the question?
//!
//! [`Router`] has the shape of `litellm.Router`: a list of rows, and beside it several derived structures that are kept in
//! step by hand (positions by id, by name and by team, the set of known names, pattern tables with copies of the rows,
//! upstream targets, names to show, a memo of lookups). What is done by hand is a [`Steps`] trait whose default methods are
//! right. A fault is a unit struct that overrides one of them. There is no switch inside the code: a
//! planted fault must not change what else is compiled.
//!
//! | module | what it holds |
//! |---|---|
//! | [`tables`] | the rows and the derived structures |
//! | [`memo`] | what lookups have found out |
//! | [`pattern`] | names with `*` |
//! | [`steps`] | what keeps them in step, and what a lookup does |
//! | [`router`] | the whole as a router on trial |

pub mod memo;
pub mod pattern;
pub mod router;
pub mod steps;
pub mod tables;

pub use router::Router;
pub use steps::{Correct, Steps};
