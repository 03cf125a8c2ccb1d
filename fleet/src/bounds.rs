//! The bounds of a fleet.

use crate::actions::{Kind, Shape};
use crate::strategies::Strategy;

/// The size of a fleet, its strategies, and the actions that can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Number of rows that the store can hold.
    pub rows: u8,
    /// Number of times that each row can be written.
    pub versions: u8,
    /// The strategy of each replica.
    pub strategies: Vec<Strategy>,
    /// Kinds of action that can happen.
    pub kinds: Vec<Kind>,
    /// Shapes that rows can have.
    pub shapes: Vec<Shape>,
    /// Writes also go in through the replicas' admin endpoints.
    pub admin: bool,
}

impl Bounds {
    /// Returns the number of replicas.
    pub fn replicas(&self) -> usize {
        self.strategies.len()
    }

    /// The same without the actions that can never happen.
    #[must_use]
    pub fn possible(self) -> Self {
        let possible = |kind: &Kind| self.impossible(*kind).is_none();
        let kinds = self.kinds.iter().copied().filter(possible).collect();
        Self { kinds, ..self }
    }

    /// Returns the reason why no state of the fleet allows this action, if none does.
    pub(crate) fn impossible(&self, kind: Kind) -> Option<&'static str> {
        let some = |can: fn(&Strategy) -> bool| self.strategies.iter().any(can);
        let has = |needed| self.kinds.contains(&needed);
        match kind {
            Kind::Deliver | Kind::Duplicate | Kind::Drop if !some(Strategy::listens) => {
                Some("no replica listens to notifications")
            }
            Kind::Duplicate | Kind::Drop if !has(Kind::Deliver) => Some("it needs `deliver`"),
            Kind::Miss if !some(|strategy| strategy.reads_through) => Some("no replica looks rows up on a miss"),
            Kind::Start if !has(Kind::Crash) => Some("it needs `crash`"),
            Kind::PartialPoll if self.rows == 1 => Some("it needs two rows"),
            Kind::Rename if self.shapes.len() == 1 => Some("it needs two shapes"),
            Kind::Update | Kind::Delete | Kind::Rename | Kind::Block | Kind::Break if self.versions == 1 => {
                Some("it needs two versions")
            }
            _ => None,
        }
    }

    /// The bounds in one line; those of two fleets are the same if it is.
    pub(crate) fn identity(&self) -> String {
        let Bounds {
            rows,
            versions,
            strategies,
            kinds,
            shapes,
            admin,
        } = self;
        let strategies: Vec<&str> = strategies.iter().map(|strategy| strategy.name).collect();
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        format!(
            "fleet strategies={} rows={rows} versions={versions} shapes={shapes:?} admin={admin} actions={}",
            strategies.join(","),
            kinds.join(","),
        )
    }
}

/// Bounds that make no fleet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    /// A bound is out of its range.
    #[error("`{name}` must be from 1 to {max}, not {got}")]
    Range {
        /// The bound.
        name: &'static str,
        /// The largest it can be.
        max: usize,
        /// The value that was asked for.
        got: usize,
    },
    /// The states do not fit their word.
    #[error("these bounds need {bits} bits a state, of {bits_max}: take fewer replicas, rows, versions or actions")]
    Packing {
        /// Bits that they would need.
        bits: u32,
        /// Bits that there are.
        bits_max: u32,
    },
    /// An action is missing without which nothing else happens.
    #[error("a fleet needs `create`, `read` and `apply`: there is no `{kind}`")]
    Idle {
        /// The action.
        kind: &'static str,
    },
    /// An action that can never happen in this fleet.
    #[error("`{kind}` can never happen here: {why}")]
    Impossible {
        /// The action.
        kind: &'static str,
        /// The reason.
        why: &'static str,
    },
}
