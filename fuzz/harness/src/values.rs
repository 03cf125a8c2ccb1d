//! Any values of the protocol, made of any texts and numbers.
//!
//! The types of the protocol know nothing of fuzzers: each has a mirror here that is drawn in its place. Traces are such as
//! their format takes: each step fits the level, and names a replica that there is.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use protocol::wire::{REPLICAS_MAX, RUN_BEGUN_MAX};
use protocol::{
    Answer, Begin, Candidate, Change, Changed, ConfigFile, Fields, Moved, Now, Observation, Op, OpId, Outcome, Patch,
    Place, Point, Query, Question, Questions, Refusal, RequestOp, Round, Row, RowOrder, Run, RunReply, Setup, Shown,
    Step, StepReply, StoreView, Trace, TraceFile, Via, World, Write, WriteOp,
};

/// A value of the protocol.
#[derive(Arbitrary, Debug)]
pub(crate) enum Value {
    /// A trace file.
    File(AnyFile),
    /// A greeting: its id, and the version of the protocol.
    Hello(u64, u32),
    /// Runs, under an id.
    Runs(u64, Vec<AnyRun>),
    /// The replies to runs, under an id.
    Replies(u64, Vec<AnyReply>),
}

/// Any trace file, but perhaps without a reason or a step.
#[derive(Arbitrary, Debug)]
pub struct AnyFile {
    why: String,
    rule: Option<String>,
    router: Option<String>,
    seed: Option<u32>,
    trace: AnyTrace,
}

