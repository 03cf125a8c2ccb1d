//! The rows that a lookup can reach, found without a look at all of them.
//!
//! The specification goes through every row for every lookup, so that it reads as a definition does. What it answers depends
//! on few of the rows: those that have the text that is asked for as a name, an id or a target, and those whose pattern may
//! match it. An index of texts finds these, and here and there one more; asked about them alone, the specification answers
//! as it does about all. A test holds the two against each other.
//!
//! A pattern matches no text in which one of its literals is missing. So it is filed under the one of them that the fewest
//! other patterns have, and is found by the parts of the text that are as long as some such literal.

use std::cell::{OnceCell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use foldhash::fast::FixedState;
use protocol::{Query, Row};

use crate::found::Found;
use crate::kept::{KeptSpec, KeyedRow, number_of, state_of};
use crate::pattern::is_pattern;
use crate::spec::Table;

/// One state in so many is put to the specification itself, about every row.
pub const ASKED_ANEW: u64 = 256;
/// The most rows of such a state: the specification would take seconds for a table of thousands.
const ASKED_ANEW_ROWS_MAX: usize = 64;

type ByText<'a> = HashMap<&'a str, Vec<usize>, FixedState>;

/// Versions of rows, and which of them each lookup can reach.
#[derive(Debug)]
pub struct Reach<'a> {
    kept: Option<&'a KeptSpec>,
    /// The versions, in the order of their ids.
    rows: Vec<KeyedRow<'a>>,
    /// The places of the versions, by each of their texts.
    by_text: ByText<'a>,
    /// The places of those with a pattern, by one of its literals.
    by_literal: ByText<'a>,
    /// The lengths of these literals in bytes.
    lengths: BTreeSet<usize>,
    found: RefCell<HashMap<Query, Rc<Found>, FixedState>>,
}

/// The versions that one table holds.
#[derive(Debug)]
pub struct Held {
    /// For each of the versions, whether it does.
    is_here: Vec<bool>,
    /// False where a row of the table is none of the versions.
    are_versions: bool,
    /// The number that stands for its rows.
    state: u64,
    /// True for one state in [`ASKED_ANEW`].
    is_asked_anew: bool,
}

impl<'a> Reach<'a> {
    /// The reach of lookups among these versions, where `kept` is the specification, if there is one.
    pub fn new(kept: Option<&'a KeptSpec>, rows: impl Iterator<Item = &'a Row>) -> Self {
        let keyed = |row| kept.map_or(KeyedRow { row, key: 0 }, |kept| kept.keyed(row));
        let mut rows: Vec<KeyedRow> = rows.map(keyed).collect();
        rows.sort_by(|one, other| one.row.id.cmp(&other.row.id));
        let mut by_text = ByText::default();
        let mut shared: HashMap<&str, usize, FixedState> = HashMap::default();
        for (place, KeyedRow { row, .. }) in rows.iter().enumerate() {
            for text in texts_of(row) {
                by_text.entry(text).or_default().push(place);
            }
            for literal in patterns_of(row).flat_map(literals) {
                *shared.entry(literal).or_default() += 1;
            }
        }
        let mut by_literal = ByText::default();
        for (place, KeyedRow { row, .. }) in rows.iter().enumerate() {
            for pattern in patterns_of(row) {
                let rarest = literals(pattern).min_by_key(|literal| (shared[literal], Reverse(literal.len())));
                by_literal.entry(rarest.unwrap_or_default()).or_default().push(place);
            }
        }
        Self {
            kept,
            rows,
            by_text,
            lengths: by_literal.keys().map(|literal| literal.len()).collect(),
            by_literal,
            found: RefCell::default(),
        }
    }

    /// Returns what the query can reach, looked for once.
    pub fn find(&self, query: &Query) -> Rc<Found> {
        if let Some(known) = self.found.borrow().get(query) {
            return Rc::clone(known);
        }
        let mut places = Vec::new();
        self.look_for(&query.model, &mut places);
        for text in self
            .kept
            .into_iter()
            .flat_map(|kept| kept.spec().retries(&query.model))
            .flatten()
        {
            self.look_for(&text, &mut places);
        }
        places.sort_unstable();
        places.dedup();
        let found = Rc::new(Found {
            query: query.clone(),
            number: number_of(query),
            places,
            is_foreign: OnceCell::new(),
        });
        self.found.borrow_mut().insert(query.clone(), Rc::clone(&found));
        found
    }

