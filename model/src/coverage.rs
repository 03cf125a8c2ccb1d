//! The coverage of a search: changes and what became of them, lookups around changes, structures that were seen.
//!
//! A rule that held says nothing of what was never tried. So a run tells, beside its premises, which parameter bundles met
//! which verbs with which outcomes, and by which tier a changed row was asked for, asked for before the change and not.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use foldhash::fast::FixedState;
use protocol::{Change, Changed, Outcome, Query, Question, Row, Run, RunReply, Shown, Step, StepReply};

use crate::evidence::{Ground, tier_of_name};
use crate::failure::Tier;
use crate::spec::{Table, is_visible};

/// The verb of the rows that a router is constructed with.
pub const CONSTRUCTION: &str = "construction";

/// The changes and lookups that the traces of a search tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Number of changes after which the applied table was another one; constructions are none.
    pub effects: u64,
    /// Number of rows that were brought or deleted.
    pub changes: BTreeMap<Tried, u64>,
    /// Number of lookups that could reach a row that had changed since the last ones.
    pub lookups: BTreeMap<LookedUp, u64>,
    /// The tiers of the rows that changes brought, each with whether the router ever took one.
    pub taken: BTreeMap<Tier, bool>,
    /// The derived structures of which the router said what they hold.
    pub structures: BTreeSet<String>,
}

/// A row that a change brought or deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tried {
    /// The parameter bundle of the row.
    pub extra: Option<String>,
    /// The verb of the change, or [`CONSTRUCTION`].
    pub verb: &'static str,
    /// The outcome of the change.
    pub met: Met,
}

/// The outcome of a change, without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// The router took the change.
    Applied,
    /// The router found nothing to change.
    Unchanged,
    /// The router refused.
    Refused,
}

/// A lookup that could reach a changed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookedUp {
    /// The verb of the change, which had an effect.
    pub verb: &'static str,
    /// The tier by which the row, as it was or as it is, is reached.
    pub tier: Tier,
    /// True if the same lookup had been made before the change.
    pub before: bool,
}

impl Coverage {
    /// The coverage of one run of a router, which led to these tables: one for each number of steps, as far as they are
    /// known.
    pub fn of(run: &Run, reply: &RunReply, tables: &[Table], ground: &Ground) -> Self {
        let mut walk = Walk {
            ground,
            coverage: Self::default(),
            pending: Vec::new(),
            earlier: HashSet::default(),
            recent: HashSet::default(),
        };
        let construction = Change::Replace(run.trace.setup.rows.clone());
        let empty = Table::new();
        let mut rounds = run.questions.rounds.iter().zip(&reply.rounds).peekable();
        for (done, now) in tables.iter().enumerate() {
            let before = done.checked_sub(1).map_or(&empty, |before| &tables[before]);
            let step = done
                .checked_sub(1)
                .map(|index| (&run.trace.steps[index], &reply.steps[index]));
            match step {
                None if now.is_empty() => {}
                None => walk.change(CONSTRUCTION, &construction, &reply.setup, (before, now)),
                Some((Step::Change(change), StepReply::Changed(changed))) => {
                    walk.change(change.verb(), change, changed, (before, now));
                }
                Some((Step::Ask(_, question), StepReply::Shown(shown))) => walk.ask(question, shown),
                Some(_) => {}
            }
            if let Some((round, seen)) = rounds.next_if(|(round, _)| round.after as usize == done) {
                let shown = seen.iter().flat_map(|seen| &seen.shown);
                for ((_, question), shown) in run.questions.of(round).zip(shown) {
                    walk.ask(question, shown);
                }
            }
        }
        walk.coverage
    }

    /// Adds what another one holds.
    pub fn absorb(&mut self, other: Self) {
        self.effects += other.effects;
        for (tried, count) in other.changes {
            *self.changes.entry(tried).or_default() += count;
        }
        for (looked_up, count) in other.lookups {
            *self.lookups.entry(looked_up).or_default() += count;
        }
        for (tier, taken) in other.taken {
            *self.taken.entry(tier).or_default() |= taken;
        }
        self.structures.extend(other.structures);
    }
}

/// A walk along a run.
struct Walk<'a> {
    ground: &'a Ground,
    coverage: Coverage,
    /// Changed rows, as they were and as they are, by the verb of the change: of the changes since the last question before
    /// one of them.
    pending: Vec<(&'static str, Vec<&'a Row>)>,
    /// The lookups before the pending changes.
    earlier: HashSet<&'a Query, FixedState>,
    /// The lookups since then.
    recent: HashSet<&'a Query, FixedState>,
}

impl<'a> Walk<'a> {
    fn change(&mut self, verb: &'static str, change: &Change, changed: &Changed, tables: (&'a Table, &'a Table)) {
        if !self.recent.is_empty() {
            self.earlier.extend(self.recent.drain());
            self.pending.clear();
        }
        let (before, now) = tables;
        let deleted = match change {
            Change::Delete(id) => before.get(id),
            _ => None,
        };
        let extras = change.rows().iter().chain(deleted).map(|row| row.extra.clone());
        for extra in extras {
            let met = Met::of(&changed.outcome);
            let tried = self.coverage.changes.entry(Tried { extra, verb, met });
            *tried.or_default() += 1;
        }
        for row in change.rows() {
            let taken = matches!(changed.outcome, Outcome::Applied) && now.get(&row.id) == Some(row);
            *self.coverage.taken.entry(tier_of_name(row)).or_default() |= taken;
        }
        if before == now {
            return;
        }
        self.coverage.effects += u64::from(verb != CONSTRUCTION);
        let has_changed = |row: &&Row| before.get(&row.id) != now.get(&row.id);
        let rows = before.values().chain(now.values()).filter(has_changed);
        self.pending.push((verb, rows.collect()));
    }

    fn ask(&mut self, question: &'a Question, shown: &Shown) {
        match (question, shown) {
            (Question::Lookup(query), _) => self.look_up(query),
            (_, Shown::Sizes(sizes)) => self.coverage.structures.extend(sizes.keys().cloned()),
            (_, Shown::Holds(holds)) => self.coverage.structures.extend(holds.keys().cloned()),
            _ => {}
        }
    }

    fn look_up(&mut self, query: &'a Query) {
        if !self.recent.insert(query) {
            return;
        }
        let before = self.earlier.contains(query);
        for (verb, rows) in &self.pending {
            let seen = rows.iter().filter(|row| is_visible(row, query.team.as_deref()));
            let tiers: BTreeSet<Tier> = seen.filter_map(|row| self.ground.reaches(row, &query.model)).collect();
            for tier in tiers {
                let looked_up = LookedUp { verb, tier, before };
                *self.coverage.lookups.entry(looked_up).or_default() += 1;
            }
        }
    }
}

impl Met {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Applied => Self::Applied,
            Outcome::Unchanged => Self::Unchanged,
            Outcome::Refused(_) => Self::Refused,
        }
    }
}
