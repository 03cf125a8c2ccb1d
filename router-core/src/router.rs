//! The handle that many threads read while one writes: publish a snapshot, load it.
//!
//! This is the only file that knows of threads. It owns two tables of the same rows, the published one and a spare. A
//! writer brings the spare up to date, applies its changes, and swaps the two: readers see all of a batch or none of
//! it.
//!
//! # Why two tables and a swap
//!
//! Persistent maps would make a snapshot free, but each lookup in them costs several cache misses where a flat hash
//! table costs one, and each update copies a path of shared nodes. Here a lookup costs what it costs in a bare table,
//! and an update twice that; the rows themselves are shared by both tables. The price is the room for a second set of
//! indexes. Left-right also has two tables, but a reader that holds on to one keeps its writer waiting, where the
//! writer here takes a copy; and maps in shards cannot publish a batch at once. The benchmarks have all four side by
//! side.

use std::fmt;
use std::hint;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::thread;

use arc_swap::{ArcSwap, Guard};

use crate::table::{Change, Table};

/// The number of spins between two checks whether a reader is done, which take about as long as one lookup.
const SPINS: usize = 32;

/// A table as it was published.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    table: Table,
    version: u64,
}

impl Snapshot {
    /// The table; no reader ever sees it change.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The number of batches that were published before, and with, this snapshot.
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// A router that is read by many threads while it is written to.
///
/// A reader never blocks, never sees half of a batch, and never sees an older version than it saw before. Writers take
/// turns. A snapshot is freed, or used again, once it is neither published nor held.
///
/// # Limits
///
/// Hold a snapshot as long as a lookup takes. A writer that still finds the snapshot before the last one held gives the
/// reader some time, and then copies the table, which costs time and room in proportion to the table, once a snapshot.
///
/// # Complexity
///
/// Loading a snapshot costs some nanoseconds and no allocation. Publishing costs twice what the changes cost a table.
///
/// # Examples
///
/// ```
/// use router_core::{Change, Query, Router, Row, Table};
///
/// let router = Router::new(Table::default());
/// let row = Row { id: "d1", model_name: "gpt-4o", model: "openai/gpt-4o", tag: "v1", ..Row::default() };
/// router.publish([Change::Put(row.parse()?)]);
///
/// let snapshot = router.snapshot();
/// let answer = snapshot.table().lookup(Query { model: "gpt-4o", team: None });
/// assert_eq!(answer.pick(0).unwrap().tag().as_str(), "v1");
/// # Ok::<(), router_core::RowError>(())
/// ```
pub struct Router {
    publisher: Publisher<Threads>,
}

impl Router {
    /// A router that serves this table, as version 0.
    pub fn new(table: Table) -> Self {
        Self {
            publisher: Publisher::new(table),
        }
    }

    /// The latest snapshot.
    pub fn snapshot(&self) -> Pinned {
        Pinned(Threads::load(&self.publisher.published))
    }

    /// Publishes all changes at once, in order, and returns the version in which they are served.
    ///
    /// Nothing is published if there is no change.
    pub fn publish(&self, changes: impl IntoIterator<Item = Change>) -> u64 {
        self.publisher.publish(changes.into_iter().collect())
    }

    /// Returns the number of times that a writer had to copy the table because a reader held on to a snapshot.
    pub fn copies(&self) -> u64 {
        Threads::with(&self.publisher.writer, |writer| writer.copies)
    }
}

impl Default for Router {
    /// A router that serves no row.
    fn default() -> Self {
        Self::new(Table::default())
    }
}

impl Clone for Router {
    /// A router of its own that serves the same rows: what is published in one is not seen in the other.
    fn clone(&self) -> Self {
        let publisher = Threads::with(&self.publisher.writer, |writer| Publisher {
            published: Threads::slot(Arc::new(Snapshot::clone(&self.snapshot()))),
            writer: Threads::lock(Writer {
                spare: Arc::new(Snapshot::clone(&writer.spare)),
                behind: writer.behind.clone(),
                copies: writer.copies,
            }),
        });
        Self { publisher }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Router").field(&*self.snapshot()).finish()
    }
}

/// A snapshot that a reader holds; it stays as it is however many follow it.
pub struct Pinned(Guard<Arc<Snapshot>>);

impl Deref for Pinned {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

/// The operations on threads that the publisher needs, of real threads or of a scheduler that tries their orders.
trait Primitives {
    /// The number of times that a writer lets others run while a reader still holds the spare, before it copies the
    /// table.
    const READER_PAUSES_MAX: usize;

