//! The kill tables, of routers and of fleets: every planted fault must be found, and no fault where there is none.

mod engines;
mod fleets;
mod fuzzed;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use adapter_faulty::{FAULTS, FLEET_FAULTS, Fault, FleetFault, NO_FAULT, NO_FLEET_FAULT};
use protocol::Level;

pub use engines::KILL_SEEDS;
pub(crate) use fuzzed::Fuzzed;

use crate::document::{Engine, FaultReport, FaultsReport, Kill, Killed};
use crate::error::Error;

/// Puts every planted fault of a router on trial; `fuzzed` is what the fuzzer came to, if it is to have a column.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn table(fuzzed: Option<&Fuzzed>, progress: &mut dyn FnMut(&str)) -> Result<FaultsReport, Error> {
    let faults = rows(FAULTS, |fault| row(fault, fuzzed), progress)?;
    progress("the router without a fault");
    let alarms = [
        engines::random_of_seed(&NO_FAULT, 0, engines::SOUND_TRACES_MAX)?,
        engines::property_of_seed(&NO_FAULT, 0, engines::SOUND_TRACES_MAX)?,
        engines::exhaustive(&NO_FAULT)?,
    ];
    Ok(FaultsReport {
        level: Level::Router,
        seeds: KILL_SEEDS,
        universes: kill_universes(),
        faults,
        alarms: alarms.into_iter().flatten().collect(),
    })
}

/// Puts every planted fault of a fleet on trial.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn fleet_table(progress: &mut dyn FnMut(&str)) -> Result<FaultsReport, Error> {
    progress("exploring the model");
    let modelled = fleets::modelled()?;
    let row = |fault: &'static FleetFault| {
        let engines = [
            (Engine::Sweep, fleets::swept(fault)?),
            (Engine::Random, fleets::drawn(fault)?),
            (Engine::Model, fleets::of_model(fault, &modelled)?),
        ];
        Ok(report([fault.name, fault.sentence, fault.source], engines))
    };
    let faults = rows(&FLEET_FAULTS, row, progress)?;
    progress("the fleet without a fault");
    let alarms = [
        fleets::swept(&NO_FLEET_FAULT)?,
        fleets::drawn_of_seed(&NO_FLEET_FAULT, 0, fleets::SOUND_SCHEDULES_MAX)?,
        fleets::of_model(&NO_FLEET_FAULT, &modelled)?,
    ];
    Ok(FaultsReport {
        level: Level::Fleet,
        seeds: KILL_SEEDS,
        universes: Vec::new(),
        faults,
        alarms: alarms.into_iter().flatten().collect(),
    })
}

/// The rows of a table, in the order of the faults; all processors share them.
fn rows<F: Sync>(
    faults: &'static [F],
    row: impl Fn(&'static F) -> Result<FaultReport, Error> + Sync,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<FaultReport>, Error> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut rows = thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers {
            let (sender, next, row) = (sender.clone(), &next, &row);
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(fault) = faults.get(place) else { break };
                    // The receiver is gone only where an error has ended the table.
                    if sender.send((place, row(fault))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut rows = Vec::with_capacity(faults.len());
        for (place, row) in receiver {
            let row = row?;
            progress(&format!("{} of {}: {}", rows.len() + 1, faults.len(), row.fault));
            rows.push((place, row));
        }
        Ok::<_, Error>(rows)
    })?;
    rows.sort_by_key(|(place, _)| *place);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// The names of the universes of the exhaustive engine, in order.
pub fn kill_universes() -> Vec<String> {
    engines::universes()
        .map(|(universe, _)| universe.name.to_owned())
        .collect()
}

fn row(fault: &'static Fault, fuzzed: Option<&Fuzzed>) -> Result<FaultReport, Error> {
    let mut engines = vec![
        (Engine::Random, engines::random(fault)?),
        (Engine::Property, engines::property(fault)?),
        (Engine::Exhaustive, engines::exhaustive(fault)?),
    ];
    // A fault that is younger than the file was not measured: that it survives is for `fuzz/kill` to say.
    if let Some(kill) = fuzzed.and_then(|fuzzed| fuzzed.of(fault)) {
        engines.push((Engine::Fuzzer, Some(kill.clone())));
    }
    Ok(report([fault.name, fault.sentence, fault.source], engines))
}

/// The report on a fault, by its name, sentence and source.
fn report(fault: [&str; 3], engines: impl IntoIterator<Item = (Engine, Option<Kill>)>) -> FaultReport {
    let [fault, sentence, source] = fault.map(str::to_owned);
    let killed = engines.into_iter().map(|(engine, kill)| Killed { engine, kill });
    FaultReport {
        fault,
        sentence,
        source,
        engines: killed.collect(),
    }
}
