//! Instruction counts of a lookup and an update, by valgrind: `cargo bench -p benches --bench counts`.
//!
//! Unlike times, the counts are the same on each run of one machine and compiler. Each has a limit here, a tenth above
//! what was counted when it was written: a change that goes over one fails, and lowers or raises the limit on purpose.

#![expect(missing_docs, reason = "the macros of gungraun make items without any")]

use std::hint::black_box;

use benches::{NameShape, Workload};
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use router_core::{Change, Query, Router, Table};

const ROWS: usize = 10_000;
const POSITION: usize = 4_242;

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut limit = Callgrind::default();
    limit.hard_limits([(EventKind::Ir, instructions)]);
    LibraryBenchmarkConfig::default().tool(limit).clone()
}

fn hit(shape: NameShape) -> (Table, String) {
    (
        Workload::of(shape, ROWS, 0).table().expect("the rows are valid"),
        shape.hit(POSITION),
    )
}

fn miss(shape: NameShape) -> (Table, String) {
    (
        Workload::of(shape, ROWS, 0).table().expect("the rows are valid"),
        shape.miss(POSITION),
    )
}

fn change(shape: NameShape) -> (Router, Vec<Change>) {
    let rows = Workload::of(shape, ROWS, 0);
    let row = rows.row(POSITION, "v000002").parse().expect("the row is valid");
    (
        Router::new(rows.table().expect("the rows are valid")),
        vec![Change::Put(row)],
    )
}

#[library_benchmark]
#[bench::exact_hit(args = (NameShape::Exact), setup = hit, config = at_most(230))]
#[bench::exact_miss(args = (NameShape::Exact), setup = miss, config = at_most(610))]
#[bench::prefix_hit(args = (NameShape::Prefix), setup = hit, config = at_most(1_080))]
#[bench::suffix_hit(args = (NameShape::Suffix), setup = hit, config = at_most(1_120))]
#[bench::infix_hit(args = (NameShape::Infix), setup = hit, config = at_most(5_200))]
#[bench::mixed_miss(args = (NameShape::Mixed), setup = miss, config = at_most(3_300))]
fn lookup((table, model): (Table, String)) -> (Table, String) {
    black_box(table.lookup(Query {
        model: &model,
        team: None,
    }));
    // What was built before the count is dropped behind it.
    (table, model)
}

#[library_benchmark]
#[bench::exact(args = (NameShape::Exact), setup = change, config = at_most(3_600))]
#[bench::mixed(args = (NameShape::Mixed), setup = change, config = at_most(5_100))]
fn upsert((router, changes): (Router, Vec<Change>)) -> Router {
    router.publish(changes);
    router
}

library_benchmark_group!(name = counts, benchmarks = [lookup, upsert]);
main!(library_benchmark_groups = counts);
