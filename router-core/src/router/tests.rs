//! Schedules: readers beside writers, in every order that a seeded scheduler comes to.
//!
//! They exercise the protocol above the swap of the published table. `arc-swap` itself is trusted: its loads and stores
//! are out of reach for loom, which can only reorder the atomics of code that is built with loom's own types.

use std::collections::HashSet;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use super::*;
use crate::deployment::Row;
use crate::lookup::Query;

/// Threads whose order a scheduler chooses.
enum Scheduled {}

impl Primitives for Scheduled {
    /// A small number, so that in some schedules the writer gives up on a reader.
    const READER_PAUSES_MAX: usize = 2;

    type Slot = shuttle::sync::Mutex<Arc<Snapshot>>;
    type Loaded = Box<Arc<Snapshot>>;
    type Lock<T> = shuttle::sync::Mutex<T>;

    fn slot(snapshot: Arc<Snapshot>) -> Self::Slot {
        shuttle::sync::Mutex::new(snapshot)
    }

    fn load(slot: &Self::Slot) -> Self::Loaded {
        Box::new(Arc::clone(&slot.lock().expect("nobody panics with the lock")))
    }

    fn swap(slot: &Self::Slot, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        mem::replace(&mut slot.lock().expect("nobody panics with the lock"), snapshot)
    }

    fn lock<T>(value: T) -> Self::Lock<T> {
        shuttle::sync::Mutex::new(value)
    }

    fn with<T, R>(lock: &Self::Lock<T>, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut lock.lock().expect("nobody panics with the lock"))
    }

    fn pause(_: usize) {
        shuttle::thread::yield_now();
    }
}

const IDS: [&str; 2] = ["d1", "d2"];
const BATCHES: u64 = 3;

/// A batch that gives both rows, which differ in name and in how they are found, the same tag.
fn batch(tag: u64) -> Vec<Change> {
    let tag = tag.to_string();
    let rows = [(IDS[0], "exact"), (IDS[1], "pattern-*")];
    let put = |(id, model_name)| Row {
        id,
        model_name,
        model: "x",
        tag: &tag,
        ..Row::default()
    };
    rows.map(put)
        .into_iter()
        .map(|row| Change::Put(row.parse().expect("the row is valid")))
        .collect()
}

/// The tags that both rows are found with.
fn tags(snapshot: &Snapshot) -> [Option<u64>; 2] {
    ["exact", "pattern-1"].map(|model| {
        let answer = snapshot.table().lookup(Query { model, team: None });
        answer
            .pick(0)
            .map(|candidate| candidate.tag().as_str().parse().expect("tags are numbers"))
    })
}

/// The events that occurred in some schedule.
#[derive(Debug, Default)]
struct Seen {
    /// The most versions that one reader saw.
    versions: AtomicUsize,
    /// The number of schedules in which a writer gave up on a reader.
    schedules_with_copies: AtomicUsize,
}

/// Runs a reader that follows, a reader that holds on to one snapshot, and two writers of batches.
fn readers_beside_writers(seen: &Seen) {
    let publisher = Arc::new(Publisher::<Scheduled>::new(Table::default()));
    publisher.publish(batch(0));
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let publisher = Arc::clone(&publisher);
            shuttle::thread::spawn(move || {
                for batch_number in 0..BATCHES {
                    publisher.publish(batch(1 + writer * BATCHES + batch_number));
                }
            })
        })
        .collect();
    let follower = {
        let publisher = Arc::clone(&publisher);
        shuttle::thread::spawn(move || {
            let mut versions = Vec::new();
            for _ in 0..4 {
                let snapshot = Scheduled::load(&publisher.published);
                let [one, other] = tags(&snapshot);
                assert!(
                    one.is_some() && one == other,
                    "half of a batch is seen: {one:?} and {other:?}"
                );
                versions.push(snapshot.version());
            }
            assert!(versions.is_sorted(), "a reader went back: {versions:?}");
            versions
        })
    };
    let holder = {
        let publisher = Arc::clone(&publisher);
        shuttle::thread::spawn(move || {
            let snapshot = Scheduled::load(&publisher.published);
            let (version, before) = (snapshot.version(), tags(&snapshot));
            for _ in 0..4 {
                Scheduled::pause(0);
                assert_eq!(
                    (snapshot.version(), tags(&snapshot)),
                    (version, before),
                    "a held snapshot changed"
                );
            }
        })
    };
    for writer in writers {
        writer.join().expect("the writer does not panic");
    }
    let versions = follower.join().expect("the follower does not panic");
    holder.join().expect("the holder does not panic");
    let last = Scheduled::load(&publisher.published);
    assert_eq!(last.version(), 1 + 2 * BATCHES, "each batch is published once");
    seen.versions
        .fetch_max(versions.iter().collect::<HashSet<_>>().len(), Ordering::Relaxed);
    let copies = Scheduled::with(&publisher.writer, |writer| writer.copies);
    seen.schedules_with_copies
        .fetch_add(usize::from(copies > 0), Ordering::Relaxed);
    check_spare(&publisher);
}

