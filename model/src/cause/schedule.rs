//! The cause of a failure of a fleet: what its shrunk schedule cannot do without, and what is left behind.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    AdapterFault, Answer, Candidate, Now, Op, Outcome, Place, Question, RouterUnderTest, Row, RowOrder, Shown, Step,
    StepReply, StoreView, Trace, World, Write,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Told;
use crate::closing::fleet_run;
use crate::evidence::fleet::History;
use crate::failure::{Allowed, Failure, Finding, Got, Tier, Version};
use crate::rules::RuleId;
use crate::search::SWEEP;

/// What a schedule cannot do without for a fleet to fail, and what it leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Schedule {
    /// The operation that was held and what overtook it; none where nothing was held.
    pub race: Option<Race>,
    /// What the store did that it should not.
    pub store: BTreeSet<String>,
    /// What the last write before it showed does to its row, where nothing was held.
    pub change: Option<RowChange>,
    /// True if that replica had crashed.
    pub restarts: bool,
    /// True if the row goes by a pattern, false if by a name; absent where it is not about a lookup.
    pub by_pattern: Option<bool>,
    /// What it left behind.
    pub left: Left,
    /// The structure that has another size, where it is one that does.
    pub structure: Option<String>,
    /// Whether a poll of that replica ends it; absent where that is not known.
    pub until: Option<Until>,
}

/// What a write does to its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowChange {
    /// A new row.
    Addition,
    /// Another version of a row.
    Update,
    /// The removal of a row.
    Delete,
}

/// The end of a failure, once nothing happens any more but polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// Some poll of the replica ends it.
    Poll,
    /// Polls do not.
    Never,
}

/// An operation that is held, and what runs meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Race {
    /// The verb of the held operation.
    pub held: String,
    /// The point where it is held.
    pub until: Place,
    /// The verbs of what runs meanwhile at the same replica.
    pub here: BTreeSet<String>,
    /// The verbs of what runs meanwhile elsewhere.
    pub elsewhere: BTreeSet<String>,
}

/// What a schedule leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    /// A version that should not be served: old, deleted or not yet written.
    Old,
    /// A row is missing.
    Missing,
    /// A row comes more than once.
    Twice,
    /// A structure of another size.
    Size,
    /// A change was decided wrongly.
    Decision,
    /// The store has lost a write that was acknowledged.
    Write,
    /// A replica polls no more.
    Stuck,
    /// The state is right, and another team's row is served.
    OtherTeam,
    /// The state is right, and a blocked row is served.
    Blocked,
    /// The state is right, and a request goes to another upstream model than the row says.
    Target,
    /// Another answer than is allowed, in some other way.
    #[default]
    Other,
}

impl Left {
    /// Returns whether it is one fault whatever schedule leads to it: an answer that is wrong in a right state, or a structure
    /// that grows or shrinks.
    fn is_of_any_schedule(self) -> bool {
        matches!(self, Self::OtherTeam | Self::Blocked | Self::Target | Self::Size)
    }
}

/// Returns whether a schedule tells what it fails by: it was made small, or it is one of the sweep that holds nothing, or it is
/// one fault whatever the schedule is.
pub(super) fn is_plain(failure: &Failure) -> bool {
    let holds = |step: &Step| matches!(step, Step::Begin(_));
    let is_told = failure.origin.universe == SWEEP && !failure.run.trace.steps.iter().any(holds);
    failure.shrunk || is_told || left(&failure.finding).is_of_any_schedule()
}

