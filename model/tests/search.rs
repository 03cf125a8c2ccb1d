//! The random engine, and shrinking: how traces are drawn and batched, and how a failure is made small.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use adapter_faulty::find;
use model::universe::{MID, Scope};
use model::{
    Cadence, Draws, Ended, Finding, FindingKind, Judge, Limit, RuleId, RuleSet, SearchSettings, Shrunk, Swept, Tally,
    search, shrink, to_the_end, trial,
};
use protocol::{
    AdapterFault, Answer, Capability, Change, Changed, Hello, InProcess, Level, Local, Query, Question, Questions,
    Refusal, RouterUnderTest, Row, Run, RunReply, Step, Trace,
};

fn judge(hello: &Hello) -> Judge {
    Judge::new(hello, RuleSet::of(Level::Router)).unwrap()
}

fn settings(hello: &Hello, traces_max: u32) -> SearchSettings {
    SearchSettings {
        seed: 1,
        sweep: Vec::new(),
        scopes: vec![Scope::new(&MID, hello)],
        draws: Draws::Changes(Cadence::Drawn),
        traces_max,
        batch: 8,
    }
}

fn lookup(model: &str, team: Option<&str>) -> Question {
    Question::Lookup(Query::new(model, team))
}

/// A run of a router that is constructed with nothing, asked these questions after so many steps each.
fn run(steps: Vec<Step>, asked: Vec<Question>, after: impl IntoIterator<Item = u32>) -> Run {
    Run {
        trace: Trace::of_router(Vec::new(), steps),
        questions: Questions::at(asked, after),
    }
}

/// Carries out one run, and returns the premises and findings of the rules.
fn judged(router: &mut dyn RouterUnderTest, judge: &Judge, run: &Run) -> Tally {
    let judged = trial(router, judge, std::slice::from_ref(run));
    judged.unwrap().remove(0).tally
}

/// A router with a fault that says of each run that it took a nanosecond, and how targets start.
struct Timed {
    router: Box<dyn RouterUnderTest + Send>,
    hello: Hello,
    replies: u64,
}

impl Timed {
    fn new(fault: &str) -> Self {
        let router = find(fault).unwrap().router();
        let mut hello = router.hello().clone();
        hello.dialect.target_prefixes = vec!["openai/".to_owned()];
        Self {
            router,
            hello,
            replies: 0,
        }
    }
}

impl RouterUnderTest for Timed {
    fn hello(&self) -> &Hello {
        &self.hello
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let mut replies = self.router.run(runs)?;
        for reply in &mut replies {
            reply.router_ns = Some(1);
            self.replies += 1;
        }
        Ok(replies)
    }
}

#[test]
fn what_a_failure_does_not_need_goes() {
    let mut router = Timed::new("upsert-keeps-global-pattern");
    let judge = judge(router.hello());
    let row = |id: &str, name: &str, tag: &str| Row::new(id, name, "openai/up", tag);
    let upsert = |row: Row| Step::Change(Change::Upsert(row));
    let weighted = Row {
        weight: Some(5),
        ..row("x", "openai/*", "b")
    };
    let steps = vec![
        upsert(row("y", "m2", "c")),
        Step::Change(Change::Delete("z".into())),
        upsert(row("x", "openai/*", "d")),
        Step::Ask(None, lookup("m2", None)),
        upsert(row("z", "k", "e")),
    ];
    let asked = vec![
        lookup("m", None),
        lookup("openai/q", Some("t1")),
        Question::Listing(None),
    ];
    let mut run = run(steps, asked, 0..=5);
    run.trace.setup.rows = vec![row("y", "m", "a"), weighted];
    let findings = judged(&mut router, &judge, &run).findings;
    let stale = findings.iter().find(|finding| finding.rule == RuleId::Current).unwrap();
    let shrunk = shrink(&mut router, &judge, &run, stale, &mut || true).unwrap().unwrap();
    let small = vec![upsert(row("d1", "openai/*", "v1")), upsert(row("d1", "openai/*", "v2"))];
    let small = self::run(small, vec![lookup("openai/q", Some("t1"))], [2]);
    assert_eq!((&shrunk.run, shrunk.attempts), (&small, 9));
    assert_eq!(shrunk.run.trace.size(), 2);
    let mut longer = run.trace.clone();
    let list = Change::Replace(vec![row("y", "m", "a"), row("z", "k", "e")]);
    longer.steps.push(Step::Change(list));
    assert_eq!(
        longer.size(),
        9,
        "two rows, three of upserts, a deletion, a lookup, two of a list"
    );
}

