//! One deployment, as the database holds it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows by id.
pub type Rows = BTreeMap<String, Row>;

/// One deployment, as the database holds it. Unchecked: the specification decides which rows a router must take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The deployment's identity; a table holds at most one row of an id.
    pub id: String,
    /// The name that callers ask for; may contain `*`.
    pub model_name: String,
    /// The upstream target; may contain `*`.
    pub model: String,
    /// An opaque text unique to this version of the row. The router returns it in some field of each answer, such as the
    /// API key, and so every answer proves which version it came from.
    pub tag: String,
    /// The team that owns the row; no other caller may see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The name that the owning team asks by, in place of `model_name`; may contain `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_model_name: Option<String>,
    /// A blocked row is held, and never a candidate.
    #[serde(default, skip_serializing_if = "is_default")]
    pub blocked: bool,
    /// Share of the load relative to the other candidates; a router's own default where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// The name of one of the dialect's parameter bundles, which take another registration path in that router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
}

impl Row {
    /// A row without a team, unblocked, with no weight and no extra.
    pub fn new(id: &str, model_name: &str, model: &str, tag: &str) -> Self {
        Self {
            id: id.to_owned(),
            model_name: model_name.to_owned(),
            model: model.to_owned(),
            tag: tag.to_owned(),
            team: None,
            team_model_name: None,
            blocked: false,
            weight: None,
            extra: None,
        }
    }

    /// The name that this row is asked for by: the team's own name for it, where it has one.
    pub fn asked_name(&self) -> &str {
        match (&self.team, &self.team_model_name) {
            (Some(_), Some(name)) => name,
            _ => &self.model_name,
        }
    }
}

/// Returns true if a field has its default: files and messages leave it out then.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
