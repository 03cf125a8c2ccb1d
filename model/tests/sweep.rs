//! The sweep meets every bundle by every verb at every tier, and what was tried is counted.

use std::collections::{BTreeMap, BTreeSet};

use adapter_faulty::find;
use model::universe::{Scope, TINY};
use model::{
    CONSTRUCTION, Cadence, Coverage, Draws, Failure, Judge, LookedUp, Met, RuleSet, SWEEP, SearchSettings, Signature,
    Swept, Tier, Tried, search, sweep, to_the_end, trial,
};
use protocol::wire::Extra;
use protocol::{
    AdapterFault, Capability, Change, Hello, Level, Query, Question, Questions, Round, RouterUnderTest, Row, Run,
    RunReply, Step, Trace,
};

/// A router without a fault that has parameter bundles, which change nothing.
struct Bundled {
    router: Box<dyn RouterUnderTest + Send>,
    hello: Hello,
    /// The number of runs so far.
    runs: usize,
}

impl Bundled {
    fn new(capabilities: Option<&[Capability]>) -> Self {
        Self::with("none", capabilities)
    }

    fn with(fault: &str, capabilities: Option<&[Capability]>) -> Self {
        let router = find(fault).unwrap().router();
        let mut hello = router.hello().clone();
        if let Some(capabilities) = capabilities {
            hello.capabilities = capabilities.to_vec();
        }
        hello.dialect.extras = ["one", "two", "three"]
            .map(|name| Extra {
                name: name.to_owned(),
                why: "it is planted".to_owned(),
                target: None,
                plain: true,
                copies: false,
                params: None,
            })
            .to_vec();
        let runs = 0;
        Self { router, hello, runs }
    }
}

impl RouterUnderTest for Bundled {
    fn hello(&self) -> &Hello {
        &self.hello
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        self.runs += runs.len();
        self.router.run(runs)
    }
}

fn judge(hello: &Hello) -> Judge {
    Judge::new(hello, RuleSet::of(Level::Router)).unwrap()
}

fn settings(hello: &Hello) -> SearchSettings {
    let tiny = Scope::new(&TINY, hello);
    SearchSettings {
        seed: 1,
        sweep: sweep(&tiny, &[]),
        scopes: vec![tiny],
        draws: Draws::Changes(Cadence::Drawn),
        traces_max: 0,
        batch: 16,
    }
}

#[test]
fn every_bundle_meets_every_verb_before_anything_is_drawn() {
    let mut router = Bundled::new(None);
    let (judge, settings) = (judge(router.hello()), settings(router.hello()));
    let hunt = search(&mut router, &judge, &settings, &mut to_the_end).unwrap();
    assert_eq!((hunt.work.swept as usize, hunt.work.traces), (settings.sweep.len(), 0));
    assert!(hunt.failures.is_empty(), "{:?}", hunt.failures);
    let changes: BTreeSet<&Tried> = hunt.coverage.changes.keys().collect();
    for extra in [None, Some("one"), Some("two"), Some("three")] {
        let tried = |verb, met| Tried {
            extra: extra.map(str::to_owned),
            verb,
            met,
        };
        for verb in ["upsert", "add", "delete", "replace"] {
            assert!(changes.contains(&tried(verb, Met::Applied)), "{extra:?} {verb}");
        }
        assert!(changes.contains(&tried("upsert", Met::Refused)), "{extra:?}");
    }
    for verb in ["upsert", "add", "delete", "replace"] {
        for tier in Tier::ALL {
            for before in [true, false] {
                let looked_up = LookedUp { verb, tier, before };
                assert!(hunt.coverage.lookups.contains_key(&looked_up), "{looked_up:?}");
            }
        }
    }
}

#[test]
fn a_story_that_a_router_cannot_be_told_is_left_out() {
    let few = Bundled::new(Some(&[Capability::Upsert, Capability::Patterns]));
    let runs = sweep(&Scope::new(&TINY, few.hello()), &[]);
    assert!(!runs.is_empty());
    for Swept { run, .. } in &runs {
        assert!(run.trace.rows().all(|row| row.team.is_none()));
        let upsert = |step: &Step| matches!(step, Step::Change(Change::Upsert(_)));
        assert!(run.trace.steps.iter().all(upsert), "{run:?}");
    }
}

#[test]
fn known_traces_come_first_and_a_failure_of_the_sweep_says_where_it_is_from() {
    let row = |tag: &str| Row::new("d1", "a*", "openai/up", tag);
    let known = Trace::of_router(
        Vec::new(),
        ["v1", "v2"].map(|tag| Step::Change(Change::Upsert(row(tag)))).to_vec(),
    );
    let mut router = find("upsert-keeps-global-pattern").unwrap().router();
    let settings = SearchSettings {
        sweep: sweep(&Scope::new(&TINY, router.hello()), std::slice::from_ref(&known)),
        ..settings(router.hello())
    };
    assert_eq!(settings.sweep[0].run.trace, known);
    let judge = judge(router.hello());
    let hunt = search(router.as_mut(), &judge, &settings, &mut to_the_end).unwrap();
    let first = hunt
        .failures
        .values()
        .map(|failure| (failure.origin.universe, failure.origin.trace))
        .min();
    assert_eq!(first, Some((SWEEP, 0)));
}

/// A row with a wildcard, and what it takes to see that its update leaves the former version behind.
fn updated(id: &str, extra: Option<&str>) -> Run {
    let row = |tag: &str| Row {
        extra: extra.map(str::to_owned),
        weight: Some(3),
        ..Row::new(id, "some*", "openai/up", &format!("{id}-{tag}"))
    };
    let steps = ["old", "new"].map(|tag| Step::Change(Change::Upsert(row(tag))));
    let questions = Questions::at_end(vec![Question::Lookup(Query::new("something", None))], steps.len());
    Run {
        trace: Trace::of_router(Vec::new(), steps.to_vec()),
        questions,
    }
}

