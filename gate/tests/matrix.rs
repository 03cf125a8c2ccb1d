//! A matrix as a person makes it: releases of a small router, each a program of its own, one of them mended, one that does
//! not start, and a call that is killed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use gate::JsonReport;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The releases of a small router: 1.0 and 1.1 share a fault, 1.1 has another besides, 2.0 is mended, and 3.0 never starts.
/// Each start is noted in `started`. While there is a pipe `hold`, 1.1 says there that it has started, and hangs.
const ADAPTER: &str = r#"
echo "$2" >> started
case "$2" in
    1.0) exec "$1" adapter faulty:upsert-keeps-global-pattern ;;
    1.1) if [ -e hold ]; then echo held > hold; exec sleep 600; fi
         exec "$1" adapter faulty:delete-keeps-exact-index ;;
    2.0) exec "$1" adapter faulty:none ;;
    3.0) echo "no such release" >&2; exit 3 ;;
esac
"#;

/// A budget in which a verdict is reached, also on a busy machine: most of it is never used.
const ENOUGH: &str = "10s";
/// A budget in which the fault is found, and no more is needed.
const SHORT: &str = "1s";

/// A directory with the small router.
struct Place {
    dir: tempfile::TempDir,
    budget: &'static str,
}

impl Place {
    fn new(budget: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("adapter.sh"), ADAPTER).unwrap();
        Self { dir, budget }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The command that makes a matrix of these releases.
    fn matrix(&self, versions: &str, more: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_routeproof");
        let mut command = Command::new(program);
        let router = format!("exec:sh adapter.sh {program} {{version}}");
        command.args(["matrix", "--router", &router, "--versions", versions]);
        command.args(["--rule", "current", "--budget", self.budget, "--traces", "150"]);
        command.args(["--changes-min", "1", "--report", "m.json"]);
        command.args(more).current_dir(self.dir.path()).env("NO_COLOR", "1");
        command
    }

    /// A call in the middle of the trial of 1.1, the second of these releases.
    fn held_at(&self, versions: &str) -> Child {
        let made = Command::new("mkfifo").arg(self.path("hold")).status();
        assert!(made.unwrap().success());
        let mut command = self.matrix(versions, &[]);
        let mut call = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(call.stderr.take().unwrap()).lines();
        let reached = lines.map_while(Result::ok).any(|line| line.contains(", 1.1: on trial"));
        assert!(reached, "it ended before it came to 1.1");
        // Whoever reads from it knows that the adapter has noted its start, and does not beside those of the next call.
        fs::read(self.path("hold")).unwrap();
        call
    }

    fn made(&self, versions: &str, more: &[&str]) -> Made {
        let _ = fs::remove_file(self.path("started"));
        let output = self.matrix(versions, more).output().unwrap();
        Made {
            report: fs::read_to_string(self.path("m.json"))
                .map_or(Value::Null, |text| serde_json::from_str(&text).unwrap()),
            started: fs::read_to_string(self.path("started"))
                .unwrap_or_default()
                .lines()
                .map(str::to_owned)
                .collect(),
            output,
        }
    }
}

/// The outcome of a call.
struct Made {
    output: Output,
    report: Value,
    /// The releases whose adapters were started, in order.
    started: Vec<String>,
}

impl Made {
    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    #[track_caller]
    fn ends(&self, code: i32) {
        assert_eq!(
            self.output.status.code(),
            Some(code),
            "{}\n{}",
            self.stdout(),
            self.stderr()
        );
    }

    /// The states of each cause, in the order of the releases.
    fn cells(&self) -> Vec<Vec<&str>> {
        let causes = self.report["causes"].as_array().unwrap().iter();
        let cells = causes.map(|cause| cause["cells"].as_array().unwrap().iter());
        cells
            .map(|cells| cells.map(|cell| cell["state"].as_str().unwrap()).collect())
            .collect()
    }
}

#[test]
fn a_cause_of_one_release_is_tried_on_the_others_and_holds_where_it_is_mended() {
    let place = Place::new(ENOUGH);
    let made = place.made("1.0,2.0", &[]);
    made.ends(1);
    assert_eq!(made.cells(), [["found", "holds"]]);
    let cause = &made.report["causes"][0];
    assert_eq!(
        (&cause["found_on"], &cause["witness"]["known"]),
        (&"1.0".into(), &Value::Array(Vec::new()))
    );
    let text = made.stdout();
    assert!(
        text.contains("An update leaves the old version behind in patterns  new"),
        "{text}"
    );
    assert!(text.contains("Every rule held on 2.0. exit 1"), "{text}");
    let progress = made.stderr();
    assert!(
        progress.contains("release 2 of 2, 2.0: carrying out 1 trace of other releases"),
        "{progress}"
    );
    let report: JsonReport = serde_json::from_value(made.report.clone()).unwrap();
    assert_eq!(
        serde_json::to_value(report).unwrap(),
        made.report,
        "a report is read as it was written"
    );
    is_a_page_of_a_book_and_a_document_for_programs(&place);
    // What the matrix names can be explained.
    let file = made.report["releases"][0]["trial"]["tried"]["report"].as_str().unwrap();
    let mut explain = Command::new(env!("CARGO_BIN_EXE_routeproof"));
    let explained = explain
        .args(["explain", "cause-1", "--report", file])
        .current_dir(place.dir.path())
        .output()
        .unwrap();
    assert!(
        explained.status.success(),
        "{}",
        String::from_utf8_lossy(&explained.stderr)
    );
}

