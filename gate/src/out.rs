//! The directory that the files of a run are written to: held by one process at a time, and rid of what an earlier run of
//! this program has left there.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use model::RuleId;
use serde_json::Value;

use crate::error::Error;
use crate::files::read_text;
use crate::foreign;
use crate::report::{LAST, REPORT_BYTES_MAX};

/// The names of files that belong to no rule, without their numbers.
pub(crate) const CAUSE: &str = "cause";
/// See [`CAUSE`].
pub(crate) const ADAPTER_FAULT: &str = "adapter-fault";

/// A directory that is held until this is dropped. One that was made for it goes again where nothing was written there.
#[derive(Debug)]
#[must_use = "another run may write there where this is dropped"]
pub(crate) struct Held {
    made: Option<PathBuf>,
    _lock: Option<File>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(dir) = &self.made {
            // It fails where there is something in it, which then stays.
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Makes the directory if it is not there, and holds it.
///
/// # Errors
///
/// A usage error: another process holds it, or it cannot be made.
pub(crate) fn hold(dir: &Path) -> Result<Held, Error> {
    let usage = |why: String| Error::Usage(format!("{}: {why}", foreign::path(dir)));
    let made = (!dir.exists()).then(|| dir.to_owned());
    fs::create_dir_all(dir).map_err(|why| usage(why.to_string()))?;
    let lock = File::open(dir).map_err(|why| usage(why.to_string()))?;
    match lock.try_lock() {
        Ok(()) => Ok(Held {
            made,
            _lock: Some(lock),
        }),
        Err(TryLockError::WouldBlock) => Err(usage(
            "another routeproof is writing here; wait for its end, or name another directory with `--out`".to_owned(),
        )),
        // Not every file system can lock a directory, and then nobody can hold one.
        Err(TryLockError::Error(_)) => Ok(Held { made, _lock: None }),
    }
}

/// Removes the files of failures and causes that the report of an earlier run lists, and then that report: it would speak of
/// files that are gone. A file that no report lists, or whose name is not one that a run gives, stays.
///
/// # Errors
///
/// A usage error: one of them cannot be removed.
pub(crate) fn remove_earlier(dir: &Path) -> Result<(), Error> {
    let report = dir.join(LAST);
    let Some(names) = read_text(&report, REPORT_BYTES_MAX).ok().and_then(|text| listed(&text)) else {
        return Ok(());
    };
    let files = names.into_iter().map(|name| dir.join(name));
    for file in files.chain([report]).filter(|file| file.is_file()) {
        fs::remove_file(&file).map_err(|why| {
            let file = foreign::path(&file);
            Error::Usage(format!(
                "{file}: this is left of an earlier run and cannot be removed ({why}); name another directory with `--out`"
            ))
        })?;
    }
    Ok(())
}

/// The names of the files that the report of a run lists, whatever version of this program wrote it.
fn listed(report: &str) -> Option<Vec<String>> {
    let report: Value = serde_json::from_str(report).ok()?;
    if report["command"] != "run" {
        return None;
    }
    let entries = ["failures", "causes"]
        .into_iter()
        .filter_map(|list| report[list].as_array());
    let entries = entries.flatten().chain([&report["suspect"]]);
    let files = entries.filter_map(|entry| entry["files"].as_array()).flatten();
    let names = files.filter_map(|file| Path::new(file.as_str()?).file_name()?.to_str());
    Some(names.filter(|name| is_of_a_run(name)).map(str::to_owned).collect())
}

/// Returns true for a name that a run gives to a file: the report may have been written by anybody.
fn is_of_a_run(name: &str) -> bool {
    let Some((stem, ending)) = name.split_once('.') else {
        return false;
    };
    // A module of Python has no `-` in its name.
    let stem = stem
        .strip_prefix("test_")
        .map_or_else(|| stem.to_owned(), |test| test.replace('_', "-"));
    let Some((what, number)) = stem.rsplit_once('-') else {
        return false;
    };
    let known = [CAUSE, ADAPTER_FAULT].contains(&what) || RuleId::ALL.iter().any(|rule| rule.name() == what);
    known && number.parse::<u32>().is_ok() && ["toml", "itf.json", "py", "sh"].contains(&ending)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_directory_is_held_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let held = hold(&out).unwrap();
        let refused = hold(&out).unwrap_err().to_string();
        assert!(refused.contains("another routeproof is writing here"), "{refused}");
        drop(held);
        assert!(!out.exists(), "it was made for nothing");
        let held = hold(&out).unwrap();
        fs::write(out.join("file"), "text").unwrap();
        drop(held);
        assert!(out.join("file").exists());
    }

    #[test]
    fn what_an_earlier_run_lists_goes_and_all_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path();
        let write = |name: &str| fs::write(out.join(name), "text").unwrap();
        let gone = [
            "current-1.toml",
            "current-1.itf.json",
            "no-duplicate-12.py",
            "cause-1.toml",
            "adapter-fault-1.toml",
            "test_cause_1.py",
        ];
        let kept = [
            "current-2.toml",
            "Cargo.toml",
            "current-x.toml",
            "mine-1.toml",
            "current-1.rs",
        ];
        for name in gone.iter().chain(&kept) {
            write(name);
        }
        let listed = |names: &[&str]| -> Vec<String> { names.iter().map(|name| format!("out/{name}")).collect() };
        let report = json!({
            "command": "run",
            "failures": [{"files": listed(&gone[..2])}, {"files": listed(&gone[2..3])}, {"files": listed(&kept[1..])}],
            "causes": [{"files": listed(&gone[3..4])}],
            "suspect": {"files": listed(&gone[4..])},
        });
        fs::write(out.join(LAST), report.to_string()).unwrap();
        remove_earlier(out).unwrap();
        for name in gone.iter().chain(&[LAST]) {
            assert!(!out.join(name).exists(), "{name} is left");
        }
        for name in kept {
            assert!(out.join(name).exists(), "{name} is gone");
        }
    }

    #[test]
    fn a_report_of_something_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["no report", "{}", "{\"command\": \"replay\", \"failures\": []}", "[1]"] {
            fs::write(dir.path().join(LAST), text).unwrap();
            remove_earlier(dir.path()).unwrap();
            assert!(dir.path().join(LAST).exists(), "{text}");
        }
    }
}
