//! `routeproof run`: every rule, on one router, by every engine that it can have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod confirm;
mod found;
mod outlook;
mod pace;
mod plan;
mod served;
mod suspect;

use model::universe::{NARROW, Scope, TINY, Universe};
use model::{
    Cadence, Coverage, Ended, ExhaustLimits, Failure, Hunt, Interrupted, Judge, Patterns, RuleId, RuleSet, Unjudged,
    add_premises, left_to_router, search, shrink_failure, unjudged,
};
use protocol::{AdapterFault, Hello, Level, RouterUnderTest};

pub(crate) use self::confirm::REPLAYS_MAX;
use self::confirm::confirm;
use self::found::Found;
use self::outlook::Outlook;
use self::pace::Pacer;
use self::served::Servers;
use self::suspect::Watched;
use super::interruption;
use crate::adapter::spec::{Release, Spec};
use crate::adapter::venv::Part;
use crate::adapter::{AdapterSettings, open, prepared};
use crate::causes::{DIAGNOSES_TIME_MAX, Diagnosing, waiting_max};
use crate::cli::RunArgs;
use crate::clock::{Clock, seed_of_the_moment};
use crate::document::{
    CoverageReport, Document, ExplorationReport, FailureReport, Interruption, PREMISES_MIN, RuleReport, RuleStatus,
    RunReport, SearchReport, TrialReport, Unexplored,
};
use crate::error::Error;
use crate::explore::explore_any;
use crate::files::read_text;
use crate::foreign;
use crate::guard::{finish_on_signal, stopped};
use crate::out::remove_earlier;
use crate::output::progress;
use crate::reproduce::{self, Bench};
use crate::skip::Skips;
use crate::speed::cadence;

/// The largest file of skips.
const SKIPS_BYTES_MAX: usize = 1 << 20;
/// The most states of an exploration.
const STATES_MAX: usize = 1_000_000;
/// The universes that are explored, in order, each with the part of the budget, in percent, by which its exploration ends.
const EXPLORED: [(&Universe, u32); 2] = [(&NARROW, 10), (&TINY, 40)];
/// The part of the budget, in percent, that may be added to make small what an exploration found; the rest is for traces.
const SHRINKING_PERCENT: u32 = 15;
/// The budget that exploring reckons with where none is given.
const EXPLORING_UNBOUNDED: Duration = Duration::from_secs(30);

/// The time between two lines of progress of an exploration.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// The options of a run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The router.
    pub spec: Spec,
    /// One router, or a fleet.
    pub level: Level,
    /// The most replicas of a fleet.
    pub replicas_max: u8,
    /// The rules.
    pub rules: RuleSet,
    /// The time to look for failures and make them small; until there is enough for a verdict where it is absent.
    pub budget: Option<Duration>,
    /// The least number of changes with an effect that a router must be judged by to conform.
    pub effects_min: u64,
    /// The seed, which replays the run.
    pub seed: u32,
    /// The most random traces to try.
    pub traces_max: u32,
    /// The directory of traces and reproductions of failures.
    pub out: PathBuf,
    /// The flags that the replay of a failure takes beside the router.
    pub replay_words: Vec<String>,
    /// The time after which the witness of a cause is asked for again.
    pub ask_again: Duration,
    /// The failures that are excused.
    pub skips: Skips,
}

/// Puts the router that the flags name on trial.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn run(args: &RunArgs, settings: &AdapterSettings) -> Result<Document, Error> {
    let trial = &args.trial;
    let level = trial.level.into();
    refuse_strategy(&args.router)?;
    let settings = args.fleet.in_settings(&args.router, settings.clone())?;
    let words = args.fleet.words();
    if let (Level::Router, Some(flag)) = (level, words.first()) {
        return Err(Error::Usage(format!(
            "`{flag}` is of a fleet; leave it out, or say `--level fleet`"
        )));
    }
    let servers = args.confirm.then(|| Servers::of(level, &args.router)).transpose()?;
    let rules = chosen_rules(level, &trial.rule)?;
    let skips = match &args.skips {
        None => Skips::default(),
        Some(path) => read_text(path, SKIPS_BYTES_MAX)
            .and_then(|text| Skips::parse(&text))
            .map_err(|why| Error::Usage(format!("{}: {why}", foreign::path(path))))?,
    };
    let options = Options {
        spec: args.router.clone(),
        level,
        replicas_max: trial.replicas,
        rules,
        budget: trial.budget,
        effects_min: trial.changes_min,
        seed: args.seed.unwrap_or_else(seed_of_the_moment),
        traces_max: trial.traces,
        out: args.out.clone(),
        replay_words: words,
        ask_again: trial.ask_again,
        skips,
    };
    progress(&format!("seed {}", options.seed));
    let settings = AdapterSettings {
        jobs: trial.jobs,
        ..settings
    };
    let mended = args.fixed_in.as_deref().map(|version| mended(&options.spec, version));
    let mended = mended.transpose()?;
    if let Some(servers) = &servers {
        // What is missing is told before the budget is spent.
        servers.install(&settings)?;
    }
    let mut report = opened_and_tried(&options, mended.as_ref(), &settings, &progress)?;
    if let Some(servers) = servers.filter(|_| !report.causes.is_empty()) {
        servers.confirm(&settings, &mut report);
    }
    Ok(Document::Run(report))
}

