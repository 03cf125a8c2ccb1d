//! Asking is an action: routers that are wrong only where they were asked before are found, and their traces say what was
//! asked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;

use adapter_faulty::{Router, find};
use model::universe::{NARROW, Scope, TINY, UNIVERSES};
use model::{
    Cadence, Draws, ExhaustLimits, Failure, Hunt, Judge, Pace, RuleId, RuleSet, SearchSettings, explore,
    explore_observed, run_asking, search, shrink_failure, trial,
};
use protocol::{
    AdapterFault, Answer, Change, Changed, Hello, InProcess, Level, Local, Outcome, Query, RouterUnderTest, Row, Run,
    RunReply, Step, TraceFile,
};

/// A router behind a cache of so many answers. Each is good for as long as the table has the same stamp, of so many that
/// there are, or with one stamp until a change that is taken names the very name that was asked for.
struct Cached<const ENTRIES: usize, const STAMPS: u64, R = Router> {
    router: R,
    cache: Mutex<Cache>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Cache {
    /// Oldest first.
    kept: Vec<(Query, u64, Vec<Answer>)>,
    stamp: u64,
}

impl<const ENTRIES: usize, const STAMPS: u64, R> Cached<ENTRIES, STAMPS, R> {
    fn cache(&self) -> Cache {
        self.cache.lock().unwrap().clone()
    }
}

impl<const ENTRIES: usize, const STAMPS: u64, R: Local + Clone + Default> Local for Cached<ENTRIES, STAMPS, R> {
    fn describe(&self) -> Hello {
        self.router.describe()
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        *self = Self::default();
        self.router.reset(initial)
    }

    fn change(&mut self, change: &Change) -> Changed {
        let changed = self.router.change(change);
        if !matches!(changed.outcome, Outcome::Refused(_)) {
            let names: Vec<&str> = change.rows().iter().map(Row::asked_name).collect();
            let cache = self.cache.get_mut().unwrap();
            cache.kept.retain(|(query, ..)| !names.contains(&query.model.as_str()));
            cache.stamp = (cache.stamp + 1) % STAMPS;
        }
        changed
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        let mut cache = self.cache.lock().unwrap();
        let stamp = cache.stamp;
        if let Some((.., answers)) = cache
            .kept
            .iter()
            .find(|(kept, then, _)| kept == query && *then == stamp)
        {
            return answers.clone();
        }
        let answers = self.router.clone().lookup(query);
        cache.kept.retain(|(kept, ..)| kept != query);
        cache.kept.push((query.clone(), stamp, answers.clone()));
        if cache.kept.len() > ENTRIES {
            cache.kept.remove(0);
        }
        answers
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        self.router.listing(team)
    }

    fn claims(&self) -> Vec<String> {
        self.router.claims()
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        self.router.sizes()
    }
}

impl<const ENTRIES: usize, const STAMPS: u64, R: Default> Default for Cached<ENTRIES, STAMPS, R> {
    fn default() -> Self {
        Self {
            router: R::default(),
            cache: Mutex::default(),
        }
    }
}

impl<const ENTRIES: usize, const STAMPS: u64, R: Clone> Clone for Cached<ENTRIES, STAMPS, R> {
    fn clone(&self) -> Self {
        Self {
            router: self.router.clone(),
            cache: Mutex::new(self.cache()),
        }
    }
}

impl<const ENTRIES: usize, const STAMPS: u64, R: PartialEq> PartialEq for Cached<ENTRIES, STAMPS, R> {
    fn eq(&self, other: &Self) -> bool {
        self.router == other.router && self.cache() == other.cache()
    }
}

impl<const ENTRIES: usize, const STAMPS: u64, R: Eq> Eq for Cached<ENTRIES, STAMPS, R> {}

impl<const ENTRIES: usize, const STAMPS: u64, R: Hash> Hash for Cached<ENTRIES, STAMPS, R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.router.hash(state);
        self.cache().hash(state);
    }
}

/// A router that takes a row out before it refuses its new version.
#[derive(Clone, Default)]
struct Losing(Router);

impl Local for Losing {
    fn describe(&self) -> Hello {
        self.0.describe()
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        self.0.reset(initial)
    }

    fn change(&mut self, change: &Change) -> Changed {
        let changed = self.0.change(change);
        if let (Change::Upsert(row), Outcome::Refused(_)) = (change, &changed.outcome) {
            self.0.change(&Change::Delete(row.id.clone()));
        }
        changed
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        self.0.lookup(query)
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        self.0.listing(team)
    }

