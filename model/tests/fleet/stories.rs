//! Each rule of a fleet beside a schedule by which it is kept and one by which it is broken.

use model::{Finding, History, Judge, Pending, RuleId, RuleSet, Signature, Tally, closed_run, trial};
use protocol::fleet::InProcessFleet;
use protocol::{
    Begin, Fields, Op, OpId, Patch, Place, Query, RouterUnderTest, Row, Run, Step, StoreView, Trace, Via, World, Write,
    WriteOp,
};

use crate::planted::Planted;

const HERE: Via = Via::Replica(0);

fn row(id: &str, tag: &str) -> Row {
    Row::new(id, "a*", "up/*", tag)
}

fn write(via: Via, write: Write) -> Step {
    Step::Do(Op::Write(WriteOp { via, write }))
}

fn put(via: Via, id: &str, tag: &str) -> Step {
    write(via, Write::Put(row(id, tag)))
}

fn patch(id: &str, fields: Fields) -> Op {
    let write = Write::Patch(Patch { id: id.into(), fields });
    Op::Write(WriteOp { via: HERE, write })
}

/// A version of the row that the strict preset must refuse.
fn invalid(via: Via, id: &str, tag: &str) -> Step {
    let mut row = row(id, tag);
    row.model = "up/*-*".into();
    write(via, Write::Put(row))
}

fn delete(via: Via, id: &str) -> Step {
    write(via, Write::Delete(id.into()))
}

fn poll(replica: u8) -> Step {
    Step::Do(Op::Poll(replica))
}

fn begin(act: Op, until: Place) -> Step {
    Step::Begin(Begin::new("it", act, until))
}

fn finish() -> Step {
    Step::Finish(OpId("it".into()))
}

fn shows(view: StoreView) -> Step {
    Step::World(World::StoreShows(view))
}

/// A schedule of two replicas over a store with two rows.
struct Story(Vec<Step>);

impl Story {
    fn judge(&self, fault: Option<&str>, rule: RuleId) -> Tally {
        self.judge_of(Planted::new(fault.unwrap_or("none")), rule)
    }

    fn judge_of(&self, replica: Planted, rule: RuleId) -> Tally {
        let mut fleet = InProcessFleet::new(replica);
        let mut trace = Trace::of_fleet(2, self.0.clone());
        trace.setup.rows = vec![row("d1", "v1"), row("d2", "w1")];
        let run = closed_run(
            &trace,
            ["ax", "zx", "up/*"].map(|model| Query::new(model, None)).to_vec(),
            Pending::Dropped,
            &fleet.hello().capabilities,
        );
        let judge = Judge::new(fleet.hello(), RuleSet::only(rule)).unwrap();
        trial(&mut fleet, &judge, &[run]).unwrap().remove(0).tally
    }

    /// Asserts that a replica without a fault keeps the rule in this story, and that one with that fault breaks it with
    /// this first finding.
    #[track_caller]
    fn breaks(&self, rule: RuleId, fault: &str, says: &str) {
        self.keeps(rule);
        let tally = self.judge(Some(fault), rule);
        let first = tally
            .findings
            .first()
            .unwrap_or_else(|| panic!("`{fault}` is not found by `{rule}`"));
        assert_eq!(said(first), says, "`{fault}`");
        assert!(
            tally.premises.get(&rule).copied() > Some(0),
            "`{rule}` counts no premise of its failure"
        );
    }

    /// Asserts that the rule judges nothing in this story, not even of a replica with that fault.
    #[track_caller]
    fn leaves_open(&self, rule: RuleId, fault: &str) {
        let tally = self.judge(Some(fault), rule);
        assert_eq!(tally, Tally::default(), "`{rule}` judges `{fault}`");
    }

    #[track_caller]
    fn keeps(&self, rule: RuleId) {
        let tally = self.judge(None, rule);
        let said: Vec<String> = tally.findings.iter().map(said).collect();
        assert_eq!(said, [""; 0], "`{rule}`");
        assert!(
            tally.premises.get(&rule).copied() > Some(0),
            "`{rule}` had nothing to judge"
        );
    }
}

