//! Hostile bytes into every parser of the protocol, and values through every printer and back.
//!
//! No input breaks a parser, and what one has read it reads again as the same value from its own print.

use std::fmt::Debug;

use adapter_reference::Reference;
use arbitrary::{Arbitrary, Unstructured};
use protocol::serve::{Line, read_line};
use protocol::wire::{Call, HelloCall, PROTOCOL_VERSION, Reply, Request, Response};
use protocol::{
    Answer, Candidate, Change, Changed, FleetStep, InProcess, Observation, Outcome, Query, Refusal, Row, Run, RunReply,
    Step, StepReply, Trace, Via, Write, serve,
};

use crate::failure::{Failure, caught};
use crate::{Body, Ran, Settings, Work};

/// A target that keeps nothing from one input to the next.
struct Plain(fn(&[u8]) -> Result<Option<u64>, String>);

impl Body for Plain {
    fn run(&mut self, data: &[u8]) -> Ran {
        let done = caught(|| (self.0)(data)).map_err(Failure::of_bytes)?;
        Ok(done.map(|steps| Work { steps, lookups: 0 }))
    }
}

/// The target `trace_file`.
///
/// # Errors
///
/// None.
pub fn trace_file(_: &Settings) -> Result<Box<dyn Body>, String> {
    Ok(Box::new(Plain(|data| {
        let Ok(text) = std::str::from_utf8(data) else {
            return Ok(None);
        };
        match Trace::parse(text) {
            Ok(trace) => trace_again(&trace).map(|()| Some(1)),
            Err(why) if why.to_string().is_empty() => Err("an error without a word".to_owned()),
            Err(_) => Ok(Some(0)),
        }
    })))
}

/// The target `wire_bytes`.
///
/// # Errors
///
/// None.
pub fn wire_bytes(_: &Settings) -> Result<Box<dyn Body>, String> {
    Ok(Box::new(Plain(|data| {
        let mut read = 0;
        for line in data.split(|byte| *byte == b'\n') {
            if let Ok(request) = serde_json::from_slice::<Request>(line) {
                read += 1;
                json_again(&request)?;
            }
            if let Ok(response) = serde_json::from_slice::<Response>(line) {
                read += 1;
                json_again(&response)?;
            }
        }
        served(data)?;
        Ok(Some(read))
    })))
}

/// The target `wire_roundtrip`.
///
/// # Errors
///
/// None.
pub fn wire_roundtrip(_: &Settings) -> Result<Box<dyn Body>, String> {
    Ok(Box::new(Plain(|data| {
        let Ok(value) = Value::arbitrary_take_rest(Unstructured::new(data)) else {
            return Ok(None);
        };
        value.again().map(|()| Some(1))
    })))
}

/// A router is served over these lines: each gets one reply, which is one of the protocol.
fn served(data: &[u8]) -> Result<(), String> {
    let mut router = InProcess::new(Reference::default());
    let mut output = Vec::new();
    serve(&mut router, data, &mut output).map_err(|why| format!("serving broke: {why}"))?;
    let (mut input, mut line, mut lines) = (data, Vec::new(), 0);
    while read_line(&mut input, &mut line).map_err(|why| why.to_string())? != Line::End {
        lines += 1;
    }
    let replies = output.split_inclusive(|byte| *byte == b'\n');
    for reply in replies.clone() {
        serde_json::from_slice::<Response>(reply).map_err(|why| format!("a reply is none of the protocol: {why}"))?;
    }
    if replies.count() != lines {
        return Err(format!("{lines} lines did not get one reply each"));
    }
    Ok(())
}

fn json_again<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug>(value: &T) -> Result<(), String> {
    let print = serde_json::to_string(value).map_err(|why| format!("{value:?} cannot be printed: {why}"))?;
    let again: T = serde_json::from_str(&print).map_err(|why| format!("{print} cannot be read again: {why}"))?;
    if again != *value {
        return Err(format!("{print} is read as another value: {again:?}"));
    }
    Ok(())
}

fn trace_again(trace: &Trace) -> Result<(), String> {
    let print = trace.to_toml();
    let again = Trace::parse(&print).map_err(|why| format!("{print} cannot be read again: {why}"))?;
    if again != *trace {
        return Err(format!("{print} is read as another trace: {again:?}"));
    }
    // Another reader's format: nothing here reads it, but it can always be written.
    drop(trace.to_itf());
    Ok(())
}

/// A value of the protocol, made of any texts and numbers.
#[derive(Arbitrary, Debug)]
enum Value {
    Trace {
        why: String,
        rule: Option<String>,
        router: Option<String>,
        seed: Option<u32>,
        initial: Vec<AnyRow>,
        steps: Vec<AnyStep>,
    },
    Hello(u64, u32),
    Runs(u64, Vec<AnyRun>),
    Replies(u64, Vec<AnyReply>),
}

