//! A router with planted faults, for tests of whether a trial notices each of them.
//!
//! [`Router`] has the shape of `litellm.Router`: a list of rows, and beside it several derived structures that are kept
//! in step by hand (positions by id, by name and by team, the set of known names, pattern tables with copies of the
//! rows, upstream targets, names to show, a memo of lookups). The steps that are done by hand are a trait, [`Steps`],
//! whose default methods are right. Each [`Fault`] is a unit struct that overrides one of them, and cites the issue or
//! the measurement that it is modelled on. There is no switch inside the code: each fault has steps of its own, and those
//! of the router without a fault are compiled without a trace of any.
//!
//! | part | items |
//! |---|---|
//! | what keeps rows and derived structures in step, and what a lookup does | [`Steps`], [`Correct`] |
//! | the faults by name | [`FAULTS`], [`find`] |
//! | the whole as a router on trial | [`Router`] |
//! | fleets of replicas with a fault of their own, by name | [`FLEET_FAULTS`], [`find_fleet`], [`FleetReplica`] |
//!
//! ```
//! use protocol::{Change, Local, Query, Row};
//!
//! // Counts the candidates of an updated wildcard.
//! let copies = |fault| {
//!     let mut router = adapter_faulty::Router::new(adapter_faulty::find(fault).unwrap());
//!     router.change(&Change::Upsert(Row::new("d1", "openai/*", "openai/openai/*", "v1")));
//!     router.change(&Change::Upsert(Row::new("d1", "openai/*", "openai/*", "v2")));
//!     router.lookup(&Query::new("openai/gpt-4o", None))[0].candidates().len()
//! };
//!
//! assert_eq!(copies("upsert-keeps-global-pattern"), 2);
//! assert_eq!(copies("none"), 1);
//! ```

mod faults;
mod fleet;
mod memo;
mod pattern;
mod router;
mod steps;
mod tables;

pub use faults::{FAULTS, Fault, NO_FAULT, find};
pub use fleet::{FLEET_FAULTS, FleetFault, FleetReplica, NO_FLEET_FAULT, find_fleet};
pub use router::Router;
pub use steps::{Correct, Steps};
