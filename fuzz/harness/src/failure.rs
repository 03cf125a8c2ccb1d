//! Failures that a target found, made small and written as traces.

use std::any::Any;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};

use model::{Finding, Judge, RuleSet, minimal, router_questions, shrink, trial, viewers};
use protocol::{
    Answer, Change, Changed, Hello, InProcess, Level, Local, Query, Question, Questions, RouterUnderTest, Row, Run,
    Step, Trace, TraceFile,
};

use crate::codec::{Input, Record, decode_records};

/// A failure that a target found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFailure {
    /// A description of what is wrong, for a person.
    pub what: String,
    /// The trace that shows it, where the input is one.
    pub trace: Option<TraceFile>,
    /// Number of steps of the input.
    pub steps: u64,
}

impl TargetFailure {
    /// A failure of an input that is no trace.
    pub fn of_bytes(what: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            what: what.into(),
            trace: None,
            steps: 1,
        })
    }
}

/// Returns what `act` returns; a panic in it is an error like any other.
///
/// # Errors
///
/// Those of `act`, and what it said when it broke.
pub(crate) fn caught<T>(act: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(format!("panicked: {}", panic_text(panic.as_ref()))))
}

/// Returns the text of a panic.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref().copied()).unwrap_or("no text")
}

/// The judge of such routers or fleets by every rule.
///
/// # Panics
///
/// The router claims a preset that does not exist.
pub(crate) fn judge_of(hello: &Hello, level: Level) -> Judge {
    Judge::new(hello, RuleSet::of(level)).expect("routers in this process know their presets")
}

/// Returns the failure that the rules see in this run, with the smallest trace that shows it; nothing where they see none.
pub(crate) fn judged(router: &mut dyn RouterUnderTest, judge: &Judge, run: &Run) -> Option<Box<TargetFailure>> {
    let findings = match trial(router, judge, std::slice::from_ref(run)) {
        Ok(judged) => judged.into_iter().flat_map(|judged| judged.tally.findings),
        Err(fault) => return Some(TargetFailure::of_bytes(fault.to_string())),
    };
    let mut findings: Vec<_> = findings.collect();
    // Findings with a query come first: any build of the router can be asked a lookup.
    findings.sort_by_key(|finding| finding.question.as_ref().and_then(Question::query).is_none());
    let finding = findings.into_iter().next()?;
    let shrunk = shrink(router, judge, run, &finding, &mut || true).ok().flatten();
    let (trace, finding) = match shrunk {
        Some(shrunk) => (with_question(shrunk.run.trace, &shrunk.finding), shrunk.finding),
        None => (run.trace.clone(), finding),
    };
    let [allowed, got] = finding.words();
    let what = format!("{} {}: allowed: {allowed}, got: {got}", finding.rule, finding.class);
    let mut file = TraceFile::new(&what, trace);
    file.rule = Some(finding.rule.to_string());
    Some(Box::new(TargetFailure {
        what,
        trace: Some(file),
        steps: run.trace.steps.len() as u64,
    }))
}

/// The trace, and at its end the question that shows what was found.
fn with_question(mut trace: Trace, finding: &Finding) -> Trace {
    trace.steps.extend(
        finding
            .question
            .iter()
            .map(|question| Step::Ask(finding.replica, question.clone())),
    );
    trace
}

/// The run of an input that asks these questions of its world after each step.
pub(crate) fn run_of(input: &Input, questions: &[usize]) -> Run {
    let queries = questions.iter().map(|at| input.world.matrix[*at].clone()).collect();
    let scope = &input.world.scope;
    let asked = router_questions(scope, queries, viewers(scope));
    Run {
        questions: Questions::after_each(asked, input.trace.steps.len()),
        trace: input.trace.clone(),
    }
}

/// The failure `what` of the input, by the rules' own word where they see it too; else with the fewest steps after which
/// the target still fails.
pub(crate) fn of_router<R: Local + Default>(
    what: String,
    input: &Input,
    run: &Run,
    records: &[Record],
    fails: impl FnMut(&[Record]) -> bool,
) -> Box<TargetFailure> {
    let mut router = InProcess::new(Guarded::<R>::default());
    let judge = judge_of(router.hello(), Level::Router);
    judged(&mut router, &judge, run).unwrap_or_else(|| of_steps(what, input, records, Level::Router, fails))
}

/// The failure `what` with the fewest steps after which the target still fails.
pub(crate) fn of_steps(
    what: String,
    input: &Input,
    records: &[Record],
    level: Level,
    mut fails: impl FnMut(&[Record]) -> bool,
) -> Box<TargetFailure> {
    let Ok(records) = minimal(records.to_vec(), |records| Ok::<bool, Infallible>(fails(records)));
    let small = decode_records(input.header, &records, level);
    let trace = TraceFile::new(&what, small.trace);
    Box::new(TargetFailure {
        what,
        trace: Some(trace),
        steps: input.trace.steps.len() as u64,
    })
}

/// A router whose panics are answers: what it was asked when it broke, the rules can then judge and make small.
#[derive(Debug, Default)]
struct Guarded<R> {
    router: R,
    /// The router's panic text.
    broken: Option<String>,
}

impl<R: Local + Default> Guarded<R> {
    fn change_with(&mut self, change: impl FnOnce(&mut R) -> Changed) -> Changed {
        let changed = catch_unwind(AssertUnwindSafe(|| change(&mut self.router)));
        changed.unwrap_or_else(|panic| {
            self.broken = Some(panic_text(panic.as_ref()).to_owned());
            Changed::APPLIED
        })
    }
}

impl<R: Local + Default> Local for Guarded<R> {
    fn describe(&self) -> Hello {
        self.router.describe()
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

    fn claims(&self) -> Vec<String> {
        self.router.claims()
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        self.router.sizes()
    }
}
