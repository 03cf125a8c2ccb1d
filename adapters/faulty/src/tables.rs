//! The rows and the derived structures beside them: plain data, with the operations that touch one structure each.
//!
//! Owned by [`Router`](crate::Router). [`Steps`](crate::Steps) decides which operation is called when.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Row;

use crate::memo::Memo;
use crate::pattern::{Token, is_pattern};

/// The scope of what every caller may see. No team has this name, since no text of a row is empty.
pub(crate) const GLOBAL: &str = "";

/// The structure that is the router's own list of what it serves.
pub(crate) const REGISTRY: &str = "rows";

/// Everything that a router remembers.
///
/// INVARIANT of the router without a fault: every structure is the one that the rows alone would give, but for the
/// order of `rows`, `patterns` and `targets`, which is that of the last change of each row, and for the memo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tables {
    /// The model list.
    pub(crate) rows: Vec<Row>,
    /// Id to position in the list. The ids that the router claims to hold are its keys.
    pub(crate) by_id: BTreeMap<String, usize>,
    /// Exact global name to positions.
    pub(crate) by_name: BTreeMap<String, Vec<usize>>,
    /// Team, then the exact name that it asks by, to positions.
    pub(crate) by_team: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
    /// The exact global names that are known; only these are looked up in `by_name`.
    pub(crate) names: BTreeSet<String>,
    /// Global patterns, with copies of their rows.
    pub(crate) patterns: Vec<Entry>,
    /// Patterns of each team, with copies of their rows.
    pub(crate) team_patterns: BTreeMap<String, Vec<Entry>>,
    /// The upstream target of each row.
    pub(crate) targets: Vec<String>,
    /// Scope to the names that may be listed in it.
    pub(crate) shown: BTreeMap<String, BTreeSet<String>>,
    /// The memo of lookups.
    pub(crate) memo: Memo,
    /// True once no change is carried out any more; never so without a fault.
    pub(crate) frozen: bool,
}

/// A pattern, and copies of the rows that are asked for by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The pattern as it is written.
    pub text: String,
    /// The pattern as it is matched.
    pub tokens: Vec<Token>,
    /// Copies of the rows.
    pub rows: Vec<Row>,
}

/// The structure that a row is registered in, by its owner and the shape of the name that it is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home<'a> {
    /// The index of global names.
    Names,
    /// The index of this team's names.
    TeamNames(&'a str),
    /// The table of global patterns.
    Patterns,
    /// The table of this team's patterns.
    TeamPatterns(&'a str),
}

/// The home of a row.
pub(crate) fn home(row: &Row) -> Home<'_> {
    match (row.team.as_deref(), is_pattern(row.asked_name())) {
        (None, false) => Home::Names,
        (Some(team), false) => Home::TeamNames(team),
        (None, true) => Home::Patterns,
        (Some(team), true) => Home::TeamPatterns(team),
    }
}

/// The owner of the row.
pub(crate) fn scope(row: &Row) -> &str {
    row.team.as_deref().unwrap_or(GLOBAL)
}

impl Tables {
    /// The rows at these positions; a position behind the end is passed over.
    pub(crate) fn at(&self, positions: &[usize]) -> Vec<&Row> {
        positions.iter().filter_map(|&at| self.rows.get(at)).collect()
    }

    /// Returns whether a listed row of this scope is asked for by this name.
    pub(crate) fn is_asked(&self, wanted: &str, name: &str) -> bool {
        self.rows
            .iter()
            .any(|row| scope(row) == wanted && row.asked_name() == name)
    }

    /// Moves every position behind the removed one by one, in the three indexes that hold positions.
    pub(crate) fn shift(&mut self, moved: impl Fn(usize) -> bool) {
        let teams = self.by_team.values_mut().flat_map(BTreeMap::values_mut);
        let lists = self.by_name.values_mut().chain(teams).flatten();
        for position in lists.chain(self.by_id.values_mut()) {
            if moved(*position) {
                *position -= 1;
            }
        }
    }

    /// Removes a position from the index of global names.
    pub(crate) fn drop_exact(&mut self, name: &str, at: usize) {
        drop_position(&mut self.by_name, name, at);
    }