/// The failures of a sweep of these runs, and the number of runs that it took.
fn swept(sweep: Vec<Swept>) -> (Vec<Failure>, usize) {
    let mut router = Bundled::with("upsert-keeps-global-pattern", None);
    let settings = SearchSettings {
        sweep,
        ..settings(router.hello())
    };
    let judge = judge(router.hello());
    let hunt = search(&mut router, &judge, &settings, &mut to_the_end).unwrap();
    (hunt.failures.into_values().collect(), router.runs)
}

#[test]
fn what_a_known_trace_shows_is_not_made_small_again() {
    let one = |is_small| {
        let run = updated("d1", None);
        swept(vec![Swept { run, is_small }])
    };
    let ((small, few), (shrunk, many)) = (one(true), one(false));
    assert!(few * 3 < many, "{few} and {many}");
    assert!(!small.is_empty() && small.iter().all(|failure| failure.shrunk));
    let names = |failures: &[Failure]| -> BTreeSet<String> {
        let rows = failures.iter().flat_map(|failure| failure.run.trace.rows());
        rows.map(|row| row.tag.clone()).collect()
    };
    let (as_written, plain) = (["d1-old", "d1-new"], ["v1", "v2"]);
    assert_eq!(names(&small), as_written.map(str::to_owned).into());
    assert_eq!(names(&shrunk), plain.map(str::to_owned).into());
}

#[test]
fn a_failure_that_comes_to_one_that_is_told_already_costs_an_attempt() {
    let of = |runs: &[Run]| {
        let sweep = runs.iter().map(|run| Swept {
            run: run.clone(),
            is_small: false,
        });
        swept(sweep.collect())
    };
    let one = updated("d1", None);
    let ((failures, alone), (same, both)) = (of(std::slice::from_ref(&one)), of(&[one, updated("d2", Some("one"))]));
    let told = |failures: &[Failure]| -> Vec<(Signature, Run)> {
        failures
            .iter()
            .map(|failure| (failure.signature.clone(), failure.run.clone()))
            .collect()
    };
    assert_eq!(told(&failures), told(&same));
    assert!(same.iter().all(|failure| failure.count == 2), "{same:?}");
    assert!((both - alone) * 3 < alone, "{alone} for one, {both} for both");
}

#[test]
fn what_a_run_tried_is_counted_by_extra_verb_outcome_and_tier() {
    let row = |name: &str, tag: &str| Row {
        extra: Some("one".to_owned()),
        ..Row::new("d1", name, "openai/up", tag)
    };
    let lookup = |model: &str| Question::Lookup(Query::new(model, None));
    let wrong = Row {
        model: "openai/*".to_owned(),
        ..row("a", "v3")
    };
    let steps = vec![
        Step::Ask(None, lookup("a")),
        Step::Change(Change::Upsert(row("a", "v2"))),
        Step::Change(Change::Upsert(wrong)),
        Step::Ask(None, lookup("d1")),
        Step::Change(Change::Delete("d1".to_owned())),
    ];
    let mut trace = Trace::of_router(vec![row("b", "v1")], steps);
    trace.setup.rows[0].extra = None;
    let order = Some(vec![0, 1]);
    let questions = Questions {
        asked: vec![lookup("a"), lookup("d1"), Question::Sizes],
        rounds: [3, 5]
            .map(|after| Round {
                after,
                order: order.clone(),
                wait: 0,
            })
            .to_vec(),
    };
    let mut router = Bundled::new(None);
    let judge = judge(router.hello());
    let judged = trial(&mut router, &judge, &[Run { trace, questions }]).unwrap();
    let Coverage {
        effects,
        changes,
        lookups,
        taken,
        structures,
    } = &judged[0].coverage;
    assert_eq!((*effects, structures.len()), (2, 0), "sizes were not asked for");
    let tried = |extra: Option<&str>, verb, met| Tried {
        extra: extra.map(str::to_owned),
        verb,
        met,
    };
    let expected: BTreeMap<Tried, u64> = [
        (tried(None, CONSTRUCTION, Met::Applied), 1),
        (tried(Some("one"), "upsert", Met::Applied), 1),
        (tried(Some("one"), "upsert", Met::Refused), 1),
        (tried(Some("one"), "delete", Met::Applied), 1),
    ]
    .into();
    assert_eq!(*changes, expected);
    assert_eq!(*taken, BTreeMap::from([(Tier::Exact, true)]));
    let looked_up = |verb, tier, before| LookedUp { verb, tier, before };
    let expected: BTreeMap<LookedUp, u64> = [
        (looked_up("upsert", Tier::Exact, true), 1),
        (looked_up("upsert", Tier::Id, false), 1),
        (looked_up("delete", Tier::Exact, true), 1),
        (looked_up("delete", Tier::Id, true), 1),
    ]
    .into();
    assert_eq!(*lookups, expected);
}

#[test]
fn what_a_known_trace_asks_is_asked_of_fresh_routers_too() {
    let router = Bundled::new(None);
    let asked = Question::Lookup(Query::new("nothing that its rows raise", None));
    let steps = vec![
        Step::Change(Change::Delete("d1".to_owned())),
        Step::Ask(None, asked.clone()),
    ];
    let known = Trace::of_router(Vec::new(), steps);
    let swept = sweep(&Scope::new(&TINY, router.hello()), &[known]);
    let questions = &swept[0].run.questions;
    let last = questions.rounds.last().expect("there is a round");
    assert_eq!(
        last.after, 2,
        "at the end, where answers are held against those of fresh routers"
    );
    let mut of_last = questions.of(last);
    assert!(of_last.any(|(_, question)| *question == asked));
}
