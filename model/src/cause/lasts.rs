//! The time that a failure lasts once nothing happens any more.

use std::collections::BTreeSet;

use protocol::{
    AdapterFault, Answer, Candidate, Capability, Level, Op, Question, RouterUnderTest, Row, Shown, Step, StepReply,
    StoreView, World,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedule::left;
use super::{Left, Until};
use crate::closing::fleet_run;
use crate::failure::{Failure, FindingKind, Got};
use crate::rules::RuleId;
use crate::shrink::run_asking;
use crate::trial::{Judge, trial};

/// The parts of the whole wait that are tried, shortest first, where a failure is gone after the whole.
const PARTS: [u32; 3] = [8, 4, 2];

/// The most polls of a replica after which a failure of a fleet is looked for again.
const POLLS_MAX: u8 = 3;

/// The time that a failure lasts once nothing happens any more: of one router in milliseconds, of a fleet in polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lasts {
    /// The failure was still there after so long.
    StillAfter(u32),
    /// The failure was gone after so long.
    HealedWithin(u32),
    /// The failure was gone after so many polls of that replica.
    UntilPoll(u8),
    /// The failure was still there after so many polls of that replica.
    ApartAfter(u8),
}

impl Lasts {
    /// Whether polls end it; nothing of one router.
    pub(super) fn until(self) -> Option<Until> {
        match self {
            Self::UntilPoll(_) => Some(Until::Poll),
            Self::ApartAfter(_) => Some(Until::Never),
            Self::StillAfter(_) | Self::HealedWithin(_) => None,
        }
    }
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
    if failure.run.trace.level == Level::Fleet {
        return of_schedule(router, failure);
    }
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

/// Lets a schedule come to rest, then polls the replica that showed a failure again and again, and asks it each time. Nothing
/// where what showed it is no answer of a replica.
fn of_schedule(fleet: &mut dyn RouterUnderTest, failure: &Failure) -> Result<Option<Lasts>, AdapterFault> {
    let Failure { finding, run, .. } = failure;
    let (Some(replica), Some(question)) = (finding.replica, &finding.question) else {
        return Ok(None);
    };
    let mut trace = run.trace.clone();
    trace.steps.truncate(finding.after);
    let mended = mended(&trace.steps);
    trace.steps.extend(mended);
    let rest = trace.steps.len();
    for _ in 0..POLLS_MAX {
        trace.steps.push(Step::Do(Op::Poll(replica)));
        trace.steps.push(Step::Ask(Some(replica), question.clone()));
        trace.steps.push(Step::Ask(None, Question::Store));
    }
    // What a replica remembers of what it was asked may be what lasts.
    let asked = run.trace.steps.iter().filter_map(Step::question);
    let asked = asked.filter_map(Question::query).cloned().collect();
    let run = fleet_run(trace, asked, &fleet.hello().capabilities);
    let replies = fleet.run(std::slice::from_ref(&run))?;
    let after = replies.first().and_then(|reply| reply.steps.get(rest..));
    for (number, polled) in (1..).zip(after.unwrap_or_default().chunks(3)) {
        let [_, StepReply::Shown(shown), StepReply::Shown(Shown::Rows(rows))] = polled else {
            return Ok(None);
        };
        // A row that is gone from the store is rightly missing by now.
        let is_gone = |id: &String| !rows.iter().any(|row| row.id == *id);
        if left(finding) == Left::Missing && finding.id.as_ref().is_some_and(is_gone) {
            return Ok(None);
        }
        match is_left(&finding.got, shown, rows) {
            None => return Ok(None),
            Some(false) => return Ok(Some(Lasts::UntilPoll(number))),
            Some(true) => {}
        }
    }
    Ok(Some(Lasts::ApartAfter(POLLS_MAX)))
}

/// The steps that end what misbehaves, and what is held.
fn mended(steps: &[Step]) -> Vec<Step> {
    let ends = steps.iter().filter_map(|step| match step {
        Step::World(World::StoreFails(true)) => Some(World::StoreFails(false)),
        Step::World(World::StoreShows(view)) if *view != StoreView::All => Some(World::StoreShows(StoreView::All)),
        _ => None,
    });
    let held = steps.iter().filter_map(|step| match step {
        Step::Begin(begin) => Some(Step::Finish(begin.op.clone())),
        _ => None,
    });
    ends.map(Step::World).chain(held).collect()
}

/// Returns whether what came is still shown, beside these rows of the store; nothing where that cannot be told.
fn is_left(got: &Got, shown: &Shown, rows: &[Row]) -> Option<bool> {
    match (got, shown) {
        (Got::Answer(got), Shown::Answers(answers)) => {
            let is_current = |one: &Candidate| rows.iter().any(|row| row.id == one.id && row.tag == one.tag);
            let is_left = |answer: &Answer| {
                let mut wrong = got.candidates().iter().filter(|one| !is_current(one));
                answer == got || wrong.any(|one| answer.candidates().contains(one))
            };
            Some(answers.iter().any(is_left))
        }
        (Got::Ids(got), Shown::Ids(now)) | (Got::Names(got), Shown::Names(now)) => {
            let set = |texts: &[String]| texts.iter().cloned().collect::<BTreeSet<String>>();
            Some(set(got) == set(now))
        }
        _ => None,
    }
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
