//! A fleet of references whose replicas are processes, over rows that they share: a crash is a `SIGKILL`, and a start is
//! another process.
//!
//! The fleet's driver decides what happens between any two accesses to the store, as for replicas in this process. The
//! access itself is made by the replica's process, through a connection of its own.

mod home;
mod serve;
mod talk;

use std::cell::RefCell;
use std::io::{self, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use adapter_reference::{PostgresDatabase, ReferenceReplica, SqliteDatabase};
use protocol::fleet::{Act, Database, Given, InProcessFleet, LocalReplica, Sight, Want};
use protocol::{AdapterFault, FaultKind, Hello, Now, Question, RouterUnderTest, Run, RunReply, Shown};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::home::Home;
pub use self::serve::{REPLICA, be_replica};
use self::talk::{Call, Reply, Shared, hear, say};
use super::store::Store;
use crate::guard::stopped;

/// The program of a replica, and the time that it may take for one reply.
#[derive(Clone, Debug)]
pub(crate) struct Replicas {
    /// Routeproof itself.
    pub program: PathBuf,
    /// The longest time for a reply.
    pub wait: Duration,
}

impl Replicas {
    /// The fleet of such replicas over that store.
    ///
    /// # Errors
    ///
    /// A sentence: the store cannot be opened or reached, or cannot be shared by processes.
    pub(crate) fn over(self, store: &Store) -> Result<Box<dyn RouterUnderTest>, String> {
        match store {
            Store::Memory => Err("rows in plain memory are of one process alone; take another store".to_owned()),
            Store::Sqlite => {
                let home = Home::make(&std::env::temp_dir()).map_err(|why| {
                    format!("there is no directory for the rows: {why}; name a file with `--store sqlite:FILE`")
                })?;
                let rows = home.rows();
                self.over_file(&rows, Some(home))
            }
            Store::SqliteFile(file) => self.over_file(file, None),
            Store::Postgres(address) => {
                let (database, schema) = PostgresDatabase::share(address)?;
                let shared = Shared::Postgres {
                    address: address.clone(),
                    schema,
                };
                Ok(self.fleet(database, shared, None))
            }
        }
    }

    fn over_file(self, file: &Path, home: Option<Home>) -> Result<Box<dyn RouterUnderTest>, String> {
        let database = SqliteDatabase::open(file)?;
        Ok(self.fleet(database, Shared::Sqlite(file.to_owned()), home))
    }

    fn fleet(self, database: impl Database + 'static, shared: Shared, home: Option<Home>) -> Box<dyn RouterUnderTest> {
        let common = Rc::new(Common {
            replicas: self,
            shared,
            trouble: RefCell::new(None),
        });
        let empty = ProcessReplica {
            common: Rc::clone(&common),
            process: RefCell::new(None),
            tasks: 0,
        };
        Box::new(ProcessFleet {
            fleet: InProcessFleet::over(database, empty),
            common,
            _home: home,
        })
    }
}

/// A fleet of processes as a router under test.
struct ProcessFleet<D> {
    fleet: InProcessFleet<ProcessReplica, D>,
    common: Rc<Common>,
    _home: Option<Home>,
}

impl<D: Database> RouterUnderTest for ProcessFleet<D> {
    fn hello(&self) -> &Hello {
        self.fleet.hello()
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let mut replies = Vec::with_capacity(runs.len());
        for run in runs {
            if stopped().is_some() {
                return Err(AdapterFault::new(FaultKind::Exited, "a signal has stopped this run"));
            }
            let replied = self.fleet.run(std::slice::from_ref(run));
            if let Some(trouble) = self.common.trouble.take() {
                return Err(AdapterFault::new(trouble.kind, trouble.what));
            }
            replies.append(&mut replied?);
        }
        Ok(replies)
    }
}

/// Everything that the replicas of a fleet have in common.
#[derive(Debug)]
struct Common {
    replicas: Replicas,
    shared: Shared,
    /// The first thing that went wrong with one of the processes.
    trouble: RefCell<Option<Trouble>>,
}

/// A failure of a process, which says nothing of the fleet.
#[derive(Debug)]
struct Trouble {
    kind: FaultKind,
    what: String,
}

impl Common {
    fn note(&self, kind: FaultKind, what: String) {
        self.trouble.borrow_mut().get_or_insert(Trouble { kind, what });
    }

    /// Starts a process and connects it to the rows.
    fn start(&self) -> Option<Process> {
        let mut process = match Process::start(&self.replicas.program) {
            Ok(process) => process,
            Err(why) => {
                let what = format!("the process of a replica cannot be started: {why}");
                self.note(FaultKind::Missing, what);
                return None;
            }
        };
        match self.exchange(&mut process, &Call::Open(self.shared.clone()))? {
            Reply::Ready => Some(process),
            reply => self.is_out_of_turn(&process, &reply),
        }
    }

    /// Says something to a process and hears its reply; nothing where that goes wrong, which is noted.
    fn exchange(&self, process: &mut Process, call: &Call) -> Option<Reply> {
        match process.exchange(call, self.replicas.wait) {
            Ok(Some(Reply::Trouble(why))) => {
                self.note(
                    FaultKind::Exited,
                    format!("the store of the fleet failed by itself: {why}"),
                );
                None
            }
            Ok(Some(reply)) => Some(reply),
            Ok(None) => {
                let (pid, how) = (process.child.id(), process.end());
                self.note(
                    FaultKind::Exited,
                    format!("the process of a replica ({pid}) ended by itself: {how}"),
                );
                None
            }
            Err(why) if why.kind() == io::ErrorKind::TimedOut => {
                let (pid, seconds) = (process.child.id(), self.replicas.wait.as_secs_f64());
                let what =
                    format!("the process of a replica ({pid}) did not answer within {seconds} s: raise `--wait`");
                self.note(FaultKind::Hung, what);
                None
            }
            Err(why) => {
                let pid = process.child.id();
                self.note(
                    FaultKind::Babbled,
                    format!("the process of a replica ({pid}) cannot be understood: {why}"),
                );
                None
            }
        }
    }

    fn is_out_of_turn<T>(&self, process: &Process, reply: &Reply) -> Option<T> {
        let pid = process.child.id();
        self.note(
            FaultKind::Mismatched,
            format!("the process of a replica ({pid}) answers out of turn: {reply:?}"),
        );
        None
    }
}

/// A replica that is a process, once it has come up; it is killed when this is dropped.
#[derive(Debug)]
struct ProcessReplica {
    common: Rc<Common>,
    process: RefCell<Option<Process>>,
    /// The number of operations that were begun.
    tasks: u64,
}

impl Clone for ProcessReplica {
    /// A replica to which nothing has happened: it has no process yet.
    fn clone(&self) -> Self {
        Self {
            common: Rc::clone(&self.common),
            process: RefCell::new(None),
            tasks: 0,
        }
    }
}

impl Drop for ProcessReplica {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        if let Some(how) = process.has_ended() {
            let pid = process.child.id();
            let what = format!("the process of a replica ({pid}) ended by itself: {}", ended(how));
            self.common.note(FaultKind::Exited, what);
        }
    }
}

