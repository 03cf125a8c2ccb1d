//! Each rule has a history that it passes and one that it fails, and knows when it had nothing to check.

mod history;
mod sets;

use model::{Fresh, RuleId, Tally, Tracked};
use protocol::{Answer, Change, Changed, Outcome, Query, Refusal, Row, Run, RunReply, Shown, Step, StepReply, Trace};

use crate::history::{History, candidates, observation, opaque, row, several, team_row, unknown, updated, upsert};

#[test]
fn current() {
    updated(candidates(&[("d1", "up/x", "v2")])).passes("current");
    updated(candidates(&[("d1", "up/x", "v1"), ("d1", "up/x", "v2")])).fails(
        "current",
        "stale",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: d1 v2; d1 v1, d1 v2",
    );
    let deleted = |answer, held| {
        let changes = vec![
            upsert(row("d1", "a", "v1")),
            (Change::Delete("d1".into()), Outcome::Applied, held),
        ];
        History::of(changes, Query::new("a", None), answer)
    };
    deleted(candidates(&[("d1", "up", "v1")]), &[]).fails(
        "current",
        "ghost",
        "exact",
        "d1 asked a by anyone on path 0 after 2: no d1; d1 v1",
    );
    deleted(unknown(), &["d1"]).fails("current", "claims-ghost", "claims", "d1 on path 0 after 2: none; d1");
    let two = vec![
        (Change::Upsert(row("d1", "a", "v1")), Outcome::Applied, &["d1"][..]),
        (
            Change::Upsert(row("d2", "a", "v2")),
            Outcome::Applied,
            &["d1", "d2"][..],
        ),
    ];
    let crossed = candidates(&[("d1", "up", "v2")]);
    History::of(two, Query::new("a", None), crossed).fails(
        "current",
        "cross-wired",
        "exact",
        "d1 asked a by anyone on path 0 after 2: d1 v1; d1 v2",
    );
}

#[test]
fn a_row_that_the_router_found_unchanged_is_current_all_the_same() {
    let changes = vec![
        upsert(row("d1", "a", "v1")),
        (Change::Upsert(row("d1", "b", "v2")), Outcome::Unchanged, &["d1"][..]),
    ];
    let history = History::of(changes, Query::new("a", None), candidates(&[("d1", "up", "v1")]));
    history.fails(
        "current",
        "stale",
        "exact",
        "d1 asked a by anyone on path 0 after 2: no d1; d1 v1",
    );
}

#[test]
fn complete() {
    updated(candidates(&[("d1", "up/x", "v2")])).passes("complete");
    updated(unknown()).fails(
        "complete",
        "refused",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: d1 v2; refused: unknown model",
    );
    updated(Answer::Failed("IndexError".into())).fails(
        "complete",
        "failed",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: an answer; IndexError",
    );
    let blocked = Row {
        blocked: true,
        ..row("d1", "a", "v1")
    };
    let wrong_reason = History::of(vec![upsert(blocked)], Query::new("a", None), unknown());
    wrong_reason.fails(
        "complete",
        "refusal-kind",
        "no tier",
        "no row asked a by anyone on path 0 after 1: refused: blocked; refused: unknown model",
    );
    let swallowed = History::of(
        vec![(Change::Upsert(row("d1", "a", "v1")), Outcome::Applied, &[])],
        Query::new("b", None),
        unknown(),
    );
    swallowed.fails("complete", "not-held", "claims", "d1 on path 0 after 1: d1; none");
    let refused = Outcome::Refused("no".into());
    let valid = History::of(
        vec![(Change::Upsert(row("d1", "a", "v1")), refused, &[])],
        Query::new("b", None),
        unknown(),
    );
    valid.fails(
        "complete",
        "wrongly-refused",
        "claims",
        "d1 on path 0 after 1: applied; refused: no",
    );
    let two = vec![
        upsert(row("d1", "a", "v1")),
        (
            Change::Upsert(row("d2", "a", "v2")),
            Outcome::Applied,
            &["d1", "d2"][..],
        ),
    ];
    History::of(two, Query::new("a", None), candidates(&[("d1", "up", "v1")])).fails(
        "complete",
        "missing",
        "exact",
        "d2 asked a by anyone on path 0 after 2: d1 v1, d2 v2; d1 v1",
    );
}

