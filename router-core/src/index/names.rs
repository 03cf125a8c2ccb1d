//! Exact names.

use super::keyed::{Key, Keyed};
use super::{Group, Index, asked_by};
use crate::deployment::Deployment;

/// The rows with an exact name, by team and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Names {
    groups: Keyed<Group>,
}

impl Names {
    #[inline]
    pub(crate) fn find(&self, key: Key<'_>) -> Option<&Group> {
        self.groups.find(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }
}

impl Index for Names {
    fn insert(&mut self, row: &Deployment) {
        if row.asked().pattern().is_none() {
            self.groups
                .upsert(asked_by(row), |group| group.insert(row), || Group::of(row.clone()));
        }
    }

    fn remove(&mut self, row: &Deployment) {
        if row.asked().pattern().is_none() {
            self.groups.shrink(asked_by(row), |group| group.remove(row));
        }
    }

    fn swap(&mut self, before: &Deployment, after: &Deployment) {
        if before.asked().pattern().is_none() {
            let group = self
                .groups
                .find_mut(asked_by(before))
                .expect("the group of a held row is held");
            group.swap(before, after);
        }
    }

    fn sizes(&self, report: &mut dyn FnMut(&'static str, usize)) {
        report("exact names", self.groups.len());
        report("rows by exact name", self.iter().map(Group::len).sum());
    }
}
