//! The wire: JSON Lines over stdin and stdout. One request a line, one reply a line, ids echoed.
//!
//! ```text
//! -> {"id":1,"call":{"hello":{"protocol":2}}}
//! <- {"id":1,"reply":{"hello":{"protocol":2,"router":"mine","version":"2.0",...}}}
//! -> {"id":2,"call":{"runs":[{"trace":{"steps":[{"upsert":{...}}]},
//!     "questions":{"asked":[{"lookup":{"model":"gpt-4o"}}],"rounds":[{"after":1}]}}]}}
//! <- {"id":2,"reply":{"runs":[{"setup":{"outcome":"applied"},"steps":[{"changed":{"outcome":"applied"}}],
//!     "rounds":[[{"shown":[{"answers":[...]}]}]]}]}}
//! ```
//!
//! Each run starts from a fresh router. A line that cannot be served is answered by an [`ErrorReply`]; the end of the
//! input ends the adapter. Everything else that an adapter wants to say goes to stderr.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ask::{Query, Question, Questions};
use crate::dialect::{PatternShape, STALE_FOR_MS_MAX, Settles, StructureKind, Texts};
use crate::op::{Op, OpId, World, Write};
use crate::row::{Row, is_default};
use crate::run::{Run, RunReply};
use crate::step::{Change, Step};
use crate::trace::{Level, Setup, Trace};

/// The version of this protocol.
pub const PROTOCOL_VERSION: u32 = 2;
/// The longest line either side accepts, newline included.
pub const LINE_BYTES_MAX: usize = 16 << 20;
/// The most runs in one message.
pub const BATCH_RUNS_MAX: usize = 256;
/// The most steps in one run or trace.
pub const RUN_STEPS_MAX: usize = 10_000;
/// The most questions of one run.
pub const RUN_QUESTIONS_MAX: usize = 4_096;
/// The most operations of a fleet that are begun in one run.
pub const RUN_BEGUN_MAX: usize = 256;
/// The most rows in one list.
pub const LIST_ROWS_MAX: usize = 10_000;
/// The longest name, id, tag or target, in bytes.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// The most replicas of a fleet.
pub const REPLICAS_MAX: u8 = 16;
/// The most paths, extras, target prefixes or capabilities that a hello may declare.
pub const HELLO_ITEMS_MAX: usize = 256;
/// The longest line that says hello, newline included.
pub const HELLO_BYTES_MAX: usize = 1 << 20;
/// The longest `params` of an extra, in bytes of JSON.
pub const PARAMS_BYTES_MAX: usize = 64 << 10;

/// The longest text of what an adapter did in one step, in bytes.
pub const DID_BYTES_MAX: usize = 4_096;

/// One line to an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Chosen by the caller, echoed in the reply.
    pub id: u64,
    /// The call that the adapter is to serve.
    pub call: Call,
}

/// A call that an adapter can be asked to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// The greeting: who are you? The first line of every conversation.
    Hello(HelloCall),
    /// Carry out these runs, each from a fresh router, in order.
    Runs(Vec<Run>),
}

/// The caller's half of the greeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HelloCall {
    /// [`PROTOCOL_VERSION`] of the caller.
    pub protocol: u32,
}

/// One line from an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The id of the request that this answers.
    pub id: u64,
    /// The answer.
    pub reply: Reply,
}

/// A reply that an adapter can give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `hello`.
    Hello(Box<Hello>),
    /// To `runs`: one reply a run, in order.
    Runs(Vec<RunReply>),
    /// The request could not be served.
    Error(ErrorReply),
}

/// The reason why a request could not be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorReply {
    /// The kind of error.
    pub code: ErrorCode,
    /// A message for a person: what happened and what to do next.
    pub message: String,
}

/// The kinds of error that an adapter can reply with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The line is not a request of this protocol.
    BadRequest,
    /// The request names a protocol version or a step that this adapter does not have.
    Unsupported,
    /// The request is over one of the limits.
    TooLarge,
    /// The adapter itself broke.
    Internal,
}

/// An adapter's description of its router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the adapter.
    pub protocol: u32,
    /// The router's name, such as `litellm`.
    pub router: String,
    /// The router's version, such as `1.85.0`.
    pub version: String,
    /// The capabilities of the router. Nothing else will be asked of it.
    pub capabilities: Vec<Capability>,
    /// The ways in which the router differs from others.
    #[serde(default)]
    pub dialect: Dialect,
}

