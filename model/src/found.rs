//! A lookup whose reach is known: what the index finds, and what kept answers are looked up by.

use std::cell::OnceCell;

use protocol::Query;

/// A lookup, and the versions that it can reach.
#[derive(Debug)]
pub struct Found {
    pub(crate) query: Query,
    /// The number that stands for the query.
    pub(crate) number: u64,
    /// The places of the versions, ascending.
    pub(crate) places: Vec<usize>,
    pub(crate) is_foreign: OnceCell<bool>,
}

impl Found {
    /// The lookup.
    pub fn query(&self) -> &Query {
        &self.query
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns what `find_out` says of the whole reach the first time.
    pub(crate) fn is_foreign(&self, find_out: impl FnOnce() -> bool) -> bool {
        *self.is_foreign.get_or_init(find_out)
    }
}
