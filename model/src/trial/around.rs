//! Everything that a run showed, and of that what was shown directly before a change and directly behind it.

use std::ops::Range;

use protocol::{Question, Run, RunReply, Shown, Step, StepReply};

use super::looks;
use crate::evidence::{Around, Look};

/// The answers of a run, in the order in which they came.
pub(super) struct Answered<'a> {
    run: &'a Run,
    /// The answers to rounds of questions.
    pub(super) rounds: Vec<Look<'a>>,
    /// The answers to questions among the steps.
    pub(super) singles: Vec<Single<'a>>,
}

/// A question among the steps, with its answer.
pub(super) struct Single<'a> {
    /// Number of steps done, the question included.
    pub(super) after: usize,
    pub(super) question: &'a Question,
    pub(super) shown: &'a Shown,
}

impl<'a> Answered<'a> {
    /// The answers to a run; those among the steps only of a router that `settles_at_once`.
    pub(super) fn new(run: &'a Run, reply: &'a RunReply, settles_at_once: bool) -> Self {
        let steps = (1..).zip(run.trace.steps.iter().zip(&reply.steps));
        let singles = steps.filter_map(|(after, (step, reply))| match (step, reply) {
            (Step::Ask(_, question), StepReply::Shown(shown)) => Some(Single { after, question, shown }),
            _ => None,
        });
        Self {
            run,
            rounds: looks(run, reply).collect(),
            singles: singles.filter(|_| settles_at_once).collect(),
        }
    }

    /// Each question that was put both directly before the change which is the step of that number, from 1, and directly
    /// behind it, with the last answer before and the first behind: nothing but questions lies between.
    pub(super) fn around(&self, change: usize) -> Vec<Around<'a>> {
        let steps = &self.run.trace.steps;
        let Some(index) = change.checked_sub(1) else {
            return Vec::new();
        };
        let is_question = |step: &&Step| matches!(step, Step::Ask(..));
        let before = steps[..index].iter().rev().take_while(is_question).count();
        let behind = steps[change..].iter().take_while(is_question).count();
        let mut places = Places::of(&self.run.questions.asked);
        for (place, question, shown) in self.within(index - before..change) {
            places.at(place, question).0 = Some(shown);
        }
        for (place, question, shown) in self.within(change..change + behind + 1) {
            places.at(place, question).1.get_or_insert(shown);
        }
        places.pairs()
    }

    /// What was shown after these numbers of steps, each with the place of its question where that was put in a round.
    fn within(&self, after: Range<usize>) -> impl Iterator<Item = (Option<usize>, &'a Question, &'a Shown)> {
        after.flat_map(move |after| {
            let first = self.singles.partition_point(|single| single.after < after);
            let single = self.singles[first..].first().filter(|single| single.after == after);
            let rounds = self.rounds.iter();
            let round = rounds.filter(move |look| look.round.after as usize == after);
            let of_round = round.flat_map(|look| look.iter());
            single
                .map(|single| (None, single.question, single.shown))
                .into_iter()
                .chain(of_round.map(|(place, question, shown)| (Some(place), question, shown)))
        })
    }
}

/// The answers before a change and behind it, by question.
struct Places<'a> {
    listed: &'a [Question],
    /// Behind the questions of the run's list those that were put among the steps alone.
    pairs: Vec<(&'a Question, Pair<'a>)>,
}

/// The last answer before a change, and the first one behind it.
type Pair<'a> = (Option<&'a Shown>, Option<&'a Shown>);

impl<'a> Places<'a> {
    fn of(listed: &'a [Question]) -> Self {
        let pairs = listed.iter().map(|question| (question, (None, None))).collect();
        Self { listed, pairs }
    }

    /// The answers to a question. Its place spares a search, which few questions need: a list has many.
    fn at(&mut self, place: Option<usize>, question: &'a Question) -> &mut Pair<'a> {
        let find = || self.pairs.iter().position(|(other, _)| *other == question);
        let place = place.filter(|place| *place < self.listed.len()).or_else(find);
        let place = place.unwrap_or_else(|| {
            self.pairs.push((question, (None, None)));
            self.pairs.len() - 1
        });
        &mut self.pairs[place].1
    }

    fn pairs(self) -> Vec<Around<'a>> {
        let both = |(question, pair): (&'a Question, Pair<'a>)| {
            let (Some(before), Some(now)) = pair else { return None };
            Some(Around { question, before, now })
        };
        self.pairs.into_iter().filter_map(both).collect()
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Change, Changed, Observation, Query, Questions, Round, StepReply, Trace};

