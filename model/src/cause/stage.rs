//! A router and fresh routers of its rows, asked the same after each prefix of a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use protocol::{
    AdapterFault, Answer, Capability, Change, Changed, Hello, Outcome, Query, Question, Questions, RouterUnderTest,
    Row, Run, RunReply, Shown, StepReply, Trace,
};

use super::{Told, Wrong};
use crate::evidence::Look;
use crate::failure::Version;
use crate::spec::Table;
use crate::trial::{Gathered, Picks, Tracked, carry_out, fresh_runs_of, prepared};

/// The most questions that are asked after each prefix.
const QUESTIONS_MAX: usize = 128;

/// The same of a router that picks, of which each question is asked many times.
const QUESTIONS_OF_PICKS_MAX: usize = 12;

/// A team that no row of a trace has, for what a stranger is answered.
const STRANGER: &str = "stranger";

/// The answers of one router to the questions of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Face {
    /// One for each question.
    pub(super) shown: Vec<Shown>,
    /// The ids that the router claims to hold.
    pub(super) held: Option<Vec<String>>,
}

impl Face {
    /// Returns whether a structure holds a version, by the router's word.
    pub(super) fn holds(&self, structure: &str, tag: &str) -> bool {
        self.shown.iter().any(|shown| match shown {
            Shown::Holds(holds) => holds
                .get(structure)
                .is_some_and(|tags| tags.iter().any(|held| held == tag)),
            _ => false,
        })
    }
}

/// A router and fresh routers of its rows after so many steps.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    /// The change that led here, and the router's word on it.
    pub(super) change: Option<(Change, Outcome)>,
    /// The rows that were accepted by then.
    pub(super) table: Table,
    /// The same rows in the order of their arrival.
    pub(super) arrivals: Vec<Row>,
    /// The router's answers.
    pub(super) here: Face,
    /// The answers of fresh routers, in different orders of the rows, or the reason why one cannot be built.
    pub(super) fresh: Vec<Result<Face, String>>,
}

/// One way in which a router is out of step with a fresh one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Misfit {
    /// An id is claimed so many times more, or fewer.
    Claimed(String, i64),
    /// A name is in the listing at that place of the questions so many times more, or fewer.
    Listed(usize, String, i64),
    /// A structure has so many entries more, or fewer.
    Size(String, i64),
    /// A structure holds a version so many times more, or fewer.
    Holds(String, String, i64),
    /// A structure holds a current version more than once, and that of a fresh router does so less often.
    HoldsCopy(String, String),
    /// A version is a candidate where it is none in a fresh router.
    Served(String, String),
    /// A version is a candidate more often than in a fresh router.
    ServedCopy(String, String),
    /// A version is no candidate where it is one in a fresh router.
    Unserved(String, String),
}

/// The questions that are asked after each prefix: `own` first, then by everyone for every name, id and target of the
/// trace, then about the whole.
pub(super) fn matrix(hello: &Hello, trace: &Trace, own: Option<&Question>) -> Vec<Question> {
    let rows: Vec<&Row> = trace.rows().collect();
    let mut texts: BTreeSet<&str> = BTreeSet::new();
    let mut callers: BTreeSet<Option<&str>> = BTreeSet::from([None]);
    for row in &rows {
        texts.extend([row.model_name.as_str(), row.asked_name(), row.model.as_str()]);
        texts.extend(hello.can(Capability::Ids).then_some(row.id.as_str()));
        callers.insert(row.team.as_deref());
    }
    if hello.can(Capability::Teams) {
        callers.insert(Some(STRANGER));
    }
    let lookups = texts.iter().flat_map(|text| {
        let by = |team| Question::Lookup(Query::new(text, team));
        callers.iter().copied().map(by).collect::<Vec<_>>()
    });
    let listings = callers.iter().map(|team| Question::Listing(team.map(str::to_owned)));
    let whole = [
        (Capability::Sizes, Question::Sizes),
        (Capability::Holds, Question::Holds),
    ];
    let whole = whole.into_iter().filter(|(need, _)| hello.can(*need));
    let first = own.filter(|question| **question != Question::Claims).cloned();
    let mut asked: Vec<Question> = first.into_iter().chain(whole.map(|(_, question)| question)).collect();
    let others = lookups.chain(listings.filter(|_| hello.can(Capability::Listing)));
    let most = if hello.dialect.picks {
        QUESTIONS_OF_PICKS_MAX
    } else {
        QUESTIONS_MAX
    };
    asked.extend(others.take(most));
    let mut seen = BTreeSet::new();
    asked.retain(|question| seen.insert(question.clone()));
    asked
}

