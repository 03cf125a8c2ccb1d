//! Golden files of the engines: from one version to the next a seed draws the same traces, a scope has the same states,
//! and the same is found. A change on purpose is seen as a change of the files under `kept/`.

mod kept;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::Hash;
use std::ops::ControlFlow;

use adapter_faulty::{Router, find};
use model::universe::{BIG, CLOSABLE, MID, Scope, TINY, UNIVERSES, Universe};
use model::{
    Cadence, Draws, Ended, ExhaustLimits, Failure, Hunt, Judge, Limit, RuleId, RuleSet, SearchSettings, Seeded,
    Signature, Swarm, Work, alphabet, draw_run, explore, explore_observed, matrix, router_changes, search,
    shrink_failure, to_the_end,
};
use protocol::{Answer, Capability, Change, Changed, Extra, Hello, Level, Local, Outcome, Query, Question, Row, Step};

use crate::kept::check;

/// A scope that a debug build closes in a moment.
const SMALL: Universe = Universe {
    name: "small",
    ids: &["d1", "d2"],
    names: &["a"],
    patterns: &["a*"],
    teams: &["t1"],
    paired: true,
    ..TINY
};

/// Faults whose shortest traces look different: a leftover pattern, names and targets that only grow, what is blocked, a
/// refusal, a list, a team.
const FAULTS: [&str; 8] = [
    "upsert-keeps-global-pattern",
    "names-only-grow",
    "targets-only-grow",
    "blocked-patterns-served",
    "refused-update-loses-old-row",
    "replace-keeps-team-patterns",
    "team-change-keeps-old-team",
    "refused-replace-empties-table",
];

