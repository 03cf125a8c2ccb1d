//! Texts that mislead whoever reads them on a screen, and how a file quotes them.

use std::fmt::Write as _;

/// Returns true for a character that is invisible, or changes the order in which others are shown.
pub fn misleads(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Returns a text in double quotes, as TOML and Python write it: in one line, with escapes for control characters and those
/// that mislead.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            _ if letter.is_control() || misleads(letter) => {
                write!(quoted, "\\U{:08x}", u32::from(letter)).expect("a string takes any text");
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_plain_and_read_back_as_it_was() {
        let every: String = ('\0'..=char::MAX)
            .filter(|letter| *letter < '\u{3000}' || misleads(*letter))
            .collect();
        let quoted = quoted(&every);
        assert!(!quoted.chars().any(|letter| letter.is_control() || misleads(letter)));
        let read: toml::Table = toml::from_str(&format!("text = {quoted}")).expect("it is TOML");
        assert_eq!(read["text"].as_str(), Some(&every[..]));
    }
}
