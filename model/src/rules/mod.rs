//! The rules: one catalogue, and the predicates that judge evidence.

use std::collections::BTreeMap;

mod absolute;
pub(crate) mod catalogue;
mod fleet;
mod metamorphic;
mod notes;
mod prescribed;
mod undisturbed;
mod unjudged;
mod writes;

use protocol::Level;

use self::absolute::{atomic_refusal, claims_no_ghost, claims_once, current, no_duplicate, not_blocked, scoped};
pub use self::catalogue::{Oracle, RULES, Rule, RuleId};
use self::fleet::{
    claims_each_once, converges, fails_safe, follows_the_store, heals, monotonic, read_your_writes, refuses_atomically,
};
use self::metamorphic::{bounded, history_free, order_free, refuses_alike};
use self::notes::Notes;
use self::prescribed::{complete, listing, resolved, takes_what_is_valid};
use self::undisturbed::undisturbed;
pub use self::unjudged::{Unjudged, left_to_router, unjudged};
use self::writes::keeps_writes;
use crate::evidence::fleet::History;
use crate::evidence::{Ground, Moment, Transition};
use crate::failure::Finding;

/// A predicate that judges the answers of one moment.
type OfMoment = fn(&Moment, &mut Notes);
/// A predicate that judges one change and its outcome.
type OfTransition = fn(&Transition, &mut Notes);
/// A predicate that judges the whole run of a fleet.
type OfHistory = fn(&History, &Ground, &mut Notes);

/// The predicates of a rule about what one router, or one replica, shows.
fn predicates(id: RuleId) -> (Option<OfMoment>, Option<OfTransition>) {
    match id {
        RuleId::Current => (Some(current), Some(claims_no_ghost)),
        RuleId::Complete => (Some(complete), Some(takes_what_is_valid)),
        RuleId::NoDuplicate => (Some(no_duplicate), Some(claims_once)),
        RuleId::Scoped => (Some(scoped), None),
        RuleId::NotBlocked => (Some(not_blocked), None),
        RuleId::Resolved => (Some(resolved), None),
        RuleId::HistoryFree => (Some(history_free), Some(refuses_alike)),
        RuleId::OrderFree => (Some(order_free), None),
        RuleId::AtomicRefusal => (None, Some(atomic_refusal)),
        RuleId::Listing => (Some(listing), None),
        RuleId::Bounded => (Some(bounded), None),
        RuleId::Heals => (Some(heals), None),
        RuleId::Converges => (Some(converges), None),
        RuleId::Monotonic
        | RuleId::ReadYourWrites
        | RuleId::KeepsWrites
        | RuleId::Undisturbed
        | RuleId::FailsSafe
        | RuleId::NoFuture => (None, None),
    }
}

/// The predicate of a rule about the history of a fleet.
fn predicate_of_history(id: RuleId) -> Option<OfHistory> {
    match id {
        RuleId::NoDuplicate => Some(claims_each_once),
        RuleId::AtomicRefusal => Some(refuses_atomically),
        RuleId::Monotonic => Some(monotonic),
        RuleId::ReadYourWrites => Some(read_your_writes),
        RuleId::KeepsWrites => Some(keeps_writes),
        RuleId::Undisturbed => Some(undisturbed),
        RuleId::FailsSafe => Some(fails_safe),
        RuleId::Converges => Some(follows_the_store),
        _ => None,
    }
}

/// The premises and findings of the rules on some evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of premises of each rule.
    pub premises: BTreeMap<RuleId, u64>,
    /// The findings: one each time that a rule was broken.
    pub findings: Vec<Finding>,
}

impl Tally {
    /// Adds what another tally holds.
    pub fn absorb(&mut self, other: Self) {
        add_premises(&mut self.premises, other.premises);
        self.findings.extend(other.findings);
    }
}

/// Adds numbers of premises to those counted so far.
pub fn add_premises(counted: &mut BTreeMap<RuleId, u64>, more: BTreeMap<RuleId, u64>) {
    for (rule, count) in more {
        *counted.entry(rule).or_default() += count;
    }
}

/// The rules that are judged.
#[derive(Clone, Debug)]
pub struct RuleSet(Vec<RuleId>);

impl RuleSet {
    /// Every rule of that level.
    pub fn of(level: Level) -> Self {
        Self::matching(level, |_| true)
    }

    /// The rules of that level that satisfy `wanted`.
    pub fn matching(level: Level, wanted: impl Fn(RuleId) -> bool) -> Self {
        let of_level = RuleId::ALL.into_iter().filter(|id| id.rule().is_of(level));
        Self(of_level.filter(|id| wanted(*id)).collect())
    }

    /// Returns the set of that rule alone.
    pub fn only(id: RuleId) -> Self {
        Self(vec![id])
    }

    /// The rules in report order.
    pub fn iter(&self) -> impl Iterator<Item = RuleId> + '_ {
        self.0.iter().copied()
    }

    /// Returns whether one of the rules rests on fresh routers.
    pub fn needs_fresh(&self) -> bool {
        self.iter().any(|id| id.rule().oracle == Oracle::Metamorphic)
    }

    /// Returns the rules of the set that satisfy `wanted`.
    #[must_use]
    pub fn filtered(&self, wanted: impl Fn(RuleId) -> bool) -> Self {
        Self(self.iter().filter(|id| wanted(*id)).collect())
    }

    /// Judges the whole run of a fleet.
    pub fn judge_history(&self, history: &History, ground: &Ground, tally: &mut Tally) {
        for id in self.iter() {
            if let Some(check) = predicate_of_history(id) {
                let mut notes = Notes::new(id, None, 0);
                check(history, ground, &mut notes);
                notes.close(tally);
            }
        }
    }

    /// Judges the answers of one moment, by one router or one replica.
    pub fn judge_moment(&self, moment: &Moment, tally: &mut Tally) {
        for id in self.iter() {
            if let (Some(check), _) = predicates(id) {
                let mut notes = Notes::new(id, moment.replica, moment.after);
                check(moment, &mut notes);
                notes.close(tally);
            }
        }
    }

    /// Judges one change to one router and its outcome.
    pub fn judge_transition(&self, transition: &Transition, tally: &mut Tally) {
        for id in self.iter() {
            if let (_, Some(check)) = predicates(id) {
                let mut notes = Notes::new(id, None, transition.after);
                check(transition, &mut notes);
                notes.close(tally);
            }
        }
    }
}
