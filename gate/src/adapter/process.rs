//! One adapter process: start it, talk to it within bounds, end it with everything it has started.
//!
//! Four threads serve each process, and none is ever waited for without a bound: one writes to its stdin, one reads
//! lines from its stdout, one keeps the tail of its stderr, one sees it end. Whatever the process does, [`Process::ask`]
//! returns within its wait, plus [`LAST_WORDS_WAIT`] twice over to tell how it ended.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use protocol::wire::{LINE_BYTES_MAX, Reply, Response};
use protocol::{AdapterFault, FaultKind};

use super::tail::{KeptTail, quote};
use crate::guard::{Ended, Group};

/// The time that a process may take to end after its input has ended, before it is killed.
const FAREWELL_WAIT: Duration = Duration::from_secs(1);
/// The time to wait for the last lines of a process that has ended.
pub(crate) const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);
/// The most lines or events that wait to be taken from a process; beyond it the process is made to wait.
const EVENTS_MAX: usize = 4;
/// The most that is quoted of a line that is no reply.
const QUOTE_BYTES_MAX: usize = 160;
/// The most that is quoted of an error reply.
const ERROR_BYTES_MAX: usize = 2_000;

/// The command line, environment and directory of an adapter.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The name of the adapter in messages: the text that named it.
    pub name: String,
    /// The program.
    pub program: OsString,
    /// The arguments of the program.
    pub args: Vec<OsString>,
    /// Variables set for it, beside those of this process.
    pub env: Vec<(&'static str, OsString)>,
    /// The directory in which it runs; the current one if not set.
    pub dir: Option<PathBuf>,
}

impl Launch {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }
}

/// A line to a process, and the bounds of the reply to it.
pub(crate) struct Message<'a> {
    /// The id that the reply must carry.
    pub id: u64,
    /// The line, its end included.
    pub line: Vec<u8>,
    /// The message in words.
    pub what: &'a str,
    /// The time until the reply.
    pub wait: Duration,
    /// The flag that allows more time.
    pub wait_flag: &'static str,
    /// The longest line of the reply.
    pub reply_bytes_max: usize,
}

enum Event {
    Line(Vec<u8>),
    TooLong(Vec<u8>),
    Unfinished(Vec<u8>),
    Ended(Ended),
}

/// A live adapter process. When the value is dropped, the input of the process ends; a moment later it is killed with
/// its whole process group.
pub(crate) struct Process {
    name: String,
    group: Group,
    requests: Option<SyncSender<Vec<u8>>>,
    events: Receiver<Event>,
    stderr: KeptTail,
    end: Option<Ended>,
    broken: bool,
}

