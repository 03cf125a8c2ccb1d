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

use serde::Deserialize;

use model::rules;

use crate::document::{FailureReport, IdleSkip};

/// The skips of one file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skips {
    #[serde(default)]
    skip: Vec<Skip>,
}

/// One skip. What it does not name may be anything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The rule's id.
    pub rule: String,
    /// The failure class.
    #[serde(default)]
    pub class: Option<String>,
    /// The kind of path, in the words of a report.
    #[serde(default)]
    pub way: Option<String>,
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
            if rules::rule(&skip.rule).is_none() {
                return Err(format!(
                    "there is no rule `{}`; `routeproof rules` lists them",
                    skip.rule
                ));
            }
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
            rule: skip.rule.clone(),
            reason: skip.reason.clone(),
        };
        self.skip.iter().filter(idle).map(told).collect()
    }
}

impl Skip {
    fn covers(&self, failure: &FailureReport) -> bool {
        let FailureReport { finding, origin, .. } = failure;
        let agrees = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        self.rule == finding.rule
            && agrees(&self.class, &finding.class)
            && agrees(&self.way, &finding.way)
            && agrees(&self.last, &origin.last)
            && (self.extra.is_none() || self.extra == origin.extra)
    }
}

#[cfg(test)]
mod tests {
    use super::Skips;

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
