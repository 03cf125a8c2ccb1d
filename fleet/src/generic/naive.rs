//! Every strategy over ordered maps, as the oracle of the packed fleet: a list, a bag of entries and a set of names.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::Shape;
use crate::cell::{COPIES_MAX, Cell, Content};
use crate::generic::replica::{self, Read, Replica, Table};
use crate::strategies::{After, EmptyRead, Notices, Patterns, Strategy};
use crate::view::{ModelCandidate, ModelQuery};

/// A replica that follows a [`Strategy`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NaiveReplica {
    strategy: Strategy,
    list: Table,
    /// Version in which each row was deleted; only where revisions are kept.
    gone: BTreeMap<u8, u8>,
    /// Number of entries of a row's version in a pattern table, counted up to two.
    entries: BTreeMap<(Shape, u8, u8), u8>,
    names: BTreeSet<Shape>,
}

impl NaiveReplica {
    /// Returns the number of entries of `row` in `version` in the pattern table of `shape`.
    pub fn copies(&self, shape: Shape, row: u8, version: u8) -> u8 {
        self.entries.get(&(shape, row, version)).copied().unwrap_or(0)
    }

    /// The names that were ever served, where they are sticky.
    pub fn names(&self) -> &BTreeSet<Shape> {
        &self.names
    }

    /// Returns the version in which each row was deleted.
    pub fn gone(&self) -> &BTreeMap<u8, u8> {
        &self.gone
    }

    /// Drops every row, as replicas of some strategies do before they poll.
    pub(crate) fn drop_rows(&mut self) {
        for row in self.list.clone().into_keys() {
            self.remove(row, self.strategy.on_delete);
        }
    }

    /// Returns the row as deleted, in the version after the newest that is known of it.
    pub(crate) fn deleted_next(&self, row: u8) -> Cell {
        Cell {
            version: self.newest(row) + 1,
            content: Content::Absent,
        }
    }

    /// Returns whether rows go by what is asked for and every one of them is blocked.
    pub(crate) fn is_blocked(&self, query: ModelQuery) -> bool {
        let winning = self.winning(query);
        !winning.is_empty() && winning.iter().all(|found| self.hidden(found.row, found.version))
    }

    fn enter(&mut self, row: u8, cell: Cell) {
        if let Some(shape @ (Shape::Wild | Shape::Team)) = cell.content.shape() {
            let copies = self.entries.entry((shape, row, cell.version)).or_insert(0);
            *copies = COPIES_MAX.min(*copies + 1);
        }
    }

    fn rebuild(&mut self) {
        self.entries.clear();
        for (row, cell) in self.list.clone() {
            self.enter(row, cell);
        }
    }

    fn forget(&mut self, row: u8) {
        self.entries.retain(|(_, other, _), _| *other != row);
    }

    fn remove(&mut self, row: u8, how: Patterns) {
        if self.list.remove(&row).is_none() {
            return;
        }
        match how {
            Patterns::Kept | Patterns::Retagged => {}
            Patterns::RemovedById => self.forget(row),
            Patterns::Rebuilt => self.rebuild(),
        }
    }

    fn insert(&mut self, row: u8, cell: Cell) {
        let earlier = self.list.insert(row, cell);
        self.gone.remove(&row);
        if self.strategy.sticky_names {
            self.names.extend(cell.content.shape());
        }
        match (earlier, self.strategy.on_update) {
            (Some(_), Patterns::Rebuilt) => self.rebuild(),
            (Some(_), Patterns::RemovedById) => {
                self.forget(row);
                self.enter(row, cell);
            }
            (Some(earlier), Patterns::Retagged) => {
                let mine: Vec<_> = self
                    .entries
                    .keys()
                    .copied()
                    .filter(|(_, other, _)| *other == row)
                    .collect();
                for key in mine {
                    let copies = self.entries.remove(&key).expect("it is a key");
                    self.entries.insert((key.0, row, cell.version), copies);
                }
                if earlier.content.shape() != cell.content.shape() {
                    self.enter(row, cell);
                }
            }
            (None, _) | (_, Patterns::Kept) => self.enter(row, cell),
        }
    }

    /// Takes in a row as the store holds it.
    pub(crate) fn take(&mut self, row: u8, cell: Cell) {
        if self.strategy.refuses_older && cell.version <= self.newest(row) {
            return;
        }
        match cell.content {
            Content::Absent => {
                self.remove(row, self.strategy.on_delete);
                if self.strategy.refuses_older {
                    self.gone.insert(row, cell.version);
                }
            }
            Content::Invalid if self.strategy.refusal_keeps => {}
            Content::Invalid => {
                self.remove(row, self.strategy.on_update);
                self.gone.remove(&row);
            }
            Content::Row(_) | Content::Blocked(_) => {
                if self.list.get(&row) != Some(&cell) {
                    self.insert(row, cell);
                }
            }
        }
    }

