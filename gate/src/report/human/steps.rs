//! Steps, rows and questions in words.

use std::fmt::Write as _;

use protocol::{Change, Query, Row, Step};

use crate::document::{Asked, FindingReport};

/// Rows shown of one list.
const ROWS_SHOWN_MAX: usize = 6;
/// Characters shown of one answer.
const TEXT_SHOWN_MAX: usize = 400;

/// The question that a finding answers; the kind of path where none was put.
pub(super) fn asked_text(finding: &FindingReport) -> String {
    match &finding.asked {
        Some(Asked::Lookup(query)) => query_text(query),
        Some(Asked::Listing { team }) => format!("listing{}", by(team.as_deref())),
        None => finding.way.clone(),
    }
}

/// A step.
pub(super) fn step_text(step: &Step) -> String {
    match step {
        Step::Change(Change::Upsert(row)) => format!("upsert {}", row_text(row)),
        Step::Change(Change::Add(row)) => format!("add {}", row_text(row)),
        Step::Change(Change::Delete(id)) => format!("delete {id}"),
        Step::Change(Change::Replace(rows)) => {
            let shown: Vec<String> = rows.iter().take(ROWS_SHOWN_MAX).map(row_text).collect();
            let more = rows.len().saturating_sub(ROWS_SHOWN_MAX);
            let more = if more > 0 {
                format!("; and {more} more")
            } else {
                String::new()
            };
            format!("replace with [{}{more}]", shown.join("; "))
        }
        Step::Lookup(query) => query_text(query),
        Step::Fleet(step) => format!("{step:?}"),
    }
}

/// A row.
pub(super) fn row_text(row: &Row) -> String {
    let mut text = format!("{} {} -> {}   tag {}", row.id, row.model_name, row.model, row.tag);
    let mut add = |word: &str, value: &str| write!(text, "  {word} {value}").expect("a string takes any text");
    if let Some(team) = &row.team {
        add("team", team);
    }
    if let Some(name) = &row.team_model_name {
        add("as", name);
    }
    if row.blocked {
        add("blocked", "");
    }
    if let Some(weight) = row.weight {
        add("weight", &weight.to_string());
    }
    if let Some(extra) = &row.extra {
        add("extra", extra);
    }
    text.trim_end().to_owned()
}

fn query_text(query: &Query) -> String {
    format!("lookup {}{}", query.model, by(query.team.as_deref()))
}

fn by(team: Option<&str>) -> String {
    team.map_or_else(String::new, |team| format!(" by team {team}"))
}

/// The beginning of a long text.
pub(super) fn clipped(text: &str) -> String {
    if text.chars().count() <= TEXT_SHOWN_MAX {
        return text.to_owned();
    }
    let head: String = text.chars().take(TEXT_SHOWN_MAX).collect();
    format!("{head}...")
}
