//! The actions of every model here, as small plain values.

use std::fmt;

/// The place where a write goes in, or the replica that acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// The store.
    Store,
    /// The replica of this number, from 0.
    Replica(u8),
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $name:ident $text:literal,)+) => {
        /// The sort of an action. Coverage is counted a kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])+ $name,)+ }

        impl Kind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word for it in flags and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

kinds! {
    /// A row that the store does not hold is inserted.
    Create "create",
    /// A row gets a new version with nothing else changed.
    Update "update",
    /// A row is removed from the store.
    Delete "delete",
    /// A row gets another name: of another shape, or of another caller.
    Rename "rename",
    /// A row is blocked, or is no longer.
    Block "block",
    /// A row gets a version that no router may take.
    Break "break",
    /// A replica reads the store, and holds what it read.
    Read "read",
    /// A replica reads a copy of the store that lags one write behind, and holds what it read.
    StaleRead "stale-read",
    /// A replica applies what it read, or the next part of it.
    Apply "apply",
    /// A poll whose read the store refuses.
    FailedPoll "failed-poll",
    /// A poll whose read comes back empty by error.
    EmptyPoll "empty-poll",
    /// A poll whose read breaks off after the first row.
    PartialPoll "partial-poll",
    /// A change notification reaches a replica.
    Deliver "deliver",
    /// A change notification reaches a replica, and will do so again.
    Duplicate "duplicate",
    /// A change notification is lost.
    Drop "drop",
    /// A request finds nothing, and the replica looks the row up in the store.
    Miss "miss",
    /// A replica answers for a row in a version newer than any before.
    Request "request",
    /// A replica loses its memory and is down.
    Crash "crash",
    /// A replica comes up, empty.
    Start "start",
}

/// Number of kinds.
pub(crate) const KINDS: usize = Kind::ALL.len();

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// The name that a row is asked for by: the exact name, the global wildcard or one team's wildcard, which all match one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// The exact name.
    Exact,
    /// A wildcard for every caller.
    Wild,
    /// A wildcard for one team's callers.
    Team,
}

impl Shape {
    /// Every shape, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Wild, Self::Team];
}

/// One action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// Sort of the action.
    pub kind: Kind,
    /// The place of the action.
    pub at: At,
    /// Number of the row, where it is about one; otherwise 0.
    pub row: u8,
    /// The shape that a row is created in or renamed to; otherwise exact.
    pub shape: Shape,
}

impl Action {
    /// An action on `row` at `at`.
    pub const fn new(kind: Kind, at: At, row: u8) -> Self {
        Self {
            kind,
            at,
            row,
            shape: Shape::Exact,
        }
    }

    /// The same action with this shape.
    #[must_use]
    pub const fn shaped(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// Returns whether the action changes the store.
    pub fn writes(self) -> bool {
        use Kind::{Block, Break, Create, Delete, Rename, Update};
        matches!(self.kind, Create | Update | Delete | Rename | Block | Break)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Kind::{Create, Deliver, Drop, Duplicate, Miss, Rename, Request};
        write!(f, "{}", self.kind.name())?;
        if self.writes() || matches!(self.kind, Deliver | Drop | Duplicate | Miss | Request) {
            write!(f, " d{}", self.row + 1)?;
        }
        match (self.kind, self.shape) {
            (Create | Rename, Shape::Wild) => write!(f, " as a wildcard")?,
            (Create | Rename, Shape::Team) => write!(f, " as a team's wildcard")?,
            (Rename, Shape::Exact) => write!(f, " to an exact name")?,
            _ => {}
        }
        match self.at {
            At::Store => write!(f, " in the store"),
            At::Replica(replica) => write!(f, " at r{}", replica + 1),
        }
    }
}