    fn look_for(&self, text: &str, places: &mut Vec<usize>) {
        places.extend(self.by_text.get(text).into_iter().flatten());
        if self.lengths.len() * text.len() > self.by_literal.len() {
            let literals = self.by_literal.iter().filter(|(literal, _)| text.contains(**literal));
            places.extend(literals.flat_map(|(_, places)| places));
            return;
        }
        for length in &self.lengths {
            let parts = (0..=text.len()).filter_map(|from| text.get(from..from + length));
            places.extend(parts.filter_map(|part| self.by_literal.get(part)).flatten());
        }
    }

    /// The versions that a lookup can reach.
    pub fn rows(&self, found: &Found) -> impl Iterator<Item = &'a Row> {
        found.places.iter().map(|place| self.rows[*place].row)
    }

    /// The versions whose asked name is that text.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &'a Row> {
        let places = self.by_text.get(name).into_iter().flatten();
        let rows = places.map(|place| self.rows[*place].row);
        rows.filter(move |row| row.asked_name() == name)
    }

    /// Returns which of the versions a table holds.
    pub fn held(&self, table: &Table) -> Held {
        let mut is_here = vec![false; self.rows.len()];
        let mut are_versions = true;
        let mut keys = Vec::with_capacity(table.len());
        for (id, row) in table {
            let first = self.rows.partition_point(|keyed| keyed.row.id < *id);
            let mut of_id = self.rows[first..].iter().take_while(|keyed| keyed.row.id == *id);
            match of_id.position(|keyed| keyed.row == row) {
                Some(behind) => {
                    is_here[first + behind] = true;
                    keys.push(self.rows[first + behind].key);
                }
                None => are_versions = false,
            }
        }
        let few = table.len() <= ASKED_ANEW_ROWS_MAX;
        let state = state_of(keys.into_iter());
        Held {
            is_here,
            are_versions,
            state,
            is_asked_anew: few && state.is_multiple_of(ASKED_ANEW),
        }
    }

    /// The versions that a lookup can reach, as far as a table holds them, in the order of their ids.
    pub fn reached<'r>(&'r self, found: &'r Found, held: &'r Held) -> impl Iterator<Item = KeyedRow<'a>> + 'r {
        let places = found.places.iter().filter(|place| held.is_here[**place]);
        places.map(|place| self.rows[*place])
    }
}

impl Held {
    /// Returns whether each row of the table is one of the versions. If not, only the specification itself can answer.
    pub fn are_versions(&self) -> bool {
        self.are_versions
    }

    /// The number that stands for the rows.
    pub(crate) fn state(&self) -> u64 {
        self.state
    }

    /// Returns whether this is one of the states that are put to the specification itself.
    pub fn is_asked_anew(&self) -> bool {
        self.is_asked_anew
    }
}

/// The texts of a row by which some preset finds it.
fn texts_of(row: &Row) -> impl Iterator<Item = &str> {
    let texts = [
        Some(&row.id),
        Some(&row.model_name),
        row.team_model_name.as_ref(),
        Some(&row.model),
    ];
    texts.into_iter().flatten().map(String::as_str)
}

/// The patterns among the names of a row.
fn patterns_of(row: &Row) -> impl Iterator<Item = &str> {
    let names = [Some(row.model_name.as_str()), row.team_model_name.as_deref()];
    names.into_iter().flatten().filter(|name| is_pattern(name))
}

/// The texts between the wildcards of a pattern.
fn literals(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('*').filter(|literal| !literal.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::STRICT;
    use crate::spec::Spec;

    #[test]
    fn some_states_of_few_rows_are_asked_anew_and_none_of_many() {
        const STATES: usize = 1_024;
        let kept = KeptSpec::new(Spec::new(&STRICT, &[]));
        let row = |number: usize| Row::new(&format!("d{number}"), "a", "up", "v1");
        let rows: Vec<Row> = (0..STATES + ASKED_ANEW_ROWS_MAX).map(row).collect();
        let reach = Reach::new(Some(&kept), rows.iter());
        let asked_anew = |count: usize| {
            let table = |first: usize| {
                rows[first..first + count]
                    .iter()
                    .map(|row| (row.id.clone(), row.clone()))
            };
            let held = (0..STATES).map(|first| reach.held(&table(first).collect()));
            held.filter(Held::is_asked_anew).count()
        };
        // One in 256 of them would be four.
        assert!((1..16).contains(&asked_anew(1)), "{}", asked_anew(1));
        assert_eq!(asked_anew(ASKED_ANEW_ROWS_MAX + 1), 0);
    }
}
