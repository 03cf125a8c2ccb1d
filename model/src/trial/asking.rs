//! The asking that a router needs: the time before a round in which it settles, and as many picks as show what it picks from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use protocol::{Answer, Candidate, Dialect, Level, Observation, Questions, Round, Run, Shown};

use crate::asking::repeated;
use crate::evidence::{Fresh, Look};

/// The picks that each lookup of a round is asked for, of a router of which an answer is one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picks {
    /// So few that a candidate may not come up.
    Few,
    /// So many that of a handful of candidates each comes up.
    Some,
    /// As many as a round can ask for, up to [`PICKS_MANY`].
    Many,
}

/// The picks that show most candidates.
const PICKS_FEW: usize = 12;
/// The picks after which each of five candidates has come up but for one time in 1,500.
const PICKS_SOME: usize = 40;
/// The picks after which a candidate of one in a hundred has come up but for one time in 25,000.
const PICKS_MANY: usize = 1_024;

impl Picks {
    fn times(self) -> usize {
        match self {
            Self::Few => PICKS_FEW,
            Self::Some => PICKS_SOME,
            Self::Many => PICKS_MANY,
        }
    }
}

/// The runs as they are to be asked of a router of that dialect.
pub(crate) fn prepared<'a>(dialect: &Dialect, runs: &'a [Run], picks: Picks) -> Cow<'a, [Run]> {
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
                round.order = Some(repeated(asked, round, picks.times()));
            }
        }
    }
    Cow::Owned(runs)
}

/// A round in which each question was put as often as picks were wanted, as one in which it was put once and answered by
/// everything that was picked.
pub(crate) struct Gathered {
    round: Round,
    seen: Observation,
}

impl Gathered {
    /// The round of that look. A pick that failed, or was refused among others, follows as an answer of its own.
    pub(crate) fn of(look: Look) -> Self {
        let mut of_place: BTreeMap<usize, Gathering> = BTreeMap::new();
        for (place, _, one) in look.iter() {
            of_place.entry(place).or_default().add(one);
        }
        let entries = of_place.into_iter().flat_map(|(place, gathering)| {
            let entries = gathering.entries().into_iter();
            entries.filter_map(move |shown| Some((u16::try_from(place).ok()?, shown)))
        });
        let (places, shown) = entries.unzip();
        Self {
            round: Round {
                order: Some(places),
                ..look.round.clone()
            },
            seen: Observation {
                replica: look.seen.replica,
                shown,
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

    /// The answer to each question, once: where a pick failed, or was refused among others, that one.
    pub(crate) fn faces(&self) -> Vec<Shown> {
        let places = self.round.order.iter().flatten();
        let last: BTreeMap<&u16, &Shown> = places.zip(&self.seen.shown).collect();
        last.into_values().cloned().collect()
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

/// Everything that was shown to one question of a round.
#[derive(Default)]
struct Gathering {
    /// The answer with all candidates that were picked; of other questions than lookups the first that came.
    whole: Option<Shown>,
    /// The picks without a candidate, each kind once, on each path.
    without: Vec<(usize, Answer)>,
}

impl Gathering {
    fn add(&mut self, one: &Shown) {
        let Shown::Answers(answers) = one else {
            self.whole.get_or_insert_with(|| one.clone());
            return;
        };
        let none = || Shown::Answers(vec![Answer::Candidates(Vec::new()); answers.len()]);
        let Shown::Answers(whole) = self.whole.get_or_insert_with(none) else {
            return;
        };
        for (path, (whole, answer)) in whole.iter_mut().zip(answers).enumerate() {
            match (whole, answer) {
                (Answer::Candidates(whole), Answer::Candidates(picked)) => {
                    let new: Vec<Candidate> = picked.iter().filter(|one| !whole.contains(one)).cloned().collect();
                    whole.extend(new);
                }
                (_, without) => {
                    let same = |(other, known): &(usize, Answer)| *other == path && is_alike(known, without);
                    if !self.without.iter().any(same) {
                        self.without.push((path, without.clone()));
                    }
                }
            }
        }
    }

    /// The answers with all that was picked, and then with each pick without a candidate in the place of its path.
    fn entries(self) -> Vec<Shown> {
        let Some(Shown::Answers(mut whole)) = self.whole else {
            return self.whole.into_iter().collect();
        };
        let mut rest = Vec::new();
        for (path, answer) in self.without {
            if whole[path].candidates().is_empty() && matches!(whole[path], Answer::Candidates(_)) {
                whole[path] = answer;
            } else {
                rest.push((path, answer));
            }
        }
        let others = rest.into_iter().map(|(path, answer)| {
            let mut answers = whole.clone();
            answers[path] = answer;
            Shown::Answers(answers)
        });
        let others: Vec<Shown> = others.collect();
        std::iter::once(Shown::Answers(whole)).chain(others).collect()
    }
}

/// Returns whether two answers without a candidate are of one kind; the texts of failures are not compared.
fn is_alike(one: &Answer, other: &Answer) -> bool {
    match (one, other) {
        (Answer::Failed(_), Answer::Failed(_)) => true,
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Query, Question, Refusal, Trace};

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
        assert_eq!(
            (answers, look.iter().count()),
            (vec![2, 0], 3),
            "a refusal among picks is kept"
        );
        assert_eq!(gathered.faces().len(), 2, "one for each question");
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