/// Refuses a router that can carry out no trace that is drawn.
pub(crate) fn refuse_strategy(spec: &Spec) -> Result<(), Error> {
    let Spec::Strategy(name) = spec else { return Ok(()) };
    Err(Error::Usage(format!(
        "`{spec}` knows the rows of the model alone, and `run` draws others; explore it with `routeproof explore --strategy \
         {name}`, and carry out a trace of it with `routeproof replay`"
    )))
}

/// Opens the router that the options name, puts it on trial, and offers a test of each cause.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn opened_and_tried(
    options: &Options,
    mended: Option<&Release>,
    settings: &AdapterSettings,
    progress: &dyn Fn(&str),
) -> Result<RunReport, Error> {
    let level = options.level;
    let mut router = open(&options.spec, level, settings, progress)?;
    // Not before the router is up: what is known of it is worth more than nothing.
    remove_earlier(&options.out)?;
    let mut report = put_on_trial(options, router.as_mut(), &mut |line| progress(line))?;
    let hello = router.hello().clone();
    // What runs the tests may have the machine for itself.
    drop(router);
    if let Some(release) = options.spec.release().filter(|_| level == Level::Router) {
        offer_tests(&mut report, (release, mended), &hello, &options.out, settings, progress);
    }
    Ok(report)
}

/// Offers the tests of causes, each once it was seen to fail on the release, and tells how they end on the one that is mended.
fn offer_tests(
    report: &mut RunReport,
    (release, mended): (&Release, Option<&Release>),
    hello: &Hello,
    out: &Path,
    settings: &AdapterSettings,
    progress: &dyn Fn(&str),
) {
    let bench = |release: &Release| -> Result<Bench, AdapterFault> {
        Ok(Bench {
            release: release.clone(),
            launch: prepared(release, Part::Router, settings, progress)?,
        })
    };
    let mended = mended.map(bench).transpose();
    match (bench(release), mended) {
        (Ok(at_hand), Ok(mended)) => {
            let benches = (&at_hand, mended.as_ref());
            reproduce::offer(&mut report.causes, hello, out, benches, &mut |line| {
                progress(line);
            });
        }
        // What was found stands without its tests.
        (Err(fault), _) | (_, Err(fault)) => progress(&format!("the tests of causes were not run: {fault}")),
    }
}

/// The release on which the tests of causes are to pass.
fn mended(spec: &Spec, version: &str) -> Result<Release, Error> {
    if spec.release().is_none() {
        let what = format!("`--fixed-in` names a release of LiteLLM, and `{spec}` is none; leave it out");
        return Err(Error::Usage(what));
    }
    Release::parse(version).map_err(|why| Error::Usage(format!("`--fixed-in {version}`: {why}")))
}

/// The rules that match one of the patterns, or all where none is given, less those that a `!` leaves out.
pub(crate) fn chosen_rules(level: Level, globs: &[String]) -> Result<RuleSet, Error> {
    let patterns = Patterns::default();
    for glob in globs {
        let glob = glob.strip_prefix('!').unwrap_or(glob);
        if !RuleSet::of(level).iter().any(|id| patterns.matches(glob, id.name())) {
            return Err(Error::Usage(format!(
                "no rule matches `{glob}`; `routeproof rules` lists them"
            )));
        }
    }
    let (left_out, wanted): (Vec<&String>, Vec<&String>) = globs.iter().partition(|glob| glob.starts_with('!'));
    let rules = RuleSet::matching(level, |id| {
        let named = |glob: &&String| patterns.matches(glob.trim_start_matches('!'), id.name());
        (wanted.is_empty() || wanted.iter().any(named)) && !left_out.iter().any(named)
    });
    if rules.iter().next().is_none() {
        return Err(Error::Usage("every rule is left out; leave one in".to_owned()));
    }
    Ok(rules)
}

