//! Allocations of a lookup and an update. One test alone in its process, since the allocator counts for all threads.

use std::alloc::System;
use std::hint::black_box;

use benches::{NameShape, Workload};
use router_core::{Change, Query, Router};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROWS: usize = 256;

#[test]
fn lookups_allocate_nothing_and_updates_keep_nothing() {
    for shape in [
        NameShape::Exact,
        NameShape::Prefix,
        NameShape::Suffix,
        NameShape::Infix,
        NameShape::Around,
        NameShape::Mixed,
    ] {
        let rows = Workload::of(shape, ROWS, 0);
        let router = Router::new(rows.table().expect("the rows are valid"));
        let queries: Vec<String> = (0..ROWS).flat_map(|at| [shape.hit(at), shape.miss(at)]).collect();
        black_box(router.snapshot());

        let region = Region::new(ALLOCATOR);
        for model in &queries {
            for team in [None, Some("team-00001")] {
                let snapshot = router.snapshot();
                let answer = snapshot.table().lookup(Query { model, team });
                black_box(answer.pick(42).map(|candidate| (candidate.id(), candidate.tag())));
                black_box(answer.candidates().count());
            }
        }
        let change = region.change();
        assert_eq!(
            (change.allocations, change.reallocations),
            (0, 0),
            "{}: a lookup allocates",
            shape.as_str()
        );

        let update = |turn: usize| {
            let tag = format!("v{turn:06}");
            let row = rows.row(turn % ROWS, &tag);
            router.publish([Change::Delete(row.id.into())]);
            router.publish([Change::Put(row.parse().expect("the row is valid"))]);
        };
        (0..ROWS).for_each(update);
        let region = Region::new(ALLOCATOR);
        (0..4 * ROWS).for_each(update);
        let change = region.change();
        assert_eq!(
            change.bytes_allocated,
            change.bytes_deallocated,
            "{}: updates keep memory",
            shape.as_str()
        );
    }
}
