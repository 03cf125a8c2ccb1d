//! The wire: JSON Lines over stdin and stdout. One request a line, one reply a line, ids echoed.
//!
//! ```text
//! -> {"id":1,"call":{"hello":{"protocol":1}}}
//! <- {"id":1,"reply":{"hello":{"protocol":1,"router":"mine","version":"2.0",...}}}
//! -> {"id":2,"call":{"runs":[{"steps":[{"upsert":{...}}],"observe":[1],"queries":[{"model":"gpt-4o"}]}]}}
//! <- {"id":2,"reply":{"runs":[{"initial":{"outcome":"applied"},"steps":[...],"observations":[...]}]}}
//! ```
//!
//! Each run starts from a fresh router. A line that cannot be served is answered by an [`ErrorReply`]; the end of the
//! input ends the adapter. Everything else that an adapter wants to say goes to stderr.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::row::{Row, is_false};
use crate::run::{Run, RunReply};
use crate::step::{Change, FleetStep, Query, Step};

/// The version of this protocol.
pub const PROTOCOL_VERSION: u32 = 1;
/// The longest line either side accepts, newline included.
pub const LINE_BYTES_MAX: usize = 16 << 20;
/// The most runs in one message.
pub const BATCH_RUNS_MAX: usize = 256;
/// The most steps in one run or trace.
pub const RUN_STEPS_MAX: usize = 10_000;
/// The most queries in one observation.
pub const RUN_QUERIES_MAX: usize = 4_096;
/// The most rows in one list.
pub const LIST_ROWS_MAX: usize = 10_000;
/// The longest name, id, tag or target, in bytes.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// The most replicas of a fleet.
pub const REPLICAS_MAX: u8 = 16;
/// The most paths, extras, target prefixes or capabilities that a hello may declare.
pub const HELLO_ITEMS_MAX: usize = 256;

/// One line to an adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Chosen by the caller, echoed in the reply.
    pub id: u64,
    /// What is asked.
    pub call: Call,
}

/// What an adapter can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Who are you? The first line of every conversation.
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

/// What an adapter can reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `hello`.
    Hello(Hello),
    /// To `runs`: one reply a run, in order.
    Runs(Vec<RunReply>),
    /// The request could not be served.
    Error(ErrorReply),
}

/// Why a request could not be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorReply {
    /// The kind of error.
    pub code: ErrorCode,
    /// What happened and what to do next, for a person.
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

/// What an adapter says of its router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the adapter.
    pub protocol: u32,
    /// The router's name, such as `litellm`.
    pub router: String,
    /// The router's version, such as `1.85.0`.
    pub version: String,
    /// What the router can do. Nothing else will be asked of it.
    pub capabilities: Vec<Capability>,
    /// How the router differs from others.
    #[serde(default)]
    pub dialect: Dialect,
}

impl Hello {
    /// Whether the router declares `capability`.
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
    /// Several replicas over one store.
    Fleet,
}

/// How a router differs from others. Everything here has a default: an adapter states only what it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// Whether asking costs much more than changing: the whole matrix is then asked at the end of a trace, and a failure's
    /// step is found by shrinking.
    #[serde(default, skip_serializing_if = "is_false")]
    pub slow: bool,
    /// What an upstream target must start with for this router to take it, such as `openai/`. Empty: anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_prefixes: Vec<String>,
}

impl Dialect {
    /// How many answers a lookup has.
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
    /// Which registration path it takes.
    pub why: String,
    /// The upstream target that such a row must have, where the path depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether such a row answers lookups as any other row does. A row that does not (a router within the router, say)
    /// is registered and changed like any other and judged by every rule but those that need the preset.
    #[serde(default = "yes")]
    pub plain: bool,
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
    check_rows(&run.initial)?;
    within("a run", "replicas", run.replicas.into(), REPLICAS_MAX.into())?;
    within("a run", "queries", run.queries.len(), RUN_QUERIES_MAX)?;
    within("a run", "viewers", run.viewers.len(), RUN_QUERIES_MAX)?;
    check_steps(&run.steps)?;
    run.queries.iter().try_for_each(check_query)?;
    run.viewers
        .iter()
        .flatten()
        .try_for_each(|team| check_text("team", team))?;
    let mut before = None;
    for &after in &run.observe {
        if before.is_some_and(|before| before >= after) {
            return Err(format!(
                "`observe` must ascend, and {after} does not; sort it and drop doubles"
            ));
        }
        if after as usize > run.steps.len() {
            return Err(format!(
                "`observe` names step {after} of a run with {} steps",
                run.steps.len()
            ));
        }
        before = Some(after);
    }
    Ok(())
}

/// Holds the steps of a run or a trace against the limits.
///
/// # Errors
///
/// A sentence that names the limit and what is over it.
pub fn check_steps(steps: &[Step]) -> Result<(), String> {
    within("a run", "steps", steps.len(), RUN_STEPS_MAX)?;
    steps.iter().try_for_each(|step| match step {
        Step::Change(change) => check_change(change),
        Step::Lookup(query) => check_query(query),
        Step::Fleet(FleetStep::Write(write)) => check_change(&write.change),
        Step::Fleet(_) => Ok(()),
    })
}

fn check_change(change: &Change) -> Result<(), String> {
    match change {
        Change::Delete(id) => check_text("id", id),
        Change::Upsert(_) | Change::Add(_) | Change::Replace(_) => check_rows(change.rows()),
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

fn check_query(query: &Query) -> Result<(), String> {
    check_text("model", &query.model)?;
    query.team.iter().try_for_each(|text| check_text("team", text))
}

fn check_text(field: &str, text: &str) -> Result<(), String> {
    within(&format!("`{field}`"), "bytes", text.len(), TEXT_BYTES_MAX)
}

fn within(whole: &str, of: &str, count: usize, max: usize) -> Result<(), String> {
    if count > max {
        return Err(format!("{whole} may have at most {max} {of}, and this has {count}"));
    }
    Ok(())
}
