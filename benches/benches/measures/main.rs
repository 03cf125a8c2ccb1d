//! The measures that the project promises, each beside its rivals in the same run, written as a page.
//!
//! `cargo bench -p benches --bench measures -- --out docs/src` writes `benchmarks.md` and its plots into `docs/src`.
//! With `--check` the process fails if a measure is not reached.

#[path = "../judged/mod.rs"]
mod judged;
mod judging;
mod limits;
mod lookups;
mod publishing;
mod updates;

use std::env;
use std::hint::black_box;
use std::process::ExitCode;

use benches::{NameShape, page, positions};
use judging::judging;
use limits::{contention, memory, soak};
use lookups::{any_shape, exact, patterns};
use publishing::publishing;
use router_core::{Query, Table};
use updates::updates;

/// The number of queries of each turn, large enough that the entries they touch do not fit the caches.
const QUERIES: usize = 1 << 17;

/// The part of the page that one section adds.
#[derive(Default)]
struct Section {
    title: &'static str,
    text: String,
    plot: Option<(&'static str, String)>,
    /// A promised limit: its description, the most that the measure may be, and the measure.
    measures: Vec<(String, f64, f64)>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    let out = page::folder(&arguments);
    let sections = [
        exact(),
        patterns(),
        any_shape(),
        updates(),
        publishing(),
        memory(),
        contention(),
        soak(),
        judging(),
    ];
    let measures: Vec<_> = sections.iter().flat_map(|section| &section.measures).collect();
    let missed = measures.iter().filter(|(_, most, seen)| seen > most).count();
    let page = write_page(&sections, &measures);
    print!("{page}");
    if let Some(folder) = out {
        page::write(folder, "benchmarks.md", &page);
        for (name, svg) in sections.iter().filter_map(|section| section.plot.as_ref()) {
            page::write(folder, &format!("{name}.svg"), svg);
        }
    }
    if missed > 0 && arguments.iter().any(|argument| argument == "--check") {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn write_page(sections: &[Section], measures: &[&(String, f64, f64)]) -> String {
    let mut rows = vec![["measure", "at most", "seen"].map(String::from).to_vec()];
    for (name, most, seen) in measures {
        let mark = if seen > most { " (missed)" } else { "" };
        rows.push(vec![name.clone(), format!("{most:.2}"), format!("{seen:.2}{mark}")]);
    }
    let mut page = format!(
        "# Benchmarks\n\n{}\n{}",
        page::measured_by("measures -- --out docs/src"),
        page::table(&rows)
    );
    for Section { title, text, plot, .. } in sections {
        page = format!("{page}\n## {title}\n\n{text}");
        if let Some((name, _)) = plot {
            page = format!("{page}\n![{title}]({name}.svg)\n");
        }
    }
    page
}

fn hits(shape: NameShape, count: usize, skewed: bool) -> Vec<String> {
    positions(count, QUERIES, skewed)
        .into_iter()
        .map(|position| shape.hit(position))
        .collect()
}

fn misses(shape: NameShape, count: usize) -> Vec<String> {
    positions(count, QUERIES, false)
        .into_iter()
        .map(|position| shape.miss(position))
        .collect()
}

fn answer(table: &Table, model: &str, team: Option<&str>) {
    let answer = black_box(table.lookup(Query { model, team }));
    assert!(answer.refusal().is_none(), "every query of this race has an answer");
}

fn refuse(table: &Table, model: &str) {
    let answer = black_box(table.lookup(Query { model, team: None }));
    assert!(answer.refusal().is_some(), "no query of this race has an answer");
}

fn cells(values: &[f64]) -> Vec<String> {
    values.iter().map(|value| format!("{value:.1}")).collect()
}

fn head(cells: &[&str]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}
