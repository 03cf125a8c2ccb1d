//! The base protocol over ordered maps, as the oracle of its packed form: no layout, no sharing, no cleverness.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::{Action, At, Kind};
use crate::poll2::Poll2Bounds;
use model::RuleId;

/// A version a row; a row that is not there has no entry.
type Versions = BTreeMap<u8, u8>;

/// A state of the base protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Poll2State {
    /// The version of each row that was ever written.
    versions: Versions,
    /// The rows that are in the store.
    present: BTreeSet<u8>,
    /// The replicas.
    replicas: Vec<Poll2Replica>,
}

/// One replica of the base protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Poll2Replica {
    /// True if the replica runs.
    up: bool,
    /// Rows that it has read and not yet applied.
    read: Option<Versions>,
    /// Rows that it serves.
    table: Versions,
    /// The newest version of each row that it answered with.
    answered: Versions,
}

impl Poll2State {
    /// The state in which everything starts: an empty store, and replicas that are up and empty.
    fn initial(bounds: Poll2Bounds) -> Self {
        let replica = Poll2Replica {
            up: true,
            read: None,
            table: Versions::new(),
            answered: Versions::new(),
        };
        Self {
            replicas: vec![replica; usize::from(bounds.replicas)],
            ..Self::default()
        }
    }

    /// Every action that can happen, with the state that it leads to.
    fn successors(&self, bounds: Poll2Bounds) -> Vec<(Action, Self)> {
        let mut next = Vec::new();
        for row in 0..bounds.rows {
            self.writes(bounds, row, &mut next);
        }
        for (replica, lane) in (0..).zip(&self.replicas) {
            for (kind, row, lane) in lane.successors(bounds, &self.stored()) {
                let mut state = self.clone();
                state.replicas[usize::from(replica)] = lane;
                next.push((Action::new(kind, At::Replica(replica), row), state));
            }
        }
        next
    }

    /// The rows that a read would now see.
    fn stored(&self) -> Versions {
        let present = self.versions.iter().filter(|(row, _)| self.present.contains(row));
        present.map(|(row, version)| (*row, *version)).collect()
    }

    fn writes(&self, bounds: Poll2Bounds, row: u8, next: &mut Vec<(Action, Self)>) {
        let version = self.versions.get(&row).copied().unwrap_or(0);
        if version == bounds.versions {
            return;
        }
        let mut written = self.clone();
        written.versions.insert(row, version + 1);
        let mut write = |kind, state| next.push((Action::new(kind, At::Store, row), state));
        if self.present.contains(&row) {
            write(Kind::Update, written.clone());
            written.present.remove(&row);
            write(Kind::Delete, written);
        } else {
            written.present.insert(row);
            write(Kind::Create, written);
        }
    }
}

