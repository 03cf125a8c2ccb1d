//! The cache directory: things that are made once, by one process at a time, and are either whole or not there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use protocol::{AdapterFault, FaultKind};

use crate::guard::HalfMade;

/// The time that another process may take to make what this one waits for.
const LOCK_WAIT: Duration = Duration::from_mins(30);
/// The most leftovers that are looked for in one go.
const SWEEP_ENTRIES_MAX: usize = 1_000;

const HALF_MADE: &str = ".half-made";
const LOCK: &str = ".lock";

/// The cache directory.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the cache in `root`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// A fault that says what is wrong with the directory.
    pub fn open(root: &Path) -> Result<Self, AdapterFault> {
        std::fs::create_dir_all(root).map_err(|why| fault("make the cache directory", root, &why))?;
        // Installers run in another directory, so that a relative path would mislead them.
        let root = root
            .canonicalize()
            .map_err(|why| fault("open the cache directory", root, &why))?;
        Ok(Self { root })
    }

    /// Returns the directory of the cache.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the directory `name`, made by `make` unless it is there and `ready`. `waiting` is called before a wait
    /// for another process. Leftovers of processes that died are removed.
    ///
    /// # Errors
    ///
    /// An error of `make` or of the directory. Nothing is left half-made.
    pub fn once(
        &self,
        name: &str,
        ready: &dyn Fn(&Path) -> bool,
        waiting: &dyn Fn(),
        make: &dyn Fn(&Path) -> Result<(), AdapterFault>,
    ) -> Result<PathBuf, AdapterFault> {
        let dir = self.root.join(name);
        if ready(&dir) {
            return Ok(dir);
        }
        let _lock = self.lock(name, waiting)?;
        self.sweep();
        // Another process may have made it while this one waited for the lock.
        if ready(&dir) {
            return Ok(dir);
        }
        let half_made = self.root.join(format!("{name}{HALF_MADE}"));
        let half_made = HalfMade::create(&half_made).map_err(|why| fault("make", &half_made, &why))?;
        make(half_made.path())?;
        half_made.keep_as(&dir).map_err(|why| fault("keep", &dir, &why))?;
        Ok(dir)
    }

    fn lock(&self, name: &str, waiting: &dyn Fn()) -> Result<File, AdapterFault> {
        let path = self.root.join(format!("{name}{LOCK}"));
        let cannot = |why: &io::Error| fault("lock", &path, why);
        let file = lock_file(&path).map_err(|why| cannot(&why))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(why)) => return Err(cannot(&why)),
            Err(TryLockError::WouldBlock) => waiting(),
        }
        let (locked, wait) = sync_channel(1);
        std::thread::spawn(move || {
            // Nobody waits any longer if the time is up; the lock then goes with the file.
            let _ = locked.send(file.lock().map(|()| file));
        });
        match wait.recv_timeout(LOCK_WAIT) {
            Ok(Ok(file)) => Ok(file),
            Ok(Err(why)) => Err(cannot(&why)),
            Err(_) => {
                let message = format!(
                    "another process has held `{}` for {} minutes; end it, or name another directory with `--cache-dir`",
                    path.display(),
                    LOCK_WAIT.as_secs() / 60
                );
                Err(AdapterFault::new(FaultKind::Hung, message))
            }
        }
    }

    /// Removes what processes that died have left half-made. A process that is alive holds the lock of what it makes.
    fn sweep(&self) {
        let Ok(entries) = self.root.read_dir() else { return };
        for entry in entries.take(SWEEP_ENTRIES_MAX).flatten() {
            let file_name = entry.file_name();
            let Some(name) = file_name.to_str().and_then(|name| name.strip_suffix(HALF_MADE)) else {
                continue;
            };
            let Ok(lock) = lock_file(&self.root.join(format!("{name}{LOCK}"))) else {
                continue;
            };
            if lock.try_lock().is_ok() {
                // A leftover that cannot be removed now is tried again the next time.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

/// A fault of the cache directory, with what to do about it.
pub(crate) fn fault(doing: &str, path: &Path, why: &io::Error) -> AdapterFault {
    use io::ErrorKind::{
        FileTooLarge, NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let advice = match why.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            "the disk is full: make room, or name another directory with `--cache-dir`"
        }
        PermissionDenied | ReadOnlyFilesystem => "it cannot be written to: name another directory with `--cache-dir`",
        NotADirectory => "a file stands where a directory must be: name another one with `--cache-dir`",
        _ => "name another directory with `--cache-dir`",
    };
    let message = format!("cannot {doing} `{}` ({why}): {advice}", path.display());
    AdapterFault::new(FaultKind::Missing, message)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn is_whole(dir: &Path) -> bool {
        dir.join("whole").exists()
    }

    fn make(dir: &Path) -> Result<(), AdapterFault> {
        std::fs::write(dir.join("whole"), "").map_err(|why| fault("write", dir, &why))
    }

    #[test]
    fn a_thing_is_made_once_and_mended_when_it_is_broken() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(&root.path().join("a/b")).unwrap();
        let made = Cell::new(0);
        let counted = |dir: &Path| {
            made.set(made.get() + 1);
            make(dir)
        };
        let once = || cache.once("thing", &is_whole, &|| (), &counted).unwrap();
        assert_eq!(once(), once());
        assert_eq!(made.get(), 1);
        std::fs::remove_file(once().join("whole")).unwrap();
        assert!(is_whole(&once()));
        assert_eq!(made.get(), 2);
    }

    #[test]
    fn a_failure_leaves_nothing_half_made() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let fails = |dir: &Path| {
            make(dir)?;
            Err(AdapterFault::new(FaultKind::Missing, "no"))
        };
        assert_eq!(
            cache.once("thing", &is_whole, &|| (), &fails).unwrap_err().message,
            "no"
        );
        let left: Vec<_> = root
            .path()
            .read_dir()
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(left, ["thing.lock"]);
    }

    #[test]
    fn leftovers_of_the_dead_go_and_those_of_the_living_stay() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let (dead, alive) = (root.path().join("dead.half-made"), root.path().join("alive.half-made"));
        std::fs::create_dir(&dead).unwrap();
        std::fs::create_dir(&alive).unwrap();
        let held = cache.lock("alive", &|| ()).unwrap();
        cache.once("thing", &is_whole, &|| (), &make).unwrap();
        assert!(!dead.exists() && alive.exists());
        drop(held);
    }

    #[test]
    fn the_second_waits_for_the_first_and_makes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let held = cache.lock("thing", &|| ()).unwrap();
        let held = Cell::new(Some(held));
        let first_is_done = || {
            std::fs::create_dir(root.path().join("thing")).unwrap();
            make(&root.path().join("thing")).unwrap();
            held.set(None);
        };
        let never = |_: &Path| panic!("made twice");
        cache.once("thing", &is_whole, &first_is_done, &never).unwrap();
    }

    #[test]
    fn a_cache_that_is_no_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Cache::open(&file.path().join("cache")).unwrap_err();
        assert!(
            error.message.contains("a file stands where a directory must be"),
            "{error}"
        );
    }
}