#[test]
fn complete_leaves_to_others_what_is_theirs() {
    let never_held = vec![
        (Change::Upsert(row("d1", "a", "v1")), Outcome::Applied, &[][..]),
        (Change::Upsert(row("d2", "a", "v2")), Outcome::Applied, &["d2"]),
    ];
    let tally = History::of(never_held, Query::new("b", None), unknown()).judge("complete");
    assert_eq!(tally.findings.len(), 1, "a row that was not held before is told once");
    let apart = Row {
        extra: Some(opaque().name),
        ..row("d1", "a", "v1")
    };
    let tally = History::of(vec![upsert(apart)], Query::new("a", None), unknown()).judge("complete");
    assert_eq!(tally.findings, [], "what the preset does not speak of is not predicted");
    for change in [Change::Delete("d9".into()), Change::Add(row("d1", "b", "v2"))] {
        let refused = Outcome::Refused("no".into());
        let changes = vec![upsert(row("d1", "a", "v1")), (change, refused, &["d1"][..])];
        let tally = History::of(changes, Query::new("b", None), unknown()).judge("complete");
        assert_eq!(tally.findings, [], "what does nothing, or is not valid, may be refused");
    }
}

#[test]
fn each_path_is_held_against_what_the_preset_says_of_it() {
    let blocked = || Answer::Refused(Refusal::Blocked);
    let history = |first, second| {
        let changes = vec![upsert(team_row("d1", "a", "v1", "t1"))];
        let mut history = History::of(changes, Query::new("up", Some("t2")), first);
        history.second = Some(second);
        history
    };
    // By a target every row is found, and the path `async` alone drops those of another team.
    let served = candidates(&[("d1", "up", "v1")]);
    history(served, blocked()).passes("complete");
    history(blocked(), blocked()).fails(
        "complete",
        "refused",
        "team exact",
        "d1 asked up by t2 on path 0 after 1: d1 v1; refused: blocked",
    );
}

#[test]
fn no_duplicate() {
    updated(candidates(&[("d1", "up/x", "v2")])).passes("no-duplicate");
    // An old version beside the current one is stale, and no copy.
    updated(candidates(&[("d1", "up/x", "v1"), ("d1", "up/x", "v2")])).passes("no-duplicate");
    let twice = updated(candidates(&[("d1", "up/x", "v2"), ("d1", "up/x", "v2")]));
    twice.fails(
        "no-duplicate",
        "twice",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: d1 v2 once; d1 v2, d1 v2",
    );
    let claimed = vec![(
        Change::Upsert(row("d1", "a", "v1")),
        Outcome::Applied,
        &["d1", "d1"][..],
    )];
    let again = claimed.iter().chain(&claimed).cloned().collect();
    History::of(claimed.clone(), Query::new("b", None), unknown()).fails(
        "no-duplicate",
        "claimed-twice",
        "claims",
        "d1 on path 0 after 1: d1 once; d1, d1",
    );
    let tally = History::of(again, Query::new("b", None), unknown()).judge("no-duplicate");
    assert_eq!(tally.findings.len(), 1, "an id that was doubled before is told once");
}

#[test]
fn a_row_that_is_meant_to_be_several_deployments_is_no_duplicate() {
    let history = |extra: String| {
        let mut row = row("d1", "a", "v1");
        row.extra = Some(extra);
        let changes = vec![(Change::Upsert(row), Outcome::Applied, &["d1", "d1"][..])];
        let answer = candidates(&[("d1", "up/x", "v1"), ("d1", "up/x", "v1")]);
        History::of(changes, Query::new("a", None), answer).judge("no-duplicate")
    };
    assert_eq!(history(several().name).findings, []);
    assert_eq!(history(opaque().name).findings.len(), 2, "claimed and served twice");
}

#[test]
fn claims_are_told_with_what_is_known_of_the_row() {
    let apart = Row {
        extra: Some(opaque().name),
        ..row("d1", "a", "v1")
    };
    let history = |change: Change, before: &'static [&'static str], held: &'static [&'static str]| {
        let changes = vec![
            (Change::Upsert(apart.clone()), Outcome::Applied, before),
            (change, Outcome::Applied, held),
        ];
        History::of(changes, Query::new("b", None), unknown())
    };
    let (gone, kept) = (Change::Delete("d1".into()), Change::Delete("d2".into()));
    let ghost = |says, held| history(gone.clone(), &["d1"], held).fails("current", "claims-ghost", "claims", says);
    ghost("d1 with auto on path 0 after 2: none; d1", &["d1"]);
    ghost("d9 on path 0 after 2: none; d9", &["d9"]);
    let twice =
        |says, held| history(kept.clone(), &["d1"], held).fails("no-duplicate", "claimed-twice", "claims", says);
    twice("d1 with auto on path 0 after 2: d1 once; d1, d1", &["d1", "d1"]);
    twice("d9 on path 0 after 2: d9 once; d9, d9", &["d9", "d9"]);
}

