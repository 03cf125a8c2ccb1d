//! The random engine: draws traces, puts them on trial, tells failures apart and makes each one small.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use protocol::{AdapterFault, RouterUnderTest, Run};

use crate::failure::{Failure, Finding, Origin, Signature};
use crate::generate::{Cadence, Seeded, generate};
use crate::hunt::{Ended, GoOn, Hunt, Interrupted, Limit};
use crate::rules::add_premises;
use crate::shrink::{Shrunk, about, shrink};
use crate::trial::{Judge, stands, trial};
use crate::universe::Scope;

/// The most failures that are told apart and made small; those beyond are counted.
pub const FAILURES_MAX: usize = 200;

/// The settings of a search.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The random seed; the same seed and version of this program replay the search.
    pub seed: u32,
    /// The scopes that traces are drawn from, in turn.
    pub scopes: Vec<Scope>,
    /// The moments at which the router is asked the whole matrix.
    pub cadence: Cadence,
    /// The most traces to try.
    pub traces_max: u32,
    /// The number of traces in one message.
    pub batch: u32,
}

/// A search under way.
struct Search<'a> {
    judge: &'a Judge,
    hunt: Hunt,
    /// For each signature with which a finding first showed, the signature of the failure that was made small of it.
    known: BTreeMap<Signature, Signature>,
}

/// Searches until the traces are used up or `go_on` breaks off.
///
/// # Errors
///
/// Those of the router under test, with what was found before.
pub fn search(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    settings: &Settings,
    go_on: &mut GoOn,
) -> Result<Hunt, Interrupted> {
    let mut search = Search {
        judge,
        hunt: Hunt::default(),
        known: BTreeMap::new(),
    };
    match search.run(router, settings, go_on) {
        Ok(()) => Ok(search.hunt),
        Err(fault) => Err(Interrupted {
            fault,
            hunt: Box::new(search.hunt),
        }),
    }
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
    run: Run,
}

impl Search<'_> {
    fn run(
        &mut self,
        router: &mut dyn RouterUnderTest,
        settings: &Settings,
        go_on: &mut GoOn,
    ) -> Result<(), AdapterFault> {
        // The first messages are small, so that a router that fails at once is reported at once.
        let mut batch = 1;
        while self.hunt.work.traces < settings.traces_max {
            let ControlFlow::Continue(pace) = go_on(&self.hunt) else {
                self.hunt.ended = Ended::Cut(Limit::Budget);
                break;
            };
            let done = self.hunt.work.traces;
            let numbers = done..settings.traces_max.min(done.saturating_add(batch.min(pace.max(1))));
            self.try_out(router, settings, numbers, go_on)?;
            batch = (batch * 2).min(settings.batch);
        }
        Ok(())
    }

    /// Puts the traces of these numbers on trial, in one message.
    fn try_out(
        &mut self,
        router: &mut dyn RouterUnderTest,
        settings: &Settings,
        numbers: Range<u32>,
        go_on: &mut GoOn,
    ) -> Result<(), AdapterFault> {
        let drawn = numbers.map(|number| {
            let (scope, run) = draw(settings, number);
            Drawn { number, scope, run }
        });
        let drawn: Vec<Drawn> = drawn.collect();
        let runs: Vec<Run> = drawn.iter().map(|drawn| drawn.run.clone()).collect();
        let judged = trial(router, self.judge, &runs)?;
        for (run, judged) in runs.iter().zip(&judged) {
            let work = &mut self.hunt.work;
            work.traces += 1;
            work.changes += run.trace.steps.len() as u64;
            work.answers += (run.questions.rounds.len() * run.questions.queries().count()) as u64;
            work.effects += judged.effects;
            work.router_ns += judged.router_ns;
        }
        for (drawn, judged) in drawn.iter().zip(judged) {
            add_premises(&mut self.hunt.premises, judged.tally.premises);
            self.note(router, drawn, judged.tally.findings, go_on)?;
        }
        Ok(())
    }

    fn note(
        &mut self,
        router: &mut dyn RouterUnderTest,
        drawn: &Drawn,
        findings: Vec<Finding>,
        go_on: &mut GoOn,
    ) -> Result<(), AdapterFault> {
        // One trace shows one failure in many answers: it counts once.
        let mut seen = BTreeSet::new();
        for finding in findings {
            let steps = &drawn.run.trace.steps;
            let first = Signature::of(&finding, &steps[..finding.after.min(steps.len())]);
            if !seen.insert(first.clone()) {
                continue;
            }
            let known = self.known.get(&first);
            if let Some(failure) = known.and_then(|known| self.hunt.failures.get_mut(known)) {
                failure.count += 1;
                continue;
            }
            let stopped = go_on(&self.hunt).is_break();
            if self.hunt.failures.len() >= FAILURES_MAX || (stopped && !self.hunt.failures.is_empty()) {
                self.hunt.uncounted += 1;
                continue;
            }
            let hunt = &self.hunt;
            let shrunk = match shrink(router, self.judge, &drawn.run, &finding, &mut || {
                go_on(hunt).is_continue()
            }) {
                Ok(shrunk) => shrunk,
                Err(fault) => {
                    // What rests on the order of rows is told only once every order was tried.
                    if !finding.rule.rests_on_any_order() {
                        self.hunt.keep(drawn.failure(finding, None));
                    }
                    return Err(fault);
                }
            };
            if shrunk.is_none() && !stands(router, self.judge, &drawn.run, &finding)? {
                self.hunt.uncounted += 1;
                continue;
            }
            let failure = drawn.failure(finding, shrunk);
            self.known.insert(first, failure.signature.clone());
            self.hunt.keep(failure);
        }
        Ok(())
    }
}

impl Drawn<'_> {
    fn failure(&self, finding: Finding, shrunk: Option<Shrunk>) -> Failure {
        let small = shrunk.as_ref().is_some_and(|shrunk| shrunk.least);
        let (run, finding) = match shrunk {
            Some(shrunk) => (shrunk.run, shrunk.finding),
            None => (about(&self.run, &finding), finding),
        };
        Failure {
            signature: Signature::of(&finding, &run.trace.steps),
            finding,
            run,
            origin: Origin {
                universe: self.scope.universe.name,
                trace: self.number,
                steps: self.run.trace.steps.len(),
            },
            count: 1,
            shrunk: small,
        }
    }
}
