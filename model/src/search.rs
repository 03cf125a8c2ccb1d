//! The random engine: draws traces, puts them on trial, tells failures apart and makes each one small.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use protocol::{AdapterFault, Change, RouterUnderTest, Run, Step};

use crate::generate::{Cadence, Seeded, generate};
use crate::rules::Finding;
use crate::shrink::{Case, Kind, shrink, touches};
use crate::trial::{Judge, trial};
use crate::universe::Scope;

/// The most failures that are told apart and made small; those beyond are counted.
pub const FAILURES_MAX: usize = 200;

/// How to search.
#[derive(Clone, Debug)]
pub struct Settings {
    /// With the version of this program it replays the search.
    pub seed: u32,
    /// What traces are drawn from, in turn.
    pub scopes: Vec<Scope>,
    /// When the router is asked the whole matrix.
    pub cadence: Cadence,
    /// How many traces at the most.
    pub traces_max: u32,
    /// How many of them in one message.
    pub batch: u32,
}

/// By what failures are told apart: each is reported once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// The rule, the failure class and the kind of path.
    pub kind: Kind,
    /// The verb of the last change that touched the row.
    pub last: &'static str,
    /// The parameter bundle without which it does not fail.
    pub extra: Option<String>,
}

/// One distinct failure.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What tells it apart.
    pub signature: Signature,
    /// What the shrunk trace shows.
    pub finding: Finding,
    /// The shrunk trace.
    pub case: Case,
    /// The number of the trace that first showed it.
    pub trace: u32,
    /// The universe of that trace.
    pub universe: &'static str,
    /// How many steps that trace had.
    pub steps: usize,
    /// How many findings were of this failure, this one included.
    pub count: u64,
    /// Whether it was made small: not where the search was stopped before, or it did not show again.
    pub shrunk: bool,
}

/// What a search has come to.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Traces put on trial.
    pub traces: u32,
    /// Changes carried out in them.
    pub changes: u64,
    /// Answers judged.
    pub answers: u64,
    /// How often each rule had something to check.
    pub premises: BTreeMap<&'static str, u64>,
    /// Nanoseconds inside the router, as far as the adapter measures.
    pub router_ns: u64,
    /// The distinct failures.
    pub failures: BTreeMap<Signature, Failure>,
    /// Findings that look new and were not made small: the search was stopped, or [`FAILURES_MAX`] was reached.
    pub uncounted: u64,
    /// Whether it was stopped before it had drawn all its traces.
    pub cut: bool,
    /// Failures as they first showed, and what they turned out to be.
    known: BTreeMap<Signature, Signature>,
}

/// Searches until the traces are used up or `go_on`, which is told of every batch and of every new failure, breaks off.
///
/// # Errors
///
/// Those of the router under test.
pub fn search(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    settings: &Settings,
    go_on: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Progress, AdapterFault> {
    let mut progress = Progress::default();
    // The first messages are small, so that a router that fails at once is reported at once.
    let mut batch = 1;
    while progress.traces < settings.traces_max {
        if go_on(&progress).is_break() {
            progress.cut = true;
            break;
        }
        let numbers = progress.traces..settings.traces_max.min(progress.traces + batch);
        let drawn: Vec<(&Scope, Run)> = numbers.clone().map(|number| draw(settings, number)).collect();
        let runs: Vec<Run> = drawn.iter().map(|(_, run)| run.clone()).collect();
        let judged = trial(router, judge, &runs)?;
        for ((number, (scope, run)), judged) in numbers.zip(&drawn).zip(judged) {
            progress.traces += 1;
            progress.changes += run.steps.len() as u64;
            progress.answers += (run.observe.len() * run.queries.len()) as u64;
            progress.router_ns += judged.router_ns;
            for (rule, count) in judged.tally.premises {
                *progress.premises.entry(rule).or_default() += count;
            }
            let drawn = Drawn { number, scope, run };
            progress.note(router, judge, &drawn, judged.tally.findings, go_on)?;
        }
        batch = (batch * 2).min(settings.batch);
    }
    Ok(progress)
}

/// The scope and the run of that number.
pub fn draw(settings: &Settings, number: u32) -> (&Scope, Run) {
    let scope = &settings.scopes[number as usize % settings.scopes.len()];
    let mut choices = Seeded::new(settings.seed, number);
    (scope, generate(scope, &mut choices, settings.cadence))
}

struct Drawn<'a> {
    number: u32,
    scope: &'a Scope,
    run: &'a Run,
}

