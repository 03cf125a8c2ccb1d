//! What the rules are given to judge: moments and transitions, with everything that was known then.

use std::collections::BTreeMap;

use protocol::{Candidate, Change, Changed, Observation, Outcome, Query, Row};

use crate::pattern::{Patterns, is_pattern};
use crate::spec::{Spec, Table};

/// What does not change over a trial.
#[derive(Debug)]
pub struct Ground {
    /// The preset that the router claims, where it claims one.
    pub spec: Option<Spec>,
    /// The names of the extras whose rows do not answer as others do, and which the preset does not predict.
    pub opaque: Vec<String>,
    /// What targets start with; empty where the router takes any.
    pub target_prefixes: Vec<String>,
    /// The names of the code paths that answer lookups.
    pub paths: Vec<String>,
    /// Matches names, for premises and for the kind of path.
    pub patterns: Patterns,
}

/// Every version of every row that the router was ever given, by tag.
pub type Issued = BTreeMap<String, Row>;

/// What a fresh router of the same kind shows of the same rows, or why none could be built of them.
pub type Fresh = Result<Observation, String>;

/// What was seen at one moment.
#[derive(Debug)]
pub struct Moment<'a> {
    /// What does not change over a trial.
    pub ground: &'a Ground,
    /// The rows that were applied by then.
    pub table: &'a Table,
    /// Every version given by then.
    pub issued: &'a Issued,
    /// How many steps were done by then.
    pub after: usize,
    /// What was asked.
    pub queries: &'a [Query],
    /// Whose listings were asked.
    pub viewers: &'a [Option<String>],
    /// What was seen.
    pub seen: &'a Observation,
    /// What fresh routers show of the same rows: the first one given them in the order of their arrival, the others in
    /// other orders. Empty where none was asked.
    pub fresh: &'a [Fresh],
}

/// What became of one change.
#[derive(Debug)]
pub struct Transition<'a> {
    /// What does not change over a trial.
    pub ground: &'a Ground,
    /// How many steps were done, this one included; 0 is the construction.
    pub after: usize,
    /// What was asked for.
    pub change: &'a Change,
    /// What the router said.
    pub changed: &'a Changed,
    /// The rows that were applied before.
    pub before: &'a Table,
    /// The rows that are applied now.
    pub now: &'a Table,
    /// The ids that the router claimed before.
    pub held_before: Option<&'a [String]>,
    /// The questions, and what was seen directly before and directly after, where both were looked at.
    pub seen: Option<Seen<'a>>,
}

/// What was seen directly before and after a change.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What was asked, both times.
    pub queries: &'a [Query],
    /// Directly before.
    pub before: &'a Observation,
    /// Directly after.
    pub after: &'a Observation,
}

/// The kind of path by which an answer, or a wrong one, was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// An exact name.
    Exact,
    /// A pattern of a row without a team.
    GlobalPattern,
    /// A pattern of a team's row.
    TeamPattern,
    /// A deployment id.
    Id,
    /// The listing of visible names.
    Listing,
    /// The router's own word on what it holds.
    Claim,
    /// The size of a derived structure.
    Size,
    /// None: no row goes by what was asked.
    Nothing,
}

impl Way {
    /// The words for it in a report.
    pub fn words(self) -> &'static str {
        match self {
            Self::Exact => "exact name",
            Self::GlobalPattern => "global pattern",
            Self::TeamPattern => "team pattern",
            Self::Id => "id",
            Self::Listing => "listing",
            Self::Claim => "claim",
            Self::Size => "size",
            Self::Nothing => "no path",
        }
    }
}

impl Ground {
    /// The kind of path by which `row` is reached by that name; `None` where it is not.
    pub fn reaches(&self, row: &Row, asked: &str) -> Option<Way> {
        if self.patterns.matches(row.asked_name(), asked) {
            return Some(kind_of_name(row));
        }
        (row.id == asked).then_some(Way::Id)
    }

    /// The kind of path by which `row` came up for that name, be it rightly or wrongly.
    pub fn way(&self, row: &Row, asked: &str) -> Way {
        self.reaches(row, asked).unwrap_or_else(|| kind_of_name(row))
    }

    /// Whether the preset says nothing of this row: its extra makes it answer as no other does, or its target is none that
    /// the dialect speaks of.
    pub fn is_opaque(&self, row: &Row) -> bool {
        let known = |prefix: &String| row.model.starts_with(prefix);
        let target_is_known = self.target_prefixes.is_empty() || self.target_prefixes.iter().any(known);
        match &row.extra {
            Some(extra) => self.opaque.contains(extra),
            None => !target_is_known,
        }
    }
}

fn kind_of_name(row: &Row) -> Way {
    match (is_pattern(row.asked_name()), &row.team) {
        (false, _) => Way::Exact,
        (true, None) => Way::GlobalPattern,
        (true, Some(_)) => Way::TeamPattern,
    }
}

impl Moment<'_> {
    /// The version of the row that a candidate came from.
    pub fn version(&self, candidate: &Candidate) -> Option<&Row> {
        match self.table.get(&candidate.id) {
            Some(row) if row.tag == candidate.tag => Some(row),
            _ => self.issued.get(&candidate.tag),
        }
    }

    /// Whether the preset says nothing of what this query gets: a row that it does not predict has a pattern, or goes by
    /// what is asked for in any way.
    pub fn is_opaque(&self, query: &Query) -> bool {
        let mut rows = self.table.values().filter(|row| self.ground.is_opaque(row));
        rows.any(|row| {
            let mut texts = [Some(&row.model_name), row.team_model_name.as_ref()]
                .into_iter()
                .flatten();
            texts.any(|name| is_pattern(name) || *name == query.model) || [&row.id, &row.model].contains(&&query.model)
        })
    }
}

/// The table after a change that the router answered with `outcome`, by the router's own word: what it refused did not
/// happen, and what it did not refuse did.
pub fn applied(table: &Table, change: &Change, outcome: &Outcome) -> Table {
    let mut table = table.clone();
    if matches!(outcome, Outcome::Refused(_)) {
        return table;
    }
    match change {
        Change::Add(row) if *outcome == Outcome::Unchanged && table.contains_key(&row.id) => {}
        Change::Upsert(row) | Change::Add(row) => {
            table.insert(row.id.clone(), row.clone());
        }
        Change::Delete(id) => {
            table.remove(id);
        }
        Change::Replace(rows) => table = rows.iter().map(|row| (row.id.clone(), row.clone())).collect(),
    }
    table
}

/// Keeps `order`, the ids of a table in the order in which they arrived, in step with a change that led to `now`.
pub fn arrive(order: &mut Vec<String>, change: &Change, outcome: &Outcome, now: &Table) {
    if matches!(change, Change::Replace(_)) && !matches!(outcome, Outcome::Refused(_)) {
        order.clear();
    }
    order.retain(|id| now.contains_key(id));
    for row in change.rows() {
        if now.contains_key(&row.id) && !order.contains(&row.id) {
            order.push(row.id.clone());
        }
    }
}

/// The rows of a table in that order.
pub fn in_order(order: &[String], table: &Table) -> Vec<Row> {
    order.iter().filter_map(|id| table.get(id).cloned()).collect()
}

/// Whether a list was taken in which an id comes twice: what the router then holds is not for anyone else to say.
pub fn took_an_id_twice(change: &Change, outcome: &Outcome, now: &Table) -> bool {
    !matches!(outcome, Outcome::Refused(_)) && matches!(change, Change::Replace(rows) if rows.len() != now.len())
}
