//! Names with wildcards.
//!
//! A pattern is reached by its literal prefix, then by its literal suffix, then by its longest literal in between. Each
//! step is a trie over the texts that patterns have there; a set of one pattern is held as it is, without a trie. A
//! lookup walks along the name from the front, and where patterns share a prefix from the back, and where they share
//! both over the middle: it meets the patterns whose literals stand in the name, and those only, whatever the others
//! are.
//!
//! # Complexity
//!
//! A lookup is linear in the length of the name for patterns told apart by prefix or suffix, quadratic for those told
//! apart by a literal in between, and linear in the number of patterns that share all three and are better than the one
//! that is found. An update is linear in the length of the name and the fan-out of the tries.

use std::cmp::{Ordering, Reverse};
use std::mem;

use super::keyed::{Entry, Key, Keyed};
use super::trie::{Back, Front, Trie};
use super::{Group, Index};
use crate::deployment::{Deployment, Team};
use crate::pattern::Pattern;

/// The rows with a pattern for a name, by team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Patterns {
    global: Option<Set>,
    teams: Keyed<Scope>,
}

/// The patterns of one team.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Scope {
    team: Box<str>,
    patterns: Set,
}

impl Patterns {
    /// The group of the best pattern of the team (or of none) that matches.
    pub(crate) fn find<'a>(&'a self, team: Option<&str>, name: &'a str) -> Option<&'a Group> {
        let patterns = match team {
            None => self.global.as_ref()?,
            Some(team) => &self.teams.find((None, team))?.patterns,
        };
        let mut best = Best { name, held: None };
        patterns.offer(name.as_bytes(), Part::Prefix, &mut best);
        best.held.map(|held| &held.group)
    }

    pub(crate) fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a Group)) {
        let scopes = self.teams.iter().map(|scope| &scope.patterns);
        for patterns in self.global.iter().chain(scopes) {
            patterns.each(&mut |held| visit(&held.group));
        }
    }
}

impl Index for Patterns {
    fn insert(&mut self, row: &Deployment) {
        if row.asked().pattern().is_none() {
            return;
        }
        match (row.team(), &mut self.global) {
            (None, Some(patterns)) => {
                patterns.insert(Held::of(row), Part::Prefix);
            }
            (None, none @ None) => *none = Some(Set::One(Held::of(row))),
            (Some(team), _) => self.teams.upsert(
                (None, team.as_str()),
                |scope| {
                    scope.patterns.insert(Held::of(row), Part::Prefix);
                },
                || Scope {
                    team: team.as_str().into(),
                    patterns: Set::One(Held::of(row)),
                },
            ),
        }
    }

    fn remove(&mut self, row: &Deployment) {
        if row.asked().pattern().is_none() {
            return;
        }
        match row.team().map(Team::as_str) {
            None => {
                let patterns = self
                    .global
                    .as_mut()
                    .expect("an index is told to forget only what it holds");
                if patterns.remove(row) == Left::Nothing {
                    self.global = None;
                }
            }
            Some(team) => self
                .teams
                .shrink((None, team), |scope| scope.patterns.remove(row) == Left::Nothing),
        }
    }

    fn swap(&mut self, before: &Deployment, after: &Deployment) {
        let Some(pattern) = before.asked().pattern() else {
            return;
        };
        let patterns = match before.team() {
            None => self.global.as_mut(),
            Some(team) => self
                .teams
                .find_mut((None, team.as_str()))
                .map(|scope| &mut scope.patterns),
        };
        patterns
            .expect("the team of a held row has patterns")
            .group_mut(pattern)
            .swap(before, after);
    }

    fn sizes(&self, report: &mut dyn FnMut(&'static str, usize)) {
        let (mut patterns, mut rows) = (0, 0);
        self.each(&mut |group| {
            patterns += 1;
            rows += group.len();
        });
        report("teams with patterns", self.teams.len());
        report("patterns", patterns);
        report("rows by pattern", rows);
        let scopes = self.teams.iter().map(|scope| &scope.patterns);
        report("pattern nodes", self.global.iter().chain(scopes).map(Set::nodes).sum());
    }
}

impl Entry for Scope {
    fn key(&self) -> Key<'_> {
        (None, &self.team)
    }
}

/// A pattern and its rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Held {
    group: Group,
    rank: Rank,
    shape: Shape,
}

