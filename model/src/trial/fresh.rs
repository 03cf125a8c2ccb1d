//! Fresh routers of the same kind, beside which a run is judged.
//!
//! A router whose answers depend on the order of its rows is not wrong for that, and neither the order in which rows
//! arrived nor that of their last change need be the one that it keeps. So an answer is held against fresh routers of
//! several orders, and is right if one of them gives it: two orders of each run, and more of those that two do not clear.

use std::collections::BTreeSet;

use protocol::{
    AdapterFault, Change, Changed, Outcome, Question, Questions, Round, RouterUnderTest, Row, Run, RunReply, Step,
    StepReply, Trace,
};

use super::{Tracked, changes};
use crate::evidence::{Beside, EVERY_ORDER_ROWS_MAX, Fresh, check_tags};
use crate::failure::{Finding, Got};

/// The most answers for which every order of the rows is tried while a trace is drawn or shrunk: six orders of the most
/// questions that a universe has, or every order of five rows with few questions.
const ORDERED_ANSWERS_MAX: usize = 6 * 64;

/// The most answers whose rows are put to either end of the order in which a fresh router gets its rows.
const PREFERRED_MAX: usize = 8;

/// The orders in which fresh routers are given their rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Orders {
    /// As they arrived, and the other way round.
    Two,
    /// The orders that routers keep by a plain policy, those with one of these sets of ids at either end, and every one
    /// where that takes few answers.
    Likely(BTreeSet<BTreeSet<String>>),
    /// Every one, of as many rows as that can be done for.
    Every,
}

impl Orders {
    /// The orders that may clear what was found beside two of them: what a router prefers stands first in it, or last.
    pub(super) fn that_may_clear(findings: &[Finding]) -> Self {
        let answers = findings.iter().filter_map(|finding| match &finding.got {
            Got::Answer(answer) if finding.rule.rests_on_any_order() => Some(answer.candidates()),
            _ => None,
        });
        let ids = answers.map(|candidates| candidates.iter().map(|candidate| candidate.id.clone()).collect());
        let sets: BTreeSet<BTreeSet<String>> = ids.collect();
        Self::Likely(sets.into_iter().take(PREFERRED_MAX).collect())
    }

    fn of(&self, tracked: &Tracked, after: usize, questions: usize) -> Vec<Vec<Row>> {
        let (Some(table), Some(arrivals)) = (tracked.tables.get(after), tracked.arrivals.get(after)) else {
            return Vec::new();
        };
        match self {
            Self::Two => arrivals.two_orders(table),
            Self::Every => arrivals.orders(table, EVERY_ORDER_ROWS_MAX),
            Self::Likely(preferred) => {
                let every_max = rows_in_every_order(questions);
                let mut orders = arrivals.orders(table, every_max);
                if table.len() > every_max {
                    let with_ends = preferred.iter().flat_map(|ids| with_at_either_end(ids, &orders[0]));
                    let with_ends: Vec<Vec<Row>> = with_ends.collect();
                    orders.extend(with_ends);
                }
                orders
            }
        }
    }
}

/// The rows with those of these ids first, and with those last.
fn with_at_either_end(ids: &BTreeSet<String>, rows: &[Row]) -> [Vec<Row>; 2] {
    let (chosen, others): (Vec<Row>, Vec<Row>) = rows.iter().cloned().partition(|row| ids.contains(&row.id));
    [[&chosen[..], &others].concat(), [&others[..], &chosen].concat()]
}

/// The most rows of which fresh routers in every order can be asked so many questions.
fn rows_in_every_order(questions: usize) -> usize {
    let few = |rows: &usize| (1..=*rows).product::<usize>() * questions.max(1) <= ORDERED_ANSWERS_MAX;
    (0..=EVERY_ORDER_ROWS_MAX).filter(few).max().unwrap_or(0)
}

/// Fresh routers that a run is to be held against.
#[derive(Default)]
pub(super) struct Wanted {
    /// Number of those of the rows that it has led to, which are asked what it was asked.
    at_end: usize,
    /// Of those behind them, the number of steps done before the refused change that each is to make.
    refused: Vec<usize>,
}

impl Wanted {
    /// Adds to `runs` the runs of the fresh routers that a run is to be held against.
    pub(super) fn new(
        (run, reply): (&Run, &RunReply),
        tracked: &Tracked,
        orders: &Orders,
        runs: &mut Vec<Run>,
    ) -> Self {
        let before = runs.len();
        runs.extend(at_end(run, tracked, orders));
        let at_end = runs.len() - before;
        let (refused, again): (Vec<usize>, Vec<Run>) = refused(run, reply, tracked, orders).into_iter().unzip();
        runs.extend(again);
        Self { at_end, refused }
    }

    /// The number of runs.
    pub(super) fn count(&self) -> usize {
        self.at_end + self.refused.len()
    }

    /// The answers of the fresh routers, from one reply for each run.
    pub(super) fn beside(&self, replies: &[RunReply]) -> Beside {
        let (at_end, refused) = replies.split_at(self.at_end);
        let mut beside = Beside {
            at_end: at_end.iter().map(seen_fresh).collect(),
            ..Beside::default()
        };
        for (after, reply) in self.refused.iter().zip(refused) {
            let outcomes = beside.refused.entry(*after).or_default();
            outcomes.extend(outcome_of_change(reply));
        }
        beside
    }
}