#[test]
fn scoped() {
    let history = |answer, team| {
        History::of(
            vec![upsert(team_row("d1", "a*", "v1", "t1"))],
            Query::new("ax", team),
            answer,
        )
    };
    history(unknown(), Some("t2")).passes("scoped");
    history(candidates(&[("d1", "up/x", "v1")]), Some("t2")).fails(
        "scoped",
        "other-team",
        "team pattern",
        "d1 asked ax by t2 on path 0 after 1: rows of team t2 or of none; d1 v1 of team t1",
    );
    history(candidates(&[("d1", "up/x", "v1")]), None).fails(
        "scoped",
        "other-team",
        "team pattern",
        "d1 asked ax by anyone on path 0 after 1: rows without a team; d1 v1 of team t1",
    );
    let own = history(candidates(&[("d1", "up/x", "v1")]), Some("t1")).judge("scoped");
    assert_eq!(own, Tally::default(), "a team's own row is no premise");
    let mut listed = history(unknown(), Some("t2"));
    listed.listing = &["a*"];
    listed.fails(
        "scoped",
        "listed",
        "listing",
        "d1 listed to t2 on path 0 after 1: no `a*`; a*",
    );
}

#[test]
fn not_blocked() {
    let blocked = Row {
        blocked: true,
        ..row("d1", "a*", "v1")
    };
    let history = |answer| History::of(vec![upsert(blocked.clone())], Query::new("ax", None), answer);
    history(Answer::Refused(Refusal::Blocked)).passes("not-blocked");
    history(candidates(&[("d1", "up/x", "v1")])).fails(
        "not-blocked",
        "blocked",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 1: no d1; d1 v1",
    );
    let open = updated(candidates(&[("d1", "up/x", "v2")])).judge("not-blocked");
    assert_eq!(open, Tally::default(), "a row that is not blocked is no premise");
    let mut elsewhere = history(unknown());
    elsewhere.query = Query::new("b", None);
    let tally = elsewhere.judge("not-blocked");
    assert_eq!(
        tally,
        Tally::default(),
        "a blocked row that is not asked for is no premise"
    );
}