/// The replica, the class, the row, the question, the step, and what was allowed and came.
fn said(finding: &Finding) -> String {
    let replica = finding
        .replica
        .map_or_else(|| "no replica".to_owned(), |replica| replica.to_string());
    let question = finding
        .question
        .as_ref()
        .map_or("nothing", |question| question.kind().word());
    let id = finding.id.as_deref().unwrap_or("no row");
    let (class, after) = (finding.class, finding.after);
    let [allowed, got] = finding.words();
    format!("replica {replica}: {class} {id} in {question} after {after}: {allowed}; {got}")
}

#[test]
fn monotonic() {
    let back = "replica 0: back d1 in lookup after 4: d1 v2 or newer; d1 v1, d2 w1";
    let stale = vec![
        poll(0),
        begin(Op::Poll(0), Place::AfterRead),
        put(HERE, "d1", "v2"),
        finish(),
    ];
    Story(stale).breaks(RuleId::Monotonic, "older-reading-applied", back);
    // What is written once more comes after what had replaced it.
    let tagged = |tag: &str| Fields {
        tag: Some(tag.into()),
        ..Fields::default()
    };
    let again = vec![
        poll(0),
        begin(patch("d1", tagged("v3")), Place::BeforeRead),
        put(HERE, "d1", "v2"),
        finish(),
        put(Via::Replica(1), "d1", "v2"),
    ];
    Story(again).keeps(RuleId::Monotonic);
    let lags = vec![
        put(Via::Store, "d1", "v2"),
        poll(0),
        shows(StoreView::BeforeLastWrite),
        poll(0),
    ];
    Story(lags).breaks(RuleId::Monotonic, "older-reading-applied", back);
    // A crash ends what a replica has to remember.
    let crash = [World::Crash(0), World::StoreShows(StoreView::BeforeLastWrite)].map(Step::World);
    let start = [Step::Do(Op::Start(0)), poll(0)];
    let crashed = [&[put(Via::Store, "d1", "v2"), poll(0)][..], &crash, &start].concat();
    let tally = Story(crashed).judge(Some("older-reading-applied"), RuleId::Monotonic);
    assert_eq!(tally.findings, []);
    // Of two writes that overlap either may be the later one.
    let overlap = vec![
        begin(patch("d1", rotated("v2")), Place::BeforeWrite),
        put(Via::Store, "d1", "v3"),
        finish(),
        poll(0),
    ];
    Story(overlap).keeps(RuleId::Monotonic);
}

fn rotated(tag: &str) -> Fields {
    Fields {
        tag: Some(tag.to_owned()),
        ..Fields::default()
    }
}

fn blocked() -> Fields {
    Fields {
        blocked: Some(true),
        ..Fields::default()
    }
}

#[test]
fn read_your_writes() {
    let rule = RuleId::ReadYourWrites;
    let older = "replica 0: older d1 in lookup after 2: d1 v2 or newer; d1 v1, d2 w1";
    Story(vec![poll(0), put(HERE, "d1", "v2")]).breaks(rule, "write-served-at-next-poll", older);
    Story(vec![poll(0), Step::Do(patch("d1", rotated("v2")))]).breaks(rule, "write-served-at-next-poll", older);
    let deleted = "replica 0: older d1 in lookup after 2: no d1; d1 v1, d2 w1";
    Story(vec![poll(0), delete(HERE, "d1"), put(HERE, "d2", "w2")]).breaks(rule, "write-served-at-next-poll", deleted);
    let lost = "replica 0: lost d3 in claims after 2: d3 x1 or newer; d1, d2";
    Story(vec![poll(0), put(HERE, "d3", "x1")]).breaks(rule, "write-served-at-next-poll", lost);
    // A patch that leaves the tag alone is of what the store had by then.
    let kept = vec![poll(0), put(Via::Store, "d1", "v2"), Step::Do(patch("d1", blocked()))];
    let tally = Story(kept.clone()).judge(Some("write-served-at-next-poll"), rule);
    assert_eq!(said(&tally.findings[0]), older.replace("after 2", "after 3"));
    assert_eq!(Story(kept).judge(None, rule).findings, []);
    // Somebody else has deleted it since.
    Story(vec![put(HERE, "d3", "x1"), delete(Via::Store, "d3"), poll(0)]).keeps(rule);
    // A refused write is no acknowledgement, nor is one that must be refused.
    Story(vec![poll(0), invalid(HERE, "d1", "v2")]).leaves_open(rule, "refusal-loses-row");
    Story(vec![poll(0), invalid(HERE, "d1", "v2")]).leaves_open(rule, "invalid-row-accepted");
    // What is restarted comes up empty.
    let crash = [Step::World(World::Crash(0)), Step::Do(Op::Start(0))];
    let crashed = [&[put(HERE, "d3", "x1")][..], &crash].concat();
    assert_eq!(Story(crashed).judge(None, rule).findings, []);
}

