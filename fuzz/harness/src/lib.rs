//! The bodies of the fuzz targets, as a library.
//!
//! This package knows nothing of libFuzzer, so that plain `cargo test` replays every input that is kept. The package above
//! it puts each [`Target`] behind a fuzzer.
//!
//! | part | items |
//! |---|---|
//! | the texts that an input can name | [`worlds`] |
//! | bytes to trace, and back | [`decode`], [`encode`], [`Header`] |
//! | changes to an input, a step at a time | [`mutate`], [`splice`] |
//! | what a target found, made small | [`TargetFailure`] |
//! | the targets | [`TARGETS`] |
//! | the traces that are kept, as inputs | [`seeds`] |

mod codec;
mod expected;
mod failure;
mod faulty;
mod fleet;
mod history;
mod mutate;
mod parsers;
mod pattern;
mod seeds;
mod updates;
mod values;
mod world;
mod writes;

use protocol::Level;

pub use crate::codec::{Header, STEPS_MAX, decode, encode};
pub use crate::failure::{TargetFailure, panic_text};
pub use crate::mutate::{mutate, splice};
pub use crate::seeds::seeds;
pub use crate::world::worlds;

/// The result of an input: nothing where the bytes are no input of the target.
pub type Ran = Result<Option<Work>, Box<TargetFailure>>;

/// The part of a target that carries out and judges inputs. It may keep what it has computed for the next one, and
/// nothing else.
pub trait Body {
    /// Carries out the input and judges it.
    ///
    /// # Errors
    ///
    /// The fault of the code on trial.
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
pub struct TargetSettings {
    /// The planted fault that the target `faulty` is about.
    pub fault: String,
}

impl Default for TargetSettings {
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
    pub body: fn(&TargetSettings) -> Result<Box<dyn Body>, String>,
}

/// Every target.
pub static TARGETS: [Target; 8] = [
    Target {
        name: "updates",
        level: Some(Level::Router),
        body: |_| Ok(updates::Updates::body()),
    },
    Target {
        name: "history",
        level: Some(Level::Router),
        body: |_| Ok(history::History::body()),
    },
    Target {
        name: "fleet",
        level: Some(Level::Fleet),
        body: |_| Ok(fleet::Fleet::body()),
    },
    Target {
        name: "pattern",
        level: None,
        body: |_| Ok(pattern::Matchers::body()),
    },
    Target {
        name: "trace_file",
        level: None,
        body: |_| Ok(parsers::trace_file()),
    },
    Target {
        name: "wire_bytes",
        level: None,
        body: |_| Ok(parsers::wire_bytes()),
    },
    Target {
        name: "wire_roundtrip",
        level: None,
        body: |_| Ok(parsers::wire_roundtrip()),
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
