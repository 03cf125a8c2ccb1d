//! A fleet of replicas beside a store that fails, in any order of reads, applications, writes and their receipts.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use proptest::prelude::*;
use router_core::{
    Change, Field, Id, LoadError, Outcome, Problem, Reading, ReadingError, Replica, Revision, Row, RowError, Store,
    StoreError,
};

const IDS: [&str; 3] = ["1", "10", "2"];

fn row<'a>(id: &'a str, tag: &'a str) -> Row<'a> {
    Row {
        id,
        model_name: "a",
        model: "x",
        tag,
        ..Row::default()
    }
}

fn put(id: &str, tag: u64) -> Change {
    Change::Put(row(id, &tag.to_string()).parse().expect("the row is valid"))
}

/// A store in memory that remembers every state it was in.
#[derive(Debug)]
struct Memory {
    /// The tag of each row, at each revision.
    history: Vec<BTreeMap<String, u64>>,
    fault: Option<Fault>,
}

/// A way in which a reading goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The store does not answer.
    Down,
    /// The revision can be read, but not the rows.
    Broken,
    /// The rows come back empty.
    Empty,
    /// The last row is missing.
    Partial,
    /// A row is invalid.
    Invalid,
}

impl Memory {
    fn new() -> Self {
        Self {
            history: vec![BTreeMap::new()],
            fault: None,
        }
    }

    fn now(&self) -> usize {
        self.history.len() - 1
    }

    /// Writes with the revision as the tag, or deletes.
    fn change(&mut self, id: &str, delete: bool) -> (Change, Revision) {
        let revision = self.history.len() as u64;
        let mut rows = self.history[self.now()].clone();
        let change = if delete {
            rows.remove(id);
            Change::Delete(id.into())
        } else {
            rows.insert(id.to_owned(), revision);
            put(id, revision)
        };
        self.history.push(rows);
        (change, Revision(revision))
    }
}

impl Store for Memory {
    type Error = &'static str;

    fn revision(&mut self) -> Result<Revision, Self::Error> {
        if self.fault == Some(Fault::Down) {
            Err("down")
        } else {
            Ok(Revision(self.now() as u64))
        }
    }

    fn read(&mut self) -> Result<Reading, StoreError<Self::Error>> {
        let revision = self.revision().map_err(StoreError::Failed)?;
        let held = &self.history[self.now()];
        let tags: Vec<(&String, String)> = held.iter().map(|(id, tag)| (id, tag.to_string())).collect();
        let mut rows: Vec<Row> = tags.iter().map(|(id, tag)| row(id, tag)).collect();
        match self.fault {
            Some(Fault::Down | Fault::Broken) => return Err(StoreError::Failed("the rows cannot be read")),
            Some(Fault::Empty) => rows.clear(),
            Some(Fault::Partial) => drop(rows.pop()),
            Some(Fault::Invalid) => rows.push(row("bad", "")),
            None => {}
        }
        Ok(Reading::of(revision, held.len(), rows)?)
    }

    fn write(&mut self, change: &Change) -> Result<Revision, Self::Error> {
        if self.fault.is_some() {
            return Err("down");
        }
        let (made, revision) = self.change(change.id(), matches!(change, Change::Delete(_)));
        assert_eq!(&made, change, "the tests write the next revision as the tag");
        Ok(revision)
    }
}

/// A replica, what is under way to it, and what its callers have been promised.
#[derive(Debug, Default)]
struct Follower {
    replica: Replica,
    readings: Vec<Reading>,
    receipts: Vec<(Change, Revision)>,
    /// The oldest state of each row that may still be served.
    floors: BTreeMap<&'static str, usize>,
}

impl Follower {
    fn served(&self, id: &str) -> Option<u64> {
        let snapshot = self.replica.router().snapshot();
        let row = snapshot.table().row(Id::parse(id).expect("the id is valid"));
        row.map(|row| row.tag().as_str().parse().expect("tags are numbers"))
    }