impl From<AnyFile> for TraceFile {
    fn from(file: AnyFile) -> Self {
        Self {
            rule: file.rule,
            router: file.router,
            seed: file.seed,
            ..Self::new(&file.why, file.trace.into())
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyTrace {
    Router(Vec<AnyRow>, Vec<AnyRouterStep>),
    Fleet(AnySetup, Vec<AnyFleetStep>),
}

#[derive(Arbitrary, Debug)]
struct AnySetup {
    replicas: u8,
    rows: Vec<AnyRow>,
    config: Option<Vec<AnyRow>>,
    order: AnyOrder,
}

impl From<AnyTrace> for Trace {
    fn from(trace: AnyTrace) -> Self {
        match trace {
            AnyTrace::Router(initial, steps) => {
                Self::of_router(rows(initial), steps.into_iter().map(Into::into).collect())
            }
            AnyTrace::Fleet(setup, steps) => {
                let replicas = 1 + setup.replicas % REPLICAS_MAX;
                // No more operations than may be begun.
                let steps = steps.into_iter().take(RUN_BEGUN_MAX);
                let setup = Setup {
                    replicas,
                    rows: rows(setup.rows),
                    config: setup.config.map(rows),
                    order: setup.order.into(),
                };
                Self {
                    setup,
                    ..Self::of_fleet(replicas, steps.map(|step| step.of(replicas)).collect())
                }
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
struct AnyRow {
    texts: [String; 4],
    team: Option<String>,
    team_model_name: Option<String>,
    blocked: bool,
    weight: Option<u32>,
    extra: Option<String>,
}

impl From<AnyRow> for Row {
    fn from(row: AnyRow) -> Self {
        let [id, model_name, model, tag] = row.texts;
        Self {
            id,
            model_name,
            model,
            tag,
            team: row.team,
            team_model_name: row.team_model_name,
            blocked: row.blocked,
            weight: row.weight,
            extra: row.extra,
        }
    }
}

fn rows(rows: Vec<AnyRow>) -> Vec<Row> {
    rows.into_iter().map(Into::into).collect()
}

#[derive(Arbitrary, Debug)]
enum AnyRouterStep {
    Upsert(AnyRow),
    Add(AnyRow),
    Delete(String),
    Replace(Vec<AnyRow>),
    Ask(AnyQuestion),
}

impl From<AnyRouterStep> for Step {
    fn from(step: AnyRouterStep) -> Self {
        Self::Change(match step {
            AnyRouterStep::Upsert(row) => Change::Upsert(row.into()),
            AnyRouterStep::Add(row) => Change::Add(row.into()),
            AnyRouterStep::Delete(id) => Change::Delete(id),
            AnyRouterStep::Replace(list) => Change::Replace(rows(list)),
            AnyRouterStep::Ask(question) => return Self::Ask(None, question.into()),
        })
    }
}

#[derive(Arbitrary, Debug)]
enum AnyQuestion {
    Lookup(String, Option<String>),
    Listing(Option<String>),
    Claims,
    Sizes,
}

impl From<AnyQuestion> for Question {
    fn from(question: AnyQuestion) -> Self {
        match question {
            AnyQuestion::Lookup(model, team) => Self::Lookup(Query { model, team }),
            AnyQuestion::Listing(team) => Self::Listing(team),
            AnyQuestion::Claims => Self::Claims,
            AnyQuestion::Sizes => Self::Sizes,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyFleetStep {
    Do(AnyOp),
    Begin(String, AnyOp, AnyPlace, u8),
    Finish(String),
    StoreFails(bool),
    StoreShows(AnyView),
    StoreOrder(AnyOrder),
    Config(Option<Vec<AnyRow>>),
    Crash(u8),
    Duplicate(u8),
    Drop(u8),
    Defer(u8),
    Wait(u32),
    Ask(u8, AnyQuestion),
    Store,
}

impl AnyFleetStep {
    /// The step, of a fleet of so many replicas.
    fn of(self, replicas: u8) -> Step {
        Step::World(match self {
            Self::Do(op) => return Step::Do(op.of(replicas)),
            Self::Begin(op, act, until, nth) => {
                return Step::Begin(Begin {
                    // No name of an operation begins as those of steps do.
                    op: OpId(op.trim_start_matches(OpId::OF_STEP).to_owned()),
                    act: act.of(replicas),
                    until: until.into(),
                    nth: nth.max(1),
                });
            }
            Self::Finish(op) => return Step::Finish(OpId(op)),
            Self::Ask(replica, question) => return Step::Ask(Some(replica % replicas), question.into()),
            Self::Store => return Step::Ask(None, Question::Store),
            Self::StoreFails(on) => World::StoreFails(on),
            Self::StoreShows(view) => World::StoreShows(view.into()),
            Self::StoreOrder(order) => World::StoreOrder(order.into()),
            Self::Config(list) => World::Config(ConfigFile { rows: list.map(rows) }),
            Self::Crash(replica) => World::Crash(replica % replicas),
            Self::Duplicate(replica) => World::Duplicate(replica % replicas),
            Self::Drop(replica) => World::Drop(replica % replicas),
            Self::Defer(replica) => World::Defer(replica % replicas),
            Self::Wait(milliseconds) => World::Wait(milliseconds),
        })
    }
}

#[derive(Arbitrary, Debug)]
enum AnyOp {
    Write(Option<u8>, AnyWrite),
    Poll(u8),
    Start(u8),
    Deliver(u8),
    Request(u8, String, Option<String>),
}

impl AnyOp {
    /// The operation, of a fleet of so many replicas.
    fn of(self, replicas: u8) -> Op {
        match self {
            Self::Write(replica, write) => Op::Write(WriteOp {
                via: replica.map_or(Via::Store, |replica| Via::Replica(replica % replicas)),
                write: write.into(),
            }),
            Self::Poll(replica) => Op::Poll(replica % replicas),
            Self::Start(replica) => Op::Start(replica % replicas),
            Self::Deliver(replica) => Op::Deliver(replica % replicas),
            Self::Request(replica, model, team) => Op::Request(RequestOp {
                replica: replica % replicas,
                model,
                team,
            }),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyWrite {
    Put(AnyRow),
    Add(AnyRow),
    Delete(String),
    Patch {
        id: String,
        texts: [Option<String>; 6],
        blocked: Option<bool>,
        weight: Option<u32>,
    },
}

impl From<AnyWrite> for Write {
    fn from(write: AnyWrite) -> Self {
        match write {
            AnyWrite::Put(row) => Self::Put(row.into()),
            AnyWrite::Add(row) => Self::Add(row.into()),
            AnyWrite::Delete(id) => Self::Delete(id),
            AnyWrite::Patch {
                id,
                texts: [model_name, model, tag, team, team_model_name, extra],
                blocked,
                weight,
            } => Self::Patch(Patch {
                id,
                fields: Fields {
                    model_name,
                    model,
                    tag,
                    team,
                    team_model_name,
                    blocked,
                    weight,
                    extra,
                },
            }),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyPlace {
    BeforeRead,
    AfterRead,
    BeforeWrite,
    AfterWrite,
}

impl From<AnyPlace> for Place {
    fn from(place: AnyPlace) -> Self {
        match place {
            AnyPlace::BeforeRead => Self::BeforeRead,
            AnyPlace::AfterRead => Self::AfterRead,
            AnyPlace::BeforeWrite => Self::BeforeWrite,
            AnyPlace::AfterWrite => Self::AfterWrite,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyView {
    All,
    BeforeLastWrite,
    Nothing,
    FirstRow,
}

impl From<AnyView> for StoreView {
    fn from(view: AnyView) -> Self {
        match view {
            AnyView::All => Self::All,
            AnyView::BeforeLastWrite => Self::BeforeLastWrite,
            AnyView::Nothing => Self::Nothing,
            AnyView::FirstRow => Self::FirstRow,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyOrder {
    Insertion,
    LastUpdate,
    Shuffled(u32),
}

impl From<AnyOrder> for RowOrder {
    fn from(order: AnyOrder) -> Self {
        match order {
            AnyOrder::Insertion => Self::Insertion,
            AnyOrder::LastUpdate => Self::LastUpdate,
            AnyOrder::Shuffled(number) => Self::Shuffled(number),
        }
    }
}

/// Any run.
#[derive(Arbitrary, Debug)]
pub struct AnyRun {
    trace: AnyTrace,
    asked: Vec<AnyQuestion>,
    rounds: Vec<(u32, Option<Vec<u16>>)>,
}

impl From<AnyRun> for Run {
    fn from(run: AnyRun) -> Self {
        let rounds = run.rounds.into_iter().map(|(after, order)| Round {
            after,
            order,
            ..Round::all(0)
        });
        Self {
            trace: run.trace.into(),
            questions: Questions {
                asked: run.asked.into_iter().map(Into::into).collect(),
                rounds: rounds.collect(),
            },
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyOutcome {
    Applied,
    Unchanged,
    Refused(String),
}

#[derive(Arbitrary, Debug)]
struct AnyChanged(AnyOutcome, Option<Vec<String>>);

impl From<AnyChanged> for Changed {
    fn from(AnyChanged(outcome, held): AnyChanged) -> Self {
        let outcome = match outcome {
            AnyOutcome::Applied => Outcome::Applied,
            AnyOutcome::Unchanged => Outcome::Unchanged,
            AnyOutcome::Refused(why) => Outcome::Refused(why),
        };
        Self { outcome, held }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyAnswer {
    Candidates(Vec<[String; 3]>),
    Unknown,
    Blocked,
    Invalid,
    Failed(String),
}

impl From<AnyAnswer> for Answer {
    fn from(answer: AnyAnswer) -> Self {
        let candidate = |[id, model, tag]: [String; 3]| Candidate { id, model, tag };
        match answer {
            AnyAnswer::Candidates(list) => Self::Candidates(list.into_iter().map(candidate).collect()),
            AnyAnswer::Unknown => Self::Refused(Refusal::UnknownModel),
            AnyAnswer::Blocked => Self::Refused(Refusal::Blocked),
            AnyAnswer::Invalid => Self::Refused(Refusal::Invalid),
            AnyAnswer::Failed(why) => Self::Failed(why),
        }
    }
}

fn answers(list: Vec<AnyAnswer>) -> Vec<Answer> {
    list.into_iter().map(Into::into).collect()
}

#[derive(Arbitrary, Debug)]
enum AnyShown {
    Answers(Vec<AnyAnswer>),
    Names(Vec<String>),
    Ids(Vec<String>),
    Sizes(BTreeMap<String, u64>),
    Rows(Vec<AnyRow>),
}

impl From<AnyShown> for Shown {
    fn from(shown: AnyShown) -> Self {
        match shown {
            AnyShown::Answers(list) => Self::Answers(answers(list)),
            AnyShown::Names(names) => Self::Names(names),
            AnyShown::Ids(ids) => Self::Ids(ids),
            AnyShown::Sizes(sizes) => Self::Sizes(sizes),
            AnyShown::Rows(list) => Self::Rows(rows(list)),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyNow {
    Changed(AnyChanged),
    Answered(Vec<AnyAnswer>),
    Done,
    Failed(String),
    Held(AnyPlace, u8),
    Waiting(Option<String>),
    Lost,
}

impl From<AnyNow> for Now {
    fn from(now: AnyNow) -> Self {
        match now {
            AnyNow::Changed(changed) => Self::Changed(changed.into()),
            AnyNow::Answered(list) => Self::Answered(answers(list)),
            AnyNow::Done => Self::Done,
            AnyNow::Failed(why) => Self::Failed(why),
            AnyNow::Held(place, nth) => {
                let place = place.into();
                Self::Held(Point { place, nth })
            }
            AnyNow::Waiting(op) => Self::Waiting(op.map(OpId)),
            AnyNow::Lost => Self::Lost,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyStepReply {
    Changed(AnyChanged),
    Shown(AnyShown),
    Moved(Vec<(String, AnyNow)>),
}

impl From<AnyStepReply> for StepReply {
    fn from(reply: AnyStepReply) -> Self {
        let moved = |(op, now): (String, AnyNow)| Moved {
            op: OpId(op),
            now: now.into(),
        };
        match reply {
            AnyStepReply::Changed(changed) => Self::Changed(changed.into()),
            AnyStepReply::Shown(shown) => Self::Shown(shown.into()),
            AnyStepReply::Moved(list) => Self::Moved(list.into_iter().map(moved).collect()),
        }
    }
}

/// Any reply to a run.
#[derive(Arbitrary, Debug)]
pub struct AnyReply {
    setup: AnyChanged,
    steps: Vec<AnyStepReply>,
    rounds: Vec<Vec<(Option<u8>, Vec<AnyShown>)>>,
    did: Vec<Option<String>>,
    router_ns: Option<u64>,
}

impl From<AnyReply> for RunReply {
    fn from(reply: AnyReply) -> Self {
        let observation = |(replica, shown): (Option<u8>, Vec<AnyShown>)| Observation {
            replica,
            shown: shown.into_iter().map(Into::into).collect(),
        };
        let round = |round: Vec<_>| round.into_iter().map(observation).collect();
        Self {
            setup: reply.setup.into(),
            steps: reply.steps.into_iter().map(Into::into).collect(),
            rounds: reply.rounds.into_iter().map(round).collect(),
            did: reply.did,
            router_ns: reply.router_ns,
        }
    }
}