#[test]
fn resolved() {
    updated(candidates(&[("d1", "up/x", "v2")])).passes("resolved");
    updated(candidates(&[("d1", "up/*", "v2")])).fails(
        "resolved",
        "wrong-model",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: d1 v2 -> up/x; d1 v2 -> up/*",
    );
    let unanchored = History::of(
        vec![upsert(row("d1", "a*c", "v1"))],
        Query::new("abcd", None),
        candidates(&[("d1", "up/b", "v1")]),
    );
    unanchored.fails(
        "resolved",
        "not-eligible",
        "global pattern",
        "d1 asked abcd by anyone on path 0 after 1: refused: unknown model; d1 v1 -> up/b",
    );
    let blocked = Row {
        blocked: true,
        ..row("d1", "a", "v1")
    };
    let served = History::of(
        vec![upsert(blocked)],
        Query::new("a", None),
        candidates(&[("d1", "up", "v1")]),
    );
    assert_eq!(
        served.judge("resolved"),
        Tally::default(),
        "a blocked row is told by another rule"
    );
    let two = vec![upsert(row("d1", "a", "v1")), upsert(row("d2", "a", "v2"))];
    let one_of_two = History::of(two, Query::new("a", None), candidates(&[("d1", "up", "v1")]));
    one_of_two.passes("resolved");
}

#[test]
fn history_free() {
    let fresh = |answer| vec![Ok(observation(answer, &[], &[]))];
    let right = candidates(&[("d1", "up/x", "v2")]);
    let history = |answer: &Answer, fresh: Vec<Fresh>| {
        let mut history = updated(answer.clone());
        history.fresh = fresh;
        history
    };
    history(&right, fresh(right.clone())).passes("history-free");
    let both = candidates(&[("d1", "up/x", "v2"), ("d1", "up/x", "v1")]);
    history(&both, fresh(right.clone())).fails(
        "history-free",
        "extra",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: d1 v2 -> up/x; d1 v1 -> up/x, d1 v2 -> up/x",
    );
    history(&unknown(), fresh(right.clone())).fails(
        "history-free",
        "missing",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: d1 v2 -> up/x; refused: unknown model",
    );
    history(&candidates(&[("d1", "up/x", "v1")]), fresh(right.clone())).fails(
        "history-free",
        "other",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: d1 v2 -> up/x; d1 v1 -> up/x",
    );
    history(&Answer::Refused(Refusal::Blocked), fresh(unknown())).fails(
        "history-free",
        "refusal",
        "no tier",
        "no row asked ax by anyone on path 0 after 2: refused: unknown model; refused: blocked",
    );
    history(&right, vec![Err("refuses the rows".into())]).fails(
        "history-free",
        "unbuildable",
        "no tier",
        "d1 on path 0 after 2: a fresh router of the rows; refuses the rows",
    );
    let mut listing = history(&right, fresh(right.clone()));
    listing.listing = &["a*"];
    listing.fails(
        "history-free",
        "listing",
        "listing",
        "no row listed to anyone on path 0 after 2: none; a*",
    );
}

#[test]
fn an_answer_that_any_fresh_router_gives_is_free_of_history() {
    let seen = |answer: &Answer| Ok(observation(answer.clone(), &[], &[]));
    let (one, other) = (candidates(&[("d1", "up/x", "v2")]), unknown());
    let mut history = updated(other.clone());
    history.fresh = vec![seen(&one), Err("refuses the rows".into()), seen(&other)];
    history.passes("history-free");
    history.fresh.pop();
    history.fails(
        "history-free",
        "missing",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: d1 v2 -> up/x; refused: unknown model",
    );
    let mut failed = updated(Answer::Failed("KeyError".into()));
    failed.fresh = vec![seen(&one), seen(&Answer::Failed("IndexError".into()))];
    failed.passes("history-free");
}

#[test]
fn a_change_that_a_fresh_router_refuses_too_is_free_of_history() {
    let refused = |why: &str| Outcome::Refused(why.to_owned());
    let changes = vec![
        upsert(row("d1", "a", "v1")),
        (Change::Add(row("d2", "a", "v2")), refused("busy"), &["d1"][..]),
    ];
    let mut history = History::of(changes, Query::new("b", None), unknown());
    let premises = |history: &History| {
        history
            .judge("history-free")
            .premises
            .get(&RuleId::HistoryFree)
            .copied()
    };
    assert_eq!(premises(&history), None, "no fresh router was asked to make it");
    history.again = vec![Outcome::Applied, refused("for another reason")];
    history.passes("history-free");
    history.again = vec![Outcome::Applied, Outcome::Unchanged];
    history.fails(
        "history-free",
        "refused",
        "claims",
        "d2 on path 0 after 2: applied; refused: busy",
    );
}

#[test]
fn order_free() {
    let changes = || {
        vec![
            upsert(row("d1", "a*c", "v1")),
            (
                Change::Upsert(row("d2", "*bc", "v2")),
                Outcome::Applied,
                &["d1", "d2"][..],
            ),
        ]
    };
    let first = candidates(&[("d1", "up/b", "v1")]);
    let other = candidates(&[("d2", "up/a", "v2")]);
    let seen = |answer: &Answer| Ok(observation(answer.clone(), &[], &[]));
    let mut history = History::of(changes(), Query::new("abc", None), first.clone());
    history.fresh = vec![seen(&first), seen(&first)];
    history.passes("order-free");
    history.fresh = vec![seen(&first), seen(&other)];
    history.fails(
        "order-free",
        "other",
        "global pattern",
        "d2 asked abc by anyone on path 0 after 2: d1 v1 -> up/b; d2 v2 -> up/a",
    );
    history.fresh = vec![seen(&first), Err("refuses the rows".into())];
    history.fails(
        "order-free",
        "unbuildable",
        "no tier",
        "d1 on path 0 after 2: a fresh router of the rows; refuses the rows",
    );
    let mut alone = History::of(changes()[..1].to_vec(), Query::new("abc", None), first.clone());
    alone.fresh = vec![seen(&first), seen(&other)];
    assert_eq!(alone.judge("order-free"), Tally::default(), "one row has one order");
}

#[test]
fn atomic_refusal() {
    let refused = || Outcome::Refused("`model` has 2 `*`".into());
    let served = candidates(&[("d1", "up/x", "v1")]);
    let history = |held, answer| {
        let mut odd = row("d1", "a*", "v2");
        odd.model = "up/*-*".into();
        let changes = vec![upsert(row("d1", "a*", "v1")), (Change::Upsert(odd), refused(), held)];
        let mut history = History::of(changes, Query::new("ax", None), answer);
        history.before = Some(observation(served.clone(), &["a*"], &[("patterns", 1)]));
        history.listing = &["a*"];
        history.sizes = &[("patterns", 1)];
        history
    };
    history(&["d1"], served.clone()).passes("atomic-refusal");
    history(&["d1"], unknown()).fails(
        "atomic-refusal",
        "changed",
        "global pattern",
        "d1 asked ax by anyone on path 0 after 2: d1 v1 -> up/x; refused: unknown model",
    );
    history(&[], served.clone()).fails("atomic-refusal", "claim", "claims", "d1 on path 0 after 2: d1; none");
    let mut hidden = history(&["d1"], served.clone());
    hidden.listing = &[];
    hidden.fails(
        "atomic-refusal",
        "changed",
        "listing",
        "d1 listed to anyone on path 0 after 2: a*; none",
    );
    let mut grown = history(&["d1"], served.clone());
    grown.sizes = &[("patterns", 2)];
    grown.fails(
        "atomic-refusal",
        "changed",
        "sizes",
        "d1 on path 0 after 2: patterns: 1; patterns: 2",
    );
    let existing = vec![
        upsert(row("d1", "a", "v1")),
        (Change::Add(row("d1", "a", "v2")), Outcome::Applied, &["d1"][..]),
    ];
    let accepted = History::of(existing, Query::new("a", None), candidates(&[("d1", "up", "v2")]));
    accepted.fails(
        "atomic-refusal",
        "wrongly-accepted",
        "claims",
        "d1 on path 0 after 2: refused: the id `d1` exists; applied",
    );
    let again = |outcome| {
        let changes = vec![
            upsert(row("d1", "a", "v1")),
            (Change::Add(row("d1", "a", "v1")), outcome, &["d1"][..]),
        ];
        History::of(changes, Query::new("a", None), candidates(&[("d1", "up", "v1")])).judge("atomic-refusal")
    };
    assert_eq!(
        again(Outcome::Unchanged),
        Tally::default(),
        "what changed nothing was not taken"
    );
    assert_eq!(
        again(Outcome::Applied).findings.len(),
        1,
        "what is said to be applied was"
    );
}

#[test]
fn listing() {
    let mut history = updated(candidates(&[("d1", "up/x", "v2")]));
    history.listing = &["a*"];
    history.passes("listing");
    history.listing = &["a*", "gone"];
    history.fails(
        "listing",
        "shown",
        "listing",
        "no row listed to anyone on path 0 after 2: a*; a*, gone",
    );
    history.listing = &[];
    history.fails(
        "listing",
        "hidden",
        "listing",
        "d1 listed to anyone on path 0 after 2: a*; none",
    );
}

#[test]
fn bounded() {
    let right = candidates(&[("d1", "up/x", "v2")]);
    let mut history = updated(right.clone());
    history.fresh = vec![Ok(observation(right, &[], &[("patterns", 1)]))];
    history.sizes = &[("patterns", 1), ("cache", 7)];
    history.passes("bounded");
    history.sizes = &[("patterns", 2)];
    history.fails(
        "bounded",
        "grown",
        "sizes",
        "no row on path 0 after 2: patterns: at most 1; patterns: 2",
    );
    history.sizes = &[("patterns", 0)];
    history.fails(
        "bounded",
        "shrunk",
        "sizes",
        "no row on path 0 after 2: patterns: at least 1; patterns: 0",
    );
    let fresh = |patterns| Ok(observation(unknown(), &[], &[("patterns", patterns)]));
    history.fresh = vec![fresh(0), fresh(3)];
    history.sizes = &[("patterns", 2)];
    history.passes("bounded");
}

#[test]
fn a_tag_that_was_never_given_is_an_adapter_fault() {
    let asked = vec![Step::lookup(Query::new("a", None))];
    let run = Run {
        trace: Trace::of_router(Vec::new(), asked),
        ..Run::default()
    };
    let answers = vec![candidates(&[("d1", "up", "v9")])];
    let reply = RunReply {
        setup: Changed::APPLIED,
        steps: vec![StepReply::Shown(Shown::Answers(answers))],
        rounds: Vec::new(),
        did: Vec::new(),
        router_ns: None,
    };
    let fault = Tracked::new(&run, &reply).unwrap_err();
    assert_eq!(fault.kind, protocol::FaultKind::Lied);
    assert!(fault.message.contains("`v9`"), "{fault}");
}
