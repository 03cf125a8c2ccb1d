//! The engines, each as far as the first failure of one fault.

use std::ops::ControlFlow;

use adapter_faulty::Fault;
use model::universe::{CLOSABLE, NARROW, Scope, UNIVERSES, Universe};
use model::{Cadence, Draws, ExhaustLimits, Failure, Judge, RuleSet, SearchSettings, search, shrink_failure};
use protocol::{Hello, Level, RouterUnderTest};

use crate::adapter::spec::Spec;
use crate::document::Kill;
use crate::error::Error;
use crate::explore::explore_any;
use crate::property::{self, Runs};

/// The number of seeds that a median is taken of.
pub const KILL_SEEDS: u32 = 3;
/// The most random traces a seed.
const TRACES_MAX: u32 = 4_000;
/// The most random traces a seed on the router without a fault.
pub(super) const SOUND_TRACES_MAX: u32 = 400;
/// The most states an exploration.
const STATES_MAX: usize = 60_000;

/// The median kill over all seeds, and the fewest steps that any of them shrank to; nothing where one did not find it.
pub(super) fn median(of_seed: impl Fn(u32) -> Result<Option<Kill>, Error>) -> Result<Option<Kill>, Error> {
    let mut kills = Vec::new();
    for seed in 0..KILL_SEEDS {
        match of_seed(seed)? {
            Some(kill) => kills.push(kill),
            None => return Ok(None),
        }
    }
    kills.sort_by_key(|kill| kill.changes);
    let steps = kills.iter().map(|kill| kill.steps).min().unwrap_or_default();
    let median = kills.swap_remove(kills.len() / 2);
    Ok(Some(Kill { steps, ..median }))
}

fn scopes(hello: &Hello) -> Vec<Scope> {
    UNIVERSES.iter().map(|universe| Scope::new(universe, hello)).collect()
}

/// The random engine, over all seeds.
pub(super) fn random(fault: &'static Fault) -> Result<Option<Kill>, Error> {
    median(|seed| random_of_seed(fault, seed, TRACES_MAX))
}

/// The property tester, over all seeds.
pub(super) fn property(fault: &'static Fault) -> Result<Option<Kill>, Error> {
    median(|seed| property_of_seed(fault, seed, TRACES_MAX))
}

/// The random engine.
pub(super) fn random_of_seed(fault: &'static Fault, seed: u32, traces_max: u32) -> Result<Option<Kill>, Error> {
    let mut router = fault.router();
    let settings = SearchSettings {
        seed,
        sweep: Vec::new(),
        scopes: scopes(router.hello()),
        draws: Draws::Changes(Cadence::Drawn),
        traces_max,
        batch: 1,
    };
    first_small(router.as_mut(), Level::Router, &settings)
}

/// Searches as far as the first failure that is made small; of several at once the smallest counts.
pub(super) fn first_small(
    router: &mut dyn RouterUnderTest,
    level: Level,
    settings: &SearchSettings,
) -> Result<Option<Kill>, Error> {
    let judge = Judge::new(router.hello(), RuleSet::of(level))?;
    let hunt = search(router, &judge, settings, &mut |so_far| {
        if so_far.failures.values().any(|failure| failure.shrunk) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(u32::MAX)
        }
    })?;
    let shrunk = hunt.failures.values().filter(|failure| failure.shrunk);
    Ok(smallest(shrunk, hunt.work.changes))
}

/// The smallest of these failures as a kill after so many changes.
fn smallest<'f>(failures: impl Iterator<Item = &'f Failure>, changes: u64) -> Option<Kill> {
    let smallest = failures.min_by_key(|failure| failure.run.trace.size())?;
    Some(Kill {
        changes,
        steps: smallest.run.trace.size(),
        rule: smallest.finding.rule,
    })
}

/// The property tester.
pub(super) fn property_of_seed(fault: &'static Fault, seed: u32, cases: u32) -> Result<Option<Kill>, Error> {
    let mut router = fault.router();
    let judge = Judge::new(router.hello(), RuleSet::of(Level::Router))?;
    let runs = Runs(scopes(router.hello()));
    let broken = property::check_property(router.as_mut(), &judge, &runs, seed, cases)?;
    Ok(broken.and_then(|broken| {
        Some(Kill {
            changes: broken.changes,
            steps: broken.shrunk?.run.trace.size(),
            rule: broken.finding.rule,
        })
    }))
}

/// The universes of the exhaustive engine, in order, each with whether single lookups are made in it: in a narrow one, since
/// in the others the states would be many times as many.
pub(super) fn universes() -> impl Iterator<Item = (&'static Universe, bool)> {
    let others = CLOSABLE.into_iter().map(|universe| (universe, false));
    std::iter::once((&NARROW, true)).chain(others)
}

/// The exhaustive engine: in the first universe that shows the fault.
pub(super) fn exhaustive(fault: &'static Fault) -> Result<Option<Kill>, Error> {
    let mut changes = 0;
    let spec = Spec::Faulty(fault.name.to_owned());
    let mut router = fault.router();
    let judge = Judge::new(router.hello(), RuleSet::of(Level::Router))?;
    for (universe, single_lookups) in universes() {
        let limits = ExhaustLimits {
            states_max: STATES_MAX,
            first_failure: true,
            single_lookups,
        };
        let scope = Scope::new(universe, router.hello());
        let go_on = &mut |_: &_| ControlFlow::Continue(u32::MAX);
        let explored = explore_any(&spec, router.as_mut(), &judge, &scope, limits, go_on)?;
        changes += explored.work.changes;
        // What was asked on the way is a step too, where it matters.
        let shrunk = explored.failures.values();
        let shrunk = shrunk.map(|failure| shrink_failure(router.as_mut(), &judge, failure, &mut || true));
        let shrunk = shrunk.collect::<Result<Vec<_>, _>>()?;
        let kill = smallest(shrunk.iter().flatten(), changes);
        if kill.is_some() {
            return Ok(kill);
        }
    }
    Ok(None)
}
