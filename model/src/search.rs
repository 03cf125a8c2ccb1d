//! The random engine: sweeps, draws traces, puts them on trial, tells failures apart and makes each one small.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use protocol::{AdapterFault, Level, Query, Question, RouterUnderTest, Run, Step};

use crate::asking::Cadence;
use crate::choices::Seeded;
use crate::closing::fleet_run;
use crate::failure::{Failure, Finding, FindingKind, Origin, Signature};
use crate::generate::generate;
use crate::hunt::{Ended, GoOn, Hunt, Interrupted, Limit};
use crate::rules::add_premises;
use crate::schedule::closed_schedule;
use crate::shrink::{Shrunk, as_found, shrink_until};
use crate::sweep::Swept;
use crate::trial::{Judge, stands, trial};
use crate::universe::Scope;

/// The name by which the sweep stands in the place of a universe.
pub const SWEEP: &str = "sweep";
/// The most failures that are told apart and made small; those beyond are counted.
pub(crate) const FAILURES_MAX: usize = 200;

/// The number of schedules of a sweep after which what they showed is made small.
const SETTLED_EVERY: u64 = 32;

/// The settings of a search.
#[derive(Clone, Debug)]
pub struct SearchSettings {
    /// The random seed; the same seed and version of this program replay the search.
    pub seed: u32,
    /// The runs that are put on trial before any is drawn; see [`fn@crate::sweep`].
    pub sweep: Vec<Swept>,
    /// The scopes that traces are drawn from, in turn.
    pub scopes: Vec<Scope>,
    /// The traces that are drawn.
    pub draws: Draws,
    /// The most random traces to try.
    pub traces_max: u32,
    /// The number of traces in one message.
    pub batch: u32,
}

/// The traces that a search draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draws {
    /// Changes to one router, which is asked at these moments.
    Changes(Cadence),
    /// Schedules of a fleet of two replicas or more, up to so many, or of one if that is the most.
    Schedules(u8),
}

/// A search under way.
struct Search<'a> {
    judge: &'a Judge,
    hunt: Hunt,
    /// For each signature with which a finding first showed, the signature of the failure that was made small of it.
    known: BTreeMap<Signature, Signature>,
    /// Findings of the sweep of a fleet that were not made small yet, by the signatures with which they showed.
    waiting: BTreeMap<Signature, (Drawn, Finding)>,
}

/// Searches until the traces are used up or `go_on` breaks off.
///
/// # Errors
///
/// Those of the router under test, with what was found before.
pub fn search(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    settings: &SearchSettings,
    go_on: &mut GoOn,
) -> Result<Hunt, Interrupted> {
    let mut search = Search {
        judge,
        hunt: Hunt::default(),
        known: BTreeMap::new(),
        waiting: BTreeMap::new(),
    };
    let searched = search.run(router, settings, go_on);
    search.keep_waiting();
    match searched {
        Ok(()) => Ok(search.hunt),
        Err(fault) => Err(Interrupted {
            fault,
            hunt: Box::new(search.hunt),
        }),
    }
}

impl SearchSettings {
    /// The trace at that place: those of the sweep come first.
    fn drawn(&self, place: u64) -> Drawn {
        let swept = usize::try_from(place).ok().and_then(|place| self.sweep.get(place));
        let number = place - if swept.is_some() { 0 } else { self.sweep.len() as u64 };
        let number = u32::try_from(number).expect("traces are numbered by 32 bits");
        if let Some(Swept { run, is_small }) = swept {
            return Drawn {
                number,
                universe: SWEEP,
                run: run.clone(),
                is_small: *is_small,
            };
        }
        let (scope, run) = draw_run(self, number);
        Drawn {
            number,
            universe: scope.universe.name,
            run,
            is_small: false,
        }
    }
}

/// The scope and the run of that number.
pub fn draw_run(settings: &SearchSettings, number: u32) -> (&Scope, Run) {
    let scope = &settings.scopes[number as usize % settings.scopes.len()];
    let mut choices = Seeded::new(settings.seed, number);
    let run = match settings.draws {
        Draws::Changes(cadence) => generate(scope, &mut choices, cadence),
        Draws::Schedules(replicas_max) => closed_schedule(scope, replicas_max, &mut choices),
    };
    (scope, run)
}

