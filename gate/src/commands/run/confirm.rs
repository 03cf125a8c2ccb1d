//! No finding without a replay: each failure is carried out again from the text of its file before it is told.

use std::time::Duration;

use model::{Failure, Judge};
use protocol::{AdapterFault, RouterUnderTest, TraceFile};

use super::Options;
use crate::clock::Clock;
use crate::commands::replay::{KeptTrace, judged};
use crate::document::{Confirmation, FailureReport};
use crate::guard::stopped;

/// The most times that a failure is carried out again.
pub(crate) const REPLAYS_MAX: u32 = 5;
/// The least time for replays, beyond the budget.
const EVIDENCE_MIN: Duration = Duration::from_secs(10);

/// Carries out each failure again until it shows, as long as there is time: a fifth of the budget, or 10 s if that is more.
///
/// # Errors
///
/// A fault of the router under test: the failures that were not come to by then are as they were.
pub(super) fn confirm(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    failures: &mut [(Failure, FailureReport)],
    clock: Clock,
    options: &Options,
) -> Result<(), AdapterFault> {
    let share = options.budget.unwrap_or_default() / 5;
    let until = clock.elapsed() + share.max(EVIDENCE_MIN);
    for (_, failure) in failures {
        if clock.elapsed() >= until || stopped().is_some() {
            return Ok(());
        }
        failure.confirmation = Some(replayed(router, judge, failure)?);
    }
    Ok(())
}

/// The number of replays of a failure that showed it: of one if the first does, else of all.
fn replayed(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    failure: &FailureReport,
) -> Result<Confirmation, AdapterFault> {
    let rule = failure.finding.rule;
    let judge = judge.of_rule(rule);
    let mut confirmation = Confirmation { shown: 0, replays: 0 };
    let Ok(file) = TraceFile::parse(&failure.trace.to_toml()) else {
        return Ok(confirmation);
    };
    let kept = KeptTrace { file, rule: Some(rule) };
    while confirmation.replays < REPLAYS_MAX {
        let tally = judged(&kept, &judge, router)?;
        confirmation.replays += 1;
        confirmation.shown += u32::from(!tally.findings.is_empty());
        if confirmation == (Confirmation { shown: 1, replays: 1 }) {
            break;
        }
    }
    Ok(confirmation)
}
