//! A rule broken once: the one place where the model's finding becomes data of a report.

use model::rules::Finding;
use protocol::{Hello, Query};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule broken, and by which answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingReport {
    /// The rule's id.
    pub rule: String,
    /// In which way it is broken, in a word of the rule's explanation.
    pub class: String,
    /// The kind of path.
    pub way: String,
    /// The question; absent where the finding is about what the router claims or how large it is.
    pub asked: Option<Asked>,
    /// The name of the code path that answered, where the router has several.
    pub path: Option<String>,
    /// The answer that the rule allows.
    pub allowed: String,
    /// The answer that came.
    pub got: String,
}

/// A question that was put to the router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The deployments that may serve a request.
    Lookup(Query),
    /// The names that a caller is shown.
    Listing {
        /// The caller's team.
        team: Option<String>,
    },
}

impl FindingReport {
    /// A finding on the router that said `hello`.
    pub fn new(finding: &Finding, hello: &Hello) -> Self {
        let lookup = finding.query.clone().map(Asked::Lookup);
        let listing = finding.viewer.clone().map(|team| Asked::Listing { team });
        Self {
            rule: finding.rule.to_owned(),
            class: finding.class.to_owned(),
            way: finding.way.words().to_owned(),
            asked: lookup.or(listing),
            path: hello.dialect.paths.get(finding.path).cloned(),
            allowed: finding.allowed.clone(),
            got: finding.got.clone(),
        }
    }

    /// The lookup that was asked, if it was one.
    pub fn query(&self) -> Option<&Query> {
        match &self.asked {
            Some(Asked::Lookup(query)) => Some(query),
            Some(Asked::Listing { .. }) | None => None,
        }
    }
}
