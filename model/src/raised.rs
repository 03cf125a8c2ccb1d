//! The lookups that rows raise: their names, patterns filled in, ids, and near misses of all of them.

use std::collections::BTreeSet;

use protocol::{Capability, Query, Row};

use crate::choices::{Choices, shuffle};
use crate::pattern::is_pattern;
use crate::universe::Scope;

/// The questions that these rows raise, at most as many as the universe allows: each name and each pattern filled in, as
/// its owner, as another team and as none; then ids and near misses of everything.
pub fn raised_queries(scope: &Scope, rows: &[&Row], choices: &mut dyn Choices) -> Vec<Query> {
    let mut sure = BTreeSet::new();
    let mut more = BTreeSet::new();
    // Most rows are versions of a few: each text is looked at once for each of its owners.
    let named = rows.iter().flat_map(|row| names(row).map(|name| (name, &row.team)));
    let named: BTreeSet<(&String, &Option<String>)> = named.collect();
    for (name, team) in named {
        let callers = callers(scope, team.as_deref());
        let filled = if is_pattern(name) {
            filled(name)
        } else {
            vec![name.clone()]
        };
        for (index, name) in filled.iter().enumerate() {
            let into = if index == 0 { &mut sure } else { &mut more };
            into.extend(
                callers
                    .iter()
                    .map(|team| Query::new(&scope.asked(name), team.as_deref())),
            );
        }
        let misses = near_misses(name);
        more.extend(
            misses
                .iter()
                .map(|name| Query::new(&scope.asked(name), team.as_deref())),
        );
    }
    let ids: BTreeSet<(&String, &Option<String>)> = rows.iter().map(|row| (&row.id, &row.team)).collect();
    for (id, team) in ids.into_iter().filter(|_| scope.can(Capability::Ids)) {
        more.extend(
            callers(scope, team.as_deref())
                .iter()
                .map(|team| Query::new(id, team.as_deref())),
        );
    }
    let targets: BTreeSet<(&String, &Option<String>)> = rows.iter().map(|row| (&row.model, &row.team)).collect();
    more.extend(
        targets
            .into_iter()
            .map(|(target, team)| Query::new(&scope.asked(target), team.as_deref())),
    );
    if scope.malformed {
        more.extend(["", "a\nb"].map(|model| Query::new(model, None)));
    }
    let valid = |query: &Query| scope.malformed || !(query.model.is_empty() || query.model.contains(char::is_control));
    sure.retain(valid);
    more.retain(|query| valid(query) && !sure.contains(query));
    let [mut questions, mut more] = [sure, more].map(Vec::from_iter);
    shuffle(&mut questions, choices);
    shuffle(&mut more, choices);
    questions.extend(more);
    questions.truncate(scope.universe.queries_max);
    questions
}

/// The names of a row.
fn names(row: &Row) -> impl Iterator<Item = &String> {
    std::iter::once(&row.model_name).chain(&row.team_model_name)
}

/// The owner of a row, where it has one, a caller without a team, and another team.
fn callers(scope: &Scope, team: Option<&str>) -> Vec<Option<String>> {
    let mut callers = vec![None];
    callers.extend(team.map(|team| Some(team.to_owned())));
    let others = scope.universe.teams.iter();
    let other = others.copied().find(|other| Some(*other) != team);
    callers.extend(other.map(|team| Some(team.to_owned())));
    callers
}

/// Texts that a pattern matches: the wildcards filled in several ways, and its own text.
fn filled(pattern: &str) -> Vec<String> {
    let mut fills: Vec<String> = ["x", "m-1", "", "b/c"]
        .iter()
        .map(|fill| pattern.replace('*', fill))
        .collect();
    fills.push(pattern.to_owned());
    fills
}

/// Texts that are nearly that name.
fn near_misses(name: &str) -> Vec<String> {
    let text = name.replace('*', "x");
    let mut shorter = text.clone();
    shorter.pop();
    let swapped = text.chars().map(|character| {
        if character.is_lowercase() {
            character.to_uppercase().to_string()
        } else {
            character.to_lowercase().to_string()
        }
    });
    vec![
        format!("{text}x"),
        format!("x{text}"),
        shorter,
        swapped.collect(),
        text.replace(['.', '+', '['], "x"),
    ]
}
