//! Lookups beside other libraries that can do them.

use std::hint::black_box;

use benches::page::{self, Curve};
use benches::race::{Contestant, Race, as_float};
use benches::{NameShape, Workload};
use globset::{Glob, GlobSet, GlobSetBuilder};
use hashbrown::HashMap;
use regex::RegexSet;
use router_core::{Query, Router};

use crate::{QUERIES, Section, answer, cells, head, hits, misses, refuse};

/// The largest set of any shape that globset and `RegexSet` are given: globset wants 41 GB for 10,000 patterns that
/// begin and end with a `*`.
pub(crate) const SET_MAX: usize = 1_000;
/// The largest set of prefixes or suffixes that globset is given.
pub(crate) const GLOBS_MAX: usize = 10_000;

/// Exact names, beside a bare hash map with the same keys.
pub(crate) fn exact() -> Section {
    let mut rows = vec![head(&[
        "rows",
        "lookup",
        "hashbrown",
        "skewed",
        "and pick",
        "through the router",
        "by team",
        "miss",
        "ratio",
    ])];
    let mut curves: Vec<Curve> = ["lookup", "miss", "hashbrown"]
        .map(|name| (name.to_owned(), Vec::new()))
        .to_vec();
    let mut measures = Vec::new();
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        let plain = Workload::of(NameShape::Exact, count, 0);
        let table = plain.table().expect("the rows are valid");
        let [even, skewed] = [false, true].map(|skewed| hits(NameShape::Exact, count, skewed));
        let missed = misses(NameShape::Exact, count);
        // The two that are compared have the caches to themselves.
        let bare = {
            let map: HashMap<String, usize> = plain.names().iter().cloned().zip(0..).collect();
            Race::run(&[
                Contestant::new(&even, |model| answer(&table, model, None)),
                Contestant::new(&even, |model| {
                    black_box(map.get(model).expect("every key of this race is held"));
                }),
            ])
        };
        let teams = Workload::of(NameShape::Exact, count, 100);
        let team_table = teams.table().expect("the rows are valid");
        let router = Router::new(table.clone());
        let race = Race::run(&[
            Contestant::new(&skewed, |model| answer(&table, model, None)),
            Contestant::new(&even, |model| {
                let answer = table.lookup(Query { model, team: None });
                black_box(answer.pick(42).expect("there is a candidate").id());
            }),
            Contestant::new(&even, |model| answer(router.snapshot().table(), model, None)),
            Contestant::new(&even, |model| {
                // The team of a row is that of the number at the end of its name.
                let number: usize = model[model.len() - 6..].parse().expect("a name ends in a number");
                answer(&team_table, model, teams.team(number));
            }),
            Contestant::new(&missed, |model| refuse(&table, model)),
        ]);
        let (times, ratio) = ([bare.medians(), race.medians()].concat(), bare.ratio(0, 1));
        rows.push([vec![count.to_string()], cells(&times), vec![format!("{ratio:.2}")]].concat());
        for (curve, at) in curves.iter_mut().zip([0, 6, 1]) {
            curve.1.push((as_float(count), times[at]));
        }
        if count == 1_000_000 {
            measures.push(("exact lookup, 1 M rows, beside hashbrown".to_owned(), 1.5, ratio));
        }
    }
    let text = format!(
        "Nanoseconds a query, {QUERIES} queries a turn.\n\n{}",
        page::table(&rows)
    );
    let plot = page::plot("Exact lookup", ["rows", "nanoseconds a query"], &curves);
    Section {
        title: "Exact names",
        text,
        plot: Some(("exact", plot)),
        measures,
    }
}

fn routes(names: &[String]) -> matchit::Router<usize> {
    let mut routes = matchit::Router::new();
    for (position, name) in names.iter().enumerate() {
        routes
            .insert(name.replace('*', "{*rest}"), position)
            .expect("no two routes are the same");
    }
    routes
}

pub(crate) fn globs(names: &[String]) -> GlobSet {
    let mut globs = GlobSetBuilder::new();
    for name in names {
        globs.add(Glob::new(name).expect("the name is a valid glob"));
    }
    globs.build().expect("the globs are valid")
}

fn expressions(names: &[String]) -> RegexSet {
    let expressions = names
        .iter()
        .map(|name| format!("^{}$", regex::escape(name).replace(r"\*", ".*")));
    regex::RegexSetBuilder::new(expressions)
        .size_limit(1 << 30)
        .build()
        .expect("the expressions are valid")
}

