//! The questions of the protocol, put to a table.

use std::collections::BTreeMap;

use protocol::{Answer, Candidate, Query, Refusal};
use router_core::{Deployment, Table};

/// The structure that is the router's own list of rows, in the table's word for it.
pub(crate) const REGISTRY: &str = "rows";

pub(crate) fn lookup(table: &Table, query: &Query) -> Vec<Answer> {
    let answer = table.lookup(router_core::Query {
        model: &query.model,
        team: query.team.as_deref(),
    });
    let candidate = |candidate: router_core::Candidate<'_>| Candidate {
        id: candidate.id().as_str().to_owned(),
        model: candidate.model().to_string(),
        tag: candidate.tag().as_str().to_owned(),
    };
    vec![match answer.refusal() {
        None => Answer::Candidates(answer.candidates().map(candidate).collect()),
        Some(router_core::Refusal::UnknownModel) => Answer::Refused(Refusal::UnknownModel),
        Some(router_core::Refusal::Blocked) => Answer::Refused(Refusal::Blocked),
        Some(router_core::Refusal::Invalid) => Answer::Refused(Refusal::Invalid),
    }]
}

pub(crate) fn listing(table: &Table, team: Option<&str>) -> Vec<String> {
    table.visible_names(team).into_iter().map(str::to_owned).collect()
}

pub(crate) fn claims(table: &Table) -> Vec<String> {
    let id = |row: &Deployment| row.id().as_str().to_owned();
    table.rows().map(id).collect()
}

/// The tags of the list of rows; the indexes hold rows of that list and nothing else.
pub(crate) fn holds(table: &Table) -> BTreeMap<String, Vec<String>> {
    let tag = |row: &Deployment| row.tag().as_str().to_owned();
    [(REGISTRY.to_owned(), table.rows().map(tag).collect())].into()
}

pub(crate) fn sizes(table: &Table) -> BTreeMap<String, u64> {
    let size = |(name, entries): (&str, usize)| {
        let entries = u64::try_from(entries).expect("a length fits 64 bits");
        (name.to_owned(), entries)
    };
    table.sizes().into_iter().map(size).collect()
}
