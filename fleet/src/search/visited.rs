//! The exact set of the states seen, in about six bytes a state.
//!
//! A state is scrambled by a bijection ([`Word::scramble`]) and cut in three: the lowest bits choose the segment, the next
//! ones the slot where a linear probe starts, and only the rest is stored, together with how far from that slot it lies.
//! Nothing is lost, so two states are never taken for one. Segments grow one at a time, so that growing needs a small
//! part of the memory again and not as much as there is. The more slots, the fewer bits each of them stores: a set
//! whose states need wide slots while it is small moves to narrower ones when it is large enough. Source: Cleary, "Compact hash tables using bidirectional linear
//! probing" (1984), with the displacement stored as it is.
//!
//! States are added in batches: a first pass touches every slot of the batch, so that the misses of the memory overlap.

use crate::word::Word;

/// Bits of a slot that hold the distance from where its probe started, plus one; zero is an empty slot.
const DISTANCE_BITS: u32 = 9;
/// The farthest that a key may lie from where its probe started. With a smaller bound a segment grows sooner, which
/// takes more memory and loses nothing.
const DISTANCE_MAX: usize = (1 << DISTANCE_BITS) - 2;
const SEGMENT_BITS: u32 = 6;
/// States narrower than this live in one segment.
const SEGMENTED_BITS_MIN: u32 = 24;
/// A segment grows when more than this share of its slots is taken, in percent. One that grows sooner takes more memory, and
/// loses nothing.
const LOAD_MAX: usize = 75;
const SLOT_BITS_MIN: u32 = 8;
/// The most bits of slots that a segment starts with, where that lets slots be narrower: 1 MiB in all.
const SLOT_BITS_START_MAX: u32 = 12;
/// The bytes of memory that are mapped at a time, or more.
const PAGE_BYTES: usize = 4 << 10;
/// Slots become narrower when the states would take this share of the narrower ones, in percent.
const LOAD_NARROWED: u128 = 50;

/// A set of words below `2^bits`.
#[derive(Debug)]
pub struct Visited<W> {
    state_bits: u32,
    segment_bits: u32,
    segments: Segments,
    len: u64,
    word: std::marker::PhantomData<W>,
}

#[derive(Debug)]
enum Segments {
    Narrow(Vec<Segment<u32>>),
    Wide(Vec<Segment<u64>>),
    Widest(Vec<Segment<u128>>),
}

#[derive(Clone, Debug)]
struct Segment<S> {
    slots: Vec<S>,
    slot_bits: u32,
    len: usize,
}

impl<W: Word> Visited<W> {
    /// An empty set of words that use their `state_bits` low bits.
    pub fn new(state_bits: u32) -> Self {
        assert!(state_bits <= W::BITS, "states fit their word");
        let segment_bits = if state_bits < SEGMENTED_BITS_MIN {
            0
        } else {
            SEGMENT_BITS
        };
        let key_bits = state_bits - segment_bits;
        let start = |width| slot_bits_min(key_bits, width);
        let segments = 1 << segment_bits;
        let segments = if start(u32::BITS) <= SLOT_BITS_START_MAX {
            Segments::Narrow(vec![Segment::new(start(u32::BITS)); segments])
        } else if start(u64::BITS) <= SLOT_BITS_START_MAX {
            Segments::Wide(vec![Segment::new(start(u64::BITS)); segments])
        } else {
            Segments::Widest(vec![Segment::new(start(u128::BITS)); segments])
        };
        Self {
            state_bits,
            segment_bits,
            segments,
            len: 0,
            word: std::marker::PhantomData,
        }
    }

    /// Returns the number of words in the set.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the number of bytes that the set takes.
    pub fn bytes(&self) -> u64 {
        let bytes = match &self.segments {
            Segments::Narrow(segments) => bytes(segments),
            Segments::Wide(segments) => bytes(segments),
            Segments::Widest(segments) => bytes(segments),
        };
        bytes as u64
    }

