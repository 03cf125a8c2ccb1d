//! The format of what is printed.

use clap::ValueEnum;

/// The format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A person at a terminal.
    Text,
    /// The book.
    Markdown,
}

/// The format of a whole document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    /// For a person at a terminal
    #[value(alias = "human")]
    Text,
    /// For a book
    Markdown,
    /// For a program
    Json,
}

impl From<Format> for PageFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Markdown => Self::Markdown,
        }
    }
}
