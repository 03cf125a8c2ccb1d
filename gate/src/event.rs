//! The only thing that commands emit. Reporters turn it into text, JSON or files; none of them decides pass or fail.

use std::time::Duration;

use model::rules::Rule;
use model::search::Failure;
use protocol::{Hello, Trace};

use crate::exit::Exit;

/// Something that a command has to say.
#[derive(Debug)]
pub enum Event<'a> {
    /// A trial begins.
    Begin {
        /// The router, as it was named on the command line.
        spec: &'a str,
        /// What it says of itself.
        hello: &'a Hello,
        /// What replays the trial.
        seed: u32,
    },
    /// An exhaustive exploration is over.
    Explored(&'a Exploration),
    /// A random search is over.
    Searched(&'a Searched),
    /// What became of one rule.
    Rule(&'a Ruling),
    /// A distinct failure.
    Failure(&'a Reported),
    /// A trial is over.
    End(&'a Summary),
}

/// What an exhaustive exploration came to.
#[derive(Clone, Copy, Debug)]
pub struct Exploration {
    /// The universe.
    pub universe: &'static str,
    /// Distinct states.
    pub states: usize,
    /// Changes carried out.
    pub transitions: u64,
    /// Answers judged.
    pub answers: u64,
    /// Changes on the longest shortest way.
    pub depth: usize,
    /// Whether nothing was left to do.
    pub closed: bool,
    /// Whether a state was the whole memory of the router.
    pub whole_memory: bool,
    /// How long it took.
    pub took: Duration,
}

/// What a random search came to.
#[derive(Clone, Copy, Debug)]
pub struct Searched {
    /// Traces drawn.
    pub traces: u32,
    /// Changes carried out in them.
    pub changes: u64,
    /// Queries put.
    pub answers: u64,
    /// Findings beyond the most distinct failures that are kept.
    pub uncounted: u64,
    /// Whether the budget ended it.
    pub cut: bool,
    /// How long it took, shrinking included.
    pub took: Duration,
    /// How much of that was spent inside the router, as far as the adapter measures.
    pub in_router: Duration,
}

/// What became of one rule.
#[derive(Debug)]
pub struct Ruling {
    /// The rule.
    pub rule: &'static Rule,
    /// What became of it.
    pub status: Status,
    /// How often it had something to check.
    pub premises: u64,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was checked and held.
    Pass,
    /// It was broken, in that many distinct ways.
    Fail(usize),
    /// It was not judged, for this reason.
    Skip(String),
    /// It never had anything to check.
    Vacuous,
}

/// A distinct failure, ready to be told.
#[derive(Debug)]
pub struct Reported {
    /// The rule.
    pub rule: &'static Rule,
    /// The failure.
    pub failure: Failure,
    /// The shrunk trace, with what is known of it.
    pub trace: Trace,
    /// The name of the code path that answered, where the router has several.
    pub path: Option<String>,
    /// How to replay it.
    pub replay: Option<String>,
    /// Files that were written of it.
    pub files: Vec<String>,
    /// How long after the router was up it was found.
    pub found_after: Duration,
    /// The skip that excuses it.
    pub excused: Option<String>,
}

/// How a trial ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Rules that held.
    pub passed: usize,
    /// Rules that were broken.
    pub failed: usize,
    /// Rules that were not judged.
    pub skipped: usize,
    /// Rules that never had anything to check.
    pub vacuous: usize,
    /// Distinct failures.
    pub failures: usize,
    /// How long it took, from the moment that the router was up.
    pub took: Duration,
    /// The verdict.
    pub exit: Exit,
    /// Why, where it is not plain.
    pub why: Option<String>,
}