impl Hello {
    /// Returns whether the router declares `capability`.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// One thing that a router can do, or has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// The `upsert` change.
    Upsert,
    /// The `add` change.
    Add,
    /// The `delete` change.
    Delete,
    /// The `replace` change.
    Replace,
    /// Names with `*`.
    Patterns,
    /// Rows that belong to a team.
    Teams,
    /// Rows that are blocked.
    Blocked,
    /// Lookups by deployment id.
    Ids,
    /// Weights.
    Weights,
    /// The listing of visible model names.
    Listing,
    /// The sizes of derived structures.
    Sizes,
    /// The ids that the router claims to hold, in each reply to a change.
    Claims,
    /// The tags that each derived structure still holds.
    Holds,
    /// The `wait` step in a trace of one router: so much real time passes.
    Wait,
    /// Several replicas over one store: writes straight into it, and polls.
    Fleet,
    /// Writes that come in at a replica of a fleet.
    Admin,
    /// Patches of some fields of a row.
    Patch,
    /// Operations that are held between two accesses to the store: `begin` and `finish`.
    Hold,
    /// Change notifications: `deliver`, `duplicate`, `drop` and `defer`.
    Notify,
    /// Callers who may make a replica read the store.
    Request,
    /// Accesses to the store that fail.
    StoreFails,
    /// Reads of the store that show too little, or what is out of date.
    StoreShows,
    /// Reads of the store that give its rows in another order.
    StoreOrder,
    /// A second source of rows: `config`, in the set-up and as a step.
    Config,
    /// Replicas that crash and start.
    Crash,
}

impl Capability {
    /// All that a fleet without a second source of rows can declare of its steps, beside [`Capability::Fleet`] itself.
    pub const OF_FLEETS: [Self; 9] = [
        Self::Admin,
        Self::Patch,
        Self::Hold,
        Self::Notify,
        Self::Request,
        Self::StoreFails,
        Self::StoreShows,
        Self::StoreOrder,
        Self::Crash,
    ];
}

/// The ways in which a router differs from others. Everything here has a default: an adapter states only what it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the protocol")]
pub struct Dialect {
    /// The semantics preset that the router claims to follow. Without one only the rules that need none are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semantics: Option<String>,
    /// The code paths that answer lookups, such as `sync` and `async`: each answer comes once a path. Empty: one path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Bundles of router-specific parameters that take another registration path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<Extra>,
    /// Read, and without effect: speed is measured.
    #[serde(default, skip_serializing_if = "is_default")]
    pub slow: bool,
    /// True if runs without changes have processes in which no change was ever made: what a change leaves outside of its
    /// router, in its process, then shows as a difference from a fresh router.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fresh_process: bool,
    /// The prefixes, such as `openai/`, one of which an upstream target must have for this router to take it. Empty:
    /// anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_prefixes: Vec<String>,
    /// The structure, by its name in the reply to [`Question::Holds`], that is the router's own list of what it serves: the
    /// table that its answers are held against in a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The content of derived structures, by their names in the reply to [`Question::Sizes`]. Those that are not named hold
    /// rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub structures: BTreeMap<String, StructureKind>,
    /// True if the order in which rows arrive is meant to matter: the first match wins, say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ordered: bool,
    /// True if an answer is one of several that the router picks from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub picks: bool,
    /// The moment from which on a change shows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub settles: Settles,
    /// The ids that the router can take; any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Texts>,
    /// The names that the router can take, `*` aside; any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Texts>,
    /// The shapes of names with `*` that the router can take. Empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pattern_shapes: Vec<PatternShape>,
    /// The most replicas that a fleet can have; [`REPLICAS_MAX`] where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u8>,
}

impl Dialect {
    /// Returns whether the structure of that name holds something of each row, and of no other.
    pub fn holds_rows(&self, structure: &str) -> bool {
        self.structures.get(structure).copied().unwrap_or_default() == StructureKind::Rows
    }

