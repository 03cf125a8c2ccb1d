//! The trace file: TOML for people, versioned, unknown fields refused with the line and column.
//!
//! ```toml
//! version = 1
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

use crate::row::Row;
use crate::step::Step;
use crate::wire::{check_rows, check_steps};

/// The version of the trace file format.
pub const TRACE_VERSION: u32 = 1;
/// The largest trace file.
pub const TRACE_BYTES_MAX: usize = 4 << 20;

/// A list of steps and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// [`TRACE_VERSION`].
    pub version: u32,
    /// Why this trace is kept, for a person.
    pub why: String,
    /// The router that it was found on or written for; any router where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// The id of the rule that it breaks, or broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The seed of the run that found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// The versions of the router that break the rule, such as `>=1.85.0, <1.101.0`; `*` is every version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected: Option<String>,
    /// The rows that the router is constructed with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initial: Vec<Row>,
    /// What is done and asked, in order.
    pub steps: Vec<Step>,
}

impl Trace {
    /// A trace with nothing known of it but why it is kept.
    pub fn new(why: &str, initial: Vec<Row>, steps: Vec<Step>) -> Self {
        Self {
            version: TRACE_VERSION,
            why: why.to_owned(),
            router: None,
            rule: None,
            seed: None,
            affected: None,
            initial,
            steps,
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
        let syntax = |error: &toml::de::Error| {
            let offset = error.span().map_or(text.len(), |span| span.start);
            let (line, column) = position(text, offset);
            let what = error.message().trim_end().replace('\n', ", ");
            TraceError::Syntax { line, column, what }
        };
        // The version comes first: a file of another version has other fields, and to call those unknown would mislead.
        let Versioned { version } = toml::from_str(text).map_err(|error| syntax(&error))?;
        match version {
            Some(TRACE_VERSION) => {}
            Some(version) => return Err(TraceError::Version { version }),
            None => return Err(TraceError::NoVersion),
        }
        let trace: Self = toml::from_str(text).map_err(|error| syntax(&error))?;
        trace.check()?;
        Ok(trace)
    }

    fn check(&self) -> Result<(), TraceError> {
        let content = |what: String| TraceError::Content { what };
        if self.why.trim().is_empty() {
            return Err(content("`why` is empty; say why this trace is kept".to_owned()));
        }
        if self.steps.is_empty() && self.initial.is_empty() {
            return Err(content("there are no steps; a trace does something".to_owned()));
        }
        check_rows(&self.initial).map_err(content)?;
        check_steps(&self.steps).map_err(content)?;
        if let Some(affected) = &self.affected {
            VersionReq::parse(affected).map_err(|why| {
                content(format!(
                    "`affected` is no version range: {why}; write `>=1.85.0, <1.101.0`"
                ))
            })?;
        }
        Ok(())
    }

    /// Whether `version` of the router is in the affected range; `None` where the trace or the version does not tell.
    pub fn affects(&self, version: &str) -> Option<bool> {
        let range = VersionReq::parse(self.affected.as_deref()?).ok()?;
        Some(range.matches(&Version::parse(version).ok()?))
    }

    /// The text of this trace's file.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut field = |key: &str, value: Option<toml::Value>| {
            if let Some(value) = value {
                writeln!(text, "{key} = {value}").expect("a string takes any text");
            }
        };
        let string = |value: &Option<String>| value.clone().map(toml::Value::String);
        field("version", Some(toml::Value::Integer(self.version.into())));
        field("why", Some(toml::Value::String(self.why.clone())));
        field("router", string(&self.router));
        field("rule", string(&self.rule));
        field("seed", self.seed.map(|seed| toml::Value::Integer(seed.into())));
        field("affected", string(&self.affected));
        if !self.initial.is_empty() {
            text.push_str("initial = [\n");
            for row in &self.initial {
                writeln!(text, "    {},", inline(row)).expect("a string takes any text");
            }
            text.push_str("]\n");
        }
        if self.steps.is_empty() {
            text.push_str("steps = []\n");
        }
        for step in &self.steps {
            let toml::Value::Table(table) = inline(step) else {
                unreachable!("a step is written as one key and its value");
            };
            for (verb, value) in &table {
                write!(text, "\n[[steps]]\n{verb} = {value}\n").expect("a string takes any text");
            }
        }
        text
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: Option<u32>,
}

fn inline(value: &impl Serialize) -> toml::Value {
    toml::Value::try_from(value).expect("rows and steps are strings, numbers and lists of them")
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

/// Why a text is no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// The text is not TOML, or not this format.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What the parser found.
        what: String,
    },
    /// The format version is missing.
    #[error("there is no `version`; begin the file with `version = {TRACE_VERSION}`")]
    NoVersion,
    /// The format version is another one.
    #[error("this is a trace of version {version}, and this build reads version {TRACE_VERSION}")]
    Version {
        /// The version that the file states.
        version: u32,
    },
    /// The file is over the limit.
    #[error("the trace has {bytes} bytes, and at most {TRACE_BYTES_MAX} are read; shrink it or split it")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The fields are well formed and make no trace.
    #[error("{what}")]
    Content {
        /// What is wrong and what to do.
        what: String,
    },
}
