//! The questions that a router is asked, when, and in which order: drawn for each trace, since asking is an action.
//!
//! Routers remember what they were asked. A trial that asks the same questions in the same order after each step refreshes
//! every small cache before it can be wrong, and every stamp before it can wrap. So the moments, the order and single
//! lookups between the steps are drawn, and stand in the run.

use std::collections::BTreeSet;

use protocol::wire::RUN_QUESTIONS_MAX;
use protocol::{Question, Questions, Round, Run, Step, Trace};

use crate::choices::{Choices, pick, shuffle};

/// The percentage of traces, of those that are asked at moments that are drawn, that are asked after each step.
const EACH_STEP_PERCENT: usize = 50;
/// The percentage of the others that are asked at the end alone, but for the two moments around some step.
const AT_THE_END_PERCENT: usize = 40;
/// One of these percentages of the moments of a trace that is asked now and then.
const NOW_AND_THEN_PERCENTS: [usize; 3] = [50, 25, 12];
/// The percentage of traces with single lookups between the steps.
const SINGLE_LOOKUPS_PERCENT: usize = 25;
/// The most different lookups between the steps of one trace: it is those that come again which a cache answers.
const SINGLE_LOOKUPS_MAX: usize = 3;
/// A few questions are one of so many powers of two.
const FEW_BITS_MAX: usize = 6;
/// The most rounds of a quiet trace behind its first one.
const QUIET_ROUNDS_MAX: usize = 3;
/// Counters wrap at powers of two: the most bits of one that a quiet trace is as long as.
const QUIET_BITS_MAX: usize = 8;
/// The most changes between two rounds of a quiet trace where their number is no power of two.
const QUIET_CHANGES_MAX: usize = 64;

/// The percentage of quiet traces that are asked over and over in one round.
const OFTEN_PERCENT: usize = 50;
/// The most bits of the number of times beyond two.
const OFTEN_BITS_MAX: usize = 4;
/// The percentage of the traces of a slow router that ask a few lookups over and over before some change.
const SLOW_OFTEN_PERCENT: usize = 10;

/// The moments at which a router is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Drawn for each trace: after each step, at the end alone, or now and then.
    Drawn,
    /// At the end, and sometimes around one step: for a router so slow that asking costs more than changing.
    AtTheEnd,
}

/// The order of the questions of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As they are listed, each time.
    Listed,
    /// Shuffled each time.
    Shuffled,
    /// Shuffled, and from then on each time the other way round: the last question of a round is the first of the next.
    BackAndForth,
    /// A few of them, shuffled; all of them at the end.
    Few,
}

/// Orders, each as often as it stands here.
const ORDERS: [Order; 5] = [
    Order::Listed,
    Order::Listed,
    Order::Shuffled,
    Order::BackAndForth,
    Order::Few,
];

/// The numbers of changes between the rounds of a quiet trace, which is asked rarely and changed often.
pub(crate) fn quiet_gaps(choices: &mut dyn Choices) -> Vec<usize> {
    let rounds = 1 + choices.below(QUIET_ROUNDS_MAX);
    let gap = |choices: &mut dyn Choices| {
        if choices.percent(50) {
            1 << choices.below(QUIET_BITS_MAX + 1)
        } else {
            1 + choices.below(QUIET_CHANGES_MAX)
        }
    };
    (0..rounds).map(|_| gap(choices)).collect()
}

/// The run of this trace with these questions, asked before the first change and after each of these numbers of changes; half
/// of the time in one of the rounds over and over, since what is asked often may be kept.
pub(crate) fn quietly(trace: Trace, asked: Vec<Question>, gaps: &[usize], choices: &mut dyn Choices) -> Run {
    let mut moments = BTreeSet::from([0]);
    let mut done = 0;
    for gap in gaps {
        done += gap;
        moments.insert(done);
    }
    let mut run = in_rounds(trace, asked, &moments, choices);
    if choices.percent(OFTEN_PERCENT) {
        let times = 2 << choices.below(OFTEN_BITS_MAX);
        let Questions { asked, rounds } = &mut run.questions;
        let round = choices.below(rounds.len());
        rounds[round].order = Some(repeated(asked, &rounds[round], times));
    }
    run
}

/// The places of the questions of a round, in the order in which they are asked: each lookup so many times in a row, as
/// far as a round has room for it, and any other question once.
pub(crate) fn repeated(asked: &[Question], round: &Round, times: usize) -> Vec<u16> {
    let all = || (0..=u16::MAX).take(asked.len()).collect();
    let places: Vec<u16> = round.order.clone().unwrap_or_else(all);
    let room = RUN_QUESTIONS_MAX / places.len().max(1);
    let times_of = |place: u16| match asked.get(usize::from(place)) {
        Some(Question::Lookup(_)) => times.min(room).max(1),
        _ => 1,
    };
    let often = |place| std::iter::repeat_n(place, times_of(place));
    places.into_iter().flat_map(often).collect()
}

