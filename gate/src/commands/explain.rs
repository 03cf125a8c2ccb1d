//! `routeproof explain`: one rule, for a maintainer who sees it broken for the first time.

use model::rules::RuleId;

use crate::error::Error;

/// Everything that the catalogue says of the rule.
///
/// # Errors
///
/// A usage error where there is no such rule.
pub fn text(name: &str) -> Result<String, Error> {
    let Ok(id) = name.parse::<RuleId>() else {
        let names = RuleId::ALL.map(RuleId::name).join(", ");
        return Err(Error::Usage(format!("there is no rule `{name}`; there are {names}")));
    };
    let rule = id.rule();
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
