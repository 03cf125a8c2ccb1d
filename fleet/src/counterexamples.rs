//! The counterexamples of strategies within the bounds of the book's tables of two replicas, as actions that a real fleet can
//! be asked to follow.

use std::sync::Arc;

use model::RuleId;

use crate::actions::{Action, Kind, Shape};
use crate::bounds::Bounds;
use crate::fair::{Fairness, STATES_MAX, converges};
use crate::packed::Fleet;
use crate::search::{Ended, ExploreError, ExploreOptions, explore};
use crate::strategies::Strategy;

/// The number of replicas of these tables.
pub const TABLE_REPLICAS: u8 = 2;

/// The bounds of the book's tables of two replicas, without strategies: everything that can happen to one row, polls alone, and
/// two rows. Two versions of each row.
pub fn book_tables() -> [Bounds; 3] {
    use Kind::{
        Apply, Block, Break, Crash, Create, Delete, Deliver, Drop, EmptyPoll, FailedPoll, Miss, Read, Rename, Request,
        StaleRead, Start, Update,
    };
    let bounds = |rows, kinds: &[Kind], shapes: &[Shape], admin| Bounds {
        rows,
        versions: 2,
        strategies: Vec::new(),
        kinds: kinds.to_vec(),
        shapes: shapes.to_vec(),
        admin,
    };
    let all = [
        Create, Update, Delete, Rename, Block, Break, Read, StaleRead, Apply, FailedPoll, EmptyPoll, Request, Deliver,
        Drop, Miss, Crash, Start,
    ];
    let polls = [Create, Update, Delete, Rename, Read, Apply, Request, Crash, Start];
    let rows = [Create, Update, Delete, Read, Apply];
    [
        bounds(1, &all, &Shape::ALL, true),
        bounds(1, &polls, &[Shape::Exact, Shape::Wild], false),
        bounds(2, &rows, &[Shape::Exact, Shape::Wild], false),
    ]
}

/// Returns a shortest counterexample of each rule that replicas of that strategy break within these bounds, `converges` last.
///
/// # Errors
///
/// If the search cannot be carried out. It sees every state: the bounds of the book are small.
pub fn counterexamples(strategy: Strategy, bounds: &Bounds) -> Result<Vec<(RuleId, Vec<Action>)>, ExploreError> {
    let bounds = Bounds {
        strategies: vec![strategy; usize::from(TABLE_REPLICAS)],
        ..bounds.clone()
    };
    let fleet = Fleet::new(bounds.possible()).expect("bounds of the book");
    let report = explore(&fleet, &ExploreOptions::default(), Arc::new(|_| {}))?;
    assert_eq!(report.ended, Ended::Exhausted, "nothing cuts it");
    let stuck = converges(&fleet, Fairness::Weak, STATES_MAX)
        .expect("it is small")
        .stuck;
    let stuck = stuck.map(|stuck| (RuleId::Converges, stuck.path));
    let found = report.violations.into_iter().map(|found| (found.rule, found.path));
    let actions = |path: Vec<(Action, _)>| path.into_iter().map(|(action, _)| action).collect();
    Ok(found.chain(stuck).map(|(rule, path)| (rule, actions(path))).collect())
}