/// Every prefix of a trace, the shortest first.
pub(super) fn prefixes(trace: &Trace) -> Vec<Trace> {
    let prefix = |steps: usize| Trace {
        steps: trace.steps[..steps].to_vec(),
        ..trace.clone()
    };
    (0..=trace.steps.len()).map(prefix).collect()
}

/// Carries out traces, and fresh routers of the rows that they led to: the stage at the end of each, and the number of runs.
///
/// # Errors
///
/// Those of the router under test.
pub(super) fn stages(
    router: &mut dyn RouterUnderTest,
    traces: Vec<Trace>,
    asked: &[Question],
) -> Result<(Vec<Stage>, usize), AdapterFault> {
    let runs: Vec<Run> = traces
        .into_iter()
        .map(|trace| Run {
            questions: Questions::at_end(asked.to_vec(), trace.steps.len()),
            trace,
        })
        .collect();
    let dialect = router.hello().dialect.clone();
    let asked_of = |runs: &[Run]| prepared(&dialect, runs, Picks::Some).into_owned();
    let runs = asked_of(&runs);
    let replies = carry_out(router, &runs)?;
    let mut fresh_runs = Vec::new();
    let mut found = Vec::with_capacity(runs.len());
    for (run, reply) in runs.iter().zip(&replies) {
        let tracked = Tracked::new(run, reply)?;
        let first = fresh_runs.len();
        fresh_runs.extend(fresh_runs_of(run, &tracked));
        found.push((tracked, first..fresh_runs.len()));
    }
    let fresh_runs = asked_of(&fresh_runs);
    let fresh = carry_out(router, &fresh_runs)?;
    let stage = |((run, reply), (tracked, range)): ((&Run, &RunReply), (Tracked, Range<usize>))| Stage {
        change: last_change(run, reply),
        arrivals: tracked.arrived(),
        table: tracked.tables.last().cloned().unwrap_or_default(),
        here: face(run, reply),
        fresh: fresh_runs[range.clone()]
            .iter()
            .zip(&fresh[range])
            .map(fresh_face)
            .collect(),
    };
    let stages = runs.iter().zip(&replies).zip(found).map(stage).collect();
    Ok((stages, runs.len() + fresh_runs.len()))
}

/// The change that is the last step, or the construction, and the router's word on it.
fn last_change(run: &Run, reply: &RunReply) -> Option<(Change, Outcome)> {
    if run.trace.steps.is_empty() {
        return Some((
            Change::Replace(run.trace.setup.rows.clone()),
            reply.setup.outcome.clone(),
        ));
    }
    match (run.trace.steps.last()?.change(), reply.steps.last()?) {
        (Some(change), StepReply::Changed(changed)) => Some((change.clone(), changed.outcome.clone())),
        _ => None,
    }
}

fn is_failure(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed(_))
}

fn face(run: &Run, reply: &RunReply) -> Face {
    let changed = reply.steps.iter().rev().find_map(|step| match step {
        StepReply::Changed(changed) => Some(changed),
        _ => None,
    });
    let seen = reply.rounds.first().and_then(|seen| seen.first());
    let look = run.questions.rounds.first().zip(seen).map(|(round, seen)| Look {
        questions: &run.questions,
        round,
        seen,
    });
    Face {
        shown: look.map_or_else(Vec::new, |look| Gathered::of(look).faces()),
        held: changed.unwrap_or(&reply.setup).held.clone(),
    }
}

fn fresh_face((run, reply): (&Run, &RunReply)) -> Result<Face, String> {
    match &reply.setup {
        Changed {
            outcome: Outcome::Refused(why),
            ..
        } => Err(why.clone()),
        _ => Ok(face(run, reply)),
    }
}