    /// Removes a position from the index of a team's names.
    pub(crate) fn drop_team_exact(&mut self, team: &str, name: &str, at: usize) {
        if let Some(names) = self.by_team.get_mut(team) {
            drop_position(names, name, at);
        }
        if self.by_team.get(team).is_some_and(BTreeMap::is_empty) {
            self.by_team.remove(team);
        }
    }

    /// Removes a row from the table of a team's patterns.
    pub(crate) fn drop_team_pattern(&mut self, team: &str, row: &Row) {
        if let Some(entries) = self.team_patterns.get_mut(team) {
            drop_pattern(entries, row);
        }
        if self.team_patterns.get(team).is_some_and(Vec::is_empty) {
            self.team_patterns.remove(team);
        }
    }

    /// The tags of the versions in each structure that leads to rows: by position in the list, or as copies of them.
    pub(crate) fn holds(&self) -> BTreeMap<String, Vec<String>> {
        let teams = self.by_team.values().flat_map(BTreeMap::values);
        let of_positions = |lists: Vec<&Vec<usize>>| tags(lists.into_iter().flat_map(|list| self.at(list)));
        let of_entries = |entries: Vec<&Entry>| tags(entries.into_iter().flat_map(|entry| &entry.rows));
        [
            (REGISTRY, tags(&self.rows)),
            ("ids", of_positions(vec![&self.by_id.values().copied().collect()])),
            ("name_index", of_positions(self.by_name.values().collect())),
            ("team_index", of_positions(teams.collect())),
            ("patterns", of_entries(self.patterns.iter().collect())),
            (
                "team_patterns",
                of_entries(self.team_patterns.values().flatten().collect()),
            ),
        ]
        .map(|(structure, tags)| (structure.to_owned(), tags))
        .into()
    }

    /// Entries in each structure. The memo is left out: it grows with the questions and not with the changes, and has a
    /// bound of its own.
    pub(crate) fn sizes(&self) -> BTreeMap<String, u64> {
        let teams = || self.by_team.values();
        let entries = || self.team_patterns.values().flatten();
        let copies = |entry: &Entry| entry.rows.len();
        let sizes = [
            (REGISTRY, self.rows.len()),
            ("ids", self.by_id.len()),
            ("names", self.names.len()),
            ("name_index", self.by_name.values().map(Vec::len).sum()),
            ("team_names", teams().map(BTreeMap::len).sum()),
            (
                "team_index",
                teams().flat_map(BTreeMap::values).map(Vec::len).sum::<usize>(),
            ),
            ("patterns", self.patterns.len()),
            ("pattern_rows", self.patterns.iter().map(copies).sum()),
            ("team_patterns", entries().count()),
            ("team_pattern_rows", entries().map(copies).sum()),
            ("targets", self.targets.len()),
            ("shown", self.shown.values().map(BTreeSet::len).sum()),
        ];
        let count =
            |(name, size): (&str, usize)| (name.to_owned(), u64::try_from(size).expect("a length fits 64 bits"));
        sizes.into_iter().map(count).collect()
    }
}

/// The tags of some rows.
fn tags<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<String> {
    rows.into_iter().map(|row| row.tag.clone()).collect()
}

/// Removes a position from the list of a name, and the name once its list is empty.
fn drop_position(index: &mut BTreeMap<String, Vec<usize>>, name: &str, at: usize) {
    if let Some(positions) = index.get_mut(name) {
        positions.retain(|&position| position != at);
        if positions.is_empty() {
            index.remove(name);
        }
    }
}

/// Adds a copy of a row to a table of patterns.
pub(crate) fn add_pattern(entries: &mut Vec<Entry>, row: &Row, tokens: Vec<Token>) {
    let text = row.asked_name();
    match entries.iter_mut().find(|entry| entry.text == text) {
        Some(entry) => entry.rows.push(row.clone()),
        None => entries.push(Entry {
            text: text.to_owned(),
            tokens,
            rows: vec![row.clone()],
        }),
    }
}

/// Removes a row from a table of patterns, and its pattern once no row goes by it.
pub(crate) fn drop_pattern(entries: &mut Vec<Entry>, row: &Row) {
    for entry in entries.iter_mut().filter(|entry| entry.text == row.asked_name()) {
        entry.rows.retain(|copy| copy.id != row.id);
    }
    entries.retain(|entry| !entry.rows.is_empty());
}
