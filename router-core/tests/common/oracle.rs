//! Lookups as naive as they can be: a scan of the rows for each tier, and regular expressions for the patterns.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use router_core::{Refusal, Row};

/// The candidates as id, resolved model and tag, ordered by id; or the refusal.
pub(crate) type Found = Result<Vec<(String, String, String)>, Refusal>;

/// What the rows mean for one query.
pub(crate) fn oracle<'a>(rows: impl IntoIterator<Item = Row<'a>>, model: &str, team: Option<&str>) -> Found {
    let bad = |text: &str| text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control);
    if bad(model) || team.is_some_and(bad) {
        return Err(Refusal::Invalid);
    }
    let mut visible: Vec<Row> = rows
        .into_iter()
        .filter(|row| row.team.is_none() || row.team == team)
        .collect();
    visible.sort_unstable();
    let exact = |of: Option<&str>| -> Vec<Row> {
        visible
            .iter()
            .filter(|row| row.team == of && asked(row) == model && !model.contains('*'))
            .copied()
            .collect()
    };
    let by_id = visible.iter().filter(|row| row.id == model).copied().collect();
    for (tier, verbatim) in [
        (if team.is_some() { exact(team) } else { Vec::new() }, true),
        (exact(None), true),
        (by_id, true),
        (
            if team.is_some() {
                best(&visible, team, model)
            } else {
                Vec::new()
            },
            false,
        ),
        (best(&visible, None, model), false),
    ] {
        if tier.is_empty() {
            continue;
        }
        let candidates: Vec<_> = tier
            .iter()
            .filter(|row| !row.blocked)
            .map(|row| {
                let resolved = if verbatim {
                    row.model.to_owned()
                } else {
                    fill(row, model)
                };
                (row.id.to_owned(), resolved, row.tag.to_owned())
            })
            .collect();
        return if candidates.is_empty() {
            Err(Refusal::Blocked)
        } else {
            Ok(candidates)
        };
    }
    Err(Refusal::UnknownModel)
}

/// The names by which the caller would be answered with candidates.
pub(crate) fn listing<'a>(rows: &[Row<'a>], team: Option<&str>) -> Vec<&'a str> {
    let visible = rows.iter().filter(|row| row.team.is_none() || row.team == team);
    let names: BTreeSet<&str> = visible.map(asked).collect();
    names
        .into_iter()
        .filter(|name| oracle(rows.iter().copied(), name, team).is_ok())
        .collect()
}

fn asked<'a>(row: &Row<'a>) -> &'a str {
    row.team_model_name.unwrap_or(row.model_name)
}

fn expression(pattern: &str) -> Regex {
    thread_local! {
        static COMPILED: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) };
    }
    let compile = || {
        let escaped = regex::escape(pattern).replace(r"\*", "(.*)");
        Regex::new(&format!("(?s)^{escaped}$")).expect("an escaped pattern is a valid expression")
    };
    COMPILED.with_borrow_mut(|compiled| compiled.entry(pattern.to_owned()).or_insert_with(compile).clone())
}

fn best<'a>(visible: &[Row<'a>], of: Option<&str>, model: &str) -> Vec<Row<'a>> {
    let patterns = visible.iter().filter(|row| row.team == of && asked(row).contains('*'));
    let matching = patterns.filter(|row| expression(asked(row)).is_match(model));
    let preference = |pattern: &'a str| {
        let wildcards = pattern.matches('*').count();
        (Reverse(pattern.chars().count() - wildcards), wildcards, pattern)
    };
    let matching: Vec<Row> = matching.copied().collect();
    let Some(best) = matching.iter().map(asked).min_by_key(|pattern| preference(pattern)) else {
        return Vec::new();
    };
    matching.into_iter().filter(|row| asked(row) == best).collect()
}

fn fill(row: &Row<'_>, model: &str) -> String {
    if !row.model.contains('*') {
        return row.model.to_owned();
    }
    let captures = expression(asked(row))
        .captures(model)
        .expect("the pattern was found by the model");
    let mut parts = row.model.split('*');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for (position, part) in parts.enumerate() {
        filled.push_str(&captures[position + 1]);
        filled.push_str(part);
    }
    filled
}
