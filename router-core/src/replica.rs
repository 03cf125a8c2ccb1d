//! A replica that follows a store: a state machine without time, threads or input and output of its own.
//!
//! A replica owns the revision of the last reading that it applied, and the revisions of its own writes since. Whoever
//! runs it reads the store, applies the reading, and tells the replica of its own writes; each of these may fail, come
//! late, or come in another order than they were asked for, and what is served never goes back.
//!
//! - A reading carries the store's revision, and replaces the whole table by the changes that it makes to it. One older
//!   than the last is refused. Rows that the replica itself wrote after the reading was taken stay as they are.
//! - A write is served by the replica that made it as soon as the store has it, unless something newer is served.
//! - A notification is a hint to poll, and nothing is lost if it is.
//! - A reading that failed, is incomplete, or has an invalid row changes nothing.
//!
//! # What is asked of the store
//!
//! Each write is given a revision in the transaction that makes it, greater than that of any write that was made
//! before; a reading takes the revision, the number of rows and the rows themselves in one transaction.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::deployment::{Deployment, Id, Row};
use crate::error::{ReadingError, StoreError};
use crate::router::Router;
use crate::table::{Change, Table};

/// A point in the history of the store: the number of its writes, or any number that grows with each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// All rows of the store, as of one revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    revision: Revision,
    rows: BTreeMap<Box<str>, Deployment>,
}

impl Reading {
    /// A reading of these rows. `count` is how many rows the store says that it has, read apart from them.
    ///
    /// # Errors
    ///
    /// A row is invalid or repeats an id; or there are not as many as the store has, as when a result was cut short.
    pub fn of<'a>(
        revision: Revision,
        count: usize,
        rows: impl IntoIterator<Item = Row<'a>>,
    ) -> Result<Self, ReadingError> {
        let table = Table::of(rows)?;
        if table.len() != count {
            return Err(ReadingError::Incomplete {
                got: table.len(),
                count,
            });
        }
        let rows = table
            .rows()
            .map(|row| (row.id().as_str().into(), row.clone()))
            .collect();
        Ok(Self { revision, rows })
    }

    /// The revision of the store when the rows were read.
    pub fn revision(&self) -> Revision {
        self.revision
    }
}

/// A store of rows, such as a database; see the module for what is asked of it.
pub trait Store {
    /// The reason why the store failed.
    type Error;

    /// The revision that the store has come to.
    fn revision(&mut self) -> Result<Revision, Self::Error>;

    /// All rows with their revision, in one transaction.
    fn read(&mut self) -> Result<Reading, StoreError<Self::Error>>;

    /// Makes a change, and returns the revision that has it.
    ///
    /// After an error the change may have been made or not.
    fn write(&mut self, change: &Change) -> Result<Revision, Self::Error>;
}

/// The result of applying a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The reading is served now; so many rows changed.
    Applied {
        /// The number of rows that changed.
        changes: usize,
    },
    /// The reading is older than the one that was applied before, and was refused.
    Older,
    /// The store has not come further than the last reading, and was not read.
    UpToDate,
}

/// A replica of a store, whose router serves the rows.
///
/// A clone has a router of its own. Equality and hash cover what is known and what is served, the derived indexes
/// included, and not how often it was published: a model checker can keep replicas in its states.
///
/// # Limits
///
/// A store that is set back to an earlier revision, as from a backup, is refused until it has passed the last reading:
/// start a new replica then.
///
/// # Examples
///
/// ```
/// use router_core::{Outcome, Query, Reading, Replica, Revision, Row};
///
/// let mut replica = Replica::default();
/// assert!(replica.applied().is_none(), "nothing is known yet");
///
/// let row = Row { id: "d1", model_name: "gpt-4o", model: "openai/gpt-4o", tag: "v1", ..Row::default() };
/// let earlier = Reading::of(Revision(1), 1, [row])?;
/// let later = Reading::of(Revision(2), 1, [Row { tag: "v2", ..row }])?;
/// assert_eq!(replica.apply(later), Outcome::Applied { changes: 1 });
/// assert_eq!(replica.apply(earlier), Outcome::Older);
///
/// let router = replica.router().clone();
/// let answer = router.snapshot();
/// let answer = answer.table().lookup(Query { model: "gpt-4o", team: None });
/// assert_eq!(answer.pick(0).unwrap().tag().as_str(), "v2");
/// # Ok::<(), router_core::ReadingError>(())
/// ```
#[derive(Debug, Default)]
pub struct Replica {
    router: Arc<Router>,
    applied: Option<Revision>,
    /// The latest own write of each row, as far as no reading that was applied has it.
    own: BTreeMap<Box<str>, Revision>,
}