/// The spare, brought up to date, is the published table; and nobody holds an older one.
fn check_spare(publisher: &Publisher<Scheduled>) {
    Scheduled::with(&publisher.writer, |writer| {
        let latest = Scheduled::load(&publisher.published);
        let mut spare = writer.spare.table.clone();
        for change in &writer.behind {
            spare.apply(change);
        }
        assert_eq!(&spare, latest.table(), "the spare is not what it is taken for");
        assert_eq!(Arc::strong_count(&writer.spare), 1, "an old snapshot is held by nobody");
    });
}

fn explore(scheduler: impl Scheduler + 'static) -> usize {
    let seen = Arc::new(Seen::default());
    let inside = Arc::clone(&seen);
    let explored = Runner::new(scheduler, Config::default()).run(move || readers_beside_writers(&inside));
    println!("{explored} schedules: {seen:?}");
    assert!(
        seen.versions.load(Ordering::Relaxed) > 1,
        "in some schedule the follower sees several versions"
    );
    assert!(
        seen.schedules_with_copies.load(Ordering::Relaxed) > 0,
        "in some schedule a writer copies the table"
    );
    explored
}

#[test]
fn readers_see_whole_batches_in_random_schedules() {
    assert_eq!(explore(RandomScheduler::new_from_seed(42, 1_000)), 1_000);
}

#[test]
fn readers_see_whole_batches_in_schedules_of_few_preemptions() {
    assert_eq!(explore(PctScheduler::new_from_seed(42, 3, 1_000)), 1_000);
}

#[test]
fn a_snapshot_that_is_held_costs_one_copy() {
    let router = Router::new(Table::default());
    router.publish(batch(1));
    let held = router.snapshot();
    let before = tags(&held);
    for tag in 2..6 {
        assert_eq!(router.publish(batch(tag)), tag);
    }
    assert_eq!(router.copies(), 1, "the held snapshot is no spare any more");
    assert_eq!((held.version(), tags(&held)), (1, before));
    assert_eq!(tags(&router.snapshot()), [Some(5); 2]);
}

/// A batch that stayed among those to be replayed would change no answer, and make each publication slower than the last.
#[test]
fn a_batch_is_replayed_once() {
    let router = Router::default();
    for tag in 1..6 {
        router.publish(batch(tag));
        Threads::with(&router.publisher.writer, |writer| {
            assert_eq!(writer.behind, batch(tag), "the spare lacks the last batch alone");
        });
    }
    let one = Change::Delete(IDS[0].into());
    router.publish([one.clone()]);
    Threads::with(&router.publisher.writer, |writer| assert_eq!(writer.behind, [one]));
}

#[test]
fn an_empty_batch_publishes_nothing() {
    let router = Router::new(Table::default());
    assert_eq!(router.publish([]), 0);
    assert_eq!(router.publish(batch(1)), 1);
    assert_eq!(router.publish([]), 1);
    assert_eq!(router.snapshot().version(), 1);
    assert_eq!(router.copies(), 0, "no reader was in the way");
}

#[test]
fn a_router_serves_its_first_table() {
    let row = Row {
        id: IDS[0],
        model_name: "exact",
        model: "x",
        tag: "7",
        ..Row::default()
    };
    let router = Router::new(Table::of([row]).expect("the row is valid"));
    assert_eq!(tags(&router.snapshot()), [Some(7), None]);
    router.publish([Change::Delete(IDS[1].into())]);
    assert_eq!(tags(&router.snapshot()), [Some(7), None], "and so does the spare");
}

#[test]
fn a_clone_goes_its_own_way_from_the_same_rows() {
    let router = Router::default();
    router.publish(batch(1));
    let clone = router.clone();
    router.publish(batch(2));
    assert_eq!(tags(&clone.snapshot()), [Some(1); 2]);
    // The second batch goes into the spare, which has to know of the first.
    clone.publish([Change::Delete(IDS[0].into())]);
    assert_eq!(tags(&clone.snapshot()), [None, Some(1)]);
    assert_eq!((clone.snapshot().version(), router.snapshot().version()), (2, 2));
    assert_eq!(tags(&router.snapshot()), [Some(2); 2]);
}

#[test]
fn deletes_are_published() {
    let router = Router::default();
    router.publish(batch(1));
    let changes = [Change::Delete(IDS[0].into()), Change::Delete("no\nid".into())];
    assert_eq!(changes.each_ref().map(Change::id), [IDS[0], "no\nid"]);
    router.publish(changes);
    assert_eq!(tags(&router.snapshot()), [None, Some(1)]);
    router.publish([Change::Delete(IDS[1].into())]);
    assert!(router.snapshot().table().is_empty());
    assert!(format!("{router:?}").contains("version: 3"), "{router:?}");
}

#[test]
fn real_threads_read_whole_batches_in_order() {
    let router = Router::new(Table::default());
    router.publish(batch(0));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut last, mut loads) = (0, 0_u64);
            while !done.load(Ordering::Relaxed) || loads == 0 {
                let snapshot = router.snapshot();
                let [one, other] = tags(&snapshot);
                assert!(one.is_some() && one == other, "half of a batch is seen");
                assert!(snapshot.version() >= last, "a reader went back");
                last = snapshot.version();
                loads += 1;
            }
            loads
        });
        let writer = scope.spawn(|| (1..2_000).for_each(|tag| assert_eq!(router.publish(batch(tag)), tag + 1)));
        // The reader must end also if the writer has panicked.
        let written = writer.join();
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().expect("the reader does not panic") > 0);
        written.expect("the writer does not panic");
    });
}
