//! The sweep meets every bundle by every verb at every tier, and what was tried is counted.

use std::collections::{BTreeMap, BTreeSet};

use adapter_faulty::find;
use model::universe::{Scope, TINY};
use model::{
    CONSTRUCTION, Cadence, Coverage, Draws, Judge, LookedUp, Met, RuleSet, SWEEP, SearchSettings, Tier, Tried, search,
    sweep, to_the_end, trial,
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
}

impl Bundled {
    fn new(capabilities: Option<&[Capability]>) -> Self {
        let router = find("none").unwrap().router();
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
                params: None,
            })
            .to_vec();
        Self { router, hello }
    }
}

impl RouterUnderTest for Bundled {
    fn hello(&self) -> &Hello {
        &self.hello
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
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
    for run in &runs {
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
    assert_eq!(settings.sweep[0].trace, known);
    let judge = judge(router.hello());
    let hunt = search(router.as_mut(), &judge, &settings, &mut to_the_end).unwrap();
    let first = hunt
        .failures
        .values()
        .map(|failure| (failure.origin.universe, failure.origin.trace))
        .min();
    assert_eq!(first, Some((SWEEP, 0)));
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
    let runs = sweep(&Scope::new(&TINY, router.hello()), &[known]);
    let last = runs[0].questions.rounds.last().expect("there is a round");
    assert_eq!(
        last.after, 2,
        "at the end, where answers are held against those of fresh routers"
    );
    let mut of_last = runs[0].questions.of(last);
    assert!(of_last.any(|(_, question)| *question == asked));
}