impl Process {
    /// Starts the process. Nothing is said to it yet.
    ///
    /// # Errors
    ///
    /// A fault of kind [`FaultKind::Missing`].
    pub(crate) fn start(launch: &Launch) -> Result<Self, AdapterFault> {
        let (event, events) = sync_channel(EVENTS_MAX);
        let on_end = event.clone();
        let mut group = Group::spawn(launch.command(), Stdio::piped(), move |how| {
            // The owner may be gone, and then it no longer matters; the same holds for the reader below.
            let _ = on_end.send(Event::Ended(how));
        })
        .map_err(|why| cannot_start(launch, &why))?;
        let child = group.child();
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three streams were asked for as pipes");
        };
        let stderr = KeptTail::of(vec![Box::new(stderr)]);
        std::thread::spawn(move || read_lines(stdout, &event));
        let (requests, to_write) = sync_channel(1);
        std::thread::spawn(move || write_lines(stdin, &to_write));
        Ok(Self {
            name: launch.name.clone(),
            group,
            requests: Some(requests),
            events,
            stderr,
            end: None,
            broken: false,
        })
    }

    /// Writes the line of a message and waits for the reply to it.
    ///
    /// # Errors
    ///
    /// A fault, if the process does anything else. The process is dead afterwards, unless the fault is
    /// [`FaultKind::Refused`].
    pub(crate) fn ask(&mut self, message: Message<'_>) -> Result<Reply, AdapterFault> {
        let Message {
            id,
            line,
            what,
            wait,
            wait_flag,
            reply_bytes_max,
        } = message;
        assert!(line.ends_with(b"\n"), "a request is one whole line");
        if self.end.is_some() {
            return Err(self.exited(what, b""));
        }
        let sent = self.requests.as_ref().map(|requests| requests.try_send(line));
        if let Some(Err(TrySendError::Full(_))) = sent {
            let message = "answers without reading what it is asked; read each request to its end before you answer it";
            return Err(self.fault(FaultKind::Mismatched, message));
        }
        // A writer that is gone has met a closed pipe: what the process did instead of reading comes as an event.
        match self.events.recv_timeout(wait) {
            Ok(Event::Line(line)) if line.len() >= reply_bytes_max => {
                let message = format!(
                    "answered {what} with a line of {} bytes, and at most {reply_bytes_max} are taken",
                    line.len() + 1
                );
                Err(self.fault(FaultKind::Mismatched, &message))
            }
            Ok(Event::Line(line)) => self.reply(id, &line),
            Ok(Event::TooLong(start)) => {
                let message = format!(
                    "wrote a line of more than {LINE_BYTES_MAX} bytes (`{}`) in place of its reply to {what}; stdout is \
                     for replies alone, one a line",
                    quote(&start, QUOTE_BYTES_MAX)
                );
                Err(self.fault(FaultKind::Babbled, &message))
            }
            Ok(Event::Unfinished(text)) => self.ended(what, &text),
            Ok(Event::Ended(how)) => self.last_line(id, what, how),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let message = format!(
                    "did not answer {what} within {wait:?} and was ended; if it only is slow, allow more with `{wait_flag}`"
                );
                Err(self.fault(FaultKind::Hung, &message))
            }
        }
    }

    /// Takes the last line of a process that has ended: it may have written its reply just before.
    fn last_line(&mut self, id: u64, what: &str, how: Ended) -> Result<Reply, AdapterFault> {
        self.end = Some(how);
        match self.events.recv_timeout(LAST_WORDS_WAIT) {
            Ok(Event::Line(line)) => self.reply(id, &line),
            Ok(Event::Unfinished(text)) => Err(self.exited(what, &text)),
            _ => Err(self.exited(what, b"")),
        }
    }

    /// Reports a process whose stdout has ended. Most likely the process has ended too, so it is given a moment to tell
    /// how.
    fn ended(&mut self, what: &str, text: &[u8]) -> Result<Reply, AdapterFault> {
        if let Ok(Event::Ended(how)) = self.events.recv_timeout(LAST_WORDS_WAIT) {
            self.end = Some(how);
        }
        Err(self.exited(what, text))
    }

    fn exited(&mut self, what: &str, text: &[u8]) -> AdapterFault {
        let did = self
            .end
            .map_or_else(|| "closed its stdout".to_owned(), |how| format!("ended ({how})"));
        let cut = match text {
            [] => String::new(),
            text => format!(", in the middle of a line (`{}`)", quote(text, QUOTE_BYTES_MAX)),
        };
        let message =
            format!("{did} before it answered {what}{cut}; run it by hand: it must serve until its stdin ends");
        self.fault(FaultKind::Exited, &message)
    }

    fn reply(&mut self, id: u64, line: &[u8]) -> Result<Reply, AdapterFault> {
        let response: Response = match serde_json::from_slice(line) {
            Ok(response) => response,
            Err(why) => {
                let message = format!(
                    "wrote what is no reply ({why}): `{}`; stdout is for replies alone, everything else goes to stderr",
                    quote(line, QUOTE_BYTES_MAX)
                );
                return Err(self.fault(FaultKind::Babbled, &message));
            }
        };
        match response.reply {
            // Id 0 answers a line of which the adapter could not even read the id.
            Reply::Error(error) if response.id == id || response.id == 0 => Err(AdapterFault {
                kind: FaultKind::Refused,
                message: format!(
                    "adapter `{}` could not serve a request: {}",
                    self.name,
                    quote(error.message.as_bytes(), ERROR_BYTES_MAX)
                ),
                last_lines: self.stderr.lines(Duration::ZERO),
            }),
            _ if response.id != id => {
                let message = format!(
                    "answered request {} where request {id} was open; answer each request once, in order, under its own id",
                    response.id
                );
                Err(self.fault(FaultKind::Mismatched, &message))
            }
            reply => Ok(reply),
        }
    }

    /// Ends the process at once. `what` happened, as the end of a sentence that begins with the adapter.
    pub(crate) fn fault(&mut self, kind: FaultKind, what: &str) -> AdapterFault {
        self.broken = true;
        self.group.end();
        AdapterFault {
            kind,
            message: format!("adapter `{}` {what}", self.name),
            last_lines: self.stderr.lines(LAST_WORDS_WAIT),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The writer thread ends with its channel, and closes the pipe; the group is killed as it is dropped.
        self.requests = None;
        if !self.broken {
            self.group.ends_within(FAREWELL_WAIT);
        }
    }
}

fn cannot_start(launch: &Launch, why: &io::Error) -> AdapterFault {
    let advice = match why.kind() {
        io::ErrorKind::NotFound => "there is no such program; give its path, or put its directory on `PATH`",
        io::ErrorKind::PermissionDenied => "it may not be executed; `chmod +x` it, or name its interpreter first",
        _ => "see that it runs by hand",
    };
    let message = format!("adapter `{}` cannot be started ({why}): {advice}", launch.name);
    AdapterFault::new(FaultKind::Missing, message)
}

fn write_lines(mut stdin: ChildStdin, lines: &Receiver<Vec<u8>>) {
    for line in lines {
        if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn read_lines(stdout: ChildStdout, events: &SyncSender<Event>) {
    let mut stdout = BufReader::with_capacity(64 << 10, stdout);
    loop {
        let event = next_line(&mut stdout);
        let more = matches!(event, Event::Line(_));
        if events.send(event).is_err() || !more {
            return;
        }
    }
}

/// Reads one line. Unlike [`protocol::read_line`] it stops at the bound: the process will be ended, so that
/// nothing is gained from skipping to the end of a line that may have none.
fn next_line(stdout: &mut impl BufRead) -> Event {
    let mut line = Vec::new();
    // An error of reading is taken for the end of the stream.
    let _ = stdout.take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line);
    if line.last() == Some(&b'\n') {
        line.pop();
        Event::Line(line)
    } else if line.len() == LINE_BYTES_MAX {
        Event::TooLong(line)
    } else {
        Event::Unfinished(line)
    }
}
