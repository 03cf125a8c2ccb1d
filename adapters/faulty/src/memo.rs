//! A memo of lookups: results that are kept so that the next lookup of the same name need not search.
//!
//! Owned by [`Tables`](crate::tables::Tables), filled by lookups, forgotten by changes. Whole answers are kept by faults
//! alone: the router without one keeps patterns and misses.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::Answer;

/// The most names that are remembered of one kind; one more, and all of that kind are forgotten first.
pub(crate) const MEMO_ENTRIES_MAX: usize = 1_024;

/// The pattern that serves each remembered name, the names that nothing serves, and whole answers.
///
/// A lookup writes to it through a shared reference. Equality and hash cover what is remembered: a router that is the
/// key of a map must not be asked there; ask a clone.
#[derive(Debug, Default)]
pub(crate) struct Memo(Mutex<Remembered>);

/// An answer to a caller's lookup of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kept {
    /// The caller's team.
    pub scope: String,
    /// The name that was looked up.
    pub name: String,
    /// The answer that it got.
    pub answer: Answer,
    /// The stamp of the table that gave it.
    stamp: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Remembered {
    /// Table of patterns and name, to the text of the pattern.
    patterns: BTreeMap<(String, String), String>,
    /// Caller's team and name.
    misses: BTreeSet<(String, String)>,
    /// Whole answers, oldest first.
    answers: Vec<Kept>,
    /// The stamp of the table as it is.
    stamp: u8,
}

impl Memo {
    /// The text of the pattern that serves `name` in the table of `scope`, if it is remembered.
    pub(crate) fn pattern(&self, scope: &str, name: &str) -> Option<String> {
        self.found().patterns.get(&key(scope, name)).cloned()
    }

    /// Remembers that the pattern `text` serves `name` in the table of `scope`.
    pub(crate) fn note_pattern(&self, scope: &str, name: &str, text: &str) {
        let mut found = self.found();
        if found.patterns.len() >= MEMO_ENTRIES_MAX {
            found.patterns.clear();
        }
        found.patterns.insert(key(scope, name), text.to_owned());
    }

    /// Returns whether `name` is remembered as one that nothing serves for a caller of `scope`.
    pub(crate) fn is_miss(&self, scope: &str, name: &str) -> bool {
        self.found().misses.contains(&key(scope, name))
    }

    /// Remembers that nothing serves `name` for a caller of `scope`.
    pub(crate) fn note_miss(&self, scope: &str, name: &str) {
        let mut found = self.found();
        if found.misses.len() >= MEMO_ENTRIES_MAX {
            found.misses.clear();
        }
        found.misses.insert(key(scope, name));
    }

    /// Forgets which patterns serve which names.
    pub(crate) fn forget_patterns(&mut self) {
        self.found().patterns.clear();
    }

    /// Forgets which names nothing serves.
    pub(crate) fn forget_misses(&mut self) {
        self.found().misses.clear();
    }

    /// Forgets that nothing serves `name`, whoever asks for it.
    pub(crate) fn forget_miss(&self, name: &str) {
        self.found().misses.retain(|(_, missed)| missed != name);
    }

    /// The kept answer to `name` for a caller of `scope`, if it has the stamp of the table.
    pub(crate) fn answer(&self, scope: &str, name: &str) -> Option<Answer> {
        let found = self.found();
        let is_of = |kept: &&Kept| kept.scope == scope && kept.name == name && kept.stamp == found.stamp;
        found.answers.iter().find(is_of).map(|kept| kept.answer.clone())
    }

    /// Keeps an answer in place of an earlier one to the same lookup. Where there are more than `entries_max` then, the
    /// oldest goes.
    pub(crate) fn keep_answer(&self, scope: &str, name: &str, answer: &Answer, entries_max: usize) {
        let mut found = self.found();
        found.answers.retain(|kept| kept.scope != scope || kept.name != name);
        let kept = Kept {
            scope: scope.to_owned(),
            name: name.to_owned(),
            answer: answer.clone(),
            stamp: found.stamp,
        };
        found.answers.push(kept);
        if found.answers.len() > entries_max {
            found.answers.remove(0);
        }
    }

    /// Forgets the answers that `is_old` names.
    pub(crate) fn forget_answers(&self, is_old: impl Fn(&Kept) -> bool) {
        self.found().answers.retain(|kept| !is_old(kept));
    }

    /// Gives the table its next stamp, of so many that there are.
    pub(crate) fn stamp(&self, stamps: u8) {
        let mut found = self.found();
        found.stamp = (found.stamp + 1) % stamps;
    }

    /// A panic elsewhere cannot leave the sets half-written, so a poisoned lock holds nothing wrong.
    fn found(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(scope: &str, name: &str) -> (String, String) {
    (scope.to_owned(), name.to_owned())
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.found().clone()))
    }
}

impl PartialEq for Memo {
    fn eq(&self, other: &Self) -> bool {
        // One lock at a time, and never the same one twice: comparing a memo with itself must not wait for ever.
        std::ptr::eq(self, other) || {
            let own = self.found().clone();
            own == *other.found()
        }
    }
}

impl Eq for Memo {}

impl Hash for Memo {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.found().hash(state);
    }
}
