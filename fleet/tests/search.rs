//! The engine for scale: its progress, the limits that cut it, and the shares of its workers.

#[path = "../../model/tests/kept/mod.rs"]
mod kept;

use std::path::Path;
use std::sync::{Arc, Mutex};

use fleet::poll2::{Poll2, Poll2Bounds};
use fleet::strategies::{LITELLM_1_85, REFERENCE};
use fleet::{
    Bounds, Checkpoint, Ended, Exploration, ExploreOptions, Fleet, Kind, Limit, Packed, Progress, Shape, Visited,
    explore,
};
use model::RuleId;

use crate::kept::check;

/// Bytes of a state.
const STATE_BYTES: u64 = 8;

fn poll2() -> Poll2 {
    Poll2::new(Poll2Bounds {
        replicas: 2,
        rows: 2,
        versions: 2,
        crash: false,
    })
    .expect("bounds fit")
}

fn run(options: &ExploreOptions) -> (Exploration<u64>, Vec<Progress>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let on_progress = Arc::new(move |progress| telling.lock().expect("no panic").push(progress));
    let report = explore(&poll2(), options, on_progress).expect("it runs");
    let told = told.lock().expect("no panic").clone();
    (report, told)
}

fn in_files(dir: &Path, threads: usize) -> ExploreOptions {
    ExploreOptions {
        threads,
        checkpoint: Some(Checkpoint {
            dir: dir.to_owned(),
            resume: false,
        }),
        ..ExploreOptions::default()
    }
}

#[test]
fn each_level_is_told_once_as_a_run_that_ends_there_reports_it() {
    for threads in [1, 2] {
        let options = ExploreOptions {
            threads,
            ..ExploreOptions::default()
        };
        let (whole, told) = run(&options);
        assert_eq!((whole.ended, told.len()), (Ended::Exhausted, whole.depth as usize));
        let mut before = 0;
        for (depth, progress) in (1..).zip(&told) {
            let (cut, _) = run(&ExploreOptions {
                depth_max: Some(depth),
                ..options.clone()
            });
            assert_eq!(cut.ended, Ended::Cut(Limit::Depth(depth)));
            assert_eq!(
                (progress.depth, progress.distinct, progress.generated),
                (cut.depth, cut.distinct, cut.generated)
            );
            assert_eq!(progress.frontier, progress.distinct - before);
            before = progress.distinct;
        }
        assert_eq!(before, whole.distinct);
    }
}

#[test]
fn the_bytes_told_are_those_of_the_set_and_of_the_states_in_memory() {
    for threads in [1, 2] {
        let dir = tempfile::tempdir().expect("a directory");
        let (_, in_memory) = run(&ExploreOptions {
            threads,
            ..ExploreOptions::default()
        });
        let (_, filed) = run(&in_files(dir.path(), threads));
        let empty = Visited::<u64>::new(poll2().bits()).bytes() * threads as u64;
        assert_eq!(in_memory[0].bytes, empty + STATE_BYTES);
        for (memory, files) in in_memory.iter().zip(&filed) {
            assert_eq!(
                memory.bytes - memory.distinct * STATE_BYTES,
                files.bytes - files.frontier * STATE_BYTES,
                "in files only the last level stays in memory"
            );
        }
        let last = in_memory.last().expect("there are levels");
        assert!(last.bytes > empty + last.distinct * STATE_BYTES, "the set has grown");
    }
}

#[test]
fn a_limit_cuts_at_the_first_level_that_meets_it() {
    let (_, told) = run(&ExploreOptions::default());
    let third = told[2];
    let cut = |states_max, depth_max| {
        let (report, _) = run(&ExploreOptions {
            states_max,
            depth_max,
            ..ExploreOptions::default()
        });
        (report.ended, report.depth)
    };
    let (exactly, more) = (third.distinct, third.distinct + 1);
    assert_eq!(cut(Some(exactly), None), (Ended::Cut(Limit::States(exactly)), 3));
    assert_eq!(cut(Some(more), None), (Ended::Cut(Limit::States(more)), 4));
    assert_eq!(cut(Some(more), Some(3)), (Ended::Cut(Limit::Depth(3)), 3));
}

#[test]
fn what_a_cut_run_had_no_time_for_is_named() {
    let (report, _) = run(&ExploreOptions {
        depth_max: Some(2),
        ..ExploreOptions::default()
    });
    let machine = poll2();
    assert_eq!(
        report.dead(&machine),
        [Kind::Update, Kind::Delete, Kind::Apply, Kind::Request]
    );
    assert_eq!(report.vacuous(&machine), [RuleId::NoFuture, RuleId::Monotonic]);
}

#[test]
fn a_bound_on_memory_cuts_within_a_level() {
    for threads in [1, 2] {
        let bounded = |memory_max| {
            run(&ExploreOptions {
                threads,
                memory_max: Some(memory_max),
                ..ExploreOptions::default()
            })
        };
        let (whole, told) = bounded(1 << 30);
        assert_eq!(whole.ended, Ended::Exhausted);
        let enough_for_some = told[4].bytes;
        let (report, progress) = bounded(enough_for_some);
        assert_eq!(report.ended, Ended::Cut(Limit::Memory(enough_for_some)));
        assert_eq!(
            (report.depth as usize, progress.len()),
            (progress.len() + 1, progress.len())
        );
        assert!((4..8).contains(&progress.len()), "{} levels", progress.len());
        let before = progress.last().expect("there are levels").distinct;
        assert!(before < report.distinct && report.distinct <= told[progress.len()].distinct);
    }
}

#[test]
fn the_workers_share_every_large_level_evenly() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_, told) = run(&in_files(dir.path(), 3));
    for (level, progress) in told
        .iter()
        .enumerate()
        .filter(|(_, progress)| progress.frontier > 1_000)
    {
        for part in 0..3 {
            let part = dir.path().join(format!("level-{level:04}.part-{part:03}"));
            let bytes = std::fs::read(&part).expect("the part is there");
            let header: usize = bytes
                .split_inclusive(|byte| *byte == b'\n')
                .take(2)
                .map(<[u8]>::len)
                .sum();
            let states = (bytes.len() - header) as u64 / STATE_BYTES;
            let even = progress.frontier / 3;
            assert!(states.abs_diff(even) < even / 4, "{states} of {}", progress.frontier);
        }
    }
}

/// The headers of the files of four levels, each with its checksum.
fn headers<M: Packed>(machine: &M) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let options = ExploreOptions {
        depth_max: Some(4),
        ..in_files(dir.path(), 1)
    };
    explore(machine, &options, Arc::new(|_| {})).expect("it runs");
    let header = |level| {
        let bytes = std::fs::read(dir.path().join(format!("level-{level:04}.part-000"))).expect("the level is there");
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').take(2).collect();
        String::from_utf8(lines.concat()).expect("it is JSON, and hexadecimal")
    };
    (0..4).map(header).collect()
}

/// A checkpoint outlives the program that wrote it.
#[test]
fn the_files_of_a_level_are_what_they_were() {
    let wide = Bounds {
        rows: 2,
        versions: 2,
        strategies: vec![LITELLM_1_85, REFERENCE],
        kinds: Kind::ALL.to_vec(),
        shapes: Shape::ALL.to_vec(),
        admin: true,
    };
    let wide = Fleet::new(wide.possible()).expect("bounds fit");
    check("levels", &(headers(&poll2()) + &headers(&wide)));
}
