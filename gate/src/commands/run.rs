//! `routeproof run`: every rule, on one router, by every engine that it can have.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use model::exhaust::Limits;
use model::failure::{Failure, Signature};
use model::generate::Cadence;
use model::hunt::{Ended, Hunt};
use model::pattern::Patterns;
use model::rules::{Oracle, RuleId, RuleSet, add_premises};
use model::search::{Settings, search};
use model::shrink::shrink_failure;
use model::trial::Judge;
use model::universe::{Scope, TINY, UNIVERSES};
use protocol::{Capability, Hello, Level, RouterUnderTest};

use crate::adapter::spec::Spec;
use crate::adapter::{self, open};
use crate::cli::RunArgs;
use crate::clock::{Clock, seed_of_the_moment};
use crate::document::{
    Document, ExplorationReport, FailureReport, FindingReport, OriginReport, RuleReport, RuleStatus, RunReport,
    SearchReport, TrialReport,
};
use crate::error::Error;
use crate::explore::explore_any;
use crate::files::Shelf;
use crate::output::progress;
use crate::skip::Skips;

/// The most states of an exploration.
const STATES_MAX: usize = 1_000_000;
/// The number of traces in one message.
const BATCH: u32 = 32;
/// The part of the budget that exploring may take, in percent; the rest is for random traces.
const EXPLORING_PERCENT: u32 = 60;

/// The time between two lines of progress of an exploration.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// The options of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The router.
    pub spec: Spec,
    /// The rules.
    pub rules: RuleSet,
    /// The time to look for failures; making them small may take a little longer.
    pub budget: Duration,
    /// The seed, which replays the run.
    pub seed: u32,
    /// The most random traces to try.
    pub traces_max: u32,
    /// The directory of traces and reproductions of failures.
    pub out: PathBuf,
    /// The failures that are excused.
    pub skips: Skips,
}

/// The findings of all engines.
#[derive(Default)]
struct Found {
    failures: BTreeMap<Signature, (Failure, Duration)>,
    premises: BTreeMap<RuleId, u64>,
}

impl Found {
    fn merge(&mut self, failures: BTreeMap<Signature, Failure>, times: &BTreeMap<Signature, Duration>, now: Duration) {
        for (signature, mut failure) in failures {
            let found_after = times.get(&signature).copied().unwrap_or(now);
            if let Some((known, before)) = self.failures.get_mut(&signature) {
                failure.count += known.count;
                known.count = failure.count;
                if known.run.trace.size() <= failure.run.trace.size() {
                    continue;
                }
                let before = *before;
                self.failures.insert(signature, (failure, before));
            } else {
                self.failures.insert(signature, (failure, found_after));
            }
        }
    }
}

/// Puts the router that the flags name on trial.
///
/// # Errors
///
/// See [`Error`].
pub fn run(args: &RunArgs, settings: &adapter::Settings) -> Result<Document, Error> {
    if let Spec::Strategy(name) = &args.router {
        return Err(Error::Usage(format!(
            "`{}` is a fleet, and `run` tries one router; explore it with `routeproof explore --strategy {name}`, and carry \
             out a trace of it with `routeproof replay`",
            args.router
        )));
    }
    let rules = chosen_rules(&args.rule)?;
    let skips = match &args.skips {
        None => Skips::default(),
        Some(path) => fs::read_to_string(path)
            .map_err(|why| why.to_string())
            .and_then(|text| Skips::parse(&text))
            .map_err(|why| Error::Usage(format!("{}: {why}", path.display())))?,
    };
    let options = Options {
        spec: args.router.clone(),
        rules,
        budget: args.budget,
        seed: args.seed.unwrap_or_else(seed_of_the_moment),
        traces_max: args.traces,
        out: args.out.clone(),
        skips,
    };
    progress(&format!("seed {}", options.seed));
    let mut router = open(&options.spec, settings, &progress)?;
    put_on_trial(&options, router.as_mut(), &mut |line| progress(line)).map(Document::Run)
}

