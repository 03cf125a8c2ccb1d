//! The errors of the crate.
//!
//! An error names the field at fault in the words of the database, so that whoever wrote the row can mend it.

use std::fmt;

/// A field of a row, named as the database names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The key of the row.
    Id,
    /// The name that callers ask for.
    ModelName,
    /// The upstream target.
    Model,
    /// The opaque string that is unique to one version of the row.
    Tag,
    /// The team that owns the row.
    Team,
    /// The name that the owning team asks for.
    TeamModelName,
}

impl Field {
    /// The name of the column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::ModelName => "model_name",
            Self::Model => "model",
            Self::Tag => "tag",
            Self::Team => "team",
            Self::TeamModelName => "team_model_name",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fault of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The text is empty.
    Empty,
    /// The text is longer than [`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX).
    TooLong {
        /// The length that was given.
        bytes: usize,
    },
    /// The text holds a control character.
    ControlCharacter {
        /// The byte at which it starts.
        at: usize,
    },
    /// A name for a team stands in a row that belongs to no team.
    WithoutTeam,
    /// The target has `*`, and another number of them than the name by which the row is asked for.
    Wildcards {
        /// The number of `*` in the name.
        name: usize,
        /// The number of `*` in the target.
        target: usize,
    },
}

/// A row that was refused whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowError {
    /// The field at fault.
    pub field: Field,
    /// The fault of that field.
    pub problem: Problem,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match self.problem {
            Problem::Empty => write!(f, "`{field}` is empty: give it a text or leave the row out"),
            Problem::TooLong { bytes } => {
                let max = crate::TEXT_BYTES_MAX;
                write!(f, "`{field}` has {bytes} bytes: shorten it to {max} at most")
            }
            Problem::ControlCharacter { at } => {
                write!(f, "`{field}` holds a control character at byte {at}: remove it")
            }
            Problem::WithoutTeam => {
                write!(f, "`{field}` is set in a row without a team: set `team` or remove it")
            }
            Problem::Wildcards { name, target } => write!(
                f,
                "`{field}` has {target} `*` and the name that is asked for has {name}: use as many, or none"
            ),
        }
    }
}

impl std::error::Error for RowError {}

/// A load that was refused whole; the table stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LoadError {
    /// An invalid row.
    Row {
        /// The place of the row in the load, from 0.
        position: usize,
        /// The id as it was given.
        id: String,
        /// The fault of the row.
        error: RowError,
    },
    /// Two of the rows have the same id.
    DuplicateId {
        /// The place of the second of them, from 0.
        position: usize,
        /// The id they share.
        id: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { position, id, error } => write!(f, "row {position} (`{}`): {error}", id.escape_debug()),
            Self::DuplicateId { position, id } => write!(
                f,
                "row {position}: `id` `{}` stands in an earlier row too: give each row an id of its own",
                id.escape_debug()
            ),
        }
    }
}

impl std::error::Error for LoadError {}

/// A reading of a store that was refused whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReadingError {
    /// The rows are no valid table.
    Load(LoadError),
    /// A reading with more or fewer rows than the store has.
    Incomplete {
        /// The number of rows that came.
        got: usize,
        /// The number of rows that the store has.
        count: usize,
    },
}

impl fmt::Display for ReadingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => error.fmt(f),
            Self::Incomplete { got, count } => {
                write!(
                    f,
                    "{got} rows came and the store has {count}: read it again, in one transaction"
                )
            }
        }
    }
}

impl std::error::Error for ReadingError {}

impl From<LoadError> for ReadingError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// The reason why a store could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoreError<E> {
    /// The store itself failed.
    Failed(E),
    /// The store gave rows that were refused.
    Refused(ReadingError),
}

impl<E: fmt::Display> fmt::Display for StoreError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the store failed: {error}"),
            Self::Refused(error) => write!(f, "the store was refused: {error}"),
        }
    }
}

impl<E: std::error::Error> std::error::Error for StoreError<E> {}

impl<E> From<ReadingError> for StoreError<E> {
    fn from(error: ReadingError) -> Self {
        Self::Refused(error)
    }
}
