//! One cause in full.

use std::fmt::{self, Write};

use model::{Lasts, Told};
use protocol::{Outcome, Step};

use super::brief::{question_brief, rows_brief, step_brief, words, wrapped};
use super::causes::served_text;
use super::{BAD, counted, times};
use crate::document::{CauseReport, RunReport, TestResult};
use crate::foreign::{brief as clean, clean_lines, escaped, one_line};
use crate::report::causes::known_text;

/// The fewest columns at which the steps stand beside the rows.
const COLUMNS_OF_TABLE_MIN: usize = 60;
/// The columns of a word in front of a line.
const LABEL: usize = 11;

/// The text of the cause of that name.
pub(crate) fn text(run: &RunReport, cause: &CauseReport, columns: usize) -> String {
    let mut text = String::new();
    write(&mut text, run, cause, columns).expect("a string takes any text");
    text
}

fn write(out: &mut impl Write, run: &RunReport, cause: &CauseReport, columns: usize) -> fmt::Result {
    let known = known_text(cause);
    let (id, headline) = (clean(&cause.id), clean(&cause.headline));
    writeln!(out, "{id}  {BAD}{headline}{BAD:#}  {known}\n")?;
    write_steps(out, cause, columns)?;
    for did in cause.did.iter().flatten() {
        // It is there to be copied, and so stays on one line however long it is.
        writeln!(out, "  $ {}", escaped(did))?;
    }
    writeln!(out)?;
    let mut line = |label: &str, text: &str| -> fmt::Result {
        for (number, part) in wrapped(&escaped(text), columns.saturating_sub(LABEL + 2))
            .iter()
            .enumerate()
        {
            let label = if number == 0 { label } else { "" };
            writeln!(out, "  {label:<LABEL$}{part}")?;
        }
        Ok(())
    };
    if cause.to_check {
        line(
            "check",
            "by design, or a mistake of Routeproof's: an out-of-date preset, a wrong premise",
        )?;
    }
    if let Some(guilty) = cause.guilty.filter(|guilty| *guilty > 0) {
        line("guilty", &format!("step {guilty}"))?;
    }
    if let Some(lasts) = cause.lasts {
        line("lasts", &lasts_text(lasts))?;
    }
    for known in &cause.known {
        let affected = known.affected.as_deref().unwrap_or("no versions");
        let expected = if known.expected {
            ""
        } else {
            ", and this is none of them"
        };
        let issue = known.issue.as_deref().unwrap_or("no public issue");
        line(
            "known",
            &format!("{}; {issue}; {affected} are documented{expected}", known.name),
        )?;
    }
    if let Some(served) = &cause.served {
        line("servers", &served_text(cause, served))?;
    }
    line("seen", &seen_text(cause))?;
    for (number, form) in cause.forms.iter().enumerate() {
        let label = if number == 0 { "as" } else { "" };
        line(label, &format!("{} {} {}", form.rule, form.class, times(form.hits)))?;
    }
    let mut tests = test_lines(cause).into_iter();
    tests.try_for_each(|(label, text)| line(label, &text))?;
    for (number, file) in cause.files.iter().enumerate() {
        line(if number == 0 { "files" } else { "" }, file)?;
    }
    match &cause.replay {
        Some(replay) => writeln!(out, "  {:<LABEL$}{}", "replay", escaped(replay)),
        None => writeln!(
            out,
            "  the trace of {}:\n{}",
            escaped(&run.trial.spec),
            clean_lines(&cause.trace.to_toml())
        ),
    }
}

fn lasts_text(lasts: Lasts) -> String {
    match lasts {
        Lasts::StillAfter(wait) => format!("still so after {}", seconds(wait)),
        Lasts::HealedWithin(wait) => format!("healed within {}", seconds(wait)),
        Lasts::UntilPoll(polls) => format!("until {} of that replica", counted(polls.into(), "poll")),
        Lasts::ApartAfter(polls) => format!("still so after {} of that replica", counted(polls.into(), "poll")),
    }
}

fn seen_text(cause: &CauseReport) -> String {
    let (hits, failures) = (times(cause.hits), counted(cause.failures, "distinct failure"));
    let (trace, after) = (cause.trace_number, cause.found_after_seconds);
    format!("{hits} in {failures}; first in trace {trace}, after {after:.1} s")
}

/// The lines on the test that shows the cause, each with its label.
fn test_lines(cause: &CauseReport) -> Vec<(&'static str, String)> {
    let Some(test) = &cause.reproduction else {
        return Vec::new();
    };
    let runs = test.runs.iter().map(|run| format!("{} on {}", run.result, run.version));
    let runs: Vec<String> = runs.collect();
    let what = format!("{} {}", test.file, runs.join(" and "));
    let failed = test.runs.iter().filter(|run| run.result != TestResult::Passes);
    let failed = failed.map(|run| ("", run.line.clone()));
    std::iter::once(("pytest", what)).chain(failed).collect()
}

fn seconds(milliseconds: u32) -> String {
    format!("{} s", f64::from(milliseconds) / 1_000.0)
}

/// One row of the table of steps: the number, the step, the current rows, and what the router holds.
struct Line {
    number: String,
    step: String,
    rows: Vec<String>,
    holds: Vec<String>,
}

