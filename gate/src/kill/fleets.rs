//! The engines of fleets, each as far as the first failure of one fault.

use adapter_faulty::FleetFault;
use fleet::strategies::{CANARIES, STRATEGIES};
use fleet::{QUERIES, Shape, TABLE_REPLICAS, book_tables, counterexamples, trace};
use model::universe::{FLEET_UNIVERSES, Scope};
use model::{Draws, Pending, SearchSettings, Swept, closed_run, fleet_sweep};
use protocol::{Capability, Level, RouterUnderTest, Run};

use super::engines::{first_small, median};
use crate::document::Kill;
use crate::error::Error;

/// The most replicas of a drawn schedule.
const REPLICAS_MAX: u8 = 3;
/// The most random schedules a seed.
const SCHEDULES_MAX: u32 = 2_000;
/// The most random schedules on the fleet without a fault.
pub(super) const SOUND_SCHEDULES_MAX: u32 = 1_000;

/// The schedules that are swept.
pub(super) fn swept(fault: &FleetFault) -> Result<Option<Kill>, Error> {
    let fleet = fault.fleet();
    let sweep = fleet_sweep(&scopes(fleet.as_ref())[0], &[]);
    first(fault, 0, sweep, 0)
}

/// Random schedules, over all seeds.
pub(super) fn drawn(fault: &FleetFault) -> Result<Option<Kill>, Error> {
    median(|seed| drawn_of_seed(fault, seed, SCHEDULES_MAX))
}

/// Random schedules.
pub(super) fn drawn_of_seed(fault: &FleetFault, seed: u32, schedules_max: u32) -> Result<Option<Kill>, Error> {
    first(fault, seed, Vec::new(), schedules_max)
}

/// The schedules of the model.
pub(super) fn of_model(fault: &FleetFault, modelled: &[Run]) -> Result<Option<Kill>, Error> {
    let swept = |run: &Run| Swept {
        run: run.clone(),
        is_small: false,
    };
    first(fault, 0, modelled.iter().map(swept).collect(), 0)
}

/// The counterexamples that the model has, shortest first: of each strategy in the small fleets of the book, and of the reference
/// with one choice turned in that of one row.
pub(super) fn modelled() -> Result<Vec<Run>, Error> {
    let tables = book_tables();
    let strategies = STRATEGIES.into_iter().map(|strategy| (strategy, &tables[..]));
    let canaries = CANARIES.into_iter().map(|(_, canary)| (canary, &tables[..1]));
    let mut runs: Vec<Run> = Vec::new();
    for (strategy, tables) in strategies.chain(canaries) {
        for bounds in tables {
            for (_, actions) in counterexamples(strategy, bounds)? {
                let (path, _) = trace::path(&actions, TABLE_REPLICAS, Shape::Exact);
                let queries = QUERIES.map(trace::question).to_vec();
                let run = closed_run(&path, queries, Pending::Dropped, &Capability::OF_FLEETS);
                if !runs.contains(&run) {
                    runs.push(run);
                }
            }
        }
    }
    runs.sort_by_key(|run| run.trace.steps.len());
    Ok(runs)
}

fn scopes(fleet: &dyn RouterUnderTest) -> Vec<Scope> {
    let scopes = FLEET_UNIVERSES.map(|universe| Scope::new(universe, fleet.hello()));
    scopes.to_vec()
}

/// The first failure that is made small, of those schedules and then of so many random ones.
fn first(fault: &FleetFault, seed: u32, sweep: Vec<Swept>, schedules_max: u32) -> Result<Option<Kill>, Error> {
    let mut fleet = fault.fleet();
    let settings = SearchSettings {
        seed,
        sweep,
        scopes: scopes(fleet.as_ref()),
        draws: Draws::Schedules(REPLICAS_MAX),
        traces_max: schedules_max,
        batch: 1,
    };
    first_small(fleet.as_mut(), Level::Fleet, &settings)
}
