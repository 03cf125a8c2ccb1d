//! Foreign text: what a router, a trace, a file name or another process says, as a terminal or a page can take it.
//!
//! Every such text goes through here before it reaches stdout, stderr or a report for people. JSON and trace files have
//! escapes of their own.

use std::path::Path;

use protocol::misleads;

/// The most characters of a text beside others in a line.
pub(crate) const BRIEF_MAX: usize = 120;
/// The most characters of a text that is the matter itself: an answer, a reason, a path.
pub(crate) const SHOWN_MAX: usize = 400;
/// The most characters of one line of a message.
const LINE_MAX: usize = 4_000;

/// Returns `text` with every character that could steer the reader's eye or terminal shown as an escape such as
/// `\u{202e}`: control characters, and those that are invisible or turn the direction of what follows.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || misleads(letter) {
            escaped.extend(letter.escape_unicode());
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// Returns the first `max` characters of `text`, escaped; where it is longer, with its length.
pub(crate) fn clean(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => escaped(text),
        Some((end, _)) => format!("{}... ({} characters)", escaped(&text[..end]), text.chars().count()),
    }
}

/// Returns a text of several lines in one: what an exception says often has more.
pub(crate) fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<&str>>().join(" ")
}

/// Foreign text in a line of others.
pub(crate) fn brief(text: &str) -> String {
    clean(text, BRIEF_MAX)
}

/// Returns a message of ours of several lines, each line of it clean.
pub(crate) fn clean_lines(message: &str) -> String {
    let lines: Vec<String> = message.lines().map(|line| clean(line, LINE_MAX)).collect();
    lines.join("\n")
}

/// Returns the name of a file, clean.
pub(crate) fn path(path: &Path) -> String {
    clean(&path.display().to_string(), SHOWN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_ours_cannot_steer_a_terminal() {
        assert_eq!(escaped("a\u{1b}[2J\u{202e}b"), "a\\u{1b}[2J\\u{202e}b");
        assert_eq!(
            escaped("one\ntwo\r\u{85}\u{9b}31m"),
            "one\\u{a}two\\u{d}\\u{85}\\u{9b}31m"
        );
        assert_eq!(escaped("ünï→漢字 `*`"), "ünï→漢字 `*`");
    }

    #[test]
    fn a_long_text_is_cut_and_its_length_is_told() {
        assert_eq!(clean(&"é".repeat(BRIEF_MAX), BRIEF_MAX), "é".repeat(BRIEF_MAX));
        let cut = clean(&"é".repeat(500), BRIEF_MAX);
        assert_eq!(cut, format!("{}... (500 characters)", "é".repeat(BRIEF_MAX)));
    }

    #[test]
    fn a_text_of_several_lines_becomes_one_line() {
        assert_eq!(one_line("one:\n  two\r\n\n\tthree"), "one: two three");
        assert_eq!(one_line("one\u{1b} two"), "one\u{1b} two");
    }

    #[test]
    fn the_lines_of_a_message_stay() {
        assert_eq!(clean_lines("one\u{7}\n  | two\u{202e}"), "one\\u{7}\n  | two\\u{202e}");
    }
}
