//! Traces, questions and answers as plain data, with their two encodings.
//!
//! A [`TraceFile`] is TOML for people, a [`Run`] is a line of JSON for a program. The specification in `model` judges the
//! answers; adapters carry them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`row`] | one deployment as the database holds it |
//! | [`step`] | the steps of a trace |
//! | [`op`] | the operations and events of a fleet |
//! | [`ask`] | questions, and when they are asked |
//! | [`answer`] | what a router can answer |
//! | [`trace`] | a trace: set-up and steps |
//! | [`file`](mod@file) | the trace file |
//! | [`run`] | one trace with its questions, and the reply to it |
//! | [`itf`] | a trace as the JSON that Quint and Apalache read |
//! | [`wire`] | envelope, hello, dialect, limits, error codes |
//! | [`dialect`](mod@dialect) | the words of a dialect that say what cannot be judged |
//! | [`router`] | the router or fleet on trial, as a trait |
//! | [`local`] | a router in this process, as a trait |
//! | [`stamp`] | tags that are unique in a conversation |
//! | [`fleet`] | a fleet in this process: its replicas as a trait, its store and the operations under way |
//! | [`serve`](mod@serve) | any router on trial over JSON Lines |
//!
//! ```
//! use protocol::{Step, TraceFile};
//!
//! let text = r#"
//! version = 2
//! why = "an updated wildcard must not keep its twin"
//!
//! [[steps]]
//! upsert = { id = "d1", model_name = "openai/*", model = "openai/openai/*", tag = "v1" }
//! [[steps]]
//! upsert = { id = "d1", model_name = "openai/*", model = "openai/*", tag = "v2" }
//! [[steps]]
//! lookup = { model = "openai/gpt-4o" }
//! "#;
//! let file = TraceFile::parse(text)?;
//! assert_eq!(file.trace.steps.len(), 3);
//! assert!(matches!(file.trace.steps[2], Step::Ask(None, _)));
//! # Ok::<(), protocol::TraceError>(())
//! ```

pub mod answer;
pub mod ask;
pub mod dialect;
pub mod file;
pub mod fleet;
pub mod itf;
pub mod local;
mod needs;
pub mod op;
pub mod router;
pub mod row;
pub mod run;
pub mod schema;
pub mod serve;
pub mod stamp;
pub mod step;
pub mod trace;
pub mod wire;

pub use answer::{Answer, Candidate, Refusal};
pub use ask::{Query, Question, QuestionKind, Questions, Round};
pub use dialect::{PatternShape, Settles, StructureKind, Texts};
pub use file::{TraceError, TraceFile};
pub use fleet::{InProcessFleet, LocalReplica};
pub use local::{InProcess, Local};
pub use op::{
    Begin, ConfigFile, Fields, Op, OpId, Patch, Place, Point, RequestOp, RowOrder, StoreView, Via, World, Write,
    WriteOp,
};
pub use router::{AdapterFault, RouterUnderTest};
pub use row::{Row, Rows};
pub use run::{Changed, Moved, Now, Observation, Outcome, Run, RunReply, Shown, StepReply};
pub use serve::serve;
pub use stamp::Stamped;
pub use step::{Change, Step};
pub use trace::{Level, Setup, Trace};
pub use wire::{Capability, Dialect, Extra, Hello};