/// The first finding of a run by that rule and in that way, made small.
fn shrunk_of(fault: &str, run: &Run, rule: RuleId, place: &str) -> Shrunk {
    let mut router = find(fault).unwrap().router();
    let judge = judge(router.hello());
    let tally = judged(router.as_mut(), &judge, run);
    let finding = tally
        .findings
        .iter()
        .find(|finding| (finding.rule, FindingKind::of(finding).place()) == (rule, place))
        .unwrap();
    shrink(router.as_mut(), &judge, run, finding, &mut || true)
        .unwrap()
        .unwrap()
}

/// A router with two structures that only grow: one from the second change on, the other from the third.
#[derive(Default)]
struct Growing {
    rows: BTreeMap<String, Row>,
    changes: u64,
}

impl Local for Growing {
    fn describe(&self) -> Hello {
        Hello {
            capabilities: vec![Capability::Upsert, Capability::Sizes],
            router: "growing".to_owned(),
            ..find("none").unwrap().router().hello().clone()
        }
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        self.rows = initial.iter().map(|row| (row.id.clone(), row.clone())).collect();
        self.changes = 0;
        Changed::APPLIED
    }

    fn change(&mut self, change: &Change) -> Changed {
        change.apply_to(&mut self.rows);
        self.changes += 1;
        Changed::APPLIED
    }

    fn lookup(&self, _query: &Query) -> Vec<Answer> {
        vec![Answer::Refused(Refusal::UnknownModel)]
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        let behind = |changes: u64| self.rows.len() as u64 + self.changes.saturating_sub(changes);
        [("early".to_owned(), behind(1)), ("late".to_owned(), behind(2))].into()
    }
}

#[test]
fn a_structure_that_grew_is_not_made_small_into_another() {
    let mut router = InProcess::new(Growing::default());
    let judge = judge(router.hello());
    let upsert = |tag: &str| Step::Change(Change::Upsert(Row::new("d1", "m", "up/m", tag)));
    let steps = ["v1", "v2", "v3", "v4", "v5"].map(upsert).to_vec();
    let run = run(steps, vec![Question::Sizes], [5]);
    let findings = judged(&mut router, &judge, &run).findings;
    for (structure, steps) in [("early", 2), ("late", 3)] {
        let grown = |finding: &&Finding| finding.structure() == Some(structure);
        let finding = findings.iter().find(grown).expect("both have grown");
        let shrunk = shrink(&mut router, &judge, &run, finding, &mut || true)
            .unwrap()
            .unwrap();
        assert_eq!(shrunk.finding.structure(), Some(structure));
        assert_eq!(shrunk.run.trace.steps.len(), steps, "{structure}");
    }
}

#[test]
fn teams_are_renamed_wherever_they_stand() {
    let row = Row {
        team: Some("u".to_owned()),
        team_model_name: Some("p".to_owned()),
        ..Row::new("x", "a", "up", "a")
    };
    let listing = Question::Listing(Some("u".to_owned()));
    let run = run(vec![Step::Change(Change::Upsert(row))], vec![listing], [1]);
    let Run { trace, questions } = shrunk_of("listing-omits-team-names", &run, RuleId::Listing, "listing").run;
    assert_eq!(questions.asked, [Question::Listing(Some("t1".to_owned()))]);
    let upserted = trace.steps[0].rows();
    assert_eq!(upserted[0].team.as_deref(), Some("t1"));
}

#[test]
fn a_list_whose_rows_do_not_matter_becomes_empty_at_once() {
    let row = |id: &str, name: &str| Row::new(id, name, "up", id);
    let wildcard = Row {
        team: Some("t1".to_owned()),
        ..row("d1", "a*")
    };
    let others = ["d2", "d3", "d4", "d5"].map(|id| row(id, "b"));
    let steps = [Change::Upsert(wildcard), Change::Replace(others.to_vec())].map(Step::Change);
    let run = run(steps.to_vec(), vec![lookup("ax", Some("t1"))], [2]);
    let shrunk = shrunk_of("replace-keeps-team-patterns", &run, RuleId::Current, "team pattern");
    assert_eq!(
        shrunk.run.trace.steps.last(),
        Some(&Step::Change(Change::Replace(Vec::new())))
    );
    assert_eq!(shrunk.attempts, 13);
}

/// A router that declares these verbs alone, and refuses to be given another.
struct Narrow {
    router: Box<dyn RouterUnderTest + Send>,
    hello: Hello,
}

