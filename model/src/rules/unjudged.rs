//! The part of the rules that is not judged of a router, and why: rules that have nothing to check, and parts of others.

use protocol::{Capability, Hello, Settles};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Oracle, RuleId, RuleSet};
use crate::universe::{Scope, UNIVERSES};

/// A rule, or a part of one, that is not judged of a router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unjudged {
    /// The rule.
    pub rule: RuleId,
    /// True if nothing of the rule is judged.
    pub whole: bool,
    /// The reason.
    pub reason: String,
}

/// Returns what is not judged of the router that says this of itself, in the order of the rules.
pub fn unjudged(hello: &Hello, rules: &RuleSet) -> Vec<Unjudged> {
    let of_rule = |rule: RuleId| {
        if let Some(reason) = lacking(rule, hello) {
            let whole = true;
            return vec![Unjudged { rule, whole, reason }];
        }
        let part = |reason| Unjudged {
            rule,
            whole: false,
            reason,
        };
        parts(rule, hello).into_iter().map(part).collect()
    };
    rules.iter().flat_map(of_rule).collect()
}

/// Returns what the router lacks, or says of itself, that leaves the rule nothing to check.
fn lacking(id: RuleId, hello: &Hello) -> Option<String> {
    let rule = id.rule();
    if let Some(capability) = rule.needs.iter().find(|need| !hello.can(**need)) {
        return Some(format!("the adapter does not declare `{}`", capability.word()));
    }
    if id == RuleId::OrderFree && hello.dialect.ordered {
        return Some("the order in which rows arrive matters to this router (`ordered`)".to_owned());
    }
    let is_of_fleet = hello.can(Capability::Fleet) && id == RuleId::Converges;
    if is_of_fleet && !hello.can(Capability::Crash) && !says_its_rows(hello) {
        let what =
            "the adapter declares neither `crash`, for a fresh replica to compare with, nor `claims` or a `registry`";
        return Some(what.to_owned());
    }
    let of_preset = rule.oracle == Oracle::Spec && hello.dialect.semantics.is_none();
    of_preset.then(|| "the adapter claims no semantics".to_owned())
}

/// Returns the reason why a rule may have nothing to check on this router, however long it is tried: the router's own
/// decisions bring about its premises. Where they do, it is judged as any other.
pub fn left_to_router(id: RuleId, hello: &Hello) -> Option<&'static str> {
    let is_left = id == RuleId::AtomicRefusal && hello.dialect.semantics.is_none();
    is_left.then_some("this router refused nothing that it was offered")
}

/// Returns whether a replica says which rows it holds.
fn says_its_rows(hello: &Hello) -> bool {
    hello.can(Capability::Claims) || hello.can(Capability::Holds) && hello.dialect.registry.is_some()
}

/// The parts of rules that go unjudged of a fleet that lacks a capability.
const BEYOND_THE_FLEET: [(RuleId, Capability, &str); 14] = [
    (RuleId::Monotonic, Capability::Hold, "operations that overlap"),
    (
        RuleId::Monotonic,
        Capability::Notify,
        "notifications that come late, twice or never",
    ),
    (RuleId::Monotonic, Capability::StoreShows, "reads that lag behind"),
    (RuleId::ReadYourWrites, Capability::Hold, "operations that overlap"),
    (RuleId::ReadYourWrites, Capability::Patch, "writes of single fields"),
    (RuleId::KeepsWrites, Capability::Admin, "writes that go in at a replica"),
    (RuleId::KeepsWrites, Capability::Hold, "writes that overlap"),
    (RuleId::KeepsWrites, Capability::Patch, "writes of single fields"),
    (RuleId::Undisturbed, Capability::Admin, "answers while a replica writes"),
    (
        RuleId::Heals,
        Capability::StoreFails,
        "polls behind a store that failed",
    ),
    (RuleId::Heals, Capability::StoreOrder, "rows that come in another order"),
    (
        RuleId::FailsSafe,
        Capability::StoreShows,
        "a store that shows too little",
    ),
    (
        RuleId::Converges,
        Capability::Crash,
        "whether replicas answer as one that came up afresh",
    ),
    (
        RuleId::Converges,
        Capability::StoreFails,
        "polls behind a store that failed",
    ),
];

/// Returns the reasons why parts of a rule are not judged of a fleet.
fn parts_of_fleet(id: RuleId, hello: &Hello) -> Vec<String> {
    let lacking = BEYOND_THE_FLEET
        .iter()
        .filter(|(rule, capability, _)| *rule == id && !hello.can(*capability));
    let lacking = lacking.map(|(_, capability, what)| format!("{what} (`{}`)", capability.word()));
    let rows = (id == RuleId::Converges && !says_its_rows(hello))
        .then(|| "whether a replica holds each row of the store (`claims`, or `holds` and a `registry`)".to_owned());
    lacking.chain(rows).collect()
}

/// Returns the reasons why parts of a rule are not judged.
fn parts(id: RuleId, hello: &Hello) -> Vec<String> {
    let mut parts = parts_of_router(id, hello);
    if hello.can(Capability::Fleet) {
        parts.extend(parts_of_fleet(id, hello));
    }
    parts
}

