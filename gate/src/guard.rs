//! Cleanup on drop and on signals: child process groups, and half-made directories.
//!
//! Owns the only global state of the gate, a list of both, because a signal comes to the process as a whole. Everything
//! on the list is removed by its owner in the ordinary way; a signal that ends the process removes all of it first. When
//! this process is killed outright (`SIGKILL`), a child that has a keeper is ended by it; one without sees its stdin end.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::keeper::Keeper;

/// The most attempts to remove a directory while a dying process is still writing into it.
const REMOVALS_MAX: usize = 20;
/// The time that a killed process may take to die.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// The time that a command which is to finish by itself may take after a signal.
const FINISH_WAIT: Duration = Duration::from_secs(20);

/// True while a command finishes by itself once a signal has come.
static FINISHES: AtomicBool = AtomicBool::new(false);
/// The signal that has come meanwhile; 0 for none.
static STOPPED_BY: AtomicI32 = AtomicI32::new(0);

/// The program by which children are kept; none where nobody has named it.
static KEEPER: OnceLock<Keeper> = OnceLock::new();

static KEPT: Mutex<Cleanup> = Mutex::new(Cleanup {
    groups: BTreeSet::new(),
    dirs: BTreeSet::new(),
});

struct Cleanup {
    groups: BTreeSet<i32>,
    dirs: BTreeSet<PathBuf>,
}

fn kept() -> MutexGuard<'static, Cleanup> {
    // A list is whole after every single insert and remove, also where a panic came between two of them.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets every child be kept by `program`, which is Routeproof and is started with the words of a keeper, so that whatever a
/// child has started ends with it. `path` is where the programs of children are looked for. The first call counts.
pub fn keep_children_by(program: PathBuf, path: Option<OsString>) {
    if let Some(keeper) = Keeper::new(program, path) {
        KEEPER.get_or_init(|| keeper);
    }
}

/// Makes `SIGINT`, `SIGTERM` and `SIGHUP` first end every child and remove every half-made directory, and then this process
/// in the usual way. One that this process was started to ignore, as by `nohup`, stays ignored. A command for which
/// `finish_on_signal` was called is given time to end by itself, without children.
///
/// # Errors
///
/// An error of installing the handlers.
pub fn clean_up_on_signals() -> io::Result<()> {
    let ignored = ignored_signals();
    let heeded = [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| ignored & (1 << (signal - 1)) == 0);
    let mut signals = Signals::new(heeded)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let first = STOPPED_BY.swap(signal, Ordering::SeqCst) == 0;
            if !(first && FINISHES.load(Ordering::SeqCst)) {
                end_by(signal);
            }
            // Whoever waits for a child's reply learns that it has ended.
            kept().groups.iter().copied().for_each(ask_to_end);
            std::thread::spawn(move || {
                let (_kept, never) = sync_channel::<()>(0);
                let _ = never.recv_timeout(FINISH_WAIT);
                end_by(signal);
            });
        }
    })?;
    Ok(())
}

/// The signals that this process ignores, a bit for each; none where the system does not tell.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Ends every child, removes every half-made directory, and ends this process as that signal would.
pub fn end_by(signal: i32) -> ! {
    // The lock is held until the process has ended, so that nothing new is begun behind its back.
    let kept = kept();
    end_groups(&kept.groups);
    for dir in &kept.dirs {
        remove(dir);
    }
    // On failure there is nothing left to do but to end all the same.
    let _ = emulate_default_handler(signal);
    std::process::abort()
}

/// Lets the command under way end by itself when a signal comes, as long as the value lives: all its children are killed,
/// no further one is started, and [`stopped`] says so.
#[must_use = "a signal ends the process at once where this is dropped"]
#[derive(Debug)]
pub(crate) struct Finishing {
    /// True if a command around this one finishes by itself too.
    before: bool,
}

/// See [`Finishing`].
pub(crate) fn finish_on_signal() -> Finishing {
    Finishing {
        before: FINISHES.swap(true, Ordering::SeqCst),
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        FINISHES.store(self.before, Ordering::SeqCst);
    }
}

/// The signal that stops the command under way, if one has come.
pub fn stopped() -> Option<i32> {
    Some(STOPPED_BY.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
}

/// Ends the groups, and waits until they have ended, so that nothing is written to a directory that is to go.
fn end_groups(groups: &BTreeSet<i32>) {
    let (end, ended) = sync_channel(groups.len());
    for &leader in groups {
        ask_to_end(leader);
        let end = end.clone();
        std::thread::spawn(move || end.send(see_end(leader)));
    }
    let in_time = groups.iter().all(|_| ended.recv_timeout(KILL_WAIT).is_ok());
    if !in_time {
        groups.iter().copied().for_each(kill);
    }
}

/// Lets the keeper that leads a group end all that it keeps; kills the group where there are no keepers.
fn ask_to_end(group: i32) {
    match (KEEPER.get(), Pid::from_raw(group)) {
        // It fails where the keeper has ended by itself, which is what is wanted.
        (Some(_), Some(keeper)) => drop(kill_process(keeper, Signal::TERM)),
        _ => kill(group),
    }
}

fn kill(group: i32) {
    if let Some(group) = Pid::from_raw(group) {
        // It fails where the group has ended by itself, which is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn remove(dir: &Path) {
    for _ in 0..REMOVALS_MAX {
        match fs::remove_dir_all(dir) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {}
            _ => return,
        }
    }
}

/// A child that leads a process group of its own, or a keeper that does. All of the group is killed when this is dropped,
/// and with a keeper all that the child has started.
///
/// INVARIANT: the child is reaped after the group was killed and taken off the list, never before: until then nothing
/// else can have the group's number.
#[derive(Debug)]
#[must_use = "the group is killed when this is dropped"]
pub(crate) struct Group {
    child: Child,
    ended: Receiver<Ended>,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Ended with this exit code.
    Code(i32),
    /// Ended by this signal.
    Signal(i32),
    /// Ended in a way that the system did not tell.
    Unknown,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("exit code unknown"),
        }
    }
}

