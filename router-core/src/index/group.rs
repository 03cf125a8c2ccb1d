//! The rows that share a team and a name.

use std::slice;

use super::keyed::Key;
use crate::deployment::{Deployment, Team};

/// All rows of one team (or of none) that are asked for by one name; never empty.
///
/// Almost every group has one row, and takes no room but the pointer to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    One(Deployment),
    /// A single row that is blocked: a variant of its own, so that a lookup need not read the row.
    Blocked(Deployment),
    Many(Box<Many>),
}

/// Several rows.
///
/// # Complexity
///
/// A new version of a row costs the logarithm of their number, if it has the same weight; any other change is linear in
/// it.
///
/// INVARIANT: at least two rows, those that are not blocked first, each part ordered by id; `shares[i]` is the sum of
/// the weights of the first `i + 1` rows that are not blocked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Many {
    rows: Vec<Deployment>,
    shares: Vec<u64>,
}

impl Group {
    /// The group of one row.
    pub(crate) fn of(row: Deployment) -> Self {
        if row.blocked() {
            Self::Blocked(row)
        } else {
            Self::One(row)
        }
    }

    /// The rows that are not blocked; nothing if all are.
    #[inline]
    pub(crate) fn eligible(&self) -> Option<Eligible<'_>> {
        match self {
            Self::One(row) => Some(Eligible::One(row)),
            Self::Blocked(_) => None,
            Self::Many(many) => (!many.shares.is_empty()).then_some(Eligible::Many(many)),
        }
    }

    /// Returns the number of rows, blocked ones included.
    pub(crate) fn len(&self) -> usize {
        self.rows().len()
    }

    /// The first row.
    pub(crate) fn first(&self) -> &Deployment {
        &self.rows()[0]
    }

    /// The name by which the rows are asked for.
    pub(crate) fn name(&self) -> &str {
        self.first().asked().as_str()
    }

    /// Returns whether a caller of this team (or of none) may be answered with the rows.
    pub(crate) fn visible_to(&self, team: Option<&str>) -> bool {
        self.first().visible_to(team)
    }

    pub(crate) fn insert(&mut self, row: &Deployment) {
        match self {
            Self::One(first) | Self::Blocked(first) => {
                let mut many = Many {
                    rows: Vec::new(),
                    shares: Vec::new(),
                };
                many.insert(first);
                many.insert(row);
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.insert(row),
        }
    }

    /// Forgets a row, and says whether it was the last one, which stays in place for the caller to drop.
    pub(crate) fn remove(&mut self, row: &Deployment) -> bool {
        match self {
            Self::One(last) | Self::Blocked(last) => {
                debug_assert_eq!(last, row, "a row is removed in the version that is held");
                true
            }
            Self::Many(many) => {
                many.remove(row);
                if let [last] = many.rows.as_slice() {
                    *self = Self::of(last.clone());
                }
                false
            }
        }
    }

    /// Puts a row in the place of an earlier version of it that is asked for by the same team and name.
    pub(crate) fn swap(&mut self, before: &Deployment, after: &Deployment) {
        match self {
            Self::One(_) | Self::Blocked(_) => *self = Self::of(after.clone()),
            Self::Many(many) => many.swap(before, after),
        }
    }

    fn rows(&self) -> &[Deployment] {
        match self {
            Self::One(row) | Self::Blocked(row) => slice::from_ref(row),
            Self::Many(many) => &many.rows,
        }
    }
}

/// The rows of a group that are not blocked; at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Eligible<'a> {
    One(&'a Deployment),
    Many(&'a Many),
}

impl<'a> Eligible<'a> {
    /// The rows, ordered by id.
    pub(crate) fn rows(self) -> &'a [Deployment] {
        match self {
            Self::One(row) => slice::from_ref(row),
            Self::Many(many) => &many.rows[..many.shares.len()],
        }
    }

    /// The row that a draw picks, each by its weight.
    pub(crate) fn pick(self, draw: u64) -> &'a Deployment {
        let many = match self {
            Self::One(row) => return row,
            Self::Many(many) => many,
        };
        let rows = self.rows();
        match many.shares.last() {
            None | Some(0) => &rows[usize::try_from(scale(draw, rows.len() as u64)).expect("a place is a `usize`")],
            Some(&total) => {
                let drawn = scale(draw, total);
                &rows[many.shares.partition_point(|&share| share <= drawn)]
            }
        }
    }
}

/// Maps a draw to a number below `bound`, evenly.
fn scale(draw: u64, bound: u64) -> u64 {
    let product = u128::from(draw) * u128::from(bound);
    u64::try_from(product >> u64::BITS).expect("the upper half of a product of two `u64` is a `u64`")
}

impl Many {
    fn insert(&mut self, row: &Deployment) {
        let at = self.place(row).expect_err("a row is inserted once");
        self.rows.insert(at, row.clone());
        if !row.blocked() {
            let before = at.checked_sub(1).map_or(0, |last| self.shares[last]);
            self.shares.insert(at, before);
            self.shift(at, 0, row.weight());
        }
    }

    fn remove(&mut self, row: &Deployment) {
        let at = self.place(row).expect("a row is removed from the group that holds it");
        self.rows.remove(at);
        if !row.blocked() {
            self.shares.remove(at);
            self.shift(at, row.weight(), 0);
        }
    }

    fn swap(&mut self, before: &Deployment, after: &Deployment) {
        if before.blocked() != after.blocked() {
            self.remove(before);
            self.insert(after);
            return;
        }
        let at = self
            .place(before)
            .expect("a row is replaced in the group that holds it");
        self.rows[at] = after.clone();
        if before.weight() != after.weight() && !after.blocked() {
            self.shift(at, before.weight(), after.weight());
        }
    }

    fn place(&self, row: &Deployment) -> Result<usize, usize> {
        self.rows.binary_search_by(|held| order(held).cmp(&order(row)))
    }

    /// Takes one weight off all sums from a place on, and adds another.
    fn shift(&mut self, from: usize, less: u32, more: u32) {
        for share in &mut self.shares[from..] {
            *share = *share - u64::from(less) + u64::from(more);
        }
    }
}

fn order(row: &Deployment) -> (bool, &str) {
    (row.blocked(), row.id().as_str())
}

/// The team and the name of a row, as its callers ask for it.
pub(crate) fn asked_by(row: &Deployment) -> Key<'_> {
    (row.team().map(Team::as_str), row.asked().as_str())
}
