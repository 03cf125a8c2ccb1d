//! `routeproof explore --table`: every strategy, and every upgrade half rolled out, by every rule.

use std::sync::Arc;

use fleet::strategies::{LITELLM_1_85, LITELLM_1_109, REFERENCE, STRATEGIES, Strategy};
use fleet::{Action, Fleet, Shape, Violation};
use model::RuleId;

use super::explored;
use crate::cli::ExploreArgs;
use crate::document::FleetReport;
use crate::error::Error;
use crate::output::progress;

/// Upgrades half rolled out: one replica has the new strategy already.
const UPGRADES: [(Strategy, Strategy); 3] = [
    (LITELLM_1_85, LITELLM_1_109),
    (LITELLM_1_85, REFERENCE),
    (LITELLM_1_109, REFERENCE),
];

/// A column of the table.
pub(super) struct Column {
    /// The exploration.
    pub report: FleetReport,
    /// The strategy of all replicas; none of an upgrade half rolled out.
    pub strategy: Option<&'static str>,
    /// The number of replicas.
    pub replicas: u8,
    /// A shortest way to each rule that is broken.
    pub counterexamples: Vec<Path>,
    /// The shape that an update gives to an invalid row.
    pub mended: Shape,
}

/// A way to a broken rule.
pub(super) struct Path {
    pub rule: RuleId,
    pub actions: Vec<Action>,
}

/// Explores each fleet.
///
/// # Errors
///
/// If a search cannot be carried out.
pub(super) fn columns(args: &ExploreArgs) -> Result<Vec<Column>, Error> {
    let replicas = usize::from(args.replicas.unwrap_or(2));
    let alone = STRATEGIES.into_iter().map(|strategy| {
        let name = strategy.name.to_owned();
        (name, Some(strategy.name), vec![strategy; replicas])
    });
    let upgrades = UPGRADES.into_iter().map(|(from, to)| {
        let mut fleet = vec![from; replicas];
        fleet[0] = to;
        (format!("{} to {}", from.name, to.name), None, fleet)
    });
    let explored = alone.chain(upgrades).map(|(name, strategy, strategies)| {
        progress(&format!("exploring {name}"));
        let mut column = column(args, strategies)?;
        column.report.name = Some(name);
        column.strategy = strategy;
        Ok(column)
    });
    explored.collect()
}

fn column(args: &ExploreArgs, strategies: Vec<Strategy>) -> Result<Column, Error> {
    // Some actions can happen in one fleet and not in another: each gets those that apply to it.
    let bounds = args.bounds(strategies)?.possible();
    let mended = bounds.shapes[0];
    let replicas = u8::try_from(bounds.strategies.len()).expect("bounds have few replicas");
    let fleet = Fleet::new(bounds).map_err(|why| Error::Usage(why.to_string()))?;
    let (report, violations) = explored(args, &fleet, Arc::new(|_| {}))?;
    let path = |violation: Violation<_>| Path {
        rule: violation.rule,
        actions: violation.path.into_iter().map(|(action, _)| action).collect(),
    };
    Ok(Column {
        report,
        strategy: None,
        replicas,
        counterexamples: violations.into_iter().map(path).collect(),
        mended,
    })
}