#[test]
fn fails_safe() {
    let rule = RuleId::FailsSafe;
    let evicted = "replica 0: changed d1 in lookup after 3: d1 v1 -> up/x, d2 w1 -> up/x; refused: unknown model";
    Story(vec![poll(0), shows(StoreView::Nothing), poll(0)]).breaks(rule, "empty-reading-empties", evicted);
    Story(vec![poll(0), Step::World(World::StoreFails(true)), poll(0)]).keeps(rule);
    Story(vec![poll(0), shows(StoreView::FirstRow), poll(0)]).keeps(rule);
    // A store that holds nothing shows what it holds.
    let emptied = [delete(Via::Store, "d1"), delete(Via::Store, "d2")];
    let empty = [&[poll(0)][..], &emptied, &[shows(StoreView::Nothing), poll(0)]].concat();
    Story(empty).leaves_open(rule, "empty-reading-empties");
    let one = vec![poll(0), delete(Via::Store, "d2"), shows(StoreView::FirstRow), poll(0)];
    Story(one).leaves_open(rule, "empty-reading-empties");
    // Another operation was under way at the replica.
    let two = vec![
        poll(0),
        begin(Op::Poll(0), Place::BeforeRead),
        shows(StoreView::Nothing),
        poll(0),
    ];
    Story(two).leaves_open(rule, "empty-reading-empties");
}

#[test]
fn atomic_refusal() {
    let rule = RuleId::AtomicRefusal;
    let polled = "replica 0: changed d1 in holds after 3: v1; none";
    Story(vec![poll(0), invalid(Via::Store, "d1", "v2"), poll(0)]).breaks(rule, "bad-reading-loses-row", polled);
    let deliver = Step::Do(Op::Deliver(0));
    Story(vec![poll(0), invalid(Via::Store, "d1", "v2"), deliver]).breaks(rule, "bad-reading-loses-row", polled);
    let lost = "replica 0: changed d1 in lookup after 2: d1 v1 -> up/x, d2 w1 -> up/x; d2 w1 -> up/x";
    Story(vec![poll(0), invalid(HERE, "d1", "v2")]).breaks(rule, "refusal-loses-row", lost);
    let accepted =
        "replica 0: wrongly-accepted d1 in claims after 2: refused: `model` has 2 `*`, and the name has 1; applied";
    Story(vec![poll(0), invalid(HERE, "d1", "v2")]).breaks(rule, "invalid-row-accepted", accepted);
}

#[test]
fn heals_and_converges() {
    let gone = || Story(vec![poll(0), delete(Via::Store, "d1")]);
    let extra = "replica 0: extra d1 in lookup after 5: d2 w1 -> up/x; d1 v1 -> up/x, d2 w1 -> up/x";
    gone().breaks(RuleId::Heals, "poll-keeps-deleted", extra);
    let kept = "replica 0: not-removed d1 in claims after 7: no d1; d1, d2";
    gone().breaks(RuleId::Converges, "poll-keeps-deleted", kept);
    // A fresh replica refuses the row, or all of them: what an old one may have kept is not for these rules to say.
    let spoiled = || Story(vec![poll(0), delete(Via::Store, "d1"), invalid(Via::Store, "d2", "w2")]);
    spoiled().leaves_open(RuleId::Heals, "poll-keeps-deleted");
    spoiled().leaves_open(RuleId::Converges, "poll-keeps-deleted");
}

