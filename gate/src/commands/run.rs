//! `routeproof run`: every rule, on one router, by every engine that it can have.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use model::exhaust::Limits;
use model::generate::Cadence;
use model::pattern::Patterns;
use model::rules::{Oracle, Rule, RuleSet};
use model::search::{Failure, Progress, Settings, Signature, search};
use model::trial::Judge;
use model::universe::{Scope, TINY, UNIVERSES};
use protocol::RouterUnderTest;

use crate::adapter::spec::Spec;
use crate::adapter::{self, open};
use crate::cli::RunArgs;
use crate::clock::{Clock, seed_of_the_moment};
use crate::error::Error;
use crate::event::{Event, Exploration, Reported, Ruling, Searched, Status, Summary};
use crate::exit::Exit;
use crate::explore::explore_any;
use crate::files::{Shelf, write_whole};
use crate::output::{ended, progress};
use crate::report::Reporter;
use crate::report::human::Human;
use crate::report::json::Json;
use crate::skip::Skips;

/// The most states of an exploration.
const STATES_MAX: usize = 1_000_000;
/// How many traces go in one message.
const BATCH: u32 = 32;
/// The part of the budget that exploring may take, in percent; the rest is for random traces.
const EXPLORING_PERCENT: u32 = 60;

/// How often an exploration says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The router.
    pub spec: Spec,
    /// The rules.
    pub rules: RuleSet,
    /// How long to look for failures; making them small may take a little longer.
    pub budget: Duration,
    /// What replays the run.
    pub seed: u32,
    /// How many random traces at the most.
    pub traces_max: u32,
    /// Where traces and reproductions of failures go.
    pub out: PathBuf,
    /// What is excused.
    pub skips: Skips,
}

/// Everything that the engines found.
#[derive(Default)]
struct Found {
    failures: BTreeMap<Signature, (Failure, Duration)>,
    premises: BTreeMap<&'static str, u64>,
    ran: bool,
    /// Whether an exploration was cut.
    cut: bool,
    /// Random traces put on trial.
    traces: u32,
}

impl Found {
    fn merge(&mut self, failures: BTreeMap<Signature, Failure>, times: &BTreeMap<Signature, Duration>, now: Duration) {
        for (signature, mut failure) in failures {
            let found_after = times.get(&signature).copied().unwrap_or(now);
            if let Some((known, before)) = self.failures.get_mut(&signature) {
                failure.count += known.count;
                known.count = failure.count;
                if known.case.size() <= failure.case.size() {
                    continue;
                }
                let before = *before;
                self.failures.insert(signature, (failure, before));
            } else {
                self.failures.insert(signature, (failure, found_after));
            }
        }
    }

    fn count(&mut self, premises: &BTreeMap<&'static str, u64>) {
        for (rule, count) in premises {
            *self.premises.entry(rule).or_default() += count;
        }
    }
}

/// Puts the router that the flags name on trial, and reports.
///
/// # Errors
///
/// See [`Error`].
pub fn run(args: &RunArgs, settings: &adapter::Settings) -> Result<Exit, Error> {
    let rules = chosen_rules(&args.rule)?;
    let skips = match &args.skips {
        None => Skips::default(),
        Some(path) => fs::read_to_string(path)
            .map_err(|why| why.to_string())
            .and_then(|text| Skips::parse(&text))
            .map_err(|why| Error::Usage(format!("{}: {why}", path.display())))?,
    };
    if let Some(path) = args
        .report
        .iter()
        .find(|path| path.extension().is_none_or(|ending| ending != "json"))
    {
        let what = format!("{}: a report ends in `.json`", path.display());
        return Err(Error::Usage(what));
    }
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
    let mut human = Human::new(anstream::stdout());
    let mut json = Vec::new();
    let mut gathering = Json::new(&mut json);
    // A report that nobody reads any longer is no reason to stop: the verdict and the files are still to come.
    let mut printed = Ok(());
    let exit = put_on_trial(
        &options,
        router.as_mut(),
        &mut |line| progress(line),
        &mut |event: &Event| {
            if printed.is_ok() {
                printed = human.event(event);
            }
            gathering.event(event)
        },
    )?;
    drop(gathering);
    for path in &args.report {
        let text = String::from_utf8_lossy(&json);
        write_whole(path, &text).map_err(|why| Error::Usage(format!("{}: {why}", path.display())))?;
    }
    ended(exit, printed)
}