/// Returns the cause of the failure of a fleet. It rests on the shrunk schedule alone, each step of which is needed.
pub(super) fn schedule(failure: &Failure) -> Schedule {
    let Failure { finding, run, .. } = failure;
    let trace = &run.trace;
    let end = finding.after.min(trace.steps.len());
    let replica = finding.replica;
    let before = &trace.steps[..end];
    let race = race(trace);
    let left = left(finding);
    if left.is_of_any_schedule() {
        return Schedule {
            left,
            structure: finding.structure().map(str::to_owned),
            ..Schedule::default()
        };
    }
    Schedule {
        change: change(trace, before).filter(|_| race.is_none()),
        race,
        store: before.iter().filter_map(misbehaviour).collect(),
        restarts: before
            .iter()
            .any(|step| *step == Step::World(World::Crash(replica.unwrap_or_default()))),
        by_pattern: finding
            .tier
            .map(|tier| matches!(tier, Tier::TeamPattern | Tier::GlobalPattern)),
        left,
        structure: None,
        until: None,
    }
}

/// What the last write among these steps does to its row.
fn change(trace: &Trace, before: &[Step]) -> Option<RowChange> {
    let place = before.iter().rposition(|step| step.write().is_some())?;
    let write = &before[place].write()?.write;
    let earlier = before[..place].iter().filter_map(Step::write);
    let is_there = trace.setup.rows.iter().any(|row| row.id == write.id())
        || earlier
            .map(|op| &op.write)
            .any(|other| other.id() == write.id() && other.row().is_some());
    Some(match write {
        Write::Delete(_) => RowChange::Delete,
        Write::Put(_) | Write::Add(_) if !is_there => RowChange::Addition,
        Write::Put(_) | Write::Add(_) | Write::Patch(_) => RowChange::Update,
    })
}

/// What was seen before the first step of a schedule and after each: the word on a write, the rows of the store, and what the
/// replica that showed the failure answered and held.
///
/// # Errors
///
/// Those of the fleet under test.
pub(super) fn told(fleet: &mut dyn RouterUnderTest, failure: &Failure) -> Result<Vec<Told>, AdapterFault> {
    let question = failure.finding.question.clone();
    let queries = question.iter().filter_map(Question::query).cloned().collect();
    let can = fleet.hello().capabilities.clone();
    let run = fleet_run(failure.run.trace.clone(), queries, &can);
    let replies = fleet.run(std::slice::from_ref(&run))?;
    let Some(reply) = replies.first() else {
        return Ok(Vec::new());
    };
    let history = History::new(&run, reply)?;
    let seen = |after: usize| Told {
        outcome: after.checked_sub(1).and_then(|step| outcome(reply.steps.get(step)?)),
        rows: history.store(after).map_or_else(Vec::new, |store| {
            let version = |row: &Row| Version {
                id: row.id.clone(),
                tag: row.tag.clone(),
            };
            store.values().map(version).collect()
        }),
        serves: served(&history, failure.finding.replica, question.as_ref(), after),
        holds: held(&history, failure.finding.replica, after),
    };
    Ok((0..=run.trace.steps.len()).map(seen).collect())
}

/// The outcome of the write that a step carried out.
fn outcome(reply: &StepReply) -> Option<Outcome> {
    let StepReply::Moved(moved) = reply else { return None };
    match &moved.first()?.now {
        Now::Changed(changed) => Some(changed.outcome.clone()),
        _ => None,
    }
}

fn served(history: &History, replica: Option<u8>, question: Option<&Question>, after: usize) -> Vec<Version> {
    let shown = replica
        .zip(question)
        .and_then(|(replica, question)| history.answer_at(replica, after, question));
    let Some(Shown::Answers(answers)) = shown else {
        return Vec::new();
    };
    let version = |candidate: &Candidate| Version {
        id: candidate.id.clone(),
        tag: candidate.tag.clone(),
    };
    let versions: BTreeSet<Version> = answers.iter().flat_map(Answer::candidates).map(version).collect();
    versions.into_iter().collect()
}

fn held(history: &History, replica: Option<u8>, after: usize) -> BTreeMap<String, Vec<String>> {
    match replica.and_then(|replica| history.answer_at(replica, after, &Question::Holds)) {
        Some(Shown::Holds(holds)) => holds.clone(),
        _ => BTreeMap::new(),
    }
}