/// Prefix patterns, beside a router of paths that knows no other kind.
pub(crate) fn patterns() -> Section {
    let mut rows = vec![head(&["patterns", "lookup", "skewed", "miss", "matchit", "ratio"])];
    let mut curves: Vec<Curve> = ["lookup", "matchit"].map(|name| (name.to_owned(), Vec::new())).to_vec();
    let mut measures = Vec::new();
    for count in [1_000, 10_000, 100_000] {
        let plain = Workload::of(NameShape::Prefix, count, 0);
        let table = plain.table().expect("the rows are valid");
        let routes = routes(plain.names());
        let (even, skewed, missed) = (
            hits(NameShape::Prefix, count, false),
            hits(NameShape::Prefix, count, true),
            misses(NameShape::Prefix, count),
        );
        let race = Race::run(&[
            Contestant::new(&even, |model| answer(&table, model, None)),
            Contestant::new(&skewed, |model| answer(&table, model, None)),
            Contestant::new(&missed, |model| refuse(&table, model)),
            Contestant::new(&even, |model| {
                black_box(routes.at(model).expect("every path of this race has a route").value);
            }),
        ]);
        let (times, ratio) = (race.medians(), race.ratio(0, 3));
        rows.push([vec![count.to_string()], cells(&times), vec![format!("{ratio:.2}")]].concat());
        for (curve, at) in curves.iter_mut().zip([0, 3]) {
            curve.1.push((as_float(count), times[at]));
        }
        if count > 1_000 {
            measures.push((format!("prefix lookup, {count} patterns, beside matchit"), 1.5, ratio));
        }
    }
    let plot = page::plot("Prefix patterns", ["patterns", "nanoseconds a query"], &curves);
    let text = format!("Nanoseconds a query.\n\n{}", page::table(&rows));
    Section {
        title: "Prefix patterns",
        text,
        plot: Some(("prefix", plot)),
        measures,
    }
}

/// Patterns of every shape, beside other libraries that can match them.
pub(crate) fn any_shape() -> Section {
    let mut rows = vec![head(&[
        "shape",
        "patterns",
        "lookup",
        "miss",
        "globset",
        "RegexSet",
        "beside matchit on prefixes",
    ])];
    let mut measures = Vec::new();
    for count in [1_000, 10_000, 100_000] {
        let routes = routes(Workload::of(NameShape::Prefix, count, 0).names());
        let prefixes = hits(NameShape::Prefix, count, false);
        for shape in [
            NameShape::Prefix,
            NameShape::Suffix,
            NameShape::Infix,
            NameShape::Around,
            NameShape::Mixed,
        ] {
            let plain = Workload::of(shape, count, 0);
            let table = plain.table().expect("the rows are valid");
            let (even, missed) = (hits(shape, count, false), misses(shape, count));
            let race = Race::run(&[
                Contestant::new(&even, |model| answer(&table, model, None)),
                Contestant::new(&missed, |model| refuse(&table, model)),
                Contestant::new(&prefixes, |model| {
                    black_box(routes.at(model).expect("every path of this race has a route").value);
                }),
            ]);
            let (times, ratio) = (race.medians(), race.ratio(0, 2));
            let mut row = vec![shape.as_str().to_owned(), count.to_string()];
            row.extend(cells(&times[..2]));
            row.extend(sets(shape, plain.names(), &even));
            row.push(format!("{ratio:.2}"));
            rows.push(row);
            if count > 1_000 {
                measures.push((
                    format!(
                        "{} lookup, {count} patterns, beside matchit on prefixes",
                        shape.as_str()
                    ),
                    5.0,
                    ratio,
                ));
            }
        }
    }
    let text = format!(
        "Nanoseconds a query. globset and `RegexSet` give all matches, unordered.\n\n{}",
        page::table(&rows)
    );
    Section {
        title: "Patterns of every shape",
        text,
        plot: None,
        measures,
    }
}

/// Measures globset and `RegexSet` on the same patterns and a few of the queries.
fn sets(shape: NameShape, names: &[String], queries: &[String]) -> Vec<String> {
    let most = if matches!(shape, NameShape::Prefix | NameShape::Suffix) {
        GLOBS_MAX
    } else {
        SET_MAX
    };
    if names.len() > most {
        return vec!["-".to_owned(), "-".to_owned()];
    }
    let few = &queries[..256];
    let globs = globs(names);
    let globs = Contestant::new(few, |model| {
        assert!(black_box(globs.is_match(model)), "a glob matches");
    });
    if names.len() > SET_MAX {
        return [cells(&Race::run(&[globs]).medians()), vec!["-".to_owned()]].concat();
    }
    let set = expressions(names);
    let set = Contestant::new(few, |model| {
        assert!(black_box(set.is_match(model)), "an expression matches");
    });
    cells(&Race::run(&[globs, set]).medians())
}
