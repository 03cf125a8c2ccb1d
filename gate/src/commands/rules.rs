//! `routeproof rules`: every rule, for a person or for the book.

use std::fmt::Write as _;

use fleet::rules::{self, FLEET_RULES};
use model::rules::RULES;

/// A line a rule.
pub fn text() -> String {
    let mut text = String::new();
    let of_one_router = RULES.iter().map(|rule| (rule.id, rule.sentence));
    let of_a_fleet = FLEET_RULES.iter().map(|rule| (rule.id, rule.sentence));
    for (id, sentence) in of_one_router.chain(of_a_fleet) {
        writeln!(text, "  {id:<16} {:<13} {sentence}", level(id)).expect("a string takes any text");
    }
    text
}

/// Returns who can break a rule: one router, or the replicas of a fleet.
pub fn level(id: &str) -> &'static str {
    if FLEET_RULES.iter().any(|rule| rule.id == id) {
        "fleet"
    } else if rules::RULES.contains(&id) {
        "router, fleet"
    } else {
        "router"
    }
}

/// The chapter of the book.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Rules\n\n\
         Each rule has a stable id. A rule that never had anything to check is *void*, and the run inconclusive. The oracle\n\
         says what a rule rests on: rows and tags alone (*absolute*), a fresh router of the same kind (*metamorphic*), or the\n\
         exact answer of the preset that the router claims (*spec*). The rules of a fleet are judged in a model of it: see\n\
         [model checking](model-checking.md).\n\n\
         | id | statement | level | oracle |\n|---|---|---|---|\n",
    );
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes any text");
    let of_one_router = RULES.iter().map(|rule| (rule.id, rule.sentence, rule.oracle.word()));
    let of_a_fleet = FLEET_RULES.iter().map(|rule| (rule.id, rule.sentence, "model"));
    for (id, sentence, oracle) in of_one_router.chain(of_a_fleet) {
        line(format!("| [`{id}`](#{id}) | {sentence} | {} | {oracle} |", level(id)));
    }
    let mut section = |id: &str, sentence: &str, explanation: &str, premise: &str| {
        line(format!(
            "\n## {id}\n\n{}.\n\n{explanation}\n\nOne premise: {premise}.",
            capital(sentence)
        ));
    };
    for rule in &RULES {
        section(rule.id, rule.sentence, rule.explanation, rule.premise);
    }
    for rule in &FLEET_RULES {
        section(rule.id, rule.sentence, rule.explanation, rule.premise);
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
    use super::*;

    #[test]
    fn every_rule_of_a_fleet_is_explained_once() {
        let explained: Vec<&str> = RULES
            .iter()
            .map(|rule| rule.id)
            .chain(FLEET_RULES.map(|rule| rule.id))
            .collect();
        for id in rules::RULES.iter().chain(&["converges"]) {
            assert_eq!(explained.iter().filter(|other| *other == id).count(), 1, "{id}");
        }
        let [fleet, both, router] = ["heals", "current", "history-free"].map(level);
        assert_eq!([fleet, both, router], ["fleet", "router, fleet", "router"]);
    }
}