/// An operation of a replica: its number, and what it is to do until that is said.
#[derive(Debug)]
struct Task {
    number: u64,
    act: Option<Act>,
}

impl ProcessReplica {
    /// The reply of the process; nothing where it has gone wrong, now or before.
    fn exchange(&self, call: &Call) -> Option<Reply> {
        let mut process = self.process.borrow_mut();
        let reply = self.common.exchange(process.as_mut()?, call);
        if reply.is_none() {
            // Nothing that it says from now on counts.
            *process = None;
        }
        reply
    }

    fn is_out_of_turn<T>(&self, reply: &Reply) -> Option<T> {
        self.common.is_out_of_turn(self.process.borrow().as_ref()?, reply)
    }
}

/// The end of an operation whose process has gone wrong: the run ends with a fault, whatever stands there.
const GONE: &str = "its process has gone wrong";

impl LocalReplica for ProcessReplica {
    type Task = Task;

    fn describe(&self) -> Hello {
        ReferenceReplica::default().describe()
    }

    fn begin(&mut self, act: Act) -> Task {
        if act == Act::Start {
            *self.process.borrow_mut() = self.common.start();
        }
        self.tasks += 1;
        Task {
            number: self.tasks,
            act: Some(act),
        }
    }

    fn proceed(&mut self, task: &mut Task, given: Given) -> Want {
        let call = Call::Proceed {
            task: task.number,
            act: task.act.take(),
            given,
        };
        let want = self.exchange(&call).and_then(|reply| match reply {
            Reply::Wants(want) => Some(want),
            other => self.is_out_of_turn(&other),
        });
        want.unwrap_or_else(|| Want::End(Now::Failed(GONE.to_owned())))
    }

    fn ask(&self, question: &Question) -> Shown {
        let shown = self.ask_all(&[question]).pop();
        shown.expect("there is one for each question")
    }

    fn ask_all(&self, questions: &[&Question]) -> Vec<Shown> {
        let asked = questions.iter().copied().cloned().collect();
        let shown = self.exchange(&Call::Ask(asked)).and_then(|reply| match reply {
            Reply::Shown(shown) if shown.len() == questions.len() => Some(shown),
            other => self.is_out_of_turn(&other),
        });
        shown.unwrap_or_else(|| vec![Shown::Rows(Vec::new()); questions.len()])
    }

    fn reach(&mut self, want: &Want, sight: &Sight) -> Option<Given> {
        let call = Call::Reach {
            want: want.clone(),
            sight: sight.clone(),
        };
        let given = self.exchange(&call).and_then(|reply| match reply {
            Reply::Reached(given) => Some(given),
            other => self.is_out_of_turn(&other),
        });
        Some(given.unwrap_or_else(|| Given::failed(want, GONE)))
    }
}

