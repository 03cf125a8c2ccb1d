//! The answers of the specification, kept.
//!
//! The specification is naive on purpose: it costs a hundred times what a router does. It answers a lookup from few of the
//! rows, those that the lookup can [reach](crate::reach), and of those from few of the fields. So an answer is kept under
//! the lookup and these fields of these rows, with what the wildcards stood for in place of the target. A wrong key would
//! hide a fault: of one state in [`ASKED_ANEW`](crate::reach::ASKED_ANEW), whoever judges asks the specification itself, about every row.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};
use std::rc::Rc;

use foldhash::{fast, quality};
use protocol::{Answer, Query, Refusal, Row};

use crate::found::Found;
use crate::semantics::{By, Filling};
use crate::spec::{Spec, Table};

/// The number of answers that are kept before all are dropped.
const ANSWERS_MAX: usize = 1 << 18;
/// The number of listings that are kept before all are dropped.
const LISTINGS_MAX: usize = 1 << 8;
/// Stands between the captures of an answer that is kept: a text of a valid row or query holds no such character.
const BETWEEN: &str = "\u{1f}";

/// Answers by two numbers, one for the question and one for the rows that it was asked about.
type Known<T> = RefCell<HashMap<(u64, u64), T, fast::FixedState>>;

/// A row, with a number for those of its fields that decide answers.
#[derive(Clone, Copy, Debug)]
pub struct KeyedRow<'a> {
    /// The row.
    pub row: &'a Row,
    pub(crate) key: u64,
}

/// An answer of the specification, but for the tags of the rows, and their targets where wildcards fill these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// A refusal.
    Refused(Refusal),
    /// The candidates, in the order of their ids.
    Candidates(Vec<ExpectedCandidate>),
}

/// A candidate of an [`Expected`] answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExpectedCandidate {
    /// The place of the row among those that the answer was asked of.
    pub place: usize,
    /// The target, or the texts that its wildcards stand for.
    text: String,
    is_target: bool,
}

/// The specification, and what it has answered.
#[derive(Debug)]
pub struct KeptSpec {
    spec: Spec,
    answers: Known<Rc<[Expected]>>,
    /// The answers that differ, each once: there are few, and many small pieces of memory that stay would slow down the
    /// allocator for all that come and go.
    distinct: RefCell<HashSet<Rc<[Expected]>, fast::FixedState>>,
    listings: Known<Rc<BTreeSet<String>>>,
}

impl KeptSpec {
    /// Keeps the answers of that specification.
    pub fn new(spec: Spec) -> Self {
        Self {
            spec,
            answers: RefCell::default(),
            distinct: RefCell::default(),
            listings: RefCell::default(),
        }
    }

    /// The specification itself.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Returns the answers that are allowed to a lookup on that path of the router, where these are all rows that it can
    /// reach, in the order of their ids.
    pub fn expected(&self, lookup: &Found, path: &str, rows: &[KeyedRow]) -> Rc<[Expected]> {
        let number = lookup.number();
        let asked = if path.is_empty() {
            number
        } else {
            hash_of((number, path))
        };
        let key = (asked, state_of(rows.iter().map(|row| row.key)));
        let mut answers = self.answers.borrow_mut();
        if let Some(known) = answers.get(&key) {
            return Rc::clone(known);
        }
        let mut distinct = self.distinct.borrow_mut();
        // No answer depends on how many are kept.
        if answers.len() >= ANSWERS_MAX {
            answers.clear();
            distinct.clear();
        }
        let answer = self.answered(lookup.query(), path, rows);
        let answer = distinct.get(&answer).cloned().unwrap_or(answer);
        distinct.insert(Rc::clone(&answer));
        answers.insert(key, Rc::clone(&answer));
        answer
    }

    /// Returns the listing that a caller of `team` is shown of the rows that `state` stands for, which `find_out` returns the
    /// first time.
    pub(crate) fn listing(
        &self,
        team: Option<&str>,
        state: u64,
        find_out: impl FnOnce() -> BTreeSet<String>,
    ) -> Rc<BTreeSet<String>> {
        let key = (hash_of(team), state);
        if let Some(known) = self.listings.borrow().get(&key) {
            return Rc::clone(known);
        }
        let listing = Rc::new(find_out());
        let mut listings = self.listings.borrow_mut();
        if listings.len() >= LISTINGS_MAX {
            listings.clear();
        }
        listings.insert(key, Rc::clone(&listing));
        listing
    }

    /// Asks the specification about rows without tags, whose targets are made of wildcards alone.
    fn answered(&self, query: &Query, path: &str, rows: &[KeyedRow]) -> Rc<[Expected]> {
        let bare = rows.iter().map(|KeyedRow { row, .. }| (row.id.clone(), self.bare(row)));
        let bare: Table = bare.collect();
        let expected = |answer: Answer| match answer {
            Answer::Refused(refusal) => Expected::Refused(refusal),
            Answer::Candidates(candidates) => {
                let candidates = candidates.into_iter().map(|candidate| {
                    let place = rows.iter().position(|keyed| keyed.row.id == candidate.id);
                    let place = place.expect("the specification answers from the rows that it is given");
                    ExpectedCandidate {
                        place,
                        is_target: !self.fills_by_name(rows[place].row),
                        text: candidate.model,
                    }
                });
                Expected::Candidates(candidates.collect())
            }
            Answer::Failed(_) => unreachable!("the specification does not fail"),
        };
        self.spec.lookup(&bare, query, path).into_iter().map(expected).collect()
    }

