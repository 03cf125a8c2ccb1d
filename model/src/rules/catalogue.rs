//! The one catalogue of rules, at both levels: id, sentence, oracle, needs, effect, premise and explanation.
//!
//! Everything that is said of rules anywhere, in reports, flags and the book, is taken from here. The predicates are in
//! the modules beside this one; the packed predicates of the model checker are their fast twins.

use std::fmt;
use std::str::FromStr;

use protocol::{Capability, Level};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The stable name of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RuleId {
    /// Each candidate is a row of the applied table, in its current version.
    Current,
    /// No eligible row is missing, and the refusal kind is right.
    Complete,
    /// No candidate appears twice.
    NoDuplicate,
    /// No caller is ever answered with another team's row.
    Scoped,
    /// No blocked row is a candidate.
    NotBlocked,
    /// Each candidate's upstream model is the one the row prescribes for this query.
    Resolved,
    /// The answers equal those of a fresh router built from the same rows.
    HistoryFree,
    /// The answers equal those of a fresh router, whatever order its rows were loaded in.
    OrderFree,
    /// A refused change changes nothing.
    AtomicRefusal,
    /// The visible model names are exactly those that would be answered.
    Listing,
    /// No derived structure grows without new rows.
    Bounded,
    /// A replica never goes back to serving an older version.
    Monotonic,
    /// After a replica acknowledges a write, it serves that version or a newer one.
    ReadYourWrites,
    /// A write that was acknowledged stays in the store until another one replaces it.
    KeepsWrites,
    /// Operations under way at a replica take nothing away from its callers.
    Undisturbed,
    /// One successful poll, from every reachable state, makes every lookup agree with the store.
    Heals,
    /// A failed, empty-by-error or partial poll changes nothing.
    FailsSafe,
    /// Once writes stop, under fair polling, all replicas come to agree with the store.
    Converges,
    /// A replica never holds a version that the store has not had.
    NoFuture,
}

impl RuleId {
    /// Every rule, in the order of reports, which is that of the variants.
    pub const ALL: [Self; 19] = [
        Self::Current,
        Self::Complete,
        Self::NoDuplicate,
        Self::Scoped,
        Self::NotBlocked,
        Self::Resolved,
        Self::HistoryFree,
        Self::OrderFree,
        Self::AtomicRefusal,
        Self::Listing,
        Self::Bounded,
        Self::Monotonic,
        Self::ReadYourWrites,
        Self::KeepsWrites,
        Self::Undisturbed,
        Self::Heals,
        Self::FailsSafe,
        Self::Converges,
        Self::NoFuture,
    ];

    /// The name of the rule in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Complete => "complete",
            Self::NoDuplicate => "no-duplicate",
            Self::Scoped => "scoped",
            Self::NotBlocked => "not-blocked",
            Self::Resolved => "resolved",
            Self::HistoryFree => "history-free",
            Self::OrderFree => "order-free",
            Self::AtomicRefusal => "atomic-refusal",
            Self::Listing => "listing",
            Self::Bounded => "bounded",
            Self::Monotonic => "monotonic",
            Self::ReadYourWrites => "read-your-writes",
            Self::KeepsWrites => "keeps-writes",
            Self::Undisturbed => "undisturbed",
            Self::Heals => "heals",
            Self::FailsSafe => "fails-safe",
            Self::Converges => "converges",
            Self::NoFuture => "no-future",
        }
    }

    /// Returns whether the rule holds one router against fresh ones of which it is enough that one agrees, whatever the order
    /// in which it was given its rows.
    pub(crate) const fn rests_on_any_order(self) -> bool {
        matches!(self, Self::HistoryFree | Self::Bounded)
    }

    /// The entry of the rule in the catalogue.
    pub fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for RuleId {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Self, UnknownRule> {
        let found = Self::ALL.into_iter().find(|id| id.name() == name);
        found.ok_or_else(|| UnknownRule { name: name.to_owned() })
    }
}

/// A name that no rule has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule `{name}`; `routeproof rules` lists them")]
pub struct UnknownRule {
    name: String,
}

/// The kind of knowledge that a rule rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Oracle {
    /// Rows and tags alone: needs no semantics, and raises no false alarm on any router.
    Absolute,
    /// A fresh router of the same kind: needs no semantics either.
    Metamorphic,
    /// The exact answer of the preset that the router claims.
    Spec,
}

impl Oracle {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Absolute => "absolute",
            Self::Metamorphic => "metamorphic",
            Self::Spec => "spec",
        }
    }
}

