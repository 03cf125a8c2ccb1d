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

/// The coverage of the sweep and the random traces of a run. An exploration is not counted, since it is of few texts.
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
    /// The changes and lookups that the router can be put through and was not.
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
    /// Too few rows were looked up by this tier behind changes of this verb that had an effect.
    Lookup {
        /// The verb.
        verb: String,
        /// The tier.
        tier: Tier,
        /// True if it is lookups that had been made before the change too; false if it is others.
        before: bool,
        /// Number of lookups.
        lookups: u64,
    },
    /// The router refused every row that is reached by this tier.
    Refused {
        /// The tier.
        tier: Tier,
    },
}

/// The least number of lookups by each tier behind changes of each verb, asked before the change and not, by which a router
/// conforms.
pub(crate) const LOOKUPS_MIN: u64 = 3;

impl NotTried {
    /// The words for it in reports.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Extra { extra, verb } => format!("`{extra}` by {verb}"),
            Self::Lookup { verb, tier, before, .. } => {
                let since = if *before { "as before it" } else { "for the first time" };
                format!("{} behind {verb} {since}", tier.words())
            }
            Self::Refused { tier } => format!("{}: every such row was refused", tier.words()),
        }
    }
}

impl CoverageReport {
    /// The first of the lookups of which there were too few for a verdict, in words.
    pub(crate) fn too_few(&self) -> Option<String> {
        self.not_tried.iter().find_map(|missing| match missing {
            NotTried::Lookup { lookups, .. } => Some(format!(
                "{} was looked up {lookups} times, and a pass takes {LOOKUPS_MIN}",
                missing.words()
            )),
            NotTried::Extra { .. } | NotTried::Refused { .. } => None,
        })
    }

    /// The report of this coverage of the router that said `hello`.
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
    let verbs: Vec<&'static str> = VERBS
        .into_iter()
        .filter(|(_, needed)| hello.can(*needed))
        .map(|(verb, _)| verb)
        .collect();
    let of_extra = hello.dialect.extras.iter().flat_map(|extra| {
        let met = |verb: &&&str| {
            let mut tried = coverage.changes.keys();
            tried.any(|tried| tried.verb == **verb && tried.extra.as_ref() == Some(&extra.name))
        };
        let missing = verbs.iter().filter(move |verb| !met(verb));
        missing.map(|verb| NotTried::Extra {
            extra: extra.name.clone(),
            verb: (*verb).to_owned(),
        })
    });
    let tiers = Tier::ALL.into_iter().filter(|tier| can_reach(*tier, hello));
    let of_tier = tiers.flat_map(|tier| too_few_lookups(coverage, tier, &verbs));
    of_extra.chain(of_tier).collect()
}

/// Returns the changes behind which that tier was looked up too rarely; a tier of which the router refuses every row is
/// named once.
fn too_few_lookups(coverage: &Coverage, tier: Tier, verbs: &[&'static str]) -> Vec<NotTried> {
    if coverage.taken.get(&tier) == Some(&false) {
        return vec![NotTried::Refused { tier }];
    }
    let ways = verbs
        .iter()
        .flat_map(|verb| [true, false].map(|before| LookedUp { verb, tier, before }));
    let counted = ways.map(|way| (way, coverage.lookups.get(&way).copied().unwrap_or(0)));
    let too_few = counted.filter(|(_, lookups)| *lookups < LOOKUPS_MIN);
    too_few
        .map(|(LookedUp { verb, tier, before }, lookups)| NotTried::Lookup {
            verb: verb.to_owned(),
            tier,
            before,
            lookups,
        })
        .collect()
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

    use protocol::Extra;

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
                NotTried::Extra { .. } | NotTried::Refused { .. } => None,
            });
            let expected: BTreeSet<Tier> = tiers.iter().copied().collect();
            assert_eq!(missing.collect::<BTreeSet<Tier>>(), expected, "{capabilities:?}");
        }
    }

    #[test]
    fn a_bundle_is_missing_with_each_verb_that_no_row_of_it_met() {
        let mut hello = builtin::reference().hello().clone();
        hello.capabilities = vec![Capability::Upsert, Capability::Delete];
        let bundle = |name: &str| Extra {
            name: name.to_owned(),
            why: "it is registered elsewhere".to_owned(),
            target: None,
            plain: true,
            copies: false,
            params: None,
        };
        hello.dialect.extras = ["region", "region-eu"].map(bundle).to_vec();
        let mut coverage = Coverage::default();
        for (extra, verb) in [
            (Some("region-eu"), "upsert"),
            (Some("region"), "delete"),
            (None, "delete"),
            (Some("region"), "add"),
        ] {
            let extra = extra.map(str::to_owned);
            let met = Met::Refused;
            coverage.changes.insert(Tried { extra, verb, met }, 1);
        }
        let report = CoverageReport::new(&coverage, &hello);
        let missing = report.not_tried.iter().filter_map(|missing| match missing {
            NotTried::Extra { extra, verb } => Some((extra.as_str(), verb.as_str())),
            NotTried::Lookup { .. } | NotTried::Refused { .. } => None,
        });
        let missing: Vec<(&str, &str)> = missing.collect();
        assert_eq!(missing, [("region", "upsert"), ("region-eu", "delete")]);
    }

    #[test]
    fn a_lookup_is_missing_until_it_was_made_often_enough_or_where_every_such_row_was_refused() {
        let mut hello = builtin::reference().hello().clone();
        hello.capabilities = vec![Capability::Upsert];
        let mut coverage = Coverage::default();
        let report = |coverage: &Coverage| CoverageReport::new(coverage, &hello);
        let ways = [true, false].map(|before| LookedUp {
            verb: "upsert",
            tier: Tier::Exact,
            before,
        });
        for lookups in 0..LOOKUPS_MIN {
            coverage.lookups.extend(ways.map(|way| (way, lookups)));
            let too_few = report(&coverage).too_few().expect("they are too few");
            let expected = format!("exact behind upsert as before it was looked up {lookups} times");
            assert!(too_few.starts_with(&expected), "{too_few}");
        }
        coverage.lookups.insert(ways[0], LOOKUPS_MIN);
        let too_few = report(&coverage).too_few().expect("the other way is still too few");
        assert!(
            too_few.starts_with("exact behind upsert for the first time"),
            "{too_few}"
        );
        coverage.lookups.insert(ways[1], LOOKUPS_MIN);
        assert_eq!(report(&coverage).too_few(), None);
        assert!(report(&coverage).not_tried.is_empty());

        let mut refused = Coverage::default();
        refused.taken.insert(Tier::Exact, false);
        assert_eq!(report(&refused).not_tried, [NotTried::Refused { tier: Tier::Exact }]);
        assert_eq!(report(&refused).too_few(), None);
    }
}
