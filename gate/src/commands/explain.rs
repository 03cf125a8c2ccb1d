//! `routeproof explain`: one rule, for a maintainer who sees it broken for the first time.

use fleet::rules::FLEET_RULES;
use model::rules::{RULES, rule};

use crate::error::Error;

/// Returns the explanation of a rule.
///
/// # Errors
///
/// A usage error where there is no such rule.
pub fn text(id: &str) -> Result<String, Error> {
    if let Some(rule) = FLEET_RULES.iter().find(|rule| rule.id == id) {
        return Ok(format!(
            "{}: {}\n\n{}\n\njudged: of a model, by `routeproof explore`\none premise: {}\n",
            rule.id, rule.sentence, rule.explanation, rule.premise
        ));
    }
    let Some(rule) = rule(id) else {
        let ids: Vec<&str> = RULES
            .iter()
            .map(|rule| rule.id)
            .chain(FLEET_RULES.iter().map(|rule| rule.id))
            .collect();
        return Err(Error::Usage(format!(
            "there is no rule `{id}`; there are {}",
            ids.join(", ")
        )));
    };
    let needs = if rule.needs.is_empty() {
        String::new()
    } else {
        let needs: Vec<String> = rule
            .needs
            .iter()
            .map(|need| format!("{need:?}").to_lowercase())
            .collect();
        format!("\nneeds: {}\n", needs.join(", "))
    };
    Ok(format!(
        "{}: {}\n\n{}\n\noracle: {}\none premise: {}\n{needs}",
        rule.id,
        rule.sentence,
        rule.explanation,
        rule.oracle.word(),
        rule.premise
    ))
}
