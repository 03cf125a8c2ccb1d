//! The engine for scale: an exact, level-synchronous breadth-first search by any number of workers.
//!
//! Every worker (a thread of any process on any host) owns the states whose scrambled word falls to it. All workers
//! expand the same level at the same time, hand each successor to its owner and meet before the next level. So the counts
//! are the same for any number of workers, a counterexample is always a shortest one, and it is always the same one.
//! Parents are not stored: a path is found backwards, by expanding the levels again.
//!
//! # Errors
//!
//! [`ExploreError`]; the worker that meets one leaves, and every other then ends with [`ExploreError::PeerLeft`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::timely::WorkerConfig;
use ::timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use ::timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use ::timely::communication::{Config as Network, Hooks};
use ::timely::execute::execute_from;

use crate::machine::Packed;
use crate::search::error::ExploreError;
use crate::search::hosts;
use crate::search::options::{ExploreOptions, Hosts, OnProgress};
use crate::search::report::Exploration;
use crate::search::visited::Visited;
use crate::search::worker::Search;
use crate::word::Word;

/// Explores `machine`. Every process returns the same report.
pub fn explore<M: Packed>(
    machine: &M,
    options: &ExploreOptions,
    on_progress: OnProgress,
) -> Result<Exploration<M::State>, ExploreError> {
    check_hosts(options)?;
    check_memory(machine, options)?;
    let (builders, guard) = network(options)?;
    let alone = options.hosts.is_none();
    let (machine, options) = (machine.clone(), options.clone());
    let workers = execute_from(builders, guard, WorkerConfig::default(), move |worker| {
        // A panic becomes an error, so that this worker leaves in order and nobody waits for it.
        let search = AssertUnwindSafe(|| Search::join(&machine, &options, worker)?.run(&*on_progress));
        catch_unwind(search).unwrap_or(Err(ExploreError::Panicked))
    });
    let workers = workers.map_err(ExploreError::Network)?;
    // timely's own threads panic where another process is gone, and so do the workers that wait for it.
    let lost = || {
        if alone {
            ExploreError::Panicked
        } else {
            ExploreError::PeerLeft
        }
    };
    let joined = catch_unwind(AssertUnwindSafe(|| workers.join())).unwrap_or_else(|_| vec![Ok(Err(lost()))]);
    let results = joined.into_iter().map(|result| match result {
        Ok(Err(ExploreError::Panicked)) | Err(_) => Err(lost()),
        Ok(result) => result,
    });
    // The worker that failed knows why; the others only know that it left.
    let (peers_left, others): (Vec<_>, Vec<_>) =
        results.partition(|result| matches!(result, Err(ExploreError::PeerLeft)));
    let mut verdicts: Vec<_> = others.into_iter().chain(peers_left).collect();
    let worst = verdicts.iter().position(Result::is_err).unwrap_or(0);
    verdicts.swap_remove(worst)
}

fn check_hosts(options: &ExploreOptions) -> Result<(), ExploreError> {
    if options.threads == 0 {
        return Err(ExploreError::NoThreads);
    }
    match &options.hosts {
        Some(Hosts { addresses, process, .. }) if *process >= addresses.len() => Err(ExploreError::NoSuchProcess {
            process: *process,
            processes: addresses.len(),
        }),
        _ => Ok(()),
    }
}

/// The connections of the workers, and a guard that closes them once it is dropped.
type Wires = (Vec<AllocatorBuilder>, Box<dyn Any + Send>);

fn network(options: &ExploreOptions) -> Result<Wires, ExploreError> {
    let Some(hosts) = &options.hosts else {
        let within = if options.threads == 1 {
            Network::Thread
        } else {
            Network::Process(options.threads)
        };
        return within.try_build().map_err(ExploreError::Network);
    };
    let Hooks { refill, spill, .. } = Hooks::default();
    let within = ProcessBuilder::new_typed_vector(options.threads, refill, spill);
    let streams = hosts::connect(hosts)?;
    let wired = initialize_networking_from_sockets(within, streams, hosts.process, options.threads, Hooks::default());
    let (builders, guard) = wired.map_err(|why| ExploreError::Network(why.to_string()))?;
    let builders = builders.into_iter().map(AllocatorBuilder::Tcp);
    Ok((builders.collect(), Box::new(guard)))
}