/// The rules that match one of the patterns, or all where none is given, less those that a `!` leaves out.
fn chosen_rules(globs: &[String]) -> Result<RuleSet, Error> {
    let patterns = Patterns::default();
    for glob in globs {
        let glob = glob.strip_prefix('!').unwrap_or(glob);
        if !RuleSet::of(Level::Router)
            .iter()
            .any(|id| patterns.matches(glob, id.name()))
        {
            return Err(Error::Usage(format!(
                "no rule matches `{glob}`; `routeproof rules` lists them"
            )));
        }
    }
    let (left_out, wanted): (Vec<&String>, Vec<&String>) = globs.iter().partition(|glob| glob.starts_with('!'));
    let rules = RuleSet::matching(Level::Router, |id| {
        let named = |glob: &&String| patterns.matches(glob.trim_start_matches('!'), id.name());
        (wanted.is_empty() || wanted.iter().any(named)) && !left_out.iter().any(named)
    });
    if rules.iter().next().is_none() {
        return Err(Error::Usage("every rule is left out; leave one in".to_owned()));
    }
    Ok(rules)
}

/// Puts `router` on trial.
///
/// # Errors
///
/// See [`Error`].
pub fn put_on_trial(
    options: &Options,
    router: &mut dyn RouterUnderTest,
    progress: &mut dyn FnMut(&str),
) -> Result<RunReport, Error> {
    let clock = Clock::start();
    let hello = router.hello().clone();
    let judge = Judge::new(&hello, options.rules.clone())?;
    let mut found = Found::default();
    let mut explorations = Vec::new();
    if !hello.dialect.slow {
        explorations.push(explore(options, router, &judge, clock, progress, &mut found)?);
    }
    let searches = vec![look(options, router, &judge, clock, progress, &mut found)?];

    let mut shelf = Shelf::new(&options.out);
    let mut failures = Vec::new();
    for (failure, found_after) in found.failures.values() {
        failures.push(report(options, &hello, &mut shelf, failure, *found_after));
    }
    failures.sort_by_key(|failure| (failure.finding.rule, Reverse(failure.origin.count)));
    if let Some(why) = shelf.trouble() {
        progress(&why);
    }
    Ok(RunReport {
        trial: TrialReport::new(&options.spec.to_string(), &hello),
        seed: options.seed,
        explorations,
        searches,
        rules: options
            .rules
            .iter()
            .map(|id| ruling(id, &hello, &found, &failures))
            .collect(),
        idle_skips: options.skips.idle(&failures),
        failures,
        seconds: clock.elapsed().as_secs_f64(),
    })
}

fn explore(
    options: &Options,
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    clock: Clock,
    progress: &mut dyn FnMut(&str),
    found: &mut Found,
) -> Result<ExplorationReport, Error> {
    let scope = Scope::new(&TINY, router.hello());
    let limits = Limits {
        states_max: STATES_MAX,
        first_failure: false,
    };
    let until = options.budget * EXPLORING_PERCENT / 100;
    let mut told = Duration::ZERO;
    let explored = explore_any(&options.spec, router, judge, &scope, limits, &mut |explored| {
        if clock.elapsed() >= told + PROGRESS_EVERY {
            told = clock.elapsed();
            progress(&format!("exploring: {} transitions", explored.work.changes));
        }
        clock.go_on_until(until)
    })?;
    add_premises(&mut found.premises, explored.premises);
    let mut failures = BTreeMap::new();
    for failure in explored.failures.into_values() {
        let failure = shrink_failure(router, judge, failure)?;
        failures.insert(failure.signature.clone(), failure);
    }
    found.merge(failures, &BTreeMap::new(), clock.elapsed());
    Ok(ExplorationReport {
        universe: TINY.name.to_owned(),
        states: explored.work.states,
        transitions: explored.work.changes,
        answers: explored.work.answers,
        depth: explored.work.depth,
        closed: explored.ended == Ended::Exhausted,
        whole_memory: explored.work.whole_memory,
        seconds: clock.elapsed().as_secs_f64(),
    })
}

