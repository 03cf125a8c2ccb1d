//! The machine words that states are packed into, and the bijection that spreads them.

use std::fmt::Debug;
use std::hash::Hash;
use std::ops::{BitOr, Shl, Shr};

use serde::{Deserialize, Serialize};

/// An unsigned word that holds a whole state.
pub trait Word:
    Copy
    + Eq
    + Ord
    + Hash
    + Debug
    + Default
    + Send
    + Sync
    + Serialize
    + for<'de> Deserialize<'de>
    + From<u32>
    + BitOr<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
    + 'static
{
    /// Number of bits in the word.
    const BITS: u32;

    /// The word with this value; the bits that do not fit are lost.
    fn from_wide(wide: u128) -> Self;

    /// The same value in the widest word.
    fn wide(self) -> u128;

    /// The low 64 bits.
    #[expect(clippy::cast_possible_truncation, reason = "documented: the low bits")]
    fn low(self) -> u64 {
        self.wide() as u64
    }

    /// Factors of [`scramble`](Self::scramble).
    const ODDS: [Self; 2];

    /// The inverses of [`ODDS`](Self::ODDS) modulo the power of two, in the opposite order.
    const INVERSES: [Self; 2];

    /// A bijection on the words below `2^bits`: multiplying by an odd number and folding the upper half onto the lower are
    /// bijections modulo any power of two. A fold is its own inverse, so that the way back differs in the factors alone.
    #[must_use]
    fn mix(self, bits: u32, factors: [Self; 2]) -> Self;

    /// A bijection on the words below `2^bits` that spreads neighbours apart. It has no key and depends on no platform,
    /// so that every process of a run and every later run places a state alike.
    #[must_use]
    #[inline]
    fn scramble(self, bits: u32) -> Self {
        self.mix(bits, Self::ODDS)
    }

    /// The word that [`scramble`](Self::scramble) made this one of.
    #[must_use]
    #[inline]
    fn unscramble(self, bits: u32) -> Self {
        self.mix(bits, Self::INVERSES)
    }
}

macro_rules! words {
    ($($word:ty: $odds:expr, $inverses:expr;)+) => { $(
        impl Word for $word {
            const BITS: u32 = <$word>::BITS;
            const ODDS: [Self; 2] = $odds;
            const INVERSES: [Self; 2] = $inverses;

            fn from_wide(wide: u128) -> Self {
                wide as $word
            }

            fn wide(self) -> u128 {
                u128::from(self)
            }

            #[inline]
            fn mix(self, bits: u32, [first, second]: [Self; 2]) -> Self {
                let mask = Self::MAX >> (Self::BITS - bits);
                let half = bits.div_ceil(2);
                let mut x = self;
                x ^= x >> half;
                x = x.wrapping_mul(first) & mask;
                x ^= x >> half;
                x = x.wrapping_mul(second) & mask;
                x ^ (x >> half)
            }
        }
    )+ };
}

#[expect(clippy::cast_possible_truncation, reason = "documented: what does not fit is lost")]
mod words {
    use super::Word;

    words! {
        u64:
            [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9],
            [0x96de_1b17_3f11_9089, 0xf1de_83e1_9937_733d];
        u128:
            [
                0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835,
                0xda94_2042_e4dd_58b5_2360_ed05_1fc6_5da5,
            ],
            [
                0x87aa_3816_7fb3_caf9_f8d7_1174_8779_422d,
                0x2896_9101_c228_2353_2f07_eb1a_988d_4a1d,
            ];
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn scramble_is_a_bijection_of_every_width() {
        for bits in [2, 3, 7, 10, 15] {
            let narrow: BTreeSet<u64> = (0..1_u64 << bits).map(|x| x.scramble(bits)).collect();
            let wide: BTreeSet<u128> = (0..1_u128 << bits).map(|x| x.scramble(bits)).collect();
            assert_eq!(narrow.len(), 1 << bits);
            assert_eq!(wide.len(), 1 << bits);
            assert!(narrow.iter().all(|x| x >> bits == 0));
            assert!(wide.iter().all(|x| x >> bits == 0));
            assert!((0..1_u64 << bits).all(|x| x.scramble(bits).unscramble(bits) == x));
            assert!((0..1_u128 << bits).all(|x| x.scramble(bits).unscramble(bits) == x));
        }
    }

    #[test]
    fn scramble_places_a_state_alike_on_every_platform() {
        assert_eq!(12_345_u64.scramble(34), SCRAMBLED_34);
        assert_eq!(SCRAMBLED_34.unscramble(34), 12_345);
        assert_eq!(u64::MAX.scramble(64).unscramble(64), u64::MAX);
        assert_eq!(u128::MAX.scramble(128).unscramble(128), u128::MAX);
    }

    const SCRAMBLED_34: u64 = 13_556_153_208;
}