impl Value {
    fn again(self) -> Result<(), String> {
        let (id, reply) = match self {
            Self::Trace {
                why,
                rule,
                router,
                seed,
                initial,
                steps,
            } => {
                let mut trace = Trace::new(&why, rows(initial), steps.into_iter().map(Into::into).collect());
                (trace.rule, trace.router, trace.seed) = (rule, router, seed);
                // A trace says why it is kept and does something: any other one is refused, and has no second reading.
                let refused = why.trim().is_empty() || (trace.initial.is_empty() && trace.steps.is_empty());
                return match Trace::parse(&trace.to_toml()) {
                    Err(_) if refused => Ok(()),
                    Ok(_) if refused => Err(format!("a trace of nothing is taken: {trace:?}")),
                    _ => trace_again(&trace),
                };
            }
            Self::Hello(id, protocol) => {
                let call = Call::Hello(HelloCall { protocol });
                json_again(&Request { id, call })?;
                let mut hello = protocol::RouterUnderTest::hello(&InProcess::new(Reference::default())).clone();
                hello.protocol = protocol.max(PROTOCOL_VERSION);
                (id, Reply::Hello(hello))
            }
            Self::Runs(id, runs) => {
                let call = Call::Runs(runs.into_iter().map(Into::into).collect());
                return json_again(&Request { id, call });
            }
            Self::Replies(id, replies) => (id, Reply::Runs(replies.into_iter().map(Into::into).collect())),
        };
        json_again(&Response { id, reply })
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
enum AnyChange {
    Upsert(AnyRow),
    Add(AnyRow),
    Delete(String),
    Replace(Vec<AnyRow>),
}

impl From<AnyChange> for Change {
    fn from(change: AnyChange) -> Self {
        match change {
            AnyChange::Upsert(row) => Self::Upsert(row.into()),
            AnyChange::Add(row) => Self::Add(row.into()),
            AnyChange::Delete(id) => Self::Delete(id),
            AnyChange::Replace(list) => Self::Replace(rows(list)),
        }
    }
}

#[derive(Arbitrary, Debug)]
struct AnyQuery {
    model: String,
    team: Option<String>,
    replica: Option<u8>,
}

impl From<AnyQuery> for Query {
    fn from(query: AnyQuery) -> Self {
        Self {
            model: query.model,
            team: query.team,
            replica: query.replica,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyStep {
    Change(AnyChange),
    Lookup(AnyQuery),
    Write(Option<u8>, AnyChange),
    Poll(u8),
    PollRead(u8),
    PollApply(u8),
    StoreFails(bool),
    Crash(u8),
    Start(u8),
    Deliver(u8),
    Drop(u8),
}

impl From<AnyStep> for Step {
    fn from(step: AnyStep) -> Self {
        Self::Fleet(match step {
            AnyStep::Change(change) => return Self::Change(change.into()),
            AnyStep::Lookup(query) => return Self::Lookup(query.into()),
            AnyStep::Write(replica, change) => FleetStep::Write(Write {
                via: replica.map_or(Via::Store, Via::Replica),
                change: change.into(),
            }),
            AnyStep::Poll(replica) => FleetStep::Poll(replica),
            AnyStep::PollRead(replica) => FleetStep::PollRead(replica),
            AnyStep::PollApply(replica) => FleetStep::PollApply(replica),
            AnyStep::StoreFails(on) => FleetStep::StoreFails(on),
            AnyStep::Crash(replica) => FleetStep::Crash(replica),
            AnyStep::Start(replica) => FleetStep::Start(replica),
            AnyStep::Deliver(replica) => FleetStep::Deliver(replica),
            AnyStep::Drop(replica) => FleetStep::Drop(replica),
        })
    }
}

#[derive(Arbitrary, Debug)]
struct AnyRun {
    initial: Vec<AnyRow>,
    replicas: u8,
    steps: Vec<AnyStep>,
    observe: Vec<u32>,
    queries: Vec<AnyQuery>,
    viewers: Vec<Option<String>>,
}

impl From<AnyRun> for Run {
    fn from(run: AnyRun) -> Self {
        Self {
            initial: rows(run.initial),
            replicas: run.replicas,
            steps: run.steps.into_iter().map(Into::into).collect(),
            observe: run.observe,
            queries: run.queries.into_iter().map(Into::into).collect(),
            viewers: run.viewers,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyOutcome {
    Applied,
    Unchanged,
    Refused(String),
}

impl From<AnyOutcome> for Outcome {
    fn from(outcome: AnyOutcome) -> Self {
        match outcome {
            AnyOutcome::Applied => Self::Applied,
            AnyOutcome::Unchanged => Self::Unchanged,
            AnyOutcome::Refused(why) => Self::Refused(why),
        }
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

#[derive(Arbitrary, Debug)]
struct AnyReply {
    initial: (AnyOutcome, Option<Vec<String>>),
    answered: Vec<Vec<AnyAnswer>>,
    did: Vec<AnyOutcome>,
    seen: Vec<AnySeen>,
    router_ns: Option<u64>,
}

#[derive(Arbitrary, Debug)]
struct AnySeen {
    replica: Option<u8>,
    answers: Vec<AnyAnswer>,
    listings: Vec<Vec<String>>,
    sizes: std::collections::BTreeMap<String, u64>,
}

impl From<AnyReply> for RunReply {
    fn from(reply: AnyReply) -> Self {
        let (outcome, held) = reply.initial;
        let answers = |list: Vec<AnyAnswer>| list.into_iter().map(Answer::from).collect();
        let answered = reply
            .answered
            .into_iter()
            .map(|list| StepReply::Answered(answers(list)));
        let did = reply.did.into_iter().map(|outcome| StepReply::Did(outcome.into()));
        let seen = reply.seen.into_iter().map(|seen| Observation {
            replica: seen.replica,
            answers: seen.answers.into_iter().map(|answer| vec![answer.into()]).collect(),
            listings: seen.listings,
            sizes: seen.sizes,
        });
        Self {
            initial: Changed {
                outcome: outcome.into(),
                held,
            },
            steps: answered.chain(did).collect(),
            observations: seen.collect(),
            router_ns: reply.router_ns,
        }
    }
}