    /// Adds the scrambled words of `batch` and calls `fresh` with the index of each that was not in the set.
    pub fn extend(&mut self, batch: &[W], fresh: impl FnMut(usize)) {
        let key_bits = self.state_bits - self.segment_bits;
        let added = match &mut self.segments {
            Segments::Narrow(segments) => extend(segments, self.segment_bits, key_bits, batch, fresh),
            Segments::Wide(segments) => extend(segments, self.segment_bits, key_bits, batch, fresh),
            Segments::Widest(segments) => extend(segments, self.segment_bits, key_bits, batch, fresh),
        };
        self.len += added;
        self.narrow(key_bits);
    }

    /// Moves to narrower slots if the states would fill them well, segment by segment.
    fn narrow(&mut self, key_bits: u32) {
        let fill = |width| {
            let slot_bits = slot_bits_min(key_bits, width);
            let slots = 1_u128 << (self.segment_bits + slot_bits);
            (u128::from(self.len) * 100 >= slots * LOAD_NARROWED).then_some(slot_bits)
        };
        self.segments = match (&mut self.segments, fill(u32::BITS), fill(u64::BITS)) {
            (Segments::Wide(segments), Some(slot_bits), _) => {
                Segments::Narrow(moved::<W, _, _>(std::mem::take(segments), slot_bits, key_bits))
            }
            (Segments::Widest(segments), _, Some(slot_bits)) => {
                Segments::Wide(moved::<W, _, _>(std::mem::take(segments), slot_bits, key_bits))
            }
            _ => return,
        };
    }
}

/// Returns the fewest bits of a slot's index with which slots of this width can hold the rest of a key.
fn slot_bits_min(key_bits: u32, width: u32) -> u32 {
    (key_bits + DISTANCE_BITS)
        .saturating_sub(width)
        .max(SLOT_BITS_MIN)
        .min(key_bits)
}

/// The same keys in segments of other slots. Each old segment is given back before the next one moves.
fn moved<W: Word, A: Slot, B: Slot>(segments: Vec<Segment<A>>, slot_bits: u32, key_bits: u32) -> Vec<Segment<B>> {
    let moved = segments
        .into_iter()
        .map(|segment| segment.moved::<W, B>(slot_bits, key_bits));
    // Collecting in place would keep the memory of the old segments, which is to be given back.
    let mut segments = Vec::new();
    segments.extend(moved);
    segments
}

fn bytes<S>(segments: &[Segment<S>]) -> usize {
    segments
        .iter()
        .map(|segment| size_of_val(segment.slots.as_slice()))
        .sum()
}

/// The word that one slot is.
trait Slot: Copy + Eq + Default {
    fn from_wide(wide: u128) -> Self;
    fn wide(self) -> u128;
}

macro_rules! slots {
    ($($slot:ty)+) => { $(
        impl Slot for $slot {
            #[inline]
            fn from_wide(wide: u128) -> Self {
                wide as $slot
            }

            #[inline]
            fn wide(self) -> u128 {
                u128::from(self)
            }
        }
    )+ };
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "slots are chosen wide enough for what they hold"
)]
mod slots {
    use super::Slot;

    slots!(u32 u64 u128);
}

/// The place of a key: its segment, the slot where its probe starts, and the rest, which the slot holds.
struct KeyPlace<W> {
    segment: usize,
    home: usize,
    rest: W,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "segments and slots are indexed by fewer bits than a pointer has"
)]
fn place<W: Word, S>(segments: &[Segment<S>], segment_bits: u32, word: W) -> KeyPlace<W> {
    let segment = (word.low() & ((1 << segment_bits) - 1)) as usize;
    let key = word >> segment_bits;
    let slot_bits = segments[segment].slot_bits;
    KeyPlace {
        segment,
        home: (key.low() & ((1 << slot_bits) - 1)) as usize,
        rest: key >> slot_bits,
    }
}

