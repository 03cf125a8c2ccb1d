//! The commands as a person runs them: exit codes, what is said, and what is written.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gate::JsonReport;
use model::RuleSet;
use protocol::Level;
use serde_json::Value;

fn routeproof(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_routeproof"));
    command.args(args).current_dir(dir).env("NO_COLOR", "1");
    command.output().expect("the binary under test starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn ends(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}\n{}",
        stdout(output),
        stderr(output)
    );
}

#[test]
fn the_reference_conforms_and_the_report_says_what_was_judged() {
    let dir = tempfile::tempdir().unwrap();
    let output = routeproof(
        dir.path(),
        &["run", "--seed", "1", "--budget", "4s", "--report", "r.json"],
    );
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{}\n{}",
        stdout(&output),
        stderr(&output)
    );
    assert!(
        stderr(&output).starts_with("routeproof: seed 1\n"),
        "{}",
        stderr(&output)
    );
    let report: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(report["failures"], Value::Array(Vec::new()));
    let of_one_router = RuleSet::of(Level::Router).iter().count();
    assert_eq!(report["rules"].as_array().unwrap().len(), of_one_router);
    assert!(report["explorations"][0]["transitions"].as_u64() > Some(0));
    assert_eq!(report["causes"], Value::Array(Vec::new()));
    let written: Vec<_> = fs::read_dir(dir.path().join("out")).unwrap().collect();
    assert_eq!(
        written.len(),
        1,
        "nothing failed, so there is the report alone: {written:?}"
    );
}

#[test]
fn a_cut_exploration_alone_is_inconclusive() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "run", "--rule", "current", "--seed", "1", "--traces", "0", "--budget", "300ms",
    ];
    let output = routeproof(dir.path(), &args);
    ends(&output, 3);
    // A busy machine may not even end the sweep in that time.
    let said = "raise `--budget`";
    assert!(stdout(&output).contains(said), "{}", stdout(&output));
}

#[test]
fn a_budget_that_ends_within_the_sweep_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let output = routeproof(dir.path(), &["run", "--seed", "1", "--budget", "1ms"]);
    let said = "sweep: 0 of 56 traces: the run ended within it";
    assert!(stdout(&output).contains(said), "{}", stdout(&output));
    let not_tried = "not tried: team exact behind upsert as before it";
    assert!(stdout(&output).contains(not_tried), "{}", stdout(&output));
}

#[test]
fn what_a_router_was_asked_before_stands_in_the_trace_that_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let fault = "faulty:cache-of-one";
    let args = [
        "run", "--router", fault, "--rule", "current", "--seed", "1", "--budget", "6s",
    ];
    let output = routeproof(dir.path(), &args);
    ends(&output, 1);
    let trace = fs::read_to_string(dir.path().join("out/current-1.toml")).unwrap();
    assert!(trace.matches("\nlookup = ").count() > 1, "{trace}");
    let report = routeproof(dir.path(), &["replay", "out", "--router", fault, "--report", "r.json"]);
    ends(&report, 1);
    let report: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("r.json")).unwrap()).unwrap();
    for trace in report["traces"].as_array().unwrap() {
        assert_eq!(trace["status"], "violates", "{trace}");
    }
}

#[test]
fn a_planted_fault_of_a_fleet_is_found_and_shows_again_and_none_is_found_without() {
    let dir = tempfile::tempdir().unwrap();
    let run = |fault: &str| {
        let args = [
            "run", "--level", "fleet", "--router", fault, "--seed", "1", "--traces", "200", "--budget", "60s",
        ];
        routeproof(dir.path(), &args)
    };
    let sound = run("faulty:none");
    assert!(stdout(&sound).contains("0 failed"), "{}", stdout(&sound));
    // One of a fleet's own, and one of the router that each replica answers by.
    for fault in ["faulty:patch-writes-whole-row", "faulty:upsert-keeps-global-pattern"] {
        ends(&run(fault), 1);
        ends(
            &routeproof(dir.path(), &["replay", "out/cause-1.toml", "--router", fault]),
            1,
        );
        ends(
            &routeproof(dir.path(), &["replay", "out/cause-1.toml", "--router", "faulty:none"]),
            0,
        );
    }
}

