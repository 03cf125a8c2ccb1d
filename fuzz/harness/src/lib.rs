//! The bodies of the fuzz targets, as a library.
//!
//! This package knows nothing of libFuzzer, so that plain `cargo test` replays every input that is kept. The package above
//! it puts each [`Target`] behind a fuzzer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`world`] | the texts that an input can name |
//! | [`codec`] | bytes to trace, and back |
//! | [`mutate`] | changes to an input, a step at a time |
//! | [`expected`] | what the specification answers, kept for the next time that it is asked |
//! | [`failure`] | what a target found, made small |
//! | [`updates`], [`history`], [`fleet`], [`faulty`] | the targets whose inputs are steps |
//! | [`seeds`] | the traces that are kept, as inputs |
//! | [`pattern`], [`parsers`] | those whose inputs are bytes |
//! | [`values`] | any values of the protocol |

pub mod codec;
pub mod expected;
pub mod failure;
pub mod faulty;
pub mod fleet;
pub mod history;
pub mod mutate;
pub mod parsers;
pub mod pattern;
pub mod seeds;
pub mod updates;
pub mod values;
pub mod world;

use protocol::Level;

use crate::failure::Failure;

/// The result of an input: nothing where the bytes are no input of the target.
pub type Ran = Result<Option<Work>, Box<Failure>>;

/// The part of a target that carries out and judges inputs. It may keep what it has computed for the next one, and
/// nothing else.
pub trait Body {
    /// Carries out the input and judges it.
    ///
    /// # Errors
    ///
    /// What is wrong with the code on trial.
    fn run(&mut self, data: &[u8]) -> Ran;
}

/// The amount of work that an input made the code on trial do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Steps carried out.
    pub steps: u64,
    /// Lookups whose answer was held against an oracle.
    pub lookups: u64,
}

/// The settings from outside.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The fault that [`faulty`] is about.
    pub fault: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fault: "none".to_owned(),
        }
    }
}

/// One fuzz target.
#[derive(Debug)]
pub struct Target {
    /// The target's name, which is that of its binary and of its corpus.
    pub name: &'static str,
    /// The level of its steps; nothing where its input has no steps, and is mutated as bytes.
    pub level: Option<Level>,
    /// Makes it.
    pub body: fn(&Settings) -> Result<Box<dyn Body>, String>,
}

/// Every target.
pub static TARGETS: [Target; 8] = [
    Target {
        name: "updates",
        level: Some(Level::Router),
        body: updates::Updates::body,
    },
    Target {
        name: "history",
        level: Some(Level::Router),
        body: history::History::body,
    },
    Target {
        name: "fleet",
        level: Some(Level::Fleet),
        body: fleet::Fleet::body,
    },
    Target {
        name: "pattern",
        level: None,
        body: pattern::Matchers::body,
    },
    Target {
        name: "trace_file",
        level: None,
        body: parsers::trace_file,
    },
    Target {
        name: "wire_bytes",
        level: None,
        body: parsers::wire_bytes,
    },
    Target {
        name: "wire_roundtrip",
        level: None,
        body: parsers::wire_roundtrip,
    },
    Target {
        name: "faulty",
        level: Some(Level::Router),
        body: faulty::Faulty::body,
    },
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
