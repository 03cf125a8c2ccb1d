//! The last lines that a process wrote, bounded in count and in bytes, fit to be shown on a terminal.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::foreign::escaped;

/// The most lines that are kept.
pub(crate) const TAIL_LINES_MAX: usize = 20;
/// The most that is kept of one line.
pub(crate) const TAIL_LINE_BYTES_MAX: usize = 512;

const CHUNK_BYTES: usize = 8 << 10;

/// The last lines of a stream.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: VecDeque<String>,
    open: Vec<u8>,
    cut: bool,
}

impl Tail {
    /// Takes in the next bytes of the stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                // A carriage return ends a line too: progress bars rewrite theirs over and over.
                b'\n' | b'\r' => self.close(),
                _ if self.open.len() < TAIL_LINE_BYTES_MAX => self.open.push(byte),
                _ => self.cut = true,
            }
        }
    }

    fn close(&mut self) {
        let text = printable(&self.open, self.cut);
        self.open.clear();
        self.cut = false;
        if text.is_empty() {
            return;
        }
        if self.lines.len() == TAIL_LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(text);
    }

    /// The lines so far, oldest first; an unfinished one is the last.
    pub(crate) fn lines(&self) -> Vec<String> {
        let open = printable(&self.open, self.cut);
        let open = Some(open).filter(|text| !text.is_empty());
        self.lines.iter().cloned().chain(open).collect()
    }
}

/// `bytes` as text that does nothing to a terminal; `…` ends it where it was cut.
fn printable(bytes: &[u8], cut: bool) -> String {
    let text = String::from_utf8_lossy(bytes);
    // Colours are common in logs, and would be noise as escapes; tabs do no harm as spaces.
    let plain = anstream::adapter::strip_str(&text).to_string().replace('\t', " ");
    let mut kept = escaped(plain.trim_end());
    if cut {
        kept.push('…');
    }
    kept
}

/// The beginning of a text, at most `bytes_max` of it, to be quoted in a message.
pub(crate) fn quote(text: &[u8], bytes_max: usize) -> String {
    printable(&text[..text.len().min(bytes_max)], text.len() > bytes_max)
}

/// Streams that a thread each reads to the end, so that the writer never blocks, and of which the tail is kept.
#[derive(Debug)]
pub(crate) struct KeptTail {
    tail: Arc<Mutex<Tail>>,
    ended: Vec<Receiver<()>>,
}

impl KeptTail {
    /// Keeps the tail of all of `streams` together.
    pub(crate) fn of(streams: Vec<Box<dyn Read + Send>>) -> Self {
        let tail = Arc::new(Mutex::new(Tail::default()));
        let ended = streams
            .into_iter()
            .map(|mut stream| {
                let tail = Arc::clone(&tail);
                let (end, ended) = sync_channel::<()>(1);
                std::thread::spawn(move || {
                    let mut chunk = vec![0; CHUNK_BYTES];
                    while let Ok(read @ 1..) = stream.read(&mut chunk) {
                        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                        tail.feed(&chunk[..read]);
                    }
                    drop(end);
                });
                ended
            })
            .collect();
        Self { tail, ended }
    }

    /// The last lines, after the streams have ended or `wait` has passed for each.
    pub(crate) fn lines(&self, wait: Duration) -> Vec<String> {
        for ended in &self.ended {
            // Nothing is ever sent: this returns when the reader ends or when the time is up, and both will do.
            let _ = ended.recv_timeout(wait);
        }
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).lines()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_in_count_and_bytes() {
        let mut tail = Tail::default();
        for number in 0..100 {
            tail.feed(format!("line {number}\n").as_bytes());
        }
        tail.feed(&vec![b'x'; 1 << 20]);
        let lines = tail.lines();
        assert_eq!(lines.len(), TAIL_LINES_MAX + 1);
        assert_eq!(lines[TAIL_LINES_MAX - 1], "line 99");
        assert_eq!(lines[TAIL_LINES_MAX].len(), TAIL_LINE_BYTES_MAX + "…".len());
    }

    #[test]
    fn what_is_kept_does_nothing_to_a_terminal() {
        let mut tail = Tail::default();
        tail.feed(b"\x1b[31mred\x1b[0m\x07 bell \xe2\x80\xaetxt\r\n\r\n50%\r100%\r\n\xff\xfe");
        assert_eq!(
            tail.lines(),
            ["red bell \\u{202e}txt", "50%", "100%", "\u{fffd}\u{fffd}"]
        );
    }
}
