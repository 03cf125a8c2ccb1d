//! Every input that is kept, through its target, without a fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use fuzz_harness::{TARGETS, Target, TargetSettings, Work, decode, seeds, target};
use protocol::{Row, Rows};

fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(directory);
    let entries = fs::read_dir(&directory).unwrap_or_else(|why| panic!("{}: {why}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.sort();
    files
}

/// Returns the number of inputs that the target took, and the work that they all together made it do.
fn replayed(target: &Target, inputs: impl Iterator<Item = (String, Vec<u8>)>) -> (usize, Work) {
    let mut body = (target.body)(&TargetSettings::default()).expect("there is a router without a fault");
    let (mut taken, mut done) = (0, Work::default());
    for (name, bytes) in inputs {
        match body.run(&bytes) {
            Ok(Some(work)) => {
                taken += 1;
                done.steps += work.steps;
                done.lookups += work.lookups;
            }
            Ok(None) => {}
            Err(failure) => panic!("{}: {name}: {}", target.name, failure.what),
        }
    }
    (taken, done)
}

#[test]
fn every_input_of_every_corpus_holds() {
    for target in &TARGETS {
        let inputs = files(&format!("fuzz/corpus/{}", target.name)).into_iter();
        let (taken, done) = replayed(
            target,
            inputs.map(|path| (path.display().to_string(), fs::read(&path).expect("it can be read"))),
        );
        assert!(
            taken > 0 && done.steps > 0,
            "the corpus of `{}` has nothing in it",
            target.name
        );
    }
}

/// A regression that is added has bytes: if it does not, its texts are to be listed in the world `KEPT`.
#[test]
fn every_regression_is_an_input() {
    let mut count = 0;
    for path in files("testdata/regressions") {
        let name = path.display().to_string();
        let (seeds, steps) = seeds(&fs::read_to_string(&path).expect("it can be read"));
        assert_eq!(steps, Ok(()), "{name}");
        for seed in seeds {
            let target = target(seed.target).expect("seeds are of targets");
            let (taken, _) = replayed(target, std::iter::once((name.clone(), seed.bytes)));
            assert_eq!(taken, 1, "{name} is no input of `{}`", target.name);
        }
        count += 1;
    }
    assert!(count > 0, "there is no regression");
}

/// The rows are compared but for their tags, which number the writes of the one and the rows of the other.
#[test]
fn the_seed_of_a_fleet_leaves_in_its_store_what_the_trace_leaves_in_a_table() {
    for path in files("testdata/regressions") {
        let (seeds, _) = seeds(&fs::read_to_string(&path).expect("it can be read"));
        let left_by = |name: &str| {
            let seed = seeds
                .iter()
                .find(|seed| seed.target == name)
                .expect("it is a target of steps");
            let level = target(name).and_then(|target| target.level).expect("it has a level");
            let trace = decode(&seed.bytes, level).expect("seeds are inputs").trace;
            let mut rows: Rows = trace
                .setup
                .rows
                .iter()
                .map(|row| (row.id.clone(), row.clone()))
                .collect();
            trace.steps.iter().for_each(|step| step.apply_to(&mut rows));
            let untagged = |row| Row {
                tag: String::new(),
                ..row
            };
            rows.into_values().map(untagged).collect::<Vec<Row>>()
        };
        assert_eq!(left_by("fleet"), left_by("updates"), "{}", path.display());
    }
}

/// Of the known traces only those with a parameter bundle have no steps.
#[test]
fn known_traces_without_a_bundle_are_inputs() {
    let mut count = 0;
    for path in files("testdata/known/litellm") {
        let text = fs::read_to_string(&path).expect("it can be read");
        let (_, steps) = seeds(&text);
        assert_eq!(
            steps.is_err(),
            text.contains("extra = "),
            "{}: {steps:?}",
            path.display()
        );
        count += usize::from(steps.is_ok());
    }
    assert!(count > 0, "there is no known trace");
}

/// The alarm works: each target of steps that judges a router sees a fault that is planted in it.
#[test]
fn a_planted_fault_is_found_and_written_as_a_trace() {
    let settings = TargetSettings {
        fault: "upsert-keeps-global-pattern".to_owned(),
    };
    let faulty = target("faulty").expect("it is a target");
    let mut body = (faulty.body)(&settings).expect("there is such a fault");
    let text = include_str!("../../../testdata/regressions/updated-wildcard.toml");
    let (seeds, _) = seeds(text);
    let seed = seeds
        .iter()
        .find(|seed| seed.target == "faulty")
        .expect("the trace has steps");
    let failure = body.run(&seed.bytes).expect_err("the fault shows");
    let file = failure.trace.expect("the input is a trace");
    assert_eq!(file.router.as_deref(), Some("faulty:upsert-keeps-global-pattern"));
    assert_eq!(protocol::TraceFile::parse(&file.to_toml()), Ok(file));
    let other = TargetSettings {
        fault: "no-such-fault".to_owned(),
    };
    assert!((faulty.body)(&other).is_err_and(|why| why.contains("`no-such-fault`")));
}