fn check_memory<M: Packed>(machine: &M, options: &ExploreOptions) -> Result<(), ExploreError> {
    let Some(memory_max) = options.memory_max else {
        return Ok(());
    };
    let empty = Visited::<M::State>::new(machine.bits()).bytes() * options.threads as u64;
    let too_little = |why| Err(ExploreError::TooLittleMemory { memory_max, why });
    if empty > memory_max {
        return too_little(format!("the empty set of states takes {empty}"));
    }
    let processes = options.hosts.as_ref().map_or(1, |hosts| hosts.addresses.len() as u64);
    let word_bytes = u64::from(<M::State as Word>::BITS / u8::BITS);
    match options.states_max {
        Some(states) if states / processes > memory_max / word_bytes => {
            too_little(format!("{states} states take at least {word_bytes} bytes each"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::machine::Machine as _;
    use crate::poll2::{Poll2, poll2};
    use crate::search::levels::{Checkpoint, Levels};
    use crate::search::report::{Ended, Limit};

    fn run(machine: &Poll2, options: &ExploreOptions) -> Result<Exploration<u64>, ExploreError> {
        explore(machine, options, Arc::new(|_| {}))
    }

    fn counts(machine: &Poll2, symmetric: bool, threads: usize) -> (u64, u64, u32) {
        let options = ExploreOptions {
            symmetric,
            threads,
            ..ExploreOptions::default()
        };
        let report = run(machine, &options).expect("it runs");
        report.counts(machine)
    }

    #[test]
    fn counts_equal_the_checkers_with_any_number_of_workers() {
        for threads in [1, 2, 3] {
            assert_eq!(counts(&poll2(2, 1, 2, true), false, threads), (902, 4_074, 15));
            assert_eq!(counts(&poll2(2, 1, 2, true), true, threads), (477, 2_158, 15));
            assert_eq!(counts(&poll2(2, 2, 2, false), false, threads), (40_448, 159_601, 20));
            assert_eq!(counts(&poll2(3, 1, 2, true), true, threads), (3_456, 22_729, 21));
        }
    }

    #[test]
    fn a_limit_cuts_and_is_named() {
        let machine = poll2(2, 2, 2, false);
        let states = ExploreOptions {
            states_max: Some(1_000),
            ..ExploreOptions::default()
        };
        assert_eq!(
            run(&machine, &states).expect("it runs").ended,
            Ended::Cut(Limit::States(1_000))
        );
        let depth = ExploreOptions {
            depth_max: Some(3),
            threads: 2,
            ..ExploreOptions::default()
        };
        let report = run(&machine, &depth).expect("it runs");
        assert_eq!((report.ended, report.depth), (Ended::Cut(Limit::Depth(3)), 3));
        let memory = ExploreOptions {
            memory_max: Some(400_000),
            ..ExploreOptions::default()
        };
        assert_eq!(
            run(&machine, &memory).expect("it runs").ended,
            Ended::Cut(Limit::Memory(400_000))
        );
    }

    #[test]
    fn impossible_options_are_refused() {
        let machine = poll2(2, 1, 1, false);
        let refused = |options: ExploreOptions| run(&machine, &options).expect_err("refused").to_string();
        let none = refused(ExploreOptions {
            threads: 0,
            ..ExploreOptions::default()
        });
        assert_eq!(none, "a search needs at least one thread");
        let hosts = refused(ExploreOptions {
            hosts: Some(Hosts {
                addresses: vec!["localhost:0".to_owned()],
                process: 1,
                wait: Duration::ZERO,
            }),
            ..ExploreOptions::default()
        });
        assert!(hosts.starts_with("process 1 is not one of the 1"), "{hosts}");
    }

    #[test]
    fn a_bound_on_memory_that_nothing_fits_is_refused() {
        let machine = poll2(2, 1, 1, false);
        let empty = Visited::<u64>::new(machine.bits()).bytes();
        // Two processes share the states, and the second never comes.
        let outcome = |threads, memory_max, states_max, processes| {
            let address = |_| "localhost:0".to_owned();
            let hosts = (processes > 1).then(|| Hosts {
                addresses: (0..processes).map(address).collect(),
                process: 0,
                wait: Duration::ZERO,
            });
            let options = ExploreOptions {
                threads,
                memory_max: Some(memory_max),
                states_max,
                hosts,
                ..ExploreOptions::default()
            };
            match run(&machine, &options) {
                Ok(_) | Err(ExploreError::Absent { .. }) => "taken".to_owned(),
                Err(why) => why.to_string(),
            }
        };
        for threads in [1, 2] {
            let least = empty * threads as u64;
            assert_eq!(outcome(threads, least, None, 1), "taken");
            assert_eq!(
                outcome(threads, least - 1, None, 1),
                format!(
                    "{} bytes of memory are too few: the empty set of states takes {least}",
                    least - 1
                )
            );
        }
        for processes in [1, 2] {
            let most = processes << 17;
            assert_eq!(outcome(1, 1 << 20, Some(most), processes), "taken");
            assert_eq!(
                outcome(1, 1 << 20, Some(most + processes), processes),
                format!(
                    "1048576 bytes of memory are too few: {} states take at least 8 bytes each",
                    most + processes
                )
            );
        }
    }

    fn kept(dir: &std::path::Path, resume: bool) -> ExploreOptions {
        ExploreOptions {
            threads: 2,
            checkpoint: Some(Checkpoint {
                dir: dir.to_owned(),
                resume,
            }),
            ..ExploreOptions::default()
        }
    }

    #[test]
    fn a_resumed_run_ends_like_one_that_was_never_cut() {
        let dir = tempfile::tempdir().expect("a directory");
        let machine = poll2(2, 1, 2, true);
        let cut = ExploreOptions {
            depth_max: Some(6),
            ..kept(dir.path(), false)
        };
        assert_eq!(run(&machine, &cut).expect("it runs").ended, Ended::Cut(Limit::Depth(6)));
        // As after a kill: one worker had no time to keep its part of the last level.
        std::fs::remove_file(dir.path().join("level-0005.part-001")).expect("the part is there");
        let resumed = run(&machine, &kept(dir.path(), true)).expect("it resumes");
        let whole = run(&machine, &ExploreOptions::default()).expect("it runs");
        assert_eq!(format!("{resumed:?}"), format!("{whole:?}"));
        assert_eq!(
            run(&machine, &kept(dir.path(), true))
                .expect("nothing is left to do")
                .distinct,
            902
        );
    }

    #[test]
    fn a_checkpoint_that_does_not_fit_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let machine = poll2(2, 1, 2, true);
        let refused =
            |machine: &Poll2, options: ExploreOptions| run(machine, &options).expect_err("refused").to_string();
        let nothing = refused(&machine, kept(dir.path(), true));
        assert!(nothing.contains("holds no checkpoint"), "{nothing}");
        run(&machine, &kept(dir.path(), false)).expect("it runs");
        let occupied = refused(&machine, kept(dir.path(), false));
        assert!(occupied.contains("already holds a checkpoint"), "{occupied}");
        let other = refused(&poll2(2, 1, 3, true), kept(dir.path(), true));
        assert!(other.contains("versions=2") && other.contains("versions=3"), "{other}");
        let symmetric = ExploreOptions {
            symmetric: true,
            ..kept(dir.path(), true)
        };
        assert!(refused(&machine, symmetric).contains("symmetric=false"));

        let part = dir.path().join("level-0004.part-000");
        let whole = std::fs::read(&part).expect("the part is there");
        let mut flipped = whole.clone();
        *flipped.last_mut().expect("it is not empty") ^= 1;
        for bytes in [
            &flipped[..],
            &whole[..whole.len() - 1],
            &whole[1..],
            b"",
            &[&whole[..], b"0"].concat(),
        ] {
            std::fs::write(&part, bytes).expect("it can be written");
            let corrupt = refused(&machine, kept(dir.path(), true));
            assert!(
                corrupt.contains("is corrupt") && corrupt.contains("level-0004"),
                "{corrupt}"
            );
        }
    }

    #[test]
    fn damage_in_any_byte_of_a_checkpoint_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let machine = poll2(1, 1, 2, true);
        let alone = |resume| ExploreOptions {
            threads: 1,
            ..kept(dir.path(), resume)
        };
        run(&machine, &alone(false)).expect("it runs");
        for level in ["level-0000", "level-0002"] {
            let part = dir.path().join(format!("{level}.part-000"));
            let whole = std::fs::read(&part).expect("the part is there");
            assert!(whole.len() > 250, "it has a header: {} bytes", whole.len());
            for (at, byte) in whole.iter().enumerate() {
                for flips in [1 << (at % 8), 0x20, 0xff] {
                    let mut damaged = whole.clone();
                    damaged[at] = byte ^ flips;
                    std::fs::write(&part, damaged).expect("it can be written");
                    let refused = run(&machine, &alone(true)).expect_err("it is damaged").to_string();
                    assert!(
                        refused.contains("is corrupt") && refused.contains(level),
                        "byte {at}: {refused}"
                    );
                }
            }
            std::fs::write(&part, whole).expect("it can be written");
        }
        run(&machine, &alone(true)).expect("it is whole again");
    }

    #[test]
    fn a_checkpoint_of_another_format_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let machine = poll2(2, 1, 2, true);
        let old = r#"{"format":1,"run":"poll2","level":0,"part":0,"parts":1,"states":1}"#;
        std::fs::write(dir.path().join("level-0000.part-000"), format!("{old}\n01234567")).expect("it can be written");
        let resuming = ExploreOptions {
            threads: 1,
            ..kept(dir.path(), true)
        };
        let refused = run(&machine, &resuming).expect_err("it is old").to_string();
        assert!(refused.contains("has format 1"), "{refused}");
        assert!(
            refused.ends_with("start anew in another directory, or resume with the program that wrote it"),
            "{refused}"
        );
    }

    #[test]
    fn a_level_with_the_states_of_another_worker_or_level_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let machine = poll2(2, 1, 2, true);
        let whole = run(&machine, &kept(dir.path(), false)).expect("it runs");
        let resuming = kept(dir.path(), true);
        let part = |part| {
            let run = format!("{} symmetric=false", machine.identity());
            Levels::<u64>::open(resuming.checkpoint.as_ref(), run, part, 2).expect("it is there")
        };
        let level = |number, of_part| {
            let mut states = Vec::new();
            let counted = part(of_part).visit::<serde_json::Value>(number, |chunk| states.extend_from_slice(chunk));
            (Rc::new(states), counted.expect("it reads back").expect("it is a file"))
        };
        let keep = |(states, counted)| part(0).keep(4, &states, &counted).expect("it can be written");
        let own = level(4, 0);
        for other in [level(4, 1), level(3, 0)] {
            keep(other);
            let refused = run(&machine, &resuming).expect_err("refused").to_string();
            assert!(refused.contains("its states are not those of the level"), "{refused}");
        }
        keep(own);
        let resumed = run(&machine, &resuming).expect("it resumes");
        assert_eq!(format!("{resumed:?}"), format!("{whole:?}"));
    }

    #[test]
    #[ignore = "minutes in a debug build: run with --release"]
    fn golden_counts() {
        for threads in [1, 2] {
            assert_eq!(
                counts(&poll2(2, 2, 3, true), false, threads),
                (1_483_941, 9_029_159, 23)
            );
            assert_eq!(counts(&poll2(2, 2, 3, true), true, threads).0, 745_019);
            assert_eq!(
                counts(&poll2(3, 2, 2, false), false, threads),
                (2_592_032, 14_486_807, 29)
            );
            assert_eq!(counts(&poll2(3, 2, 2, false), true, threads).0, 452_456);
        }
    }
}
