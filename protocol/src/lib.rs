//! Traces, questions and answers as plain data, with their two encodings.
//!
//! A [`TraceFile`] is TOML for people, a [`Run`] is a line of JSON for a program. The specification in `model` judges the
//! answers; adapters carry them.
//!
//! | part | items |
//! |---|---|
//! | one deployment as the database holds it | [`Row`], [`Rows`] |
//! | a trace: set-up and steps | [`Trace`], [`Setup`], [`Step`], [`Change`] |
//! | the operations and events of a fleet | [`Op`], [`Begin`], [`World`] |
//! | questions, and when they are asked | [`Question`], [`Questions`], [`Round`] |
//! | the answers of a router | [`Answer`], [`Shown`], [`Observation`] |
//! | the trace file | [`TraceFile`] |
//! | one trace with its questions, and the reply to it | [`Run`], [`RunReply`] |
//! | what an adapter says of its router | [`Hello`], [`Dialect`], [`Capability`], [`Settles`] |
//! | the router or fleet on trial, as a trait | [`RouterUnderTest`] |
//! | a router in this process, as a trait | [`Local`], [`InProcess`] |
//! | any router on trial over JSON Lines | [`serve`] |
//! | tags that are unique in a conversation | [`Stamped`] |
//!
//! All of them stand at the root but for two vocabularies: [`wire`] holds the envelope of JSON Lines and the limits of a
//! run, and [`fleet`] a fleet in this process: its replicas as a trait, its store and the operations under way.
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

mod answer;
mod ask;
mod dialect;
mod file;
pub mod fleet;
mod itf;
mod local;
mod needs;
mod op;
mod router;
mod row;
mod run;
mod schema;
mod serve;
mod stamp;
mod step;
mod text;
mod trace;
pub mod wire;

pub use answer::{Answer, Candidate, Refusal};
pub use ask::{Query, Question, QuestionKind, Questions, Round};
pub use dialect::{PatternShape, STALE_FOR_MS_MAX, Settles, StructureKind, Texts};
pub use file::{TRACE_BYTES_MAX, TRACE_VERSION, TRACE_VERSION_MIN, TraceError, TraceFile, WHY_BYTES_MAX};
pub use local::{InProcess, Local, observe};
pub use op::{
    Begin, ConfigFile, Fields, Op, OpId, Patch, Place, Point, RequestOp, RowOrder, StoreView, Via, World, Write,
    WriteOp,
};
pub use router::{AdapterFault, FaultKind, RouterUnderTest};
pub use row::{Row, Rows};
pub use run::{Changed, Moved, Now, Observation, Outcome, Run, RunReply, Shown, StepReply};
pub use schema::schemas;
pub use serve::{Line, read_line, serve};
pub use stamp::Stamped;
pub use step::{Change, Step};
pub use text::{misleads, quoted};
pub use trace::{Level, Setup, Trace};
pub use wire::{Capability, Dialect, Extra, Hello};
