//! What can be asked of a router, and what can it answer?
//!
//! Plain data and its two encodings, and no opinion about either: a [`Trace`] is TOML for people, a [`Run`] is a line of
//! JSON for a program. The specification in `model` judges the answers; adapters carry them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`row`] | one deployment as the database holds it |
//! | [`step`] | what a trace can do |
//! | [`answer`] | what a router can answer |
//! | [`run`] | one trace with its questions, and the reply to it |
//! | [`trace`] | the trace file |
//! | [`itf`] | a trace as the JSON that Quint and Apalache read |
//! | [`wire`] | envelope, hello, dialect, limits, error codes |
//! | [`router`] | the router on trial, as a trait |
//! | [`serve`](mod@serve) | any such router over JSON Lines |
//!
//! ```
//! use protocol::{Step, Trace};
//!
//! let text = r#"
//! version = 1
//! why = "an updated wildcard must not keep its twin"
//!
//! [[steps]]
//! upsert = { id = "d1", model_name = "openai/*", model = "openai/openai/*", tag = "v1" }
//! [[steps]]
//! upsert = { id = "d1", model_name = "openai/*", model = "openai/*", tag = "v2" }
//! [[steps]]
//! lookup = { model = "openai/gpt-4o" }
//! "#;
//! let trace = Trace::parse(text)?;
//! assert_eq!(trace.steps.len(), 3);
//! assert!(matches!(trace.steps[2], Step::Lookup(_)));
//! # Ok::<(), protocol::TraceError>(())
//! ```

pub mod answer;
pub mod itf;
pub mod router;
pub mod row;
pub mod run;
pub mod schema;
pub mod serve;
pub mod step;
pub mod trace;
pub mod wire;

pub use answer::{Answer, Candidate, Refusal};
pub use router::{AdapterFault, InProcess, Local, RouterUnderTest};
pub use row::Row;
pub use run::{Changed, Observation, Outcome, Run, RunReply, StepReply};
pub use serve::serve;
pub use step::{Change, FleetStep, Query, Shown, Step, Via, Write};
pub use trace::{Trace, TraceError};
pub use wire::{Capability, Dialect, Extra, Hello};
