//! The trial of the reference by criterion, for comparing two states of the code: `cargo bench -p benches --bench trial`.
//!
//! - checked lookups a second of the random engine, drawing and carrying out included;
//! - one list of so many patterns, judged by every rule.

mod judged;

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use judged::{judge, judge_list, list, random_traces};

fn lookups(criterion: &mut Criterion) {
    let judge = judge();
    let answers = random_traces(&judge).work.answers;
    let mut group = criterion.benchmark_group("random traces");
    group.throughput(Throughput::Elements(answers)).sample_size(10);
    group.bench_function("checked lookups", |bencher| {
        bencher.iter(|| black_box(random_traces(&judge)));
    });
    group.finish();
}

fn lists(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one list of patterns");
    group.sample_size(10);
    for count in [1_250, 2_500, 5_000, 10_000] {
        let list = list(count);
        group.bench_function(BenchmarkId::new("judged", count), |bencher| {
            // What a judge has kept of one list is no help with the next.
            bencher.iter_batched(judge, |judge| judge_list(&judge, &list), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, lookups, lists);
criterion_main!(benches);