/// The greater is preferred: most literal characters, then fewest `*`. Equal ranks are ordered by their texts.
type Rank = (u16, Reverse<u16>);

/// The shape of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// A prefix and a `*`.
    Prefix,
    /// A `*` between a prefix and a suffix.
    Around,
    /// Several `*`.
    Several,
}

impl Held {
    fn of(row: &Deployment) -> Self {
        let pattern = row
            .asked()
            .pattern()
            .expect("only rows with a pattern for a name are held here");
        let small = |count: usize| u16::try_from(count).expect("a text has at most `TEXT_BYTES_MAX` characters");
        let rank = (small(pattern.literals()), Reverse(small(pattern.wildcards())));
        // A plainer shape saves comparisons in `Best::offer`; to call every pattern `Several` would be slower and no less
        // right.
        let shape = match pattern.wildcards() {
            1 if pattern.suffix().is_empty() => Shape::Prefix,
            1 => Shape::Around,
            _ => Shape::Several,
        };
        Self {
            group: Group::of(row.clone()),
            rank,
            shape,
        }
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::of(self.group.name()).expect("only rows with a pattern for a name are held here")
    }

    /// The preferred pattern first.
    fn order(&self, other: &Self) -> Ordering {
        other
            .rank
            .cmp(&self.rank)
            .then_with(|| self.group.name().cmp(other.group.name()))
    }
}

/// The best pattern met so far.
struct Best<'a> {
    name: &'a str,
    held: Option<&'a Held>,
}

impl<'a> Best<'a> {
    /// Takes a pattern if it is better than the one that was met before, and matches; `part` has not been compared yet.
    fn offer(&mut self, held: &'a Held, part: Part) {
        let matched = match part {
            Part::Suffix => held.shape == Shape::Prefix,
            Part::Inner => held.shape != Shape::Several,
            Part::Prefix | Part::None => false,
        };
        let better = self.held.is_none_or(|best| held.order(best).is_lt());
        if better && (matched || held.pattern().matches(self.name)) {
            self.held = Some(held);
        }
    }
}

/// The literal by which patterns are told apart; each part is used where the one before it is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Prefix,
    Suffix,
    /// The longest literal between two `*`.
    Inner,
    /// No part is left to tell the patterns apart by: they are tried one by one.
    None,
}

impl Part {
    const fn next(self) -> Self {
        match self {
            Self::Prefix => Self::Suffix,
            Self::Suffix => Self::Inner,
            Self::Inner | Self::None => Self::None,
        }
    }

    /// The part of a pattern.
    fn of(self, pattern: Pattern<'_>) -> &[u8] {
        let text = match self {
            Self::Prefix => pattern.prefix(),
            Self::Suffix => pattern.suffix(),
            Self::Inner => pattern.longest_inner(),
            Self::None => "",
        };
        text.as_bytes()
    }
}

/// Patterns of one team that share their parts so far; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Set {
    One(Held),
    Split(Box<Split>),
    /// The best first; at least two.
    List(Vec<Held>),
}

/// At least two patterns, told apart by a part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Split {
    part: Part,
    trie: Trie<Set>,
    patterns: usize,
}

/// The remainder of a set when a row is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The pattern of the row, since it has other rows.
    Pattern,
    /// Other patterns only.
    Others,
    /// Nothing: the last row stays in place for the caller to drop.
    Nothing,
}

impl Set {
    /// Takes up a pattern with one row, or its row if the pattern is held; `part` is what would tell the patterns
    /// apart. Says whether the pattern is new.
    fn insert(&mut self, new: Held, part: Part) -> bool {
        match self {
            Self::One(held) if held.group.name() == new.group.name() => {
                held.group.insert(new.group.first());
                false
            }
            Self::One(held) if part == Part::None => {
                let mut both = vec![held.clone(), new];
                both.sort_unstable_by(Held::order);
                *self = Self::List(both);
                true
            }
            Self::One(held) => {
                let mut split = Split {
                    part,
                    trie: Trie::default(),
                    patterns: 0,
                };
                split.insert(held.clone());
                split.insert(new);
                *self = Self::Split(Box::new(split));
                true
            }
            Self::Split(split) => split.insert(new),
            Self::List(list) => match list.binary_search_by(|held| held.order(&new)) {
                Ok(at) => {
                    list[at].group.insert(new.group.first());
                    false
                }
                Err(at) => {
                    list.insert(at, new);
                    true
                }
            },
        }
    }

