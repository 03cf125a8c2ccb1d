//! Adapters that are missing, hang, babble or lie: each is told from the router behind it, within a bound, and leaves no
//! process behind. The misbehaving adapter is this program itself.

mod gate_process;
mod install;
mod misbehave;
mod talk;

use std::fs::File;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};

/// Before the kind and the lock file of an adapter that misbehaves.
const MISBEHAVE: &str = "--misbehave";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, kind, alive] = arguments.as_slice()
        && flag == MISBEHAVE
    {
        return misbehave::main(kind, Path::new(alive));
    }
    gate::keep_children_by(env!("CARGO_BIN_EXE_routeproof").into(), None);
    let mut trials = talk::trials();
    trials.extend(gate_process::trials());
    trials.extend(install::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// `test` under its name.
fn trial(name: impl Into<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// An adapter that misbehaves, before it is started.
struct Misbehaving {
    _dir: tempfile::TempDir,
    alive: PathBuf,
    kind: String,
}

impl Misbehaving {
    fn new(kind: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            alive: dir.path().join("alive"),
            _dir: dir,
            kind: kind.to_owned(),
        }
    }

    /// The text that names it.
    fn spec(&self) -> String {
        let program = std::env::current_exe().unwrap();
        let words = [
            program.to_str().unwrap(),
            MISBEHAVE,
            &self.kind,
            self.alive.to_str().unwrap(),
        ];
        format!("exec:{}", shlex::try_join(words).unwrap())
    }

    /// Runs `start` and waits until the adapter that it starts is up.
    fn up_after<T>(&self, start: impl FnOnce() -> T) -> T {
        let listener = UnixListener::bind(misbehave::socket(&self.alive)).unwrap();
        let started = start();
        let (up, wait) = sync_channel(1);
        std::thread::spawn(move || up.send(listener.accept().is_ok()));
        assert_eq!(
            wait.recv_timeout(Duration::from_mins(2)),
            Ok(true),
            "`{}` never came up",
            self.kind
        );
        started
    }

    /// Waits until every process that it was is gone; they hold shared locks.
    fn is_gone(&self) {
        // It opens the file before it does anything else, but a process that was killed early may never have got there.
        let Ok(file) = File::open(&self.alive) else { return };
        let (locked, wait) = sync_channel(1);
        std::thread::spawn(move || locked.send(file.lock()));
        let gone = wait.recv_timeout(Duration::from_secs(30));
        assert!(
            matches!(gone, Ok(Ok(()))),
            "adapter `{}` left a process behind",
            self.kind
        );
    }
}