#[test]
fn the_rules_of_a_router_hold_of_what_each_replica_says_it_holds() {
    let gone = || Story(vec![poll(0), delete(Via::Store, "d1"), poll(0)]);
    let ghost = "replica 0: ghost d1 in lookup after 3: no d1; d1 v1, d2 w1";
    gone().breaks(RuleId::Current, "router-keeps-deleted-pattern", ghost);
    let kept = gone().judge(Some("poll-keeps-deleted"), RuleId::Current);
    assert_eq!(kept.findings, [], "it holds the row, and says so");
    // A replica that does not say what it holds is held against the store, once it has polled twice.
    for fault in ["router-keeps-deleted-pattern", "poll-keeps-deleted"] {
        let tally = gone().judge_of(Planted::silent(fault), RuleId::Current);
        assert_eq!(
            said(&tally.findings[0]),
            ghost.replace("after 3", "after 6"),
            "`{fault}`"
        );
    }
    assert_eq!(gone().judge_of(Planted::silent("none"), RuleId::Current).findings, []);
}

#[test]
fn a_tag_stands_for_each_version_that_a_patch_made_of_its_row() {
    let patched = || Story(vec![poll(0), Step::Do(patch("d1", blocked())), poll(1)]);
    for rule in [
        RuleId::Current,
        RuleId::Complete,
        RuleId::Resolved,
        RuleId::Listing,
        RuleId::NotBlocked,
    ] {
        patched().keeps(rule);
    }
}

#[test]
fn a_patch_was_made_on_whichever_version_there_was() {
    let of_team = Row {
        team: Some("t1".to_owned()),
        ..Row::new("d3", "z*", "up/*", "x1")
    };
    let of_none = Row::new("d3", "y*", "up/*", "x2");
    let renamed = Fields {
        model_name: Some("z*".to_owned()),
        ..rotated("x3")
    };
    let put = |row| write(Via::Store, Write::Put(row));
    let steps = vec![put(of_team), put(of_none), Step::Do(patch("d3", renamed)), poll(0)];
    for rule in [RuleId::Scoped, RuleId::Complete, RuleId::Listing] {
        Story(steps.clone()).keeps(rule);
    }
}

#[test]
fn a_signature_names_the_last_write_of_the_row() {
    let written = [
        poll(0),
        Step::Do(patch("d1", rotated("v2"))),
        put(Via::Store, "d2", "w2"),
    ];
    let tally = Story(written.to_vec()).judge(Some("write-served-at-next-poll"), RuleId::ReadYourWrites);
    let first = &tally.findings[0];
    assert_eq!(first.id.as_deref(), Some("d1"));
    assert_eq!(Signature::of(first, &written).last, "patch");
    let of_any_row = Finding {
        id: None,
        ..first.clone()
    };
    assert_eq!(Signature::of(&of_any_row, &written).last, "put");
}

fn tagged(tag: &str) -> Fields {
    Fields {
        tag: Some(tag.into()),
        ..Fields::default()
    }
}

#[test]
fn keeps_writes() {
    let rule = RuleId::KeepsWrites;
    let overtaken = vec![
        begin(patch("d1", tagged("v2")), Place::AfterRead),
        write(
            Via::Replica(1),
            Write::Put(Row {
                blocked: true,
                ..row("d1", "v3")
            }),
        ),
        finish(),
    ];
    let lost = "replica no replica: lost d1 in nothing after 3: d1: blocked = true; d1: blocked = false";
    Story(overtaken).breaks(rule, "patch-writes-whole-row", lost);
    let brought_back = vec![
        begin(patch("d1", tagged("v2")), Place::AfterRead),
        delete(Via::Store, "d1"),
        finish(),
    ];
    let lost = "replica no replica: lost d1 in nothing after 3: d1: exists = false; d1: exists = true";
    Story(brought_back).breaks(rule, "patch-writes-whole-row", lost);
    // Of writes that overlap either may win.
    let either = vec![
        begin(patch("d1", tagged("v2")), Place::AfterRead),
        Step::Begin(Begin::new("other", patch("d1", tagged("v3")), Place::AfterRead)),
        finish(),
        Step::Finish(OpId("other".into())),
    ];
    Story(either).keeps(rule);
    // A write that was refused decides nothing.
    Story(vec![put(HERE, "d1", "v2"), invalid(HERE, "d1", "v3")]).keeps(rule);
    Story(vec![
        delete(HERE, "d1"),
        put(Via::Store, "d1", "v2"),
        delete(Via::Replica(1), "d1"),
    ])
    .keeps(rule);
    // What no write of the trace touches is no premise.
    Story(vec![poll(0)]).leaves_open(rule, "patch-writes-whole-row");
}