impl Poll2Replica {
    fn successors(&self, bounds: Poll2Bounds, stored: &Versions) -> Vec<(Kind, u8, Self)> {
        if !self.up {
            return vec![(
                Kind::Start,
                0,
                Self {
                    up: true,
                    ..self.clone()
                },
            )];
        }
        let mut next = Vec::new();
        next.push(if let Some(read) = &self.read {
            let applied = Self {
                table: read.clone(),
                read: None,
                ..self.clone()
            };
            (Kind::Apply, 0, applied)
        } else {
            let holding = Self {
                read: Some(stored.clone()),
                ..self.clone()
            };
            (Kind::Read, 0, holding)
        });
        for (row, version) in &self.table {
            if self.answered.get(row) < Some(version) {
                let mut answering = self.clone();
                answering.answered.insert(*row, *version);
                next.push((Kind::Request, *row, answering));
            }
        }
        if bounds.crash {
            let crashed = Self {
                up: false,
                read: None,
                table: Versions::new(),
                answered: self.answered.clone(),
            };
            next.push((Kind::Crash, 0, crashed));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fair::Converging as _;
    use crate::machine::{Findings, Machine};
    use crate::poll2::Poll2;

    /// The packed form of a state over ordered maps.
    fn pack(packed: &Poll2, naive: &Poll2State) -> u64 {
        let fields = |versions: &Versions| {
            let fields = versions.iter();
            fields.fold(0, |group, (row, version)| {
                group | u64::from(*version) << packed.field_shift(*row)
            })
        };
        let mut word = fields(&naive.versions) << packed.store_shift;
        for row in &naive.present {
            word |= 1 << packed.present_shift(*row);
        }
        for (replica, lane) in naive.replicas.iter().enumerate() {
            let group = packed.group_bits;
            let held = lane.read.as_ref().map_or(0, |read| fields(read) | 1 << group);
            let bits = fields(&lane.answered)
                | fields(&lane.table) << group
                | held << (2 * group)
                | u64::from(!lane.up) << packed.down_shift();
            word |= bits << (u32::try_from(replica).expect("replicas are few") * packed.lane_bits);
        }
        word
    }

    /// Walks every naive state within the bounds and compares its packed form's actions with its own.
    fn agree(bounds: Poll2Bounds) -> usize {
        let packed = Poll2::new(bounds).expect("bounds fit");
        let mut seen = BTreeSet::from([Poll2State::initial(bounds)]);
        let mut todo: Vec<Poll2State> = seen.iter().cloned().collect();
        let mut words = BTreeSet::new();
        while let Some(state) = todo.pop() {
            let word = pack(&packed, &state);
            assert!(words.insert(word), "two states pack alike: {state:?}");
            let next = state.successors(bounds);
            let mut naive: Vec<_> = next
                .iter()
                .map(|(action, next)| (*action, pack(&packed, next)))
                .collect();
            let mut fast = Vec::new();
            packed.successors(&word, |action, next| fast.push((action, next)));
            naive.sort_unstable();
            fast.sort_unstable();
            assert_eq!(fast, naive, "in {state:?}");
            for (_, next) in next {
                if seen.insert(next.clone()) {
                    todo.push(next);
                }
            }
        }
        seen.len()
    }

    #[test]
    fn packed_agrees_with_naive_state_by_state() {
        let bounds = |replicas, rows, versions, crash| Poll2Bounds {
            replicas,
            rows,
            versions,
            crash,
        };
        assert_eq!(agree(bounds(1, 1, 3, true)), 129);
        assert_eq!(agree(bounds(2, 1, 2, true)), 902);
        assert_eq!(agree(bounds(1, 2, 2, true)), 898);
        assert_eq!(agree(bounds(3, 1, 1, false)), 351);
    }

    /// Some state, reachable or not.
    fn any_state(random: &mut fastrand::Rng, bounds: Poll2Bounds) -> Poll2State {
        let mut versions = || -> Versions {
            let rows = (0..bounds.rows).map(|row| (row, random.u8(..=bounds.versions)));
            rows.filter(|(_, version)| *version > 0).collect()
        };
        let written = versions();
        let replicas = (0..bounds.replicas).map(|_| Poll2Replica {
            up: true,
            read: None,
            table: versions(),
            answered: versions(),
        });
        let replicas = replicas.collect();
        Poll2State {
            present: written.keys().copied().filter(|_| random.bool()).collect(),
            versions: written,
            replicas,
        }
    }

    #[test]
    fn packed_is_judged_as_its_naive_form() {
        let bounds = Poll2Bounds {
            replicas: 2,
            rows: 2,
            versions: 3,
            crash: true,
        };
        let packed = Poll2::new(bounds).expect("bounds fit");
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..4_000 {
            let state = any_state(&mut random, bounds);
            let mut findings = Findings::default();
            for replica in &state.replicas {
                for (row, held) in &replica.table {
                    for (rule, holds) in [
                        (RuleId::NoFuture, Some(held) <= state.versions.get(row)),
                        (RuleId::Monotonic, Some(held) >= replica.answered.get(row)),
                    ] {
                        let index = packed.rules().iter().position(|known| *known == rule);
                        findings.check(index.expect("it is one of its rules"), holds);
                    }
                }
            }
            let word = pack(&packed, &state);
            assert_eq!(packed.judge(&word), findings, "{state:?}");
            let agrees = state.replicas.iter().all(|replica| replica.table == state.stored());
            assert_eq!(packed.agrees(&word), agrees, "{state:?}");
        }
    }
}
