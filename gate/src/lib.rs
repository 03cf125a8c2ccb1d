//! The gate: puts any router on trial, and reports the verdict.
//!
//! A library for its own binary, tests and benches alone: what they use stands at the root.
//!
//! | module | what it holds |
//! |---|---|
//! | `cli` | the flags |
//! | `commands` | one verb a file |
//! | `adapter` | from the text that names a router to a router on trial |
//! | `explore` | which exhaustive engine a router can have |
//! | `property` | the property tester |
//! | `causes`, `known` | failures grouped by what caused them, and the known issues among them |
//! | `speed` | how often a router can be asked |
//! | `kill` | planted faults against engines |
//! | `document`, `report` | what commands come to, as data and in each format |
//! | `reproduce`, `script` | tests of causes in the router's own language, run before they are offered, and scripts of the adapter's own words |
//! | `files`, `out`, `skip` | files read and written, where a run writes them, failures excused |
//! | `foreign` | text that is not ours, fit to be shown |
//! | `output` | stdout and stderr |
//! | `clock` | the one place where time is read |
//! | `guard`, `keeper` | what must not outlive this process |
//! | `error`, `exit` | why there is no verdict, and the table of exit codes |
//!
//! stdout carries the report or the protocol, stderr everything else.

#[cfg(not(unix))]
compile_error!("adapters are ended by process group, which only Unix has");

mod adapter;
mod causes;
mod cli;
mod clock;
mod commands;
mod document;
mod error;
mod exit;
mod explore;
mod files;
mod foreign;
mod guard;
#[cfg_attr(not(target_os = "linux"), path = "no_keeper.rs")]
mod keeper;
mod kill;
mod known;
mod out;
mod output;
mod property;
mod report;
mod reproduce;
mod script;
mod skip;
mod speed;

pub use adapter::cache::Cache;
pub use adapter::process::Launch;
pub use adapter::replicas::{REPLICA, be_replica};
pub use adapter::spec::{Release, Spec};
pub use adapter::store::Store;
pub use adapter::supervisor::Waits;
pub use adapter::venv::{Part, prepare_venv};
pub use adapter::{AdapterSettings, open_router};
pub use cli::{Cli, Environment};
pub use commands::dispatch;
pub use commands::rules::rules_markdown;
pub use document::{Document, Engine, FaultReport, FaultsReport, JsonReport, Kill, Killed};
pub use error::Error;
pub use exit::Exit;
pub use files::write_whole;
pub use guard::{clean_up_on_signals, end_by, keep_children_by, stopped};
pub use keeper::{KEEP, keep};
pub use kill::{KILL_SEEDS, kill_universes};
pub use output::{complain_of, progress};
pub use property::{Broken, Runs, check_property};
pub use report::json::report_schema;
pub use report::markdown::markdown_table;
pub use skip::Skips;
