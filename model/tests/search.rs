//! How the random engine goes about it, and how a failure is made small.

use std::ops::ControlFlow;

use adapter_faulty::find;
use model::evidence::Way;
use model::generate::Cadence;
use model::rules::{RuleSet, Tally};
use model::search::{Settings, search};
use model::shrink::{Case, Shrunk, shrink};
use model::trial::{Judge, trial};
use model::universe::{MID, Scope};
use protocol::{AdapterFault, Change, Hello, Query, RouterUnderTest, Row, Run, RunReply, Step};

fn judge(hello: &Hello) -> Judge {
    Judge::new(hello, RuleSet::default()).unwrap()
}

fn settings(hello: &Hello, traces_max: u32) -> Settings {
    Settings {
        seed: 1,
        scopes: vec![Scope::new(&MID, hello)],
        cadence: Cadence::EveryStep,
        traces_max,
        batch: 8,
    }
}

/// What the rules say of one run.
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
    let run = Run {
        initial: vec![row("y", "m", "a"), weighted],
        steps: vec![
            upsert(row("y", "m2", "c")),
            Step::Change(Change::Delete("z".into())),
            upsert(row("x", "openai/*", "d")),
            Step::Lookup(Query::new("m2", None)),
            upsert(row("z", "k", "e")),
        ],
        observe: (0..=5).collect(),
        queries: vec![Query::new("m", None), Query::new("openai/q", Some("t1"))],
        viewers: vec![None],
        ..Run::default()
    };
    let findings = judged(&mut router, &judge, &run).findings;
    let stale = findings.iter().find(|finding| finding.rule == "current").unwrap();
    let shrunk = shrink(&mut router, &judge, &run, stale).unwrap().unwrap();
    let small = Case {
        initial: Vec::new(),
        steps: vec![upsert(row("d1", "openai/*", "v1")), upsert(row("d1", "openai/*", "v2"))],
        query: Some(Query::new("openai/q", Some("t1"))),
        viewer: None,
        every_step: false,
    };
    assert_eq!((&shrunk.case, shrunk.attempts), (&small, 9));
    assert_eq!(shrunk.case.size(), 2);
    let list = Step::Change(Change::Replace(vec![row("y", "m", "a"), row("z", "k", "e")]));
    let longer = Case {
        initial: run.initial.clone(),
        steps: [run.steps.clone(), vec![list]].concat(),
        ..small
    };
    assert_eq!(
        longer.size(),
        9,
        "two rows, three of upserts, a deletion, a lookup, two of a list"
    );
}

/// The first finding of a run by that rule and in that way, made small.
fn shrunk_of(fault: &str, run: &Run, rule: &str, way: Way) -> Shrunk {
    let mut router = find(fault).unwrap().router();
    let judge = judge(router.hello());
    let tally = judged(router.as_mut(), &judge, run);
    let finding = tally
        .findings
        .iter()
        .find(|finding| (finding.rule, finding.way) == (rule, way))
        .unwrap();
    shrink(router.as_mut(), &judge, run, finding).unwrap().unwrap()
}

#[test]
fn teams_are_renamed_wherever_they_stand() {
    let row = Row {
        team: Some("u".to_owned()),
        team_model_name: Some("p".to_owned()),
        ..Row::new("x", "a", "up", "a")
    };
    let run = Run {
        steps: vec![Step::Change(Change::Upsert(row))],
        observe: vec![1],
        viewers: vec![Some("u".to_owned())],
        ..Run::default()
    };
    let Case { viewer, steps, .. } = shrunk_of("listing-omits-team-names", &run, "listing", Way::Listing).case;
    assert_eq!(viewer, Some(Some("t1".to_owned())));
    let upserted = steps[0].change().unwrap().rows();
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
    let run = Run {
        steps: [Change::Upsert(wildcard), Change::Replace(others.to_vec())]
            .map(Step::Change)
            .to_vec(),
        observe: vec![2],
        queries: vec![Query::new("ax", Some("t1"))],
        ..Run::default()
    };
    let shrunk = shrunk_of("replace-keeps-team-patterns", &run, "current", Way::TeamPattern);
    assert_eq!(
        shrunk.case.steps.last(),
        Some(&Step::Change(Change::Replace(Vec::new())))
    );
    assert_eq!(shrunk.attempts, 13);
}