    fn remove(&mut self, row: &Deployment) -> Left {
        match self {
            Self::One(held) => {
                if held.group.remove(row) {
                    Left::Nothing
                } else {
                    Left::Pattern
                }
            }
            Self::Split(split) => {
                let left = split.remove(row);
                if split.patterns == 1 {
                    *self = mem::take(&mut split.trie).into_only();
                }
                left
            }
            Self::List(list) => {
                let at = list.iter().position(|held| held.group.name() == row.asked().as_str());
                let at = at.expect("an index is told to forget only what it holds");
                if !list[at].group.remove(row) {
                    return Left::Pattern;
                }
                list.remove(at);
                if list.len() == 1 {
                    *self = Self::One(list.remove(0));
                }
                Left::Others
            }
        }
    }

    fn group_mut(&mut self, pattern: Pattern<'_>) -> &mut Group {
        match self {
            Self::One(held) => &mut held.group,
            Self::Split(split) => {
                let set = split.place(pattern).as_mut().expect("the pattern is held");
                set.group_mut(pattern)
            }
            Self::List(list) => {
                let held = list.iter_mut().find(|held| held.group.name() == pattern.as_str());
                &mut held.expect("the pattern is held").group
            }
        }
    }

    /// Offers the patterns that may match. `rest` is what the parts before `part` have not compared of the name.
    fn offer<'a>(&'a self, rest: &[u8], part: Part, best: &mut Best<'a>) {
        match self {
            Self::One(held) => best.offer(held, part),
            Self::Split(split) => split.offer(rest, best),
            Self::List(list) => list.iter().for_each(|held| best.offer(held, part)),
        }
    }

    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a Held)) {
        match self {
            Self::One(held) => visit(held),
            Self::Split(split) => split.trie.each(&mut |set| set.each(visit)),
            Self::List(list) => list.iter().for_each(visit),
        }
    }

    /// Counts the nodes of the tries of the set.
    fn nodes(&self) -> usize {
        let Self::Split(split) = self else { return 0 };
        let mut nodes = split.trie.nodes();
        split.trie.each(&mut |set| nodes += set.nodes());
        nodes
    }
}

impl Split {
    fn insert(&mut self, new: Held) -> bool {
        let next = self.part.next();
        let place = self.place(new.pattern());
        let is_new = if let Some(set) = place {
            set.insert(new, next)
        } else {
            *place = Some(Set::One(new));
            true
        };
        self.patterns += usize::from(is_new);
        is_new
    }

    fn remove(&mut self, row: &Deployment) -> Left {
        let pattern = row
            .asked()
            .pattern()
            .expect("only rows with a pattern for a name are held here");
        let mut left = Left::Pattern;
        let remove = |set: &mut Set| {
            left = set.remove(row);
            left == Left::Nothing
        };
        let text = self.part.of(pattern);
        match self.part {
            Part::Suffix => self.trie.shrink::<Back>(text, remove),
            Part::Prefix | Part::Inner | Part::None => self.trie.shrink::<Front>(text, remove),
        }
        if left == Left::Pattern {
            return Left::Pattern;
        }
        self.patterns -= 1;
        Left::Others
    }

    fn place(&mut self, pattern: Pattern<'_>) -> &mut Option<Set> {
        let text = self.part.of(pattern);
        match self.part {
            Part::Suffix => self.trie.place::<Back>(text),
            Part::Prefix | Part::Inner | Part::None => self.trie.place::<Front>(text),
        }
    }

    fn offer<'a>(&'a self, rest: &[u8], best: &mut Best<'a>) {
        let next = self.part.next();
        match self.part {
            Part::Prefix => self.trie.walk::<Front>(rest, |set, rest| set.offer(rest, next, best)),
            Part::Suffix => self.trie.walk::<Back>(rest, |set, rest| set.offer(rest, next, best)),
            Part::Inner | Part::None => {
                for start in 0..=rest.len() {
                    let from = &rest[start..];
                    self.trie.walk::<Front>(from, |set, behind| {
                        // The empty literal stands everywhere: its patterns are offered once. A second offer would cost time
                        // and change nothing, since a pattern is not better than itself.
                        if start == 0 || behind.len() < from.len() {
                            set.offer(behind, next, best);
                        }
                    });
                }
            }
        }
    }
}
