//! The trace file: TOML for people, versioned, unknown fields refused with the line and column.
//!
//! ```toml
//! version = 2
//! why = "an updated wildcard kept its old twin: BerriAI/litellm#29064"
//! router = "litellm"
//! rule = "current"
//! affected = ">=1.85.0, <1.101.0"
//!
//! [[steps]]
//! upsert = { id = "d1", model_name = "openai/*", model = "openai/openai/*", tag = "v1" }
//! [[steps]]
//! upsert = { id = "d1", model_name = "openai/*", model = "openai/*", tag = "v2" }
//! [[steps]]
//! lookup = { model = "openai/gpt-4o" }
//! ```

use std::fmt::Write as _;

use schemars::JsonSchema;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::op::RowOrder;
use crate::row::{Row, is_default};
use crate::step::Step;
use crate::text::quoted;
use crate::trace::{Level, Setup, Trace};
use crate::wire::{check_text, check_trace, within};

/// The version of the trace file format.
pub const TRACE_VERSION: u32 = 2;
/// The oldest version that is still read: it has no fleet.
pub const TRACE_VERSION_MIN: u32 = 1;
/// The largest trace file.
pub const TRACE_BYTES_MAX: usize = 4 << 20;
/// The longest `why` of a trace, in bytes: it may quote other texts.
pub const WHY_BYTES_MAX: usize = 16 << 10;

/// Verbs of version 1 that no longer exist, each with the step that says the same now.
const RETIRED: [(&str, &str); 2] = [
    (
        "poll_read",
        "`begin = { op = \"p\", act = { poll = 0 }, until = \"after-read\" }`",
    ),
    (
        "poll_apply",
        "`finish = \"p\"`, where `p` is the `op` of the poll's `begin`",
    ),
];

/// A trace and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "FlatFile", into = "FlatFile")]
#[schemars(with = "FlatFile")]
pub struct TraceFile {
    /// The reason why this trace is kept, for a person.
    pub why: String,
    /// The router that it was found on or written for; any router where absent.
    pub router: Option<String>,
    /// The id of the rule that it breaks, or broke.
    pub rule: Option<String>,
    /// The seed of the run that found it.
    pub seed: Option<u32>,
    /// The versions of the router that break the rule, such as `>=1.85.0, <1.101.0`; `*` is every version.
    pub affected: Option<String>,
    /// The trace.
    pub trace: Trace,
}

/// A trace file as it is written. Separate from [`TraceFile`], because serde's own way to flatten a struct loses the line
/// and column of an error.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Trace")]
struct FlatFile {
    /// [`TRACE_VERSION`], or an earlier one.
    version: u32,
    /// The reason why this trace is kept, for a person.
    why: String,
    /// The router that it was found on or written for; any router where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    router: Option<String>,
    /// The id of the rule that it breaks, or broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The seed of the run that found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    /// The versions of the router that break the rule, such as `>=1.85.0, <1.101.0`; `*` is every version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    affected: Option<String>,
    /// One router or a fleet; one router where absent.
    #[serde(default, skip_serializing_if = "is_default")]
    level: Level,
    /// The number of replicas of a fleet.
    #[serde(default, skip_serializing_if = "is_default")]
    replicas: u8,
    /// The rows that the router is constructed with, or that the store of a fleet holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    initial: Vec<Row>,
    /// The rows of the second source of a fleet; absent where it has no list at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<Vec<Row>>,
    /// The order in which reads of the store of a fleet give its rows.
    #[serde(default, skip_serializing_if = "is_default")]
    order: RowOrder,
    /// The steps, done and asked in order.
    steps: Vec<Step>,
}

impl From<FlatFile> for TraceFile {
    fn from(flat: FlatFile) -> Self {
        Self {
            why: flat.why,
            router: flat.router,
            rule: flat.rule,
            seed: flat.seed,
            affected: flat.affected,
            trace: Trace {
                level: flat.level,
                setup: Setup {
                    replicas: flat.replicas,
                    rows: flat.initial,
                    config: flat.config,
                    order: flat.order,
                },
                steps: flat.steps,
            },
        }
    }
}

impl From<TraceFile> for FlatFile {
    fn from(file: TraceFile) -> Self {
        let Trace { level, setup, steps } = file.trace;
        Self {
            version: TRACE_VERSION,
            why: file.why,
            router: file.router,
            rule: file.rule,
            seed: file.seed,
            affected: file.affected,
            level,
            replicas: setup.replicas,
            initial: setup.rows,
            config: setup.config,
            order: setup.order,
            steps,
        }
    }
}

impl TraceFile {
    /// A trace of which nothing is known but why it is kept.
    pub fn new(why: &str, trace: Trace) -> Self {
        Self {
            why: why.to_owned(),
            router: None,
            rule: None,
            seed: None,
            affected: None,
            trace,
        }
    }

