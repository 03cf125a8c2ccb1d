//! A memo of lookups: results that are kept so that the next lookup of the same name need not search.
//!
//! Owned by [`Tables`](crate::tables::Tables), filled by lookups, forgotten by changes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most names that are remembered of one kind; one more, and all of that kind are forgotten first.
pub const MEMO_ENTRIES_MAX: usize = 1_024;

/// The pattern that serves each remembered name, and the names that nothing serves.
///
/// A lookup writes to it through a shared reference. Equality and hash cover what is remembered: a router that is the
/// key of a map must not be asked there; ask a clone.
#[derive(Debug, Default)]
pub struct Memo(Mutex<Remembered>);

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Remembered {
    /// Table of patterns and name, to the text of the pattern.
    patterns: BTreeMap<(String, String), String>,
    /// Caller's team and name.
    misses: BTreeSet<(String, String)>,
}

impl Memo {
    /// The text of the pattern that serves `name` in the table of `scope`, if it is remembered.
    pub fn pattern(&self, scope: &str, name: &str) -> Option<String> {
        self.found().patterns.get(&key(scope, name)).cloned()
    }

    /// Remembers that the pattern `text` serves `name` in the table of `scope`.
    pub fn note_pattern(&self, scope: &str, name: &str, text: &str) {
        let mut found = self.found();
        if found.patterns.len() >= MEMO_ENTRIES_MAX {
            found.patterns.clear();
        }
        found.patterns.insert(key(scope, name), text.to_owned());
    }

    /// Returns whether `name` is remembered as one that nothing serves for a caller of `scope`.
    pub fn is_miss(&self, scope: &str, name: &str) -> bool {
        self.found().misses.contains(&key(scope, name))
    }

    /// Remembers that nothing serves `name` for a caller of `scope`.
    pub fn note_miss(&self, scope: &str, name: &str) {
        let mut found = self.found();
        if found.misses.len() >= MEMO_ENTRIES_MAX {
            found.misses.clear();
        }
        found.misses.insert(key(scope, name));
    }

    /// Forgets which patterns serve which names.
    pub fn forget_patterns(&mut self) {
        self.found().patterns.clear();
    }

    /// Forgets which names nothing serves.
    pub fn forget_misses(&mut self) {
        self.found().misses.clear();
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