fn look(
    options: &Options,
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    clock: Clock,
    progress: &mut dyn FnMut(&str),
    found: &mut Found,
) -> Result<SearchReport, Error> {
    let begun = clock.elapsed();
    let hello = router.hello().clone();
    let settings = Settings {
        seed: options.seed,
        scopes: UNIVERSES.iter().map(|universe| Scope::new(universe, &hello)).collect(),
        cadence: if hello.dialect.slow {
            Cadence::AtTheEnd
        } else {
            Cadence::EveryStep
        },
        traces_max: options.traces_max,
        batch: BATCH,
    };
    let mut times = BTreeMap::new();
    let searched = search(router, judge, &settings, &mut |so_far: &Hunt| {
        let now = clock.elapsed();
        for (signature, failure) in &so_far.failures {
            if !times.contains_key(signature) {
                let finding = FindingReport::new(&failure.finding, &hello);
                progress(&format!(
                    "found {}: {}, {:.1}s after the router was up",
                    finding.rule,
                    OriginReport::new(failure).provenance(&finding),
                    now.as_secs_f64()
                ));
                times.insert(signature.clone(), now);
            }
        }
        clock.go_on_until(options.budget)
    })?;
    add_premises(&mut found.premises, searched.premises);
    let report = SearchReport {
        traces: searched.work.traces,
        changes: searched.work.changes,
        queries: searched.work.answers,
        uncounted: searched.uncounted,
        cut: searched.ended != Ended::Done,
        seconds: clock.elapsed().saturating_sub(begun).as_secs_f64(),
        seconds_in_router: Duration::from_nanos(searched.work.router_ns).as_secs_f64(),
    };
    found.merge(searched.failures, &times, clock.elapsed());
    Ok(report)
}

fn report(
    options: &Options,
    hello: &Hello,
    shelf: &mut Shelf,
    failure: &Failure,
    found_after: Duration,
) -> FailureReport {
    let mut report = FailureReport::new(failure, hello, options.seed, found_after.as_secs_f64());
    report.excused = options.skips.excuse(&report).map(str::to_owned);
    shelf.put(hello, &options.spec, &mut report);
    report
}

fn ruling(id: RuleId, hello: &Hello, found: &Found, failures: &[FailureReport]) -> RuleReport {
    let premises = found.premises.get(&id).copied().unwrap_or(0);
    let counts = |failure: &&FailureReport| failure.finding.rule == id && failure.excused.is_none();
    let failures = failures.iter().filter(counts).count();
    let lacking = lacking(id, hello).filter(|_| premises == 0 && failures == 0);
    let status = if failures > 0 {
        RuleStatus::Fail
    } else if lacking.is_some() {
        RuleStatus::Skip
    } else if premises == 0 {
        RuleStatus::Vacuous
    } else {
        RuleStatus::Pass
    };
    RuleReport {
        rule: id,
        sentence: id.rule().sentence.to_owned(),
        oracle: id.rule().oracle,
        status,
        reason: lacking,
        premises,
        failures,
    }
}

/// What the router lacks for the rule to have anything to check.
fn lacking(id: RuleId, hello: &Hello) -> Option<String> {
    let rule = id.rule();
    if let Some(capability) = rule.needs.iter().find(|need| !hello.can(**need)) {
        return Some(format!("the adapter does not declare `{}`", word(*capability)));
    }
    if hello.dialect.semantics.is_some() {
        return None;
    }
    if rule.oracle == Oracle::Spec {
        return Some("the adapter claims no semantics".to_owned());
    }
    // Without a preset only an id that exists tells that a change must be refused.
    let refusable = id != RuleId::AtomicRefusal || hello.can(Capability::Add);
    (!refusable).then(|| "nothing that this router must refuse can be asked of it".to_owned())
}

fn word(capability: Capability) -> String {
    let value = serde_json::to_value(capability).ok();
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