/// FNV-1a of what the value looks like, for what is too long to be kept. Source: Fowler, Noll and Vo, RFC 9923.
fn digest(value: &impl serde::Serialize) -> u64 {
    let json = serde_json::to_string(value).unwrap();
    json.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Routers that can do all, little, and all with parameter bundles beside it.
fn hellos() -> [(&'static str, Hello); 3] {
    let full = find("none").unwrap().router().hello().clone();
    let mut plain = full.clone();
    plain.capabilities = vec![Capability::Upsert, Capability::Delete];
    plain.dialect.semantics = None;
    plain.dialect.target_prefixes = Vec::new();
    let mut bundles = full.clone();
    bundles.dialect.target_prefixes = vec!["openai/".to_owned(), "bedrock/".to_owned()];
    bundles.dialect.extras = [("fallbacks", None), ("auto", Some("auto_router/x"))]
        .map(|(name, target)| Extra {
            name: name.to_owned(),
            why: "it takes a path of its own".to_owned(),
            target: target.map(str::to_owned),
            plain: false,
            copies: false,
            params: None,
        })
        .to_vec();
    [("full", full), ("plain", plain), ("bundles", bundles)]
}

fn judge(hello: &Hello) -> Judge {
    Judge::new(hello, RuleSet::of(Level::Router)).unwrap()
}

#[test]
fn a_scope_has_the_changes_and_questions_that_it_had() {
    let mut text = String::new();
    for (name, hello) in hellos().into_iter().take(2) {
        for universe in CLOSABLE {
            let scope = Scope::new(universe, &hello);
            let (changes, questions) = (alphabet(&scope), matrix(&scope));
            writeln!(
                text,
                "{name} {}: {} changes {:016x}, {} questions {:016x}",
                universe.name,
                changes.len(),
                digest(&changes),
                questions.len(),
                digest(&questions),
            )
            .unwrap();
        }
    }
    check("scopes", &text);
}

#[test]
fn a_seed_means_the_traces_that_it_meant() {
    let mut text = String::new();
    for (name, hello) in hellos() {
        for (cadence, word) in [(Cadence::Drawn, "at drawn moments"), (Cadence::AtTheEnd, "at the end")] {
            let settings = SearchSettings {
                seed: 1,
                sweep: Vec::new(),
                scopes: UNIVERSES.iter().map(|universe| Scope::new(universe, &hello)).collect(),
                draws: Draws::Changes(cadence),
                traces_max: 300,
                batch: 1,
            };
            let runs: Vec<_> = (0..settings.traces_max)
                .map(|number| draw_run(&settings, number).1)
                .collect();
            let steps: usize = runs.iter().map(|run| run.trace.steps.len()).sum();
            let queries: usize = runs.iter().map(|run| run.questions.queries().count()).sum();
            let digest = digest(&runs);
            writeln!(
                text,
                "{name}, asked {word}: {steps} steps, {queries} queries, {digest:016x}"
            )
            .unwrap();
        }
    }
    check("drawn", &text);
}

#[test]
fn what_is_drawn_keeps_to_its_scope() {
    for (name, hello) in hellos() {
        let scope = Scope::new(&MID, &hello);
        for number in 0..300 {
            let choices = &mut Seeded::new(2, number);
            let swarm = Swarm::draw(&scope, choices);
            assert!(!swarm.ids().is_empty() && !swarm.names().is_empty(), "{name} {number}");
            let (initial, steps) = router_changes(&scope, &swarm, choices);
            assert!(
                (1..=MID.steps_max as usize).contains(&steps.len()),
                "{name} {number}: {} steps",
                steps.len()
            );
            let rows = initial
                .iter()
                .chain(steps.iter().filter_map(Step::change).flat_map(Change::rows));
            for row in rows {
                let of_the_swarm = (row.model_name.is_empty() || swarm.names().contains(&row.model_name.as_str()))
                    && swarm.ids().contains(&row.id.as_str())
                    && row.team.as_deref().is_none_or(|team| swarm.teams().contains(&team));
                let of_the_scope = (scope.can(Capability::Blocked) || !row.blocked)
                    && (scope.can(Capability::Weights) || row.weight.is_none())
                    && (scope.malformed || !row.model_name.is_empty());
                assert!(of_the_swarm && of_the_scope, "{name} {number}: {row:?}");
            }
        }
    }
}

/// A router that forgets to delete, which is no planted fault: the files keep what was found of it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Forgetful(Router);

impl Local for Forgetful {
    fn describe(&self) -> Hello {
        self.0.describe()
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        self.0.reset(initial)
    }

    fn change(&mut self, change: &Change) -> Changed {
        match change {
            Change::Delete(_) => Changed {
                outcome: Outcome::Applied,
                ..self.0.change(&Change::Delete(String::new()))
            },
            _ => self.0.change(change),
        }
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        self.0.lookup(query)
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        self.0.listing(team)
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        self.0.sizes()
    }
}

fn explored<R: Local + Default + Clone + Eq + Hash>(limits: ExhaustLimits) -> Hunt {
    let hello = R::default().describe();
    let (judge, scope) = (judge(&hello), Scope::new(&SMALL, &hello));
    explore(R::default(), &judge, &scope, limits, &mut to_the_end).unwrap()
}

fn observed(fault: &str, limits: ExhaustLimits) -> Hunt {
    let mut router = find(fault).unwrap().router();
    let (judge, scope) = (judge(router.hello()), Scope::new(&SMALL, router.hello()));
    explore_observed(router.as_mut(), &judge, &scope, limits, &mut |_| {
        ControlFlow::Continue(u32::MAX)
    })
    .unwrap()
}

const ALL: ExhaustLimits = ExhaustLimits {
    states_max: usize::MAX,
    first_failure: false,
    single_lookups: false,
};

fn summary(text: &mut String, what: &str, hunt: &Hunt) {
    let Hunt {
        work,
        premises,
        failures,
        ended,
        ..
    } = hunt;
    let Work {
        states,
        changes,
        depth,
        whole_memory,
        answers,
        ..
    } = work;
    writeln!(
        text,
        "{what}: {states} states, {changes} transitions, depth {depth}, {ended}, whole memory {whole_memory}, {answers} \
         answers, premises {}",
        premises_text(premises)
    )
    .unwrap();
    for (index, failure) in failures.values().enumerate() {
        // The steps of one of them are enough to read.
        add_failure(text, failure, index == 0);
    }
}

fn premises_text(premises: &BTreeMap<RuleId, u64>) -> String {
    let premises: Vec<String> = premises.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
    premises.join(", ")
}

fn add_failure(text: &mut String, failure: &Failure, with_steps: bool) {
    let Failure {
        signature,
        finding,
        run,
        origin,
        count,
        shrunk,
    } = failure;
    let Signature {
        kind,
        structure: _,
        last,
        extra,
    } = signature;
    let [allowed, got] = finding.words();
    writeln!(
        text,
        "  {} {} {} {last} {extra:?}: {count} of it, first in trace {} of {}, {} steps, {} shrunk {shrunk}, after {}: {allowed}; {got}",
        kind.rule,
        kind.class,
        kind.place(),
        origin.trace,
        origin.universe,
        origin.steps,
        run.trace.size(),
        finding.after,
    )
    .unwrap();
    if run.questions.rounds.len() > 1 {
        writeln!(text, "    asked after every step").unwrap();
    }
    if let Some(Question::Listing(team)) = run.questions.asked.first() {
        writeln!(text, "    listing of {team:?}").unwrap();
    }
    if !with_steps {
        return;
    }
    for row in &run.trace.setup.rows {
        writeln!(text, "    initial {}", serde_json::to_string(row).unwrap()).unwrap();
    }
    let asked = run.questions.queries().cloned().map(Step::lookup);
    // Before it is made small, a trace has all that was asked on the way.
    let is_told = |step: &&Step| *shrunk || step.change().is_some();
    for step in run.trace.steps.iter().filter(is_told).cloned().chain(asked) {
        writeln!(text, "    {}", serde_json::to_string(&step).unwrap()).unwrap();
    }
}

#[test]
fn every_state_of_a_small_scope_is_explored_once() {
    let mut text = String::new();
    let all = explored::<Router>(ALL);
    summary(&mut text, "small", &all);
    summary(&mut text, "small, observed", &observed("none", ALL));
    let just_enough = ExhaustLimits {
        states_max: all.work.states,
        ..ALL
    };
    assert_eq!(explored::<Router>(just_enough).ended, Ended::Exhausted);
    let cut = ExhaustLimits { states_max: 50, ..ALL };
    summary(&mut text, "small, of at most 50 states", &explored::<Router>(cut));
    check("explored", &text);
    let hello = Forgetful::default().describe();
    let judge = Judge::new(&hello, RuleSet::only(RuleId::Listing)).unwrap();
    let scope = Scope::new(&SMALL, &hello);
    let go_on = &mut |_: &Hunt| ControlFlow::Continue(u32::MAX);
    let by_one_rule = explore(Forgetful::default(), &judge, &scope, ALL, go_on).unwrap();
    assert!(
        by_one_rule.premises.keys().eq([&RuleId::Listing]),
        "{:?}",
        by_one_rule.premises
    );
}

#[test]
fn an_exploration_that_is_broken_off_says_so() {
    let hello = Router::default().describe();
    let (judge, scope) = (judge(&hello), Scope::new(&SMALL, &hello));
    let mut calls = 0;
    let go_on = &mut |_: &Hunt| {
        calls += 1;
        if calls < 3 {
            ControlFlow::Continue(u32::MAX)
        } else {
            ControlFlow::Break(())
        }
    };
    let explored = explore(Router::default(), &judge, &scope, ALL, go_on).unwrap();
    assert_eq!(explored.ended, Ended::Cut(Limit::Budget));
    assert_eq!((calls, explored.work.changes), (3, 2 * alphabet(&scope).len() as u64));
}

#[test]
fn an_exploration_finds_each_failure_at_its_shortest_trace() {
    let mut text = String::new();
    summary(&mut text, "forgetful", &explored::<Forgetful>(ALL));
    let first = ExhaustLimits {
        first_failure: true,
        ..ALL
    };
    summary(&mut text, "forgetful, up to the first", &explored::<Forgetful>(first));
    for fault in FAULTS {
        summary(&mut text, fault, &observed(fault, first));
    }
    check("explored-faults", &text);
}

#[test]
fn what_an_exploration_finds_is_made_small() {
    let mut text = String::new();
    let first = ExhaustLimits {
        first_failure: true,
        ..ALL
    };
    for fault in FAULTS {
        let mut router = find(fault).unwrap().router();
        let judge = judge(router.hello());
        writeln!(text, "{fault}").unwrap();
        for mut failure in observed(fault, first).failures.into_values() {
            // Shrinking works the signature out anew.
            failure.signature.last = "construction";
            let shrunk = shrink_failure(router.as_mut(), &judge, &failure, &mut || true)
                .unwrap()
                .unwrap();
            add_failure(&mut text, &shrunk, true);
        }
    }
    check("shrunk", &text);
}

#[test]
fn a_search_finds_and_shrinks_what_it_found_and_shrank() {
    let mut text = String::new();
    for fault in FAULTS {
        let mut router = find(fault).unwrap().router();
        let judge = judge(router.hello());
        let settings = SearchSettings {
            seed: 1,
            sweep: Vec::new(),
            scopes: [TINY, MID, BIG]
                .iter()
                .map(|universe| Scope::new(universe, router.hello()))
                .collect(),
            draws: Draws::Changes(Cadence::Drawn),
            traces_max: 20,
            batch: 8,
        };
        let hunt = search(router.as_mut(), &judge, &settings, &mut to_the_end).unwrap();
        let Work {
            traces,
            changes,
            answers,
            ..
        } = hunt.work;
        writeln!(
            text,
            "{fault}: {traces} traces, {changes} changes, {answers} answers, uncounted {}, {}, premises {}",
            hunt.uncounted,
            hunt.ended,
            premises_text(&hunt.premises)
        )
        .unwrap();
        for failure in hunt.failures.values() {
            add_failure(&mut text, failure, true);
        }
    }
    check("searched", &text);
}
