//! The table: the rows and their indexes, and the one way to change them.

use crate::deployment::{Deployment, Id, Row};
use crate::error::{LoadError, RowError};
use crate::index::{Index, Keyed, Names, Patterns, asked_by};

/// The largest table whose indexes a debug build compares with a rebuild after each change.
///
/// The comparison costs as much as the rebuild: above this it would make a long test quadratic.
const REBUILD_ROWS_MAX: usize = 32;

/// A change to one row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Puts the row in the place of the one with its id.
    Put(Deployment),
    /// Deletes the row of this id, if there is one.
    Delete(Box<str>),
}

impl Change {
    /// The id of the row that changes.
    pub fn id(&self) -> &str {
        match self {
            Self::Put(row) => row.id().as_str(),
            Self::Delete(id) => id,
        }
    }
}

/// The rows that a replica has applied, with every index that a lookup needs.
///
/// Equality and hash cover the whole state, the derived indexes included, so that a model checker that keeps tables in
/// its states tells a stale index from a fresh one. Both are functions of the rows alone, never of the history.
///
/// # Examples
///
/// ```
/// use router_core::{Query, Row, Table};
///
/// let mut table = Table::default();
/// table.upsert(Row { id: "d1", model_name: "openai/*", model: "openai/openai/*", tag: "v1", ..Row::default() })?;
/// table.upsert(Row { id: "d1", model_name: "openai/*", model: "openai/*", tag: "v2", ..Row::default() })?;
///
/// let answer = table.lookup(Query { model: "openai/gpt-4o", team: None });
/// let candidates: Vec<_> = answer.candidates().map(|c| (c.tag().as_str(), c.model().to_string())).collect();
/// assert_eq!(candidates, [("v2", "openai/gpt-4o".to_string())]);
/// # Ok::<(), router_core::RowError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Table {
    rows: Keyed<Deployment>,
    names: Names,
    patterns: Patterns,
}

