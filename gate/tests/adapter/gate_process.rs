//! The gate as a process: exit codes, streams, and what is left when it is ended from outside.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Misbehaving, trial};

const HELLO: &[u8] = b"{\"id\":1,\"call\":{\"hello\":{\"protocol\":2}}}\n";

pub(crate) fn trials() -> Vec<Trial> {
    let signals = [("int", Signal::INT), ("term", Signal::TERM), ("hup", Signal::HUP)];
    let signals =
        signals.map(|(name, signal)| trial(format!("signal_{name}_leaves_nothing"), move || ended_by(signal)));
    let mut trials = vec![
        trial("exit_codes_and_streams", exit_codes_and_streams),
        trial("killed_outright_the_adapter_sees_the_end_of_its_input", killed_outright),
        trial("served_through_the_gate", served_through_the_gate),
        trial("what_is_built_in_is_served", built_in),
    ];
    trials.extend(signals);
    trials
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

fn killed_outright() {
    let cache = tempfile::tempdir().unwrap();
    let adapter = Misbehaving::new("well");
    let mut child = serving(&adapter, cache.path());
    child.kill().unwrap();
    child.wait().unwrap();
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