/// A process, killed when this is dropped.
#[derive(Debug)]
struct Process {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Process {
    fn start(program: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg0("routeproof")
            .arg(REPLICA)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // A key that ends the gate at a terminal must not end a replica first.
        let mut child = command.process_group(0).spawn()?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        Ok(Self {
            to: to.expect("its input is a pipe"),
            from: BufReader::new(from.expect("its output is a pipe")),
            child,
        })
    }

    /// Says something and returns the reply; nothing where the process has ended.
    fn exchange(&mut self, call: &Call, wait: Duration) -> io::Result<Option<Reply>> {
        match say(&mut self.to, call) {
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => return Ok(None),
            said => said?,
        }
        let time = Timespec::try_from(wait).map_err(io::Error::other)?;
        loop {
            match poll(&mut [PollFd::new(self.from.get_ref(), PollFlags::IN)], Some(&time)) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(why) => return Err(why.into()),
            }
        }
        hear(&mut self.from)
    }

    /// Returns its exit status, if it has ended.
    fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends a process whose output has ended, and returns its end in words.
    fn end(&mut self) -> String {
        // One that is about to end by itself still ends as it was about to; one that only closed its output ends by this.
        let _ = self.child.kill();
        let status = self.child.wait();
        status.map_or_else(|why| why.to_string(), ended)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail where it has ended by itself, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended(how: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (how.code(), how.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => how.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use protocol::{Op, Step, Trace, World};

    use super::*;

    /// The fault of a fleet whose replicas are this script for the shell; nothing where there is none.
    fn fault(script: &str, steps: Vec<Step>) -> Option<AdapterFault> {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("replica");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let replicas = Replicas {
            program,
            wait: Duration::from_secs(2),
        };
        let mut fleet = replicas.over(&Store::Sqlite).unwrap();
        let run = Run {
            trace: Trace::of_fleet(1, steps),
            ..Run::default()
        };
        fleet.run(&[run]).err()
    }

    /// A replica that is connected, ends its start, and then does this.
    fn up_and_then(what: &str) -> String {
        format!("read open; echo '\"ready\"'; read start; echo '{{\"wants\":{{\"end\":\"done\"}}}}'; {what}")
    }

    #[test]
    fn a_process_that_goes_wrong_by_itself_is_a_fault_and_says_how() {
        use FaultKind::{Babbled, Exited, Hung, Mismatched};
        let poll = || vec![Step::Do(Op::Poll(0))];
        for (script, kind, said) in [
            ("exit 3".to_owned(), Exited, "ended by itself: exit code 3"),
            (up_and_then("read poll; exit 4"), Exited, "ended by itself: exit code 4"),
            (up_and_then("kill -9 $$"), Exited, "ended by itself: signal 9"),
            (
                up_and_then("read poll; echo nonsense; cat"),
                Babbled,
                "cannot be understood",
            ),
            (
                up_and_then("read poll; echo '\"ready\"'; cat"),
                Mismatched,
                "answers out of turn: Ready",
            ),
            (
                up_and_then("read poll; cat"),
                Hung,
                "did not answer within 2 s: raise `--wait`",
            ),
            (
                "read open; echo '{\"trouble\":\"no disk\"}'; cat".to_owned(),
                Exited,
                "failed by itself: no disk",
            ),
        ] {
            let fault = fault(&script, poll()).unwrap_or_else(|| panic!("{script}: no fault"));
            assert_eq!(fault.kind, kind, "{script}: {fault}");
            assert!(fault.message.contains(said), "{script}: {fault}");
        }
    }

    #[test]
    fn one_that_has_ended_before_it_is_to_crash_is_a_fault_and_one_that_is_killed_is_none() {
        let crash = || vec![Step::World(World::Crash(0))];
        assert_eq!(fault(&up_and_then("cat"), crash()), None);
        // Its output ends with it, so that the next question would notice; a crash asks none.
        let asked = up_and_then("exit 5");
        let steps = vec![Step::Do(Op::Poll(0)), Step::World(World::Crash(0))];
        let fault = fault(&asked, steps).expect("it ended by itself");
        assert!(fault.message.contains("exit code 5"), "{fault}");
    }

    #[test]
    fn a_store_that_processes_cannot_share_or_that_is_not_there_is_told() {
        let over = |store: Store| {
            let replicas = Replicas {
                program: "/nowhere/routeproof".into(),
                wait: Duration::from_secs(2),
            };
            replicas.over(&store)
        };
        let why = over(Store::Memory).err().expect("memory is of one process");
        assert!(why.contains("take another store"), "{why}");
        let why = over(Store::SqliteFile("/nowhere/rows".into()))
            .err()
            .expect("no such directory");
        assert!(why.contains("/nowhere/rows cannot be used"), "{why}");
        let run = Run {
            trace: Trace::of_fleet(1, Vec::new()),
            ..Run::default()
        };
        let fault = over(Store::Sqlite).unwrap().run(&[run]).unwrap_err();
        assert!(
            fault.message.contains("the process of a replica cannot be started"),
            "{fault}"
        );
    }
}