impl Narrow {
    fn new(fault: &str, verbs: &[Capability]) -> Self {
        use Capability::{Add, Delete, Replace, Upsert};
        let router = find(fault).unwrap().router();
        let mut hello = router.hello().clone();
        let of_verbs = |one: &Capability| ![Upsert, Add, Delete, Replace].contains(one) || verbs.contains(one);
        hello.capabilities.retain(of_verbs);
        Self { router, hello }
    }
}

impl RouterUnderTest for Narrow {
    fn hello(&self) -> &Hello {
        &self.hello
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let needs = runs.iter().flat_map(|run| run.trace.needs());
        let undeclared: Vec<_> = needs.filter(|need| !self.hello.can(*need)).collect();
        assert_eq!(undeclared, [], "nothing is asked of a router beyond its capabilities");
        self.router.run(runs)
    }
}

#[test]
fn no_trace_is_made_small_with_a_verb_that_the_router_lacks() {
    use Capability::{Add, Delete, Replace, Upsert};
    for (fault, verbs, wanted) in [
        ("upsert-keeps-global-pattern", &[Upsert][..], "upsert"),
        ("replace-keeps-team-patterns", &[Replace], "replace"),
        ("replace-keeps-team-patterns", &[Add, Replace], "replace"),
        ("delete-keeps-team-pattern", &[Add, Delete], "delete"),
    ] {
        let mut router = Narrow::new(fault, verbs);
        let judge = judge(router.hello());
        let settings = settings(router.hello(), 40);
        let hunt = search(&mut router, &judge, &settings, &mut to_the_end).unwrap();
        let lasts: Vec<_> = hunt.failures.keys().map(|signature| signature.last).collect();
        assert!(lasts.contains(&wanted), "{fault} with {verbs:?}: {lasts:?}");
    }
}

#[test]
fn a_listing_that_a_refused_change_changes_is_asked_for_again() {
    let row = Row::new("x", "a", "up", "a");
    let odd = Row {
        model: "up/*".to_owned(),
        tag: "b".to_owned(),
        ..row.clone()
    };
    let steps = [Change::Upsert(row), Change::Upsert(odd)].map(Step::Change);
    let listings = [Some("u".to_owned()), None].map(Question::Listing);
    let run = run(steps.to_vec(), listings.to_vec(), [1, 2]);
    let shrunk = shrunk_of("refused-update-loses-old-row", &run, RuleId::AtomicRefusal, "listing");
    assert_eq!(FindingKind::of(&shrunk.finding).place(), "listing");
    let Run { trace, questions } = shrunk.run;
    let asked = Question::Listing(Some("u".to_owned()));
    let before = &trace.steps[trace.steps.len() - 2];
    assert_eq!(*before, Step::Ask(None, asked.clone()), "before the change");
    assert_eq!(questions, Questions::at_end(vec![asked], trace.steps.len()));
}

#[test]
fn a_lookup_on_the_way_is_judged_where_it_was_made() {
    let upsert = |tag: &str| Step::Change(Change::Upsert(Row::new("x", "a*", "up", tag)));
    let asked = Step::Ask(None, lookup("ab", None));
    let run = |steps| self::run(steps, Vec::new(), []);
    let asked_late = run(vec![upsert("a"), upsert("b"), asked.clone(), upsert("c")]);
    let mut router = find("upsert-keeps-global-pattern").unwrap().router();
    let judge = judge(router.hello());
    let told: Vec<_> = judged(router.as_mut(), &judge, &asked_late)
        .findings
        .iter()
        .map(|finding| (finding.rule, finding.after))
        .collect();
    assert_eq!(told, [(RuleId::Current, 3)]);
    let deleted = run(vec![upsert("a"), asked, Step::Change(Change::Delete("x".into()))]);
    let mut router = find("none").unwrap().router();
    let tally = judged(router.as_mut(), &judge, &deleted);
    assert_eq!(tally.findings, [], "the row was there when it was asked for");
}

