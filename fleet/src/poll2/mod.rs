//! The base protocol: replicas follow a store by polling it in two halves, read and apply.
//!
//! The same protocol is stated in TLA+ (`peers/Poll.tla`), in Promela (`peers/poll.pml`) and over ordered maps
//! (`naive.rs`); all agree on the number of states.
//!
//! A state is one `u64`: a lane a replica from the low end, then the store. A lane holds, from its low end, the newest
//! version that the replica answered with (one field a row), the version in its table, the version in the read that it
//! holds, whether it holds a read, and whether it is down. The store holds each row's version and whether it is there.

#[cfg(test)]
mod naive;

use crate::actions::{Action, At, Kind};
use crate::fair::Converging;
use crate::machine::{Findings, Machine, Packed, Plain};
use model::RuleId;

/// The size of a [`Poll2`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll2Bounds {
    /// Number of replicas that follow the store.
    pub replicas: u8,
    /// Number of rows that the store can hold.
    pub rows: u8,
    /// Number of times that each row can be written.
    pub versions: u8,
    /// True if replicas crash and start again.
    pub crash: bool,
}

/// Bounds of a [`Poll2`] that no state can be packed for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Poll2BoundsError {
    /// A bound of zero.
    #[error("`{0}` must be at least 1")]
    Zero(&'static str),
    /// Too many bits.
    #[error(
        "{replicas} replicas with {rows} rows of {versions} versions need {bits} bits a state, of {bits_max}: \
         take fewer of them"
    )]
    Packing {
        /// The value that was asked for.
        replicas: u8,
        /// The value that was asked for.
        rows: u8,
        /// The value that was asked for.
        versions: u8,
        /// Bits that they would need.
        bits: u32,
        /// Bits that there are.
        bits_max: u32,
    },
}

/// The packed base protocol.
#[derive(Clone, Debug)]
pub struct Poll2 {
    bounds: Poll2Bounds,
    field_bits: u32,
    pub(crate) group_bits: u32,
    pub(crate) lane_bits: u32,
    pub(crate) store_shift: u32,
}

const RULE_NO_FUTURE: usize = 0;
const RULE_MONOTONIC: usize = 1;
const RULES: &[RuleId] = &[RuleId::NoFuture, RuleId::Monotonic];

const KINDS_STEADY: &[Kind] = &[
    Kind::Create,
    Kind::Update,
    Kind::Delete,
    Kind::Read,
    Kind::Apply,
    Kind::Request,
];
const KINDS_CRASH: &[Kind] = &[
    Kind::Create,
    Kind::Update,
    Kind::Delete,
    Kind::Read,
    Kind::Apply,
    Kind::Request,
    Kind::Crash,
    Kind::Start,
];

impl Poll2 {
    /// The protocol within these bounds.
    ///
    /// # Errors
    ///
    /// If a bound is zero, or if a state would not fit its word.
    pub fn new(bounds: Poll2Bounds) -> Result<Self, Poll2BoundsError> {
        for (bound, name) in [
            (bounds.replicas, "replicas"),
            (bounds.rows, "rows"),
            (bounds.versions, "versions"),
        ] {
            if bound == 0 {
                return Err(Poll2BoundsError::Zero(name));
            }
        }
        let field_bits = u8::BITS - bounds.versions.leading_zeros();
        let group_bits = field_bits * u32::from(bounds.rows);
        let lane_bits = 3 * group_bits + 2;
        let store_shift = lane_bits * u32::from(bounds.replicas);
        let bits = store_shift + group_bits + u32::from(bounds.rows);
        if bits > u64::BITS {
            return Err(Poll2BoundsError::Packing {
                replicas: bounds.replicas,
                rows: bounds.rows,
                versions: bounds.versions,
                bits,
                bits_max: u64::BITS,
            });
        }
        Ok(Self {
            bounds,
            field_bits,
            group_bits,
            lane_bits,
            store_shift,
        })
    }