/// Puts `router` on trial. A fault of the adapter, or a signal, ends it before its time: what was found by then is kept.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn put_on_trial(
    options: &Options,
    router: &mut dyn RouterUnderTest,
    progress: &mut dyn FnMut(&str),
) -> Result<RunReport, Error> {
    let _finishing = finish_on_signal();
    let hello = router.hello().clone();
    let judge = Judge::new(&hello, options.rules.clone())?;
    let mut trial = Trial {
        options,
        judge: &judge,
        clock: Clock::start(),
        progress,
        found: Found::new(options, &hello),
        explorations: Vec::new(),
        unexplored: Some(Unexplored::Ended),
        searches: Vec::new(),
    };
    let mut watched = Watched::new(router);
    let interrupted = trial.all(&mut watched).err().map(|fault| interruption(&fault));
    let Trial {
        clock,
        found,
        explorations,
        unexplored,
        searches,
        ..
    } = trial;
    let (premises, effects) = (found.premises.clone(), found.effects);
    let coverage = coverage_of(options.level, &found.coverage, &hello);
    let (mut failures, mut shelf) = found.into_reports();
    let interrupted = interrupted.or_else(|| stopped().map(Interruption::Signal)).or_else(|| {
        let fault = confirm(&mut watched, &judge, &mut failures, clock, options).err()?;
        Some(interruption(&fault))
    });
    let suspect = match &interrupted {
        Some(Interruption::AdapterFault(_)) => watched.suspect(&judge, options, &mut shelf),
        Some(Interruption::Signal(_)) | None => None,
    };
    let in_time = interrupted.is_none();
    let mut diagnosing = Diagnosing {
        router,
        spec: &options.spec,
        judge: &judge,
        time_max: if in_time { DIAGNOSES_TIME_MAX } else { Duration::ZERO },
        ask_again: options.ask_again,
        waiting_max: waiting_max(options.budget),
        progress,
    };
    let causes = diagnosing.causes_of(&counted(&failures), &mut shelf);
    shelf.trouble().iter().for_each(|why| progress(why));
    let failures: Vec<FailureReport> = failures.into_iter().map(|(_, report)| report).collect();
    let unjudged = unjudged(&hello, &options.rules);
    let rules = options.rules.iter();
    Ok(RunReport {
        trial: TrialReport::new(&options.spec.to_string(), &hello),
        seed: options.seed,
        explorations,
        unexplored,
        searches,
        coverage: Box::new(coverage),
        rules: rules
            .map(|id| ruling(id, &hello, &unjudged, &premises, &failures))
            .collect(),
        unjudged: unjudged.into_iter().filter(|one| !one.whole).collect(),
        effects,
        effects_min: options.effects_min,
        interrupted,
        suspect,
        idle_skips: options.skips.idle(&failures),
        failures,
        causes,
        seconds: clock.elapsed().as_secs_f64(),
    })
}

/// The coverage of what the searches tried. A schedule is judged by what its rules had to check, and not by tiers.
pub(crate) fn coverage_of(level: Level, coverage: &Coverage, hello: &Hello) -> CoverageReport {
    match level {
        Level::Router => CoverageReport::new(coverage, hello),
        Level::Fleet => CoverageReport::default(),
    }
}

/// The failures that speak against the router.
fn counted(failures: &[(Failure, FailureReport)]) -> Vec<(&Failure, FailureReport)> {
    let counted = failures.iter().filter(|(_, report)| report.counts());
    counted.map(|(failure, report)| (failure, report.clone())).collect()
}

/// A run under way.
struct Trial<'a> {
    options: &'a Options,
    judge: &'a Judge,
    clock: Clock,
    progress: &'a mut dyn FnMut(&str),
    found: Found<'a>,
    explorations: Vec<ExplorationReport>,
    unexplored: Option<Unexplored>,
    searches: Vec<SearchReport>,
}

