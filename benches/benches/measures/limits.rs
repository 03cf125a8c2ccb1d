//! Measures that must stay within limits: memory, allocations, and the time that readers lose to a writer.

use std::alloc::System;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use benches::page;
use benches::race::{as_float, nanoseconds_since, now};
use benches::{NameShape, Workload};
use router_core::{Change, Query, Router};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use crate::{Section, answer, cells, head, hits, misses};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SOAK_UPDATES: usize = 10_000_000;

/// Memory a row, for all that a router of many readers needs.
pub(crate) fn memory() -> Section {
    let mut rows = vec![head(&[
        "shape",
        "rows",
        "bytes of strings a row",
        "bytes a row",
        "at most",
    ])];
    let mut measures = Vec::new();
    for (shape, count) in [
        (NameShape::Exact, 1_000),
        (NameShape::Exact, 100_000),
        (NameShape::Exact, 1_000_000),
        (NameShape::Mixed, 1_000),
        (NameShape::Mixed, 100_000),
    ] {
        let plain = Workload::of(shape, count, 0);
        let region = Region::new(ALLOCATOR);
        let router = Router::new(plain.table().expect("the rows are valid"));
        let change = region.change();
        let bytes = as_float(change.bytes_allocated - change.bytes_deallocated) / as_float(count);
        black_box(&router);
        let strings = as_float(plain.bytes()) / as_float(count);
        let most = 3.0 * strings + 200.0;
        rows.push(
            [
                vec![shape.as_str().to_owned(), count.to_string()],
                cells(&[strings, bytes, most]),
            ]
            .concat(),
        );
        measures.push((format!("bytes a row, {}, {count} rows", shape.as_str()), most, bytes));
    }
    let text = format!(
        "Both tables of a router, its rows and all indexes, as asked of the allocator.\n\n{}",
        page::table(&rows)
    );
    Section {
        title: "Memory",
        text,
        plot: None,
        measures,
    }
}

/// Readers while one writer publishes as fast as it can.
pub(crate) fn contention() -> Section {
    const LOOKUPS: usize = 1_000_000;
    let plain = Workload::of(NameShape::Exact, 10_000, 0);
    let router = Router::new(plain.table().expect("the rows are valid"));
    let queries = hits(NameShape::Exact, 10_000, false);
    let read = || {
        let start = now();
        for model in queries.iter().cycle().take(LOOKUPS) {
            answer(router.snapshot().table(), model, None);
        }
        nanoseconds_since(start) / as_float(LOOKUPS)
    };
    let alone = read();
    let done = AtomicBool::new(false);
    let (beside, published) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut published = 0_usize;
            while !done.load(Ordering::Relaxed) {
                let tag = format!("v{published:06}");
                router.publish([Change::Put(
                    plain.row(published % 10_000, &tag).parse().expect("the row is valid"),
                )]);
                published += 1;
            }
            published
        });
        let beside = read();
        done.store(true, Ordering::Relaxed);
        (beside, writer.join().expect("the writer does not panic"))
    });
    let text = format!(
        "At 10,000 rows a lookup through the router takes {alone:.1} ns alone, and {beside:.1} ns while a writer publishes \
         {:.0} changes a second; the writer copied the table {} times.\n",
        as_float(published) / (beside * as_float(LOOKUPS) / 1e9),
        router.copies(),
    );
    Section {
        title: "Readers under a writer",
        text,
        ..Section::default()
    }
}

/// Allocations of a lookup, and memory over many updates.
pub(crate) fn soak() -> Section {
    let plain = Workload::of(NameShape::Mixed, 1_000, 0);
    let router = Router::new(plain.table().expect("the rows are valid"));
    let queries = [hits(NameShape::Mixed, 1_000, false), misses(NameShape::Mixed, 1_000)].concat();
    black_box(router.snapshot());
    let region = Region::new(ALLOCATOR);
    for model in &queries {
        let snapshot = router.snapshot();
        black_box(
            snapshot
                .table()
                .lookup(Query {
                    model,
                    team: Some("team-00001"),
                })
                .pick(42)
                .map(|candidate| candidate.id()),
        );
    }
    let allocations = region.change().allocations;
    let live = |region: &Region<'_, System>| {
        let change = region.change();
        as_float(change.bytes_allocated) - as_float(change.bytes_deallocated)
    };
    let change = |turn: usize| {
        let tag = format!("v{turn:09}");
        let row = plain.row(turn % 1_000, &tag);
        router.publish([Change::Put(row.parse().expect("the row is valid"))]);
    };
    (0..1_000).for_each(change);
    let region = Region::new(ALLOCATOR);
    (0..SOAK_UPDATES).for_each(change);
    let grown = live(&region);
    let text = format!(
        "{} lookups and picks made {allocations} allocations. After {SOAK_UPDATES} updates of 1,000 rows the memory in use \
         had changed by {grown:.0} bytes.\n",
        queries.len(),
    );
    let measures = vec![
        (
            "allocations in 65,536 lookups of patterns".to_owned(),
            0.0,
            as_float(allocations),
        ),
        ("bytes grown over 10 M updates".to_owned(), 4096.0, grown),
    ];
    Section {
        title: "Allocations",
        text,
        plot: None,
        measures,
    }
}
