//! The derived indexes, each behind one trait.
//!
//! An index owns what it derives from the rows and nothing else. Only [`Table::replace`](crate::Table::replace) calls
//! [`Index::insert`] and [`Index::remove`], and it calls them on every index, so that none can be forgotten.
//!
//! Each index is a function of the set of rows: equal sets give equal indexes, whatever the history. Its `Eq` and
//! `Hash` cover the whole of it, so that a stale entry cannot hide from a comparison.

mod group;
mod keyed;
mod names;
mod patterns;
mod trie;

use std::fmt::Debug;
use std::hash::Hash;

pub(crate) use group::{Eligible, Group, asked_by};
pub(crate) use keyed::Keyed;
pub(crate) use names::Names;
pub(crate) use patterns::Patterns;

use crate::deployment::Deployment;

/// A structure that is derived from the rows, and kept in step with them.
pub(crate) trait Index: Clone + Debug + Default + Eq + Hash {
    /// Takes up a row that the index does not hold.
    fn insert(&mut self, row: &Deployment);

    /// Forgets a row that the index holds, in the very version that was inserted.
    fn remove(&mut self, row: &Deployment);

    /// Puts a row in the place of an earlier version of it that is asked for by the same team and name.
    fn swap(&mut self, before: &Deployment, after: &Deployment);

    /// Reports the number of entries of each part of the index, by name.
    fn sizes(&self, report: &mut dyn FnMut(&'static str, usize));
}
