//! Lookups by criterion, for comparing two states of the code: `cargo bench -p benches --bench lookup`.

use benches::{Rows, Shape, positions};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use router_core::Query;
use std::hint::black_box;

fn lookups(criterion: &mut Criterion) {
    for shape in [
        Shape::Exact,
        Shape::Prefix,
        Shape::Suffix,
        Shape::Infix,
        Shape::Around,
        Shape::Mixed,
    ] {
        let mut group = criterion.benchmark_group(shape.as_str());
        for count in [1_000, 100_000] {
            let table = Rows::of(shape, count, 0).table().expect("the rows are valid");
            let drawn = positions(count, 1 << 12, false);
            let hits: Vec<String> = drawn.iter().map(|&position| shape.hit(position)).collect();
            let misses: Vec<String> = drawn.iter().map(|&position| shape.miss(position)).collect();
            for (kind, queries) in [("hit", hits), ("miss", misses)] {
                let mut queries = queries.iter().cycle();
                group.bench_function(BenchmarkId::new(kind, count), |bencher| {
                    bencher.iter(|| {
                        let model = queries.next().expect("the queries never end");
                        black_box(table.lookup(Query { model, team: None }));
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, lookups);
criterion_main!(benches);
