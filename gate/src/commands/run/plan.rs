//! The plan of a search: what is swept first, and what is drawn from then on.

use model::universe::{FLEET_UNIVERSES, Scope, TINY, UNIVERSES, Universe};
use model::{Cadence, Draws, SearchSettings, fleet_sweep, sweep};
use protocol::{Hello, Level};

use super::Options;
use crate::known::known;

/// The number of traces in one message.
const BATCH: u32 = 32;
/// The most lookups of a round of questions that a slow fleet is asked: each replica is asked after each step.
const SLOW_QUERIES_MAX: usize = 4;

/// The search of a router, or of a fleet, that can be asked so often.
pub(super) fn settings(options: &Options, hello: &Hello, cadence: Cadence) -> SearchSettings {
    let (scopes, sweep, draws) = match options.level {
        Level::Router => (
            UNIVERSES.iter().map(|universe| Scope::new(universe, hello)).collect(),
            sweep(&Scope::new(&TINY, hello), &known(hello)),
            Draws::Changes(cadence),
        ),
        Level::Fleet => {
            let scopes = FLEET_UNIVERSES.map(|universe| Scope::new(&asked_less(universe, cadence), hello));
            let sweep = fleet_sweep(&scopes[0], &known(hello));
            let most = hello.dialect.replicas.unwrap_or(options.replicas_max);
            (scopes.to_vec(), sweep, Draws::Schedules(most.min(options.replicas_max)))
        }
    };
    SearchSettings {
        seed: options.seed,
        sweep,
        scopes,
        draws,
        traces_max: options.traces_max,
        batch: BATCH,
    }
}

/// The universe of schedules as a fleet of that speed is asked: the slower it is, the fewer its lookups.
fn asked_less(universe: &Universe, cadence: Cadence) -> Universe {
    match cadence {
        Cadence::Drawn => *universe,
        Cadence::AtTheEnd => Universe {
            queries_max: SLOW_QUERIES_MAX,
            ..*universe
        },
    }
}