    /// Returns whether the router can take a row of that id.
    pub fn takes_id(&self, id: &str) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.take(id))
    }

    /// Returns whether the router can take a row of that name.
    pub fn takes_name(&self, name: &str) -> bool {
        let shape = PatternShape::of(name).filter(|_| !self.pattern_shapes.is_empty());
        let shape_is_taken = shape.is_none_or(|shape| self.pattern_shapes.contains(&shape));
        shape_is_taken && self.names.as_ref().is_none_or(|names| names.take_pattern(name))
    }

    /// Returns the number of answers of a lookup.
    pub fn path_count(&self) -> usize {
        self.paths.len().max(1)
    }
}

/// A named bundle of router-specific parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// The name that a row's `extra` uses.
    pub name: String,
    /// The registration path that it takes.
    pub why: String,
    /// The upstream target that such a row must have, where the path depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// True if such a row answers lookups as any other row does. A row that does not (a router within the router, say)
    /// is registered and changed like any other and judged by every rule but those that need the preset.
    #[serde(default = "yes")]
    pub plain: bool,
    /// True if such a row is meant to be several deployments of one id, which come up and are claimed once each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub copies: bool,
    /// The parameters themselves, in the router's own words, for a stand-alone reproduction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<serde_json::Value>,
}

fn yes() -> bool {
    true
}

/// Holds `runs` against the limits.
///
/// # Errors
///
/// A sentence that names the limit and what is over it.
pub fn check_runs(runs: &[Run]) -> Result<(), String> {
    within("a message", "runs", runs.len(), BATCH_RUNS_MAX)?;
    runs.iter().try_for_each(check_run)
}

fn check_run(run: &Run) -> Result<(), String> {
    check_trace(&run.trace)?;
    if run.trace.level == Level::Router && run.questions.asked.contains(&Question::Store) {
        return Err("`store` is asked of a fleet, and this is a run of one router; leave it out".to_owned());
    }
    check_questions(&run.questions, run.trace.steps.len())
}

fn check_questions(questions: &Questions, steps: usize) -> Result<(), String> {
    within("a run", "questions", questions.asked.len(), RUN_QUESTIONS_MAX)?;
    questions.asked.iter().try_for_each(check_question)?;
    let mut before = None;
    for round in &questions.rounds {
        let after = round.after;
        if before.is_some_and(|before| before >= after) {
            return Err(format!(
                "`rounds` must ascend, and {after} does not; sort them and drop doubles"
            ));
        }
        if after as usize > steps {
            return Err(format!("a round comes after step {after} of a run with {steps} steps"));
        }
        let order = round.order.as_deref().unwrap_or_default();
        within("a round", "questions", order.len(), RUN_QUESTIONS_MAX)?;
        if let Some(place) = order.iter().find(|&&place| usize::from(place) >= questions.asked.len()) {
            let count = questions.asked.len();
            return Err(format!(
                "a round asks question {place} of {count}, and they count from 0"
            ));
        }
        within(
            "a round",
            "milliseconds to wait",
            round.wait as usize,
            STALE_FOR_MS_MAX as usize,
        )?;
        before = Some(after);
    }
    Ok(())
}

/// Holds a trace against the limits, and its steps against its level.
///
/// # Errors
///
/// A sentence that names the limit and what is over it, or the step that does not fit the level.
pub fn check_trace(trace: &Trace) -> Result<(), String> {
    check_setup(trace.level, &trace.setup)?;
    within("a run", "steps", trace.steps.len(), RUN_STEPS_MAX)?;
    let begun = trace.steps.iter().filter(|step| matches!(step, Step::Begin(_)));
    within("a run", "operations begun", begun.count(), RUN_BEGUN_MAX)?;
    (1..)
        .zip(&trace.steps)
        .try_for_each(|(number, step)| check_level(number, step, trace))?;
    trace.steps.iter().try_for_each(check_step)
}

fn check_setup(level: Level, setup: &Setup) -> Result<(), String> {
    let Setup {
        replicas,
        rows,
        config,
        order,
    } = setup;
    within("a fleet", "replicas", usize::from(*replicas), REPLICAS_MAX.into())?;
    check_rows(rows)?;
    config.iter().try_for_each(|rows| check_rows(rows))?;
    match level {
        Level::Fleet if *replicas == 0 => Err("a fleet has at least one replica; write `replicas = 2`".to_owned()),
        Level::Router if *replicas > 0 || config.is_some() || !is_default(order) => Err(
            "`replicas`, `config` and `order` are those of a fleet; write `level = \"fleet\"`, or take them out"
                .to_owned(),
        ),
        Level::Fleet | Level::Router => Ok(()),
    }
}