/// The runs of fresh routers of the rows that a run has led to, in two orders, which are asked its last round of questions.
pub(crate) fn fresh_runs_of(run: &Run, tracked: &Tracked) -> Vec<Run> {
    at_end(run, tracked, &Orders::Two)
}

/// The runs of fresh routers of the rows that a run has led to; none where those are not known, or nothing is asked at its
/// end.
fn at_end(run: &Run, tracked: &Tracked, orders: &Orders) -> Vec<Run> {
    let steps = run.trace.steps.len();
    let last = run.questions.rounds.last();
    let Some(round) = last.filter(|round| round.after as usize == steps && tracked.lost.is_none()) else {
        return Vec::new();
    };
    // What a router remembers of earlier questions it is to remember fresh, too.
    let before = asked_before(run, round);
    let questions = Questions {
        asked: run.questions.asked.clone(),
        rounds: vec![Round {
            after: u32::try_from(before.len()).unwrap_or(u32::MAX),
            ..round.clone()
        }],
    };
    let of_fresh = |rows| Run {
        trace: Trace::of_router(rows, before.clone()),
        questions: questions.clone(),
    };
    let count = run.questions.of(round).count() + before.len();
    orders.of(tracked, steps, count).into_iter().map(of_fresh).collect()
}

/// Each question that was put before the last round, and is not put in it, once, as a step.
fn asked_before(run: &Run, last: &Round) -> Vec<Step> {
    let in_steps = run.trace.steps.iter().filter_map(Step::question);
    let questions = &run.questions;
    let rounds = questions
        .rounds
        .iter()
        .filter(|round| *round != last && round.order != last.order);
    let in_rounds = rounds.flat_map(|round| questions.of(round).map(|(_, question)| question));
    let mut earlier = in_steps.chain(in_rounds).peekable();
    if earlier.peek().is_none() {
        return Vec::new();
    }
    let mut seen: BTreeSet<&Question> = questions.of(last).map(|(_, question)| question).collect();
    let new = earlier.filter(|question| seen.insert(question));
    new.map(|question| Step::Ask(None, question.clone())).collect()
}

/// The runs of fresh routers of the rows before each refused change, which make that change.
fn refused(run: &Run, reply: &RunReply, tracked: &Tracked, orders: &Orders) -> Vec<(usize, Run)> {
    let refused = changes(run, reply).filter(|(after, _, changed)| {
        let known = tracked.lost.is_none_or(|lost| *after < lost);
        *after > 0 && known && is_refusal(changed)
    });
    let of_change = |(after, change, _): (usize, Change, &Changed)| {
        let mut given = orders.of(tracked, after - 1, 1);
        if *orders == Orders::Two {
            // One that refuses it is enough, and most do.
            given.truncate(1);
        }
        let again = move |rows| {
            let trace = Trace::of_router(rows, vec![Step::Change(change.clone())]);
            let questions = Questions::default();
            (after, Run { trace, questions })
        };
        given.into_iter().map(again)
    };
    refused.flat_map(of_change).collect()
}

pub(super) fn is_refusal(changed: &Changed) -> bool {
    matches!(changed.outcome, Outcome::Refused(_))
}

/// The outcome of the only change of a fresh router; none where the router could not be built.
fn outcome_of_change(reply: &RunReply) -> Option<Outcome> {
    match reply.steps.first() {
        Some(StepReply::Changed(changed)) if !is_refusal(&reply.setup) => Some(changed.outcome.clone()),
        _ => None,
    }
}

/// Carries out any number of runs, a batch at a time.
pub(crate) fn carry_out(router: &mut dyn RouterUnderTest, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
    let mut replies = Vec::with_capacity(runs.len());
    for batch in runs.chunks(protocol::wire::BATCH_RUNS_MAX) {
        replies.extend(router.run(batch)?);
    }
    Ok(replies)
}

/// Carries out runs. A tag that a run did not give is a lie of the adapter, and nothing is judged by it.
pub(crate) fn carry_out_checked(router: &mut dyn RouterUnderTest, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
    let replies = carry_out(router, runs)?;
    for (run, reply) in runs.iter().zip(&replies) {
        check_tags(&run.trace.rows().map(|row| row.tag.as_str()).collect(), reply)?;
    }
    Ok(replies)
}

pub(crate) fn seen_fresh(reply: &RunReply) -> Fresh {
    match &reply.setup.outcome {
        Outcome::Refused(why) => Err(format!("a fresh router refuses the rows: {why}")),
        Outcome::Applied | Outcome::Unchanged => reply
            .rounds
            .first()
            .and_then(|seen| seen.first().cloned())
            .ok_or_else(|| "a fresh router showed nothing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_tried_of_as_many_rows_as_the_questions_leave_room_for() {
        let bounds = [(0, 5), (3, 5), (4, 4), (16, 4), (17, 3), (64, 3), (65, 2), (500, 0)];
        for (questions, rows) in bounds {
            assert_eq!(rows_in_every_order(questions), rows, "{questions}");
        }
    }
}
