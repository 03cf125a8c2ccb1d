//! Each rule has a history that it passes and one that it fails, and knows when it had nothing to check.

use std::collections::BTreeMap;

use model::evidence::{Fresh, Way};
use model::rules::{Oracle, RULES, RuleSet, Tally, rule};
use model::trial::{Judge, Tracked};
use protocol::wire::{Dialect, PROTOCOL_VERSION};
use protocol::{
    Answer, Candidate, Change, Changed, Hello, Observation, Outcome, Query, Refusal, Row, Run, RunReply, Step,
    StepReply,
};

/// A history: changes and what the router said of them, then one question and what it got.
struct History {
    changes: Vec<(Change, Outcome, &'static [&'static str])>,
    query: Query,
    answer: Answer,
    /// What was answered before the last change.
    before: Option<Answer>,
    listing: &'static [&'static str],
    sizes: &'static [(&'static str, u64)],
    fresh: Vec<Fresh>,
}

impl History {
    fn of(changes: Vec<(Change, Outcome, &'static [&'static str])>, query: Query, answer: Answer) -> Self {
        Self {
            changes,
            query,
            answer,
            before: None,
            listing: &[],
            sizes: &[],
            fresh: Vec::new(),
        }
    }

    fn seen(&self, answer: &Answer) -> Observation {
        observation(answer.clone(), self.listing, self.sizes)
    }

    fn judge(&self, rule: &str) -> Tally {
        let last = u32::try_from(self.changes.len()).unwrap();
        let steps = self.changes.iter().map(|(change, ..)| Step::Change(change.clone()));
        let run = Run {
            steps: steps.collect(),
            observe: if self.before.is_some() {
                vec![last - 1, last]
            } else {
                vec![last]
            },
            queries: vec![self.query.clone()],
            viewers: vec![self.query.team.clone()],
            ..Run::default()
        };
        let changed = |(_, outcome, held): &(Change, Outcome, &[&str])| {
            StepReply::Changed(Changed {
                outcome: outcome.clone(),
                held: Some(held.iter().map(ToString::to_string).collect()),
            })
        };
        let reply = RunReply {
            initial: Changed {
                outcome: Outcome::Applied,
                held: Some(Vec::new()),
            },
            steps: self.changes.iter().map(changed).collect(),
            observations: self
                .before
                .iter()
                .chain([&self.answer])
                .map(|answer| self.seen(answer))
                .collect(),
            router_ns: None,
        };
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            router: "history".into(),
            version: "1".into(),
            capabilities: Vec::new(),
            dialect: Dialect {
                semantics: Some("strict".into()),
                ..Dialect::default()
            },
        };
        let judge = Judge::new(&hello, RuleSet::matching(|id| id == rule)).unwrap();
        judge.judge(&run, &reply, &Tracked::new(&run, &reply).unwrap(), &self.fresh)
    }

    fn passes(&self, rule: &str) {
        let tally = self.judge(rule);
        assert_eq!(tally.findings, [], "{rule}");
        assert!(
            tally.premises.get(rule).copied() > Some(0),
            "{rule} had nothing to check"
        );
    }

    fn fails(&self, rule: &str, class: &str, way: Way) {
        let tally = self.judge(rule);
        let kinds: Vec<_> = tally
            .findings
            .iter()
            .map(|finding| (finding.class, finding.way))
            .collect();
        assert!(
            kinds.contains(&(class, way)),
            "{rule}: {kinds:?} has no ({class}, {way:?})"
        );
        assert!(
            tally.premises.get(rule).copied() > Some(0),
            "{rule} counts no premise of its failure"
        );
    }
}

