//! The format of a table.

/// For whom a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A person at a terminal.
    Text,
    /// The book.
    Markdown,
}