impl Table {
    /// A table of exactly these rows.
    ///
    /// # Errors
    ///
    /// The first row that is invalid or repeats an id.
    pub fn of<'a>(rows: impl IntoIterator<Item = Row<'a>>) -> Result<Self, LoadError> {
        let mut table = Self::default();
        for (position, row) in rows.into_iter().enumerate() {
            let id = row.id;
            let row = row.parse().map_err(|error| LoadError::Row {
                position,
                id: id.to_owned(),
                error,
            })?;
            if table.row(row.id()).is_some() {
                return Err(LoadError::DuplicateId {
                    position,
                    id: id.to_owned(),
                });
            }
            table.put(&row);
        }
        Ok(table)
    }

    /// Replaces all rows by these, or leaves the table as it was.
    ///
    /// # Errors
    ///
    /// The first row that is invalid or repeats an id.
    pub fn load<'a>(&mut self, rows: impl IntoIterator<Item = Row<'a>>) -> Result<(), LoadError> {
        *self = Self::of(rows)?;
        Ok(())
    }

    /// Replaces the row of this id, by another one or by none, and returns the one that was there.
    ///
    /// This is the only path by which rows and indexes change.
    ///
    /// # Panics
    ///
    /// The row has another id than the one it is to replace.
    pub fn replace(&mut self, id: Id<'_>, row: Option<Deployment>) -> Option<Deployment> {
        assert!(
            row.as_ref().is_none_or(|row| row.id() == id),
            "a row takes the place of its own id only"
        );
        let (before, held) = self.rows.replace((None, id.as_str()), row);
        match (&before, held) {
            // A removal and an insertion would give the same indexes: the update in place is only faster.
            (Some(before), Some(row)) if asked_by(before) == asked_by(row) => {
                self.names.swap(before, row);
                self.patterns.swap(before, row);
            }
            (before, row) => {
                if let Some(before) = before {
                    self.names.remove(before);
                    self.patterns.remove(before);
                }
                if let Some(row) = row {
                    self.names.insert(row);
                    self.patterns.insert(row);
                }
            }
        }
        debug_assert!(
            self.len() > REBUILD_ROWS_MAX || self.is_fresh(),
            "an index differs from its rebuild"
        );
        before
    }

    /// Parses the row, puts it in the place of the one with its id, and returns that one.
    ///
    /// # Errors
    ///
    /// The row is invalid; the table stays as it was.
    pub fn upsert(&mut self, row: Row<'_>) -> Result<Option<Deployment>, RowError> {
        row.parse().map(|row| self.put(&row))
    }

    /// Puts a row in the place of the one with its id, and returns that one.
    pub fn put(&mut self, row: &Deployment) -> Option<Deployment> {
        self.replace(row.id(), Some(row.clone()))
    }

    /// Makes one change, and returns the row that was there before.
    pub fn apply(&mut self, change: &Change) -> Option<Deployment> {
        match change {
            Change::Put(row) => self.put(row),
            Change::Delete(id) => self.delete(id),
        }
    }

    /// Deletes the row of this id, and returns it. Any text may be asked for, also one that is no valid id.
    pub fn delete(&mut self, id: &str) -> Option<Deployment> {
        Id::parse(id).ok().and_then(|id| self.replace(id, None))
    }

    /// The row of this id.
    pub fn row(&self, id: Id<'_>) -> Option<&Deployment> {
        self.rows.find((None, id.as_str()))
    }

    /// All rows, in no particular order.
    pub fn rows(&self) -> impl Iterator<Item = &Deployment> {
        self.rows.iter()
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of entries of each derived structure, by name.
    ///
    /// None ever exceeds three times the number of rows.
    ///
    /// # Complexity
    ///
    /// Linear in the number of names: for audits, not for requests.
    pub fn sizes(&self) -> Vec<(&'static str, usize)> {
        let mut sizes = Vec::new();
        let mut report = |name, size| sizes.push((name, size));
        report("rows", self.rows.len());
        self.names.sizes(&mut report);
        self.patterns.sizes(&mut report);
        sizes
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// Returns whether every index equals its rebuild from the rows.
    fn is_fresh(&self) -> bool {
        let mut fresh = Self::default();
        for row in self.rows() {
            fresh.rows.replace((None, row.id().as_str()), Some(row.clone()));
            fresh.names.insert(row);
            fresh.patterns.insert(row);
        }
        fresh == *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |id, model_name, team| Row {
            id,
            model_name,
            model: "x",
            tag: "v",
            team,
            ..Row::default()
        };
        let rows = [
            row("1", "a", None),
            row("2", "a", None),
            row("3", "a", Some("t")),
            row("4", "b*", None),
            row("5", "b*", None),
            row("6", "bc*", None),
            row("7", "b*", Some("t")),
            row("8", "c*", None),
            row("9", "*xy", None),
            row("10", "*xz", None),
        ];
        Table::of(rows).expect("the rows are valid")
    }

    /// The alarm works: an index that differs from its rebuild in any way is told from a fresh one.
    #[test]
    fn a_stale_index_is_noticed() {
        assert!(table().is_fresh());
        let other = Table::of([]).expect("no row is invalid");
        assert!(
            !Table {
                names: other.names.clone(),
                ..table()
            }
            .is_fresh(),
            "names are missing"
        );
        assert!(
            !Table {
                patterns: other.patterns.clone(),
                ..table()
            }
            .is_fresh(),
            "patterns are missing"
        );
        assert!(
            !Table {
                rows: other.rows,
                ..table()
            }
            .is_fresh(),
            "rows are missing"
        );
        let mut stale = table();
        stale.patterns = {
            let mut later = table();
            later
                .upsert(Row {
                    id: "4",
                    model_name: "b*",
                    model: "x",
                    tag: "w",
                    ..Row::default()
                })
                .expect("it is valid");
            later.patterns
        };
        assert!(!stale.is_fresh(), "one tag differs");
    }

    #[test]
    fn sizes_count_what_each_part_holds() {
        let expected = [
            ("rows", 10),
            ("exact names", 2),
            ("rows by exact name", 3),
            ("teams with patterns", 1),
            ("patterns", 6),
            ("rows by pattern", 7),
            ("pattern nodes", 7),
        ];
        assert_eq!(table().sizes(), expected);
        assert_eq!(Table::default().sizes(), expected.map(|(part, _)| (part, 0)));
    }
}