/// The worst that breaking a rule does to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Requests go to a deployment that should not have them.
    WrongDeployment,
    /// Requests fail, and should be answered.
    Fails,
    /// A restart changes their answers.
    RestartChanges,
    /// None is affected.
    NoRequest,
}

/// A property that every router, or every fleet, should have.
#[derive(Debug)]
pub struct Rule {
    /// The stable name.
    pub id: RuleId,
    /// The levels at which it can be judged; none for a rule of the base protocol's model alone.
    pub levels: &'static [Level],
    /// The demand, in one clause.
    pub sentence: &'static str,
    /// The kind of knowledge that it rests on.
    pub oracle: Oracle,
    /// The capabilities without which it has nothing to check.
    pub needs: &'static [Capability],
    /// The worst that breaking it does to requests.
    pub effect: Effect,
    /// The occasion that is counted as one premise.
    pub premise: &'static str,
    /// The ways in which it comes to be broken, for a maintainer who sees it for the first time.
    pub explanation: &'static str,
}

impl Rule {
    /// Returns whether the rule can be judged at that level.
    pub fn is_of(&self, level: Level) -> bool {
        self.levels.contains(&level)
    }
}

const ROUTER: &[Level] = &[Level::Router];
const FLEET: &[Level] = &[Level::Fleet];
const BOTH: &[Level] = &[Level::Router, Level::Fleet];

