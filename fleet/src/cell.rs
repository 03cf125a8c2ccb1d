//! The contents of rows, and the largest numbers of rows, versions, replicas and copies.

use crate::actions::Shape;

/// The most rows of a fleet.
pub const ROWS_MAX: usize = 3;
/// The most versions of a row.
pub const VERSIONS_MAX: usize = 3;
/// The most replicas of a fleet.
pub(crate) const REPLICAS_MAX: usize = 3;
/// The copies of one version in one pattern table are counted up to this many.
pub const COPIES_MAX: u8 = 2;

/// The content of a row in one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// Absent.
    #[default]
    Absent,
    /// A row that may be served.
    Row(Shape),
    /// A blocked row.
    Blocked(Shape),
    /// A row that no router may take.
    Invalid,
}

impl Content {
    /// Returns the shape of the row, where a router can hold it.
    pub fn shape(self) -> Option<Shape> {
        match self {
            Self::Row(shape) | Self::Blocked(shape) => Some(shape),
            Self::Absent | Self::Invalid => None,
        }
    }

    /// Returns the number that stands for it in a packed state.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Row(shape) => 1 + shape as u8,
            Self::Blocked(shape) => 4 + shape as u8,
            Self::Invalid => 7,
        }
    }

    /// Returns the content of this number.
    pub(crate) fn of(code: u8) -> Self {
        match code {
            0 => Self::Absent,
            1..4 => Self::Row(Shape::ALL[usize::from(code - 1)]),
            4..7 => Self::Blocked(Shape::ALL[usize::from(code - 4)]),
            _ => Self::Invalid,
        }
    }
}

/// A row in one version. A row that never was has version 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// Number of the write, counted a row.
    pub version: u8,
    /// Content that was written.
    pub content: Content,
}

/// The rows of a store, of a table or of a read.
pub(crate) type Cells = [Cell; ROWS_MAX];
