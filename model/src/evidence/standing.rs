//! The lookups of one moment, each with the rows that it can reach then and the answers that the preset allows.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use protocol::{Answer, Query, Row};

use super::Moment;
use crate::found::Found;
use crate::kept::{Expected, KeptSpec, KeyedRow};
use crate::pattern::is_pattern;
use crate::reach::Held;
use crate::spec::is_visible;

/// The lookups of one moment, in the order in which they were asked.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    held: Held,
    /// The rows that each lookup can reach, those of one behind those of the other.
    rows: Vec<KeyedRow<'a>>,
    lookups: Vec<Standpoint<'a>>,
    /// The rows that the preset says nothing of.
    opaque: Vec<&'a Row>,
}

/// One lookup of a moment.
#[derive(Debug)]
struct Standpoint<'a> {
    found: Rc<Found>,
    rows: Range<usize>,
    /// The answer of each path of the router.
    answers: &'a [Answer],
    /// For each path, whether its answer is allowed.
    allowed: Vec<OnceCell<bool>>,
}

impl<'a> Standing<'a> {
    fn of(moment: &Moment<'a>) -> Self {
        let held = moment.reach.held(moment.table);
        let mut rows = Vec::new();
        let lookups = moment.look.lookups().map(|(_, query, answers)| {
            let found = moment.reach.find(query);
            let first = rows.len();
            rows.extend(moment.reach.reached(&found, &held));
            Standpoint {
                found,
                rows: first..rows.len(),
                answers,
                allowed: vec![OnceCell::new(); answers.len()],
            }
        });
        let lookups = lookups.collect();
        let opaque = moment.table.values().filter(|row| moment.ground.is_opaque(row));
        Self {
            held,
            rows,
            lookups,
            opaque: opaque.collect(),
        }
    }
}

impl<'a> Moment<'a> {
    fn standing(&self) -> &Standing<'a> {
        self.standing.get_or_init(|| Standing::of(self))
    }

    /// The rows of the table that the lookup of that number can reach, and perhaps a few more.
    pub(crate) fn reached(&self, number: usize) -> impl Iterator<Item = &'a Row> {
        let standing = self.standing();
        let rows = &standing.rows[standing.lookups[number].rows.clone()];
        rows.iter().map(|keyed| keyed.row)
    }

    /// Returns whether the lookup of that number reaches a version of another team's row.
    pub(crate) fn reaches_foreign(&self, number: usize) -> bool {
        let Standpoint { found, .. } = &self.standing().lookups[number];
        let query = found.query();
        found.is_foreign(|| {
            let foreign = self
                .reach
                .rows(found)
                .filter(|row| !is_visible(row, query.team.as_deref()));
            let mut reached = foreign.filter(|row| self.ground.reaches(row, &query.model).is_some());
            reached.any(|row| self.variants.is_empty() || self.issued.get(&row.tag) == Some(row))
        })
    }

    /// Returns true if the preset does not predict the answer to this query: a row that it says nothing of has a
    /// pattern for a name, or has the text that is asked for as its name, id or target.
    pub fn is_opaque(&self, query: &Query) -> bool {
        self.standing().opaque.iter().any(|row| {
            let mut texts = [Some(&row.model_name), row.team_model_name.as_ref()]
                .into_iter()
                .flatten();
            texts.any(|name| is_pattern(name) || *name == query.model) || [&row.id, &row.model].contains(&&query.model)
        })
    }

    /// Returns true if the preset says nothing of some row of the table.
    pub(crate) fn has_opaque_row(&self) -> bool {
        !self.standing().opaque.is_empty()
    }

    /// Returns what the preset allows as the answer to the lookup of that number on that path; none if there is no preset.
    pub(crate) fn prediction(&self, number: usize, path: usize) -> Option<Prediction<'_, 'a>> {
        Some(Prediction {
            moment: self,
            kept: self.ground.kept.as_ref()?,
            number,
            path,
        })
    }

    /// Returns the names that the preset shows a caller of `team`; none if there is no preset.
    pub(crate) fn listing(&self, team: Option<&str>) -> Option<Rc<BTreeSet<String>>> {
        let kept = self.ground.kept.as_ref()?;
        let held = &self.standing().held;
        if !held.are_versions() {
            return Some(Rc::new(kept.spec().listing(self.table, team)));
        }
        let listing = kept.listing(team, held.state(), || {
            kept.spec().listing_of(self.table, team, |query| {
                let found = self.reach.find(query);
                let rows: Vec<KeyedRow> = self.reach.reached(&found, held).collect();
                let expected = kept.expected(&found, "", &rows);
                expected.iter().any(|answer| matches!(answer, Expected::Candidates(_)))
            })
        });
        if held.is_asked_anew() {
            assert_eq!(*listing, kept.spec().listing(self.table, team), "{KEPT_WRONGLY}");
        }
        Some(listing)
    }
}

/// The message of the panic where the specification itself answers otherwise.
const KEPT_WRONGLY: &str = "an answer that is kept of the specification is not what it answers";

/// The answers that the preset allows to one lookup on one path.
pub(crate) struct Prediction<'m, 'a> {
    moment: &'m Moment<'a>,
    kept: &'m KeptSpec,
    number: usize,
    path: usize,
}

impl Prediction<'_, '_> {
    /// Returns whether the answer that came is allowed.
    pub(crate) fn came_true(&self) -> bool {
        let standing = self.moment.standing();
        let lookup = &standing.lookups[self.number];
        let answer = &lookup.answers[self.path];
        *lookup.allowed[self.path].get_or_init(|| {
            let by_itself = || self.answers().contains(&answer.clone().sorted());
            if !standing.held.are_versions() {
                return by_itself();
            }
            let rows = &standing.rows[lookup.rows.clone()];
            let expected = self.kept.expected(&lookup.found, self.path_name(), rows);
            let allowed = expected.iter().any(|one| one.agrees(answer, rows));
            if standing.held.is_asked_anew() {
                assert_eq!(allowed, by_itself(), "{KEPT_WRONGLY}");
            }
            allowed
        })
    }

    /// The answers that are allowed, by the specification itself.
    pub(crate) fn answers(&self) -> Vec<Answer> {
        let lookup = &self.moment.standing().lookups[self.number];
        self.kept
            .spec()
            .lookup(self.moment.table, lookup.found.query(), self.path_name())
    }

    fn path_name(&self) -> &str {
        self.moment.ground.paths.get(self.path).map_or("", String::as_str)
    }
}
