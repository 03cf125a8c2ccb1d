//! Reporters: each consumes the events of a trial, and none decides pass or fail.

pub mod human;
pub mod json;
pub mod repro;

use std::io;

use crate::event::Event;

/// A consumer of events.
pub trait Reporter {
    /// Takes note of one event.
    ///
    /// # Errors
    ///
    /// Those of writing.
    fn event(&mut self, event: &Event) -> io::Result<()>;
}

/// A number with separators, for a person.
pub fn grouped(number: u64) -> String {
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
