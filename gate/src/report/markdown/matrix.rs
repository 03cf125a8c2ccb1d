//! The page of a matrix.

use std::fmt::{self, Write};

use protocol::Level;

use super::write_row;
use crate::document::{CauseCell, MatrixCause, MatrixReport};
use crate::foreign::{brief as clean, escaped};
use crate::report::causes::{effect_text, known_text};
use crate::report::human::{trace_line, words};
use crate::report::releases::{MARKS, cell_mark, changes, headline, notes, numbers, rule_mark, safest, verdict_mark};

/// Writes the page: which release is safest, rules and causes by release, and each cause with its trace.
pub(super) fn write_page(out: &mut impl Write, matrix: &MatrixReport) -> fmt::Result {
    let router = text(&matrix.router);
    let level = match matrix.level {
        Level::Router => "",
        Level::Fleet => ", as fleets",
    };
    writeln!(out, "# {router} by release{level}\n\n**{}**\n", text(&safest(matrix)))?;
    writeln!(out, "```sh\n{} --format markdown\n```\n", escaped(&matrix.made_by))?;
    writeln!(out, "| mark | what it says |\n|---|---|")?;
    for (mark, meaning) in MARKS {
        writeln!(out, "| {mark} | {meaning} |")?;
    }
    let versions: Vec<String> = matrix.releases.iter().map(|release| text(&release.version)).collect();
    let head = |out: &mut _, what: &str| {
        write_row(out, what, &versions)?;
        write_row(out, "---", &vec![":-:".to_owned(); versions.len()])
    };
    writeln!(out, "\n## In all\n")?;
    head(out, "")?;
    let verdicts = (0..versions.len()).map(|place| verdict_mark(matrix.exit_of(place)).to_owned());
    write_row(out, "verdict", &verdicts.collect::<Vec<_>>())?;
    for (head, cells) in numbers(matrix) {
        write_row(out, head.trim_start_matches("- "), &cells)?;
    }
    let changes = changes(matrix);
    if !changes.is_empty() {
        writeln!(out, "\nBeside the release before it, by the numbers of causes:\n")?;
        changes
            .iter()
            .try_for_each(|change| writeln!(out, "- {}", text(change)))?;
    }
    for note in notes(matrix) {
        writeln!(out, "\n{}", text(&note))?;
    }
    writeln!(out, "\n## Rules\n")?;
    head(out, "rule")?;
    for rule in matrix.rules() {
        let marks = (0..versions.len()).map(|place| rule_mark(matrix, place, rule).to_owned());
        write_row(out, &format!("`{rule}`"), &marks.collect::<Vec<_>>())?;
    }
    writeln!(out, "\n## Causes")?;
    let mut group = None;
    for cause in &matrix.causes {
        let of_cause = if cause.witness.to_check {
            "To be checked: by design, or a mistake of Routeproof's"
        } else {
            effect_text(cause.witness.harm.effect)
        };
        if group != Some(of_cause) {
            group = Some(of_cause);
            writeln!(out, "\n### {of_cause}\n")?;
            head(out, "cause")?;
        }
        write_cells(out, matrix, cause)?;
    }
    writeln!(out, "\n## The trace of each cause")?;
    matrix
        .causes
        .iter()
        .try_for_each(|cause| write_trace(out, matrix, cause))
}

fn write_cells(out: &mut impl Write, matrix: &MatrixReport, cause: &MatrixCause) -> fmt::Result {
    let cells = cause
        .cells
        .iter()
        .zip(&matrix.releases)
        .map(|(cell, release)| match cell {
            CauseCell::Otherwise { number } => format!("~{number}"),
            _ => cell_mark(release, cell).to_owned(),
        });
    let known = Some(known_text(&cause.witness)).filter(|known| !known.is_empty());
    let known = known.map_or_else(String::new, |known| format!(" ({})", text(&known)));
    let head = format!("{}. {}{known}", cause.number, text(&headline(matrix, cause)));
    write_row(out, &head, &cells.collect::<Vec<_>>())
}

fn write_trace(out: &mut impl Write, matrix: &MatrixReport, cause: &MatrixCause) -> fmt::Result {
    let [allowed, got] = words(&cause.witness.finding);
    let on: Vec<String> = cause.broken_on(&matrix.releases).map(text).collect();
    let known: Vec<String> = cause
        .witness
        .known
        .iter()
        .map(|known| text(&clean(&known.name)))
        .collect();
    let known = if known.is_empty() {
        String::new()
    } else {
        format!("; known as {}", known.join(", "))
    };
    writeln!(
        out,
        "\n{}. {}: on {}.\n\n   `{}`\n\n   got {}, allowed {}; rule `{}`; from {}{known}",
        cause.number,
        text(&headline(matrix, cause)),
        on.join(", "),
        code(&trace_line(&cause.witness)),
        text(&got),
        text(&allowed),
        cause.witness.finding.rule,
        text(&cause.found_on),
    )
}

/// A text as it is, in Markdown: nothing of it is a mark. A `_` within a word is none.
fn text(raw: &str) -> String {
    let escaped: Vec<char> = escaped(raw).chars().collect();
    let is_of_word = |place: Option<usize>| {
        place
            .and_then(|place| escaped.get(place))
            .is_some_and(|c| c.is_alphanumeric())
    };
    let mut text = String::with_capacity(raw.len());
    for (place, letter) in escaped.iter().enumerate() {
        let within = *letter == '_' && is_of_word(place.checked_sub(1)) && is_of_word(Some(place + 1));
        if "\\`*_[]<|~".contains(*letter) && !within {
            text.push('\\');
        }
        text.push(*letter);
    }
    text
}

/// A text between backticks: one of its own would end it.
fn code(raw: &str) -> String {
    raw.replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_as_it_is() {
        for (raw, expected) in [
            ("pattern_router #1", "pattern_router #1"),
            ("_x_ *a* [b] <c> d|e", "\\_x\\_ \\*a\\* \\[b\\] \\<c> d\\|e"),
            ("1~2 `x` a\\b", "1\\~2 \\`x\\` a\\\\b"),
        ] {
            assert_eq!(text(raw), expected);
        }
        assert_eq!(code("a`b"), "a'b");
    }
}
