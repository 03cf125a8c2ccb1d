//! The keeper of an adapter: a process of this program between the gate and the adapter, by which all ends that the
//! adapter has started.
//!
//! It is the reaper of its descendants (`PR_SET_CHILD_SUBREAPER`): one that leaves its process group and session, or whose
//! parent ends, is its child in the end. It ends them when the adapter ends, when the gate asks for it (`SIGTERM`), and
//! when the gate is gone, by `SIGKILL` as well. Then it ends as the adapter did. The three streams are the adapter's own.
//!
//! Linux alone has this; `guard` starts adapters without a keeper elsewhere. What a keeper cannot end: an adapter that
//! kills its own keeper by `SIGKILL` leaves behind what has left its process group.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process, pidfd_open,
    pidfd_send_signal, set_child_subreaper, setrlimit, wait, waitpid,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::output::progress;

/// The first argument by which this program becomes a keeper.
pub const KEEP: &str = "keep-adapter";

/// The most rounds of killing: each reaches the children of those that the one before killed.
const ROUNDS_MAX: usize = 1_000;

/// The program that keeps adapters, and the directories in which it looks for theirs.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    program: PathBuf,
    path: Option<OsString>,
}

impl Keeper {
    /// The keeper that is `program`, if this system can have one.
    pub(crate) fn new(program: PathBuf, path: Option<OsString>) -> Option<Self> {
        pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
        program.exists().then_some(Self { program, path })
    }

    /// The command that starts a keeper, which in turn starts `command`.
    ///
    /// # Errors
    ///
    /// There is no such program, or it may not be executed: a keeper could only say so in words.
    pub(crate) fn of(&self, command: &Command) -> io::Result<Command> {
        self.check_program(command)?;
        let mut keeper = Command::new(&self.program);
        keeper.arg0("routeproof").arg(KEEP).arg(getpid().to_string());
        keeper.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => keeper.env(key, value),
                None => keeper.env_remove(key),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            keeper.current_dir(dir);
        }
        Ok(keeper)
    }

    /// Looks for the program of a command as the system will.
    fn check_program(&self, command: &Command) -> io::Result<()> {
        let program = Path::new(command.get_program());
        let dir = command.get_current_dir().unwrap_or(Path::new(""));
        if program.components().count() > 1 {
            return executable(&dir.join(program));
        }
        let mut path = command.get_envs().filter(|(key, _)| *key == "PATH");
        let path = path.next().map_or(self.path.as_deref(), |(_, value)| value);
        let mut trouble = io::ErrorKind::NotFound.into();
        for place in std::env::split_paths(path.unwrap_or_default()) {
            match executable(&dir.join(place).join(program)) {
                Ok(()) => return Ok(()),
                Err(why) if why.kind() == io::ErrorKind::PermissionDenied => trouble = why,
                Err(_) => {}
            }
        }
        Err(trouble)
    }
}

fn executable(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_dir() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(access(path, Access::EXEC_OK)?)
}

/// Keeps the adapter whose command line the words are, behind the number of the process that it is kept for, and ends as
/// it did.
pub fn keep(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let gate = words
        .next()
        .and_then(|word| Pid::from_raw(word.to_str()?.parse().ok()?));
    let (Some(gate), Some(program)) = (gate, words.next()) else {
        progress(&format!(
            "`{KEEP}` is for Routeproof itself; `routeproof --help` lists what is there for you"
        ));
        return ExitCode::from(2);
    };
    match kept(gate, &program, words) {
        Ok(status) => end_like(status),
        Err(why) => {
            progress(&format!("cannot run `{}`: {why}", program.display()));
            ExitCode::from(127)
        }
    }
}

fn kept(gate: Pid, program: &OsStr, args: impl Iterator<Item = OsString>) -> io::Result<WaitStatus> {
    set_child_subreaper(Some(getpid()))?;
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let gate_is_up = pidfd_open(gate, PidfdFlags::empty())?;
    // Where the gate is gone already, its number may be that of another process.
    if getppid() != Some(gate) {
        return Err(io::Error::other("the gate has ended"));
    }
    let child = Command::new(program).args(args).spawn()?;
    let leader = Pid::from_child(&child);
    // The child is reaped below and nowhere else, so that this is the right one.
    let adapter = Arc::new(pidfd_open(leader, PidfdFlags::empty())?);
    // A stream ends for the gate when the adapter closes it, and for the adapter when the gate does.
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let_go(&null)?;
    let ending = Arc::clone(&adapter);
    std::thread::spawn(move || {
        for _ in signals.forever() {
            end(&ending);
        }
    });
    std::thread::spawn(move || {
        while poll(&mut [PollFd::new(&gate_is_up, PollFlags::IN)], None) == Err(Errno::INTR) {}
        end(&adapter);
    });
    let status = reap_until_end_of(leader)?;
    end_all();
    Ok(status)
}

fn let_go(null: &File) -> io::Result<()> {
    dup2_stdin(null)?;
    dup2_stdout(null)?;
    dup2_stderr(null)?;
    Ok(())
}

fn end(adapter: &OwnedFd) {
    // It fails where the adapter has ended by itself, which is what is wanted.
    let _ = pidfd_send_signal(adapter, Signal::KILL);
}

fn reap_until_end_of(leader: Pid) -> io::Result<WaitStatus> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == leader => return Ok(status),
            Ok(_) | Err(Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
}

/// Kills and reaps every child, and whatever becomes one thereby.
fn end_all() {
    for _ in 0..ROUNDS_MAX {
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in &children {
            // Only this thread reaps, so that the number is still the child's.
            let _ = kill_process(*child, Signal::KILL);
        }
        for child in children {
            while matches!(waitpid(Some(child), WaitOptions::empty()), Err(Errno::INTR)) {}
        }
    }
}

/// The processes whose parent is this one.
fn children() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let child = |name: &OsStr| {
        let pid = Pid::from_raw(name.to_str()?.parse().ok()?)?;
        let stat = fs::read_to_string(Path::new("/proc").join(name).join("stat")).ok()?;
        // The name of the program stands in parentheses and may hold any character; state and parent follow.
        let (_, behind) = stat.rsplit_once(')')?;
        let parent: i32 = behind.split_whitespace().nth(1)?.parse().ok()?;
        (Pid::from_raw(parent) == Some(getpid())).then_some(pid)
    };
    entries
        .flatten()
        .filter_map(|entry| child(&entry.file_name()))
        .collect()
}

/// Ends this process as the one of that status ended.
fn end_like(status: WaitStatus) -> ExitCode {
    if let Some(signal) = status.terminating_signal() {
        // The adapter has left its core already, where it leaves one.
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
        let _ = emulate_default_handler(signal);
    }
    let code = status.exit_status().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}
