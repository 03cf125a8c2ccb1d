//! Names with `*`: how they are compiled, matched, filled in and preferred.
//!
//! A backtracking matcher over tokens, so that a fault can compile a pattern to something else. Dead ends are
//! remembered, which bounds a match by tokens times characters.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;

/// The character that stands for any run of characters.
pub(crate) const WILDCARD: char = '*';

/// Returns whether the name is a pattern.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(WILDCARD)
}

/// Counts the `*` in the text.
pub(crate) fn wildcards(text: &str) -> usize {
    text.matches(WILDCARD).count()
}

/// Counts the characters other than `*` in the text.
pub(crate) fn literals(text: &str) -> usize {
    text.chars().filter(|&character| character != WILDCARD).count()
}

/// A part of a compiled pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// Exactly this character.
    Exactly(char),
    /// Any one character.
    AnyOne,
    /// A run of at least that many characters, captured; the longest that fits, or else the shortest.
    Run {
        /// The least number of characters.
        least: usize,
        /// Set if the longest run that fits is taken, not the shortest.
        longest: bool,
    },
    /// Whatever is left of the name, not captured.
    Rest,
}

/// The tokens of a pattern: each `*` any run, the longest that fits, and every other character itself.
pub(crate) fn compile(text: &str) -> Vec<Token> {
    compile_with(
        text,
        Token::Run {
            least: 0,
            longest: true,
        },
    )
}

/// The tokens of a pattern whose `*` becomes `run`.
pub(crate) fn compile_with(text: &str, run: Token) -> Vec<Token> {
    let token = |character| {
        if character == WILDCARD {
            run
        } else {
            Token::Exactly(character)
        }
    };
    text.chars().map(token).collect()
}

/// Returns the text that each run of the pattern stands for in `name`, in order; `None` if the whole name does not
/// match.
pub(crate) fn captures<'n>(tokens: &[Token], name: &'n str) -> Option<Vec<&'n str>> {
    let mut search = Search {
        tokens,
        name,
        captures: Vec::new(),
        dead_ends: BTreeSet::new(),
    };
    search.fits(0, 0).then_some(search.captures)
}

struct Search<'t, 'n> {
    tokens: &'t [Token],
    name: &'n str,
    captures: Vec<&'n str>,
    /// Token and byte from which the rest of the name was found not to match the rest of the tokens.
    dead_ends: BTreeSet<(usize, usize)>,
}

impl Search<'_, '_> {
    /// Returns whether the name from byte `at` on matches the tokens from `token` on.
    fn fits(&mut self, mut token: usize, mut at: usize) -> bool {
        while let Some(next) = self.tokens.get(token) {
            let character = self.name[at..].chars().next();
            match (next, character) {
                (Token::Rest, _) => return true,
                (Token::Run { least, longest }, _) => return self.run_fits(token, at, *least, *longest),
                (Token::Exactly(wanted), Some(found)) if *wanted == found => at += found.len_utf8(),
                (Token::AnyOne, Some(found)) => at += found.len_utf8(),
                (Token::Exactly(_) | Token::AnyOne, _) => return false,
            }
            token += 1;
        }
        at == self.name.len()
    }

    fn run_fits(&mut self, token: usize, at: usize, least: usize, longest: bool) -> bool {
        if self.dead_ends.contains(&(token, at)) {
            return false;
        }
        let name = self.name;
        let mut ends: Vec<usize> = (at..=name.len())
            .filter(|&end| name.is_char_boundary(end))
            .skip(least)
            .collect();
        if longest {
            ends.reverse();
        }
        for end in ends {
            self.captures.push(&name[at..end]);
            if self.fits(token + 1, end) {
                return true;
            }
            self.captures.pop();
        }
        self.dead_ends.insert((token, at));
        false
    }
}

/// The target with the captures in place of its `*`, in order; a `*` for which there is no capture stays.
pub(crate) fn fill<'c>(target: &str, captures: impl IntoIterator<Item = &'c str>) -> String {
    let mut captures = captures.into_iter();
    let mut filled = String::with_capacity(target.len());
    for character in target.chars() {
        match (character == WILDCARD).then(|| captures.next()).flatten() {
            Some(capture) => filled.push_str(capture),
            None => filled.push(character),
        }
    }
    filled
}

/// Orders patterns by preference: most literal characters, then fewest `*`, then lexicographic order.
pub(crate) fn prefer(one: &str, other: &str) -> Ordering {
    let key = |text| (Reverse(literals(text)), wildcards(text), text.to_owned());
    key(one).cmp(&key(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_the_longest_from_the_left() {
        let rows: &[(&str, &str, Option<&[&str]>)] = &[
            ("*", "", Some(&[""])),
            ("openai/*", "openai/gpt-4o", Some(&["gpt-4o"])),
            ("openai/*", "openai/", Some(&[""])),
            ("openai/*", "openai", None),
            ("a*c", "abcd", None),
            ("*-*", "a-b-c", Some(&["a-b", "c"])),
            ("*a*a*", "aaaa", Some(&["aa", "", ""])),
            ("**", "xy", Some(&["xy", ""])),
            ("ü*", "üß", Some(&["ß"])),
            ("a.c*", "abc", None),
            ("x*y*z", "xyyzz", Some(&["y", "z"])),
        ];
        for (pattern, name, wanted) in rows {
            let found = captures(&compile(pattern), name);
            assert_eq!(found.as_deref(), *wanted, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_match_without_an_answer_ends() {
        let pattern = "*a".repeat(40) + "b";
        assert_eq!(captures(&compile(&pattern), &"a".repeat(200)), None);
    }

    #[test]
    fn targets_are_filled_in_order() {
        assert_eq!(fill("x/*/y/*", ["a", "b"]), "x/a/y/b");
        assert_eq!(fill("x/*", []), "x/*");
        assert_eq!(fill("x", ["a"]), "x");
    }
}
