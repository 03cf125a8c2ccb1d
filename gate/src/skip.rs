//! Skips: failures that a maintainer knows of and has decided to live with, each with its reason.
//!
//! ```toml
//! [[skip]]
//! rule = "order-free"
//! class = "other"
//! reason = "ties between patterns are documented to follow the order of the file"
//! ```
//!
//! A skip that excuses nothing is an error: it outlived its reason, or never had one.

use serde::{Deserialize, Deserializer};

use model::{RuleId, Tier};
use protocol::{Question, QuestionKind};

use crate::document::{FailureReport, IdleSkip};

/// The skips of one file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skips {
    #[serde(default)]
    skip: Vec<Skip>,
}

/// One skip. A field that it leaves out matches any failure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skip {
    /// The rule.
    #[serde(deserialize_with = "rule_id")]
    pub rule: RuleId,
    /// The failure class.
    #[serde(default)]
    pub class: Option<String>,
    /// The tier of the row.
    #[serde(default)]
    pub tier: Option<Tier>,
    /// The kind of question.
    #[serde(default)]
    pub question: Option<QuestionKind>,
    /// The verb of the last change.
    #[serde(default)]
    pub last: Option<String>,
    /// The parameter bundle without which it does not fail.
    #[serde(default)]
    pub extra: Option<String>,
    /// The reason, for a person.
    pub reason: String,
}

impl Skips {
    /// Reads a skip file's text.
    ///
    /// # Errors
    ///
    /// The reason, with line and column where the text is to blame.
    pub fn parse(text: &str) -> Result<Self, String> {
        let skips: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        for skip in &skips.skip {
            if skip.reason.trim().is_empty() {
                return Err(format!("the skip of `{}` has no reason; give one", skip.rule));
            }
        }
        Ok(skips)
    }

    /// The reason that excuses a failure, where one does.
    pub fn excuse(&self, failure: &FailureReport) -> Option<&str> {
        self.skip
            .iter()
            .find(|skip| skip.covers(failure))
            .map(|skip| skip.reason.as_str())
    }

    /// The skips that cover none of these failures.
    pub fn idle(&self, failures: &[FailureReport]) -> Vec<IdleSkip> {
        let idle = |skip: &&Skip| !failures.iter().any(|failure| skip.covers(failure));
        let told = |skip: &Skip| IdleSkip {
            rule: skip.rule,
            reason: skip.reason.clone(),
        };
        self.skip.iter().filter(idle).map(told).collect()
    }
}

/// The rule of that name: `serde`'s own words for an unknown one would list them all.
fn rule_id<'de, D: Deserializer<'de>>(from: D) -> Result<RuleId, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

impl Skip {
    fn covers(&self, failure: &FailureReport) -> bool {
        let FailureReport { finding, origin, .. } = failure;
        let agrees = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        self.rule == finding.rule
            && agrees(&self.class, &finding.class)
            && self.tier.is_none_or(|tier| finding.tier == Some(tier))
            && self
                .question
                .is_none_or(|kind| finding.asked.as_ref().map(Question::kind) == Some(kind))
            && agrees(&self.last, &origin.last)
            && (self.extra.is_none() || self.extra == origin.extra)
    }
}

#[cfg(test)]
mod tests {
    use model::{Allowed, Got};
    use protocol::{Query, Trace, TraceFile};

    use super::*;
    use crate::document::{FindingReport, OriginReport};

    /// A stale answer by a global pattern behind an upsert of a row with an extra.
    fn failure() -> FailureReport {
        let finding = FindingReport {
            rule: RuleId::Current,
            class: "stale".to_owned(),
            asked: Some(Question::Lookup(Query::new("ax", None))),
            tier: Some(Tier::GlobalPattern),
            path: None,
            allowed: Allowed::NoRow(None),
            got: Got::Ids(Vec::new()),
        };
        FailureReport {
            finding,
            sentence: String::new(),
            origin: OriginReport {
                last: "upsert".to_owned(),
                extra: Some("region".to_owned()),
                count: 1,
                trace_number: 0,
                universe: "tiny".to_owned(),
                steps: 1,
                shrunk: true,
                shrunk_steps: 1,
            },
            excused: None,
            confirmation: None,
            found_after_seconds: 0.0,
            replay: None,
            files: Vec::new(),
            trace: TraceFile::new("why", Trace::default()),
        }
    }

    #[test]
    fn a_skip_covers_what_agrees_with_every_word_of_it() {
        let failure = failure();
        let idle = |words: &str| {
            let skips = Skips::parse(&format!("[[skip]]\nreason = \"r\"\n{words}\n")).expect("a skip file");
            assert_eq!(
                skips.excuse(&failure).is_some(),
                skips.idle(std::slice::from_ref(&failure)).is_empty()
            );
            skips.excuse(&failure).is_none()
        };
        let all = [
            ("rule = \"current\"", "rule = \"scoped\""),
            ("class = \"stale\"", "class = \"ghost\""),
            ("tier = \"global-pattern\"", "tier = \"exact\""),
            ("question = \"lookup\"", "question = \"listing\""),
            ("last = \"upsert\"", "last = \"delete\""),
            ("extra = \"region\"", "extra = \"regio\""),
        ];
        let agreeing = all.map(|(agrees, _)| agrees);
        assert!(!idle(&agreeing.join("\n")) && !idle(all[0].0));
        for (place, (_, differs)) in all.iter().enumerate() {
            let mut words = agreeing;
            words[place] = differs;
            assert!(idle(&words.join("\n")), "{differs}");
        }
    }

    #[test]
    fn bad_files_are_refused_with_what_to_do() {
        #[rustfmt::skip]
        let rows = [
            ("[[skip]]\nrule = \"courent\"\nreason = \"r\"", "there is no rule `courent`; `routeproof rules` lists them"),
            ("[[skip]]\nrule = \"current\"\nreason = \" \"", "the skip of `current` has no reason"),
            ("[[skip]]\nrule = \"current\"", "missing field `reason`"),
            ("[[skip]]\nrule = \"current\"\nreason = \"r\"\nclas = \"x\"", "unknown field `clas`"),
        ];
        for (text, expected) in rows {
            let error = Skips::parse(text).unwrap_err();
            assert!(error.contains(expected), "`{error}` does not say `{expected}`");
        }
        assert!(Skips::parse("").is_ok());
    }
}
