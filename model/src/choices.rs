//! A source of choices, and what is drawn from it.
//!
//! Nothing here is random: every choice is drawn from a [`Choices`], so that a seed, or the bytes of a fuzzer, replays it.

/// A source of choices.
pub trait Choices {
    /// A number below `count`; 0 where `count` is 0.
    fn below(&mut self, count: usize) -> usize;

    /// True `percent` times in a hundred.
    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// The choices that a seed gives for the trace of that number.
#[derive(Clone, Debug)]
pub struct Seeded(fastrand::Rng);

impl Seeded {
    /// The choices of trace number `index` under `seed`.
    pub fn new(seed: u32, index: u32) -> Self {
        Self(fastrand::Rng::with_seed(u64::from(seed) << 32 | u64::from(index)))
    }
}

impl Choices for Seeded {
    fn below(&mut self, count: usize) -> usize {
        if count == 0 { 0 } else { self.0.usize(..count) }
    }
}

/// Each item with one chance in two.
pub(crate) fn subset<T: Clone>(items: &[T], choices: &mut dyn Choices) -> Vec<T> {
    items.iter().filter(|_| choices.percent(50)).cloned().collect()
}

/// One of the items; nothing where there is none.
pub(crate) fn pick<T: Clone>(items: &[T], choices: &mut dyn Choices) -> Option<T> {
    items.get(choices.below(items.len())).cloned()
}

/// Puts the items in an order that is drawn. Source: Durstenfeld, CACM 7 (1964), Algorithm 235.
pub(crate) fn shuffle<T>(items: &mut [T], choices: &mut dyn Choices) {
    for last in (1..items.len()).rev() {
        items.swap(last, choices.below(last + 1));
    }
}
