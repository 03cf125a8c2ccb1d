//! The counts and findings of a worker, as they go into checkpoints and to the other workers.

use serde::{Deserialize, Serialize};

use crate::actions::KINDS;
use crate::machine::Findings;
use crate::word::Word;

/// The place where a rule is violated: in a state, or in a step from it. The least is the shortest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Found<W> {
    /// The steps from the start to the violation.
    pub(crate) steps: u32,
    /// True if a step from the state violates the rule, and not the state.
    pub(crate) by_step: bool,
    #[serde(with = "hexadecimal", bound(serialize = "W: Word", deserialize = "W: Word"))]
    pub(crate) state: W,
}

impl<W> Found<W> {
    /// The level of the state.
    pub(crate) fn level(&self) -> u32 {
        self.steps - u32::from(self.by_step)
    }
}

/// JSON has no numbers as wide as the widest state.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::word::Word;

    pub(crate) fn serialize<W: Word, S: Serializer>(word: &W, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:x}", word.wide()))
    }

    pub(crate) fn deserialize<'de, W: Word, D: Deserializer<'de>>(deserializer: D) -> Result<W, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16)
            .map(W::from_wide)
            .map_err(D::Error::custom)
    }
}

/// The counts of one worker, and the findings of all.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(serialize = "W: Word", deserialize = "W: Word"))]
pub(crate) struct Counted<W> {
    /// Number of successors.
    pub(crate) generated: u64,
    /// Number of times that each kind of action happened.
    pub(crate) coverage: Vec<u64>,
    /// Number of times that each rule had something to check.
    pub(crate) premises: Vec<u64>,
    /// A rule's shortest violation, by the rule's index.
    pub(crate) found: Vec<Option<Found<W>>>,
}

impl<W: Word> Counted<W> {
    /// Returns counts of zero for so many rules.
    pub(crate) fn new(rules: usize) -> Self {
        Self {
            generated: 0,
            coverage: vec![0; KINDS],
            premises: vec![0; rules],
            found: vec![None; rules],
        }
    }

    /// Counts what the rules say of a state or a step.
    #[inline]
    pub(crate) fn note(&mut self, findings: Findings, found: Found<W>) {
        let mut left = findings.premises;
        while left != 0 {
            self.premises[left.trailing_zeros() as usize] += 1;
            left &= left - 1;
        }
        let mut left = findings.violated;
        while left != 0 {
            let best = &mut self.found[left.trailing_zeros() as usize];
            left &= left - 1;
            *best = least(*best, Some(found));
        }
    }

    /// Adds what another worker counted.
    pub(crate) fn add(&mut self, other: &Self) {
        let add =
            |sums: &mut Vec<u64>, counts: &[u64]| sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        self.generated += other.generated;
        add(&mut self.coverage, &other.coverage);
        add(&mut self.premises, &other.premises);
        self.found = self
            .found
            .iter()
            .zip(&other.found)
            .map(|(a, b)| least(*a, *b))
            .collect();
    }
}

/// Returns the lesser of two values, either of which may be absent.
pub(crate) fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