fn write_steps(out: &mut impl Write, cause: &CauseReport, columns: usize) -> fmt::Result {
    let mut lines = Vec::new();
    let at = |step: usize| cause.told.get(step);
    if !cause.initial().is_empty() {
        let refused = if cause.is_refused(0) { ", refused" } else { "" };
        let rows = rows_brief(cause, cause.initial());
        let step = format!("start [{rows}]{refused}{}", reason(at(0)));
        lines.push(line_of(cause, "0".to_owned(), step, at(0)));
    }
    for (step, number) in cause.steps().iter().zip(1..) {
        let step = format!("{}{}", step_brief(cause, number, step), reason(at(number)));
        lines.push(line_of(cause, number.to_string(), step, at(number)));
    }
    let [allowed, got] = words(&cause.finding);
    let path = cause
        .finding
        .path
        .as_deref()
        .map_or_else(String::new, |path| format!(" ({})", clean(path)));
    lines.push(Line {
        number: "?".to_owned(),
        step: format!("{}{path}", question_brief(cause)),
        rows: vec![format!("allowed {allowed}")],
        holds: vec![format!("got {got}")],
    });
    if columns < COLUMNS_OF_TABLE_MIN {
        return lines.iter().try_for_each(|line| write_stacked(out, line, columns));
    }
    let told = if cause.told.iter().any(|told| !told.holds.is_empty()) {
        "the router holds"
    } else {
        "the router answers with"
    };
    let head = Line {
        number: String::new(),
        step: "step".to_owned(),
        rows: vec!["current rows".to_owned()],
        holds: vec![told.to_owned()],
    };
    let room = columns.saturating_sub(10);
    let widths = [room * 2 / 5, room * 3 / 10, room * 3 / 10];
    std::iter::once(&head)
        .chain(&lines)
        .try_for_each(|line| write_table_line(out, line, widths))
}

/// The reason why a step was refused, behind the word that it was.
fn reason(told: Option<&Told>) -> String {
    match told.and_then(|told| told.outcome.as_ref()) {
        Some(Outcome::Refused(why)) => format!(": {}", clean(&one_line(why))),
        _ => String::new(),
    }
}

fn line_of(cause: &CauseReport, number: String, step: String, told: Option<&Told>) -> Line {
    let versions = |versions: &[model::Version]| -> Vec<String> {
        let texts: Vec<String> = versions.iter().map(|version| clean(&version.to_string())).collect();
        if texts.is_empty() {
            vec!["none".to_owned()]
        } else {
            texts
        }
    };
    Line {
        number,
        step,
        rows: told.map_or_else(Vec::new, |told| versions(&told.rows)),
        holds: told.map_or_else(Vec::new, |told| {
            if told.holds.is_empty() {
                return versions(&told.serves);
            }
            let full = told.holds.iter().filter(|(_, tags)| !tags.is_empty());
            full.map(|(structure, tags)| format!("{} {}", clean(structure), tags_text(cause, told, tags)))
                .collect()
        }),
    }
}

/// The versions in a structure, each with a word where it should not be there.
fn tags_text(cause: &CauseReport, told: &Told, tags: &[String]) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut seen: Vec<&String> = Vec::new();
    for tag in tags {
        if seen.contains(&tag) {
            continue;
        }
        seen.push(tag);
        let count = tags.iter().filter(|other| *other == tag).count();
        let copies = if count > 1 {
            format!(" x {count}")
        } else {
            String::new()
        };
        let state = state(cause, told, tag).map_or_else(String::new, |state| format!(" {state}"));
        texts.push(format!("{}{copies}{state}", clean(tag)));
    }
    texts.join(", ")
}

/// The reason why a version should not be held; none where it is current.
fn state(cause: &CauseReport, told: &Told, tag: &str) -> Option<&'static str> {
    if told.rows.iter().any(|version| version.tag == tag) {
        return None;
    }
    let brought = |step: &Step| step.rows().iter().any(|row| row.tag == tag);
    let refused = |(step, number): (&Step, usize)| brought(step) && cause.is_refused(number);
    if cause.steps().iter().zip(1..).any(refused) {
        return Some("refused");
    }
    let row = cause.trace.trace.rows().find(|row| row.tag == tag)?;
    let is_replaced = told.rows.iter().any(|version| version.id == row.id);
    Some(if is_replaced { "stale" } else { "gone" })
}

fn write_table_line(out: &mut impl Write, line: &Line, [of_step, of_rows, of_holds]: [usize; 3]) -> fmt::Result {
    let cell = |texts: &[String], width: usize| -> Vec<String> {
        texts.iter().flat_map(|text| wrapped(text, width)).collect()
    };
    let cells = [
        cell(std::slice::from_ref(&line.step), of_step),
        cell(&line.rows, of_rows),
        cell(&line.holds, of_holds),
    ];
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for row in 0..height {
        let [step, rows, holds] = [0, 1, 2].map(|column: usize| cells[column].get(row).map_or("", String::as_str));
        let number = if row == 0 { line.number.as_str() } else { "" };
        let text = format!("  {number:<3}{step:<of_step$}  {rows:<of_rows$}  {holds}");
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

fn write_stacked(out: &mut impl Write, line: &Line, columns: usize) -> fmt::Result {
    let texts = [line.step.clone(), line.rows.join(", "), line.holds.join("; ")];
    for (row, text) in texts.iter().filter(|text| !text.is_empty()).enumerate() {
        let (number, indent) = if row == 0 { (line.number.as_str(), 0) } else { ("", 2) };
        for part in wrapped(text, columns.saturating_sub(5 + indent)) {
            writeln!(out, "  {number:<3}{:indent$}{part}", "")?;
        }
    }
    Ok(())
}