    use super::*;

    fn asked(name: &str) -> Question {
        Question::Lookup(Query::new(name, None))
    }

    /// An answer that can be told from others.
    fn shown(mark: &str) -> Shown {
        Shown::Names(vec![mark.to_owned()])
    }

    /// The pairs around the change of that number of a run whose every answer is numbered in the order of asking: `?a` is a
    /// question among the steps, `!` a change, and the moments are those of a round of `a` and `b`.
    fn around(steps: &[&str], moments: &[u32], change: usize) -> Vec<String> {
        let mut count = 0;
        let mut next = || {
            count += 1;
            shown(&count.to_string())
        };
        let (mut trace, mut replies, mut rounds) = (Vec::new(), Vec::new(), Vec::new());
        for done in 0..=steps.len() {
            if let Some(step) = done.checked_sub(1).map(|index| steps[index]) {
                let (step, reply) = match step.strip_prefix('?') {
                    Some(name) => (Step::Ask(None, asked(name)), StepReply::Shown(next())),
                    None => (
                        Step::Change(Change::Delete("d1".into())),
                        StepReply::Changed(Changed::APPLIED),
                    ),
                };
                trace.push(step);
                replies.push(reply);
            }
            if moments.contains(&u32::try_from(done).unwrap()) {
                rounds.push(vec![Observation {
                    replica: None,
                    shown: vec![next(), next()],
                }]);
            }
        }
        let questions = Questions {
            asked: vec![asked("a"), asked("b")],
            rounds: moments.iter().map(|after| Round::all(*after)).collect(),
        };
        let run = Run {
            trace: Trace::of_router(Vec::new(), trace),
            questions,
        };
        let reply = RunReply {
            setup: Changed::APPLIED,
            steps: replies,
            rounds,
            did: Vec::new(),
            router_ns: None,
        };
        let answered = Answered::new(&run, &reply, true);
        let name = |shown: &Shown| match shown {
            Shown::Names(names) => names[0].clone(),
            other => panic!("{other:?}"),
        };
        let pairs = answered.around(change).into_iter().map(|around| {
            let question = &around.question.query().unwrap().model;
            format!("{question} {} {}", name(around.before), name(around.now))
        });
        pairs.collect()
    }

    #[test]
    fn an_answer_before_a_change_is_paired_with_the_first_one_behind_it() {
        // The change, and what was asked around it: in rounds, among the steps, in both.
        assert_eq!(around(&["!"], &[0, 1], 1), ["a 1 3", "b 2 4"]);
        assert_eq!(around(&["?a", "!", "?a"], &[], 2), ["a 1 2"]);
        assert_eq!(around(&["?b", "!"], &[2], 2), ["b 1 3"]);
        assert_eq!(around(&["!", "?c", "?b"], &[0], 1), ["b 2 4"]);
        assert_eq!(around(&["?c", "!", "?c"], &[3], 2), ["c 1 2"]);
        // The last before, the first behind.
        assert_eq!(around(&["?a", "?a", "!", "?a", "?a"], &[], 3), ["a 2 3"]);
        assert_eq!(around(&["?a", "!", "?a"], &[1, 2], 2), ["a 2 4", "b 3 5"]);
    }

    #[test]
    fn what_lies_behind_another_change_is_not_around_a_change() {
        assert!(around(&["?a", "!", "!", "?a"], &[], 2).is_empty());
        assert!(around(&["?a", "!", "!", "?a"], &[], 3).is_empty());
        assert_eq!(around(&["!", "!"], &[0, 1, 2], 2), ["a 3 5", "b 4 6"]);
        assert!(
            around(&["?a", "!"], &[0, 2], 0).is_empty(),
            "nothing comes before the construction"
        );
    }
}