fn extend<W: Word, S: Slot>(
    segments: &mut [Segment<S>],
    segment_bits: u32,
    key_bits: u32,
    batch: &[W],
    mut fresh: impl FnMut(usize),
) -> u64 {
    // This pass only touches the slots, so that the misses of the memory overlap. Its result is not used.
    let mut touched = false;
    for word in batch {
        let place = place(segments, segment_bits, *word);
        touched ^= segments[place.segment].slots[place.home] == S::default();
    }
    std::hint::black_box(touched);
    let mut added = 0;
    for (index, word) in batch.iter().enumerate() {
        loop {
            let place = place(segments, segment_bits, *word);
            let segment = &mut segments[place.segment];
            match segment.insert(place.home, place.rest) {
                Inserted::Fresh => {
                    added += 1;
                    fresh(index);
                    segment.grow_if_full::<W>(key_bits);
                    break;
                }
                Inserted::Known => break,
                Inserted::TooFar => segment.grow::<W>(key_bits),
            }
        }
    }
    added
}

enum Inserted {
    Fresh,
    Known,
    TooFar,
}

impl<S: Slot> Segment<S> {
    fn new(slot_bits: u32) -> Self {
        let mut slots = vec![S::default(); 1 << slot_bits];
        // A page that is read before it is written is mapped twice, and the second time every processor that runs this
        // process is interrupted.
        for page in slots.chunks_mut(PAGE_BYTES / size_of::<S>()) {
            page[0] = std::hint::black_box(S::default());
        }
        Self {
            slots,
            slot_bits,
            len: 0,
        }
    }

    #[inline]
    fn insert<W: Word>(&mut self, home: usize, rest: W) -> Inserted {
        let mask = self.slots.len() - 1;
        let first = rest << DISTANCE_BITS | W::from(1);
        let mut entry = S::from_wide(first.wide());
        let mut at = home;
        for distance in 0..=DISTANCE_MAX {
            let slot = self.slots[at];
            if slot == S::default() {
                self.slots[at] = entry;
                self.len += 1;
                return Inserted::Fresh;
            }
            if slot == entry {
                return Inserted::Known;
            }
            at = (at + 1) & mask;
            entry = S::from_wide(first.wide() + distance as u128 + 1);
        }
        Inserted::TooFar
    }

    fn grow_if_full<W: Word>(&mut self, key_bits: u32) {
        // A segment with a slot for every key never needs more.
        if self.slot_bits < key_bits && self.len * 100 > self.slots.len() * LOAD_MAX {
            self.grow::<W>(key_bits);
        }
    }

    /// Doubles the segment until every key finds a slot near enough.
    fn grow<W: Word>(&mut self, key_bits: u32) {
        *self = self.moved::<W, S>(self.slot_bits + 1, key_bits);
    }

