//! The kill table: every planted fault must be found by every engine, and no fault where there is none.

mod engines;
mod fuzzed;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use adapter_faulty::{FAULTS, Fault, NO_FAULT};

pub use engines::KILL_SEEDS;
pub(crate) use fuzzed::Fuzzed;

use crate::document::{Engine, FaultReport, FaultsReport, Killed};
use crate::error::Error;

/// Puts every planted fault on trial; `fuzzed` is what the fuzzer came to, if it is to have a column.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn table(fuzzed: Option<&Fuzzed>, progress: &mut dyn FnMut(&str)) -> Result<FaultsReport, Error> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut rows = thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(fault) = FAULTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver is gone only where an error has ended the table.
                    if sender.send(row(fault, fuzzed)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut rows = Vec::with_capacity(FAULTS.len());
        for row in receiver {
            let row = row?;
            progress(&format!("{} of {}: {}", rows.len() + 1, FAULTS.len(), row.fault));
            rows.push(row);
        }
        Ok::<_, Error>(rows)
    })?;
    let place = |row: &FaultReport| FAULTS.iter().position(|fault| fault.name == row.fault);
    rows.sort_by_key(place);
    progress("the router without a fault");
    let alarms = [
        engines::random_of_seed(&NO_FAULT, 0, engines::SOUND_TRACES_MAX)?,
        engines::property_of_seed(&NO_FAULT, 0, engines::SOUND_TRACES_MAX)?,
        engines::exhaustive(&NO_FAULT)?,
    ];
    Ok(FaultsReport {
        seeds: KILL_SEEDS,
        universes: kill_universes(),
        faults: rows,
        alarms: alarms.into_iter().flatten().collect(),
    })
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
    let killed = engines.into_iter().map(|(engine, kill)| Killed { engine, kill });
    Ok(FaultReport {
        fault: fault.name.to_owned(),
        sentence: fault.sentence.to_owned(),
        source: fault.source.to_owned(),
        engines: killed.collect(),
    })
}