    fn claims(&self) -> Vec<String> {
        self.0.claims()
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

fn judge(hello: &Hello) -> Judge {
    Judge::new(hello, RuleSet::of(Level::Router)).unwrap()
}

fn settings(hello: &Hello, batch: u32) -> SearchSettings {
    SearchSettings {
        seed: 1,
        sweep: Vec::new(),
        scopes: UNIVERSES.iter().map(|universe| Scope::new(universe, hello)).collect(),
        draws: Draws::Changes(Cadence::Drawn),
        traces_max: 2_000,
        batch,
    }
}

fn until_found(hunt: &Hunt) -> Pace {
    if hunt.failures.values().any(|failure| failure.shrunk) {
        Pace::Break(())
    } else {
        Pace::Continue(u32::MAX)
    }
}

/// Puts the trace of a failure, which has every question as a step, on trial as it was written.
fn shows_again(router: &mut dyn RouterUnderTest, failure: &Failure) -> bool {
    let rule = judge(router.hello()).of_rule(failure.finding.rule);
    let written = TraceFile::new("asked", failure.run.asking()).to_toml();
    let trace = TraceFile::parse(&written).unwrap().trace;
    let judged = trial(router, &rule, &[run_asking(trace, Vec::new(), false)]).unwrap();
    !judged[0].tally.findings.is_empty()
}

fn found_at_random<R: Local + Default>(name: &str) {
    found_by::<R>(name, &RuleSet::of(Level::Router));
}

fn found_by<R: Local + Default>(name: &str, rules: &RuleSet) {
    let mut router = InProcess::new(R::default());
    let settings = settings(router.hello(), 1);
    let judge = Judge::new(router.hello(), rules.clone()).unwrap();
    let hunt = search(&mut router, &judge, &settings, &mut until_found).unwrap();
    let shrunk: Vec<&Failure> = hunt.failures.values().filter(|failure| failure.shrunk).collect();
    assert!(!shrunk.is_empty(), "{name}: not found in {} traces", hunt.work.traces);
    for failure in shrunk {
        let asks = |step: &Step| matches!(step, Step::Ask(..));
        assert!(failure.run.trace.steps.iter().any(asks), "{name}: {failure:?}");
        assert!(shows_again(&mut router, failure), "{name}: {failure:?}");
    }
}

#[test]
fn caches_of_any_size_and_stamps_that_wrap_are_found_at_random() {
    found_at_random::<Cached<1, 1>>("one answer");
    found_at_random::<Cached<3, 1>>("three answers");
    found_at_random::<Cached<16, 1>>("16 answers");
    found_at_random::<Cached<256, 1>>("256 answers");
    found_at_random::<Cached<1000, 4>>("four stamps");
    found_at_random::<Cached<1000, 16>>("16 stamps");
}

#[test]
fn a_refusal_that_changes_answers_is_found_behind_a_cache() {
    // Asked twice in a row the cache answers, so the trace must ask something else between.
    let rule = RuleSet::only(RuleId::AtomicRefusal);
    found_by::<Cached<1, 1, Losing>>("one answer", &rule);
    found_by::<Cached<3, 1, Losing>>("three answers", &rule);
}

/// A right router that answers for good as it did once it was asked so often.
#[derive(Clone, Default)]
struct Pins<const TIMES: usize> {
    router: Router,
    asked: RefCell<BTreeMap<Query, (usize, Vec<Answer>)>>,
}

impl<const TIMES: usize> Local for Pins<TIMES> {
    fn describe(&self) -> Hello {
        self.router.describe()
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        *self = Self::default();
        self.router.reset(initial)
    }

    fn change(&mut self, change: &Change) -> Changed {
        self.router.change(change)
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        let mut asked = self.asked.borrow_mut();
        let (times, answers) = asked.entry(query.clone()).or_default();
        if *times < TIMES {
            *answers = self.router.lookup(query);
        }
        *times += 1;
        answers.clone()
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        self.router.listing(team)
    }

    fn claims(&self) -> Vec<String> {
        self.router.claims()
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        self.router.sizes()
    }
}

#[test]
fn a_slow_router_too_is_asked_over_and_over() {
    // Asked at the end and around one step alone, no question is put more than three times.
    let mut router = InProcess::new(Pins::<6>::default());
    let settings = SearchSettings {
        draws: Draws::Changes(Cadence::AtTheEnd),
        ..settings(router.hello(), 16)
    };
    let judge = judge(router.hello());
    let hunt = search(&mut router, &judge, &settings, &mut until_found).unwrap();
    let failures: Vec<_> = hunt.failures.values().filter(|failure| failure.shrunk).collect();
    assert!(!failures.is_empty(), "not found in {} traces", hunt.work.traces);
    assert!(failures.iter().all(|failure| shows_again(&mut router, failure)));
}

const FIRST: ExhaustLimits = ExhaustLimits {
    states_max: 60_000,
    first_failure: true,
    single_lookups: true,
};

fn found_in_the_narrow_universe<R: Local + Default + Clone + Eq + Hash>(name: &str, steps: usize) {
    let hello = R::default().describe();
    let (judge, scope) = (judge(&hello), Scope::new(&NARROW, &hello));
    let go_on = &mut |_: &Hunt| Pace::Continue(u32::MAX);
    let whole = explore(R::default(), &judge, &scope, FIRST, go_on).unwrap();
    let mut router = InProcess::new(R::default());
    assert_eq!(
        shortest(&whole, &mut router, &judge),
        Some(steps),
        "{name}, by its whole memory"
    );
}

/// The size of the smallest failure once each is made small.
fn shortest(hunt: &Hunt, router: &mut dyn RouterUnderTest, judge: &Judge) -> Option<usize> {
    let failures = hunt.failures.values();
    let shrunk = failures.filter_map(|failure| shrink_failure(router, judge, failure, &mut || true).unwrap());
    let shrunk: Vec<Failure> = shrunk.filter(|failure| failure.shrunk).collect();
    shrunk.iter().map(|failure| failure.run.trace.size()).min()
}

#[test]
fn single_lookups_are_an_action_of_the_exhaustive_engine() {
    found_in_the_narrow_universe::<Cached<1, 1>>("one answer", 2);
    found_in_the_narrow_universe::<Cached<4, 1>>("four answers", 2);
    found_in_the_narrow_universe::<Cached<1000, 2>>("two stamps", 3);
    let mut router = InProcess::new(Cached::<1, 1>::default());
    let (judge, scope) = (judge(router.hello()), Scope::new(&NARROW, router.hello()));
    let go_on = &mut |_: &Hunt| Pace::Continue(u32::MAX);
    let observed = explore_observed(&mut router, &judge, &scope, FIRST, go_on).unwrap();
    let shortest = shortest(&observed, &mut router, &judge);
    assert_eq!(shortest, Some(2), "one answer, as far as can be observed");
}

#[test]
fn a_router_without_a_fault_is_explored_behind_single_lookups_too() {
    let explored = |single_lookups| {
        let hello = Router::default().describe();
        let limits = ExhaustLimits {
            single_lookups,
            first_failure: false,
            ..FIRST
        };
        let scope = Scope::new(&NARROW, &hello);
        let go_on = &mut |_: &Hunt| Pace::Continue(u32::MAX);
        explore(Router::default(), &judge(&hello), &scope, limits, go_on).unwrap()
    };
    let (with, without) = (explored(true), explored(false));
    assert!(with.failures.is_empty() && without.failures.is_empty());
    assert_eq!(with.work.states, without.work.states, "a change forgets what was asked");
    assert!(
        with.work.changes > without.work.changes,
        "its memo tells asked from unasked"
    );
}

/// Keeps the runs that a search puts on trial, but for those of fresh routers and of shrinking.
struct Recorded {
    router: Box<dyn RouterUnderTest + Send>,
    runs: Vec<Run>,
}

impl RouterUnderTest for Recorded {
    fn hello(&self) -> &Hello {
        self.router.hello()
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let is_drawn = |run: &&Run| {
            let changes = run.trace.steps.iter().any(|step| step.change().is_some());
            changes && !run.questions.rounds.is_empty()
        };
        self.runs.extend(runs.iter().filter(is_drawn).cloned());
        self.router.run(runs)
    }
}

#[test]
fn a_trace_depends_on_the_seed_and_its_number_alone() {
    let drawn = |batch, swept: bool| {
        let mut router = Recorded {
            router: find("none").unwrap().router(),
            runs: Vec::new(),
        };
        let tiny = Scope::new(&TINY, router.hello());
        let sweep = if swept { model::sweep(&tiny, &[]) } else { Vec::new() };
        let before = sweep.len();
        let settings = SearchSettings {
            sweep,
            traces_max: 40,
            ..settings(router.hello(), batch)
        };
        let judge = judge(router.hello());
        let hunt = search(&mut router, &judge, &settings, &mut |_| Pace::Continue(u32::MAX)).unwrap();
        assert_eq!((hunt.work.swept as usize, hunt.work.traces), (before, 40));
        router.runs.split_off(before)
    };
    let runs = drawn(1, false);
    assert_eq!(runs.len(), 40);
    for (batch, swept) in [(7, false), (32, false), (1, true), (32, true)] {
        assert!(runs == drawn(batch, swept), "batches of {batch}, swept {swept}");
    }
}