impl Clone for Replica {
    fn clone(&self) -> Self {
        Self {
            router: Arc::new(Router::clone(&self.router)),
            applied: self.applied,
            own: self.own.clone(),
        }
    }
}

impl PartialEq for Replica {
    fn eq(&self, other: &Self) -> bool {
        self.applied == other.applied
            && self.own == other.own
            && self.router.snapshot().table() == other.router.snapshot().table()
    }
}

impl Eq for Replica {}

impl Hash for Replica {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.applied.hash(state);
        self.own.hash(state);
        self.router.snapshot().table().hash(state);
    }
}

impl Replica {
    /// The router that serves the rows, for as many threads as want it.
    pub fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// The revision of the last reading that was applied; nothing before the first, when the router serves no row of
    /// anybody else's and is not ready for requests.
    pub fn applied(&self) -> Option<Revision> {
        self.applied
    }

    /// Applies a reading, in one publication, or refuses it if it is older than the last.
    pub fn apply(&mut self, mut reading: Reading) -> Outcome {
        if self.applied.is_some_and(|applied| reading.revision < applied) {
            return Outcome::Older;
        }
        self.own.retain(|_, written| *written > reading.revision);
        let snapshot = self.router.snapshot();
        let mut changes = Vec::new();
        for held in snapshot.table().rows() {
            let id = held.id().as_str();
            let read = reading.rows.remove(id);
            if self.own.contains_key(id) {
                continue;
            }
            match read {
                Some(read) if read == *held => {}
                Some(read) => changes.push(Change::Put(read)),
                None => changes.push(Change::Delete(id.into())),
            }
        }
        // The rows that remain are not held. Those that the replica itself has deleted since the reading stay so.
        let added = reading.rows.into_iter().filter(|(id, _)| !self.own.contains_key(id));
        changes.extend(added.map(|(_, row)| Change::Put(row)));
        drop(snapshot);
        self.applied = Some(reading.revision);
        let outcome = Outcome::Applied { changes: changes.len() };
        self.router.publish(changes);
        outcome
    }

    /// Serves a write of this replica's own, which the store has since this revision. Says whether anything changed:
    /// not if the write, or a newer one of the row, is served already.
    pub fn wrote(&mut self, change: Change, revision: Revision) -> bool {
        let own = self.own.get(change.id()).copied();
        if own.max(self.applied).is_some_and(|newest| revision <= newest) {
            return false;
        }
        // An invalid id is in no table, and need not be remembered.
        if Id::parse(change.id()).is_ok() {
            self.own.insert(change.id().into(), revision);
        }
        self.router.publish([change]);
        true
    }

    /// Returns whether a notification that the store has come to this revision is news.
    pub fn is_news(&self, revision: Revision) -> bool {
        self.applied.is_none_or(|applied| applied < revision)
    }

    /// Reads the store if it has come further than the last reading, and applies what it reads.
    ///
    /// # Errors
    ///
    /// The store failed, or what it gave is not valid; nothing has changed.
    pub fn poll<S: Store>(&mut self, store: &mut S) -> Result<Outcome, StoreError<S::Error>> {
        let revision = store.revision().map_err(StoreError::Failed)?;
        if self.applied == Some(revision) {
            return Ok(Outcome::UpToDate);
        }
        Ok(self.apply(store.read()?))
    }

    /// Makes a change in the store, and serves it.
    ///
    /// # Errors
    ///
    /// The store failed; nothing has changed here. If the store has made the change all the same, the next poll tells.
    pub fn write<S: Store>(&mut self, store: &mut S, change: Change) -> Result<Revision, S::Error> {
        let revision = store.write(&change)?;
        self.wrote(change, revision);
        Ok(revision)
    }
}
