//! The format of a table.

/// The format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A person at a terminal.
    Text,
    /// The book.
    Markdown,
}
