//! The traces of causes, carried out on the releases that have not found them by themselves.

use std::time::Duration;

use model::{Diagnosis, Judge, RuleSet};
use protocol::{AdapterFault, Hello, RouterUnderTest};

use super::kept::{Replayed, Replays};
use super::lines::Witness;
use crate::adapter::{AdapterSettings, open};
use crate::clock::Clock;
use crate::commands::replay::{KeptTrace, diagnosed, shows_nothing};
use crate::commands::run::{Options, REPLAYS_MAX};
use crate::error::Error;
use crate::guard::stopped;

/// The time that the traces of other releases may take on one release.
const REPLAYS_TIME_MAX: Duration = Duration::from_mins(5);
/// The most times that the adapter of a release is started for them: a trace may bring it down.
const STARTS_MAX: usize = 4;

/// The reason why a trace was not carried out that the matrix did not come to.
pub(super) const NOT_REACHED: &str = "the matrix ended before it came to that";

/// Carries out each trace of which `replays` does not know yet what becomes of it, and adds what became of it. Returns the
/// reason why some are left, if any are.
///
/// # Errors
///
/// A usage error.
pub(super) fn carry_out(
    wanted: &[Witness],
    options: &Options,
    settings: &AdapterSettings,
    replays: &mut Replays,
    progress: &dyn Fn(&str),
) -> Result<Option<String>, Error> {
    let clock = Clock::start();
    let mut left: Vec<&Witness> = wanted.iter().filter(|one| !replays.contains_key(&one.name)).collect();
    if !left.is_empty() && stopped().is_none() {
        let plural = if left.len() == 1 { "" } else { "s" };
        progress(&format!("carrying out {} trace{plural} of other releases", left.len()));
    }
    let mut why = None;
    for _ in 0..STARTS_MAX {
        if left.is_empty() {
            return Ok(None);
        }
        let before = left.len();
        let ended = on_one_start(&left, options, settings, replays, clock);
        left.retain(|one| !replays.contains_key(&one.name));
        why = match ended {
            _ if left.is_empty() => return Ok(None),
            _ if stopped().is_some() => return Ok(Some(NOT_REACHED.to_owned())),
            Ok(()) => return Ok(Some("there was no time left to carry it out".to_owned())),
            Err(Error::Usage(what)) => return Err(Error::Usage(what)),
            Err(error) => Some(error.to_string()),
        };
        if left.len() == before {
            break;
        }
    }
    Ok(why)
}

/// Carries out traces until one brings the adapter down, which is then said of that trace.
fn on_one_start(
    wanted: &[&Witness],
    options: &Options,
    settings: &AdapterSettings,
    replays: &mut Replays,
    clock: Clock,
) -> Result<(), Error> {
    let mut router = open(&options.spec, options.level, settings, &|_| ())?;
    let hello = router.hello().clone();
    let judge = Judge::new(&hello, RuleSet::of(options.level))?;
    for witness in wanted {
        if clock.elapsed() >= REPLAYS_TIME_MAX || stopped().is_some() {
            return Ok(());
        }
        match replayed(&witness.kept, &hello, &judge, router.as_mut()) {
            Ok(replayed) => drop(replays.insert(witness.name.clone(), replayed)),
            Err(fault) => {
                if stopped().is_none() {
                    let why = format!("the adapter failed while it was carried out: {fault}");
                    replays.insert(witness.name.clone(), Replayed::Failed(why));
                }
                return Err(fault.into());
            }
        }
    }
    Ok(())
}

fn replayed(
    kept: &KeptTrace,
    hello: &Hello,
    judge: &Judge,
    router: &mut dyn RouterUnderTest,
) -> Result<Replayed, AdapterFault> {
    if let Some(why) = shows_nothing(kept, hello) {
        return Ok(Replayed::Unfit(why));
    }
    for _ in 0..REPLAYS_MAX {
        if let Some(Diagnosis { key, also, .. }) = diagnosed(kept, judge, router)? {
            return Ok(Replayed::Breaks {
                key: Box::new(key),
                also: also.map(Box::new),
            });
        }
    }
    Ok(Replayed::Holds)
}
