//! Updates until readers have them.

use std::hint::black_box;

use benches::page::{self, Curve};
use benches::race::{as_float, nanoseconds_since, now, quantile};
use benches::{NameShape, Workload, positions};
use hashbrown::HashMap;
use router_core::{Change, Router};

use crate::lookups::{GLOBS_MAX, SET_MAX, globs};
use crate::{Section, head};

const UPDATES: usize = 10_000;

/// Updates, published to readers, beside a hash map and a set of globs that is built again.
pub(crate) fn updates() -> Section {
    let mut rows = vec![head(&[
        "shape",
        "rows",
        "upsert",
        "99 %",
        "delete",
        "add",
        "hashbrown insert",
        "globset rebuild",
    ])];
    let mut curves: Vec<Curve> = ["upsert", "delete", "hashbrown insert"]
        .map(|name| (name.to_owned(), Vec::new()))
        .to_vec();
    let mut measures = Vec::new();
    let mut small = [0.0; 5];
    for (shape, count) in [
        (NameShape::Exact, 1_000),
        (NameShape::Exact, 10_000),
        (NameShape::Exact, 100_000),
        (NameShape::Exact, 1_000_000),
        (NameShape::Prefix, 10_000),
        (NameShape::Mixed, 1_000),
        (NameShape::Mixed, 10_000),
        (NameShape::Mixed, 100_000),
    ] {
        let plain = Workload::of(shape, count, 0);
        let router = Router::new(plain.table().expect("the rows are valid"));
        let times = update(&router, &plain, count);
        let rebuild = matches!(
            (shape, count),
            (NameShape::Mixed, SET_MAX) | (NameShape::Prefix, GLOBS_MAX)
        )
        .then(|| {
            let start = now();
            black_box(globs(plain.names()));
            nanoseconds_since(start)
        });
        rows.push(
            [
                vec![shape.as_str().to_owned(), count.to_string()],
                times.iter().map(|time| format!("{time:.0}")).collect(),
                vec![rebuild.map_or("-".to_owned(), |time| format!("{time:.0}"))],
            ]
            .concat(),
        );
        if shape == NameShape::Exact {
            for (curve, at) in curves.iter_mut().zip([0, 2, 4]) {
                curve.1.push((as_float(count), times[at]));
            }
        }
        match (shape, count) {
            (NameShape::Exact, 1_000) => small = times,
            (NameShape::Exact, 1_000_000) => measures = update_measures(&small, &times),
            _ => {}
        }
    }
    let plot = page::plot("Updates", ["rows", "nanoseconds an update"], &curves);
    let text = format!(
        "Nanoseconds an update until readers have it; medians of {UPDATES}.\n\n{}",
        page::table(&rows)
    );
    Section {
        title: "Updates",
        text,
        plot: Some(("updates", plot)),
        measures,
    }
}

/// Returns the promised limits of updates, given their times at 1 k and at 1 M rows.
fn update_measures(small: &[f64; 5], large: &[f64; 5]) -> Vec<(String, f64, f64)> {
    let growth = |at: usize| large[at] / small[at];
    vec![
        (
            "upsert published at 1 M rows, microseconds".to_owned(),
            3.0,
            large[0] / 1e3,
        ),
        (
            "delete published at 1 M rows, microseconds".to_owned(),
            3.0,
            large[2] / 1e3,
        ),
        (
            "growth of an upsert from 1 k to 1 M rows, beside that of hashbrown".to_owned(),
            2.0,
            growth(0) / growth(4),
        ),
    ]
}

/// The medians of an upsert (and its 99 %), a delete, an add, and an insertion into a hash map.
fn update(router: &Router, rows: &Workload, count: usize) -> [f64; 5] {
    let mut map: HashMap<String, usize> = rows.names().iter().cloned().zip(0..).collect();
    let mut times: [Vec<f64>; 4] = Default::default();
    for (turn, position) in positions(count, UPDATES, false).into_iter().enumerate() {
        let tag = format!("v{turn:06}");
        let row = rows.row(position, &tag);
        let publish = |times: &mut Vec<f64>, change: Change| {
            let start = now();
            router.publish([change]);
            times.push(nanoseconds_since(start));
        };
        let put = || Change::Put(row.parse().expect("the row is valid"));
        publish(&mut times[0], put());
        publish(&mut times[1], Change::Delete(row.id.into()));
        publish(&mut times[2], put());
        let key = rows.names()[position].clone();
        let start = now();
        black_box(map.insert(key, turn));
        times[3].push(nanoseconds_since(start));
    }
    let [upsert, delete, add, insert] = times;
    let slow = quantile(upsert.clone(), 0.99);
    [
        quantile(upsert, 0.5),
        slow,
        quantile(delete, 0.5),
        quantile(add, 0.5),
        quantile(insert, 0.5),
    ]
}
