//! The gate as a process: exit codes, streams, and what is left when it is ended from outside.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{Misbehaving, trial};

const HELLO: &[u8] = b"{\"id\":1,\"call\":{\"hello\":{\"protocol\":2}}}\n";

pub(crate) fn trials() -> Vec<Trial> {
    let signals = [("int", Signal::INT), ("term", Signal::TERM), ("hup", Signal::HUP)];
    let signals = signals.map(|(name, signal)| {
        let ended = trial(format!("signal_{name}_leaves_nothing"), move || ended_by(signal));
        // Then it is ignored here as well, and the trial says that it was not run.
        ended.with_ignored_flag(is_ignored(signal))
    });
    let mut trials = vec![
        trial("exit_codes_and_streams", exit_codes_and_streams),
        trial("the_adapter_that_brings_itself_down_is_shown_its_trace", dies_of_a_row),
        trial("a_hangup_that_is_ignored_stays_ignored", ignored_hangup),
        trial("two_runs_cannot_write_to_one_directory", two_runs),
        trial("served_through_the_gate", served_through_the_gate),
        trial("what_is_built_in_is_served", built_in),
        trial(
            "an_adapter_that_dies_behind_a_finding_loses_none",
            dies_behind_a_finding,
        ),
        trial("an_adapter_that_dies_at_once_is_no_violation", dies_at_once),
        trial("a_tag_that_was_never_given_is_no_violation", unknown_tags),
        trial("a_signal_behind_a_finding_loses_none", signal_behind_a_finding),
        trial("a_signal_without_a_finding_ends_the_run", signal_without_a_finding),
    ];
    trials.extend(signals);
    let ends = KINDS_TO_END.iter().flat_map(|kind| {
        let by = |how: &str, end: fn(&mut Child)| {
            trial(format!("{kind}_ends_with_a_gate_that_{how}"), move || {
                ends_with(kind, end);
            })
        };
        [
            by("is_killed", |gate| gate.kill().unwrap()),
            by("ends", |gate| drop(gate.stdin.take())),
        ]
    });
    trials.extend(ends.collect::<Vec<_>>());
    trials
}

/// Returns whether these tests were started with that signal ignored, as under `nohup`.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0) & (1 << (signal.as_raw() - 1)) != 0
}

/// `routeproof` with a clean environment.
pub(crate) fn routeproof(cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_routeproof"));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("XDG_CACHE_HOME", cache);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> Output {
    let cache = tempfile::tempdir().unwrap();
    routeproof(cache.path()).args(arguments).output().unwrap()
}

fn exit_codes_and_streams() {
    let adapter = Misbehaving::new("exits");
    let exits = adapter.spec();
    #[rustfmt::skip]
    let rows: &[(&[&str], i32, &str, &str)] = &[
        (&["--version"], 0, "routeproof 0.1.0", ""),
        (&["--help"], 0, "5  adapter fault: the adapter is missing", ""),
        (&["completions", "bash"], 0, "complete -F _routeproof", ""),
        (&["man"], 0, ".TH routeproof 1", ""),
        (&[], 2, "", "Usage: routeproof"),
        (&["adaptor"], 2, "", "a similar subcommand exists: 'adapter'"),
        (&["adapter", "litellm"], 2, "", "`litellm` names no release"),
        (&["adapter", "litellm==1.107.0"], 2, "", "reported compromised"),
        (&["adapter", "exec:no-such-adapter"], 5, "", "there is no such program"),
        (&["adapter", &exits], 5, "", "  | ModuleNotFoundError: No module named 'litellm'"),
        (&["adapter", "exec:sleep 600", "--hello-wait", "1"], 5, "", "did not answer the hello within 1s"),
        (&["adapter", "exec:cat", "--wait", "0"], 2, "", "0 is not in 1..=86400"),
    ];
    for (arguments, code, stdout, stderr) in rows {
        let output = run(arguments);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {out}{err}");
        assert!(
            out.contains(stdout) && err.contains(stderr),
            "{arguments:?}: {out}{err}"
        );
        assert!(
            !out.contains('\u{1b}') && !err.contains('\u{1b}'),
            "{arguments:?}: colour where there is no terminal"
        );
        assert_eq!(
            (out.is_empty(), err.is_empty()),
            (stdout.is_empty(), stderr.is_empty()),
            "{arguments:?}: {out}{err}"
        );
    }
}

/// A gate that serves an adapter, once the adapter is up.
fn serving(adapter: &Misbehaving, cache: &Path) -> Child {
    let mut child = routeproof(cache)
        .args(["adapter", &adapter.spec()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(HELLO).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("\"router\":\"plain\""), "{line}");
    child
}

fn ended_by(signal: Signal) {
    let cache = tempfile::tempdir().unwrap();
    // It has said hello, and from then on it neither reads nor ends.
    let adapter = Misbehaving::new("stops-reading-after-hello");
    let mut child = serving(&adapter, cache.path());
    kill_process(Pid::from_child(&child), signal).unwrap();
    let status = child.wait().unwrap();
    let by = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(by, Some(signal.as_raw()), "the shell must see the signal");
    adapter.is_gone();
}

/// Adapters that go on, or leave something that does, when their input ends; and one that does not.
const KINDS_TO_END: [&str; 3] = ["well", "stops-reading-after-hello", "leaves-a-daemon"];

fn ends_with(kind: &str, end: fn(&mut Child)) {
    let cache = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new(kind);
    let mut gate = serving(&adapter, cache.path());
    end(&mut gate);
    gate.wait().unwrap();
    adapter.is_gone();
}

/// As `nohup` starts a program.
fn ignored_hangup() {
    let cache = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new("well");
    let words = [
        "-c",
        "trap '' HUP; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_routeproof"),
    ];
    let mut deaf = Command::new("/bin/sh");
    deaf.args(words)
        .args(["adapter", &adapter.spec()])
        .current_dir(cache.path());
    let mut child = deaf.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut replies = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        child.stdin.as_mut().unwrap().write_all(HELLO).unwrap();
        assert!(replies.next().unwrap().unwrap().contains("plain"));
        kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    }
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    adapter.is_gone();
}