#[test]
fn a_planted_fault_is_found_shrunk_written_and_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let fault = "faulty:upsert-keeps-global-pattern";
    let args = [
        "run", "--router", fault, "--rule", "current", "--seed", "7", "--budget", "5s", "--report", "r.json", "--all",
    ];
    let output = routeproof(dir.path(), &args);
    ends(&output, 1);
    assert!(
        stdout(&output).contains("FAIL current: each candidate is a row"),
        "{}",
        stdout(&output)
    );
    let report: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("r.json")).unwrap()).unwrap();
    let failures = report["failures"].as_array().unwrap();
    let smallest = failures
        .iter()
        .map(|failure| failure["shrunk_steps"].as_u64().unwrap())
        .min();
    assert_eq!(smallest, Some(2), "{}", stdout(&output));

    let replay = |router: &str| routeproof(dir.path(), &["replay", "out/current-1.toml", "--router", router]);
    ends(&replay(fault), 1);
    ends(&replay("reference"), 0);
    ends(&replay("faulty:none"), 0);
    let replayed = [
        "replay",
        "out/current-1.toml",
        "--router",
        fault,
        "--report",
        "replay.json",
    ];
    ends(&routeproof(dir.path(), &replayed), 1);
    for file in ["r.json", "replay.json"] {
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        let report: JsonReport = serde_json::from_str(&text).unwrap();
        assert_eq!(
            report,
            JsonReport::new(&report.document),
            "{file}: the verdict follows from the document"
        );
        assert_eq!(report.summary.exit_code, 1);
    }
    let itf: Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("out/current-1.itf.json")).unwrap()).unwrap();
    assert_eq!(itf["#meta"]["format"], "ITF");

    fs::write(
        dir.path().join("skips.toml"),
        "[[skip]]\nrule = \"current\"\nreason = \"planted\"\n",
    )
    .unwrap();
    let excused = routeproof(dir.path(), &[&args[..], &["--skips", "skips.toml"]].concat());
    assert_ne!(excused.status.code(), Some(1), "{}", stdout(&excused));
    assert!(stdout(&excused).contains("planted"), "{}", stdout(&excused));
}

#[test]
fn a_seed_replays_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = |report: &str| {
        let args = [
            "run",
            "--router",
            "faulty:none",
            "--seed",
            "3",
            "--traces",
            "12",
            "--budget",
            "8s",
        ];
        routeproof(dir.path(), &[&args[..], &["--report", report]].concat());
        let report: Value = serde_json::from_str(&fs::read_to_string(dir.path().join(report)).unwrap()).unwrap();
        ["traces", "changes", "queries"].map(|field| report["searches"][0][field].clone())
    };
    assert_eq!(run("one.json"), run("two.json"));
}

#[test]
fn the_regressions_hold_on_the_reference() {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/regressions");
    let output = routeproof(Path::new("."), &["replay", traces.to_str().unwrap()]);
    ends(&output, 0);
    assert!(stdout(&output).contains(" 0 not, 0 skipped"), "{}", stdout(&output));
}

#[test]
fn bad_input_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("malformed.toml", b"version = = 1");
    write(
        "truncated.toml",
        b"version = 1\nwhy = \"w\"\n[[steps]]\nupsert = { id = \"d1\", mod",
    );
    write("newer.toml", b"version = 3\n");
    write("field.toml", b"version = 1\nwhy = \"w\"\nsteps = []\ncolour = 1\n");
    write(
        "rule.toml",
        b"version = 1\nwhy = \"w\"\nrule = \"courent\"\n[[steps]]\ndelete = \"d\"\n",
    );
    write("binary.toml", &[0xff, 0xfe, 0, 1]);
    write("long.toml", &vec![b' '; protocol::TRACE_BYTES_MAX + 1]);
    fs::create_dir(dir.path().join("empty")).unwrap();
    #[rustfmt::skip]
    let rows: &[(&[&str], i32, &str)] = &[
        (&["replay", "malformed.toml"], 2, "malformed.toml: line 1, column 11"),
        (&["replay", "truncated.toml"], 2, "truncated.toml: line 4, column"),
        (&["replay", "newer.toml"], 2, "newer.toml: this is a trace of version 3, and this build reads versions 1 to 2"),
        (&["replay", "field.toml"], 2, "field.toml: line 4, column 1: unknown field `colour`"),
        (&["replay", "rule.toml"], 2, "rule.toml: there is no rule `courent`; `routeproof rules` lists them"),
        (&["replay", "binary.toml"], 2, "binary.toml: this is no UTF-8 text"),
        (&["replay", "long.toml"], 2, "and at most 4194304 are read"),
        (&["replay", "missing.toml"], 2, "missing.toml: "),
        (&["replay", "empty"], 4, "there is no trace in empty"),
        (&["run", "--rule", "nothing"], 2, "no rule matches `nothing`; `routeproof rules` lists them"),
        (&["run", "--rule", "!*"], 2, "every rule is left out"),
        (&["run", "--report", "r.pdf"], 2, "r.pdf: a report ends in `.json`"),
        (&["replay", "missing.toml", "--report", "malformed.toml/r.json"], 2, "malformed.toml/r.json: "),
        (&["run", "--skips", "none.toml"], 2, "none.toml: "),
        (&["run", "--budget", "5 fortnights"], 2, "there is no unit"),
        (&["run", "--router", "litelm==1.85.0"], 2, "litellm=="),
        (&["run", "--router", "litellm==1.82.7"], 2, "1.82.7"),
        (&["run", "--router", "faulty:nope"], 2, "nope"),
        (&["run", "--router", "faulty:lock-kept-on-failure"], 5, "say `--level fleet`"),
        (&["faults", "--level", "fleet", "--fuzzed", "k.toml"], 2, "`--fuzzed` is of routers"),
        (&["run", "--router", "exec:/no/such/program"], 5, "/no/such/program"),
        (&["explain", "courent"], 2, "there is no rule `courent`; there are current,"),
        (&["explain", "cause-1"], 2, "out/report.json: "),
        (&["explain", "cause-1", "--report", "binary.toml"], 2, "binary.toml: "),
        (&["explain", "cause-1", "--report", "malformed.toml"], 2, "malformed.toml: this is no report: "),
    ];
    for (args, code, expected) in rows {
        let output = routeproof(dir.path(), args);
        assert_eq!(output.status.code(), Some(*code), "{args:?}\n{}", stderr(&output));
        assert!(
            stderr(&output).contains(expected),
            "{args:?}: `{}` does not say `{expected}`",
            stderr(&output)
        );
    }
}

