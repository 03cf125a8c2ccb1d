//! `routeproof explore --table`: every strategy, and every upgrade half rolled out, by every rule.

use std::sync::Arc;

use fleet::Fleet;
use fleet::strategies::{LITELLM_1_85, LITELLM_1_109, REFERENCE, STRATEGIES, Strategy};

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

/// Explores each fleet.
///
/// # Errors
///
/// If a search cannot be carried out.
pub(super) fn fleets(args: &ExploreArgs) -> Result<Vec<FleetReport>, Error> {
    let replicas = usize::from(args.replicas.unwrap_or(2));
    let alone = STRATEGIES
        .into_iter()
        .map(|strategy| (strategy.name.to_owned(), vec![strategy; replicas]));
    let upgrades = UPGRADES.into_iter().map(|(from, to)| {
        let mut fleet = vec![from; replicas];
        fleet[0] = to;
        (format!("{} to {}", from.name, to.name), fleet)
    });
    let explored = alone.chain(upgrades).map(|(name, strategies)| {
        progress(&format!("exploring {name}"));
        let mut told = fleet(args, strategies)?;
        told.name = Some(name);
        Ok(told)
    });
    explored.collect()
}

fn fleet(args: &ExploreArgs, strategies: Vec<Strategy>) -> Result<FleetReport, Error> {
    // Some actions can happen in one fleet and not in another: each gets those that apply to it.
    let bounds = args.bounds(strategies)?.possible();
    let fleet = Fleet::new(bounds).map_err(|why| Error::Usage(why.to_string()))?;
    let (told, _) = explored(args, &fleet, Arc::new(|_| {}))?;
    Ok(told)
}