/// The rules that match one of the patterns, or all where none is given, less those that a `!` leaves out.
fn chosen_rules(globs: &[String]) -> Result<RuleSet, Error> {
    let patterns = Patterns::default();
    for glob in globs {
        let glob = glob.strip_prefix('!').unwrap_or(glob);
        if !model::rules::RULES.iter().any(|rule| patterns.matches(glob, rule.id)) {
            return Err(Error::Usage(format!(
                "no rule matches `{glob}`; `routeproof rules` lists them"
            )));
        }
    }
    let (left_out, wanted): (Vec<&String>, Vec<&String>) = globs.iter().partition(|glob| glob.starts_with('!'));
    let rules = RuleSet::matching(|id| {
        let named = |glob: &&String| patterns.matches(glob.trim_start_matches('!'), id);
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
    emit: &mut dyn FnMut(&Event) -> std::io::Result<()>,
) -> Result<Exit, Error> {
    let clock = Clock::start();
    let hello = router.hello().clone();
    let judge = Judge::new(&hello, options.rules.clone())?;
    let spec = options.spec.to_string();
    emit(&Event::Begin {
        spec: &spec,
        hello: &hello,
        seed: options.seed,
    })?;
    let mut found = Found::default();
    if !hello.dialect.slow {
        explore(options, router, &judge, clock, progress, &mut found, emit)?;
    }
    look(options, router, &judge, clock, progress, &mut found, emit)?;

    let mut shelf = Shelf::new(&options.out);
    let mut reported = Vec::new();
    for (failure, found_after) in std::mem::take(&mut found.failures).into_values() {
        reported.push(report(options, &hello, &mut shelf, failure, found_after));
    }
    let order = |id: &str| model::rules::RULES.iter().position(|rule| rule.id == id);
    reported.sort_by_key(|reported| (order(reported.rule.id), std::cmp::Reverse(reported.failure.count)));
    let rulings: Vec<Ruling> = options
        .rules
        .iter()
        .map(|rule| ruling(rule, &hello, &found, &reported))
        .collect();
    for ruling in &rulings {
        emit(&Event::Rule(ruling))?;
    }
    for reported in &reported {
        emit(&Event::Failure(reported))?;
    }
    if let Some(why) = shelf.trouble() {
        progress(&why);
    }
    let summary = conclude(options, &rulings, &reported, &found, clock.elapsed());
    emit(&Event::End(&summary))?;
    Ok(summary.exit)
}

fn explore(
    options: &Options,
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    clock: Clock,
    progress: &mut dyn FnMut(&str),
    found: &mut Found,
    emit: &mut dyn FnMut(&Event) -> std::io::Result<()>,
) -> Result<(), Error> {
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
            progress(&format!("exploring: {} transitions", explored.transitions));
        }
        clock.go_on_until(until)
    })?;
    found.ran |= explored.transitions > 0;
    found.cut |= !explored.closed;
    found.count(&explored.premises);
    let mut failures = BTreeMap::new();
    for failure in explored.failures.into_values() {
        let failure = failure.shrunk_on(router, judge)?;
        failures.insert(failure.signature.clone(), failure);
    }
    found.merge(failures, &BTreeMap::new(), clock.elapsed());
    emit(&Event::Explored(&Exploration {
        universe: TINY.name,
        states: explored.states,
        transitions: explored.transitions,
        answers: explored.answers,
        depth: explored.depth,
        closed: explored.closed,
        whole_memory: explored.whole_memory,
        took: clock.elapsed(),
    }))?;
    Ok(())
}

fn look(
    options: &Options,
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    clock: Clock,
    progress: &mut dyn FnMut(&str),
    found: &mut Found,
    emit: &mut dyn FnMut(&Event) -> std::io::Result<()>,
) -> Result<(), Error> {
    let begun = clock.elapsed();
    let hello = router.hello();
    let settings = Settings {
        seed: options.seed,
        scopes: UNIVERSES.iter().map(|universe| Scope::new(universe, hello)).collect(),
        cadence: if hello.dialect.slow {
            Cadence::AtTheEnd
        } else {
            Cadence::EveryStep
        },
        traces_max: options.traces_max,
        batch: BATCH,
    };
    let mut times = BTreeMap::new();
    let searched = search(router, judge, &settings, &mut |so_far: &Progress| {
        let now = clock.elapsed();
        for (signature, failure) in &so_far.failures {
            if !times.contains_key(signature) {
                let what = crate::report::human::provenance(failure);
                progress(&format!(
                    "found {}: {what}, {:.1}s after the router was up",
                    signature.kind.rule,
                    now.as_secs_f64()
                ));
                times.insert(signature.clone(), now);
            }
        }
        clock.go_on_until(options.budget)
    })?;
    found.ran |= searched.traces > 0;
    found.traces += searched.traces;
    found.count(&searched.premises);
    emit(&Event::Searched(&Searched {
        traces: searched.traces,
        changes: searched.changes,
        answers: searched.answers,
        uncounted: searched.uncounted,
        cut: searched.cut,
        took: clock.elapsed().saturating_sub(begun),
        in_router: Duration::from_nanos(searched.router_ns),
    }))?;
    found.merge(searched.failures, &times, clock.elapsed());
    Ok(())
}

