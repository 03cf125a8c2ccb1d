//! Any router on trial, by the text that names it: in this process, or a program at the other end of a pipe.

pub mod cache;
pub mod check;
pub mod embedded;
pub mod process;
pub mod spec;
pub mod supervisor;
pub mod tail;
pub mod venv;
