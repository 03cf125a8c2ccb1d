//! Puts the targets of the harness behind libFuzzer.
//!
//! It owns everything between the process of a fuzzer and the outside: environment variables, the counters that are
//! printed at the end, and the file that a found trace is written to.
//!
//! | variable | meaning |
//! |---|---|
//! | `ROUTEPROOF_FAULT` | the planted fault that the target `faulty` is about; `none` where it is not set |
//! | `ROUTEPROOF_TRACES` | the directory that a found trace is written to; `artifacts/TARGET` where it is not set |

use std::cell::RefCell;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

pub use fuzz_harness;
use fuzz_harness::{Body, TargetFailure, TargetSettings, Work, mutate, panic_text, target};
pub use libfuzzer_sys;
use libfuzzer_sys::{Corpus, fuzzer_mutate};
use protocol::Step;

/// Makes a binary of the target of that name, whose inputs are bytes.
#[macro_export]
macro_rules! bytes {
    ($name:literal) => {
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| -> $crate::libfuzzer_sys::Corpus {
            $crate::run($name, data)
        });
    };
}

/// Makes a binary of the target of that name, whose inputs are steps.
#[macro_export]
macro_rules! steps {
    ($name:literal) => {
        $crate::bytes!($name);
        $crate::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutated($name, &mut data[..max_size], size, seed)
        });
        $crate::libfuzzer_sys::fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
            $crate::fuzz_harness::splice(one, other, out, seed)
        });
    };
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Set once a panic was reported: the first one is the finding, and those after it come from shrinking it.
static TOLD: AtomicBool = AtomicBool::new(false);

/// The target that a process runs, and the work that it has done so far.
struct State {
    name: &'static str,
    body: Box<dyn Body>,
    executions: u64,
    done: Work,
}

/// Runs the target of that name on one input.
///
/// # Panics
///
/// There is no such target, or no such fault.
pub fn run(name: &'static str, data: &[u8]) -> Corpus {
    STATE.with_borrow_mut(|state| {
        let state = state.get_or_insert_with(|| State::new(name).unwrap_or_else(|why| panic!("{why}")));
        state.run(data)
    })
}

/// Changes an input of the target of that name, whose inputs are steps.
///
/// # Panics
///
/// There is no such target, or its inputs are not steps.
pub fn mutated(name: &str, data: &mut [u8], size: usize, seed: u32) -> usize {
    let level = target(name).and_then(|target| target.level).expect("a target of steps");
    mutate(data, size, seed, level, |data, size| {
        fuzzer_mutate(data, size, data.len())
    })
}

impl State {
    fn new(name: &'static str) -> Result<Self, String> {
        let settings = TargetSettings {
            fault: variable("ROUTEPROOF_FAULT").unwrap_or_else(|| TargetSettings::default().fault),
        };
        let target = target(name).ok_or_else(|| format!("there is no target `{name}`"))?;
        // libFuzzer's own hook ends the process before anything can be made small.
        drop(panic::take_hook());
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !TOLD.swap(true, Ordering::Relaxed) {
                tell(info);
            }
        }));
        Ok(Self {
            name,
            body: (target.body)(&settings)?,
            executions: 0,
            done: Work::default(),
        })
    }

    fn counts(&self) -> String {
        let Work { steps, lookups } = self.done;
        format!(
            "target {}, executions {}, operations {steps}, checked lookups {lookups}",
            self.name, self.executions
        )
    }

    fn run(&mut self, data: &[u8]) -> Corpus {
        self.executions += 1;
        let ran = catch_unwind(AssertUnwindSafe(|| self.body.run(data)));
        match ran {
            Ok(Ok(Some(work))) => {
                self.done.steps += work.steps;
                self.done.lookups += work.lookups;
                Corpus::Keep
            }
            Ok(Ok(None)) => Corpus::Reject,
            Ok(Err(failure)) => self.found(&failure),
            Err(panic) => self.found(&TargetFailure::of_bytes(panic_text(panic.as_ref()))),
        }
    }

    /// Says what was found and ends the process in the way that libFuzzer takes for a crash, so that it keeps the input.
    fn found(&mut self, failure: &TargetFailure) -> ! {
        self.done.steps += failure.steps;
        eprintln!("found: {}", failure.what);
        eprintln!("{}", self.counts());
        if let Some(file) = &failure.trace {
            let done = file.trace.steps.iter().filter(|step| !matches!(step, Step::Ask(..)));
            // A list is as many steps as it has rows.
            let rows = |step: &Step| step.rows().len().max(1);
            let steps = file.trace.setup.rows.len() + done.map(rows).sum::<usize>();
            let rule = file.rule.as_deref().unwrap_or("none");
            eprintln!("rule {rule}, shrunk steps {steps}");
            match written(self.name, &file.to_toml()) {
                Ok(path) => eprintln!("trace: {}", path.display()),
                Err(why) => eprintln!("no trace could be written: {why}"),
            }
        }
        std::process::abort();
    }
}

/// The fuzzer ends its process by `exit`, which drops what belongs to the thread.
impl Drop for State {
    fn drop(&mut self) {
        eprintln!("{}", self.counts());
    }
}

/// Writes a trace beside the inputs that libFuzzer keeps, or where the environment says.
fn written(target: &str, trace: &str) -> io::Result<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("artifacts").join(target);
    let directory = variable("ROUTEPROOF_TRACES").map_or_else(beside, PathBuf::from);
    let mut hasher = DefaultHasher::new();
    trace.hash(&mut hasher);
    let path = directory.join(format!("{target}-{:016x}.toml", hasher.finish()));
    fs::create_dir_all(&directory)?;
    // Under another name first: nobody is to find half a trace.
    let partial = path.with_extension("partial");
    fs::write(&partial, trace)?;
    fs::rename(&partial, &path)?;
    Ok(path)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the edge: a fuzzer's own flags are libFuzzer's"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
