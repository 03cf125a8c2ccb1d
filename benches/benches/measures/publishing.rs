//! Ways to publish a snapshot, side by side: that of `router-core`, and others, which hold the same rows by name and
//! have no other index.

use std::hash::BuildHasher as _;
use std::hint::black_box;
use std::sync::Arc;

use arc_swap::ArcSwap;
use benches::race::{Contestant, Race, nanoseconds_since, now, quantile};
use benches::{NameShape, Workload, page, positions};
use hashbrown::{DefaultHashBuilder, HashMap};
use left_right::{Absorb, ReadHandle, WriteHandle};
use router_core::{Change, Deployment, Router, Table};

use crate::{Section, answer, head, hits};

const UPDATES: usize = 2_000;
const SHARDS: usize = 1_024;
const WAYS: [&str; 4] = [
    "two tables and a swap",
    "persistent map and a swap",
    "left-right",
    "copies of shards",
];

type Map = HashMap<Box<str>, Deployment>;
type Persistent = imbl::GenericHashMap<Box<str>, Deployment, DefaultHashBuilder, imbl::shared_ptr::DefaultSharedPtr>;

/// Measures a lookup and an upsert by each way.
pub(crate) fn publishing() -> Section {
    let mut rows = vec![head(&["rows", "way", "lookup", "upsert until readers have it"])];
    for count in [10_000, 1_000_000] {
        for (way, [lookup, upsert]) in WAYS.into_iter().zip(race(count)) {
            rows.push(vec![
                count.to_string(),
                way.to_owned(),
                format!("{lookup:.1}"),
                format!("{upsert:.0}"),
            ]);
        }
    }
    let text = format!(
        "Nanoseconds, medians; {UPDATES} upserts each. The first way is that of `router-core`, with its indexes of ids, names and \
         patterns; the others hold one map of names: `imbl` and the `left-right` crate, and {SHARDS} shards, which cannot publish a \
         batch at once. A reader of left-right can keep a writer waiting for as long as it likes.\n\n{}",
        page::table(&rows)
    );
    Section {
        title: "Other ways to publish",
        text,
        ..Section::default()
    }
}

/// Nanoseconds a lookup and an upsert, for each of [`WAYS`].
fn race(count: usize) -> Vec<[f64; 2]> {
    let plain = Workload::of(NameShape::Exact, count, 0);
    let table = plain.table().expect("the rows are valid");
    let queries = hits(NameShape::Exact, count, false);
    let router = Router::new(table.clone());
    let persistent = persistent(&table);
    let (mut writer, reader) = left_right(&table);
    let shards = Shards::of(&table);
    let race = Race::run(&[
        Contestant::new(&queries, |model| answer(router.snapshot().table(), model, None)),
        Contestant::new(&queries, |model| {
            black_box(persistent.load().get(model).expect("the row is held"));
        }),
        Contestant::new(&queries, |model| {
            black_box(
                reader
                    .enter()
                    .expect("the writer lives")
                    .get(model)
                    .expect("the row is held"),
            );
        }),
        Contestant::new(&queries, |model| {
            black_box(shards.of_name(model).load().get(model).expect("the row is held"));
        }),
    ]);
    let changed: Vec<Deployment> = positions(count, UPDATES, false)
        .into_iter()
        .map(|position| plain.row(position, "v000002").parse().expect("the row is valid"))
        .collect();
    let upserts = [
        times(&changed, |row| {
            router.publish([Change::Put(row)]);
        }),
        times(&changed, |row| {
            let mut next = Persistent::clone(&persistent.load());
            next.insert(row.asked().as_str().into(), row);
            persistent.store(Arc::new(next));
        }),
        times(&changed, |row| {
            writer.append(row);
            writer.publish();
        }),
        times(&changed, |row| {
            let shard = shards.of_name(row.asked().as_str());
            let mut next = Map::clone(&shard.load());
            next.insert(row.asked().as_str().into(), row);
            shard.store(Arc::new(next));
        }),
    ];
    race.medians()
        .into_iter()
        .zip(upserts)
        .map(|(lookup, upsert)| [lookup, upsert])
        .collect()
}

/// The median time of an upsert.
fn times(changed: &[Deployment], mut upsert: impl FnMut(Deployment)) -> f64 {
    let time = |row: &Deployment| {
        let row = row.clone();
        let start = now();
        upsert(row);
        nanoseconds_since(start)
    };
    quantile(changed.iter().map(time).collect(), 0.5)
}

fn by_name(table: &Table) -> impl Iterator<Item = (Box<str>, Deployment)> {
    table.rows().map(|row| (row.asked().as_str().into(), row.clone()))
}

fn persistent(table: &Table) -> ArcSwap<Persistent> {
    ArcSwap::from_pointee(by_name(table).collect())
}

/// A row that is put into both maps of left-right.
#[derive(Clone, Default)]
struct Held(Map);

impl std::ops::Deref for Held {
    type Target = Map;

    fn deref(&self) -> &Map {
        &self.0
    }
}

impl Absorb<Deployment> for Held {
    fn absorb_first(&mut self, row: &mut Deployment, _: &Self) {
        self.0.insert(row.asked().as_str().into(), row.clone());
    }

    fn sync_with(&mut self, first: &Self) {
        self.clone_from(first);
    }
}

fn left_right(table: &Table) -> (WriteHandle<Held, Deployment>, ReadHandle<Held>) {
    let (mut writer, reader) = left_right::new_from_empty(Held(by_name(table).collect()));
    writer.publish();
    (writer, reader)
}

/// One map for each of [`SHARDS`] equal parts of the names.
struct Shards {
    maps: Vec<ArcSwap<Map>>,
    hasher: DefaultHashBuilder,
}

impl Shards {
    fn of(table: &Table) -> Self {
        let hasher = DefaultHashBuilder::default();
        let mut maps = vec![Map::new(); SHARDS];
        for (name, row) in by_name(table) {
            maps[place(&hasher, &name)].insert(name, row);
        }
        Self {
            maps: maps.into_iter().map(ArcSwap::from_pointee).collect(),
            hasher,
        }
    }

    fn of_name(&self, name: &str) -> &ArcSwap<Map> {
        &self.maps[place(&self.hasher, name)]
    }
}

fn place(hasher: &DefaultHashBuilder, name: &str) -> usize {
    usize::try_from(hasher.hash_one(name) >> 32).expect("32 bits fit a `usize`") % SHARDS
}
