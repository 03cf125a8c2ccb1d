//! The asking that a router needs: the time before a round in which it settles, and as many picks as show what it picks from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use protocol::wire::RUN_QUESTIONS_MAX;
use protocol::{Answer, Dialect, Level, Observation, Question, Questions, Round, Run, Shown};

use crate::evidence::{Fresh, Look};

/// The picks that each lookup of a round is asked for, of a router of which an answer is one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picks {
    /// So few that a candidate may not come up.
    Few,
    /// As many as a round can ask for, up to [`PICKS_MANY`].
    Many,
}

/// The picks that show most candidates.
const PICKS_FEW: usize = 12;
/// The picks after which a candidate of one in a hundred has come up but for one time in 25,000.
const PICKS_MANY: usize = 1_024;

/// The runs as they are to be asked of a router of that dialect.
pub(super) fn prepared<'a>(dialect: &Dialect, runs: &'a [Run], picks: Picks) -> Cow<'a, [Run]> {
    let wait = dialect.settles.wait_ms();
    if wait == 0 && !dialect.picks {
        return Cow::Borrowed(runs);
    }
    let mut runs = runs.to_vec();
    for Run { trace, questions } in &mut runs {
        let Questions { asked, rounds } = questions;
        for round in rounds {
            round.wait = wait;
            if dialect.picks && trace.level == Level::Router {
                round.order = Some(repeated(asked, round, picks));
            }
        }
    }
    Cow::Owned(runs)
}

/// The places of a round with each lookup as often as picks are wanted.
fn repeated(asked: &[Question], round: &Round, picks: Picks) -> Vec<u16> {
    let all = || (0..=u16::MAX).take(asked.len()).collect();
    let places: Vec<u16> = round.order.clone().unwrap_or_else(all);
    let room = RUN_QUESTIONS_MAX / places.len().max(1);
    let times = room.clamp(
        1,
        match picks {
            Picks::Few => PICKS_FEW,
            Picks::Many => PICKS_MANY,
        },
    );
    let times_of = |place: &u16| match asked.get(usize::from(*place)) {
        Some(Question::Lookup(_)) => times,
        _ => 1,
    };
    places
        .iter()
        .flat_map(|place| std::iter::repeat_n(*place, times_of(place)))
        .collect()
}

/// A round in which each question was put as often as picks were wanted, as one in which it was put once and answered by
/// everything that was picked.
pub(super) struct Gathered {
    round: Round,
    seen: Observation,
}

impl Gathered {
    pub(super) fn of(look: Look) -> Self {
        let mut shown: BTreeMap<usize, Shown> = BTreeMap::new();
        for (place, _, one) in look.iter() {
            match shown.get_mut(&place) {
                None => {
                    shown.insert(place, once_each(one));
                }
                Some(known) => gather(known, one),
            }
        }
        let places = shown.keys().filter_map(|place| u16::try_from(*place).ok());
        Self {
            round: Round {
                order: Some(places.collect()),
                ..look.round.clone()
            },
            seen: Observation {
                replica: look.seen.replica,
                shown: shown.into_values().collect(),
            },
        }
    }

    pub(super) fn look<'a>(&'a self, questions: &'a Questions) -> Look<'a> {
        Look {
            questions,
            round: &self.round,
            seen: &self.seen,
        }
    }

    /// The answers of fresh routers to the round of that look, gathered alike.
    pub(super) fn of_fresh(look: Look, fresh: &[Fresh]) -> Vec<Fresh> {
        let gathered = |seen: &Observation| Self::of(Look { seen, ..look }).seen;
        fresh
            .iter()
            .map(|fresh| fresh.as_ref().map(gathered).map_err(Clone::clone))
            .collect()
    }
}

fn once_each(shown: &Shown) -> Shown {
    let mut once = shown.clone();
    if let Shown::Answers(answers) = &mut once {
        for answer in answers {
            let picked = std::mem::replace(answer, Answer::Candidates(Vec::new()));
            add(answer, &picked);
        }
    }
    once
}

fn gather(known: &mut Shown, more: &Shown) {
    if let (Shown::Answers(known), Shown::Answers(more)) = (known, more) {
        for (known, more) in known.iter_mut().zip(more) {
            add(known, more);
        }
    }
}

/// Adds the candidates of an answer to those of others. Where nothing was picked at all, the answer is the last one.
fn add(known: &mut Answer, more: &Answer) {
    match (&mut *known, more) {
        (Answer::Candidates(known), Answer::Candidates(more)) => {
            for candidate in more {
                if !known.contains(candidate) {
                    known.push(candidate.clone());
                }
            }
        }
        (Answer::Candidates(known), _) if !known.is_empty() => {}
        _ => known.clone_from(more),
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Candidate, Query, Refusal, Trace};

    use super::*;

    fn picked(id: &str) -> Answer {
        Answer::Candidates(vec![Candidate {
            id: id.to_owned(),
            model: "up".to_owned(),
            tag: "v1".to_owned(),
        }])
    }

    #[test]
    fn what_was_picked_is_gathered_in_one_answer() {
        let asked = vec![Question::Lookup(Query::new("a", None)), Question::Sizes];
        let questions = Questions::at_end(asked, 0);
        let dialect = Dialect {
            picks: true,
            ..Dialect::default()
        };
        let run = Run {
            trace: Trace::default(),
            questions,
        };
        let runs = prepared(&dialect, std::slice::from_ref(&run), Picks::Few).into_owned();
        let round = &runs[0].questions.rounds[0];
        assert_eq!(round.order.as_ref().unwrap().len(), PICKS_FEW + 1);
        let ids = ["d1", "d2", "d1"].into_iter().cycle().take(PICKS_FEW);
        let mut shown: Vec<Shown> = ids.map(|id| Shown::Answers(vec![picked(id)])).collect();
        shown[3] = Shown::Answers(vec![Answer::Refused(Refusal::UnknownModel)]);
        shown.push(Shown::Sizes(BTreeMap::new()));
        let seen = Observation { replica: None, shown };
        let gathered = Gathered::of(Look {
            questions: &runs[0].questions,
            round,
            seen: &seen,
        });
        let look = gathered.look(&runs[0].questions);
        let answers: Vec<_> = look
            .lookups()
            .map(|(_, _, answers)| answers[0].candidates().len())
            .collect();
        assert_eq!((answers, look.iter().count()), (vec![2], 2));
        let many = prepared(&dialect, std::slice::from_ref(&run), Picks::Many).into_owned();
        assert_eq!(
            many[0].questions.rounds[0].order.as_ref().unwrap().len(),
            PICKS_MANY + 1
        );
        assert!(matches!(
            prepared(&Dialect::default(), &[run], Picks::Few),
            Cow::Borrowed(_)
        ));
    }
}