/// The reason why a router, or a fleet, is not explored that is asked so often.
fn unexplored(hello: &Hello, level: Level, cadence: Cadence) -> Option<Unexplored> {
    if level == Level::Fleet {
        return Some(Unexplored::Fleet);
    }
    if hello.dialect.settles.wait_ms() > 0 {
        return Some(Unexplored::Settles);
    }
    if hello.dialect.picks {
        return Some(Unexplored::Picks);
    }
    (cadence == Cadence::AtTheEnd).then_some(Unexplored::Slow)
}

impl Trial<'_> {
    fn all(&mut self, router: &mut dyn RouterUnderTest) -> Result<(), AdapterFault> {
        let dialect = &router.hello().dialect;
        if dialect.slow {
            (self.progress)("the adapter says `slow`, which is no longer read: speed is measured");
        }
        let cadence = cadence(router, self.options.level, self.clock)?;
        self.unexplored = unexplored(router.hello(), self.options.level, cadence);
        if self.unexplored.is_none() {
            for (universe, percent) in EXPLORED {
                self.explore(router, universe, percent)?;
            }
        }
        self.look(router, cadence)
    }

    fn explore(
        &mut self,
        router: &mut dyn RouterUnderTest,
        universe: &Universe,
        percent: u32,
    ) -> Result<(), AdapterFault> {
        let scope = Scope::new(universe, router.hello());
        let limits = ExhaustLimits {
            states_max: STATES_MAX,
            first_failure: false,
            single_lookups: true,
        };
        let begun = self.clock.elapsed();
        let budget = self.options.budget.unwrap_or(EXPLORING_UNBOUNDED);
        let until = budget * percent / 100;
        let (clock, spec, judge) = (self.clock, &self.options.spec, self.judge);
        let (found, progress) = (&mut self.found, &mut self.progress);
        let (mut pacer, mut told) = (Pacer::new(clock), Duration::ZERO);
        let explored = explore_any(spec, router, judge, &scope, limits, &mut |so_far| {
            let now = clock.elapsed();
            found.take_all(so_far, now, progress);
            if now >= told + PROGRESS_EVERY {
                told = now;
                progress(&format!("exploring: {} transitions", so_far.work.changes));
            }
            pacer.pace(so_far.work.changes, until)
        });
        let (explored, fault) = parted(explored);
        let now = clock.elapsed();
        self.found.take_all(&explored, now, self.progress);
        add_premises(&mut self.found.premises, explored.premises.clone());
        self.explorations.push(ExplorationReport {
            universe: universe.name.to_owned(),
            states: explored.work.states,
            transitions: explored.work.changes,
            answers: explored.work.answers,
            depth: explored.work.depth,
            closed: fault.is_none() && explored.ended == Ended::Exhausted,
            whole_memory: explored.work.whole_memory,
            seconds: now.saturating_sub(begun).as_secs_f64(),
        });
        fault.map_or(Ok(()), Err)?;
        self.shrink(router, &explored, now + budget * SHRINKING_PERCENT / 100)
    }

    /// Makes the failures of an exploration small, for as long as there is time.
    fn shrink(
        &mut self,
        router: &mut dyn RouterUnderTest,
        explored: &Hunt,
        until: Duration,
    ) -> Result<(), AdapterFault> {
        let clock = self.clock;
        let mut go_on = || clock.elapsed() < until && stopped().is_none();
        for (signature, failure) in &explored.failures {
            match shrink_failure(router, self.judge, failure, &mut go_on)? {
                Some(small) => self.found.replace(signature, small, clock.elapsed()),
                None => self.found.remove(signature),
            }
        }
        Ok(())
    }

    fn look(&mut self, router: &mut dyn RouterUnderTest, cadence: Cadence) -> Result<(), AdapterFault> {
        let (clock, begun) = (self.clock, self.clock.elapsed());
        let hello = router.hello();
        let settings = plan::settings(self.options, hello, cadence);
        let mut outlook = Outlook::new(self.options, hello, settings.sweep.len(), begun);
        let (found, progress) = (&mut self.found, &mut self.progress);
        let mut pacer = Pacer::new(clock);
        let searched = search(router, self.judge, &settings, &mut |so_far: &Hunt| {
            let now = clock.elapsed();
            found.take_all(so_far, now, progress);
            if let Some(advice) = outlook.advice(so_far, now) {
                progress(&advice);
            }
            pacer.pace(
                u64::from(so_far.work.swept) + u64::from(so_far.work.traces),
                outlook.until(so_far, &found.premises),
            )
        });
        let (searched, fault) = parted(searched);
        self.found.take_all(&searched, clock.elapsed(), self.progress);
        self.found.count(&searched);
        self.found.coverage.absorb(searched.coverage);
        self.searches.push(SearchReport {
            swept: searched.work.swept,
            sweep: u32::try_from(settings.sweep.len()).unwrap_or(u32::MAX),
            traces: searched.work.traces,
            changes: searched.work.changes,
            queries: searched.work.answers,
            uncounted: searched.uncounted,
            cut: fault.is_some() || searched.ended != Ended::Done,
            seconds: clock.elapsed().saturating_sub(begun).as_secs_f64(),
            seconds_in_router: Duration::from_nanos(searched.work.router_ns).as_secs_f64(),
        });
        fault.map_or(Ok(()), Err)
    }
}

