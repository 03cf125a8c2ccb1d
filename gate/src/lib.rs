//! How do I put any router on trial, and tell a person?

pub mod adapter;
pub mod exit;
pub mod guard;
