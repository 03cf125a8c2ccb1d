//! A fleet of references whose replicas are processes: it conforms as the one in one process does, and nothing of it is left
//! however its gate ends.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The longest time that the replicas of a gate may take to end behind it.
const END_WAIT: Duration = Duration::from_secs(30);

fn fleet(dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_routeproof"));
    command.args(["run", "--level", "fleet", "--seed", "1", "--report", "r.json"]);
    command
        .args(more)
        .current_dir(dir)
        .env("TMPDIR", dir)
        .env("NO_COLOR", "1");
    command
}

/// The exit code of a run, and for each rule its status and premises.
fn judged(dir: &Path, more: &[&str]) -> (Option<i32>, Vec<(String, String, u64)>) {
    let output = fleet(dir, more).output().unwrap();
    let text = fs::read_to_string(dir.join("r.json"));
    let report: Value = serde_json::from_str(&text.unwrap_or_else(|why| panic!("{why}: {output:?}"))).unwrap();
    let rules = report["rules"].as_array().unwrap().iter();
    let rules = rules.map(|rule| {
        let word = |field: &str| rule[field].as_str().unwrap().to_owned();
        (word("rule"), word("status"), rule["premises"].as_u64().unwrap())
    });
    (output.status.code(), rules.collect())
}

/// Schedules of a fleet, drawn and swept, on a file: what is judged does not depend on where the replicas run.
#[test]
fn replicas_that_are_processes_conform_as_those_of_one_process_do() {
    let dir = tempfile::tempdir().unwrap();
    let flags = [
        "--traces",
        "200",
        "--budget",
        "10m",
        "--changes-min",
        "100",
        "--store",
        "sqlite:rows",
    ];
    let alone = judged(dir.path(), &flags);
    let processes = judged(dir.path(), &[&flags[..], &["--processes"]].concat());
    assert_eq!(processes.0, Some(0), "{processes:?}");
    assert_eq!(processes, alone);
}

/// A gate in the middle of a run over processes.
fn under_way(dir: &Path) -> Child {
    let mut gate = fleet(dir, &["--budget", "10m", "--processes"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    // Nothing of what is behind that line may be read ahead.
    let stderr = gate.stderr.as_mut().unwrap();
    BufReader::with_capacity(1, stderr).read_line(&mut line).unwrap();
    assert_eq!(line, "routeproof: seed 1\n");
    let replica = until(|| replicas_of(gate.id()).into_iter().next());
    assert!(replica.is_some(), "no replica came up");
    gate
}

/// The processes that a gate has started.
fn replicas_of(gate: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{gate}/task/{gate}/children")).unwrap_or_default();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Returns the first thing that `look` finds, asked again and again for a while.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let (_keep, never) = sync_channel::<()>(0);
    (0..1_000).find_map(|_| {
        let found = look();
        if found.is_none() {
            let _ = never.recv_timeout(Duration::from_millis(5));
        }
        found
    })
}

/// Waits for the end of every process that has a gate's stderr: the gate and all its replicas.
fn all_end(gate: &mut Child) {
    let mut stderr = gate.stderr.take().unwrap();
    let (tell, told) = sync_channel(1);
    std::thread::spawn(move || tell.send(stderr.read_to_end(&mut Vec::new()).is_ok()));
    assert_eq!(told.recv_timeout(END_WAIT), Ok(true), "a replica is left");
}

#[test]
#[cfg(target_os = "linux")]
fn no_replica_outlives_a_gate_that_is_killed_or_ended_by_a_signal() {
    for signal in [Signal::KILL, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let mut gate = under_way(dir.path());
        kill_process(Pid::from_child(&gate), signal).unwrap();
        all_end(&mut gate);
        gate.wait().unwrap();
        // The next one removes what a gate that was killed has left.
        let left = || {
            fs::read_dir(dir.path())
                .unwrap()
                .flatten()
                .map(|entry| entry.file_name())
        };
        let of_fleets = || {
            left()
                .filter(|name| name.to_string_lossy().starts_with("routeproof-fleet-"))
                .count()
        };
        assert_eq!(of_fleets(), usize::from(signal == Signal::KILL));
        judged(dir.path(), &["--traces", "0", "--budget", "1s", "--processes"]);
        assert_eq!(of_fleets(), 0);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_replica_that_is_killed_by_somebody_else_is_a_fault_of_the_adapter() {
    let dir = tempfile::tempdir().unwrap();
    let mut gate = under_way(dir.path());
    // One that the gate has just ended by itself is no replica any more.
    let ended = until(|| {
        for replica in replicas_of(gate.id()) {
            let _ = kill_process(Pid::from_raw(replica.try_into().unwrap()).unwrap(), Signal::KILL);
        }
        gate.try_wait().unwrap()
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(5));
    let report: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("r.json")).unwrap()).unwrap();
    let fault = report["interrupted"]["adapter_fault"].as_str().unwrap();
    assert!(fault.contains("ended by itself: signal 9"), "{fault}");
    let replay = report["suspect"]["replay"]
        .as_str()
        .expect("the traces under way are written");
    assert!(replay.ends_with(" --router reference --processes"), "{replay}");
    // What is offered can be done: alone the trace brings no process down.
    let words = shlex::split(replay).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_routeproof"))
        .args(&words[1..])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn processes_are_of_a_fleet_of_references_over_a_store_that_they_can_share() {
    let dir = tempfile::tempdir().unwrap();
    for (flags, code, said) in [
        (
            &["--processes", "--level", "router"][..],
            2,
            "`--processes` is of a fleet; leave it out, or say `--level fleet`",
        ),
        (
            &["--processes", "--router", "faulty:none"],
            2,
            "`--processes` is how the replicas are run of a fleet of references; leave it out, or say `--router reference`",
        ),
        (
            &["--processes", "--store", "memory"],
            5,
            "`--store memory`: rows in plain memory are of one process alone",
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_routeproof"));
        let level: &[&str] = if flags.contains(&"router") {
            &[]
        } else {
            &["--level", "fleet"]
        };
        let output = command
            .arg("run")
            .args(level)
            .args(flags)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{flags:?}: {stderr}");
        assert!(stderr.contains(said), "{flags:?}: {stderr}");
    }
}
