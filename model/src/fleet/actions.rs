//! What can happen in a fleet: the actions of every model here, as small plain values.

use std::fmt;

/// Where a write goes in, or which replica acts.
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
    /// A replica reads the store, and holds what it read.
    Read "read",
    /// A replica applies what it read.
    Apply "apply",
    /// A replica answers for a row in a version newer than any before.
    Request "request",
    /// A replica loses its memory and is down.
    Crash "crash",
    /// A replica comes up, empty.
    Start "start",
}

/// How many kinds there are.
pub const KINDS: usize = Kind::ALL.len();

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// One action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// What happens.
    pub kind: Kind,
    /// Where.
    pub at: At,
    /// To which row, where it is about one; otherwise 0.
    pub row: u8,
}

impl Action {
    /// An action on `row` at `at`.
    pub const fn new(kind: Kind, at: At, row: u8) -> Self {
        Self { kind, at, row }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about_row = matches!(self.kind, Kind::Create | Kind::Update | Kind::Delete | Kind::Request);
        write!(f, "{}", self.kind.name())?;
        if about_row {
            write!(f, " d{}", self.row + 1)?;
        }
        match self.at {
            At::Store => write!(f, " in the store"),
            At::Replica(replica) => write!(f, " at r{}", replica + 1),
        }
    }
}
