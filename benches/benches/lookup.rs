//! Lookups by criterion, for comparing two states of the code: `cargo bench -p benches --bench lookup`.

use benches::{NameShape, Workload, positions};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use router_core::{Query, Table};
use std::hint::black_box;

/// The number of teams that the rows of a team-scoped table are spread over.
const TEAMS: usize = 100;
/// The number of queries that are asked in turn.
const QUERIES: usize = 1 << 12;

fn lookups(criterion: &mut Criterion) {
    for (shape, counts) in [
        (NameShape::Exact, [1_000, 1_000_000]),
        (NameShape::Prefix, [1_000, 100_000]),
        (NameShape::Suffix, [1_000, 100_000]),
        (NameShape::Infix, [1_000, 100_000]),
        (NameShape::Around, [1_000, 100_000]),
        (NameShape::Mixed, [1_000, 100_000]),
    ] {
        for teams in [0, TEAMS] {
            let scope = if teams == 0 { "" } else { ", by team" };
            let mut group = criterion.benchmark_group(format!("{}{scope}", shape.as_str()));
            for count in counts {
                let rows = Workload::of(shape, count, teams);
                let table = rows.table().expect("the rows are valid");
                for (kind, skewed, name) in [
                    ("hit", false, NameShape::hit as fn(NameShape, usize) -> String),
                    ("skewed hit", true, NameShape::hit),
                    ("miss", false, NameShape::miss),
                ] {
                    let drawn = positions(count, QUERIES, skewed);
                    let queries: Vec<_> = drawn
                        .into_iter()
                        .map(|position| (name(shape, position), rows.team(position)))
                        .collect();
                    group.bench_function(BenchmarkId::new(kind, count), |bencher| ask(bencher, &table, &queries));
                }
            }
            group.finish();
        }
    }
}

fn ask(bencher: &mut criterion::Bencher<'_>, table: &Table, queries: &[(String, Option<&str>)]) {
    let mut queries = queries.iter().cycle();
    bencher.iter(|| {
        let (model, team) = queries.next().expect("the queries never end");
        black_box(table.lookup(Query { model, team: *team }));
    });
}

criterion_group!(benches, lookups);
criterion_main!(benches);