    /// Reads a trace file's text.
    ///
    /// # Errors
    ///
    /// A [`TraceError`] that says what is wrong and, where the text is to blame, in which line and column.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        if text.len() > TRACE_BYTES_MAX {
            return Err(TraceError::TooLarge { bytes: text.len() });
        }
        // The version comes first: a file of another version has other fields, and to call those unknown would mislead.
        let Versioned { version } = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        let version = version.ok_or(TraceError::NoVersion)?;
        if !(TRACE_VERSION_MIN..=TRACE_VERSION).contains(&version) {
            return Err(TraceError::Version { version });
        }
        let flat: FlatFile = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        let file = Self::from(flat);
        file.check(version)?;
        Ok(file)
    }

    fn check(&self, version: u32) -> Result<(), TraceError> {
        let content = |what: String| TraceError::Content { what };
        if self.why.trim().is_empty() {
            return Err(content("`why` is empty; say why this trace is kept".to_owned()));
        }
        if self.trace.steps.is_empty() && self.trace.setup.rows.is_empty() {
            return Err(content("there are no steps; a trace does something".to_owned()));
        }
        if version < TRACE_VERSION && self.trace.level == Level::Fleet {
            return Err(content(format!(
                "a fleet needs version {TRACE_VERSION} of this format; write `version = {TRACE_VERSION}`"
            )));
        }
        let texts = [
            ("router", self.router.as_ref()),
            ("rule", self.rule.as_ref()),
            ("affected", self.affected.as_ref()),
        ];
        let mut texts = texts.into_iter().filter_map(|(field, text)| Some((field, text?)));
        texts
            .try_for_each(|(field, text)| check_text(field, text))
            .map_err(content)?;
        within("`why`", "bytes", self.why.len(), WHY_BYTES_MAX).map_err(content)?;
        check_trace(&self.trace).map_err(content)?;
        if let Some(affected) = &self.affected {
            VersionReq::parse(affected).map_err(|why| {
                content(format!(
                    "`affected` is no version range: {why}; write `>=1.85.0, <1.101.0`"
                ))
            })?;
        }
        Ok(())
    }

    /// Returns whether `version` of the router is in the affected range; `None` where the trace or the version does not
    /// tell.
    pub fn affects(&self, version: &str) -> Option<bool> {
        let range = VersionReq::parse(self.affected.as_deref()?).ok()?;
        Some(range.matches(&Version::parse(version).ok()?))
    }

    /// The text of this trace's file.
    pub fn to_toml(&self) -> String {
        let toml::Value::Table(mut fields) = inline(self) else {
            unreachable!("a struct is written as a table");
        };
        let mut text = String::new();
        let mut line = |line: String| writeln!(text, "{line}").expect("a string takes any text");
        for key in [
            "version", "why", "router", "rule", "seed", "affected", "level", "replicas", "order",
        ] {
            if let Some(value) = fields.remove(key) {
                line(format!("{key} = {}", literal(&value)));
            }
        }
        for key in ["initial", "config"] {
            if let Some(toml::Value::Array(rows)) = fields.remove(key) {
                line(format!("{key} = ["));
                for row in rows {
                    line(format!("    {},", literal(&row)));
                }
                line("]".to_owned());
            }
        }
        if self.trace.steps.is_empty() {
            line("steps = []".to_owned());
        }
        for step in &self.trace.steps {
            let toml::Value::Table(step) = inline(step) else {
                unreachable!("a step is written as one key and its value");
            };
            for (verb, value) in &step {
                line(format!("\n[[steps]]\n{verb} = {}", literal(value)));
            }
        }
        text
    }
}

fn inline(value: &impl Serialize) -> toml::Value {
    toml::Value::try_from(value).expect("traces are strings, numbers and lists and tables of them")
}

/// A value in one line, so that nobody who looks at a trace is misled by its texts.
fn literal(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => quoted(text),
        toml::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        toml::Value::Table(fields) if !fields.is_empty() => {
            let is_bare = |key: &str| {
                key.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            };
            let fields = fields.iter().map(|(key, field)| {
                let key = if is_bare(key) && !key.is_empty() {
                    key.clone()
                } else {
                    quoted(key)
                };
                format!("{key} = {}", literal(field))
            });
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: Option<u32>,
}

fn syntax(text: &str, error: &toml::de::Error) -> TraceError {
    let offset = error.span().map_or(text.len(), |span| span.start);
    let (line, column) = position(text, offset);
    let message = error.message().trim_end().replace('\n', ", ");
    let retired = RETIRED
        .iter()
        .find(|(verb, _)| message.starts_with(&format!("unknown variant `{verb}`")));
    let what = match retired {
        Some((verb, instead)) => format!("`{verb}` is no step any more; write {instead}"),
        None => message,
    };
    TraceError::Syntax { line, column, what }
}

/// The line and column, from 1, of the character at `offset`.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// The reason why a text is no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// The text is not TOML, or not this format.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// The message of the parser.
        what: String,
    },
    /// The format version is missing.
    #[error("there is no `version`; begin the file with `version = {TRACE_VERSION}`")]
    NoVersion,
    /// The format version is another one.
    #[error(
        "this is a trace of version {version}, and this build reads versions {TRACE_VERSION_MIN} to {TRACE_VERSION}"
    )]
    Version {
        /// The version that the file states.
        version: u32,
    },
    /// The file is over the limit.
    #[error("the trace has {bytes} bytes, and at most {TRACE_BYTES_MAX} are read; shrink it or split it")]
    TooLarge {
        /// The size of the file.
        bytes: usize,
    },
    /// The fields are well formed, but make no trace.
    #[error("{what}")]
    Content {
        /// A message: what is wrong and what to do.
        what: String,
    },
}