/// The word for an operation: of a write that of its kind.
fn verb(op: &Op) -> String {
    match op {
        Op::Write(op) => op.write.verb(),
        other => other.verb(),
    }
    .to_owned()
}

/// The first operation that is held, and what runs until it goes on.
fn race(trace: &Trace) -> Option<Race> {
    let mut steps = trace.steps.iter();
    let begin = steps.find_map(|step| match step {
        Step::Begin(begin) => Some(begin),
        _ => None,
    })?;
    let meanwhile = steps.take_while(|step| !matches!(step, Step::Finish(op) if *op == begin.op));
    let mut race = Race {
        held: verb(&begin.act),
        until: begin.until,
        here: BTreeSet::new(),
        elsewhere: BTreeSet::new(),
    };
    for step in meanwhile {
        let (replica, verb) = match (step.op(), step) {
            (Some(op), _) => (op.replica(), verb(op)),
            (None, Step::World(World::Crash(replica))) => (Some(*replica), "crash".to_owned()),
            (None, _) => continue,
        };
        if replica == begin.act.replica() {
            race.here.insert(verb);
        } else {
            race.elsewhere.insert(verb);
        }
    }
    Some(race)
}

/// What the store does that it should not, in words.
fn misbehaviour(step: &Step) -> Option<String> {
    let words = match step {
        Step::World(World::StoreFails(true)) => "fails",
        Step::World(World::StoreShows(StoreView::Nothing)) => "shows no row",
        Step::World(World::StoreShows(StoreView::FirstRow)) => "breaks off after the first row",
        Step::World(World::StoreShows(StoreView::BeforeLastWrite)) => "lags one write behind",
        Step::World(World::StoreOrder(RowOrder::LastUpdate | RowOrder::Shuffled(_))) => "gives rows in another order",
        _ => return None,
    };
    Some(words.to_owned())
}

pub(super) fn left(finding: &Finding) -> Left {
    match finding.rule {
        RuleId::Scoped => return Left::OtherTeam,
        RuleId::NotBlocked => return Left::Blocked,
        RuleId::Resolved => return Left::Target,
        _ => {}
    }
    match (&finding.allowed, &finding.got) {
        (Allowed::Once(_) | Allowed::IdOnce(_), _) => Left::Twice,
        (_, Got::Sizes(_) | Got::Size(_)) => Left::Size,
        (_, Got::Outcome(_)) => Left::Decision,
        (_, Got::Cell(_)) => Left::Write,
        (_, Got::Poll(_)) => Left::Stuck,
        (Allowed::Answer(allowed), Got::Answer(got)) => between(allowed, got),
        (Allowed::Version(_) | Allowed::AtLeast(_), Got::Answer(got)) if got.candidates().is_empty() => Left::Missing,
        (Allowed::Version(_) | Allowed::AtLeast(_) | Allowed::NoRow(_), Got::Answer(_)) => Left::Old,
        (Allowed::AnyAnswer, _) | (Allowed::Version(_) | Allowed::AtLeast(_), Got::Ids(_)) => Left::Missing,
        (Allowed::Ids(allowed), Got::Ids(got))
        | (Allowed::Tags(allowed), Got::Tags(got))
        | (Allowed::Names(allowed), Got::Names(got)) => of_lists(allowed, got),
        _ => Left::Other,
    }
}

fn between(allowed: &Answer, got: &Answer) -> Left {
    let version = |candidate: &Candidate| format!("{} {}", candidate.id, candidate.tag);
    let versions = |answer: &Answer| answer.candidates().iter().map(version).collect::<Vec<_>>();
    of_lists(&versions(allowed), &versions(got))
}

fn of_lists(allowed: &[String], got: &[String]) -> Left {
    if got.iter().any(|one| !allowed.contains(one)) {
        Left::Old
    } else if allowed.iter().any(|one| !got.contains(one)) {
        Left::Missing
    } else if got.len() > allowed.len() {
        Left::Twice
    } else {
        Left::Other
    }
}
