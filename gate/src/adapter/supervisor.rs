//! An adapter process as a router under test: batches, checked replies, and a new process after a fault.

use std::time::Duration;

use protocol::wire::{
    BATCH_RUNS_MAX, Call, HELLO_BYTES_MAX, HelloCall, LINE_BYTES_MAX, PROTOCOL_VERSION, Reply, Request, check_runs,
};
use protocol::{AdapterFault, FaultKind, Hello, RouterUnderTest, Run, RunReply};

use super::check;
use super::process::{Launch, Message, Process};

/// The size that a message aims at. A reply is often several times as long as its request, and has the same limit.
const MESSAGE_BYTES_AIM: usize = 1 << 20;

/// The time that an adapter may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The time from its start to its hello, in which an interpreter loads a large router.
    pub hello: Duration,
    /// The time from one message to the reply.
    pub reply: Duration,
}

impl Waits {
    /// Returns these, each raised to that of `least` where it is shorter.
    pub(super) fn at_least(self, least: Self) -> Self {
        Self {
            hello: self.hello.max(least.hello),
            reply: self.reply.max(least.reply),
        }
    }
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            hello: Duration::from_mins(2),
            reply: Duration::from_mins(1),
        }
    }
}

/// A router at the other end of a pipe. After a fault the process is gone, and the next run starts another.
pub(crate) struct Supervisor {
    launch: Launch,
    waits: Waits,
    hello: Hello,
    process: Option<Process>,
    next_id: u64,
}

impl Supervisor {
    /// Starts the adapter and greets it.
    ///
    /// # Errors
    ///
    /// A fault of any kind; no process is left then.
    pub(crate) fn start(launch: Launch, waits: Waits) -> Result<Self, AdapterFault> {
        let (process, hello) = greet(&launch, waits)?;
        Ok(Self {
            launch,
            waits,
            hello,
            process: Some(process),
            next_id: FIRST_RUNS_ID,
        })
    }

    fn message(&mut self, runs: &[Run], line: Vec<u8>, id: u64) -> Result<Vec<RunReply>, AdapterFault> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => self.start_again()?,
        };
        let what = format!("a message of {} runs", runs.len());
        // What the router was given to settle is no time that the adapter took.
        let rounds = runs.iter().flat_map(|run| &run.questions.rounds);
        let settling = rounds
            .map(|round| Duration::from_millis(round.wait.into()))
            .sum::<Duration>();
        let reply = process.ask(Message {
            id,
            line,
            what: &what,
            wait: self.waits.reply + settling,
            wait_flag: "--wait",
            reply_bytes_max: LINE_BYTES_MAX,
        });
        let reply = match reply {
            Ok(Reply::Runs(replies)) => match check::replies(&self.hello, runs, &replies) {
                Ok(()) => Ok(replies),
                Err(what) => Err(process.fault(FaultKind::Mismatched, &what)),
            },
            Ok(_) => Err(process.fault(FaultKind::Mismatched, &format!("gave another kind of reply to {what}"))),
            Err(fault) => Err(fault),
        };
        if reply
            .as_ref()
            .err()
            .is_none_or(|fault| fault.kind == FaultKind::Refused)
        {
            self.process = Some(process);
        }
        reply
    }

    fn start_again(&mut self) -> Result<Process, AdapterFault> {
        let (mut process, hello) = greet(&self.launch, self.waits)?;
        if hello != self.hello {
            let what = "said another hello when it was started again; say the same each time";
            return Err(process.fault(FaultKind::Lied, what));
        }
        Ok(process)
    }
}

/// The id of the first message of runs; the hello has the id before it.
const FIRST_RUNS_ID: u64 = 2;

fn greet(launch: &Launch, waits: Waits) -> Result<(Process, Hello), AdapterFault> {
    let mut process = Process::start(launch)?;
    let id = FIRST_RUNS_ID - 1;
    let call = Call::Hello(HelloCall {
        protocol: PROTOCOL_VERSION,
    });
    let mut line = serde_json::to_vec(&Request { id, call }).expect("a request is plain data");
    line.push(b'\n');
    let asked = process.ask(Message {
        id,
        line,
        what: "the hello",
        wait: waits.hello,
        wait_flag: "--hello-wait",
        reply_bytes_max: HELLO_BYTES_MAX,
    });
    match asked? {
        Reply::Hello(hello) => match check::hello(&hello) {
            Ok(()) => Ok((process, *hello)),
            Err(what) => Err(process.fault(FaultKind::Mismatched, &what)),
        },
        _ => Err(process.fault(FaultKind::Mismatched, "gave another kind of reply to the hello")),
    }
}

impl RouterUnderTest for Supervisor {
    fn hello(&self) -> &Hello {
        &self.hello
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let refused = |message| AdapterFault::new(FaultKind::Refused, message);
        let mut replies = Vec::with_capacity(runs.len());
        let mut rest = runs;
        while !rest.is_empty() {
            let id = self.next_id;
            self.next_id += 1;
            let (count, line) = message(id, rest);
            let (batch, after) = rest.split_at(count);
            check_runs(batch).map_err(refused)?;
            if line.len() > LINE_BYTES_MAX {
                let what = format!(
                    "a run of {} bytes is over the {LINE_BYTES_MAX} of a line; ask less of it at once",
                    line.len()
                );
                return Err(refused(what));
            }
            replies.append(&mut self.message(batch, line, id)?);
            rest = after;
        }
        Ok(replies)
    }
}

/// Returns the number of `runs` that go into one message, at least one, and its line. The line is written piece by
/// piece, which saves a copy of every run; the unit test holds it against the type that an adapter reads it with.
fn message(id: u64, runs: &[Run]) -> (usize, Vec<u8>) {
    let mut line = format!(r#"{{"id":{id},"call":{{"runs":["#).into_bytes();
    let mut count = 0;
    for run in runs.iter().take(BATCH_RUNS_MAX) {
        let before = line.len();
        if count > 0 {
            line.push(b',');
        }
        serde_json::to_writer(&mut line, run).expect("a run is plain data");
        if count > 0 && line.len() > MESSAGE_BYTES_AIM {
            line.truncate(before);
            break;
        }
        count += 1;
    }
    line.extend_from_slice(b"]}}\n");
    (count, line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Query, Question, Questions, Row, Trace};

    fn run(names: usize) -> Run {
        let question = Question::Lookup(Query::new(&"x".repeat(1000), None));
        Run {
            trace: Trace::of_router(vec![Row::new("d1", "m", "up/m", "v1")], Vec::new()),
            questions: Questions::at_end(vec![question; names], 0),
        }
    }

    #[test]
    fn a_message_is_the_request_that_an_adapter_reads() {
        let runs = vec![run(0), run(1), run(2)];
        let (count, line) = message(7, &runs);
        assert_eq!(count, 3);
        let request: Request = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            request,
            Request {
                id: 7,
                call: Call::Runs(runs)
            }
        );
    }

    #[test]
    fn a_message_is_bounded_in_runs_and_bytes() {
        assert_eq!(message(1, &vec![run(0); BATCH_RUNS_MAX + 1]).0, BATCH_RUNS_MAX);
        let (count, line) = message(1, &vec![run(300); 10]);
        assert_eq!(count, 3);
        assert!(line.len() <= MESSAGE_BYTES_AIM);
        assert_eq!(message(1, &vec![run(3000); 2]).0, 1);
    }
}