/// The step fits the level of the trace, and names a replica that there is.
fn check_level(number: usize, step: &Step, trace: &Trace) -> Result<(), String> {
    let (fits, replica) = match step {
        Step::Change(_) => (trace.level == Level::Router, None),
        Step::Ask(replica, question) => {
            let of_store = *question == Question::Store;
            let fits = match trace.level {
                Level::Router => replica.is_none() && !of_store,
                Level::Fleet => replica.is_none() == of_store,
            };
            (fits, *replica)
        }
        Step::World(World::Wait(_)) => (true, None),
        Step::Do(_) | Step::Begin(_) | Step::Finish(_) | Step::World(_) => {
            (trace.level == Level::Fleet, step.replica())
        }
    };
    if !fits {
        return Err(match trace.level {
            Level::Router => format!("step {number} is one of a fleet; write `level = \"fleet\"`, or take it out"),
            Level::Fleet => format!(
                "step {number} is one of a router, and this is a fleet: changes are `write = {{ via = \"store\", write = \
                 {{ put = .. }} }}`, and a question names its `replica`, but for `store`"
            ),
        });
    }
    match replica {
        Some(replica) if replica >= trace.setup.replicas => Err(format!(
            "step {number} names replica {replica}, and there are {}, from 0",
            trace.setup.replicas
        )),
        _ => Ok(()),
    }
}

fn check_step(step: &Step) -> Result<(), String> {
    match step {
        Step::Change(Change::Delete(id)) => return check_text("id", id),
        Step::Ask(_, question) => return check_question(question),
        Step::Begin(begin) => {
            check_text("op", &begin.op.0)?;
            if begin.op.0.starts_with(OpId::OF_STEP) {
                return Err(format!(
                    "`op` `{}` begins as the names of steps do; drop the `{}`",
                    begin.op,
                    OpId::OF_STEP
                ));
            }
            if begin.nth == 0 {
                return Err("`nth` counts from 1".to_owned());
            }
        }
        Step::Finish(op) => return check_text("op", &op.0),
        Step::Change(_) | Step::Do(_) | Step::World(_) => {}
    }
    match step.op() {
        Some(Op::Request(request)) => check_query(&request.query())?,
        Some(Op::Write(op)) => check_write(&op.write)?,
        _ => {}
    }
    check_rows(step.rows())
}

fn check_write(write: &Write) -> Result<(), String> {
    check_text("id", write.id())?;
    match write {
        Write::Patch(patch) => patch.fields.texts().try_for_each(|(name, text)| check_text(name, text)),
        Write::Put(_) | Write::Add(_) | Write::Delete(_) => Ok(()),
    }
}

/// Holds a list of rows against the limits.
///
/// # Errors
///
/// A sentence that names the limit and what is over it.
pub fn check_rows(rows: &[Row]) -> Result<(), String> {
    within("a list", "rows", rows.len(), LIST_ROWS_MAX)?;
    rows.iter().try_for_each(|row| {
        check_text("id", &row.id)?;
        check_text("model_name", &row.model_name)?;
        check_text("model", &row.model)?;
        check_text("tag", &row.tag)?;
        row.team.iter().try_for_each(|text| check_text("team", text))?;
        row.team_model_name
            .iter()
            .try_for_each(|text| check_text("team_model_name", text))?;
        row.extra.iter().try_for_each(|text| check_text("extra", text))
    })
}

fn check_question(question: &Question) -> Result<(), String> {
    match question {
        Question::Lookup(query) => check_query(query),
        Question::Listing(team) => team.iter().try_for_each(|text| check_text("team", text)),
        Question::Claims | Question::Holds | Question::Sizes | Question::Store => Ok(()),
    }
}

fn check_query(query: &Query) -> Result<(), String> {
    check_text("model", &query.model)?;
    query.team.iter().try_for_each(|text| check_text("team", text))
}

pub(crate) fn check_text(field: &str, text: &str) -> Result<(), String> {
    within(&format!("`{field}`"), "bytes", text.len(), TEXT_BYTES_MAX)
}

pub(crate) fn within(whole: &str, of: &str, count: usize, max: usize) -> Result<(), String> {
    if count > max {
        return Err(format!("{whole} may have at most {max} {of}, and this has {count}"));
    }
    Ok(())
}
