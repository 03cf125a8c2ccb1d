//! Judges whether an answer was allowed: the abstract specification, the rules, and the engines that look for a trace
//! after which one of them is broken.
//!
//! Naive on purpose: ordered maps, clones, the `regex` crate. No code is shared with a router that is judged here, so
//! that one mistake cannot hide in both.
//!
//! | module | what it holds |
//! |---|---|
//! | [`semantics`] | what a lookup means, as values: the strict preset and those of real routers |
//! | [`spec`], [`pattern`] | the abstract state and what each change and lookup means |
//! | [`evidence`] | moments and transitions, and the history of a fleet: what the rules are given to judge |
//! | [`rules`] | each rule: id, sentence, premise, predicate |
//! | [`failure`] | one broken rule as data |
//! | [`cause`] | failures that one fault explains |
//! | [`hunt`] | what any engine returns |
//! | [`trial`](mod@trial) | drives runs through a router and judges every observation |
//! | [`universe`], [`generate`](mod@generate), [`asking`], [`search`](mod@search) | the random engine |
//! | [`sweep`](mod@sweep), [`coverage`] | the short traces that come first, and what was tried |
//! | [`alphabet`](mod@alphabet), [`exhaust`] | the exhaustive engine |
//! | [`closing`](mod@closing), [`schedule`](mod@schedule) | schedules of a fleet, and the closing by which they are judged |
//! | [`shrink`](mod@shrink) | makes a failing trace small |

pub mod alphabet;
pub mod asking;
pub mod cause;
pub mod closing;
pub mod coverage;
pub mod evidence;
pub mod exhaust;
pub mod failure;
pub mod generate;
pub mod hunt;
pub mod pattern;
pub mod rules;
pub mod schedule;
pub mod search;
pub mod semantics;
pub mod shrink;
pub mod spec;
pub mod sweep;
pub mod trial;
pub mod universe;
