//! A rule broken once: the one place where the model's finding becomes data of a report.

use model::{Allowed, Finding, Got, RuleId, Tier, finding_place, finding_words};
use protocol::{Hello, Query, Question};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule broken, and by which answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingReport {
    /// The rule.
    pub rule: RuleId,
    /// The way in which it is broken, in a word of the rule's explanation.
    pub class: String,
    /// The question; absent where it is about no answer. Claims are not asked for: each reply to a change has them.
    pub asked: Option<Question>,
    /// The tier of the row, where it is about the answer to a lookup.
    pub tier: Option<Tier>,
    /// The name of the code path that answered, where the router has several.
    pub path: Option<String>,
    /// The answer, names, ids or sizes that the rule allows.
    pub allowed: Allowed,
    /// The answer, names, ids or sizes that came.
    pub got: Got,
}

impl FindingReport {
    /// A finding on the router that said `hello`.
    pub fn new(finding: &Finding, hello: &Hello) -> Self {
        Self {
            rule: finding.rule,
            class: finding.class.to_owned(),
            asked: finding.question.clone(),
            tier: finding.tier,
            path: hello.dialect.paths.get(finding.path).cloned(),
            allowed: finding.allowed.clone(),
            got: finding.got.clone(),
        }
    }

    /// The lookup that was asked, if it was one.
    pub fn query(&self) -> Option<&Query> {
        self.asked.as_ref().and_then(Question::query)
    }

    /// The tier, or the kind of question that has none, in words.
    pub fn place(&self) -> &'static str {
        finding_place(self.asked.as_ref().map(Question::kind), self.tier)
    }

    /// Returns two lines for a person: what the rule allows, and what came.
    pub fn words(&self) -> [String; 2] {
        finding_words(self.rule, &self.allowed, &self.got)
    }
}