/// A trace on trial.
#[derive(Clone)]
struct Drawn {
    number: u32,
    universe: &'static str,
    run: Run,
    /// True if whoever wrote the trace made it small.
    is_small: bool,
}

impl Search<'_> {
    fn run(
        &mut self,
        router: &mut dyn RouterUnderTest,
        settings: &SearchSettings,
        go_on: &mut GoOn,
    ) -> Result<(), AdapterFault> {
        let count = settings.sweep.len() as u64 + u64::from(settings.traces_max);
        // The first messages are small, so that a router that fails at once is reported at once.
        let mut batch = 1;
        let mut done = 0;
        while done < count {
            let ControlFlow::Continue(pace) = go_on(&self.hunt) else {
                self.hunt.ended = Ended::Cut(Limit::Budget);
                break;
            };
            let until = count.min(done + u64::from(batch.min(pace.max(1))));
            self.try_out(router, settings, done..until, go_on)?;
            let swept = settings.sweep.len() as u64;
            let stretch = done / SETTLED_EVERY < until / SETTLED_EVERY;
            if !self.waiting.is_empty() && (stretch || until >= swept) {
                self.settle(router, go_on)?;
            }
            done = until;
            batch = (batch * 2).min(settings.batch);
        }
        Ok(())
    }

    /// Puts the traces at these places on trial, in one message.
    fn try_out(
        &mut self,
        router: &mut dyn RouterUnderTest,
        settings: &SearchSettings,
        places: Range<u64>,
        go_on: &mut GoOn,
    ) -> Result<(), AdapterFault> {
        let drawn: Vec<Drawn> = places.map(|place| settings.drawn(place)).collect();
        let runs: Vec<Run> = drawn.iter().map(|drawn| drawn.run.clone()).collect();
        let judged = trial(router, self.judge, &runs)?;
        let mut findings = Vec::with_capacity(judged.len());
        for (drawn, judged) in drawn.iter().zip(judged) {
            let work = &mut self.hunt.work;
            if drawn.universe == SWEEP {
                work.swept += 1;
            } else {
                work.traces += 1;
                work.effects += judged.effects;
            }
            work.add(&drawn.run);
            work.router_ns += judged.router_ns;
            add_premises(&mut self.hunt.premises, judged.tally.premises);
            self.hunt.coverage.absorb(judged.coverage);
            findings.push(judged.tally.findings);
        }
        for (drawn, findings) in drawn.iter().zip(findings) {
            self.note(router, drawn, findings, go_on)?;
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
            let first = first_signature(&drawn.run, &finding);
            if !seen.insert(first.clone()) {
                continue;
            }
            if self.counts(&first) {
                continue;
            }
            if drawn.universe == SWEEP && drawn.run.trace.level == Level::Fleet {
                self.waiting.entry(first).or_insert_with(|| (drawn.clone(), finding));
                continue;
            }
            self.make_small(router, drawn, (first, finding), go_on)?;
        }
        Ok(())
    }

    /// Counts a finding with the failure that is known of its signature; false where none is.
    fn counts(&mut self, first: &Signature) -> bool {
        let known = self.known.get(first);
        let failure = known.and_then(|known| self.hunt.failures.get_mut(known));
        failure.map(|failure| failure.count += 1).is_some()
    }

    /// Makes small what the sweep has found by now. One small schedule mostly shows what many others do.
    fn settle(&mut self, router: &mut dyn RouterUnderTest, go_on: &mut GoOn) -> Result<(), AdapterFault> {
        while let Some((first, (drawn, finding))) = self.next_waiting() {
            if self.counts(&first) {
                continue;
            }
            if go_on(&self.hunt).is_break() {
                self.waiting.insert(first, (drawn, finding));
                return Ok(());
            }
            self.make_small(router, &drawn, (first, finding), go_on)?;
        }
        Ok(())
    }

    /// Takes out what is made small next: of the rule and class of which the fewest are small, so that no kind waits for
    /// another one.
    fn next_waiting(&mut self) -> Option<(Signature, (Drawn, Finding))> {
        let failures = &self.hunt.failures;
        let of_kind = |kind: &FindingKind| {
            let alike = |other: &&Signature| (other.kind.rule, other.kind.class) == (kind.rule, kind.class);
            failures.keys().filter(alike).count()
        };
        let next = self.waiting.keys().min_by_key(|first| of_kind(&first.kind))?.clone();
        self.waiting.remove_entry(&next)
    }

    /// Keeps what was found and never made small.
    fn keep_waiting(&mut self) {
        for (first, (drawn, finding)) in std::mem::take(&mut self.waiting) {
            if self.known.contains_key(&first) || self.hunt.failures.len() >= FAILURES_MAX {
                self.hunt.uncounted += 1;
            } else {
                self.hunt.keep(drawn.failure(finding, None));
            }
        }
    }

    fn make_small(
        &mut self,
        router: &mut dyn RouterUnderTest,
        drawn: &Drawn,
        (first, finding): (Signature, Finding),
        go_on: &mut GoOn,
    ) -> Result<(), AdapterFault> {
        let stopped = go_on(&self.hunt).is_break();
        if self.hunt.failures.len() >= FAILURES_MAX || (stopped && !self.hunt.failures.is_empty()) {
            self.hunt.uncounted += 1;
            return Ok(());
        }
        let hunt = &self.hunt;
        let is_told = |signature: &Signature| hunt.failures.get(signature).is_some_and(|failure| failure.shrunk);
        let is_enough = |signature: &Signature| drawn.is_small || is_told(signature);
        let mut go_on = || go_on(hunt).is_continue();
        let shrunk = match shrink_until(router, self.judge, &drawn.run, &finding, &is_enough, &mut go_on) {
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
            return Ok(());
        }
        let failure = drawn.failure(finding, shrunk);
        self.known.insert(first, failure.signature.clone());
        let shows_others = failure.run.trace.level == Level::Fleet && failure.shrunk;
        self.hunt.keep(failure.clone());
        if shows_others {
            self.note_others(router, &failure)?;
        }
        Ok(())
    }

    /// Notes what else a small schedule shows: by whatever rule that was found elsewhere, it needs no other witness.
    fn note_others(&mut self, router: &mut dyn RouterUnderTest, failure: &Failure) -> Result<(), AdapterFault> {
        let mut trace = failure.run.trace.clone();
        let asked = trace.steps.iter().filter_map(Step::question);
        let asked: Vec<Query> = asked.filter_map(Question::query).cloned().collect();
        trace.steps.retain(|step| step.question().is_none());
        let run = fleet_run(trace, asked, &router.hello().capabilities);
        for judged in trial(router, self.judge, std::slice::from_ref(&run))? {
            for finding in &judged.tally.findings {
                let other = first_signature(&run, finding);
                self.known.entry(other).or_insert_with(|| failure.signature.clone());
            }
        }
        Ok(())
    }
}

/// The signature of a finding in the run that shows it, before anything is made small.
fn first_signature(run: &Run, finding: &Finding) -> Signature {
    let steps = &run.trace.steps;
    Signature::of(finding, &steps[..finding.after.min(steps.len())])
}

impl Drawn {
    fn failure(&self, finding: Finding, shrunk: Option<Shrunk>) -> Failure {
        let small = shrunk.as_ref().is_some_and(|shrunk| shrunk.least);
        let (run, finding) = match shrunk {
            Some(shrunk) => (shrunk.run, shrunk.finding),
            None => (as_found(&self.run, &finding), finding),
        };
        Failure {
            signature: Signature::of(&finding, &run.trace.steps),
            finding,
            run,
            origin: Origin {
                universe: self.universe,
                trace: self.number,
                steps: self.run.trace.steps.len(),
            },
            count: 1,
            shrunk: small,
        }
    }
}
