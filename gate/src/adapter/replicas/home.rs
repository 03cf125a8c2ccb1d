//! A directory for the rows of one fleet, which goes with the gate: where the gate is killed outright, with the next one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::guard::HalfMade;

/// The beginning of the names of such directories.
const PREFIX: &str = "routeproof-fleet-";
/// The file that a gate holds for as long as it needs the directory.
const LOCK: &str = "lock";
/// The most entries that are looked at for leftovers.
const ENTRIES_MAX: usize = 10_000;

/// The number of the next directory of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Home {
    dir: HalfMade,
    _lock: File,
}

impl Home {
    /// Makes one in `parent`, and removes those of gates that are gone.
    ///
    /// # Errors
    ///
    /// An error of the file system.
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let dir = HalfMade::create(&parent.join(name))?;
        // It is held before it has its name, so that no other gate takes it for left behind.
        let unnamed = dir.path().join("held");
        let lock = File::create(&unnamed)?;
        lock.try_lock()?;
        fs::rename(&unnamed, dir.path().join(LOCK))?;
        Ok(Self { dir, _lock: lock })
    }

    /// The file of the rows.
    pub(super) fn rows(&self) -> PathBuf {
        self.dir.path().join("rows")
    }
}

/// Removes the directories that nobody holds.
fn sweep(parent: &Path) {
    let Ok(entries) = parent.read_dir() else { return };
    for entry in entries.take(ENTRIES_MAX).flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let lock = File::open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            // What cannot be removed now is tried again the next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_goes_with_its_owner_and_leftovers_of_the_dead_with_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join(format!("{PREFIX}1-0"));
        let mine = parent.path().join("mine");
        for dir in [&dead, &mine] {
            fs::create_dir(dir).unwrap();
            fs::write(dir.join(LOCK), "").unwrap();
        }
        let one = Home::make(parent.path()).unwrap();
        fs::write(one.rows(), "rows").unwrap();
        assert!(!dead.exists() && mine.exists());
        let other = Home::make(parent.path()).unwrap();
        assert!(one.rows().exists(), "its owner is alive");
        assert_ne!(one.rows(), other.rows());
        let rows = one.rows();
        drop(one);
        assert!(!rows.parent().unwrap().exists());
    }
}