impl Group {
    /// Starts `command` in a new process group, its input `stdin` and its other streams as pipes, and calls `on_end` when it
    /// ends, from another thread.
    ///
    /// # Errors
    ///
    /// An error of starting a process.
    pub(crate) fn spawn(
        mut command: Command,
        stdin: Stdio,
        on_end: impl FnOnce(Ended) + Send + 'static,
    ) -> io::Result<Self> {
        if let Some(keeper) = KEEPER.get() {
            command = keeper.of(&command)?;
        }
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A signal waits for the lock: a child is either not yet started, or already on the list.
        let mut kept = kept();
        if stopped().is_some() {
            return Err(io::Error::new(
                io::ErrorKind::Interrupted,
                "a signal has stopped this run",
            ));
        }
        let child = command.process_group(0).spawn()?;
        kept.groups.insert(number(&child));
        drop(kept);
        let leader = number(&child);
        let (end, ended) = sync_channel(1);
        std::thread::spawn(move || {
            let how = see_end(leader);
            // The owner may be gone, and then it no longer matters.
            let _ = end.send(how);
            on_end(how);
        });
        Ok(Self { child, ended })
    }

    /// The child, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the leader to end by itself; tells once how.
    pub(crate) fn ends_within(&self, wait: Duration) -> Option<Ended> {
        self.ended.recv_timeout(wait).ok()
    }

    /// Ends every process of the group at once, whatever it is doing.
    pub(crate) fn end(&self) {
        ask_to_end(number(&self.child));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
        // A process in an uninterruptible wait dies when the kernel lets it; this one does not wait for it for ever.
        let is_over = !matches!(self.ended.recv_timeout(KILL_WAIT), Err(RecvTimeoutError::Timeout));
        // What is left where a keeper could not do its work, or was killed itself.
        kill(number(&self.child));
        kept().groups.remove(&number(&self.child));
        if is_over {
            let _ = self.child.wait();
        }
    }
}

fn number(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a process id is a positive `pid_t`")
}

/// Blocks until the process has ended, and leaves it to be reaped.
fn see_end(leader: i32) -> Ended {
    let Some(leader) = Pid::from_raw(leader) else {
        return Ended::Unknown;
    };
    loop {
        match waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(Errno::INTR) => {}
            Ok(Some(status)) => {
                let code = status.exit_status().map(Ended::Code);
                return code
                    .or(status.terminating_signal().map(Ended::Signal))
                    .unwrap_or(Ended::Unknown);
            }
            Ok(None) | Err(_) => return Ended::Unknown,
        }
    }
}

/// A directory that is being filled, removed when this is dropped unless [`HalfMade::keep_as`] was called.
#[derive(Debug)]
pub(crate) struct HalfMade {
    path: PathBuf,
}

impl HalfMade {
    /// Creates the directory; what stood there before is gone.
    ///
    /// # Errors
    ///
    /// An error of removing or creating directories.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        kept().dirs.insert(path.to_owned());
        let half_made = Self { path: path.to_owned() };
        match fs::remove_dir_all(path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        fs::create_dir(path)?;
        Ok(half_made)
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the complete directory to `path` in one step. What stood there is gone.
    ///
    /// # Errors
    ///
    /// An error of removing or renaming directories.
    pub(crate) fn keep_as(self, path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        fs::rename(&self.path, path)
    }
}

impl Drop for HalfMade {
    fn drop(&mut self) {
        remove(&self.path);
        kept().dirs.remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_made_directory_goes_and_a_kept_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (half, whole) = (dir.path().join("half"), dir.path().join("whole"));
        let made = HalfMade::create(&half).unwrap();
        fs::write(made.path().join("file"), "text").unwrap();
        drop(made);
        assert!(!half.exists());

        fs::create_dir(&whole).unwrap();
        fs::write(whole.join("old"), "text").unwrap();
        let made = HalfMade::create(&half).unwrap();
        fs::write(made.path().join("new"), "text").unwrap();
        made.keep_as(&whole).unwrap();
        assert!(!half.exists() && !whole.join("old").exists() && whole.join("new").exists());
    }
}
