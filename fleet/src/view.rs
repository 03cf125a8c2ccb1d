//! A replica as the rules see it, whatever it is made of: what it holds, lists and answers.

use crate::actions::Shape;
use crate::cell::{Cell, Cells, Content, ROWS_MAX, VERSIONS_MAX};
use crate::strategies::Strategy;

/// A request: for the name that an exact row has, or for one that only wildcards match; by the team's caller or by none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelQuery {
    /// True if the exact name is asked for.
    pub exact: bool,
    /// True if the caller is of the team.
    pub team: bool,
}

/// Every request that can be told apart.
pub const QUERIES: [ModelQuery; 4] = [
    ModelQuery {
        exact: true,
        team: false,
    },
    ModelQuery {
        exact: true,
        team: true,
    },
    ModelQuery {
        exact: false,
        team: false,
    },
    ModelQuery {
        exact: false,
        team: true,
    },
];

/// One candidate of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelCandidate {
    /// Number of the row, from 0.
    pub row: u8,
    /// Version of the row, as its tag says.
    pub version: u8,
    /// Copies of it in the answer, counted up to two.
    pub copies: u8,
    /// The table that it came from.
    pub table: Shape,
}

/// A replica that is up, and what an observer knows of it. Two are equal if nothing will ever tell them apart.
pub(crate) trait View: PartialEq {
    /// Returns the strategy by which the replica follows the store.
    fn strategy(&self) -> &Strategy;

    /// The rows that it claims to hold.
    fn cells(&self) -> Cells;

    /// The rows of the read that it holds.
    fn reading(&self) -> Cells;

    /// The newest version of `row` that it answered with since it started.
    fn answered(&self, row: usize) -> u8;

    /// The newest version of `row` that it acknowledged as written since it started.
    fn acked(&self, row: usize) -> u8;

    /// Returns whether it lists the name of this shape.
    fn lists(&self, shape: Shape) -> bool;

    /// Returns the number of entries in its pattern tables.
    fn entries(&self) -> u8;

    /// Visits the candidates that it answers with.
    fn candidates(&self, query: ModelQuery, visit: impl FnMut(ModelCandidate));

    /// Returns whether it holds `row` as `other` does, in its list and in its pattern tables.
    fn holds_like(&self, other: &Self, row: usize) -> bool;

    /// Returns whether it answers exactly what `store` prescribes after the poll under way and one more, which succeed.
    fn heals(&self, store: &Cells) -> bool;
}

/// The pattern tables that a caller sees, in the order in which they are asked; the first match wins.
pub(crate) fn tables(team_first: bool, sees_team: bool) -> [Option<Shape>; 2] {
    let team = sees_team.then_some(Shape::Team);
    if team_first {
        [team, Some(Shape::Wild)]
    } else {
        [Some(Shape::Wild), team]
    }
}

/// The row versions that `cells` prescribe as candidates for `query`, with the table that they belong to.
pub(crate) fn prescribed(cells: &Cells, strategy: &Strategy, query: ModelQuery, mut visit: impl FnMut(ModelCandidate)) {
    let exact = query.exact.then_some(Shape::Exact);
    for shape in [exact]
        .into_iter()
        .chain(tables(strategy.team_first, query.team))
        .flatten()
    {
        let mut matched = false;
        for (row, cell) in (0..).zip(cells).filter(|(_, cell)| cell.content.shape() == Some(shape)) {
            matched = true;
            if let Content::Row(table) = cell.content {
                visit(ModelCandidate {
                    row,
                    version: cell.version,
                    copies: 1,
                    table,
                });
            }
        }
        if matched {
            return;
        }
    }
}

/// Number of candidates of each version of each row.
type Copies = [[u8; VERSIONS_MAX + 1]; ROWS_MAX];

/// Returns whether every answer is exactly what `store` prescribes.
pub(crate) fn agrees(view: &impl View, store: &Cells) -> bool {
    QUERIES.into_iter().all(|query| {
        let [mut answered, mut due] = [[[0; VERSIONS_MAX + 1]; ROWS_MAX]; 2];
        let count = |copies: &mut Copies, candidate: ModelCandidate| {
            copies[usize::from(candidate.row)][usize::from(candidate.version)] += candidate.copies;
        };
        view.candidates(query, |candidate| count(&mut answered, candidate));
        prescribed(store, view.strategy(), query, |candidate| count(&mut due, candidate));
        answered == due
    })
}

/// Returns the row as a read brings it to a replica: only revisions tell of the rows that are gone.
pub(crate) fn read(strategy: &Strategy, cell: Cell) -> Cell {
    if cell.content == Content::Absent && !strategy.refuses_older {
        Cell::default()
    } else {
        cell
    }
}
