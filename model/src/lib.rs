//! Judges whether an answer was allowed: the abstract specification, the rules, and the engines that look for a trace
//! after which one of them is broken.
//!
//! Naive on purpose: ordered maps, clones, the `regex` crate. No code is shared with a router that is judged here, so
//! that one mistake cannot hide in both.
//!
//! | part | items |
//! |---|---|
//! | the abstract state, and the meaning of each change and lookup | [`Spec`], [`Table`], [`Patterns`] |
//! | the evidence that the rules are given to judge | [`Tracked`], [`Fresh`], [`History`] |
//! | each rule: id, sentence, premise, predicate | [`RULES`], [`RuleId`], [`RuleSet`], [`Tally`] |
//! | one broken rule as data | [`Finding`], [`Failure`], [`Signature`] |
//! | failures that one fault explains | [`Cause`], [`diagnose`], [`group`] |
//! | the result of any engine | [`Hunt`] |
//! | the trial, which drives runs through a router and judges every observation | [`trial`], [`Judge`] |
//! | the random engine, and when it asks | [`search`], [`generate`], [`Cadence`] |
//! | the short traces that come first, and what was tried | [`sweep`], [`Coverage`] |
//! | the exhaustive engine | [`explore`], [`explore_observed`], [`alphabet`] |
//! | schedules of a fleet, and the closing by which they are judged | [`schedule`], [`closing`] |
//! | making a failing trace small | [`shrink`], [`minimal`] |
//!
//! All of them stand at the root but for two vocabularies: [`semantics`] is the meaning of a lookup as values, the strict
//! preset and those of real routers, and [`universe`] holds the constants that traces are drawn from.

mod alphabet;
mod asking;
mod cause;
mod choices;
mod closing;
mod coverage;
mod evidence;
mod exhaust;
mod failure;
mod found;
mod generate;
mod hunt;
mod kept;
mod pattern;
mod raised;
mod reach;
mod rules;
mod schedule;
mod search;
pub mod semantics;
mod shapes;
mod shrink;
mod spec;
mod sweep;
mod trial;
pub mod universe;

pub use alphabet::{alphabet, matrix};
pub use asking::Cadence;
pub use cause::{
    Cause, CauseKey, Diagnosis, Harm, HarmKind, Lasts, Left, Member, Race, Remains, RowChange, Schedule, Told, Until,
    Wrong, diagnose, group, lasts,
};
pub use choices::{Choices, Seeded};
pub use closing::{Pending, closed_run, closing, fleet_run};
pub use coverage::{CONSTRUCTION, Coverage, LookedUp, Met, Tried};
pub use evidence::fleet::{History, Operation};
pub use evidence::{Beside, Fresh, applied_table, note_arrivals, rows_in_order};
pub use exhaust::{ExhaustLimits, explore, explore_observed};
pub use failure::{
    Allowed, Failure, Finding, FindingKind, Got, Origin, Signature, Size, Tier, Version, finding_place, finding_words,
};
pub use found::Found;
pub use generate::{Generator, Swarm, drawn_run, generate, router_changes, router_questions, viewers};
pub use hunt::{Ended, GoOn, Hunt, Interrupted, Limit, Pace, Work, to_the_end};
pub use kept::{Expected, ExpectedCandidate, KeptSpec, KeyedRow};
pub use pattern::{Patterns, is_pattern, pattern_rank};
pub use raised::raised_queries;
pub use reach::{ASKED_ANEW, Held, Reach};
pub use rules::catalogue::Effect;
pub use rules::{Oracle, RULES, Rule, RuleId, RuleSet, Tally, Unjudged, add_premises, left_to_router, unjudged};
pub use schedule::{closed_schedule, schedule};
pub use search::{Draws, SWEEP, SearchSettings, draw_run, search};
pub use semantics::UnknownPreset;
pub use shapes::fleet_sweep;
pub use shrink::{Shrunk, about, minimal, run_asking, shrink, shrink_failure};
pub use spec::{Spec, Table, is_visible};
pub use sweep::{Swept, sweep};
pub use trial::{Judge, Tracked, trial};
