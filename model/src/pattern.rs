//! Wildcard names, as naively as can be: the `regex` crate, and a count of characters.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::FixedState;
use regex::bytes::{Regex, RegexBuilder};

use crate::semantics::Precedence;

/// The number of compiled names that are kept before all are dropped: hostile input must not fill the memory.
const COMPILED_MAX: usize = 4_096;

/// The number of pairs of a name and a text that are kept before all are dropped.
const MATCHED_MAX: usize = 1 << 16;

/// For each name, whether it matches the texts that were asked for.
type Matched = HashMap<String, HashMap<String, bool, FixedState>, FixedState>;

/// Compiles wildcard names, and remembers what it compiled and what matched.
#[derive(Debug, Default)]
pub struct Patterns {
    compiled: RefCell<HashMap<(String, bool), Regex>>,
    matched: RefCell<(usize, Matched)>,
}

impl Patterns {
    /// Returns the text that each `*` of `name` stands for; `None` if `name` does not match `asked` from its start, and
    /// to its end if `to_the_end`. Captures are leftmost, each as long as it can be.
    pub fn captures(&self, name: &str, asked: &str, to_the_end: bool) -> Option<Vec<String>> {
        // Most names are told apart from most texts without being compiled.
        if !name.split('*').all(|literal| asked.contains(literal)) {
            return None;
        }
        let mut compiled = self.compiled.borrow_mut();
        // A name that was dropped is compiled again: no answer depends on how many are kept.
        if compiled.len() > COMPILED_MAX {
            compiled.clear();
        }
        let regex = compiled
            .entry((name.to_owned(), to_the_end))
            .or_insert_with(|| compile(name, to_the_end));
        let found = regex.captures(asked.as_bytes())?;
        let groups = found.iter().skip(1).flatten();
        Some(groups.map(|group| asked[group.range()].to_owned()).collect())
    }

    /// Returns whether `name` matches the whole of `asked`: as a pattern where it has a `*`, else as a text.
    pub fn matches(&self, name: &str, asked: &str) -> bool {
        if !is_pattern(name) {
            return name == asked;
        }
        let (count, matched) = &mut *self.matched.borrow_mut();
        let known = matched.get(name).and_then(|texts| texts.get(asked));
        known.copied().unwrap_or_else(|| {
            if *count >= MATCHED_MAX {
                (*count, *matched) = (0, Matched::default());
            }
            let matches = self.captures(name, asked, true).is_some();
            matched
                .entry(name.to_owned())
                .or_default()
                .insert(asked.to_owned(), matches);
            *count += 1;
            matches
        })
    }
}

/// Returns whether a name is a pattern.
pub fn is_pattern(name: &str) -> bool {
    name.contains('*')
}

/// The rank of a pattern among those that match; the smallest wins. Equal ranks are ties.
pub fn pattern_rank(name: &str, precedence: Precedence) -> (Reverse<usize>, Reverse<usize>, usize, &str) {
    match precedence {
        Precedence::Literals => {
            let stars = name.matches('*').count();
            (Reverse(name.chars().count() - stars), Reverse(0), stars, name)
        }
        Precedence::PythonRegexLength => {
            let [length, special] = name
                .chars()
                .map(python_regex)
                .fold([0, 0], |[length, special], of_one| {
                    [length + of_one[0], special + of_one[1]]
                });
            (Reverse(length), Reverse(special), 0, "")
        }
    }
}

/// Counts the characters, and the special ones among them, that one character of a name becomes in the regular
/// expression that Python makes of the name. Source: `re.escape` of `CPython`, and
/// `PatternUtils.calculate_pattern_specificity` of `LiteLLM`.
fn python_regex(character: char) -> [usize; 2] {
    match character {
        '*' => ["(.*)".len(), "(*)".len()],
        '+' | '?' | '\\' | '^' | '$' | '|' | '(' | ')' => [2, 2],
        '[' | ']' | '{' | '}' | '-' | '.' | '&' | '~' | '#' | ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => [2, 1],
        _ => [1, 0],
    }
}

/// A wildcard is any bytes, which costs a quarter of what any characters do to compile. It begins and ends where a
/// literal or the text does, and so between characters.
fn compile(name: &str, to_the_end: bool) -> Regex {
    let literals: Vec<String> = name.split('*').map(regex::escape).collect();
    let end = if to_the_end { "$" } else { "" };
    RegexBuilder::new(&format!("^{}{end}", literals.join("((?s-u:.)*)")))
        .size_limit(usize::MAX)
        .build()
        .expect("escaped literals and captures are a regular expression")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_leftmost_and_longest() {
        #[rustfmt::skip]
        let rows: &[(&str, &str, Option<&[&str]>)] = &[
            ("*", "", Some(&[""])),
            ("*", "a/b", Some(&["a/b"])),
            ("openai/*", "openai/gpt-4o", Some(&["gpt-4o"])),
            ("openai/*", "azure/gpt-4o", None),
            ("a*c", "abcd", None),
            ("a*c", "abcbc", Some(&["bcb"])),
            ("*-*", "a-b-c", Some(&["a-b", "c"])),
            ("a.c*", "abc", None),
            ("[x]*", "[x]", Some(&[""])),
            ("**", "ab", Some(&["ab", ""])),
            ("**", "\u{e9}", Some(&["\u{e9}", ""])),
            ("*\u{e9}*", "\u{e9}\u{e8}\u{e9}\n\u{20ac}", Some(&["\u{e9}\u{e8}", "\n\u{20ac}"])),
        ];
        let patterns = Patterns::default();
        for (name, asked, expected) in rows {
            let found = patterns.captures(name, asked, true);
            let expected = expected.map(|captures| captures.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(found, expected, "{name} on {asked}");
        }
        assert!(patterns.captures("a*c", "abcd", false).is_some());
    }

    #[test]
    fn ranks_prefer_literals_then_few_wildcards_then_the_alphabet() {
        let best = |names: &[&'static str]| {
            let rank = |name: &&'static str| pattern_rank(name, Precedence::Literals);
            names.iter().copied().min_by_key(rank).unwrap()
        };
        assert_eq!(best(&["*", "a*", "ab*"]), "ab*");
        assert_eq!(best(&["a*b*", "ab*"]), "ab*");
        assert_eq!(best(&["*bc", "ab*", "a*c"]), "*bc");
        let python = |name| pattern_rank(name, Precedence::PythonRegexLength);
        assert_eq!(python("a*c"), python("*bc"));
        assert!(python("a.*") < python("ab*"));
        assert!(python("*-*") < python("abcde*"));
        assert_eq!(python("a-*"), (Reverse(7), Reverse(4), 0, ""));
        assert_eq!(python("a+*"), (Reverse(7), Reverse(5), 0, ""));
        assert_eq!(
            pattern_rank("a*b*c", Precedence::Literals),
            (Reverse(3), Reverse(0), 2, "a*b*c")
        );
    }

    #[test]
    fn a_text_matches_itself_and_a_pattern_what_it_spans() {
        let patterns = Patterns::default();
        assert!(patterns.matches("a.c", "a.c") && !patterns.matches("a.c", "abc"));
        assert!(patterns.matches("a*c", "abc") && !patterns.matches("a*c", "abcd"));
    }
}