    /// The same keys in at least that many slots.
    fn moved<W: Word, T: Slot>(&self, slot_bits: u32, key_bits: u32) -> Segment<T> {
        for slot_bits in slot_bits..=key_bits {
            let mut moved = Segment::<T>::new(slot_bits);
            let near = self.keys::<W>().all(|key| {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "slots are indexed by fewer bits than a pointer has"
                )]
                let home = (key.low() & ((1 << slot_bits) - 1)) as usize;
                matches!(moved.insert(home, key >> slot_bits), Inserted::Fresh)
            });
            if near {
                return moved;
            }
        }
        unreachable!("a slot for every key leaves none of them too far from its own")
    }

    fn keys<W: Word>(&self) -> impl Iterator<Item = W> {
        let mask = self.slots.len() - 1;
        let taken = self.slots.iter().enumerate().filter(|(_, slot)| **slot != S::default());
        taken.map(move |(at, slot)| {
            let entry = slot.wide();
            let distance = (entry as usize & ((1 << DISTANCE_BITS) - 1)) - 1;
            let home = at.wrapping_sub(distance) & mask;
            W::from_wide(entry >> DISTANCE_BITS) << self.slot_bits | W::from_wide(home as u128)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A fixed sequence that visits words below `2^bits`, many of them more than once.
    fn words(bits: u32, count: u64) -> impl Iterator<Item = u128> {
        (0..count).map(move |i| u128::from(i / 3 * (i % 5 + 1)).scramble(128) >> (128 - bits))
    }

    fn agree<W: Word>(bits: u32, count: u64) {
        let mut visited = Visited::<W>::new(bits);
        let mut oracle = HashSet::new();
        let words: Vec<W> = words(bits, count)
            .map(|word| W::from_wide(word).scramble(bits))
            .collect();
        for batch in words.chunks(100) {
            let mut fresh = Vec::new();
            visited.extend(batch, |index| fresh.push(index));
            let expected: Vec<usize> = (0..batch.len()).filter(|index| oracle.insert(batch[*index])).collect();
            assert_eq!(fresh, expected);
        }
        assert_eq!(visited.len(), oracle.len() as u64);
    }

    #[test]
    fn agrees_with_a_hash_set_at_every_width() {
        for bits in [1, 5, 8, 9, 17, 23, 24, 34, 45, 46, 58, 64] {
            agree::<u64>(bits, 60_000);
        }
        for bits in [9, 24, 34, 45, 64, 65, 80, 100, 128] {
            agree::<u128>(bits, 60_000);
        }
    }

    #[test]
    fn takes_few_bytes_a_state() {
        let mut visited = Visited::<u64>::new(34);
        let words: Vec<u64> = (0..1_000_000_u64).map(|word| (word * 7_919).scramble(34)).collect();
        visited.extend(&words, |_| {});
        assert_eq!(visited.len(), 1_000_000);
        assert!(visited.bytes() <= 11 * visited.len(), "{} bytes", visited.bytes());
    }

    /// Adds words until their slots are narrow enough, of `bytes_max` a state from then on, and `count` in all.
    fn narrows<W: Word>(bits: u32, count: u64, bytes_max: u64, narrow: fn(&Segments) -> bool) {
        let mut visited = Visited::<W>::new(bits);
        assert!(
            visited.is_empty() && visited.bytes() < 1 << 21,
            "{} bytes",
            visited.bytes()
        );
        let word = |number: u64| W::from_wide(u128::from(number * 7_919)).scramble(bits);
        let mut narrowed = false;
        for first in (0..count).step_by(10_000) {
            let words: Vec<W> = (first..first + 10_000).map(word).collect();
            visited.extend(&words, |_| {});
            if !narrowed && narrow(&visited.segments) {
                narrowed = true;
                assert!(
                    visited.bytes() <= bytes_max * visited.len(),
                    "{} bytes",
                    visited.bytes()
                );
            }
        }
        assert!(narrowed && !visited.is_empty(), "{} words", visited.len());
        let known: Vec<W> = (0..count).map(word).collect();
        visited.extend(&known, |index| panic!("word {index} was forgotten"));
        assert_eq!(visited.len(), count);
    }

    #[test]
    fn a_small_set_of_wide_words_takes_little_and_a_large_one_few_bytes_a_state() {
        narrows::<u64>(44, 1_200_000, 8, |segments| matches!(segments, Segments::Narrow(_)));
        narrows::<u128>(74, 400_000, 16, |segments| matches!(segments, Segments::Wide(_)));
    }

    #[test]
    fn a_segment_grows_when_three_quarters_of_it_are_taken() {
        let slots = |bits: u32, count: u64| {
            let mut visited = Visited::<u64>::new(bits);
            let words: Vec<u64> = (0..count).map(|word| word.scramble(bits)).collect();
            visited.extend(&words, |_| {});
            visited.bytes() / u64::from(u32::BITS / u8::BITS)
        };
        assert_eq!(
            [0, 192, 193, 384, 385].map(|count| slots(20, count)),
            [256, 256, 512, 512, 1024]
        );
        assert_eq!(slots(8, 256), 256, "there is a slot for every word");
    }

    #[test]
    fn a_crowd_around_one_slot_makes_the_segment_grow() {
        let mut visited = Visited::<u64>::new(23);
        let crowd: Vec<u64> = (0..2_000).map(|rest| rest << 12).collect();
        for _ in 0..2 {
            visited.extend(&crowd, |_| {});
            assert_eq!(visited.len(), 2_000);
        }
    }
}
