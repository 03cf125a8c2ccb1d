//! Names with wildcards.

use std::cmp::Ordering;

use super::keyed::{Entry, Key, Keyed};
use super::{Group, Index};
use crate::deployment::{Deployment, Team};
use crate::pattern::Pattern;

/// The rows with a pattern for a name, by team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Patterns {
    scopes: Keyed<Scope>,
}

/// The patterns of one team (or of none), the most specific first; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Scope {
    groups: Vec<Group>,
}

impl Patterns {
    /// The group of the most specific pattern of the team (or of none) that matches.
    pub(crate) fn find(&self, team: Option<&str>, name: &str) -> Option<&Group> {
        let scope = self.scopes.find((team, ""))?;
        scope.groups.iter().find(|group| pattern_of(group).matches(name))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.scopes.iter().flat_map(|scope| &scope.groups)
    }
}

impl Index for Patterns {
    fn insert(&mut self, row: &Deployment) {
        if let Some(pattern) = row.asked().pattern() {
            let make = || Scope {
                groups: vec![Group::One(row.clone())],
            };
            self.scopes
                .upsert(scope_of(row), |scope| scope.insert(pattern, row), make);
        }
    }

    fn remove(&mut self, row: &Deployment) {
        if let Some(pattern) = row.asked().pattern() {
            self.scopes.shrink(scope_of(row), |scope| scope.remove(pattern, row));
        }
    }

    fn sizes(&self, report: &mut dyn FnMut(&'static str, usize)) {
        report("pattern scopes", self.scopes.len());
        report("patterns", self.iter().count());
        report("rows by pattern", self.iter().map(Group::len).sum());
    }
}

impl Scope {
    fn insert(&mut self, pattern: Pattern<'_>, row: &Deployment) {
        match self.place(pattern) {
            Ok(at) => self.groups[at].insert(row),
            Err(at) => self.groups.insert(at, Group::One(row.clone())),
        }
    }

    /// Forgets a row, and says whether it was the last one, which stays in place for the caller to drop.
    fn remove(&mut self, pattern: Pattern<'_>, row: &Deployment) -> bool {
        let at = self
            .place(pattern)
            .expect("a row is removed from the pattern that holds it");
        let emptied = self.groups[at].remove(row);
        if emptied && self.groups.len() > 1 {
            self.groups.remove(at);
            return false;
        }
        emptied
    }

    fn place(&self, pattern: Pattern<'_>) -> Result<usize, usize> {
        self.groups
            .binary_search_by(|group| -> Ordering { pattern_of(group).cmp(&pattern) })
    }
}

impl Entry for Scope {
    fn key(&self) -> Key<'_> {
        (self.groups[0].key().0, "")
    }
}

fn scope_of(row: &Deployment) -> Key<'_> {
    (row.team().map(Team::as_str), "")
}

fn pattern_of(group: &Group) -> Pattern<'_> {
    Pattern::of(group.key().1).expect("only rows with a pattern for a name are held here")
}