fn observation(answer: Answer, listing: &[&str], sizes: &[(&str, u64)]) -> Observation {
    Observation {
        replica: None,
        answers: vec![vec![answer]],
        listings: vec![listing.iter().map(ToString::to_string).collect()],
        sizes: sizes
            .iter()
            .map(|(name, size)| ((*name).to_owned(), *size))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn row(id: &str, name: &str, tag: &str) -> Row {
    Row::new(id, name, if name.contains('*') { "up/*" } else { "up" }, tag)
}

fn team_row(id: &str, name: &str, tag: &str, team: &str) -> Row {
    Row {
        team: Some(team.to_owned()),
        ..row(id, name, tag)
    }
}

fn upsert(row: Row) -> (Change, Outcome, &'static [&'static str]) {
    (Change::Upsert(row), Outcome::Applied, &["d1"])
}

fn candidates(candidates: &[(&str, &str, &str)]) -> Answer {
    let candidate = |(id, model, tag): &(&str, &str, &str)| Candidate {
        id: (*id).to_owned(),
        model: (*model).to_owned(),
        tag: (*tag).to_owned(),
    };
    Answer::Candidates(candidates.iter().map(candidate).collect())
}

fn unknown() -> Answer {
    Answer::Refused(Refusal::UnknownModel)
}

/// A wildcard that was updated once: version 2 is current.
fn updated(answer: Answer) -> History {
    let changes = vec![upsert(row("d1", "a*", "v1")), upsert(row("d1", "a*", "v2"))];
    History::of(changes, Query::new("ax", None), answer)
}

#[test]
fn current() {
    updated(candidates(&[("d1", "up/x", "v2")])).passes("current");
    updated(candidates(&[("d1", "up/x", "v1"), ("d1", "up/x", "v2")])).fails("current", "stale", Way::GlobalPattern);
    let deleted = |answer, held| {
        let changes = vec![
            upsert(row("d1", "a", "v1")),
            (Change::Delete("d1".into()), Outcome::Applied, held),
        ];
        History::of(changes, Query::new("a", None), answer)
    };
    deleted(candidates(&[("d1", "up", "v1")]), &[]).fails("current", "ghost", Way::Exact);
    deleted(unknown(), &["d1"]).fails("current", "claims-ghost", Way::Claim);
    let two = vec![
        (Change::Upsert(row("d1", "a", "v1")), Outcome::Applied, &["d1"][..]),
        (
            Change::Upsert(row("d2", "a", "v2")),
            Outcome::Applied,
            &["d1", "d2"][..],
        ),
    ];
    let crossed = candidates(&[("d1", "up", "v2")]);
    History::of(two, Query::new("a", None), crossed).fails("current", "cross-wired", Way::Exact);
}

#[test]
fn a_row_that_the_router_found_unchanged_is_current_all_the_same() {
    let changes = vec![
        upsert(row("d1", "a", "v1")),
        (Change::Upsert(row("d1", "b", "v2")), Outcome::Unchanged, &["d1"][..]),
    ];
    let history = History::of(changes, Query::new("a", None), candidates(&[("d1", "up", "v1")]));
    history.fails("current", "stale", Way::Exact);
}

#[test]
fn complete() {
    updated(candidates(&[("d1", "up/x", "v2")])).passes("complete");
    updated(unknown()).fails("complete", "refused", Way::GlobalPattern);
    updated(Answer::Failed("IndexError".into())).fails("complete", "failed", Way::GlobalPattern);
    let blocked = Row {
        blocked: true,
        ..row("d1", "a", "v1")
    };
    let wrong_reason = History::of(vec![upsert(blocked)], Query::new("a", None), unknown());
    wrong_reason.fails("complete", "refusal-kind", Way::Nothing);
    let swallowed = History::of(
        vec![(Change::Upsert(row("d1", "a", "v1")), Outcome::Applied, &[])],
        Query::new("b", None),
        unknown(),
    );
    swallowed.fails("complete", "not-held", Way::Claim);
    let refused = Outcome::Refused("no".into());
    let valid = History::of(
        vec![(Change::Upsert(row("d1", "a", "v1")), refused, &[])],
        Query::new("b", None),
        unknown(),
    );
    valid.fails("complete", "wrongly-refused", Way::Claim);
    let two = vec![
        upsert(row("d1", "a", "v1")),
        (
            Change::Upsert(row("d2", "a", "v2")),
            Outcome::Applied,
            &["d1", "d2"][..],
        ),
    ];
    History::of(two, Query::new("a", None), candidates(&[("d1", "up", "v1")])).fails("complete", "missing", Way::Exact);
}

#[test]
fn no_duplicate() {
    updated(candidates(&[("d1", "up/x", "v2")])).passes("no-duplicate");
    let twice = updated(candidates(&[("d1", "up/x", "v2"), ("d1", "up/x", "v2")]));
    twice.fails("no-duplicate", "twice", Way::GlobalPattern);
    let claimed = vec![(
        Change::Upsert(row("d1", "a", "v1")),
        Outcome::Applied,
        &["d1", "d1"][..],
    )];
    History::of(claimed, Query::new("b", None), unknown()).fails("no-duplicate", "claimed-twice", Way::Claim);
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
    history(candidates(&[("d1", "up/x", "v1")]), Some("t2")).fails("scoped", "other-team", Way::TeamPattern);
    history(candidates(&[("d1", "up/x", "v1")]), None).fails("scoped", "other-team", Way::TeamPattern);
    let own = history(candidates(&[("d1", "up/x", "v1")]), Some("t1")).judge("scoped");
    assert_eq!(own, Tally::default(), "a team's own row is no premise");
    let mut listed = history(unknown(), Some("t2"));
    listed.listing = &["a*"];
    listed.fails("scoped", "listed", Way::Listing);
}

#[test]
fn not_blocked() {
    let blocked = Row {
        blocked: true,
        ..row("d1", "a*", "v1")
    };
    let history = |answer| History::of(vec![upsert(blocked.clone())], Query::new("ax", None), answer);
    history(Answer::Refused(Refusal::Blocked)).passes("not-blocked");
    history(candidates(&[("d1", "up/x", "v1")])).fails("not-blocked", "blocked", Way::GlobalPattern);
}

#[test]
fn resolved() {
    updated(candidates(&[("d1", "up/x", "v2")])).passes("resolved");
    updated(candidates(&[("d1", "up/*", "v2")])).fails("resolved", "wrong-model", Way::GlobalPattern);
    let unanchored = History::of(
        vec![upsert(row("d1", "a*c", "v1"))],
        Query::new("abcd", None),
        candidates(&[("d1", "up/b", "v1")]),
    );
    unanchored.fails("resolved", "not-eligible", Way::GlobalPattern);
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
    history(&both, fresh(right.clone())).fails("history-free", "extra", Way::GlobalPattern);
    history(&unknown(), fresh(right.clone())).fails("history-free", "missing", Way::GlobalPattern);
    history(&candidates(&[("d1", "up/x", "v1")]), fresh(right.clone())).fails(
        "history-free",
        "other",
        Way::GlobalPattern,
    );
    history(&Answer::Refused(Refusal::Blocked), fresh(unknown())).fails("history-free", "refusal", Way::Nothing);
    history(&right, vec![Err("refuses the rows".into())]).fails("history-free", "unbuildable", Way::Nothing);
    let mut listing = history(&right, fresh(right.clone()));
    listing.listing = &["a*"];
    listing.fails("history-free", "listing", Way::Listing);
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
    history.fails("order-free", "other", Way::GlobalPattern);
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
        history.before = Some(served.clone());
        history
    };
    history(&["d1"], served.clone()).passes("atomic-refusal");
    history(&["d1"], unknown()).fails("atomic-refusal", "changed", Way::GlobalPattern);
    history(&[], served.clone()).fails("atomic-refusal", "claim", Way::Claim);
    let existing = vec![
        upsert(row("d1", "a", "v1")),
        (Change::Add(row("d1", "a", "v2")), Outcome::Applied, &["d1"][..]),
    ];
    let accepted = History::of(existing, Query::new("a", None), candidates(&[("d1", "up", "v2")]));
    accepted.fails("atomic-refusal", "wrongly-accepted", Way::Claim);
}

