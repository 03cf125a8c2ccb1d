//! The state of a fleet, unpacked and as one word.
//!
//! The word's layout holds only what the chosen actions can change: a fleet without notifications has no bits for them.

use crate::bounds::Bounds;
use crate::cell::{Cell, Cells, Content, REPLICAS_MAX, ROWS_MAX, VERSIONS_MAX};

const CONTENT_BITS: u32 = 3;
const COPIES_BITS: u32 = 2;
const NAMES_BITS: u32 = 3;

/// One row in a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The row in the replica's list.
    pub cell: Cell,
    /// The row in the read that the replica holds.
    pub read: Cell,
    /// Copies in the global and in the team's pattern table, a version.
    pub copies: [[u8; VERSIONS_MAX + 1]; 2],
    /// The newest version that the replica answered with since it started: no replica knows what it did before a crash.
    pub answered: u8,
    /// The newest version that the replica acknowledged as written since it started.
    pub acked: u8,
    /// True if a notification of a change is under way to the replica.
    pub notified: bool,
}

/// One replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// True if the replica is down.
    pub down: bool,
    /// 0 if it holds no read; else one more than the number of parts of its read that it has applied.
    pub phase: u8,
    /// Names that were ever served, a bit a shape; only where names are sticky.
    pub names: u8,
    /// Rows of the replica.
    pub rows: [Held; ROWS_MAX],
}

/// A whole fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The store's rows.
    pub store: Cells,
    /// The store's rows before the last write, which a lagging copy still shows.
    pub lagging: Cells,
    /// The replicas.
    pub lanes: [Lane; REPLICAS_MAX],
}

/// The place of each part of a state in its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether the states have one part"
)]
pub struct Layout {
    replicas: usize,
    rows: usize,
    versions: usize,
    version_bits: u32,
    phase_bits: u32,
    names: bool,
    reads: bool,
    lags: bool,
    answers: bool,
    acks: bool,
    notifies: bool,
}

impl Layout {
    /// The layout of a fleet's states.
    pub fn new(bounds: &Bounds) -> Self {
        use crate::actions::Kind::{Deliver, Drop, Duplicate, Read, Request, StaleRead};
        let has = |kind| bounds.kinds.contains(&kind);
        Self {
            replicas: bounds.replicas(),
            rows: usize::from(bounds.rows),
            versions: usize::from(bounds.versions),
            version_bits: u8::BITS - bounds.versions.leading_zeros(),
            phase_bits: if has(Read) {
                u8::BITS - (bounds.rows + 1).leading_zeros()
            } else {
                0
            },
            names: bounds.strategies.iter().any(|strategy| strategy.sticky_names),
            reads: has(Read),
            lags: has(StaleRead),
            answers: has(Request),
            acks: bounds.admin,
            notifies: has(Deliver) || has(Duplicate) || has(Drop),
        }
    }

    fn cell_bits(&self) -> u32 {
        self.version_bits + CONTENT_BITS
    }

    /// Bits of one replica.
    pub fn lane_bits(&self) -> u32 {
        let row = self.cell_bits() * (1 + u32::from(self.reads))
            + 2 * COPIES_BITS * u32::try_from(self.versions).expect("versions are few")
            + self.version_bits * (u32::from(self.answers) + u32::from(self.acks))
            + u32::from(self.notifies);
        1 + self.phase_bits + NAMES_BITS * u32::from(self.names) + row * u32::try_from(self.rows).expect("rows are few")
    }

    /// Bits of a whole state.
    pub fn bits(&self) -> u32 {
        let small = |count: usize| u32::try_from(count).expect("counts are small");
        let store = self.cell_bits() * (1 + u32::from(self.lags)) * small(self.rows);
        self.lane_bits() * small(self.replicas) + store
    }

    /// The state as a word: the lanes from the low end, then the store.
    pub fn pack(&self, state: &State) -> u128 {
        let mut word = WordWriter::default();
        for lane in &state.lanes[..self.replicas] {
            self.write_lane(&mut word, lane);
        }
        for (store, lagging) in state.store.iter().zip(&state.lagging).take(self.rows) {
            self.write_cell(&mut word, *store);
            if self.lags {
                self.write_cell(&mut word, *lagging);
            }
        }
        word.bits
    }

    /// The state of a word.
    pub fn unpack(&self, word: u128) -> State {
        let mut word = WordReader { bits: word };
        let mut state = State::default();
        for lane in &mut state.lanes[..self.replicas] {
            *lane = self.read_lane(&mut word);
        }
        for row in 0..self.rows {
            state.store[row] = self.read_cell(&mut word);
            if self.lags {
                state.lagging[row] = self.read_cell(&mut word);
            }
        }
        state
    }

    fn write_cell(&self, word: &mut WordWriter, cell: Cell) {
        word.put(cell.version, self.version_bits);
        word.put(cell.content.code(), CONTENT_BITS);
    }

    fn read_cell(&self, word: &mut WordReader) -> Cell {
        Cell {
            version: word.take(self.version_bits),
            content: Content::of(word.take(CONTENT_BITS)),
        }
    }

    fn write_lane(&self, word: &mut WordWriter, lane: &Lane) {
        word.put(u8::from(lane.down), 1);
        word.put(lane.phase, self.phase_bits);
        word.put(lane.names, NAMES_BITS * u32::from(self.names));
        for row in &lane.rows[..self.rows] {
            self.write_cell(word, row.cell);
            if self.reads {
                self.write_cell(word, row.read);
            }
            for table in &row.copies {
                for copies in &table[1..=self.versions] {
                    word.put(*copies, COPIES_BITS);
                }
            }
            word.put(row.answered, self.version_bits * u32::from(self.answers));
            word.put(row.acked, self.version_bits * u32::from(self.acks));
            word.put(u8::from(row.notified), u32::from(self.notifies));
        }
    }

    fn read_lane(&self, word: &mut WordReader) -> Lane {
        let mut lane = Lane {
            down: word.take(1) == 1,
            phase: word.take(self.phase_bits),
            names: word.take(NAMES_BITS * u32::from(self.names)),
            ..Lane::default()
        };
        for row in &mut lane.rows[..self.rows] {
            row.cell = self.read_cell(word);
            if self.reads {
                row.read = self.read_cell(word);
            }
            for table in &mut row.copies {
                for copies in &mut table[1..=self.versions] {
                    *copies = word.take(COPIES_BITS);
                }
            }
            row.answered = word.take(self.version_bits * u32::from(self.answers));
            row.acked = word.take(self.version_bits * u32::from(self.acks));
            row.notified = word.take(u32::from(self.notifies)) == 1;
        }
        lane
    }
}

/// Fills a word from its low end.
#[derive(Default)]
struct WordWriter {
    bits: u128,
    used: u32,
}

impl WordWriter {
    #[inline]
    fn put(&mut self, value: u8, bits: u32) {
        debug_assert!(u32::from(value) < 1 << bits, "{value} fits {bits} bits");
        // Behind a full word come only fields without bits, whose value is zero wherever it is shifted to.
        self.bits |= u128::from(value).wrapping_shl(self.used);
        self.used += bits;
    }
}

/// Empties a word from its low end.
struct WordReader {
    bits: u128,
}

impl WordReader {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "fields have at most eight bits")]
    fn take(&mut self, bits: u32) -> u8 {
        let value = (self.bits as u8) & ((1_u16 << bits) - 1) as u8;
        self.bits >>= bits;
        value
    }
}
