//! Faults of matching, preferring and filling in patterns.

use std::cmp::{Ordering, Reverse};

use crate::pattern::{self, Token, WILDCARD, literals, wildcards};
use crate::steps::{Correct, Steps};
use crate::tables::Entry;

/// The number of patterns that [`FifthPatternIgnored`] looks at.
const LOOKED_AT_MAX: usize = 4;

pub(super) struct TiesByInsertion;

impl Steps for TiesByInsertion {
    const NAME: &'static str = "ties-by-insertion";
    const SENTENCE: &'static str = "of two equally specific patterns the one that was inserted first wins";
    const SOURCE: &'static str = "measured on LiteLLM 1.109.1: `a*c` and `*bc`, request `abc`";

    fn prefer(one: &str, other: &str) -> Ordering {
        let key = |text| (Reverse(literals(text)), wildcards(text));
        key(one).cmp(&key(other))
    }
}

pub(super) struct FirstPatternWins;

impl Steps for FirstPatternWins {
    const NAME: &'static str = "first-pattern-wins";
    const SENTENCE: &'static str = "of all patterns that match the one that was inserted first wins";
    const SOURCE: &'static str = "agentgateway/agentgateway#2143: wildcards are tried in the order of the list";

    fn prefer(_one: &str, _other: &str) -> Ordering {
        Ordering::Equal
    }
}

pub(super) struct EscapedLengthDecides;

impl Steps for EscapedLengthDecides {
    const NAME: &'static str = "escaped-length-decides";
    const SENTENCE: &'static str = "a character that a regular expression escapes counts twice towards specificity";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0: patterns are tried in order of their escaped length";

    fn prefer(one: &str, other: &str) -> Ordering {
        let escaped = |character: &char| ".+?()[]{}^$|\\-&~# ".contains(*character);
        let length = |text: &str| literals(text) + text.chars().filter(escaped).count();
        length(other)
            .cmp(&length(one))
            .then_with(|| Correct::prefer(one, other))
    }
}

pub(super) struct FifthPatternIgnored;

impl Steps for FifthPatternIgnored {
    const NAME: &'static str = "fifth-pattern-ignored";
    const SENTENCE: &'static str = "only the first four patterns of a table are looked at";
    const SOURCE: &'static str = "Kong/kong#5679: routes are lost from a cache that is too small for them";

    fn best<'t>(entries: &'t [Entry], name: &str) -> Option<&'t Entry> {
        Correct::best(&entries[..entries.len().min(LOOKED_AT_MAX)], name)
    }
}

pub(super) struct EndUnanchored;

impl Steps for EndUnanchored {
    const NAME: &'static str = "end-unanchored";
    const SENTENCE: &'static str = "a pattern matches a name that goes on behind its last literal";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0: `a*c` matches `abcd`; sozu-proxy/sozu#1350";

    fn compile(text: &str) -> Vec<Token> {
        let mut tokens = pattern::compile(text);
        tokens.push(Token::Rest);
        tokens
    }
}

pub(super) struct DotUnescaped;

impl Steps for DotUnescaped {
    const NAME: &'static str = "dot-unescaped";
    const SENTENCE: &'static str = "a dot in a pattern matches any character";
    const SOURCE: &'static str = "laravel/framework#2941";

    fn compile(text: &str) -> Vec<Token> {
        let unescaped = |token| match token {
            Token::Exactly('.') => Token::AnyOne,
            other => other,
        };
        pattern::compile(text).into_iter().map(unescaped).collect()
    }
}

pub(super) struct StarNeedsACharacter;

impl Steps for StarNeedsACharacter {
    const NAME: &'static str = "star-needs-a-character";
    const SENTENCE: &'static str = "a wildcard does not match the empty run";
    const SOURCE: &'static str = "labstack/echo#32, mswjs/node-match-path#30";

    fn compile(text: &str) -> Vec<Token> {
        pattern::compile_with(
            text,
            Token::Run {
                least: 1,
                longest: true,
            },
        )
    }
}

pub(super) struct CapturesShortest;

impl Steps for CapturesShortest {
    const NAME: &'static str = "captures-shortest";
    const SENTENCE: &'static str = "a wildcard captures the shortest run that fits in place of the longest";
    const SOURCE: &'static str = "requestly/requestly#3008: where `*-*` divides `a-b-c`";

    fn compile(text: &str) -> Vec<Token> {
        pattern::compile_with(
            text,
            Token::Run {
                least: 0,
                longest: false,
            },
        )
    }
}

pub(super) struct CapturesSwapped;

impl Steps for CapturesSwapped {
    const NAME: &'static str = "captures-swapped";
    const SENTENCE: &'static str = "a target is filled with the captures in reverse order";
    const SOURCE: &'static str = "vercel/next.js#96890: the result depends on the order in which captures are taken";

    fn fill(target: &str, captures: &[&str]) -> String {
        pattern::fill(target, captures.iter().rev().copied())
    }
}

pub(super) struct FirstCaptureEverywhere;

impl Steps for FirstCaptureEverywhere {
    const NAME: &'static str = "first-capture-everywhere";
    const SENTENCE: &'static str = "every wildcard of a target is filled with the first capture";
    const SOURCE: &'static str = "lbjlaq/Antigravity-Manager#954: only a single wildcard is supported";

    fn fill(target: &str, captures: &[&str]) -> String {
        captures
            .first()
            .map_or_else(|| target.to_owned(), |capture| target.replace(WILDCARD, capture))
    }
}
