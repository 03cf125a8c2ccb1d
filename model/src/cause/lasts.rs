//! The time that a failure lasts once nothing happens any more.

use protocol::{AdapterFault, Capability, Level, RouterUnderTest, Step, World};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FindingKind};
use crate::rules::RuleId;
use crate::shrink::run_asking;
use crate::trial::{Judge, trial};

/// The parts of the whole wait that are tried, shortest first, where a failure is gone after the whole.
const PARTS: [u32; 3] = [8, 4, 2];

/// The time that a failure lasts once nothing happens any more, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lasts {
    /// The failure was still there after so long.
    StillAfter(u32),
    /// The failure was gone after so long.
    HealedWithin(u32),
}

/// Asks the question of a failure again after `wait` milliseconds. Nothing for a router that cannot wait, and for a failure
/// that is a matter of two moments.
///
/// # Errors
///
/// Those of the router under test.
pub fn lasts(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    failure: &Failure,
    wait: u32,
) -> Result<Option<Lasts>, AdapterFault> {
    let is_of_moments = failure.finding.rule == RuleId::AtomicRefusal || failure.finding.question.is_none();
    let can_wait = router.hello().can(Capability::Wait) && failure.run.trace.level == Level::Router;
    if is_of_moments || !can_wait || wait == 0 {
        return Ok(None);
    }
    let judge = &judge.of_rule(failure.finding.rule);
    if shows_after(router, judge, failure, wait)? {
        return Ok(Some(Lasts::StillAfter(wait)));
    }
    for part in PARTS.map(|part| wait / part) {
        if !shows_after(router, judge, failure, part)? {
            return Ok(Some(Lasts::HealedWithin(part)));
        }
    }
    Ok(Some(Lasts::HealedWithin(wait)))
}

/// Returns whether a failure is there after so many milliseconds.
fn shows_after(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    failure: &Failure,
    wait: u32,
) -> Result<bool, AdapterFault> {
    let mut trace = failure.run.trace.clone();
    trace.steps.push(Step::World(World::Wait(wait)));
    let end = trace.steps.len();
    let run = run_asking(trace, failure.run.questions.asked.clone(), false);
    let judged = trial(router, judge, std::slice::from_ref(&run))?;
    let kind = FindingKind::of(&failure.finding);
    let mut findings = judged.iter().flat_map(|judged| &judged.tally.findings);
    Ok(findings.any(|finding| finding.after == end && FindingKind::of(finding) == kind))
}
