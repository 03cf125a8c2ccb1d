//! `routeproof rules`: every rule, for a person or for the book.

use std::fmt::Write as _;

use model::rules::RULES;

/// A line a rule.
pub fn text() -> String {
    let mut text = String::new();
    for rule in &RULES {
        writeln!(text, "  {:<15} {}", rule.id, rule.sentence).expect("a string takes any text");
    }
    text
}

/// The chapter of the book.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Rules\n\n\
         Each rule has a stable id. A rule that never had anything to check is *void*, and the run inconclusive. The oracle\n\
         says what a rule rests on: rows and tags alone (*absolute*), a fresh router of the same kind (*metamorphic*), or the\n\
         exact answer of the preset that the router claims (*spec*).\n\n\
         | id | statement | oracle |\n|---|---|---|\n",
    );
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes any text");
    for rule in &RULES {
        line(format!(
            "| [`{0}`](#{0}) | {1} | {2} |",
            rule.id,
            rule.sentence,
            rule.oracle.word()
        ));
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
