//! How do I put any router on trial, and tell a person?
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | the flags |
//! | [`commands`] | one verb a file |
//! | [`adapter`] | from the text that names a router to a router on trial |
//! | [`guard`] | what must not outlive this process |
//! | [`exit`] | the table of exit codes |
//!
//! stdout carries the report or the protocol, stderr everything else.

#[cfg(not(unix))]
compile_error!("adapters are ended by process group, which only Unix has");

pub mod adapter;
pub mod cli;
pub mod commands;
pub mod exit;
pub mod guard;
