//! The coverage of a run: what its traces tried, and what they did not.

use model::{Coverage, LookedUp, Met, Tier, Tried};
use protocol::{Capability, Hello};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verbs of changes, each with what a router must be able to do.
const VERBS: [(&str, Capability); 4] = [
    ("upsert", Capability::Upsert),
    ("add", Capability::Add),
    ("delete", Capability::Delete),
    ("replace", Capability::Replace),
];

/// What the sweep and the random traces of a run tried; an exploration is not counted, since it is of few texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoverageReport {
    /// Number of changes that had an effect.
    pub effects: u64,
    /// The rows that changes brought or deleted.
    pub changes: Vec<ChangesReport>,
    /// The lookups that could reach a row that had changed since the last ones.
    pub lookups: Vec<LookupsReport>,
    /// The derived structures of which the router said what they hold.
    pub structures: Vec<String>,
    /// What the router can be put through and was not.
    pub not_tried: Vec<NotTried>,
}

/// Rows of one parameter bundle that changes of one verb brought or deleted, with one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangesReport {
    /// The bundle; none where the rows have none.
    pub extra: Option<String>,
    /// The verb, or `construction`.
    pub verb: String,
    /// The outcome.
    pub outcome: OutcomeMet,
    /// Number of rows.
    pub rows: u64,
}

/// The outcome of a change, without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeMet {
    /// The router took the change.
    Applied,
    /// The router found nothing to change.
    Unchanged,
    /// The router refused.
    Refused,
}

/// Lookups that could reach a row behind a change of one verb that had an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LookupsReport {
    /// The verb, or `construction`.
    pub verb: String,
    /// The tier by which the row, as it was or as it is, is reached.
    pub tier: Tier,
    /// True if the same lookup had been made before the change.
    pub before: bool,
    /// Number of lookups.
    pub lookups: u64,
}

/// Something that the router can be put through and was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotTried {
    /// No row of this parameter bundle met a change of this verb.
    Extra {
        /// The bundle.
        extra: String,
        /// The verb.
        verb: String,
    },
    /// No row was looked up by this tier behind a change of this verb that had an effect.
    Lookup {
        /// The verb.
        verb: String,
        /// The tier.
        tier: Tier,
        /// True if it is lookups that had been made before the change too; false if it is others.
        before: bool,
    },
}

impl CoverageReport {
    /// What was tried of the router that said `hello`.
    pub fn new(coverage: &Coverage, hello: &Hello) -> Self {
        Self {
            effects: coverage.effects,
            changes: coverage.changes.iter().map(changes).collect(),
            lookups: coverage.lookups.iter().map(lookups).collect(),
            structures: coverage.structures.iter().cloned().collect(),
            not_tried: not_tried(coverage, hello),
        }
    }
}

fn changes((tried, rows): (&Tried, &u64)) -> ChangesReport {
    ChangesReport {
        extra: tried.extra.clone(),
        verb: tried.verb.to_owned(),
        outcome: match tried.met {
            Met::Applied => OutcomeMet::Applied,
            Met::Unchanged => OutcomeMet::Unchanged,
            Met::Refused => OutcomeMet::Refused,
        },
        rows: *rows,
    }
}

fn lookups((looked_up, lookups): (&LookedUp, &u64)) -> LookupsReport {
    LookupsReport {
        verb: looked_up.verb.to_owned(),
        tier: looked_up.tier,
        before: looked_up.before,
        lookups: *lookups,
    }
}

fn not_tried(coverage: &Coverage, hello: &Hello) -> Vec<NotTried> {
    let verbs = || {
        VERBS
            .into_iter()
            .filter(|(_, needed)| hello.can(*needed))
            .map(|(verb, _)| verb)
    };
    let tiers = Tier::ALL.into_iter().filter(|tier| can_reach(*tier, hello));
    let mut missing = Vec::new();
    for extra in &hello.dialect.extras {
        let met = |verb: &&str| {
            let mut tried = coverage.changes.keys();
            tried.any(|tried| tried.verb == *verb && tried.extra.as_ref() == Some(&extra.name))
        };
        missing.extend(verbs().filter(|verb| !met(verb)).map(|verb| NotTried::Extra {
            extra: extra.name.clone(),
            verb: verb.to_owned(),
        }));
    }
    for tier in tiers {
        for verb in verbs() {
            let ways = [true, false].map(|before| LookedUp { verb, tier, before });
            let ways = ways.into_iter().filter(|way| !coverage.lookups.contains_key(way));
            missing.extend(ways.map(|LookedUp { verb, tier, before }| NotTried::Lookup {
                verb: verb.to_owned(),
                tier,
                before,
            }));
        }
    }
    missing
}

fn can_reach(tier: Tier, hello: &Hello) -> bool {
    let needed: &[Capability] = match tier {
        Tier::Exact => &[],
        Tier::TeamExact => &[Capability::Teams],
        Tier::Id => &[Capability::Ids],
        Tier::GlobalPattern => &[Capability::Patterns],
        Tier::TeamPattern => &[Capability::Teams, Capability::Patterns],
    };
    needed.iter().all(|needed| hello.can(*needed))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::adapter::builtin;

    #[test]
    fn a_tier_is_missing_only_where_a_router_can_reach_a_row_by_it() {
        use Capability::{Ids, Patterns, Teams, Upsert};
        use Tier::{Exact, GlobalPattern, Id, TeamExact, TeamPattern};
        let rows: [(&[Capability], &[Tier]); 5] = [
            (&[], &[Exact]),
            (&[Teams], &[TeamExact, Exact]),
            (&[Patterns], &[Exact, GlobalPattern]),
            (&[Ids], &[Exact, Id]),
            (&[Teams, Patterns], &[TeamExact, Exact, TeamPattern, GlobalPattern]),
        ];
        for (capabilities, tiers) in rows {
            let mut hello = builtin::reference().hello().clone();
            hello.capabilities = [&[Upsert], capabilities].concat();
            let report = CoverageReport::new(&Coverage::default(), &hello);
            let missing = report.not_tried.iter().filter_map(|missing| match missing {
                NotTried::Lookup { tier, .. } => Some(*tier),
                NotTried::Extra { .. } => None,
            });
            let expected: BTreeSet<Tier> = tiers.iter().copied().collect();
            assert_eq!(missing.collect::<BTreeSet<Tier>>(), expected, "{capabilities:?}");
        }
    }
}
