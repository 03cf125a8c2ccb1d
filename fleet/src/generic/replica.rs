//! A replica of any router, real code included, as a fleet over ordered maps drives it.
//!
//! A [`Replica`] is plain state that a checker can copy, compare and hash.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::actions::Shape;
use crate::cell::Cell;
use crate::strategies::{After, Strategy};
use crate::view::{ModelCandidate, ModelQuery, QUERIES};

/// Rows by their number. In a read, a row that was deleted is there as absent, in the version of its deletion.
pub type Table = BTreeMap<u8, Cell>;

/// The result of a read of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Read {
    /// All rows.
    Whole(Table),
    /// A read that broke off, or came back empty by error.
    Faulty {
        /// The rows that came.
        got: Table,
        /// The rows that there are.
        whole: Table,
    },
    /// An error, and no rows.
    Failed,
}

/// A replica of a router: how it takes in rows and what it answers.
pub trait Replica: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// A replica that has just started.
    fn start(strategy: &Strategy) -> Self;

    /// Reacts as `after` says to a write to `row` through the replica's own endpoint; `store`, of at most `rows` rows,
    /// has that write already.
    fn wrote(&mut self, after: After, rows: u8, row: u8, store: &Table);

    /// Looks up `row` in `store`, of at most `rows` rows, because a notification or a miss told it to.
    fn look(&mut self, rows: u8, row: u8, store: &Table);

    /// Returns the number of parts in which a read is applied.
    fn parts(&self, rows: u8) -> u8;

    /// Applies one part of a read.
    fn apply(&mut self, part: u8, read: &Read);

    /// The rows that the replica claims to hold.
    fn claims(&self) -> Table;

    /// Returns its answer, in the order of [`ModelCandidate`].
    fn answer(&self, query: ModelQuery) -> Vec<ModelCandidate>;

    /// Returns whether it lists the name of this shape.
    fn lists(&self, shape: Shape) -> bool;

    /// Returns the number of entries in its pattern tables.
    fn entries(&self) -> u8;

    /// Returns whether it holds `row` as `other` does. Where another row is held otherwise, that row may answer in its place:
    /// then what it claims alone counts.
    fn holds_like(&self, other: &Self, row: u8) -> bool {
        let (mut ours, mut theirs) = (self.claims(), other.claims());
        if ours.remove(&row) != theirs.remove(&row) {
            return false;
        }
        let about = |replica: &Self, query| -> Vec<ModelCandidate> {
            let answer = replica.answer(query).into_iter();
            answer.filter(|candidate| candidate.row == row).collect()
        };
        ours != theirs
            || QUERIES
                .into_iter()
                .all(|query| about(self, query) == about(other, query))
    }
}

/// Applies a whole read, part by part.
pub(crate) fn apply<R: Replica>(replica: &mut R, rows: u8, read: &Read) {
    for part in 0..replica.parts(rows) {
        replica.apply(part, read);
    }
}