    pub(crate) fn field_shift(&self, row: u8) -> u32 {
        u32::from(row) * self.field_bits
    }

    pub(crate) fn present_shift(&self, row: u8) -> u32 {
        self.store_shift + self.group_bits + u32::from(row)
    }

    pub(crate) fn down_shift(&self) -> u32 {
        3 * self.group_bits + 1
    }

    fn group_mask(&self) -> u64 {
        (1 << self.group_bits) - 1
    }

    fn field_mask(&self) -> u64 {
        (1 << self.field_bits) - 1
    }

    /// Visits the writes, and returns what a read would now see: the version of each row that is there.
    #[inline]
    fn writes(&self, state: u64, visit: &mut impl FnMut(Action, u64)) -> u64 {
        let store = state >> self.store_shift;
        let mut seen = 0;
        for row in 0..self.bounds.rows {
            let shift = self.field_shift(row);
            let version = (store >> shift) & self.field_mask();
            let present = state >> self.present_shift(row) & 1 == 1;
            if present {
                seen |= version << shift;
            }
            if version == u64::from(self.bounds.versions) {
                continue;
            }
            let newer = state + (1 << (self.store_shift + shift));
            let toggled = newer ^ (1 << self.present_shift(row));
            if present {
                visit(Action::new(Kind::Update, At::Store, row), newer);
                visit(Action::new(Kind::Delete, At::Store, row), toggled);
            } else {
                visit(Action::new(Kind::Create, At::Store, row), toggled);
            }
        }
        seen
    }

    /// Visits the next lanes of a replica that is up.
    #[inline]
    fn steps(&self, lane: u64, seen: u64, mut visit: impl FnMut(Kind, u8, u64)) {
        // The fields of a packed state do not overlap, here and below: `|` joins them as `^` would.
        let group = self.group_bits;
        let mask = self.group_mask();
        let (answered, table, read) = (lane & mask, lane >> group & mask, lane >> (2 * group) & mask);
        if lane >> (3 * group) & 1 == 1 {
            visit(Kind::Apply, 0, answered | read << group);
        } else {
            visit(
                Kind::Read,
                0,
                answered | table << group | seen << (2 * group) | 1 << (3 * group),
            );
        }
        for row in 0..self.bounds.rows {
            let shift = self.field_shift(row);
            let field = self.field_mask() << shift;
            if table & field > answered & field {
                visit(Kind::Request, row, lane & !field | table & field);
            }
        }
        if self.bounds.crash {
            visit(Kind::Crash, 0, answered | 1 << self.down_shift());
        }
    }
}

impl Machine for Poll2 {
    type State = u64;

    fn identity(&self) -> String {
        let Poll2Bounds {
            replicas,
            rows,
            versions,
            crash,
        } = self.bounds;
        format!("poll2 replicas={replicas} rows={rows} versions={versions} crash={crash}")
    }

    fn kinds(&self) -> &[Kind] {
        if self.bounds.crash { KINDS_CRASH } else { KINDS_STEADY }
    }

