//! Exact names.

use super::keyed::{Entry, Key, Keyed};
use super::{Group, Index, asked_by};
use crate::deployment::Deployment;

/// The rows with an exact name, by team and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Names {
    /// The rows without a team.
    global: Keyed<Named>,
    teams: Keyed<Named>,
}

/// A group with its key beside it, although its rows have it too: keys are small and lie close together, so that a
/// lookup that only compares them finds more of them in the caches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Named {
    /// The team, if any, and [`BETWEEN`], and the name.
    key: Box<str>,
    group: Group,
}

/// A control character, which is in no team and in no name.
const BETWEEN: &str = "\n";

impl Names {
    #[inline]
    pub(crate) fn find(&self, key: Key<'_>) -> Option<&Group> {
        let groups = if key.0.is_none() { &self.global } else { &self.teams };
        groups.find(key).map(|named| &named.group)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.global.iter().chain(self.teams.iter()).map(|named| &named.group)
    }

    fn groups_mut(&mut self, key: Key<'_>) -> &mut Keyed<Named> {
        if key.0.is_none() {
            &mut self.global
        } else {
            &mut self.teams
        }
    }
}

impl Index for Names {
    fn insert(&mut self, row: &Deployment) {
        if row.asked().pattern().is_none() {
            let key = asked_by(row);
            self.groups_mut(key)
                .upsert(key, |named| named.group.insert(row), || Named::of(row));
        }
    }

    fn remove(&mut self, row: &Deployment) {
        if row.asked().pattern().is_none() {
            let key = asked_by(row);
            self.groups_mut(key).shrink(key, |named| named.group.remove(row));
        }
    }

    fn swap(&mut self, before: &Deployment, after: &Deployment) {
        if before.asked().pattern().is_none() {
            let key = asked_by(before);
            let named = self
                .groups_mut(key)
                .find_mut(key)
                .expect("the group of a held row is held");
            named.group.swap(before, after);
        }
    }

    fn sizes(&self, report: &mut dyn FnMut(&'static str, usize)) {
        report("exact names", self.global.len() + self.teams.len());
        report("rows by exact name", self.iter().map(Group::len).sum());
    }
}

impl Named {
    fn of(row: &Deployment) -> Self {
        let (team, name) = asked_by(row);
        let key = match team {
            None => name.into(),
            Some(team) => [team, name].join(BETWEEN).into(),
        };
        Self {
            key,
            group: Group::of(row.clone()),
        }
    }
}

impl Entry for Named {
    fn key(&self) -> Key<'_> {
        match self.key.split_once(BETWEEN) {
            Some((team, name)) => (Some(team), name),
            None => (None, &self.key),
        }
    }

    #[inline]
    fn has_key(&self, (team, name): Key<'_>) -> bool {
        match team {
            None => *self.key == *name,
            Some(team) => {
                let rest = self.key.strip_prefix(team);
                rest.and_then(|rest| rest.strip_prefix(BETWEEN)) == Some(name)
            }
        }
    }
}
