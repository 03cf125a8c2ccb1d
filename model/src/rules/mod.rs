//! The rules: each an id, a sentence, when it has something to check, and what it then demands.

use std::collections::BTreeMap;

use protocol::{Capability, Query};

mod absolute;
mod metamorphic;
mod notes;
mod prescribed;

use self::absolute::{atomic_refusal, claims_no_ghost, claims_once, current, no_duplicate, not_blocked, scoped};
use self::metamorphic::{bounded, history_free, order_free};
use self::notes::Notes;
use self::prescribed::{complete, listing, resolved, takes_what_is_valid};
use crate::evidence::{Moment, Transition, Way};

/// What a rule rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oracle {
    /// Rows and tags alone: needs no semantics, and raises no false alarm on any router.
    Absolute,
    /// A fresh router of the same kind: needs no semantics either.
    Metamorphic,
    /// The exact answer of the preset that the router claims.
    Spec,
}

impl Oracle {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Absolute => "absolute",
            Self::Metamorphic => "metamorphic",
            Self::Spec => "spec",
        }
    }
}

/// A property with a stable id.
#[derive(Debug)]
pub struct Rule {
    /// Stable.
    pub id: &'static str,
    /// What it demands.
    pub sentence: &'static str,
    /// What it rests on.
    pub oracle: Oracle,
    /// What a router must have for the rule to have anything to check.
    pub needs: &'static [Capability],
    /// What counts as one premise: one time that the rule had something to check.
    pub premise: &'static str,
    /// How it comes to be broken, for a maintainer who sees it for the first time.
    pub explanation: &'static str,
    moment: Option<fn(&Moment, &mut Notes)>,
    transition: Option<fn(&Transition, &mut Notes)>,
}

/// The rules of a router alone, in the order of a report.
pub static RULES: [Rule; 11] = [
    Rule {
        id: "current",
        sentence: "each candidate is a row of the applied table, in its current version",
        oracle: Oracle::Absolute,
        needs: &[],
        premise: "a candidate",
        explanation: "An update or a delete reached the list of deployments and not a structure derived from it: a pattern \
            table, a name index, an id map. The old version goes on taking its share of the requests until a restart. \
            `ghost` is a row that was deleted, `stale` an old version, `cross-wired` one row under the id of another, \
            `claims-ghost` an id that the router says it holds and that was deleted.",
        moment: Some(current),
        transition: Some(claims_no_ghost),
    },
    Rule {
        id: "complete",
        sentence: "no eligible row is missing, and the refusal kind is right",
        oracle: Oracle::Spec,
        needs: &[],
        premise: "an answer that the preset predicts, or a change whose rows the router accounts for",
        explanation: "A row that was taken cannot be reached, or a caller is told the wrong reason. `missing` is a row \
            left out beside others, `refused` a query that has an answer and got none, `refusal-kind` the wrong reason, \
            `failed` a lookup that broke, `not-held` a row that was accepted and that the router then does not claim to \
            hold, `wrongly-refused` a valid row that was not taken. Failures and claims are judged on any router, the \
            rest where the router claims a preset.",
        moment: Some(complete),
        transition: Some(takes_what_is_valid),
    },
    Rule {
        id: "no-duplicate",
        sentence: "no candidate appears twice",
        oracle: Oracle::Absolute,
        needs: &[],
        premise: "an answer with candidates",
        explanation: "A row was registered again without being taken out first. Each copy takes a share of the load, so \
            the weights no longer mean what they say. `twice` is a candidate, `claimed-twice` an id in the router's own list.",
        moment: Some(no_duplicate),
        transition: Some(claims_once),
    },
    Rule {
        id: "scoped",
        sentence: "no caller is ever answered with another team's row",
        oracle: Oracle::Absolute,
        needs: &[Capability::Teams],
        premise: "a query that some other team's row goes by",
        explanation: "A path that does not look at the team, often the lookup by id, or a team's table that kept a row \
            after the row had moved. A caller's requests then go out under another team's key. `other-team` is a \
            candidate, `listed` a name shown.",
        moment: Some(scoped),
        transition: None,
    },
    Rule {
        id: "not-blocked",
        sentence: "no blocked row is a candidate",
        oracle: Oracle::Absolute,
        needs: &[Capability::Blocked],
        premise: "a query that a blocked row goes by",
        explanation: "Pausing a deployment set a flag that one of the paths does not look at.",
        moment: Some(not_blocked),
        transition: None,
    },
    Rule {
        id: "resolved",
        sentence: "each candidate's upstream model is the one the row prescribes for this query",
        oracle: Oracle::Spec,
        needs: &[],
        premise: "a current candidate of an answer that the preset predicts",
        explanation: "`wrong-model` is a candidate with another upstream model than its row and the query give: captures \
            swapped, dropped, or taken from an earlier query. `not-eligible` is a row that does not go by what was asked, \
            or that a better match should have shadowed: the row prescribes no upstream model for this query at all.",
        moment: Some(resolved),
        transition: None,
    },
    Rule {
        id: "history-free",
        sentence: "the answers equal those of a fresh router built from the same rows",
        oracle: Oracle::Metamorphic,
        needs: &[],
        premise: "an answer or listing, after at least one change, that a fresh router gave too",
        explanation: "A restart would change the answer. Whatever differs is left over from, or was lost to, an earlier \
            change: `extra`, `missing` and `other` candidates, another `refusal`, another `listing`, rows that were taken \
            and of which no router can be built (`unbuildable`).",
        moment: Some(history_free),
        transition: None,
    },
    Rule {
        id: "order-free",
        sentence: "they do so whatever order the rows were loaded in",
        oracle: Oracle::Metamorphic,
        needs: &[],
        premise: "an answer or listing of at least two rows that two fresh routers gave, loaded in different orders",
        explanation: "Replicas load rows in whatever order the database returns them, and two of them then disagree for \
            good. Usually a tie between two patterns that is left to the order of insertion.",
        moment: Some(order_free),
        transition: None,
    },
    Rule {
        id: "atomic-refusal",
        sentence: "a refused change changes nothing",
        oracle: Oracle::Absolute,
        needs: &[],
        premise: "a change that the router refused, or that its preset must refuse",
        explanation: "The router took the old row out before it found the new one wrong, or left the new one half \
            registered. `changed` is an answer, a listing or a size that is no longer what it was, `claim` the \
            router's own list; `wrongly-accepted` is an invalid change that was not refused at all.",
        moment: None,
        transition: Some(atomic_refusal),
    },
    Rule {
        id: "listing",
        sentence: "the visible model names are exactly those that would be answered",
        oracle: Oracle::Spec,
        needs: &[Capability::Listing],
        premise: "a listing of a router that claims a preset",
        explanation: "Callers pick from the list. `shown` is a name that would be refused, `hidden` one that would be answered.",
        moment: Some(listing),
        transition: None,
    },
    Rule {
        id: "bounded",
        sentence: "no derived structure grows without new rows",
        oracle: Oracle::Metamorphic,
        needs: &[Capability::Sizes],
        premise: "the size of a structure, after at least one change, that a fresh router of the same rows reports too",
        explanation: "Each update leaves an entry behind. Memory grows with the number of updates and not of rows, and \
            lookups that scan the structure slow down.",
        moment: Some(bounded),
        transition: None,
    },
];

