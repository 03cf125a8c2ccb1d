//! Names with wildcards: match, capture, specificity.
//!
//! A `*` matches any run of characters, the empty one too, and the whole name must match. Captures are leftmost, each
//! as long as it can be: what the regular expression `(?s)^(.*)...(.*)$` captures, found without backtracking.

use std::cmp::{Ordering, Reverse};
use std::fmt;

use smallvec::SmallVec;

/// The character that stands for any run of characters.
const WILDCARD: char = '*';

/// The number of captures that are held without an allocation.
const CAPTURES_INLINE: usize = 8;

/// Counts the `*` in a text.
pub(crate) fn wildcards(text: &str) -> usize {
    text.matches(WILDCARD).count()
}

/// A name that holds at least one `*`.
///
/// Patterns are ordered by preference, the best first: most literal characters (Unicode scalar values, not bytes), then
/// fewest `*`, then lexicographic order.
///
/// # Examples
///
/// ```
/// use router_core::Pattern;
///
/// let pattern = Pattern::of("*/gpt-*").unwrap();
/// assert!(pattern.matches("openai/gpt-4o"));
/// assert_eq!(pattern.fill("azure/*/*", "openai/gpt-4o").as_deref(), Some("azure/openai/4o"));
/// assert!(Pattern::of("gpt-4*").unwrap() < Pattern::of("gpt-*").unwrap());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pattern<'a>(&'a str);

impl<'a> Pattern<'a> {
    /// The text as a pattern, if it holds a `*`.
    pub fn of(text: &'a str) -> Option<Self> {
        text.contains(WILDCARD).then_some(Self(text))
    }

    /// The text of the pattern, which it also matches.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Counts the characters other than `*`.
    pub fn literals(self) -> usize {
        self.0.chars().count() - self.wildcards()
    }

    /// Counts the `*`.
    pub fn wildcards(self) -> usize {
        wildcards(self.0)
    }

    /// Returns the literal before the first `*`.
    pub(crate) fn prefix(self) -> &'a str {
        self.0.split(WILDCARD).next().unwrap_or_default()
    }

    /// Returns the literal behind the last `*`.
    pub(crate) fn suffix(self) -> &'a str {
        self.0.rsplit(WILDCARD).next().unwrap_or_default()
    }

    /// The first of the longest literals between two `*`; empty if there is none.
    pub(crate) fn longest_inner(self) -> &'a str {
        let inner = self.0.split(WILDCARD).skip(1).take(self.wildcards() - 1);
        inner.fold("", |longest, literal| {
            if literal.len() > longest.len() {
                literal
            } else {
                longest
            }
        })
    }

    /// Returns whether the whole name matches.
    pub fn matches(self, name: &str) -> bool {
        self.split(name, |_| {})
    }

    /// The target with the captures of `name` in place of its `*`, in order; nothing if the name does not match.
    ///
    /// A target without `*` is used as it is.
    pub fn fill(self, target: &str, name: &str) -> Option<String> {
        let captures = self.captures(name)?;
        Some(
            Filled {
                target,
                captures: &captures,
            }
            .to_string(),
        )
    }

    /// Returns the text that each `*` stands for in `name`, in order; `None` if the name does not match.
    pub(crate) fn captures(self, name: &str) -> Option<Captures<'_>> {
        let mut captures = Captures::new();
        if !self.split(name, |capture| captures.push(capture)) {
            return None;
        }
        captures.reverse();
        Some(captures)
    }

    /// Matches from the end, and reports each capture, the last one first.
    ///
    /// The first capture is longest when the literal behind it stands as far to the right as the rest allows; by
    /// induction, each inner literal stands at its last occurrence before the one that follows it.
    fn split<'n>(self, name: &'n str, mut capture: impl FnMut(&'n str)) -> bool {
        let (prefix, rest) = self.0.split_once(WILDCARD).expect("a pattern holds a `*`");
        let Some(mut open) = name.strip_prefix(prefix) else {
            return false;
        };
        let mut literals = rest.rsplit(WILDCARD);
        let suffix = literals.next().expect("splitting gives at least one part");
        let Some(before) = open.strip_suffix(suffix) else {
            return false;
        };
        open = before;
        for literal in literals {
            let Some(at) = open.rfind(literal) else {
                return false;
            };
            capture(&open[at + literal.len()..]);
            open = &open[..at];
        }
        capture(open);
        true
    }
}

/// The texts that the `*` of a pattern stand for, in order.
pub(crate) type Captures<'n> = SmallVec<[&'n str; CAPTURES_INLINE]>;

/// A target whose `*` show as the captures.
pub(crate) struct Filled<'a> {
    pub(crate) target: &'a str,
    pub(crate) captures: &'a [&'a str],
}

impl fmt::Display for Filled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut captures = self.captures.iter();
        for (position, literal) in self.target.split(WILDCARD).enumerate() {
            if position > 0 {
                f.write_str(captures.next().expect("a valid target has no more `*` than its name"))?;
            }
            f.write_str(literal)?;
        }
        Ok(())
    }
}

impl Ord for Pattern<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |pattern: &Self| (Reverse(pattern.literals()), pattern.wildcards());
        key(self).cmp(&key(other)).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Pattern<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Pattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl fmt::Display for Pattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_split_at_their_wildcards() {
        let rows = [
            ("*", "", "", "", 0, 1),
            ("a*", "a", "", "", 1, 1),
            ("*b", "", "", "b", 1, 1),
            ("a**b", "a", "", "b", 2, 2),
            ("a*cd*ef*g*hij", "a", "cd", "hij", 9, 4),
            ("*c*de*", "", "de", "", 3, 3),
            ("*é*xy*", "", "é", "", 3, 3),
        ];
        for (text, prefix, inner, suffix, literals, wildcards) in rows {
            let pattern = Pattern::of(text).expect("the text holds a wildcard");
            assert_eq!(
                (pattern.as_str(), pattern.to_string(), format!("{pattern:?}")),
                (text, text.into(), format!("{text:?}"))
            );
            assert_eq!(
                (pattern.prefix(), pattern.longest_inner(), pattern.suffix()),
                (prefix, inner, suffix),
                "{text}"
            );
            assert_eq!(
                (pattern.literals(), pattern.wildcards()),
                (literals, wildcards),
                "{text}"
            );
        }
        assert_eq!(Pattern::of("plain"), None);
    }

    #[test]
    fn targets_are_filled() {
        let pattern = Pattern::of("*/gpt-*").expect("the text holds a wildcard");
        assert_eq!(pattern.fill("x", "a/gpt-b").as_deref(), Some("x"));
        assert_eq!(pattern.fill("*|*", "a/gpt-b").as_deref(), Some("a|b"));
        assert_eq!(pattern.fill("*|*", "a/claude"), None);
    }

    #[test]
    fn patterns_are_ordered_by_preference() {
        let texts = ["**", "éab*", "abc*", "b*c", "*", "*ab", "a*b*", "a*"];
        let mut sorted = texts.map(|text| Pattern::of(text).expect("the text holds a wildcard"));
        sorted.sort_unstable();
        assert_eq!(sorted.map(Pattern::literals), [3, 3, 2, 2, 2, 1, 0, 0]);
        assert_eq!(
            sorted.map(Pattern::as_str),
            ["abc*", "éab*", "*ab", "b*c", "a*b*", "a*", "*", "**"]
        );
        assert_eq!(sorted[0].partial_cmp(&sorted[1]), Some(Ordering::Less));
    }
}