    fn rules(&self) -> &'static [RuleId] {
        RULES
    }

    fn initial(&self) -> u64 {
        0
    }

    #[inline]
    fn successors(&self, state: &u64, mut visit: impl FnMut(Action, u64)) {
        let state = *state;
        let seen = self.writes(state, &mut visit);
        let lane_mask = (1 << self.lane_bits) - 1;
        for replica in 0..self.bounds.replicas {
            let shift = u32::from(replica) * self.lane_bits;
            let lane = state >> shift & lane_mask;
            let others = state & !(lane_mask << shift);
            let at = At::Replica(replica);
            if lane >> self.down_shift() == 1 {
                let up = lane & !(1 << self.down_shift());
                visit(Action::new(Kind::Start, at, 0), others | up << shift);
            } else {
                self.steps(lane, seen, |kind, row, next| {
                    visit(Action::new(kind, at, row), others | next << shift);
                });
            }
        }
    }

    #[inline]
    fn canonical(&self, state: &u64) -> u64 {
        let lane_mask = (1 << self.lane_bits) - 1;
        let mut lanes = [0; u64::BITS as usize];
        let lanes = &mut lanes[..usize::from(self.bounds.replicas)];
        for (lane, shift) in lanes.iter_mut().zip((0..).step_by(self.lane_bits as usize)) {
            *lane = state >> shift & lane_mask;
        }
        lanes.sort_unstable();
        let store = state >> self.store_shift;
        lanes
            .iter()
            .rev()
            .fold(store, |packed, lane| packed << self.lane_bits | lane)
    }

    #[inline]
    fn judge(&self, state: &u64) -> Findings {
        let mut findings = Findings::default();
        let versions = state >> self.store_shift & self.group_mask();
        for replica in 0..self.bounds.replicas {
            let lane = state >> (u32::from(replica) * self.lane_bits);
            let (answered, table) = (lane & self.group_mask(), lane >> self.group_bits & self.group_mask());
            if table == 0 {
                continue;
            }
            for row in 0..self.bounds.rows {
                let field = self.field_mask() << self.field_shift(row);
                let held = table & field;
                if held != 0 {
                    findings.check(RULE_NO_FUTURE, held <= versions & field);
                    findings.check(RULE_MONOTONIC, held >= answered & field);
                }
            }
        }
        findings
    }

    #[inline]
    fn judge_step(&self, _before: &u64, _action: Action, _after: &u64) -> Findings {
        // The base protocol has no rule about steps.
        Findings::default()
    }

    fn lanes(&self, state: &u64) -> Vec<String> {
        let field = |group: u64, row: u8| group >> self.field_shift(row) & self.field_mask();
        let versions = |group: u64| {
            let rows = (0..self.bounds.rows).filter(|row| field(group, *row) != 0);
            let texts: Vec<String> = rows.map(|row| format!("d{} v{}", row + 1, field(group, row))).collect();
            texts.join(", ")
        };
        let here = (0..self.bounds.rows).filter(|row| state >> self.present_shift(*row) & 1 == 1);
        let here = here.fold(0, |group, row| group | self.field_mask() << self.field_shift(row));
        let store = format!("store: {}", versions(state >> self.store_shift & here));
        let replicas = (0..self.bounds.replicas).map(|replica| {
            let lane = state >> (u32::from(replica) * self.lane_bits);
            let table = versions(lane >> self.group_bits & self.group_mask());
            let read = versions(lane >> (2 * self.group_bits) & self.group_mask());
            let name = replica + 1;
            match (lane >> self.down_shift() & 1, lane >> (3 * self.group_bits) & 1) {
                (1, _) => format!("r{name}: down"),
                (_, 1) => format!("r{name}: serves {table}; read {read}"),
                _ => format!("r{name}: serves {table}"),
            }
        });
        std::iter::once(store).chain(replicas).collect()
    }
}

impl Packed for Poll2 {
    fn bits(&self) -> u32 {
        self.store_shift + self.group_bits + u32::from(self.bounds.rows)
    }

    type Worker = Plain<Self>;

    fn worker(&self) -> Plain<Self> {
        Plain(self.clone())
    }
}

impl Converging for Poll2 {
    fn agrees(&self, state: &u64) -> bool {
        let mut stored = 0;
        for row in (0..self.bounds.rows).filter(|row| state >> self.present_shift(*row) & 1 == 1) {
            stored |= state >> self.store_shift & self.field_mask() << self.field_shift(row);
        }
        (0..self.bounds.replicas).all(|replica| {
            let lane = state >> (u32::from(replica) * self.lane_bits);
            lane >> self.group_bits & self.group_mask() == stored
        })
    }
}

/// The protocol within these bounds, which fit, for tests.
#[cfg(test)]
pub(crate) fn poll2(replicas: u8, rows: u8, versions: u8, crash: bool) -> Poll2 {
    Poll2::new(Poll2Bounds {
        replicas,
        rows,
        versions,
        crash,
    })
    .expect("bounds fit")
}