    fn newest(&self, row: u8) -> u8 {
        let held = self.list.get(&row).map_or(0, |cell| cell.version);
        held.max(self.gone.get(&row).copied().unwrap_or(0))
    }

    fn hidden(&self, row: u8, version: u8) -> bool {
        let held = self.list.get(&row);
        let blocked = held.is_some_and(|cell| cell.version == version && matches!(cell.content, Content::Blocked(_)));
        blocked && self.strategy.filters_blocked
    }

    /// The versions of the table that wins, blocked ones among them.
    fn winning(&self, query: ModelQuery) -> Vec<ModelCandidate> {
        let team = (query.team || !self.strategy.checks_team).then_some(Shape::Team);
        let patterns = if self.strategy.team_first {
            [team, Some(Shape::Wild)]
        } else {
            [Some(Shape::Wild), team]
        };
        let known = if self.strategy.sticky_names {
            self.names.contains(&Shape::Exact)
        } else {
            !self.matching(Shape::Exact).is_empty()
        };
        if query.exact && known {
            self.matching(Shape::Exact)
        } else {
            let tables = patterns.into_iter().flatten().map(|shape| self.matching(shape));
            tables
                .into_iter()
                .find(|matching| !matching.is_empty())
                .unwrap_or_default()
        }
    }

    /// The versions in the table of `shape`, blocked ones among them.
    fn matching(&self, shape: Shape) -> Vec<ModelCandidate> {
        if shape == Shape::Exact {
            let rows = self.list.iter().filter(|(_, cell)| cell.content.shape() == Some(shape));
            let rows = rows.map(|(row, cell)| (*row, cell.version, 1));
            return rows
                .map(|(row, version, copies)| ModelCandidate {
                    row,
                    version,
                    copies,
                    table: shape,
                })
                .collect();
        }
        let entries = self.entries.iter().filter(|((table, ..), _)| *table == shape);
        let entries = entries.map(|((_, row, version), copies)| ModelCandidate {
            row: *row,
            version: *version,
            copies: *copies,
            table: shape,
        });
        entries.collect()
    }
}

impl Replica for NaiveReplica {
    fn start(strategy: &Strategy) -> Self {
        Self {
            strategy: *strategy,
            list: Table::new(),
            gone: BTreeMap::new(),
            entries: BTreeMap::new(),
            names: BTreeSet::new(),
        }
    }

    fn wrote(&mut self, after: After, rows: u8, row: u8, store: &Table) {
        if after == After::DropAndPoll {
            self.drop_rows();
        }
        match after {
            After::Nothing => {}
            After::Row => self.take(row, store[&row]),
            After::Poll | After::DropAndPoll => replica::apply(self, rows, &Read::Whole(store.clone())),
        }
    }

    fn look(&mut self, rows: u8, row: u8, store: &Table) {
        if self.strategy.notices == Notices::Polled {
            replica::apply(self, rows, &Read::Whole(store.clone()));
        } else {
            self.take(row, store[&row]);
        }
    }

    fn parts(&self, rows: u8) -> u8 {
        if self.strategy.atomic_apply { 1 } else { rows + 1 }
    }

    fn apply(&mut self, part: u8, read: &Read) {
        let nothing = Table::new();
        let rows = match read {
            Read::Faulty { .. } if self.strategy.knows_whole_reads => return,
            Read::Failed if self.strategy.knows_failures => return,
            Read::Whole(rows) | Read::Faulty { got: rows, .. } => rows,
            Read::Failed => &nothing,
        };
        let is_invalid = |cell: &Cell| cell.content == Content::Invalid;
        if self.strategy.refuses_invalid_reads && rows.values().any(is_invalid) {
            return;
        }
        let there: Table = rows
            .iter()
            .filter(|(_, cell)| cell.content != Content::Absent)
            .map(|(row, cell)| (*row, *cell))
            .collect();
        if part == 0 && !(there.is_empty() && self.strategy.empty_read == EmptyRead::DeletesNothing) {
            let known: BTreeSet<u8> = self.list.keys().chain(rows.keys()).copied().collect();
            for row in known.into_iter().filter(|row| !there.contains_key(row)) {
                self.take(row, rows.get(&row).copied().unwrap_or_default());
            }
        }
        let atomic = self.strategy.atomic_apply;
        for (row, cell) in there.into_iter().filter(|(row, _)| atomic || row + 1 == part) {
            self.take(row, cell);
        }
    }

    fn claims(&self) -> Table {
        self.list.clone()
    }

    fn answer(&self, query: ModelQuery) -> Vec<ModelCandidate> {
        let mut answer = self.winning(query);
        answer.retain(|candidate| !self.hidden(candidate.row, candidate.version));
        answer
    }

    fn lists(&self, shape: Shape) -> bool {
        if self.strategy.sticky_names {
            self.names.contains(&shape)
        } else {
            self.list.values().any(|cell| cell.content == Content::Row(shape))
        }
    }

    fn entries(&self) -> u8 {
        self.entries.values().sum()
    }
}
