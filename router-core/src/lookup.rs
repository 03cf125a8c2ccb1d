//! Lookups: the deployments that may serve a request, as a pure function of the table and the query.
//!
//! Nothing here allocates, waits or changes the table. Tiers, of which the first that matches decides: the team's exact
//! names, global exact names, the id of a visible row, the team's patterns, global patterns.

use std::fmt;
use std::iter::FusedIterator;
use std::slice;

use crate::deployment::{Deployment, Id, Tag, problem_of};
use crate::index::{Eligible, Group};
use crate::pattern::Filled;
use crate::table::Table;

/// A request, as far as the choice of a deployment depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Query<'a> {
    /// The name that is asked for.
    pub model: &'a str,
    /// The caller's team, if it has one.
    pub team: Option<&'a str>,
}

/// The reason why there is no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// The caller may see no row that is asked for by this name.
    UnknownModel,
    /// All rows that the caller may see by this name are blocked.
    Blocked,
    /// The name or the team is empty, longer than [`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX), or holds a control
    /// character.
    Invalid,
}

impl Refusal {
    /// The word for it on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownModel => "unknown_model",
            Self::Blocked => "blocked",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer to a query: at least one candidate, or a refusal.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    found: Result<Found<'a>, Refusal>,
}

/// The rows that answer a query.
#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    rows: Eligible<'a>,
    captured: Option<&'a str>,
}

impl Table {
    /// Finds the deployments that may serve the request.
    ///
    /// # Complexity
    ///
    /// Three probes of a hash table at most, one more a tier of patterns, then a walk over the patterns; no allocation.
    #[inline]
    pub fn lookup<'a>(&'a self, query: Query<'a>) -> Answer<'a> {
        // Most lookups end here, and this part is short enough to be inlined.
        let found = match query.team {
            None => match self.names().find((None, query.model)) {
                Some(group) => serve(group, None),
                None => self.lookup_by_other_than_name(query),
            },
            Some(team) => self.lookup_of_team(team, query),
        };
        Answer { found }
    }

    fn lookup_of_team<'a>(&'a self, team: &'a str, query: Query<'a>) -> Result<Found<'a>, Refusal> {
        if problem_of(team).is_some() {
            return Err(Refusal::Invalid);
        }
        let exact = |team| self.names().find((team, query.model));
        match exact(Some(team)).or_else(|| exact(None)) {
            Some(group) => serve(group, None),
            None => self.lookup_by_other_than_name(query),
        }
    }

    /// Looks through the tiers below the exact names. Invalid queries are found out here, since no row has such a name.
    #[inline(never)]
    fn lookup_by_other_than_name<'a>(&'a self, query: Query<'a>) -> Result<Found<'a>, Refusal> {
        let Query { model, team } = query;
        let id = Id::parse(model).map_err(|_| Refusal::Invalid)?;
        if let Some(row) = self.row(id).filter(|row| row.visible_to(team)) {
            let found = Found {
                rows: Eligible::One(row),
                captured: None,
            };
            return if row.blocked() {
                Err(Refusal::Blocked)
            } else {
                Ok(found)
            };
        }
        team.and_then(|team| self.patterns().find(Some(team), model))
            .or_else(|| self.patterns().find(None, model))
            .map_or(Err(Refusal::UnknownModel), |group| serve(group, Some(model)))
    }

    /// All names by which this caller would be answered with candidates, sorted: exact names, and the texts of
    /// patterns.
    ///
    /// A name stands here if a visible row is asked for by it and a lookup of that very text has candidates. A
    /// pattern's text that is taken by a blocked id, say, does not.
    ///
    /// # Complexity
    ///
    /// Linear in the table: for audits and listings, not for requests.
    pub fn visible_names<'a>(&'a self, team: Option<&'a str>) -> Vec<&'a str> {
        let mut groups: Vec<&Group> = self.names().iter().collect();
        self.patterns().each(&mut |group| groups.push(group));
        let mut names: Vec<&str> = groups
            .into_iter()
            .filter(|group| group.visible_to(team))
            .map(Group::name)
            .filter(|&model| self.lookup(Query { model, team }).refusal().is_none())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The rows of a group that are not blocked; `captured` is the name that the group's pattern matched, if it has one.
#[inline]
fn serve<'a>(group: &'a Group, captured: Option<&'a str>) -> Result<Found<'a>, Refusal> {
    group
        .eligible()
        .map_or(Err(Refusal::Blocked), |rows| Ok(Found { rows, captured }))
}

impl<'a> Answer<'a> {
    /// Returns the reason why there is no candidate; `None` if there is one.
    pub fn refusal(&self) -> Option<Refusal> {
        self.found.as_ref().err().copied()
    }

    /// The candidates, ordered by id; none if the query was refused.
    pub fn candidates(&self) -> Candidates<'a> {
        match self.found {
            Ok(Found { rows, captured }) => Candidates {
                rows: rows.rows().iter(),
                captured,
            },
            Err(_) => Candidates {
                rows: [].iter(),
                captured: None,
            },
        }
    }

    /// Picks a candidate by weight; nothing if the query was refused.
    ///
    /// The draw is one of 2^64 equally likely numbers. A candidate is picked by the draws of one run of them, whose
    /// length is its share of the weights times 2^64, rounded up or down: no closer choice can be made from such a
    /// draw. A candidate of weight 0 is never picked, unless all are: then all are equally likely.
    ///
    /// # Complexity
    ///
    /// Logarithmic in the number of candidates.
    pub fn pick(&self, draw: u64) -> Option<Candidate<'a>> {
        let Found { rows, captured } = self.found.ok()?;
        Some(Candidate {
            row: rows.pick(draw),
            captured,
        })
    }
}

/// The candidates of an answer, ordered by id.
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    rows: slice::Iter<'a, Deployment>,
    captured: Option<&'a str>,
}

impl<'a> Iterator for Candidates<'a> {
    type Item = Candidate<'a>;

    fn next(&mut self) -> Option<Candidate<'a>> {
        self.rows.next().map(|row| Candidate {
            row,
            captured: self.captured,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Candidates<'_> {}
impl FusedIterator for Candidates<'_> {}

/// A deployment that may serve the request, and the upstream model that it would serve.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    row: &'a Deployment,
    captured: Option<&'a str>,
}

impl<'a> Candidate<'a> {
    /// The id of the row.
    pub fn id(&self) -> Id<'a> {
        self.row.id()
    }

    /// The mark of the version of the row.
    pub fn tag(&self) -> Tag<'a> {
        self.row.tag()
    }

    /// The row itself.
    pub fn deployment(&self) -> &'a Deployment {
        self.row
    }

    /// The upstream model: the target, with what the wildcards of the name stood for in place of its own.
    ///
    /// A row that was reached by its id has no captures: its target is used as it is.
    pub fn model(&self) -> Resolved<'a> {
        Resolved {
            row: self.row,
            captured: self.captured,
        }
    }
}

/// An upstream model, written out by `Display`.
///
/// Writing allocates only for a pattern of more than eight `*`.
#[derive(Clone, Copy, Debug)]
pub struct Resolved<'a> {
    row: &'a Deployment,
    captured: Option<&'a str>,
}

impl fmt::Display for Resolved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.row.model().as_str();
        match self.captured {
            Some(name) => {
                let pattern = self
                    .row
                    .asked()
                    .pattern()
                    .expect("rows with captures were found by a pattern");
                let captures = pattern.captures(name).expect("the pattern matched the name");
                fmt::Display::fmt(
                    &Filled {
                        target,
                        captures: &captures,
                    },
                    f,
                )
            }
            None => f.write_str(target),
        }
    }
}