#[test]
fn undisturbed() {
    let rule = RuleId::Undisturbed;
    let meanwhile = vec![poll(0), begin(patch("d1", tagged("v2")), Place::BeforeWrite), finish()];
    let gone = "replica 0: gone d1 in lookup after 2: d1 v1 or newer; refused: unknown model";
    Story(meanwhile.clone()).breaks(rule, "nothing-served-meanwhile", gone);
    // A row that another change may stand before, or that is deleted meanwhile, is left alone.
    let deleted = vec![
        poll(0),
        begin(Op::Poll(0), Place::AfterRead),
        delete(HERE, "d1"),
        delete(HERE, "d2"),
        finish(),
    ];
    Story(deleted).keeps(rule);
    // Nor is what a changed row was answered with, by whatever the router knows it by.
    let tally = Story(vec![
        poll(0),
        begin(Op::Poll(0), Place::AfterRead),
        delete(HERE, "d1"),
        delete(HERE, "d2"),
        finish(),
    ])
    .judge_of(Planted::answering_by_target(), rule);
    assert_eq!(tally.findings, [], "{tally:#?}");
    // It is not judged before the replica has polled, nor while the store misbehaves, nor across a crash.
    Story(meanwhile[1..].to_vec()).leaves_open(rule, "nothing-served-meanwhile");
    let mut faulty = meanwhile.clone();
    faulty.insert(1, shows(StoreView::FirstRow));
    Story(faulty).leaves_open(rule, "nothing-served-meanwhile");
    let mut crashed = meanwhile.clone();
    crashed.splice(
        2..2,
        [
            Step::World(World::Crash(0)),
            Step::Do(Op::Start(0)),
            begin(Op::Poll(0), Place::AfterRead),
        ],
    );
    let tally = Story(crashed).judge(Some("nothing-served-meanwhile"), rule);
    assert!(
        tally.findings.iter().all(|finding| finding.after == 2),
        "{:?}",
        tally.findings
    );
}

#[test]
fn a_replica_holds_what_the_store_does() {
    let rule = RuleId::Converges;
    let never = "replica 0: not-loaded d2 in claims after 5: d2 w1 or newer; d1";
    let tally = Story(Vec::new()).judge_of(Planted::never_loading("d2"), rule);
    assert_eq!(
        said(tally.findings.iter().find(|one| one.class == "not-loaded").unwrap()),
        never
    );
    let kept = Story(vec![poll(0), delete(Via::Store, "d1")]).judge(Some("poll-keeps-deleted"), rule);
    assert!(kept.findings.iter().any(|one| one.class == "not-removed"), "{kept:#?}");
    Story(vec![poll(0), delete(Via::Store, "d1")]).keeps(rule);
    // A store with a row that must be refused says nothing of what is to be held.
    let refused = Story(vec![invalid(Via::Store, "d1", "v2")]).judge_of(Planted::never_loading("d2"), rule);
    assert!(
        refused.findings.iter().all(|one| one.class != "not-loaded"),
        "{refused:#?}"
    );
}

#[test]
fn to_start_what_is_up_begins_no_new_life() {
    let steps = vec![
        Step::Do(Op::Start(1)),
        Step::World(World::Crash(1)),
        Step::Do(Op::Start(1)),
        Step::Do(Op::Start(1)),
    ];
    let run = Run {
        trace: Trace::of_fleet(2, steps),
        ..Run::default()
    };
    let replies = InProcessFleet::new(Planted::new("none"))
        .run(std::slice::from_ref(&run))
        .unwrap();
    let history = History::new(&run, &replies[0]).unwrap();
    assert_eq!([1, 2, 3, 4].map(|after| history.life(1, after)), [0, 1, 2, 2]);
}
