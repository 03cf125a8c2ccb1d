//! Our matchers against the `regex` crate: match, captures, and which of several patterns wins.

use arbitrary::{Arbitrary, Unstructured};
use model::semantics::Precedence;
use model::{Patterns, is_pattern, pattern_rank};
use regex::RegexBuilder;
use router_core::{Pattern, Query, Row, Table};

use crate::failure::{TargetFailure, caught};
use crate::{Body, Ran, Work};

/// The most patterns at once.
const PATTERNS_MAX: usize = 6;

/// A character of a name, mostly one of those that match, confuse or escape each other.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Glyph {
    Star,
    A,
    B,
    Slash,
    Dash,
    Dot,
    Plus,
    Open,
    Close,
    Backslash,
    TwoBytes,
    Other(char),
}

/// Patterns, and a name that is asked for.
#[derive(Arbitrary, Debug)]
struct Case {
    patterns: Vec<Vec<Glyph>>,
    asked: Vec<Glyph>,
}

/// The target.
#[derive(Default)]
pub(crate) struct Matchers {
    patterns: Patterns,
}

impl Matchers {
    /// The target.
    pub(crate) fn body() -> Box<dyn Body> {
        Box::new(Self::default())
    }

    fn judge(&self, names: &[String], asked: &str) -> Result<Work, String> {
        for name in names {
            self.one(name, asked)?;
        }
        let matching = names
            .iter()
            .map(String::as_str)
            .filter(|name| self.patterns.matches(name, asked));
        let best = matching.min_by_key(|name| pattern_rank(name, Precedence::Literals));
        wins(names, asked, best)?;
        Ok(Work {
            steps: names.len() as u64,
            lookups: names.len() as u64 + 1,
        })
    }

    /// One pattern, three matchers.
    fn one(&self, name: &str, asked: &str) -> Result<(), String> {
        let by_regex = captures(name, asked);
        let by_model = self.patterns.captures(name, asked, true);
        if by_model != by_regex {
            return Err(format!("{name:?} on {asked:?}: regex {by_regex:?}, model {by_model:?}"));
        }
        let pattern = Pattern::of(name).expect("the name has a wildcard");
        if pattern.matches(asked) != by_regex.is_some() {
            return Err(format!(
                "{name:?} on {asked:?}: regex {by_regex:?}, router-core says otherwise"
            ));
        }
        // As many wildcards as the pattern, apart by what no name holds.
        let target = vec!["*"; pattern.wildcards()].join("\n");
        let filled = pattern.fill(&target, asked);
        let expected = by_regex.map(|captures| captures.join("\n"));
        if filled != expected {
            return Err(format!(
                "{name:?} on {asked:?}: regex {expected:?}, router-core {filled:?}"
            ));
        }
        Ok(())
    }
}

impl Body for Matchers {
    fn run(&mut self, data: &[u8]) -> Ran {
        let Ok(case) = Case::arbitrary_take_rest(Unstructured::new(data)) else {
            return Ok(None);
        };
        let mut names: Vec<String> = case.patterns.iter().map(|glyphs| text(glyphs)).collect();
        names.retain(|name| is_pattern(name));
        names.truncate(PATTERNS_MAX);
        caught(|| self.judge(&names, &text(&case.asked)))
            .map(Some)
            .map_err(TargetFailure::of_bytes)
    }
}

/// The table's index of patterns finds the same one, if the texts are such as a row can have.
fn wins(names: &[String], asked: &str, best: Option<&str>) -> Result<(), String> {
    let ids: Vec<String> = (0..names.len()).map(|at| format!("\u{10ffff}{at}")).collect();
    let mut table = Table::default();
    let mut taken = true;
    for (id, model_name) in ids.iter().zip(names) {
        let row = Row {
            id,
            model_name,
            model: "x",
            tag: "v",
            ..Row::default()
        };
        taken &= table.upsert(row).is_ok();
    }
    let answer = table.lookup(Query {
        model: asked,
        team: None,
    });
    if !taken || ids.iter().any(|id| id == asked) || answer.refusal() == Some(router_core::Refusal::Invalid) {
        return Ok(());
    }
    let won = answer
        .candidates()
        .next()
        .map(|candidate| candidate.deployment().asked().as_str());
    if won == best {
        return Ok(());
    }
    Err(format!("of {names:?} on {asked:?} {best:?} must win, and {won:?} does"))
}

/// Returns what the `regex` crate captures of the whole text.
fn captures(name: &str, asked: &str) -> Option<Vec<String>> {
    let expression = regex::escape(name).replace(r"\*", "(.*)");
    let mut builder = RegexBuilder::new(&format!("^(?:{expression})$"));
    let regex = builder.dot_matches_new_line(true).size_limit(usize::MAX).build();
    let found = regex.expect("an escaped name is an expression").captures(asked)?;
    Some(
        found
            .iter()
            .skip(1)
            .map(|group| group.map_or("", |group| group.as_str()).to_owned())
            .collect(),
    )
}

fn text(glyphs: &[Glyph]) -> String {
    glyphs
        .iter()
        .map(|glyph| match glyph {
            Glyph::Star => '*',
            Glyph::A => 'a',
            Glyph::B => 'b',
            Glyph::Slash => '/',
            Glyph::Dash => '-',
            Glyph::Dot => '.',
            Glyph::Plus => '+',
            Glyph::Open => '[',
            Glyph::Close => ')',
            Glyph::Backslash => '\\',
            Glyph::TwoBytes => 'é',
            Glyph::Other(character) => *character,
        })
        .collect()
}