/// Every rule, in the order of [`RuleId::ALL`].
pub static RULES: [Rule; 19] = [
    Rule {
        id: RuleId::Current,
        levels: BOTH,
        sentence: "each candidate is a row of the applied table, in its current version",
        oracle: Oracle::Absolute,
        needs: &[],
        effect: Effect::WrongDeployment,
        premise: "a candidate",
        explanation: "An update or a delete reached the list of deployments and not a structure derived from it: a pattern \
            table, a name index, an id map. The old version goes on taking its share of the requests until a restart. \
            `ghost` is a row that was deleted, `stale` an old version, `cross-wired` one row under the id of another, \
            `claims-ghost` an id that the router says it holds and that was deleted.",
    },
    Rule {
        id: RuleId::Complete,
        levels: BOTH,
        sentence: "no eligible row is missing, and the refusal kind is right",
        oracle: Oracle::Spec,
        needs: &[],
        effect: Effect::Fails,
        premise: "an answer that the preset predicts, or a change whose rows the router accounts for",
        explanation: "A row that was taken cannot be reached, or a caller is told the wrong reason. `missing` is a row \
            left out beside others, `refused` a query that has an answer and got none, `refusal-kind` the wrong reason, \
            `failed` a lookup that broke, `not-held` a row that was accepted and that the router then does not claim to \
            hold, `wrongly-refused` a valid row that was not taken. Failures and claims are judged on any router, the \
            rest where the router claims a preset.",
    },
    Rule {
        id: RuleId::NoDuplicate,
        levels: BOTH,
        sentence: "no candidate appears twice",
        oracle: Oracle::Absolute,
        needs: &[],
        effect: Effect::WrongDeployment,
        premise: "an answer with candidates",
        explanation: "A row was registered again without being taken out first. Each copy takes a share of the load, so \
            the weights no longer mean what they say. `twice` is a candidate, `claimed-twice` an id in the router's own list.",
    },
    Rule {
        id: RuleId::Scoped,
        levels: BOTH,
        sentence: "no caller is ever answered with another team's row",
        oracle: Oracle::Absolute,
        needs: &[Capability::Teams],
        effect: Effect::WrongDeployment,
        premise: "a query that some other team's row goes by",
        explanation: "A path that does not look at the team, often the lookup by id, or a team's table that kept a row \
            after the row had moved. A caller's requests then go out under another team's key. `other-team` is a \
            candidate, `listed` a name shown.",
    },
    Rule {
        id: RuleId::NotBlocked,
        levels: BOTH,
        sentence: "no blocked row is a candidate",
        oracle: Oracle::Absolute,
        needs: &[Capability::Blocked],
        effect: Effect::WrongDeployment,
        premise: "a query that a blocked row goes by",
        explanation: "Pausing a deployment set a flag that one of the paths does not look at.",
    },
    Rule {
        id: RuleId::Resolved,
        levels: BOTH,
        sentence: "each candidate's upstream model is the one the row prescribes for this query",
        oracle: Oracle::Spec,
        needs: &[],
        effect: Effect::WrongDeployment,
        premise: "a current candidate of an answer that the preset predicts",
        explanation: "`wrong-model` is a candidate with another upstream model than its row and the query give: captures \
            swapped, dropped, or taken from an earlier query. `not-eligible` is a row that does not go by what was asked, \
            or that a better match should have shadowed: the row prescribes no upstream model for this query at all.",
    },
    Rule {
        id: RuleId::HistoryFree,
        levels: ROUTER,
        sentence: "the answers equal those of a fresh router built from the same rows",
        oracle: Oracle::Metamorphic,
        needs: &[],
        effect: Effect::RestartChanges,
        premise: "an answer or listing, after at least one change, that a fresh router gave too, or a refused change that \
            one was asked to make",
        explanation: "A restart would change the answer. Whatever differs is left over from, or was lost to, an earlier \
            change: `extra`, `missing` and `other` candidates, another `refusal`, another `listing`, rows that were taken \
            and of which no router can be built (`unbuildable`), a change that is `refused` and that a fresh router makes. It \
            is broken only if no fresh router agrees, whatever the order in which it was given its rows: in the order of \
            their arrival or of their last change, from either end, and of up to five rows in every order.",
    },
    Rule {
        id: RuleId::OrderFree,
        levels: ROUTER,
        sentence: "the answers of fresh routers do not depend on the order in which the rows were loaded",
        oracle: Oracle::Metamorphic,
        needs: &[],
        effect: Effect::RestartChanges,
        premise: "an answer or listing of at least two rows that two fresh routers gave, loaded in different orders",
        explanation: "Replicas load rows in whatever order the database returns them, and two of them then disagree for \
            good. Usually a tie between two patterns that is left to the order of insertion. Answers differ in the \
            ways of `history-free`; `unbuildable` are rows of which a router can be built in one order and not in another.",
    },
    Rule {
        id: RuleId::AtomicRefusal,
        levels: BOTH,
        sentence: "a refused change changes nothing",
        oracle: Oracle::Absolute,
        needs: &[],
        effect: Effect::WrongDeployment,
        premise: "a change that the router refused, or that its preset must refuse",
        explanation: "The router took the old row out before it found the new one wrong, or left the new one half \
            registered. `changed` is an answer, a listing or a size that is no longer what it was, `claim` the \
            router's own list; `wrongly-accepted` is an invalid change that was not refused at all.",
    },
    Rule {
        id: RuleId::Listing,
        levels: BOTH,
        sentence: "the visible model names are exactly those that would be answered",
        oracle: Oracle::Spec,
        needs: &[Capability::Listing],
        effect: Effect::NoRequest,
        premise: "a listing of a router that claims a preset",
        explanation: "Callers pick from the list. `shown` is a name that would be refused, `hidden` one that would be answered.",
    },
    Rule {
        id: RuleId::Bounded,
        levels: BOTH,
        sentence: "each derived structure that holds rows is as large as in a fresh router of the same rows",
        oracle: Oracle::Metamorphic,
        needs: &[Capability::Sizes],
        effect: Effect::NoRequest,
        premise: "the size of a structure, after at least one change, that a fresh router of the same rows reports too",
        explanation: "`grown` is a structure in which each update leaves an entry behind: memory grows with the number of \
            updates and not of rows, and lookups that scan it slow down. `shrunk` is one that lost an entry of a row that is \
            held. An adapter says of each structure whether it holds rows, which is the only kind that is judged, and the \
            fresh router is asked what the router was asked.",
    },
    Rule {
        id: RuleId::Monotonic,
        levels: FLEET,
        sentence: "what a replica serves never goes back to an older version",
        oracle: Oracle::Absolute,
        needs: &[Capability::Fleet],
        effect: Effect::WrongDeployment,
        premise: "a candidate of a row that the replica has answered with since it started",
        explanation: "A poll that was read before a newer write was applied after it, or the copy of the store that was \
            read lags behind. A crash ends what a replica has to remember. `back` is a candidate of the older version.",
    },
    Rule {
        id: RuleId::ReadYourWrites,
        levels: FLEET,
        sentence: "after a replica acknowledges a write, it serves that version or a newer one",
        oracle: Oracle::Absolute,
        needs: &[Capability::Fleet, Capability::Admin],
        effect: Effect::WrongDeployment,
        premise: "a row of which the replica has acknowledged a write since it started",
        explanation: "The admin endpoint writes to the store and leaves the replica's own tables to the next poll, or a \
            poll that was under way undoes the write. A write that must be refused, and was, is no acknowledgement. `older` \
            is a candidate of a version that the store had replaced by then, `lost` a row that is held no more.",
    },
    Rule {
        id: RuleId::KeepsWrites,
        levels: FLEET,
        sentence: "the store holds what was acknowledged until a later write replaces it",
        oracle: Oracle::Absolute,
        needs: &[Capability::Fleet],
        effect: Effect::WrongDeployment,
        premise: "a look at the store, and a row of which a write was acknowledged by then",
        explanation: "An endpoint reads a row, changes a field and writes the whole row back over what was written meanwhile, or             brings back a row that was deleted. A write replaces another on a field if both cover it, the other had ended             before it began, and it was acknowledged; of writes that overlap either may win, field by field. `lost` is a             field, or the existence of a row, that holds what was replaced.",
    },
    Rule {
        id: RuleId::Undisturbed,
        levels: FLEET,
        sentence: "while operations are under way on a replica, what they do not change is answered as before",
        oracle: Oracle::Absolute,
        needs: &[Capability::Fleet, Capability::Hold],
        effect: Effect::Fails,
        premise: "a lookup on a replica with an operation under way, which was put before it began too",
        explanation: "A reload drops everything before it reads, and callers meet the gap. `changed` is an answer that no row             which changed can touch, `gone` a row that is not answered with although it was only given a new tag. It is not             judged across crashes and starts, nor while the store misbehaves.",
    },
    Rule {
        id: RuleId::Heals,
        levels: FLEET,
        sentence: "from every reachable state, one successful poll makes every lookup agree with the store",
        oracle: Oracle::Metamorphic,
        needs: &[Capability::Fleet, Capability::Crash],
        effect: Effect::RestartChanges,
        premise: "a replica that is up, while the store has no invalid row",
        explanation: "Something is left behind that no poll removes: a stale entry, a name, the last row. The poll under \
            way is finished first. It is a rule about single states, so that its counterexample is a shortest path.",
    },
    Rule {
        id: RuleId::FailsSafe,
        levels: FLEET,
        sentence: "a failed, empty-by-error or partial poll changes nothing",
        oracle: Oracle::Absolute,
        needs: &[Capability::Fleet, Capability::StoreFails],
        effect: Effect::Fails,
        premise: "a poll that the store fails, or to which it shows too little",
        explanation: "An error of the store is taken for an empty store, or a result that was cut short for a whole one, \
            and the rows that it lacks are deleted. `changed` is an answer, a listing or a claim.",
    },
    Rule {
        id: RuleId::Converges,
        levels: FLEET,
        sentence: "once writes stop, under fair polling, all replicas come to agree with the store",
        oracle: Oracle::Metamorphic,
        needs: &[Capability::Fleet],
        effect: Effect::WrongDeployment,
        premise: "a state in which some replica does not agree with the store",
        explanation: "A replica stays apart for ever, or comes to agree again and again and never for good. It is judged of \
            the whole graph by its strongly connected components, and not a path at a time: a run that never agrees \
            ends up going round in a component, and can do so under weak fairness only if each poll action is taken in \
            it or cannot happen in one of its states. Of a real fleet it is judged after two polls in a row: beside a fresh \
            replica, and by what the replica says that it holds, where `not-loaded` is a row of the store that it does not \
            hold and `not-removed` one that the store does not have. `not-polled` is a poll that waits or fails, and the one \
            before it too, while the store works and a replica that came up afresh gets its poll through.",
    },
    Rule {
        id: RuleId::NoFuture,
        levels: &[],
        sentence: "a replica never holds a version that the store has not had",
        oracle: Oracle::Absolute,
        needs: &[Capability::Fleet],
        effect: Effect::WrongDeployment,
        premise: "a row that a replica holds",
        explanation: "It is a rule of the base protocol's model alone, in which rows are numbers: a sanity check of the model \
            itself, which no real replica can break without inventing a row.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_stands_at_the_place_of_its_id() {
        assert!(RuleId::ALL.is_sorted());
        for (id, rule) in RuleId::ALL.into_iter().zip(&RULES) {
            assert_eq!(rule.id, id);
            assert_eq!(id.rule().sentence, rule.sentence);
            assert_eq!(id.name().parse(), Ok(id));
            assert_eq!(serde_json::to_value(id).unwrap(), id.name());
            assert_eq!(rule.levels.is_empty(), id == RuleId::NoFuture, "{id}");
            assert!(rule.explanation.len() > rule.sentence.len(), "{id}");
            assert!(!rule.premise.is_empty(), "{id}");
        }
        let why = "currant".parse::<RuleId>().unwrap_err().to_string();
        assert_eq!(why, "there is no rule `currant`; `routeproof rules` lists them");
    }

    #[test]
    fn each_oracle_has_a_word_of_its_own() {
        let words = [Oracle::Absolute, Oracle::Metamorphic, Oracle::Spec].map(Oracle::word);
        assert_eq!(words, ["absolute", "metamorphic", "spec"]);
    }
}