    fn bare(&self, row: &Row) -> Row {
        let stars = row.asked_name().matches('*').count();
        Row {
            model: if self.fills_by_name(row) {
                vec!["*"; stars].join(BETWEEN)
            } else {
                row.model.clone()
            },
            tag: String::new(),
            weight: None,
            extra: None,
            ..row.clone()
        }
    }

    /// Returns the row with the number of the fields that decide answers.
    pub(crate) fn keyed<'a>(&self, row: &'a Row) -> KeyedRow<'a> {
        let target = (!self.fills_by_name(row)).then_some(&row.model);
        let names = (&row.id, &row.model_name, &row.team, &row.team_model_name);
        KeyedRow {
            row,
            key: hash_of((names, row.blocked, target)),
        }
    }

    /// Returns true if the target decides nothing but what is filled in: no tier looks at it, and it has no wildcards or as
    /// many as the name.
    fn fills_by_name(&self, row: &Row) -> bool {
        let semantics = self.spec.semantics();
        let stars = |text: &str| text.matches('*').count();
        semantics.filling == Filling::Exact
            && semantics.tiers.iter().all(|tier| tier.by != By::Target)
            && (stars(&row.model) == 0 || stars(&row.model) == stars(row.asked_name()))
    }
}

impl Expected {
    /// Returns whether `answer` is this one, given by these rows in any order.
    pub fn agrees(&self, answer: &Answer, rows: &[KeyedRow]) -> bool {
        let (expected, got) = match (self, answer) {
            (Self::Refused(expected), Answer::Refused(got)) => return expected == got,
            (Self::Candidates(expected), Answer::Candidates(got)) => (expected, got),
            _ => return false,
        };
        if expected.len() != got.len() {
            return false;
        }
        let mut got: Vec<_> = got.iter().collect();
        if !got.is_sorted_by_key(|candidate| &candidate.id) {
            got.sort_unstable_by_key(|candidate| &candidate.id);
        }
        expected.iter().zip(got).all(|(expected, got)| {
            let row = rows[expected.place].row;
            got.id == row.id && got.tag == row.tag && got.model == expected.target(row)
        })
    }
}

impl ExpectedCandidate {
    /// The target of this candidate, which is of that row.
    pub fn target<'a>(&'a self, row: &'a Row) -> Cow<'a, str> {
        if self.is_target {
            return Cow::Borrowed(&self.text);
        }
        if !row.model.contains('*') {
            return Cow::Borrowed(&row.model);
        }
        let mut target = String::with_capacity(row.model.len() + self.text.len());
        let mut captures = self.text.split(BETWEEN);
        for (position, literal) in row.model.split('*').enumerate() {
            if position > 0 {
                target.push_str(captures.next().unwrap_or_default());
            }
            target.push_str(literal);
        }
        Cow::Owned(target)
    }
}

/// A number that stands for a query.
pub(crate) fn number_of(query: &Query) -> u64 {
    hash_of(query)
}

/// A number that stands for the rows of these keys, in this order.
pub(crate) fn state_of(keys: impl Iterator<Item = u64>) -> u64 {
    keys.fold(0, |state, key| scramble(state ^ key))
}

fn hash_of(value: impl Hash) -> u64 {
    // A seed that is fixed: a run is to be the same each time, and nobody who chooses the texts gains by two of one number.
    quality::FixedState::with_seed(0).hash_one(value)
}

/// A number whose bits all depend on all bits of another. Source: Steele et al., "Fast splittable pseudorandom number
/// generators", OOPSLA 2014.
fn scramble(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::STRICT;

    #[test]
    fn rows_have_one_key_where_they_decide_answers_alike_and_are_asked_about_alike_then() {
        let kept = KeptSpec::new(Spec::new(&STRICT, &[]));
        let row = Row::new("d1", "a/*", "x/*", "v1");
        let with = |change: fn(&mut Row)| {
            let mut changed = row.clone();
            change(&mut changed);
            changed
        };
        let alike = [
            with(|row| row.tag = "v2".to_owned()),
            with(|row| row.weight = Some(3)),
            with(|row| row.extra = Some("e1".to_owned())),
            with(|row| row.model = "y/z/*".to_owned()),
        ];
        for other in &alike {
            assert_eq!(kept.keyed(other).key, kept.keyed(&row).key, "{other:?}");
            assert_eq!(kept.bare(other), kept.bare(&row), "{other:?}");
        }
        let unlike = [
            with(|row| row.id = "d2".to_owned()),
            with(|row| row.model_name = "b/*".to_owned()),
            with(|row| row.team = Some("t1".to_owned())),
            with(|row| row.team_model_name = Some("a".to_owned())),
            with(|row| row.blocked = true),
            // The specification leaves a target with other wildcards than the name as it is.
            with(|row| row.model = "x/*/*".to_owned()),
        ];
        for other in &unlike {
            assert_ne!(kept.keyed(other).key, kept.keyed(&row).key, "{other:?}");
        }
        // As many wildcards as the name, or none: those without are asked about as if they had some.
        let plain = [Row::new("d1", "a/*", "x", "v1"), Row::new("d1", "a/*", "y", "v1")];
        assert_eq!(kept.keyed(&plain[0]).key, kept.keyed(&plain[1]).key);
    }

    /// Source: the first numbers that the authors' code gives of the seed 1234567.
    #[test]
    fn numbers_are_scrambled_as_published() {
        assert_eq!(scramble(1_234_567), 6_457_827_717_110_365_317);
        assert_eq!(scramble(0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn a_state_is_of_each_key_in_its_place() {
        let of = |keys: &[u64]| state_of(keys.iter().copied());
        assert_eq!(of(&[1, scramble(1)]), scramble(0), "a key takes away what it adds");
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
    }
}