/// Returns the reasons why parts of a rule are not judged of a router, or of a replica.
fn parts_of_router(id: RuleId, hello: &Hello) -> Vec<String> {
    match id {
        RuleId::Current => texts_left_out(hello).into_iter().chain(before_settled(hello)).collect(),
        RuleId::Bounded => {
            let others = hello.dialect.structures.keys();
            let others = others.filter(|structure| !hello.dialect.holds_rows(structure));
            others
                .map(|structure| format!("the size of `{structure}`, which holds no rows"))
                .collect()
        }
        RuleId::AtomicRefusal | RuleId::FailsSafe | RuleId::Heals | RuleId::Converges if hello.dialect.picks => {
            vec!["whether an answer is another than before, which a pick may be by chance (`picks`)".to_owned()]
        }
        RuleId::AtomicRefusal if hello.dialect.semantics.is_none() => {
            vec![
                "what should be refused and was not: without a preset the router's own word decides what it refuses"
                    .to_owned(),
            ]
        }
        _ => Vec::new(),
    }
}

/// Returns what is not judged before the router has settled; every rule about answers leaves it out.
fn before_settled(hello: &Hello) -> Option<String> {
    match hello.dialect.settles {
        Settles::AtOnce => None,
        Settles::Signal => Some("what is answered before the router's own signal (`settles`)".to_owned()),
        Settles::Within { stale_for } => Some(format!(
            "what is answered, and claimed in replies, in the {stale_for} ms after a change (`settles`)"
        )),
    }
}

/// Returns the texts that no trace uses, since the router takes too few of their kind, or does not take their shape.
fn texts_left_out(hello: &Hello) -> Vec<String> {
    let can = |capability| hello.can(capability);
    let of_universe = |universe: &&'static crate::universe::Universe| {
        let scope = Scope::new(universe, hello).universe;
        let lists = [
            ("ids", universe.ids.len(), scope.ids.len()),
            ("names", universe.names.len(), scope.names.len()),
            (
                "patterns",
                if can(Capability::Patterns) {
                    universe.patterns.len()
                } else {
                    0
                },
                scope.patterns.len(),
            ),
        ];
        let fewer = lists.into_iter().filter(|(_, all, used)| used < all);
        let told = fewer
            .map(|(what, all, used)| format!("{} of {all} {what} of the universe `{}`", all - used, universe.name));
        told.collect::<Vec<String>>()
    };
    let left_out = UNIVERSES.iter().flat_map(of_universe);
    left_out
        .map(|what| format!("{what}, which this router cannot take (`ids`, `names`, `pattern_shapes`)"))
        .collect()
}

#[cfg(test)]
mod tests {
    use protocol::Level;
    use protocol::wire::{Dialect, PROTOCOL_VERSION};

    use super::*;

    #[test]
    fn what_a_fleet_cannot_do_is_told_by_the_rules_that_would_have_judged_it() {
        let hello = |capabilities: &[Capability]| Hello {
            protocol: PROTOCOL_VERSION,
            router: "any".to_owned(),
            version: "1".to_owned(),
            capabilities: [&[Capability::Fleet], capabilities].concat(),
            dialect: Dialect::default(),
        };
        let all: Vec<Capability> = Capability::OF_FLEETS.into_iter().chain([Capability::Claims]).collect();
        let rules = RuleSet::of(Level::Fleet);
        let told = |capabilities: &[Capability]| unjudged(&hello(capabilities), &rules);
        let of_fleets = |capabilities: &[Capability]| {
            let told = told(capabilities).into_iter();
            told.filter(|one| one.reason.contains('`'))
                .map(|one| (one.rule, one.whole))
                .collect::<Vec<_>>()
        };
        let with_all = of_fleets(&all);
        for gone in Capability::OF_FLEETS.into_iter().chain([Capability::Claims]) {
            let without: Vec<Capability> = all.iter().copied().filter(|capability| *capability != gone).collect();
            let is_tried_by_others = matches!(gone, Capability::Request | Capability::Config);
            assert_eq!(
                of_fleets(&without).len() > with_all.len(),
                !is_tried_by_others,
                "{gone:?}"
            );
        }
        let converges = |capabilities: &[Capability]| {
            let told = told(capabilities).into_iter();
            told.filter(|one| one.rule == RuleId::Converges && one.whole).count()
        };
        assert_eq!(
            converges(&[Capability::Claims]),
            0,
            "a replica that says its rows is held against the store"
        );
        assert_eq!(
            converges(&[Capability::Crash]),
            0,
            "a fresh replica is something to compare with"
        );
        assert_eq!(converges(&[]), 1, "there is nothing to hold it against");
    }

    #[test]
    fn of_a_router_that_picks_each_rule_on_answers_that_must_be_alike_says_so() {
        let compare = [
            RuleId::AtomicRefusal,
            RuleId::FailsSafe,
            RuleId::Heals,
            RuleId::Converges,
        ];
        let rules = || {
            [Level::Router, Level::Fleet]
                .into_iter()
                .flat_map(|level| RuleSet::of(level).iter().collect::<Vec<RuleId>>())
        };
        for picks in [true, false] {
            let hello = Hello {
                protocol: PROTOCOL_VERSION,
                router: "any".to_owned(),
                version: "1".to_owned(),
                capabilities: vec![Capability::Upsert, Capability::Add, Capability::Fleet],
                dialect: Dialect {
                    picks,
                    ..Dialect::default()
                },
            };
            for rule in rules() {
                let told = parts(rule, &hello).iter().any(|why| why.contains("`picks`"));
                assert_eq!(told, picks && compare.contains(&rule), "{rule}");
            }
        }
    }
}