    /// Checks that each row is served as of a state not older than any that was served or promised before.
    fn check(&mut self, store: &Memory) {
        for id in IDS {
            let served = self.served(id);
            let floor = self.floors.entry(id).or_default();
            let state = (*floor..=store.now()).find(|&at| store.history[at].get(id).copied() == served);
            let Some(state) = state else {
                panic!("`{id}` went back to {served:?}, behind revision {floor}")
            };
            *floor = state;
        }
    }

    fn promise(&mut self, id: &'static str, revision: Revision) {
        let floor = self.floors.entry(id).or_default();
        *floor = (*floor).max(usize::try_from(revision.0).expect("few revisions"));
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A write past all replicas.
    WriteStore(usize, bool),
    /// A write through a replica, whose receipt is under way.
    Write(usize, usize, bool),
    Receive(usize, usize),
    Read(usize),
    Apply(usize, usize),
    Poll(usize),
    Fail(Option<Fault>),
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (node, id, at) = (0..2_usize, 0..IDS.len(), 0..4_usize);
    let faults = prop::sample::select(vec![
        Fault::Down,
        Fault::Broken,
        Fault::Empty,
        Fault::Partial,
        Fault::Invalid,
    ]);
    prop_oneof![
        2 => (id.clone(), any::<bool>()).prop_map(|(id, delete)| Step::WriteStore(id, delete)),
        3 => (node.clone(), id, any::<bool>()).prop_map(|(node, id, delete)| Step::Write(node, id, delete)),
        3 => (node.clone(), at.clone()).prop_map(|(node, at)| Step::Receive(node, at)),
        3 => node.clone().prop_map(Step::Read),
        3 => (node.clone(), at).prop_map(|(node, at)| Step::Apply(node, at)),
        2 => node.clone().prop_map(Step::Poll),
        1 => prop::option::of(faults).prop_map(Step::Fail),
        1 => node.prop_map(Step::Restart),
    ]
}

/// Takes the step; messages under way are taken in any order.
fn take(step: &Step, nodes: &mut [Follower], store: &mut Memory) {
    match *step {
        Step::WriteStore(id, delete) => drop(store.change(IDS[id], delete)),
        Step::Write(node, id, delete) => {
            let receipt = store.change(IDS[id], delete);
            nodes[node].receipts.push(receipt);
        }
        Step::Receive(node, at) => {
            let node = &mut nodes[node];
            if at < node.receipts.len() {
                let (change, revision) = node.receipts.swap_remove(at);
                let id = *IDS
                    .iter()
                    .find(|id| **id == change.id())
                    .expect("only these ids are written");
                node.replica.wrote(change, revision);
                node.promise(id, revision);
            }
        }
        Step::Read(node) => nodes[node].readings.extend(store.read()),
        Step::Apply(node, at) => {
            let node = &mut nodes[node];
            if at < node.readings.len() {
                let reading = node.readings.swap_remove(at);
                let revision = reading.revision();
                let older = node.replica.applied().is_some_and(|applied| revision < applied);
                let outcome = node.replica.apply(reading);
                assert_eq!(outcome == Outcome::Older, older, "only what is older is refused");
                if !older {
                    for id in IDS {
                        node.promise(id, revision);
                    }
                }
            }
        }
        Step::Poll(node) => {
            let node = &mut nodes[node];
            let before = node.replica.router().snapshot().table().clone();
            if node.replica.poll(store).is_ok() {
                let now = Revision(store.now() as u64);
                for id in IDS {
                    node.promise(id, now);
                }
            } else {
                assert_eq!(
                    node.replica.router().snapshot().table(),
                    &before,
                    "a failed poll changed something"
                );
            }
        }
        Step::Fail(fault) => store.fault = fault,
        Step::Restart(node) => nodes[node] = Follower::default(),
    }
}

proptest! {
    /// Checks that no row that is served goes back, that acknowledged writes are served, and that one good poll heals
    /// all.
    #[test]
    fn replicas_never_go_back_and_heal(steps in prop::collection::vec(step(), 1..40)) {
        let mut store = Memory::new();
        let mut nodes = [Follower::default(), Follower::default()];
        for step in &steps {
            take(step, &mut nodes, &mut store);
            for node in &mut nodes {
                node.check(&store);
            }
        }
        store.fault = None;
        for node in &mut nodes {
            node.replica.poll(&mut store).expect("the store is up");
            for id in IDS {
                prop_assert_eq!(node.served(id), store.history[store.now()].get(id).copied(), "{} after a poll", id);
            }
            prop_assert_eq!(node.replica.poll(&mut store), Ok(Outcome::UpToDate));
            for (change, revision) in node.receipts.drain(..) {
                prop_assert!(!node.replica.wrote(change, revision), "a late receipt brings no news");
            }
            prop_assert_eq!(node.replica.applied(), Some(Revision(store.now() as u64)));
        }
    }
}

#[test]
fn each_fault_of_a_store_is_told_and_changes_nothing() {
    let incomplete = |got| StoreError::Refused(ReadingError::Incomplete { got, count: 2 });
    let error = RowError {
        field: Field::Tag,
        problem: Problem::Empty,
    };
    let invalid = LoadError::Row {
        position: 2,
        id: "bad".to_owned(),
        error,
    };
    let faults = [
        (Fault::Down, StoreError::Failed("down"), "the store failed: down"),
        (
            Fault::Broken,
            StoreError::Failed("the rows cannot be read"),
            "the store failed: the rows cannot be read",
        ),
        (
            Fault::Empty,
            incomplete(0),
            "the store was refused: 0 rows came and the store has 2: read it again, in one transaction",
        ),
        (
            Fault::Partial,
            incomplete(1),
            "the store was refused: 1 rows came and the store has 2: read it again, in one transaction",
        ),
        (
            Fault::Invalid,
            StoreError::Refused(ReadingError::Load(invalid)),
            "the store was refused: row 2 (`bad`): `tag` is empty: give it a text or leave the row out",
        ),
    ];
    let mut store = Memory::new();
    let mut replica = Replica::default();
    store.change("1", false);
    assert_eq!(replica.poll(&mut store), Ok(Outcome::Applied { changes: 1 }));
    store.change("2", false);
    for (fault, expected, message) in faults {
        store.fault = Some(fault);
        let got = replica.poll(&mut store).expect_err("the store has a fault");
        assert_eq!((got.to_string().as_str(), &got), (message, &expected));
        assert_eq!(replica.write(&mut store, put("1", 3)), Err("down"));
        assert_eq!(replica.router().snapshot().version(), 1, "{fault:?} changed something");
        assert_eq!(replica.applied(), Some(Revision(1)));
    }
}

#[test]
fn a_reading_changes_only_what_differs() {
    let mut store = Memory::new();
    let mut replica = Replica::default();
    for id in IDS {
        store.change(id, false);
    }
    assert_eq!(replica.poll(&mut store), Ok(Outcome::Applied { changes: 3 }));
    store.change("1", false);
    store.change("10", true);
    assert!(replica.is_news(Revision(5)) && !replica.is_news(Revision(3)));
    assert_eq!(replica.poll(&mut store), Ok(Outcome::Applied { changes: 2 }));
    assert_eq!(
        replica.router().snapshot().version(),
        2,
        "a reading is published at once"
    );
    let same = store.read().expect("the store is up");
    assert_eq!(replica.apply(same), Outcome::Applied { changes: 0 });
    assert_eq!(replica.router().snapshot().version(), 2, "no change, no publication");
}

#[test]
fn a_reading_that_differs_in_any_field_is_served() {
    let plain = Row {
        id: "1",
        model_name: "a",
        model: "x",
        tag: "v",
        team: Some("t"),
        ..Row::default()
    };
    let others = [
        Row {
            model_name: "b",
            ..plain
        },
        Row { model: "y", ..plain },
        Row { tag: "w", ..plain },
        Row { team: None, ..plain },
        Row {
            team: Some("u"),
            ..plain
        },
        Row {
            team_model_name: Some("b"),
            ..plain
        },
        Row { blocked: true, ..plain },
        Row { weight: 2, ..plain },
    ];
    for other in others {
        let mut replica = Replica::default();
        for (revision, row) in [(1, plain), (2, other), (3, plain)] {
            let reading = Reading::of(Revision(revision), 1, [row]).expect("the row is valid");
            assert_eq!(replica.apply(reading), Outcome::Applied { changes: 1 }, "{row:?}");
            let snapshot = replica.router().snapshot();
            let served: Vec<Row> = snapshot.table().rows().map(|row| row.row()).collect();
            assert_eq!(served, [row]);
        }
    }
}

#[test]
fn an_own_write_outlives_a_reading_taken_before_it() {
    let mut store = Memory::new();
    let mut replica = Replica::default();
    store.change("1", false);
    store.change("2", false);
    let reading = store.read().expect("the store is up");
    assert_eq!(replica.write(&mut store, put("1", 3)), Ok(Revision(3)));
    assert_eq!(replica.write(&mut store, Change::Delete("2".into())), Ok(Revision(4)));
    assert_eq!(replica.write(&mut store, put("10", 5)), Ok(Revision(5)));
    replica.apply(reading);
    let snapshot = replica.router().snapshot();
    let mut tags: Vec<_> = snapshot
        .table()
        .rows()
        .map(|row| (row.id().to_string(), row.tag().to_string()))
        .collect();
    tags.sort();
    assert_eq!(
        tags,
        [("1", "3"), ("10", "5")].map(|(id, tag)| (id.to_owned(), tag.to_owned()))
    );
}

#[test]
fn an_earlier_write_with_a_late_receipt_is_not_served_over_a_later_one() {
    let mut replica = Replica::default();
    assert!(replica.wrote(put("1", 2), Revision(2)));
    assert!(!replica.wrote(put("1", 1), Revision(1)));
    assert!(!replica.wrote(put("1", 2), Revision(2)), "nor is the same again");
    assert!(replica.wrote(put("2", 1), Revision(1)), "another row is not held up");
    assert_eq!(replica.router().snapshot().table().len(), 2);
    assert!(replica.applied().is_none(), "own writes do not make a replica ready");
    assert!(replica.is_news(Revision(0)));
}

#[test]
fn what_the_store_made_of_a_write_is_served() {
    let mut replica = Replica::default();
    assert!(replica.wrote(put("1", 1), Revision(1)));
    let reading = Reading::of(Revision(1), 1, [row("1", "7")]).expect("the row is valid");
    assert_eq!(
        replica.apply(reading),
        Outcome::Applied { changes: 1 },
        "the reading has the write, as a trigger left it"
    );
    let router = replica.router().snapshot();
    assert_eq!(
        router.table().rows().map(|row| row.tag().as_str()).collect::<Vec<_>>(),
        ["7"]
    );
}

#[test]
fn replicas_are_equal_by_what_they_know_and_serve() {
    let hash = |replica: &Replica| {
        let mut hasher = DefaultHasher::new();
        replica.hash(&mut hasher);
        hasher.finish()
    };
    let mut one = Replica::default();
    one.wrote(put("1", 1), Revision(1));
    let (same, mut other) = (one.clone(), one.clone());
    assert_eq!((&one, hash(&one)), (&same, hash(&same)));
    other.wrote(put("1", 2), Revision(2));
    assert_ne!(one, other, "the clone has a router of its own");
    assert_ne!(hash(&one), hash(&other), "a checker that keeps hashes tells them apart");
    // By another way to the same knowledge and the same rows.
    one.wrote(put("1", 5), Revision(2));
    assert_ne!(one, other);
    let reading = |tag| Reading::of(Revision(2), 1, [row("1", tag)]).expect("the row is valid");
    one.apply(reading("2"));
    assert_ne!(one, other, "what a reading has is known, and served alike");
    other.apply(reading("2"));
    assert_eq!((&one, hash(&one)), (&other, hash(&other)));
}
