//! The adapters that the book shows: they conform as they stand, and what is broken in them is found.

use std::fs;
use std::path::Path;
use std::process::Command;

use model::{Oracle, RULES};
use protocol::Level;
use serde_json::Value;
use tempfile::TempDir;

const ADAPTER: &str = "../docs/src/my_adapter.py";
const FLEET: &str = "../docs/src/my_fleet.py";
/// The line that forgets a row, and the line in its place where the adapter is broken.
const DELETES: &str = "self.rows.pop(row_id, None)";
const KEEPS: &str = "pass";

/// The exit code and the JSON report of a short run; nothing where there is no Python.
fn put_on_trial(adapter: &str) -> Option<(i32, Value)> {
    tried(adapter, "", &["--traces", "50", "--changes-min", "300"])
}

/// The exit code and the JSON report of a run of an adapter that is started with that word.
fn tried(adapter: &str, word: &str, more: &[&str]) -> Option<(i32, Value)> {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("not run: there is no python3");
        return None;
    }
    let dir = TempDir::new().unwrap();
    let script = dir.path().join("my_adapter.py");
    fs::write(&script, adapter).unwrap();
    let report = dir.path().join("report.json");
    let script = shlex::try_quote(script.to_str().unwrap()).unwrap().into_owned();
    // The number of traces ends the run; the budget only bounds it on a machine that is busy.
    let ran = Command::new(env!("CARGO_BIN_EXE_routeproof"))
        .args([
            "run",
            "--router",
            &format!("exec:python3 {script} {word}"),
            "--seed",
            "1",
        ])
        .args(["--budget", "5m"])
        .args(more)
        .args([Path::new("--report"), &report, Path::new("--out"), dir.path()])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    let code = ran
        .status
        .code()
        .unwrap_or_else(|| panic!("ended by a signal: {stderr}"));
    let text = fs::read_to_string(&report).unwrap_or_else(|why| panic!("exit {code}, no report ({why}): {stderr}"));
    Some((code, serde_json::from_str(&text).unwrap()))
}

fn shown() -> String {
    read(ADAPTER)
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn status<'a>(report: &'a Value, rule: &str) -> &'a str {
    let rules = report["rules"].as_array().unwrap();
    let ruling = rules.iter().find(|ruling| ruling["rule"] == rule).unwrap();
    ruling["status"].as_str().unwrap()
}

#[test]
fn the_adapter_of_the_book_conforms() {
    let Some((code, report)) = put_on_trial(&shown()) else {
        return;
    };
    assert_eq!(code, 0, "{report:#}");
    for rule in RULES.iter().filter(|rule| rule.is_of(Level::Router)) {
        let status = status(&report, rule.id.name());
        assert!(["pass", "skip"].contains(&status), "{}: {status}", rule.id);
        // What needs no capability beyond changes and lookups is judged, and not skipped.
        if rule.oracle != Oracle::Spec && rule.needs.is_empty() {
            assert_eq!(status, "pass", "{}", rule.id);
        }
    }
    assert_eq!(status(&report, "complete"), "pass");
    assert_eq!(status(&report, "resolved"), "pass");
}

#[test]
fn a_delete_that_does_nothing_is_found() {
    let broken = shown().replacen(DELETES, KEEPS, 1);
    assert_ne!(broken, shown(), "the adapter deletes in other words than `{DELETES}`");
    let Some((code, report)) = put_on_trial(&broken) else {
        return;
    };
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(status(&report, "current"), "fail");
    let failures = report["failures"].as_array().unwrap();
    let ghost = failures
        .iter()
        .find(|one| one["rule"] == "current" && one["class"] == "ghost");
    assert_eq!(ghost.expect("a deleted row is served")["last"], "delete");
    let causes = report["causes"].as_array().unwrap();
    let cause = causes.iter().find(|one| one["finding"]["class"] == "ghost").unwrap();
    let did: Vec<&str> = cause["did"]
        .as_array()
        .unwrap()
        .iter()
        .map(|did| did.as_str().unwrap())
        .collect();
    assert_eq!(did.len(), cause["trace"]["steps"].as_array().unwrap().len());
    let whole = did[0].starts_with("my-router upsert '{") && did[0].contains(r#""tag": "v1""#);
    assert!(whole, "{did:?}");
    assert!(did.contains(&"my-router delete '\"d1\"'"), "{did:?}");
    let mut files = cause["files"].as_array().unwrap().iter();
    assert!(files.any(|file| file.as_str().unwrap().contains(".sh")), "{cause:#}");
}

/// The flags of a short run of a fleet: the sweep, and a few schedules that are drawn.
const OF_A_FLEET: [&str; 6] = ["--level", "fleet", "--traces", "60", "--changes-min", "20"];

#[test]
fn the_fleet_of_the_book_conforms() {
    let Some((code, report)) = tried(&read(FLEET), "", &OF_A_FLEET) else {
        return;
    };
    assert_eq!(code, 0, "{report:#}");
    for rule in [
        "monotonic",
        "read-your-writes",
        "keeps-writes",
        "undisturbed",
        "heals",
        "fails-safe",
        "converges",
    ] {
        assert_eq!(status(&report, rule), "pass", "{rule}");
    }
}

#[test]
fn each_way_in_which_the_fleet_of_the_book_can_be_wrong_is_found() {
    for (word, rule) in [
        ("no-lock", "monotonic"),
        ("keeps-deleted", "heals"),
        ("failure-empties", "fails-safe"),
    ] {
        let flags = [&OF_A_FLEET[..2], &["--traces", "0", "--rule", rule]].concat();
        let Some((code, report)) = tried(&read(FLEET), word, &flags) else {
            return;
        };
        assert_eq!((code, status(&report, rule)), (1, "fail"), "{word}: {report:#}");
        let causes = report["causes"].as_array().unwrap();
        assert!(
            !causes.is_empty() && causes.iter().all(|cause| cause["key"]["kind"] == "schedule"),
            "{word}: {causes:#?}"
        );
    }
}
