//! Hostile surroundings: files that are none, names that steer a terminal, and what an earlier run has left.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use rustix::fs::{CWD, Mode, mkfifoat};

fn routeproof(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_routeproof"));
    command.args(args).current_dir(dir).env("NO_COLOR", "1");
    command.output().expect("the binary under test starts")
}

#[track_caller]
fn ends(output: &Output, code: i32) -> String {
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert_eq!(output.status.code(), Some(code), "{said:?}");
    said.concat()
}

/// A run that finds a planted fault.
const FINDS: [&str; 9] = [
    "run",
    "--router",
    "faulty:upsert-keeps-global-pattern",
    "--rule",
    "current",
    "--seed",
    "7",
    "--traces",
    "30",
];

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("pipe.toml");
    mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    fs::create_dir(dir.path().join("traces")).unwrap();
    mkfifoat(CWD, dir.path().join("traces/pipe.toml"), Mode::RWXU).unwrap();
    fs::write(dir.path().join("large"), vec![b'#'; (64 << 20) + 1]).unwrap();
    let no_file = "this is a pipe, a socket or a device; copy what is in it to a file, and name that";
    for flags in [
        &["replay"][..],
        &["run", "--skips"],
        &["faults", "--fuzzed"],
        &["explain", "cause-1", "--report"],
        &["explore", "--process", "0", "--hosts"],
    ] {
        let refused = |name: &str, expected: &str| {
            let said = ends(&routeproof(dir.path(), &[flags, &[name]].concat()), 2);
            assert!(said.contains(expected), "{flags:?} {name}: {said}");
        };
        refused("pipe.toml", no_file);
        refused("/dev/zero", no_file);
        refused("large", "this has more bytes than may be, and at most ");
    }
    let said = ends(&routeproof(dir.path(), &["replay", "traces"]), 2);
    assert!(said.contains("traces/pipe.toml: this is a pipe"), "{said}");
}

#[test]
fn names_and_texts_of_others_cannot_steer_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = "a\u{1b}]0;owned\u{7}\u{202e}\nFORGED";
    let written = |name: &str, text: &str| fs::write(dir.path().join(format!("{hostile}{name}")), text).unwrap();
    let row =
        r#"upsert = { id = "d\u001b[2J\u202e\n", model_name = "m\u001b[2J\u202e\nFORGED", model = "up", tag = "v1" }"#;
    written("holds.toml", &format!("version = 2\nwhy = \"w\"\n[[steps]]\n{row}\n"));
    written("syntax.toml", "version = 2\nwhy = \"w\"\n\u{202e}\u{7}[[steps]]\n");
    written("skips", "[[skip]]\nrule = \"x\u{202e}\"\nreason = \"r\"\n");
    let name = |name: &str| format!("{hostile}{name}");
    for (args, code) in [
        (vec!["replay".to_owned(), name("holds.toml")], 0),
        (vec!["replay".to_owned(), name("syntax.toml")], 2),
        (vec!["replay".to_owned(), name("none.toml")], 2),
        (vec!["replay".to_owned(), name("holds.toml"), name("none.toml")], 2),
        (vec!["run".to_owned(), "--seed".to_owned(), name("")], 2),
        (vec!["run".to_owned(), format!("--seed={hostile}")], 2),
        (vec!["run".to_owned(), "--skips".to_owned(), name("skips")], 2),
        (vec!["run".to_owned(), "--report".to_owned(), name("report.pdf")], 2),
        (
            vec![
                "explain".to_owned(),
                "cause-1".to_owned(),
                "--report".to_owned(),
                name("none"),
            ],
            2,
        ),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = ends(&routeproof(dir.path(), &args), code);
        for steered in ["\u{1b}", "\u{7}", "\u{202e}", "\nFORGED"] {
            assert!(!said.contains(steered), "{args:?} lets {steered:?} through: {said:?}");
        }
    }
}

#[test]
fn files_are_readable_as_the_umask_says() {
    for (umask, mode) in [("022", 0o644), ("077", 0o600)] {
        let dir = tempfile::tempdir().unwrap();
        let script = format!("umask {umask}; exec \"$0\" \"$@\" --report r.json");
        let output = Command::new("/bin/sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_routeproof")])
            .args(FINDS)
            .current_dir(dir.path())
            .output()
            .unwrap();
        ends(&output, 1);
        for name in [
            "r.json",
            "out/report.json",
            "out/current-1.toml",
            "out/current-1.itf.json",
        ] {
            let found = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{name} under {umask}");
        }
    }
}

#[test]
fn a_run_removes_what_an_earlier_one_left_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    ends(&routeproof(dir.path(), &FINDS), 1);
    let out = dir.path().join("out");
    fs::write(out.join("current-99.toml"), "kept by a person").unwrap();
    assert!(out.join("current-1.toml").exists() && out.join("cause-1.toml").exists());

    // A run that never comes to a router leaves everything as it was.
    ends(
        &routeproof(dir.path(), &["run", "--router", "exec:/no/such/program"]),
        5,
    );
    assert!(out.join("current-1.toml").exists() && out.join("report.json").exists());

    let sound = [
        "run",
        "--rule",
        "current",
        "--seed",
        "7",
        "--traces",
        "5",
        "--changes-min",
        "1",
        "--budget",
        "4s",
    ];
    let output = routeproof(dir.path(), &sound);
    assert_ne!(output.status.code(), Some(1));
    let mut left: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["current-99.toml", "report.json"]);
}

#[test]
fn a_damaged_checkpoint_is_refused_and_gives_no_count() {
    let dir = tempfile::tempdir().unwrap();
    let explore = |more: &[&str]| {
        let flags = ["explore", "--model", "poll2", "--checkpoint", "kept", "--threads", "1"];
        routeproof(dir.path(), &[&flags, more].concat())
    };
    ends(&explore(&["--depth-max", "4"]), 3);
    let level = dir.path().join("kept/level-0003.part-000");
    let whole = fs::read(&level).unwrap();
    let places = [0, 60, whole.len() / 2, whole.len() - 1];
    for place in places {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        fs::write(&level, damaged).unwrap();
        let output = explore(&["--resume"]);
        let said = ends(&output, 2);
        assert!(
            said.contains("level-0003") && output.stdout.is_empty(),
            "byte {place}: {said}"
        );
    }
    fs::write(&level, whole).unwrap();
    ends(&explore(&["--resume"]), 0);
}