impl Progress {
    fn note(
        &mut self,
        router: &mut dyn RouterUnderTest,
        judge: &Judge,
        drawn: &Drawn,
        findings: Vec<Finding>,
        go_on: &mut dyn FnMut(&Self) -> ControlFlow<()>,
    ) -> Result<(), AdapterFault> {
        // One trace shows one failure in many answers: it counts once.
        let mut seen = BTreeSet::new();
        for finding in findings {
            let steps = &drawn.run.steps[..finding.after.min(drawn.run.steps.len())];
            let first = signature(&finding, steps);
            if !seen.insert(first.clone()) {
                continue;
            }
            if let Some(failure) = self.known.get(&first).and_then(|known| self.failures.get_mut(known)) {
                failure.count += 1;
                continue;
            }
            let stopped = go_on(self).is_break();
            if self.failures.len() >= FAILURES_MAX || (stopped && !self.failures.is_empty()) {
                self.uncounted += 1;
                continue;
            }
            let shrunk = if stopped {
                None
            } else {
                shrink(router, judge, drawn.run, &finding)?
            };
            let failure = Failure::new(drawn, finding, shrunk.map(|shrunk| (shrunk.case, shrunk.finding)));
            self.known.insert(first, failure.signature.clone());
            self.keep(failure);
        }
        Ok(())
    }

    fn keep(&mut self, mut failure: Failure) {
        if let Some(known) = self.failures.get_mut(&failure.signature) {
            failure.count += known.count;
            let smaller = (!failure.shrunk, failure.case.size()) < (!known.shrunk, known.case.size());
            if !smaller {
                known.count = failure.count;
                return;
            }
        }
        self.failures.insert(failure.signature.clone(), failure);
    }
}

impl Failure {
    /// The same failure with its trace carried out again and made small: what an exploration found has the tags of its
    /// alphabet, and was asked everything on the way.
    ///
    /// # Errors
    ///
    /// Those of the router under test.
    pub fn shrunk_on(self, router: &mut dyn RouterUnderTest, judge: &Judge) -> Result<Self, AdapterFault> {
        let Some(shrunk) = shrink(router, judge, &self.case.run(), &self.finding)? else {
            return Ok(self);
        };
        Ok(Self {
            signature: signature(&shrunk.finding, &shrunk.case.steps),
            case: shrunk.case,
            finding: shrunk.finding,
            shrunk: true,
            ..self
        })
    }

    fn new(drawn: &Drawn, finding: Finding, shrunk: Option<(Case, Finding)>) -> Self {
        let small = shrunk.is_some();
        let (case, finding) = shrunk.unwrap_or_else(|| {
            let case = Case {
                initial: drawn.run.initial.clone(),
                steps: drawn.run.steps[..finding.after].to_vec(),
                query: finding.query.clone(),
                viewer: finding.viewer.clone(),
                every_step: drawn.run.observe.len() > 1,
            };
            (case, finding)
        });
        Self {
            signature: signature(&finding, &case.steps),
            trace: drawn.number,
            universe: drawn.scope.universe.name,
            steps: drawn.run.steps.len(),
            count: 1,
            shrunk: small,
            finding,
            case,
        }
    }
}

/// What tells a finding apart from others.
pub fn signature(finding: &Finding, steps: &[Step]) -> Signature {
    let changes = || steps.iter().rev().filter_map(Step::change);
    let touching = finding
        .id
        .as_ref()
        .and_then(|id| changes().find(|change| touches(change, id)));
    Signature {
        kind: Kind::of(finding),
        last: touching
            .or_else(|| changes().next())
            .map_or("construction", Change::verb),
        extra: finding.extra.clone(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Row;

    use super::*;
    use crate::evidence::Way;

    fn failure(steps: usize, shrunk: bool, trace: u32) -> Failure {
        let finding = Finding {
            rule: "current",
            class: "stale",
            way: Way::Exact,
            id: None,
            extra: None,
            query: None,
            viewer: None,
            path: 0,
            after: steps,
            allowed: String::new(),
            got: String::new(),
        };
        let upsert = Step::Change(Change::Upsert(Row::new("d1", "a", "up", "v1")));
        let case = Case {
            initial: Vec::new(),
            steps: vec![upsert; steps],
            query: None,
            viewer: None,
            every_step: false,
        };
        Failure {
            signature: signature(&finding, &case.steps),
            finding,
            case,
            trace,
            universe: "tiny",
            steps,
            count: 1,
            shrunk,
        }
    }

    #[test]
    fn of_one_failure_the_smallest_shrunk_trace_is_kept() {
        let mut progress = Progress::default();
        // Steps, whether it was made small, its trace, and the trace that is kept by then.
        for (steps, shrunk, trace, kept) in [
            (3, false, 1, 1),
            (2, false, 2, 2),
            (4, true, 3, 3),
            (4, true, 4, 3),
            (1, false, 5, 3),
            (3, true, 6, 6),
        ] {
            progress.keep(failure(steps, shrunk, trace));
            let failures: Vec<_> = progress.failures.values().collect();
            assert_eq!(
                failures
                    .iter()
                    .map(|failure| (failure.trace, failure.count))
                    .collect::<Vec<_>>(),
                [(kept, u64::from(trace))]
            );
        }
    }
}