#[test]
fn a_replay_takes_ten_thousand_traces_and_refuses_more() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("many/more")).unwrap();
    for number in 0..10_000 {
        let place = if number % 2 == 0 { "many" } else { "many/more" };
        fs::write(dir.path().join(format!("{place}/{number:05}.toml")), "").unwrap();
    }
    let taken = routeproof(dir.path(), &["replay", "many"]);
    assert!(stderr(&taken).contains("00000.toml: "), "{}", stderr(&taken));

    fs::write(dir.path().join("many/more/one-more.toml"), "").unwrap();
    let refused = routeproof(dir.path(), &["replay", "many"]);
    ends(&refused, 2);
    let said = "many: there are more than 10000 traces here; replay its directories one by one";
    assert!(stderr(&refused).contains(said), "{}", stderr(&refused));
}

#[test]
fn one_fault_is_told_as_one_cause_and_explained() {
    let dir = tempfile::tempdir().unwrap();
    let fault = "faulty:upsert-keeps-global-pattern";
    let output = routeproof(
        dir.path(),
        &["run", "--router", fault, "--seed", "7", "--budget", "10s"],
    );
    ends(&output, 1);
    let told = stdout(&output);
    for expected in [
        "VIOLATION  1 cause\n",
        "\nRequests go to the wrong deployment\n  1  An update leaves the old version behind in patterns",
        "still in patterns",
        "\nNext       routeproof explain cause-1\n",
        " 1 cause (0 known, 1 new), 0 to check; ",
        "; exit 1\n",
    ] {
        assert!(told.contains(expected), "`{expected}`\n{told}");
    }
    let report: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("out/report.json")).unwrap()).unwrap();
    let cause = &report["causes"][0];
    assert_eq!(
        (&cause["id"], &cause["key"]["kind"], &cause["harm"]["effect"]),
        (&"cause-1".into(), &"applied".into(), &"wrong-deployment".into())
    );
    assert_eq!(cause["failures"], report["failures"].as_array().unwrap().len());
    assert_eq!(cause["structures"], Value::from(vec!["patterns"]));

    let explained = routeproof(dir.path(), &["explain", "cause-1"]);
    ends(&explained, 0);
    for expected in [
        "current rows",
        "the router holds",
        "patterns v",
        " stale",
        "guilty     step ",
        "replay ",
    ] {
        assert!(
            stdout(&explained).contains(expected),
            "`{expected}`\n{}",
            stdout(&explained)
        );
    }
    ends(
        &routeproof(dir.path(), &["replay", "out/cause-1.toml", "--router", fault]),
        1,
    );
    ends(
        &routeproof(dir.path(), &["replay", "out/cause-1.toml", "--router", "faulty:none"]),
        0,
    );
    ends(&routeproof(dir.path(), &["explain", "cause-2"]), 2);
}

#[test]
fn rules_are_listed_and_explained() {
    let listed = routeproof(Path::new("."), &["rules"]);
    ends(&listed, 0);
    for rule in &model::RULES {
        assert!(stdout(&listed).contains(rule.id.name()));
        let explained = routeproof(Path::new("."), &["explain", rule.id.name()]);
        ends(&explained, 0);
        assert!(stdout(&explained).contains(rule.explanation), "{}", rule.id);
    }
}

#[test]
fn causes_are_confirmed_on_complete_servers_of_a_fleet_of_litellm_alone() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        ["run", "--confirm", "--router", "reference", "--level", "fleet"],
        ["run", "--confirm", "--router", "litellm==1.85.0", "--level", "router"],
        [
            "run",
            "--confirm",
            "--router",
            "litellm-server==1.85.0",
            "--level",
            "fleet",
        ],
    ] {
        let output = routeproof(dir.path(), &args);
        ends(&output, 2);
        let said = "say `--level fleet --router litellm==VERSION`";
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn complete_servers_are_no_single_router_and_are_not_installed_to_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["run", "--router", "litellm-server==1.85.0", "--cache-dir", "cache"];
    let output = routeproof(dir.path(), &args);
    ends(&output, 5);
    let said = "`litellm-server==1.85.0` is a fleet and no single router; say `--level fleet`";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    assert!(!dir.path().join("cache").exists());
}