#[test]
fn fresh_routers_are_built_only_where_a_rule_looks_at_them() {
    let row = Row::new("x", "a", "openai/up", "a");
    let list = Change::Replace(vec![row.clone(), row.clone()]);
    let run = |changes: &[&Change], after: &[u32]| {
        let steps = changes.iter().map(|change| Step::Change((*change).clone()));
        run(steps.collect(), Vec::new(), after.iter().copied())
    };
    let upsert = Change::Upsert(row);
    for (rule, changes, after, routers) in [
        (RuleId::HistoryFree, &[&upsert][..], &[1][..], 2),
        (RuleId::Listing, &[&upsert], &[1], 1),
        (RuleId::HistoryFree, &[&upsert], &[0], 1),
        (RuleId::HistoryFree, &[&upsert], &[], 1),
        (RuleId::HistoryFree, &[&list], &[1], 1),
    ] {
        let mut router = Timed::new("replace-takes-double-ids");
        let judge = Judge::new(router.hello(), RuleSet::only(rule)).unwrap();
        judged(&mut router, &judge, &run(changes, after));
        assert_eq!(router.replies, routers, "{rule} {changes:?} {after:?}");
    }
}

#[test]
fn what_a_router_holds_that_took_an_id_twice_is_not_judged() {
    let row = Row::new("x", "a", "up", "a");
    let changes = [
        Change::Upsert(row.clone()),
        Change::Replace(vec![row.clone(), row.clone()]),
        Change::Upsert(row),
    ];
    let run = run(changes.map(Step::Change).to_vec(), vec![Question::Listing(None)], 0..=3);
    let mut router = find("replace-takes-double-ids").unwrap().router();
    let judge = Judge::new(router.hello(), RuleSet::only(RuleId::Listing)).unwrap();
    let tally = judged(router.as_mut(), &judge, &run);
    assert_eq!(
        tally.premises.get(&RuleId::Listing),
        Some(&2),
        "at the start and after the first change"
    );
}

#[test]
fn a_claim_of_semantics_that_there_are_none_of_is_refused_with_those_there_are() {
    let mut hello = find("none").unwrap().router().hello().clone();
    hello.dialect.semantics = Some("lax".to_owned());
    let why = Judge::new(&hello, RuleSet::of(Level::Router)).unwrap_err().to_string();
    assert!(
        why.contains("`lax`") && why.contains("`strict`, `litellm-1.85`"),
        "{why}"
    );
}

#[test]
fn a_search_begins_with_small_messages_and_adds_up_the_time_in_the_router() {
    let mut router = Timed::new("none");
    let judge = judge(router.hello());
    let settings = settings(router.hello(), 20);
    let mut seen = Vec::new();
    let hunt = search(&mut router, &judge, &settings, &mut |hunt| {
        seen.push(hunt.work.traces);
        ControlFlow::Continue(u32::MAX)
    });
    assert_eq!(seen, [0, 1, 3, 7, 15]);
    let (in_router, replies) = (hunt.unwrap().work.router_ns, router.replies);
    assert!(replies > 20, "the fresh routers are among them: {replies}");
    assert_eq!(in_router, replies);
}

#[test]
fn a_search_that_is_broken_off_says_so() {
    let mut router = find("upsert-keeps-global-pattern").unwrap().router();
    let judge = judge(router.hello());
    let settings = settings(router.hello(), 100);
    let hunt = search(router.as_mut(), &judge, &settings, &mut |hunt| {
        if hunt.failures.is_empty() {
            ControlFlow::Continue(u32::MAX)
        } else {
            ControlFlow::Break(())
        }
    })
    .unwrap();
    assert_eq!(hunt.ended, Ended::Cut(Limit::Budget));
    assert!(hunt.work.traces < 100, "{} traces", hunt.work.traces);
    assert!(hunt.failures.values().any(|failure| failure.shrunk));
    assert!(hunt.uncounted > 0, "what came behind the first failure is counted");
}

#[test]
fn a_search_that_is_stopped_tells_the_first_failure_as_it_was_found() {
    let mut router = find("upsert-keeps-global-pattern").unwrap().router();
    let judge = judge(router.hello());
    let upsert = |name: &str, tag: &str| Step::Change(Change::Upsert(Row::new("d1", name, "up", tag)));
    let steps = vec![upsert("a*", "v1"), upsert("b*", "v2")];
    let settings = SearchSettings {
        sweep: vec![Swept {
            run: run(steps, vec![lookup("ax", None), lookup("ay", None)], [2]),
            is_small: false,
        }],
        ..settings(router.hello(), 0)
    };
    let hunt = search(router.as_mut(), &judge, &settings, &mut |hunt| {
        if hunt.work.swept == 0 {
            ControlFlow::Continue(1)
        } else {
            ControlFlow::Break(())
        }
    })
    .unwrap();
    let failures: Vec<_> = hunt.failures.values().collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(!failures[0].shrunk, "there was no time to make it small");
}