/// The run of this trace with these questions, at moments and in an order that are drawn.
pub(crate) fn at_drawn_moments(trace: Trace, asked: Vec<Question>, choices: &mut dyn Choices, cadence: Cadence) -> Run {
    let trace = if cadence == Cadence::Drawn && choices.percent(SINGLE_LOOKUPS_PERCENT) {
        with_single_lookups(trace, &asked, choices)
    } else {
        trace
    };
    let mut moments = moments(&trace, choices, cadence);
    let often = (cadence == Cadence::AtTheEnd && choices.percent(SLOW_OFTEN_PERCENT)).then(|| {
        let moment = choices.below(trace.steps.len());
        moments.insert(moment);
        moment
    });
    let mut run = in_rounds(trace, asked, &moments, choices);
    if let Some(moment) = often {
        ask_few_often(&mut run.questions, moment, choices);
    }
    run
}

/// Makes of the round at that moment one of a few lookups, each of them over and over.
fn ask_few_often(questions: &mut Questions, moment: usize, choices: &mut dyn Choices) {
    let Questions { asked, rounds } = questions;
    let Some(index) = rounds.iter().position(|round| round.after as usize == moment) else {
        return;
    };
    let mut places = repeated(asked, &rounds[index], 1);
    places.retain(|place| asked[usize::from(*place)].query().is_some());
    shuffle(&mut places, choices);
    places.truncate(SINGLE_LOOKUPS_MAX);
    rounds[index].order = Some(places);
    rounds[index].order = Some(repeated(asked, &rounds[index], 2 << choices.below(OFTEN_BITS_MAX)));
}

/// The trace with single lookups before about half of its steps.
fn with_single_lookups(trace: Trace, asked: &[Question], choices: &mut dyn Choices) -> Trace {
    let lookups: Vec<&Question> = asked.iter().filter(|question| question.query().is_some()).collect();
    let few: Vec<&Question> = (0..=choices.below(SINGLE_LOOKUPS_MAX))
        .filter_map(|_| pick(&lookups, choices))
        .collect();
    let mut steps = Vec::with_capacity(2 * trace.steps.len());
    for step in trace.steps {
        let single = if choices.percent(50) { pick(&few, choices) } else { None };
        steps.extend(single.map(|question| Step::Ask(None, question.clone())));
        steps.push(step);
    }
    Trace { steps, ..trace }
}

/// The numbers of steps after which all is asked: the end among them, and no single lookup behind a change.
fn moments(trace: &Trace, choices: &mut dyn Choices, cadence: Cadence) -> BTreeSet<usize> {
    let count = trace.steps.len();
    let changes = trace.steps.iter().enumerate();
    let changed = changes.filter(|(_, step)| step.change().is_some());
    let all = std::iter::once(0).chain(changed.map(|(index, _)| index + 1));
    let mut moments: BTreeSet<usize> = BTreeSet::new();
    if cadence == Cadence::Drawn && choices.percent(EACH_STEP_PERCENT) {
        moments.extend(all);
    } else if cadence == Cadence::Drawn && !choices.percent(AT_THE_END_PERCENT) {
        let percent = pick(&NOW_AND_THEN_PERCENTS, choices).unwrap_or_default();
        moments.extend(all.filter(|_| choices.percent(percent)));
    } else if choices.percent(25) {
        // A refusal is judged by what was shown before it and after it.
        let step = choices.below(count);
        moments.extend([step, step + 1]);
    }
    moments.insert(count);
    moments
}

/// The run that asks these questions at these moments, in an order that is drawn.
fn in_rounds(trace: Trace, asked: Vec<Question>, moments: &BTreeSet<usize>, choices: &mut dyn Choices) -> Run {
    let order = pick(&ORDERS, choices).unwrap_or(Order::Listed);
    let mut places: Vec<u16> = (0..asked.len()).filter_map(|place| u16::try_from(place).ok()).collect();
    if order == Order::BackAndForth {
        shuffle(&mut places, choices);
    }
    let (few, last) = (order == Order::Few, moments.last().copied());
    let mut round = |moment: usize| {
        let mut order = match order {
            Order::Listed => None,
            Order::BackAndForth => {
                places.reverse();
                Some(places.clone())
            }
            Order::Shuffled | Order::Few => {
                shuffle(&mut places, choices);
                Some(places.clone())
            }
        };
        if let Some(places) = order.as_mut().filter(|_| few && Some(moment) != last) {
            places.truncate(1 << choices.below(FEW_BITS_MAX));
        }
        Round {
            after: u32::try_from(moment).unwrap_or(u32::MAX),
            order,
            wait: 0,
        }
    };
    let rounds = moments.iter().map(|moment| round(*moment)).collect();
    Run {
        questions: Questions { asked, rounds },
        trace,
    }
}

#[cfg(test)]
mod tests {
    use protocol::Query;

    use super::*;

    #[test]
    fn a_lookup_comes_as_often_as_a_round_has_room_for_and_any_other_question_once() {
        let lookup = Question::Lookup(Query::new("a", None));
        let asked = [lookup.clone(), Question::Sizes];
        let mut round = Questions::at_end(asked.to_vec(), 0).rounds.remove(0);
        assert_eq!(repeated(&asked, &round, 3), [0, 0, 0, 1]);
        assert_eq!(
            repeated(&asked, &round, RUN_QUESTIONS_MAX).len(),
            RUN_QUESTIONS_MAX / 2 + 1
        );
        let many = vec![lookup; RUN_QUESTIONS_MAX + 1];
        let all = repeated(&many, &round, 2);
        assert_eq!(all.len(), many.len(), "without room each is asked all the same");
        round.order = Some(vec![1, 0]);
        assert_eq!(repeated(&asked, &round, 2), [1, 0, 0]);
    }
}