/// Returns the hunt as far as it came, and the fault that ended it, if one did.
fn parted(hunt: Result<Hunt, Interrupted>) -> (Hunt, Option<AdapterFault>) {
    match hunt {
        Ok(hunt) => (hunt, None),
        Err(Interrupted { fault, hunt }) => (*hunt, Some(fault)),
    }
}

fn ruling(
    id: RuleId,
    hello: &Hello,
    unjudged: &[Unjudged],
    premises: &BTreeMap<RuleId, u64>,
    failures: &[FailureReport],
) -> RuleReport {
    let premises = premises.get(&id).copied().unwrap_or(0);
    let of_rule = failures.iter().filter(|failure| failure.finding.rule == id);
    let failures = of_rule.filter(|failure| failure.counts()).count();
    let lacking = unjudged.iter().find(|one| one.whole && one.rule == id);
    let lacking = lacking.map(|one| one.reason.clone());
    let lacking = lacking.or_else(|| left_to_router(id, hello).map(str::to_owned));
    let lacking = lacking.filter(|_| premises == 0 && failures == 0);
    let status = if failures > 0 {
        RuleStatus::Fail
    } else if lacking.is_some() {
        RuleStatus::Skip
    } else if premises < PREMISES_MIN {
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

#[cfg(test)]
mod tests {
    use protocol::Settles;

    use super::*;
    use crate::adapter::builtin;
    use crate::causes::tests::failure;
    use crate::document::Confirmation;

    #[test]
    fn a_router_is_explored_unless_its_answers_take_long_or_come_late_or_by_chance() {
        let mut hello = builtin::reference().hello().clone();
        let of = |hello: &Hello, cadence| unexplored(hello, Level::Router, cadence);
        assert_eq!(of(&hello, Cadence::Drawn), None);
        assert_eq!(
            unexplored(&hello, Level::Fleet, Cadence::Drawn),
            Some(Unexplored::Fleet)
        );
        assert_eq!(of(&hello, Cadence::AtTheEnd), Some(Unexplored::Slow));
        hello.dialect.picks = true;
        assert_eq!(of(&hello, Cadence::Drawn), Some(Unexplored::Picks));
        hello.dialect.settles = Settles::Within { stale_for: 5 };
        assert_eq!(of(&hello, Cadence::AtTheEnd), Some(Unexplored::Settles));
    }

    #[test]
    fn a_failure_that_is_excused_or_never_shows_again_speaks_for_itself_alone() {
        use RuleStatus::{Fail, Pass};
        let hello = builtin::reference().hello().clone();
        let told = || FailureReport::new(&failure("stale", 1), &hello, 1, 0.0);
        let excused = || FailureReport {
            excused: Some("it is known".to_owned()),
            ..told()
        };
        let replayed = |shown, replays| FailureReport {
            confirmation: Some(Confirmation { shown, replays }),
            ..told()
        };
        let premises = BTreeMap::from([(RuleId::Current, PREMISES_MIN)]);
        for (failures, expected) in [
            (vec![], (Pass, 0)),
            (vec![told()], (Fail, 1)),
            (vec![excused()], (Pass, 0)),
            (vec![excused(), told()], (Fail, 1)),
            (vec![told(), excused(), told()], (Fail, 2)),
            (vec![replayed(0, REPLAYS_MAX)], (Pass, 0)),
            (vec![replayed(1, REPLAYS_MAX)], (Fail, 1)),
            (vec![replayed(0, REPLAYS_MAX), replayed(1, 1)], (Fail, 1)),
        ] {
            let report = ruling(RuleId::Current, &hello, &[], &premises, &failures);
            assert_eq!((report.status, report.failures), expected, "{failures:?}");
        }
    }
}