fn report(
    options: &Options,
    hello: &protocol::Hello,
    shelf: &mut Shelf,
    failure: Failure,
    found_after: Duration,
) -> Reported {
    let kind = failure.signature.kind;
    let rule = model::rules::rule(kind.rule).expect("a failure is of a rule that there is");
    let mut trace = failure
        .case
        .to_trace(&format!("{}: {}", rule.id, crate::report::human::provenance(&failure)));
    trace.router = Some(hello.router.clone());
    trace.rule = Some(rule.id.to_owned());
    trace.seed = Some(options.seed);
    let mut reported = Reported {
        rule,
        path: hello.dialect.paths.get(failure.finding.path).cloned(),
        excused: options.skips.excuse(&failure).map(str::to_owned),
        failure,
        trace,
        replay: None,
        files: Vec::new(),
        found_after,
    };
    shelf.put(hello, &options.spec, &mut reported);
    reported
}

fn ruling(rule: &'static Rule, hello: &protocol::Hello, found: &Found, reported: &[Reported]) -> Ruling {
    let premises = found.premises.get(rule.id).copied().unwrap_or(0);
    let of_rule = || reported.iter().filter(|reported| reported.rule.id == rule.id);
    let broken = of_rule().filter(|reported| reported.excused.is_none()).count();
    let status = if broken > 0 {
        Status::Fail(broken)
    } else if let Some(reason) = lacking(rule, hello).filter(|_| premises == 0) {
        Status::Skip(reason)
    } else if premises == 0 {
        Status::Vacuous
    } else {
        Status::Pass
    };
    Ruling { rule, status, premises }
}

/// What the router lacks for the rule to have anything to check.
fn lacking(rule: &Rule, hello: &protocol::Hello) -> Option<String> {
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
    let refusable = rule.id != "atomic-refusal" || hello.can(protocol::Capability::Add);
    (!refusable).then(|| "nothing that this router must refuse can be asked of it".to_owned())
}

fn word(capability: protocol::Capability) -> String {
    let value = serde_json::to_value(capability).ok();
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn conclude(options: &Options, rulings: &[Ruling], reported: &[Reported], found: &Found, took: Duration) -> Summary {
    let count = |wanted: fn(&Status) -> bool| rulings.iter().filter(|ruling| wanted(&ruling.status)).count();
    let failures: Vec<&Failure> = reported.iter().map(|reported| &reported.failure).collect();
    let idle = options.skips.idle(&failures);
    let failed = count(|status| matches!(status, Status::Fail(_)));
    let vacuous = count(|status| *status == Status::Vacuous);
    let passed = count(|status| *status == Status::Pass);
    let (exit, why) = if failed > 0 {
        (Exit::Violation, None)
    } else if let Some(skip) = idle.first() {
        let why = format!(
            "the skip of `{}` excuses nothing ({}); take it out",
            skip.rule, skip.reason
        );
        (Exit::Usage, Some(why))
    } else if !found.ran || rulings.iter().all(|ruling| matches!(ruling.status, Status::Skip(_))) {
        (
            Exit::NothingRan,
            Some("nothing was judged; see that a rule and a trace are left to run".to_owned()),
        )
    } else if found.cut && found.traces == 0 {
        let why = "the exploration was cut and no random trace was tried: raise `--budget`, and `--traces` if it is 0";
        (Exit::Inconclusive, Some(why.to_owned()))
    } else if vacuous > 0 {
        let why = "a rule never had anything to check: raise `--budget`, or leave the rule out with `--rule`";
        (Exit::Inconclusive, Some(why.to_owned()))
    } else {
        (Exit::Conforms, None)
    };
    Summary {
        passed,
        failed,
        skipped: count(|status| matches!(status, Status::Skip(_))),
        vacuous,
        failures: reported.iter().filter(|reported| reported.excused.is_none()).count(),
        took,
        exit,
        why,
    }
}
