//! The tests of causes, run on one release.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde::Deserialize;

use crate::adapter::process::Launch;
use crate::adapter::tail::KeptTail;
use crate::clock::Clock;
use crate::document::TestResult;
use crate::guard::Group;

/// The program that runs the tests, each in a process that is forked from one which has imported the router.
const RUNNER: &str = include_str!("runner.py");

/// The most that is read of what the tests say.
const SAID_BYTES_MAX: u64 = 4 << 20;

/// The runner's word on one test.
#[derive(Deserialize)]
struct Said {
    file: PathBuf,
    result: TestResult,
    line: String,
}

/// Runs each test, and returns its result with a line on it, in the order of the files. One to which it does not come in time
/// is broken.
pub(super) fn attempt(launch: &Launch, files: &[PathBuf], time_max: Duration) -> Vec<(TestResult, String)> {
    let paths: Vec<PathBuf> = files.iter().map(|file| absolute(file)).collect();
    let said = run(launch, &paths, time_max);
    let result = |path: &PathBuf| {
        let of_file = said.iter().find(|said| said.file == *path);
        of_file.map_or_else(
            || {
                (
                    TestResult::Broken,
                    format!("it had not ended after {} s", time_max.as_secs()),
                )
            },
            |said| (said.result, said.line.lines().next().unwrap_or_default().to_owned()),
        )
    };
    paths.iter().map(result).collect()
}

fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

fn run(launch: &Launch, paths: &[PathBuf], time_max: Duration) -> Vec<Said> {
    let mut command = Command::new(&launch.program);
    command.args(["-s", "-c", RUNNER]).args(paths);
    // A checkout of the router in the current directory would be imported in its place.
    if let Some(dir) = &launch.dir {
        command.current_dir(dir);
    }
    let Ok(mut group) = Group::spawn(command, Stdio::null(), |_| ()) else {
        return Vec::new();
    };
    let (Some(stdout), Some(stderr)) = (group.child().stdout.take(), group.child().stderr.take()) else {
        unreachable!("both streams are pipes");
    };
    // What the router logs is read to the end, so that it never waits for a reader.
    let _log = KeptTail::of(vec![Box::new(stderr)]);
    let (say, lines) = sync_channel(paths.len());
    std::thread::spawn(move || {
        let lines = BufReader::new(stdout.take(SAID_BYTES_MAX)).lines();
        for line in lines.map_while(Result::ok) {
            if say.send(line).is_err() {
                return;
            }
        }
    });
    until(&lines, time_max)
}

/// Returns the lines that were said until the speaker ended, or time was up.
fn until(lines: &Receiver<String>, time_max: Duration) -> Vec<Said> {
    let clock = Clock::start();
    let mut said = Vec::new();
    loop {
        match lines.recv_timeout(time_max.saturating_sub(clock.elapsed())) {
            Ok(line) => said.extend(serde_json::from_str::<Said>(&line)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return said,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Stands in for the interpreter of a release: a shell script that is given the files of the tests. Made in that directory.
    pub(in crate::reproduce) fn python(dir: &Path, script: &str) -> Launch {
        fs::create_dir_all(dir).unwrap();
        let program = dir.join("python");
        fs::write(&program, format!("#!/bin/sh\nshift 3\n{script}")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Launch {
            name: "tests".to_owned(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: Some(dir.to_owned()),
        }
    }

    #[test]
    fn each_test_has_its_result_and_one_that_does_not_end_is_broken() {
        let dir = tempfile::tempdir().unwrap();
        let script = "printf '{\"file\":\"%s\",\"result\":\"fails\",\"line\":\"one\\\\ntwo\"}\\n' \"$1\"\n\
             printf '{\"file\":\"%s\",\"result\":\"passes\",\"line\":\"\"}\\n' \"$2\"\nsleep 600\n";
        let launch = python(dir.path(), script);
        let files = ["one.py", "two.py", "three.py"].map(|name| dir.path().join(name));
        let results = attempt(&launch, &files, Duration::from_secs(1));
        let [one, two, three] = &results[..] else {
            panic!("{results:?}")
        };
        assert_eq!(*one, (TestResult::Fails, "one".to_owned()));
        assert_eq!(*two, (TestResult::Passes, String::new()));
        assert_eq!(three.0, TestResult::Broken);
        assert!(three.1.contains("had not ended after 1 s"), "{three:?}");
    }
}