#[test]
fn releases_that_conform_are_no_violation_and_one_that_does_not_start_is_a_column_and_a_fault() {
    let place = Place::new(ENOUGH);
    place.made("2.0", &[]).ends(0);
    let made = place.made("2.0,3.0", &[]);
    made.ends(5);
    let why = made.report["releases"][1]["trial"]["adapter_fault"].as_str().unwrap();
    assert!(why.contains("no such release"), "{why}");
    assert!(
        made.stdout().contains("1 of 2 releases could not be judged; 3.0: "),
        "{}",
        made.stdout()
    );
    let made = place.made("1.0,3.0", &[]);
    made.ends(1);
    assert_eq!(made.cells(), [["found", "not_carried_out"]]);
    assert_eq!(made.report["summary"]["skipped"], 1);
}

#[test]
fn what_is_kept_is_used_only_by_a_call_with_the_same_settings_and_only_if_it_is_whole() {
    let place = Place::new(SHORT);
    let versions = "1.0,2.0";
    let first = place.made(versions, &[]);
    assert_eq!(first.started, ["1.0", "2.0", "2.0"]);
    let again = place.made(versions, &[]);
    again.ends(1);
    assert_eq!((&again.started[..], again.cells()), (&[][..], first.cells()));
    assert!(
        again
            .stderr()
            .contains("release 1 of 2, 1.0: an earlier call has kept its trial"),
        "{}",
        again.stderr()
    );
    assert_eq!(place.made(versions, &["--fresh"]).started, first.started);
    let other = place.made(versions, &["--seed", "2"]);
    assert_eq!(other.started, first.started);
    assert!(
        other
            .stderr()
            .contains("1.0: what was kept is of other settings, and is not used"),
        "{}",
        other.stderr()
    );

    let spoil = |file: &str, by: &dyn Fn(String) -> String| {
        let file = place.path("out/matrix").join(file);
        fs::write(&file, by(fs::read_to_string(&file).unwrap())).unwrap();
        let made = place.made(versions, &["--seed", "2"]);
        made.ends(1);
        made
    };
    let half = |text: String| text[..text.len() / 2].to_owned();
    let another = |text: String| text.replacen("\"seed\": 2", "\"seed\": 3", 1);
    for (file, by, started, kept) in [
        ("1.0/report.json", &another as &dyn Fn(String) -> String, "1.0", "2.0"),
        ("1.0/trial.kept", &half, "1.0", "2.0"),
        ("2.0/replays.kept", &half, "2.0", "1.0"),
    ] {
        let made = spoil(file, by);
        // A trial that is made again may come to another trace, which is carried out on the other release then.
        assert_eq!(made.started[0], started, "{file}: {}", made.stderr());
        let said = format!("{kept}: an earlier call has kept its trial");
        assert!(made.stderr().contains(&said), "{file}: {}", made.stderr());
        assert!(
            made.stderr().contains("what was kept is damaged, and is not used"),
            "{file}: {}",
            made.stderr()
        );
    }
}

#[test]
fn a_call_that_is_killed_goes_on_at_the_release_where_it_was() {
    let place = Place::new(SHORT);
    let mut killed = place.held_at("1.0,1.1,2.0");
    killed.kill().unwrap();
    killed.wait().unwrap();
    fs::remove_file(place.path("hold")).unwrap();
    let made = place.made("1.0,1.1,2.0", &[]);
    made.ends(1);
    let trials = &made.started[..2];
    assert_eq!(trials, ["1.1", "2.0"], "1.0 was done: {}", made.stderr());
    let rows = made.cells();
    assert!(rows.iter().all(|row| row[2] == "holds"), "2.0 is mended: {rows:?}");
}

#[test]
fn a_signal_ends_a_matrix_with_a_report_of_what_was_done() {
    let place = Place::new(SHORT);
    let mut call = place.held_at("1.0,1.1,2.0");
    kill_process(Pid::from_child(&call), Signal::TERM).unwrap();
    assert_eq!(
        call.wait().unwrap().code(),
        Some(1),
        "what 1.0 was found to do stays a violation"
    );
    let text = fs::read_to_string(place.path("m.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["interrupted"]["signal"], 15);
    for place in [1, 2] {
        assert_eq!(report["releases"][place]["trial"], "not_reached");
        let cell = &report["causes"][0]["cells"][place];
        assert_eq!(cell["why"], "the matrix ended before it came to that", "{cell}");
    }
}

#[test]
fn a_matrix_that_cannot_be_is_refused_before_anything_is_tried() {
    let place = Place::new(SHORT);
    for (versions, more, said) in [
        ("1.0,1.0", &[][..], "names `1.0` twice"),
        ("../1.0", &[], "is no name of a release"),
        ("1.0", &["--rule", "nonsense"], "no rule matches `nonsense`"),
    ] {
        let made = place.made(versions, more);
        made.ends(2);
        assert!(made.stderr().contains(said), "{}", made.stderr());
        assert!(made.started.is_empty());
    }
}

/// The matrix of the release that is broken and the one that is mended, in the other formats.
fn is_a_page_of_a_book_and_a_document_for_programs(place: &Place) {
    let page = place.made("1.0,2.0", &["--format", "markdown"]).stdout();
    for part in [
        "**Every rule held on 2.0.**",
        "| 1. An update leaves the old version behind in patterns (new) | x | . |",
        "| `current` | x | . |",
        "--versions 1.0,2.0 --rule current --budget 10s --changes-min 1 --traces 150 --seed 1 --format markdown",
        "upsert d1 ",
        "- 2.0 mends 1\n",
    ] {
        assert!(page.contains(part), "no `{part}` in {page}");
    }
    let made = place.made("1.0,2.0", &["--format", "json"]);
    let printed: Value = serde_json::from_str(&made.stdout()).unwrap();
    assert_eq!(printed, made.report);
}