    /// A place that holds the published snapshot.
    type Slot;
    /// A snapshot that a reader holds.
    type Loaded: Deref<Target = Arc<Snapshot>>;
    /// A value that one thread at a time may use.
    type Lock<T>;

    fn slot(snapshot: Arc<Snapshot>) -> Self::Slot;
    fn load(slot: &Self::Slot) -> Self::Loaded;
    fn swap(slot: &Self::Slot, snapshot: Arc<Snapshot>) -> Arc<Snapshot>;
    fn lock<T>(value: T) -> Self::Lock<T>;
    fn with<T, R>(lock: &Self::Lock<T>, act: impl FnOnce(&mut T) -> R) -> R;
    /// Gives readers time to finish. Later turns, after earlier ones were in vain, may give more of it.
    fn pause(turn: usize);
}

/// The threads of the operating system.
enum Threads {}

impl Primitives for Threads {
    const READER_PAUSES_MAX: usize = 128;

    type Slot = ArcSwap<Snapshot>;
    type Loaded = Guard<Arc<Snapshot>>;
    type Lock<T> = Mutex<T>;

    fn slot(snapshot: Arc<Snapshot>) -> Self::Slot {
        ArcSwap::new(snapshot)
    }

    #[inline]
    fn load(slot: &Self::Slot) -> Self::Loaded {
        slot.load()
    }

    fn swap(slot: &Self::Slot, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        slot.swap(snapshot)
    }

    fn lock<T>(value: T) -> Self::Lock<T> {
        Mutex::new(value)
    }

    fn with<T, R>(lock: &Self::Lock<T>, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut lock.lock().expect("no writer panics, since every change is valid"))
    }

    fn pause(turn: usize) {
        // A lookup takes less time than it takes to yield: only a reader that was put to sleep needs the processor. How long
        // a writer waits decides how fast it is, and nothing of what readers see.
        if turn < Self::READER_PAUSES_MAX / 2 {
            (0..SPINS).for_each(|_| hint::spin_loop());
        } else {
            thread::yield_now();
        }
    }
}

/// The published table and its spare.
struct Publisher<P: Primitives> {
    published: P::Slot,
    writer: P::Lock<Writer>,
}

/// The state of the writers, which take turns.
///
/// INVARIANT: the spare, after `behind`, has the rows of the published table.
struct Writer {
    spare: Arc<Snapshot>,
    behind: Vec<Change>,
    copies: u64,
}

impl<P: Primitives> Publisher<P> {
    fn new(table: Table) -> Self {
        let snapshot = Snapshot { table, version: 0 };
        let writer = Writer {
            spare: Arc::new(snapshot.clone()),
            behind: Vec::new(),
            copies: 0,
        };
        Self {
            published: P::slot(Arc::new(snapshot)),
            writer: P::lock(writer),
        }
    }

    fn publish(&self, changes: Vec<Change>) -> u64 {
        P::with(&self.writer, |writer| {
            let version = P::load(&self.published).version;
            if changes.is_empty() {
                return version;
            }
            self.free_spare(writer);
            let next = Arc::get_mut(&mut writer.spare).expect("no reader holds the spare");
            for change in writer.behind.iter().chain(&changes) {
                next.table.apply(change);
            }
            next.version = version + 1;
            writer.behind = changes;
            let before = P::swap(&self.published, Arc::clone(&writer.spare));
            writer.spare = before;
            version + 1
        })
    }

    /// Waits until no reader holds the spare, or puts a copy of the published table in its place.
    fn free_spare(&self, writer: &mut Writer) {
        for turn in 0..P::READER_PAUSES_MAX {
            if Arc::get_mut(&mut writer.spare).is_some() {
                return;
            }
            P::pause(turn);
        }
        writer.spare = Arc::new(Snapshot::clone(&P::load(&self.published)));
        writer.behind.clear();
        writer.copies += 1;
    }
}

#[cfg(test)]
mod tests;
