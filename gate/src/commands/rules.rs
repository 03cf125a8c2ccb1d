//! `routeproof rules`: every rule, for a person or for the book.

use std::fmt::Write as _;

use model::{RULES, Rule};
use protocol::Level;

/// A line a rule.
pub(crate) fn text() -> String {
    let mut text = String::new();
    for rule in &RULES {
        writeln!(text, "  {:<16} {:<13} {}", rule.id, level(rule), rule.sentence).expect("a string takes any text");
    }
    text
}

/// The levels at which a rule is judged.
pub(crate) fn level(rule: &Rule) -> &'static str {
    match (rule.is_of(Level::Router), rule.is_of(Level::Fleet)) {
        (true, true) => "router, fleet",
        (true, false) => "router",
        (false, true) => "fleet",
        (false, false) => "model",
    }
}

/// The chapter of the book.
pub fn rules_markdown() -> String {
    let mut text = String::from(
        "# Rules\n\n\
         Each rule has a stable id. A rule that never had anything to check is *void*, and the run inconclusive. The oracle\n\
         says what a rule rests on: rows and tags alone (*absolute*), a fresh router of the same kind (*metamorphic*), or the\n\
         exact answer of the preset that the router claims (*spec*). The rules of a fleet are judged in a model of it: see\n\
         [model checking](model-checking.md).\n\n\
         | id | statement | level | oracle |\n|---|---|---|---|\n",
    );
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes any text");
    for rule in &RULES {
        let Rule { id, sentence, .. } = rule;
        let oracle = rule.oracle.word();
        line(format!("| [`{id}`](#{id}) | {sentence} | {} | {oracle} |", level(rule)));
    }
    for rule in &RULES {
        line(format!(
            "\n## {}\n\n{}.\n\n{}\n\nOne premise: {}.",
            rule.id,
            capital(rule.sentence),
            rule.explanation,
            rule.premise
        ));
    }
    text
}

fn capital(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use model::RuleId;

    use super::*;

    #[test]
    fn a_rule_says_at_which_levels_it_is_judged() {
        let levels = [RuleId::Heals, RuleId::Current, RuleId::HistoryFree, RuleId::NoFuture].map(|id| level(id.rule()));
        assert_eq!(levels, ["fleet", "router, fleet", "router", "model"]);
    }
}
