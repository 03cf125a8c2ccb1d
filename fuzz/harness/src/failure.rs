//! What a target found, made small and written as a trace.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use model::generate::viewers;
use model::rules::RuleSet;
use model::shrink::shrink;
use model::trial::{Judge, trial};
use protocol::{Answer, Change, Changed, Hello, InProcess, Local, Outcome, Query, RouterUnderTest, Row, Run, Trace};

use crate::codec::{Input, Level, Record, decode_records};

/// What a target found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong, for a person.
    pub what: String,
    /// The trace that shows it, where the input is one.
    pub trace: Option<Trace>,
    /// How many steps the input had.
    pub steps: u64,
}

impl Failure {
    /// A failure of an input that is no trace.
    pub fn of_bytes(what: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            what: what.into(),
            trace: None,
            steps: 1,
        })
    }
}

/// What `act` gives; a panic in it is an error like any other.
///
/// # Errors
///
/// Those of `act`, and what it said when it broke.
pub fn caught<T>(act: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(format!("panicked: {}", panic_text(panic.as_ref()))))
}

/// What a panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref().copied()).unwrap_or("no text")
}

/// The failure that the rules see in this run, with the smallest trace that shows it; nothing where they see none.
///
/// # Panics
///
/// The router claims a preset that there is none of.
pub fn judged(router: &mut dyn RouterUnderTest, run: &Run) -> Option<Box<Failure>> {
    let judge = Judge::new(router.hello(), RuleSet::default()).expect("routers in this process know their presets");
    let findings = match trial(router, &judge, std::slice::from_ref(run)) {
        Ok(judged) => judged.into_iter().flat_map(|judged| judged.tally.findings),
        Err(fault) => return Some(Failure::of_bytes(fault.to_string())),
    };
    let mut findings: Vec<_> = findings.collect();
    // One with a question is shown by a lookup, which any build of the router shows.
    findings.sort_by_key(|finding| finding.query.is_none());
    let finding = findings.into_iter().next()?;
    let shrunk = shrink(router, &judge, run, &finding).ok().flatten();
    let (steps, finding) = match shrunk {
        Some(shrunk) => (Some(shrunk.case), shrunk.finding),
        None => (None, finding),
    };
    let what = format!(
        "{} {}: allowed: {}, got: {}",
        finding.rule, finding.class, finding.allowed, finding.got
    );
    let mut trace = match steps {
        Some(case) => case.to_trace(&what),
        None => Trace::new(&what, run.initial.clone(), run.steps.clone()),
    };
    trace.rule = Some(finding.rule.to_owned());
    Some(Box::new(Failure {
        what,
        trace: Some(trace),
        steps: run.steps.len() as u64,
    }))
}

/// The run of an input that asks these questions of its world after each step.
pub fn run_of(input: &Input, questions: &[usize]) -> Run {
    Run {
        initial: input.initial.clone(),
        steps: input.steps.clone(),
        observe: (0..).take(input.steps.len() + 1).collect(),
        queries: questions.iter().map(|at| input.world.matrix[*at].clone()).collect(),
        viewers: viewers(&input.world.scope),
        ..Run::default()
    }
}

/// The failure `what` of the input, by the rules' own word where they see it too; else with the fewest steps after which
/// the target still fails.
pub fn of_router<R: Local + Default>(
    what: String,
    input: &Input,
    run: &Run,
    records: &[Record],
    fails: impl FnMut(&[Record]) -> bool,
) -> Box<Failure> {
    let mut router = InProcess::new(Guarded::<R>::default());
    judged(&mut router, run).unwrap_or_else(|| of_steps(what, input, records, Level::Router, fails))
}

/// The failure `what` with the fewest steps after which the target still fails.
pub fn of_steps(
    what: String,
    input: &Input,
    records: &[Record],
    level: Level,
    fails: impl FnMut(&[Record]) -> bool,
) -> Box<Failure> {
    let records = fewest(records, fails);
    let small = decode_records(input.header, &records, level);
    let trace = Trace::new(&what, small.initial, small.steps);
    Box::new(Failure {
        what,
        trace: Some(trace),
        steps: input.steps.len() as u64,
    })
}

/// The fewest of these steps that still fail: none of them can be left out.
fn fewest(records: &[Record], mut fails: impl FnMut(&[Record]) -> bool) -> Vec<Record> {
    let mut least = records.to_vec();
    let mut size = least.len().div_ceil(2).max(1);
    loop {
        let before = least.len();
        let mut at = 0;
        while at < least.len() {
            let mut without = least.clone();
            without.drain(at..(at + size).min(least.len()));
            if fails(&without) {
                least = without;
            } else {
                at += size;
            }
        }
        if size == 1 && least.len() == before {
            return least;
        }
        size = (size / 2).max(1);
    }
}

/// A router whose panics are answers: what it was asked when it broke, the rules can then judge and make small.
#[derive(Debug, Default)]
struct Guarded<R> {
    router: R,
    /// What the router said when it broke.
    broken: Option<String>,
}

impl<R: Local + Default> Guarded<R> {
    fn change_with(&mut self, change: impl FnOnce(&mut R) -> Changed) -> Changed {
        let changed = catch_unwind(AssertUnwindSafe(|| change(&mut self.router)));
        changed.unwrap_or_else(|panic| {
            self.broken = Some(panic_text(panic.as_ref()).to_owned());
            Changed {
                outcome: Outcome::Applied,
                held: None,
            }
        })
    }
}

impl<R: Local + Default> Local for Guarded<R> {
    fn describe() -> Hello {
        R::describe()
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        *self = Self::default();
        self.change_with(|router| router.reset(initial))
    }

    fn change(&mut self, change: &Change) -> Changed {
        self.change_with(|router| router.change(change))
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        if let Some(why) = &self.broken {
            return vec![Answer::Failed(why.clone())];
        }
        let answers = catch_unwind(AssertUnwindSafe(|| self.router.lookup(query)));
        answers.unwrap_or_else(|panic| vec![Answer::Failed(panic_text(panic.as_ref()).to_owned())])
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        catch_unwind(AssertUnwindSafe(|| self.router.listing(team))).unwrap_or_default()
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        self.router.sizes()
    }
}
