//! The gate: puts any router on trial, and reports the verdict.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | the flags |
//! | [`commands`] | one verb a file |
//! | [`adapter`] | from the text that names a router to a router on trial |
//! | [`explore`] | which exhaustive engine a router can have |
//! | [`property`] | the property tester |
//! | [`causes`], [`known`] | failures grouped by what caused them, and the known issues among them |
//! | [`kill`] | planted faults against engines |
//! | [`known`] | the traces that are known of a router |
//! | [`document`], [`report`] | what commands come to, as data and in each format |
//! | [`files`], [`skip`] | traces written, failures excused |
//! | [`output`] | stdout and stderr |
//! | [`clock`] | the one place where time is read |
//! | [`guard`] | what must not outlive this process |
//! | [`error`], [`exit`] | why there is no verdict, and the table of exit codes |
//!
//! stdout carries the report or the protocol, stderr everything else.

#[cfg(not(unix))]
compile_error!("adapters are ended by process group, which only Unix has");

pub mod adapter;
pub mod causes;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod document;
pub mod error;
pub mod exit;
pub mod explore;
pub mod files;
pub mod guard;
pub mod kill;
pub mod known;
pub mod output;
pub mod property;
pub mod report;
pub mod skip;
pub mod speed;
