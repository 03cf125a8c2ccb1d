//! A stdout that nobody reads to its end: the verdict and the files are the same, and nothing is green that was not judged.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const FAULT: &str = "faulty:upsert-keeps-global-pattern";
/// A trial that finds [`FAULT`].
const RUN_FAULT: [&str; 8] = ["run", "--router", FAULT, "--rule", "current", "--seed", "7", "--traces"];

fn routeproof(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_routeproof"));
    command
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// Runs with a stdout that was closed before the first byte.
fn unread(dir: &Path, args: &[&str]) -> Output {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut command = routeproof(dir, args);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    child.wait_with_output().unwrap()
}

/// Runs as in front of `head -1`: one line is read, and the pipe is closed.
fn first_line(dir: &Path, args: &[&str]) -> (String, Option<i32>) {
    let mut command = routeproof(dir, args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (line, child.wait().unwrap().code())
}

#[track_caller]
fn ends(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_violation_stays_one_and_its_files_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let args = [&RUN_FAULT[..], &["30", "--report", "r.json"]].concat();
    ends(&unread(dir.path(), &args), 1);
    let report: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("r.json")).unwrap()).unwrap();
    assert!(!report["failures"].as_array().unwrap().is_empty());
    assert!(dir.path().join("out/current-1.toml").exists());

    ends(
        &unread(dir.path(), &["replay", "out/current-1.toml", "--router", FAULT]),
        1,
    );
    ends(&unread(dir.path(), &["replay", "out/current-1.toml"]), 0);

    fs::remove_dir_all(dir.path().join("out")).unwrap();
    let (line, code) = first_line(dir.path(), &args);
    assert!(line.starts_with("routeproof "), "{line}");
    assert_eq!(code, Some(1));
    assert!(dir.path().join("out/current-1.toml").exists());
}

#[test]
fn the_reference_conforms_once_it_was_judged() {
    let dir = tempfile::tempdir().unwrap();
    let line = "run --rule current --seed 1 --traces 160 --changes-min 20 --budget 20s --report r.json";
    let args: Vec<&str> = line.split_whitespace().collect();
    ends(&unread(dir.path(), &args), 0);
    let report: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(report["summary"]["verdict"], "conforms");
}

#[test]
fn an_exploration_keeps_its_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let founding = "explore --strategy litellm-1.85 --actions create,update,read,apply --admin";
    #[rustfmt::skip]
    let rows = [
        (founding, 1),
        ("explore --model poll2 --depth-max 4", 3),
        ("explore --model poll2", 0),
        ("explore --table --actions create,update,delete,read,apply", 1),
    ];
    for (line, code) in rows {
        let args: Vec<&str> = line.split_whitespace().collect();
        ends(&unread(dir.path(), &args), code);
    }
    assert!(dir.path().join("out/current.toml").exists());
}

#[test]
fn what_only_prints_fails_where_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["rules"][..],
        &["rules", "--format", "markdown"],
        &["explain", "current"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ] {
        let output = unread(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_hides_no_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let full = |args: &[&str]| {
        let device = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = routeproof(dir.path(), args);
        let child = command.stdout(device).stderr(Stdio::piped()).spawn().unwrap();
        child.wait_with_output().unwrap()
    };
    let violated = full(&[&RUN_FAULT[..], &["30"]].concat());
    ends(&violated, 1);
    let said = String::from_utf8_lossy(&violated.stderr).into_owned();
    assert!(said.contains("cannot write to stdout"), "{said}");
    ends(&full(&["replay", "out/current-1.toml"]), 2);
}
