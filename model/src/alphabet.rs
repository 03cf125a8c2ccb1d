//! The small alphabet of changes, and the matrix of questions, that the exhaustive engine explores a scope with.

use protocol::{Capability, Change, Query, Row};

use crate::generate::viewers;
use crate::universe::Scope;

/// Every change of the alphabet: each row of the scope's names, teams and flags by each verb that the router has, the
/// lists of up to two rows, and an odd row, alone and in lists, that many routers refuse.
///
/// A tag names the content of its row, so that states stay finitely many; each row comes with two tags, so that a key can
/// be rotated.
pub fn alphabet(scope: &Scope) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut lists = vec![Vec::new()];
    for (place, id) in scope.universe.ids.iter().enumerate() {
        let rows = rows(scope, place, id);
        if scope.can(Capability::Upsert) {
            changes.extend(rows.iter().cloned().map(Change::Upsert));
        }
        if scope.can(Capability::Add) {
            changes.extend(rows.iter().step_by(2).cloned().map(Change::Add));
        }
        if scope.can(Capability::Delete) {
            changes.push(Change::Delete((*id).to_owned()));
        }
        // Where the router can be asked for no row of the universe, an odd one tells nothing.
        if scope.can(Capability::Upsert) && !rows.is_empty() {
            changes.push(Change::Upsert(odd(scope, id)));
        }
        let few: Vec<Row> = rows.into_iter().step_by(5).take(6).collect();
        lists = lists
            .iter()
            .flat_map(|list| {
                std::iter::once(list.clone())
                    .chain(few.iter().map(|row| [&list[..], std::slice::from_ref(row)].concat()))
            })
            .collect();
    }
    if scope.can(Capability::Replace) {
        let longest = lists.last().cloned().unwrap_or_default();
        changes.extend(lists.into_iter().map(Change::Replace));
        if let Some(first) = longest.first() {
            changes.push(Change::Replace([&longest[..], &[odd(scope, &first.id)]].concat()));
            changes.push(Change::Replace([&longest[1..], &[odd(scope, &first.id)]].concat()));
            if scope.malformed {
                changes.push(Change::Replace([&longest[..], std::slice::from_ref(first)].concat()));
            }
        }
    }
    changes
}

/// The ways in which rows of one name and team differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Plain,
    /// The same with another tag: the key was rotated.
    Rotated,
    Weighted,
    Blocked,
}

const VARIANTS: [Variant; 4] = [Variant::Plain, Variant::Rotated, Variant::Weighted, Variant::Blocked];

/// A row of which the strict semantics have no reading: its target has a `*` that its name does not fill.
fn odd(scope: &Scope, id: &str) -> Row {
    Row::new(id, "a", &format!("{}*", scope.target_prefixes[0]), &format!("{id}-odd"))
}

fn rows(scope: &Scope, place: usize, id: &str) -> Vec<Row> {
    let universe = &scope.universe;
    let names: Vec<&str> = universe.names.iter().chain(universe.patterns).copied().collect();
    let names = if universe.paired && !names.is_empty() {
        &names[place % names.len()..=place % names.len()]
    } else {
        &names[..]
    };
    let mut rows = Vec::new();
    for team in viewers(scope) {
        for name in names {
            for variant in VARIANTS {
                let able = match variant {
                    Variant::Plain | Variant::Rotated => true,
                    Variant::Weighted => scope.can(Capability::Weights),
                    Variant::Blocked => scope.can(Capability::Blocked),
                };
                if able {
                    let mut row = Row::new(id, name, "", &format!("{id}-{}", rows.len()));
                    if let Some(team) = &team {
                        row.team = Some(team.clone());
                        // The team asks for the row by this name; its `model_name` is in no query of the matrix.
                        row.team_model_name = Some((*name).to_owned());
                        row.model_name = scope.asked(&format!("{team}-{id}"));
                    }
                    row.model = scope.targets(&scope.target_prefixes[0], name).swap_remove(0);
                    row.blocked = variant == Variant::Blocked;
                    row.weight = (variant == Variant::Weighted).then_some(5);
                    rows.push(row);
                }
            }
        }
    }
    rows
}

/// The questions of each state: every name, every pattern filled in, every id, and near misses, by every caller.
pub fn matrix(scope: &Scope) -> Vec<Query> {
    let universe = &scope.universe;
    let mut texts: Vec<String> = universe.names.iter().map(|name| (*name).to_owned()).collect();
    texts.extend(universe.patterns.iter().map(|pattern| (*pattern).to_owned()));
    for pattern in universe.patterns {
        texts.extend(["x", "b", "x-y"].map(|fill| pattern.replace('*', fill)));
        texts.push(pattern.replacen('*', "x", 1).replacen('*', "y", 1));
        texts.push(format!("{}d", pattern.replace('*', "b")));
        texts.push(pattern.replace('*', "").replace('.', "b"));
        let others = universe.patterns.iter().map(|other| other.replace('*', ""));
        texts.extend(others.map(|other| pattern.replacen('*', &other, 1)));
    }
    texts.push("A".to_owned());
    for text in &mut texts {
        *text = scope.asked(text);
    }
    if scope.can(Capability::Ids) {
        texts.extend(universe.ids.iter().map(|id| (*id).to_owned()));
    }
    texts.retain(|text| !text.is_empty());
    texts.sort_unstable();
    texts.dedup();
    let by_all = |text: &String| {
        let callers = viewers(scope).into_iter();
        callers
            .map(|team| Query::new(text, team.as_deref()))
            .collect::<Vec<_>>()
    };
    texts.iter().flat_map(by_all).collect()
}

/// The lookups that the exhaustive engine makes on their own: of every name, every pattern filled in once and every id, by a
/// caller without a team and by one of the first.
pub(crate) fn single_lookups(scope: &Scope) -> Vec<Query> {
    let universe = &scope.universe;
    let mut texts: Vec<String> = universe.names.iter().map(|name| (*name).to_owned()).collect();
    texts.extend(universe.patterns.iter().map(|pattern| pattern.replace('*', "x")));
    if scope.can(Capability::Ids) {
        texts.extend(universe.ids.iter().map(|id| (*id).to_owned()));
    }
    texts.sort_unstable();
    texts.dedup();
    let callers = [None, universe.teams.first().copied()];
    let few = if callers[1].is_some() { 2 } else { 1 };
    let by_few = |text: &String| {
        callers[..few]
            .iter()
            .map(|team| Query::new(text, *team))
            .collect::<Vec<_>>()
    };
    texts.iter().flat_map(by_few).collect()
}