/// The rule of that id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// One broken rule, at one moment, in one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// In which way it is broken, in a word of the rule's explanation.
    pub class: &'static str,
    /// The kind of path.
    pub way: Way,
    /// The deployment that it is about.
    pub id: Option<String>,
    /// The extra of that deployment's row.
    pub extra: Option<String>,
    /// What was asked, where it is about an answer.
    pub query: Option<Query>,
    /// Whose listing, where it is about one: the inner `None` is a caller without a team.
    pub viewer: Option<Option<String>>,
    /// The index of the dialect's path that answered.
    pub path: usize,
    /// How many steps were done by then.
    pub after: usize,
    /// What the rule allows.
    pub allowed: String,
    /// What came.
    pub got: String,
}

/// What the rules had to say of some evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often each rule had something to check.
    pub premises: BTreeMap<&'static str, u64>,
    /// Each time one was broken.
    pub findings: Vec<Finding>,
}

impl Tally {
    /// Adds what another tally holds.
    pub fn absorb(&mut self, other: Self) {
        for (rule, count) in other.premises {
            *self.premises.entry(rule).or_default() += count;
        }
        self.findings.extend(other.findings);
    }
}

/// Which rules are judged.
#[derive(Clone, Debug)]
pub struct RuleSet(Vec<&'static Rule>);

impl Default for RuleSet {
    fn default() -> Self {
        Self::matching(|_| true)
    }
}

impl RuleSet {
    /// Those whose id satisfies `wanted`.
    pub fn matching(wanted: impl Fn(&str) -> bool) -> Self {
        Self(RULES.iter().filter(|rule| wanted(rule.id)).collect())
    }

    /// Them, in the order of a report.
    pub fn iter(&self) -> impl Iterator<Item = &'static Rule> + '_ {
        self.0.iter().copied()
    }

    /// Whether one of them rests on fresh routers.
    pub fn needs_fresh(&self) -> bool {
        self.iter().any(|rule| rule.oracle == Oracle::Metamorphic)
    }

    /// Judges what was seen at one moment.
    pub fn judge_moment(&self, moment: &Moment, tally: &mut Tally) {
        for rule in self.iter() {
            if let Some(check) = rule.moment {
                let mut notes = Notes::new(rule, moment.after);
                check(moment, &mut notes);
                notes.close(tally);
            }
        }
    }

    /// Judges what became of one change.
    pub fn judge_transition(&self, transition: &Transition, tally: &mut Tally) {
        for rule in self.iter() {
            if let Some(check) = rule.transition {
                let mut notes = Notes::new(rule, transition.after);
                check(transition, &mut notes);
                notes.close(tally);
            }
        }
    }
}