#[test]
fn a_listing_that_a_refused_change_changes_is_asked_for_again() {
    let row = Row::new("x", "a", "up", "a");
    let odd = Row {
        model: "up/*".to_owned(),
        tag: "b".to_owned(),
        ..row.clone()
    };
    let run = Run {
        steps: [Change::Upsert(row), Change::Upsert(odd)].map(Step::Change).to_vec(),
        observe: vec![1, 2],
        viewers: vec![Some("u".to_owned()), None],
        ..Run::default()
    };
    let shrunk = shrunk_of("refused-update-loses-old-row", &run, "atomic-refusal", Way::Listing);
    assert_eq!(shrunk.finding.way, Way::Listing);
    assert_eq!(
        (shrunk.case.viewer, shrunk.case.every_step),
        (Some(Some("u".to_owned())), true)
    );
}

#[test]
fn a_lookup_on_the_way_is_judged_where_it_was_made() {
    let upsert = |tag: &str| Step::Change(Change::Upsert(Row::new("x", "a*", "up", tag)));
    let asked = Step::Lookup(Query::new("ab", None));
    let run = Run {
        steps: vec![upsert("a"), upsert("b"), asked, upsert("c")],
        ..Run::default()
    };
    let mut router = find("upsert-keeps-global-pattern").unwrap().router();
    let judge = judge(router.hello());
    let told: Vec<_> = judged(router.as_mut(), &judge, &run)
        .findings
        .iter()
        .map(|finding| (finding.rule, finding.after))
        .collect();
    assert_eq!(told, [("current", 3)]);
    let asked = Step::Lookup(Query::new("ab", None));
    let deleted = Run {
        steps: vec![upsert("a"), asked, Step::Change(Change::Delete("x".into()))],
        ..Run::default()
    };
    let mut router = find("none").unwrap().router();
    let tally = judged(router.as_mut(), &judge, &deleted);
    assert_eq!(tally.findings, [], "the row was there when it was asked for");
}

#[test]
fn fresh_routers_are_built_only_where_a_rule_looks_at_them() {
    let row = Row::new("x", "a", "openai/up", "a");
    let list = Change::Replace(vec![row.clone(), row.clone()]);
    let run = |changes: &[&Change], observe: &[u32]| Run {
        steps: changes.iter().map(|change| Step::Change((*change).clone())).collect(),
        observe: observe.to_vec(),
        ..Run::default()
    };
    let upsert = Change::Upsert(row);
    for (rule, changes, observe, routers) in [
        ("history-free", &[&upsert][..], &[1][..], 2),
        ("listing", &[&upsert], &[1], 1),
        ("history-free", &[&upsert], &[0], 1),
        ("history-free", &[&upsert], &[], 1),
        ("history-free", &[&list], &[1], 1),
    ] {
        let mut router = Timed::new("replace-takes-double-ids");
        let judge = Judge::new(router.hello(), RuleSet::matching(|id| id == rule)).unwrap();
        judged(&mut router, &judge, &run(changes, observe));
        assert_eq!(router.replies, routers, "{rule} {changes:?} {observe:?}");
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
    let run = Run {
        steps: changes.map(Step::Change).to_vec(),
        observe: (0..=3).collect(),
        viewers: vec![None],
        ..Run::default()
    };
    let mut router = find("replace-takes-double-ids").unwrap().router();
    let judge = Judge::new(router.hello(), RuleSet::matching(|rule| rule == "listing")).unwrap();
    let tally = judged(router.as_mut(), &judge, &run);
    assert_eq!(
        tally.premises.get("listing"),
        Some(&2),
        "at the start and after the first change"
    );
}

#[test]
fn a_claim_of_semantics_that_there_are_none_of_is_refused_with_those_there_are() {
    let mut hello = find("none").unwrap().router().hello().clone();
    hello.dialect.semantics = Some("lax".to_owned());
    let why = Judge::new(&hello, RuleSet::default()).unwrap_err().to_string();
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
    let progress = search(&mut router, &judge, &settings, &mut |progress| {
        seen.push(progress.traces);
        ControlFlow::Continue(())
    });
    assert_eq!(seen, [0, 1, 3, 7, 15]);
    let (in_router, replies) = (progress.unwrap().router_ns, router.replies);
    assert!(replies > 20, "the fresh routers are among them: {replies}");
    assert_eq!(in_router, replies);
}

#[test]
fn a_search_that_is_broken_off_says_so() {
    let mut router = find("upsert-keeps-global-pattern").unwrap().router();
    let judge = judge(router.hello());
    let settings = settings(router.hello(), 100);
    let progress = search(router.as_mut(), &judge, &settings, &mut |progress| {
        if progress.failures.is_empty() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })
    .unwrap();
    assert!(progress.cut && progress.traces < 100, "{} traces", progress.traces);
    assert!(progress.failures.values().any(|failure| failure.shrunk));
    assert!(progress.uncounted > 0, "what came behind the first failure is counted");
}