impl Stage {
    /// The first fresh router, which was given the rows in the order of their arrival, where it could be built.
    pub(super) fn first_fresh(&self) -> Option<&Face> {
        self.fresh.first()?.as_ref().ok()
    }

    /// The reason why a fresh router cannot be built of the rows.
    pub(super) fn unbuildable(&self) -> Option<&str> {
        self.fresh
            .iter()
            .find_map(|fresh| fresh.as_ref().err().map(String::as_str))
    }

    /// Returns whether any row is out of step, and not sizes and names alone.
    pub(super) fn moved(&self) -> bool {
        let misfits = self.misfits();
        misfits
            .iter()
            .any(|misfit| !matches!(misfit, Misfit::Size(..) | Misfit::Listed(..)))
    }

    /// Returns whether a lookup has another answer than that of a fresh router.
    pub(super) fn answers_wrongly(&self) -> bool {
        let is_of_answer = |misfit: &Misfit| {
            matches!(
                misfit,
                Misfit::Served(..) | Misfit::ServedCopy(..) | Misfit::Unserved(..)
            )
        };
        self.breaks() || self.misfits().iter().any(is_of_answer)
    }

    /// Returns whether the step that led here was refused.
    pub(super) fn is_refused(&self) -> bool {
        matches!(&self.change, Some((_, Outcome::Refused(_))))
    }

    /// Returns the worst way in which an answer is wrong here: which question showed one first is chance.
    pub(super) fn wrong(&self) -> Wrong {
        let wrong = |misfit: &Misfit| match misfit {
            Misfit::Served(_, tag) if self.is_current(tag) => Some(Wrong::New),
            Misfit::Claimed(id, 1) if self.table.contains_key(id) && !self.is_claimed_by_fresh(id) => Some(Wrong::New),
            Misfit::Served(..) | Misfit::ServedCopy(..) | Misfit::Claimed(_, 1..) => Some(Wrong::Kept),
            _ => None,
        };
        let misfits = self.misfits();
        // Names follow rows: they tell only where no row does.
        let is_listed = misfits.iter().any(|misfit| matches!(misfit, Misfit::Listed(_, _, 1..)));
        let by_names = match (is_listed, self.breaks()) {
            (true, _) => Wrong::Kept,
            (false, true) => Wrong::Breaks,
            (false, false) => Wrong::Hides,
        };
        misfits.iter().filter_map(wrong).min().unwrap_or(by_names)
    }

    /// Returns whether a lookup breaks here that a fresh router answers.
    fn breaks(&self) -> bool {
        let Some(fresh) = self.first_fresh() else { return false };
        self.here.shown.iter().zip(&fresh.shown).any(|pair| match pair {
            (Shown::Answers(here), Shown::Answers(fresh)) => here
                .iter()
                .zip(fresh)
                .any(|(here, fresh)| is_failure(here) && !is_failure(fresh)),
            _ => false,
        })
    }

    /// The structures that hold a version that is not current, or a current one more often than those of a fresh router.
    /// The registry alone where it is one of them, since the others follow it.
    pub(super) fn keeping(&self, registry: Option<&str>) -> BTreeSet<String> {
        let of = |misfit| match misfit {
            Misfit::Holds(structure, tag, 1..) if !self.is_current(&tag) => Some(structure),
            Misfit::HoldsCopy(structure, _) => Some(structure),
            _ => None,
        };
        let mut keeping: BTreeSet<String> = self.misfits().into_iter().filter_map(of).collect();
        if registry.is_some_and(|registry| keeping.contains(registry)) {
            keeping.retain(|structure| Some(structure.as_str()) == registry);
        }
        keeping
    }

    fn is_claimed_by_fresh(&self, id: &str) -> bool {
        let held = self.first_fresh().and_then(|fresh| fresh.held.as_ref());
        held.is_some_and(|held| held.iter().any(|held| held == id))
    }