#[test]
fn listing() {
    let mut history = updated(candidates(&[("d1", "up/x", "v2")]));
    history.listing = &["a*"];
    history.passes("listing");
    history.listing = &["a*", "gone"];
    history.fails("listing", "shown", Way::Listing);
    history.listing = &[];
    history.fails("listing", "hidden", Way::Listing);
}

#[test]
fn bounded() {
    let right = candidates(&[("d1", "up/x", "v2")]);
    let mut history = updated(right.clone());
    history.fresh = vec![Ok(observation(right, &[], &[("patterns", 1)]))];
    history.sizes = &[("patterns", 1), ("cache", 7)];
    history.passes("bounded");
    history.sizes = &[("patterns", 2)];
    history.fails("bounded", "grown", Way::Size);
}

#[test]
fn a_tag_that_was_never_given_is_an_adapter_fault() {
    let run = Run {
        steps: vec![Step::Lookup(Query::new("a", None))],
        ..Run::default()
    };
    let reply = RunReply {
        initial: Changed {
            outcome: Outcome::Applied,
            held: None,
        },
        steps: vec![StepReply::Answered(vec![candidates(&[("d1", "up", "v9")])])],
        observations: Vec::new(),
        router_ns: None,
    };
    let fault = Tracked::new(&run, &reply).unwrap_err();
    assert_eq!(fault.kind, protocol::router::FaultKind::Lied);
    assert!(fault.message.contains("`v9`"), "{fault}");
}

#[test]
fn every_rule_is_explained() {
    for listed in &RULES {
        assert!(listed.explanation.len() > listed.sentence.len(), "{}", listed.id);
        assert!(!listed.premise.is_empty(), "{}", listed.id);
        assert_eq!(rule(listed.id).map(|found| found.sentence), Some(listed.sentence));
    }
    assert!(rule("currant").is_none());
    assert!(RuleSet::default().needs_fresh());
    assert!(!RuleSet::matching(|id| id == "current" || id == "complete").needs_fresh());
    let words = [Oracle::Absolute, Oracle::Metamorphic, Oracle::Spec].map(Oracle::word);
    assert_eq!(words, ["absolute", "metamorphic", "spec"]);
}

#[test]
fn tallies_add_up() {
    let tally = |premises: &[(&'static str, u64)]| Tally {
        premises: premises.iter().copied().collect(),
        findings: Vec::new(),
    };
    let mut both = tally(&[("current", 2), ("complete", 3)]);
    both.absorb(tally(&[("current", 5), ("listing", 1)]));
    assert_eq!(both, tally(&[("complete", 3), ("current", 7), ("listing", 1)]));
}
