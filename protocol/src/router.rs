//! The router or fleet on trial, as a trait.

use std::fmt;

use crate::run::{Run, RunReply};
use crate::wire::Hello;

/// A router on trial: the reference, a router with planted faults, or a program at the other end of a pipe.
pub trait RouterUnderTest {
    /// Returns the router's name and version, and what it can do. The same for the whole life of the value.
    fn hello(&self) -> &Hello;

    /// Carries out `runs`, each from a fresh router, in order: one reply a run.
    ///
    /// # Errors
    ///
    /// An [`AdapterFault`] says nothing about the router: what should have carried the question did not.
    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault>;
}

/// A failure of an adapter: never a verdict on the router behind it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct AdapterFault {
    /// The kind of the fault.
    pub kind: FaultKind,
    /// A message for a person: what happened and what to do next.
    pub message: String,
    /// The last lines that the adapter wrote to stderr, oldest first.
    pub last_lines: Vec<String>,
}

impl AdapterFault {
    /// A fault with nothing to quote.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            last_lines: Vec::new(),
        }
    }
}

impl fmt::Display for AdapterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for line in &self.last_lines {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}

/// The ways in which an adapter fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The adapter could not be started, or not be installed.
    Missing,
    /// The adapter ended before it answered.
    Exited,
    /// The adapter did not answer in time.
    Hung,
    /// The adapter wrote what is not a reply of the protocol.
    Babbled,
    /// The adapter answered something that was not asked, or not everything that was.
    Mismatched,
    /// The adapter reported what cannot be, such as a tag that it was never given.
    Lied,
    /// The adapter says itself that it could not serve the request.
    Refused,
}
