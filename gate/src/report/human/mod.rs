//! The text of a document for a person. It is not a stable interface.
//!
//! The text has styles everywhere; the stream that it is written to strips them where they do not belong.

mod brief;
pub(crate) mod cause;
mod causes;
mod explore;
mod faults;
mod matrix;
mod replay;
mod run;
mod steps;

use anstyle::{AnsiColor, Style};

pub(super) use brief::{trace_line, words};

use crate::document::Document;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = AnsiColor::BrightBlack.on_default();

/// The text of a document, for a page of so many columns; with every failure if `all`.
pub(crate) fn text(document: &Document, columns: usize, all: bool) -> String {
    let mut text = String::new();
    let verdict = document.verdict();
    match document {
        Document::Run(run) => run::write(&mut text, run, &verdict, columns, all),
        Document::Matrix(matrix) => matrix::write(&mut text, matrix, &verdict, columns),
        Document::Replay(replay) => replay::write(&mut text, replay, &verdict),
        Document::Explore(explored) => explore::write(&mut text, explored, &verdict),
        Document::Faults(faults) => faults::write(&mut text, faults),
    }
    .expect("a string takes any text");
    text
}

/// A number of things of that name.
fn counted(number: usize, name: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {name}{plural}", grouped(number as u64))
}

/// A number of times, in words.
fn times(number: u64) -> String {
    if number == 1 {
        return "once".to_owned();
    }
    format!("{} times", grouped(number))
}

/// A number with separators.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 999, 1_000, 41_210, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "41,210", "1,234,567"]);
    }
}
