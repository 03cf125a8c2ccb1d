//! Traces in a line: steps, rows and questions in the fewest words that tell them apart.

use model::{Got, RuleId};
use protocol::{Change, Question, Row, Step};

use super::steps::step_text;
use crate::document::{CauseReport, FindingReport};
use crate::foreign::{brief as clean, one_line};

/// Steps shown of one trace.
const STEPS_SHOWN_MAX: usize = 8;

/// The steps of a cause's witness and its question, in one line.
pub(in crate::report) fn trace_line(cause: &CauseReport) -> String {
    let mut parts = Vec::new();
    if !cause.initial().is_empty() {
        parts.push(format!(
            "start [{}]{}",
            rows_brief(cause, cause.initial()),
            refused(cause, 0)
        ));
    }
    let steps: Vec<(&Step, usize)> = cause.steps().iter().zip(1..).collect();
    // What was not made small may have hundreds of steps: the last ones tell most.
    let hidden = steps.len().saturating_sub(STEPS_SHOWN_MAX);
    parts.extend((hidden > 0).then(|| format!("{hidden} steps more")));
    parts.extend(
        steps[hidden..]
            .iter()
            .map(|(step, number)| step_brief(cause, *number, step)),
    );
    parts.push(question_brief(cause));
    parts.join(" > ")
}

/// The step of that number, from 1, and whether it was refused.
pub(super) fn step_brief(cause: &CauseReport, number: usize, step: &Step) -> String {
    let text = match step {
        Step::Change(Change::Upsert(row)) => format!("upsert {}", row_brief(cause, row)),
        Step::Change(Change::Add(row)) => format!("add {}", row_brief(cause, row)),
        Step::Change(Change::Delete(id)) => format!("delete {}", clean(id)),
        Step::Change(Change::Replace(rows)) => format!("replace [{}]", rows_brief(cause, rows)),
        other => clean(&step_text(other)),
    };
    format!("{text}{}", refused(cause, number))
}

fn refused(cause: &CauseReport, step: usize) -> &'static str {
    if cause.is_refused(step) { ", refused" } else { "" }
}

/// Some rows, each in the fewest words.
pub(super) fn rows_brief(cause: &CauseReport, rows: &[Row]) -> String {
    let rows: Vec<String> = rows.iter().map(|row| row_brief(cause, row)).collect();
    rows.join("; ")
}

/// A row without what its witness does not need: shrinking has made plain what is left out.
fn row_brief(cause: &CauseReport, row: &Row) -> String {
    let mut parts = vec![clean(&row.id), clean(row.asked_name())];
    // Where the answer is right but for its target, or nothing else tells two versions apart, the target tells.
    if cause.finding.rule == RuleId::Resolved || has_another_target(cause, row) {
        parts.extend(["to".to_owned(), clean(&row.model)]);
    }
    parts.push(clean(&row.tag));
    let mut parts = vec![parts.join(" ")];
    parts.extend(row.team.as_ref().map(|team| format!("for team {}", clean(team))));
    parts.extend(row.blocked.then(|| "blocked".to_owned()));
    parts.extend(row.weight.map(|weight| format!("weight {weight}")));
    parts.extend(row.extra.as_deref().map(clean));
    parts.join(", ")
}

/// Returns whether the trace has another version of the row, by the same name, with another target.
fn has_another_target(cause: &CauseReport, row: &Row) -> bool {
    let mut others = cause.trace.trace.rows();
    others.any(|other| other.id == row.id && other.asked_name() == row.asked_name() && other.model != row.model)
}

/// The question that shows a cause, and by whom it is put where that matters.
pub(super) fn question_brief(cause: &CauseReport) -> String {
    let teams = cause.trace.trace.rows().any(|row| row.team.is_some());
    let by = |team: &Option<String>| match team {
        Some(team) => format!(" by {}", clean(team)),
        None if teams => " by no team".to_owned(),
        None => String::new(),
    };
    match &cause.finding.asked {
        Some(Question::Lookup(query)) => format!("ask {}{}", clean(&query.model), by(&query.team)),
        Some(Question::Listing(team)) => format!("list names{}", by(team)),
        Some(Question::Sizes) => "count entries".to_owned(),
        Some(Question::Claims) => "see what is claimed".to_owned(),
        Some(Question::Holds) => "see what is held".to_owned(),
        Some(Question::Store) => "look at the store".to_owned(),
        None if matches!(cause.finding.got, Got::Cell(_)) => "look at the store".to_owned(),
        None => "start with the same rows".to_owned(),
    }
}

/// Returns the allowed answer and the one that came, in words that a terminal can take.
pub(in crate::report) fn words(finding: &FindingReport) -> [String; 2] {
    finding.words().map(|text| clean(&one_line(&text)))
}

/// A text in lines of at most `width` characters, broken at spaces where there are any.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line always");
        let (used, length) = (line.chars().count(), word.chars().count());
        if used > 0 && used + 1 + length <= width {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        let letters: Vec<char> = word.chars().collect();
        let pieces = letters.chunks(width).map(|piece| piece.iter().collect::<String>());
        if used == 0 {
            lines.pop();
        }
        let before = lines.len();
        lines.extend(pieces);
        if lines.len() == before {
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_no_line_is_too_long() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrapped("", 5), [""]);
        for width in 1..30 {
            let lines = wrapped("upsert d1 a*b*c v1 > replace [d1 * v2] > ask axbxc", width);
            assert!(
                lines.iter().all(|line| line.chars().count() <= width),
                "{width}: {lines:?}"
            );
        }
    }
}