    /// Returns the router at this stage as data of a report.
    pub(super) fn told(&self) -> Told {
        let version = |id: &str, tag: &str| Version {
            id: id.to_owned(),
            tag: tag.to_owned(),
        };
        let mut serves = BTreeSet::new();
        let mut told = Told {
            outcome: self.change.as_ref().map(|(_, outcome)| outcome.clone()),
            rows: self.table.values().map(|row| version(&row.id, &row.tag)).collect(),
            ..Told::default()
        };
        for shown in &self.here.shown {
            match shown {
                Shown::Answers(answers) => {
                    let candidates = answers.iter().flat_map(Answer::candidates);
                    serves.extend(candidates.map(|candidate| version(&candidate.id, &candidate.tag)));
                }
                Shown::Holds(holds) => told.holds.clone_from(holds),
                _ => {}
            }
        }
        told.serves = serves.into_iter().collect();
        told
    }

    fn is_current(&self, tag: &str) -> bool {
        self.table.values().any(|row| row.tag == tag)
    }

    /// Every way in which the router is out of step with the first fresh one.
    pub(super) fn misfits(&self) -> BTreeSet<Misfit> {
        let Some(fresh) = self.first_fresh() else {
            return BTreeSet::new();
        };
        let mut misfits = BTreeSet::new();
        if let (Some(here), Some(there)) = (&self.here.held, &fresh.held) {
            let claimed = surplus(here, there).into_iter();
            misfits.extend(claimed.map(|(id, more)| Misfit::Claimed(id.clone(), more)));
        }
        for (place, (here, there)) in self.here.shown.iter().zip(&fresh.shown).enumerate() {
            misfits.extend(misfits_of(place, here, there));
        }
        misfits
    }
}

fn misfits_of(place: usize, here: &Shown, there: &Shown) -> Vec<Misfit> {
    match (here, there) {
        (Shown::Names(here), Shown::Names(there)) => {
            let listed = |(name, more): (&String, i64)| Misfit::Listed(place, name.clone(), more);
            surplus(here, there).into_iter().map(listed).collect()
        }
        (Shown::Answers(here), Shown::Answers(there)) => here
            .iter()
            .zip(there)
            .flat_map(|(here, there)| {
                let is_copy = |candidate| there.candidates().contains(candidate);
                let served = surplus(here.candidates(), there.candidates()).into_iter();
                served.map(move |(candidate, more)| {
                    let (id, tag) = (candidate.id.clone(), candidate.tag.clone());
                    match (more, is_copy(candidate)) {
                        (..0, _) => Misfit::Unserved(id, tag),
                        (_, true) => Misfit::ServedCopy(id, tag),
                        (_, false) => Misfit::Served(id, tag),
                    }
                })
            })
            .collect(),
        (Shown::Sizes(here), Shown::Sizes(there)) => here
            .iter()
            .filter_map(|(structure, size)| {
                let more = difference(*size, *there.get(structure)?);
                (more != 0).then(|| Misfit::Size(structure.clone(), more))
            })
            .collect(),
        (Shown::Holds(here), Shown::Holds(there)) => here
            .iter()
            .filter_map(|(structure, tags)| Some((structure, tags, there.get(structure)?)))
            .flat_map(|(structure, here, there)| {
                let holds = |(tag, more): (&String, i64)| match more {
                    1.. if there.contains(tag) => Misfit::HoldsCopy(structure.clone(), tag.clone()),
                    _ => Misfit::Holds(structure.clone(), tag.clone(), more),
                };
                surplus(here, there).into_iter().map(holds).collect::<Vec<_>>()
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn difference(here: u64, there: u64) -> i64 {
    i64::try_from(here).unwrap_or(i64::MAX) - i64::try_from(there).unwrap_or(i64::MAX)
}

/// Each item that one list has more often than the other, or less often, with the difference.
pub(super) fn surplus<'a, T: Ord>(here: &'a [T], there: &'a [T]) -> BTreeMap<&'a T, i64> {
    let mut counts: BTreeMap<&T, i64> = BTreeMap::new();
    for item in here {
        *counts.entry(item).or_default() += 1;
    }
    for item in there {
        *counts.entry(item).or_default() -= 1;
    }
    counts.retain(|_, more| *more != 0);
    counts
}