fn two_runs() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new("well");
    let mut first = run_of(&adapter, dir.path()).spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("found current"))));
    let second = run_of(&adapter, dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(
        said.contains("out: another routeproof is writing here; wait for its end"),
        "{said}"
    );
    assert!(dir.path().join("out/current-1.toml").exists());
    kill_process(Pid::from_child(&first), Signal::TERM).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(1));
    adapter.is_gone();
}

fn served_through_the_gate() {
    let cache = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new("well");
    let mut child = serving(&adapter, cache.path());
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    adapter.is_gone();
}

/// The reference and a planted fault, each served by one gate to another.
fn built_in() {
    let program = env!("CARGO_BIN_EXE_routeproof");
    for name in ["reference", "faulty:none"] {
        let cache = tempfile::tempdir().unwrap();
        let served = format!("exec:{program} adapter {name}");
        let mut child = routeproof(cache.path())
            .args(["adapter", &served])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(HELLO).unwrap();
        let output = child.wait_with_output().unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(output.status.code(), Some(0), "{name}: {stderr}");
        assert!(stdout.contains(&format!("\"router\":\"{name}\"")), "{name}: {stdout}");
    }
}

/// A run of an adapter that is wrong: an updated row keeps its former version beside the new one.
fn run_of(adapter: &Misbehaving, dir: &Path) -> Command {
    let mut command = routeproof(dir);
    let spec = adapter.spec();
    let flags = [
        "run", "--router", &spec, "--rule", "current", "--seed", "1", "--budget", "60s",
    ];
    command.args(flags).args(["--report", "r.json"]).current_dir(dir);
    command
}

fn report(dir: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(dir.join("r.json")).unwrap()).unwrap()
}

fn dies_behind_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new("dies-after-a-while");
    let output = run_of(&adapter, dir.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("exit code 3"), "{stderr}");
    let report = report(dir.path());
    assert!(!report["failures"].as_array().unwrap().is_empty());
    let fault = report["interrupted"]["adapter_fault"].as_str().unwrap();
    assert!(fault.contains("exit code 3"), "{fault}");
    assert_eq!(
        report["suspect"]["brings"], "not_again",
        "it was the number of messages"
    );
    assert!(!report["suspect"]["files"].as_array().unwrap().is_empty());
    assert!(dir.path().join("out/current-1.toml").exists());
    adapter.is_gone();
}

fn dies_of_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new("dies-of-a-row");
    let output = run_of(&adapter, dir.path()).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{stdout}");
    let suspect = &report(dir.path())["suspect"];
    assert_eq!(suspect["brings"], "alone", "{suspect}");
    assert_eq!(suspect["files"], serde_json::json!(["out/adapter-fault-1.toml"]));
    assert!(
        stdout.contains("under way: out/adapter-fault-1.toml, of a message of "),
        "{stdout}"
    );
    let trace = std::fs::read_to_string(dir.path().join("out/adapter-fault-1.toml")).unwrap();
    assert!(trace.contains("id = \"d2\""), "{trace}");
    let words = ["replay", "out/adapter-fault-1.toml", "--router", &adapter.spec()];
    let replayed = routeproof(dir.path())
        .args(words)
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&replayed.stderr);
    assert_eq!(replayed.status.code(), Some(5), "{said}");
    assert!(said.contains("ended (exit code 4)"), "{said}");
    let named = "out/adapter-fault-1.toml: the adapter failed while this was replayed";
    assert!(said.contains(named), "{said}");
    adapter.is_gone();
}

fn dies_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new("dies-mid-batch");
    let output = run_of(&adapter, dir.path()).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(5),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report = report(dir.path());
    assert_eq!(report["summary"]["verdict"], "adapter fault");
    assert!(report["failures"].as_array().unwrap().is_empty());
    adapter.is_gone();
}

fn unknown_tags() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new("unknown-tags");
    let output = run_of(&adapter, dir.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("which no row of the run was given"), "{stderr}");
    assert!(report(dir.path())["failures"].as_array().unwrap().is_empty());
    adapter.is_gone();
}

fn signal_behind_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new("well");
    let mut child = run_of(&adapter, dir.path()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let found = lines.map_while(Result::ok).find(|line| line.contains("found current"));
    assert!(found.is_some(), "the run ended without a finding");
    assert!(
        dir.path().join("out/current-1.toml").exists(),
        "it is written when it is told"
    );
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(
        child.wait().unwrap().code(),
        Some(1),
        "what was found stays a violation"
    );
    let report = report(dir.path());
    assert!(!report["failures"].as_array().unwrap().is_empty());
    assert_eq!(report["interrupted"]["signal"], 15);
    adapter.is_gone();
}

fn signal_without_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["run", "--seed", "1", "--budget", "60s", "--report", "r.json"];
    let mut child = routeproof(dir.path())
        .args(flags)
        .current_dir(dir.path())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let exploring = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("exploring")));
    assert!(exploring.is_some(), "the run ended by itself");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let by = std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap());
    assert_eq!(by, Some(Signal::TERM.as_raw()), "the shell must see the signal");
    assert_eq!(report(dir.path())["interrupted"]["signal"], 15);
}
