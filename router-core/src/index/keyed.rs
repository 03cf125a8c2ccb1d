//! A hash table whose keys live in its entries.

use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hash, Hasher};
use std::mem;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use crate::deployment::Deployment;

/// A team, if any, and a text: what rows and groups of rows are found by.
pub(crate) type Key<'a> = (Option<&'a str>, &'a str);

/// Something that knows the key by which it is found.
pub(crate) trait Entry {
    /// The key, which must not change while the entry is in a table.
    fn key(&self) -> Key<'_>;

    /// Returns whether the entry has this key, faster than by making the entry's own.
    fn has_key(&self, key: Key<'_>) -> bool {
        self.key() == key
    }
}

/// Entries by their keys.
///
/// `Eq`, `Hash` and `Debug` see the set of entries, not the order or the room they take.
///
/// # Limits
///
/// The hash is seeded with a constant, for the sake of equal behaviour in every process: keys are expected from an
/// operator's own database. Whoever may write rows may also slow the table down.
#[derive(Clone)]
pub(crate) struct Keyed<E> {
    entries: HashTable<E>,
}

impl<E: Entry> Keyed<E> {
    #[inline]
    pub(crate) fn find(&self, key: Key<'_>) -> Option<&E> {
        self.entries.find(hash_of(key), |entry| entry.has_key(key))
    }

    /// The entry, whose key the caller leaves as it is.
    pub(crate) fn find_mut(&mut self, key: Key<'_>) -> Option<&mut E> {
        self.entries.find_mut(hash_of(key), |entry| entry.has_key(key))
    }

    /// The entry of the key, which is made if there is none.
    pub(crate) fn upsert(&mut self, key: Key<'_>, update: impl FnOnce(&mut E), make: impl FnOnce() -> E) {
        match self.slot(key) {
            Slot::Occupied(mut slot) => update(slot.get_mut()),
            Slot::Vacant(slot) => {
                slot.insert(make());
            }
        }
    }

    /// Updates the entry of the key, and takes it out if `update` says that it is empty.
    pub(crate) fn shrink(&mut self, key: Key<'_>, update: impl FnOnce(&mut E) -> bool) {
        match self.slot(key) {
            Slot::Occupied(mut slot) => {
                if update(slot.get_mut()) {
                    slot.remove();
                }
            }
            Slot::Vacant(_) => unreachable!("an index is told to forget only what it holds"),
        }
    }

    /// Puts an entry, or nothing, in the place of the one that has the key; returns that one, and the one that is held.
    pub(crate) fn replace(&mut self, key: Key<'_>, entry: Option<E>) -> (Option<E>, Option<&E>) {
        match (self.slot(key), entry) {
            (Slot::Occupied(slot), Some(entry)) => {
                let held = slot.into_mut();
                (Some(mem::replace(held, entry)), Some(held))
            }
            (Slot::Occupied(slot), None) => (Some(slot.remove().0), None),
            (Slot::Vacant(slot), Some(entry)) => (None, Some(slot.insert(entry).into_mut())),
            (Slot::Vacant(_), None) => (None, None),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        self.entries.iter()
    }

    fn slot(&mut self, key: Key<'_>) -> Slot<'_, E> {
        self.entries
            .entry(hash_of(key), |entry| entry.has_key(key), |entry| hash_of(entry.key()))
    }
}

/// The seed of all hashes, an arbitrary constant.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a key; the length of the team tells where it ends and the text begins.
///
/// Keys of one hash are told apart by comparison, so that a poor hash makes the table slow and never wrong.
#[inline]
fn hash_of((team, text): Key<'_>) -> u64 {
    let mut hasher = FixedState::with_seed(SEED).build_hasher();
    if let Some(team) = team {
        hasher.write_usize(team.len());
        hasher.write(team.as_bytes());
    }
    hasher.write(text.as_bytes());
    hasher.finish()
}

impl Entry for Deployment {
    fn key(&self) -> Key<'_> {
        (None, self.id().as_str())
    }
}

impl<E> Default for Keyed<E> {
    fn default() -> Self {
        Self {
            entries: HashTable::new(),
        }
    }
}

impl<E: Entry + PartialEq> PartialEq for Keyed<E> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|entry| other.find(entry.key()) == Some(entry))
    }
}

impl<E: Entry + Eq> Eq for Keyed<E> {}

impl<E: Entry + Hash> Hash for Keyed<E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A sum does not depend on the order, and unlike an exclusive or it does not cancel equal terms.
        let sum = self.iter().fold(0_u64, |sum, entry| {
            sum.wrapping_add(FixedState::with_seed(SEED).hash_one(entry))
        });
        (self.len(), sum).hash(state);
    }
}

impl<E: Entry + Debug> Debug for Keyed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entries: Vec<&E> = self.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.key());
        f.debug_list().entries(entries).finish()
    }
}
