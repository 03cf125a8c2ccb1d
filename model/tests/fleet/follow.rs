//! The closing as it is written, and what is read off the replies to a schedule.

use model::{History, Judge, Operation, Pending, RuleId, RuleSet, Tally, closed_run, closing};
use protocol::fleet::InProcessFleet;
use protocol::{
    Begin, Capability, FaultKind, Level, Now, Op, OpId, Place, Query, Question, RouterUnderTest, Row, RowOrder, Run,
    RunReply, Shown, Step, StoreView, Trace, Via, World, Write, WriteOp,
};

use crate::planted::Planted;

fn put(via: Via, tag: &str) -> Op {
    let write = Write::Put(Row::new("d1", "a*", "up/*", tag));
    Op::Write(WriteOp { via, write })
}

fn begin(name: &str, act: Op, until: Place) -> Step {
    Step::Begin(Begin::new(name, act, until))
}

fn finish(name: &str) -> Step {
    Step::Finish(OpId(name.into()))
}

/// The steps of a closing over two replicas that starts with these.
fn closing_of(first: &[Step]) -> Vec<Step> {
    let polls = [0, 1, 0, 1].map(|replica| Step::Do(Op::Poll(replica)));
    let fresh = |order| {
        let ordered = Step::World(World::StoreOrder(order));
        [
            ordered,
            Step::World(World::Crash(1)),
            Step::Do(Op::Start(1)),
            Step::Do(Op::Poll(1)),
        ]
    };
    let (one, other) = (fresh(RowOrder::Insertion), fresh(RowOrder::LastUpdate));
    [first, &polls, &one, &other].concat()
}

#[test]
fn a_closing_ends_faults_finishes_what_is_held_and_brings_a_fresh_replica() {
    let mends = [World::StoreFails(false), World::StoreShows(StoreView::All)].map(Step::World);
    let empty = Trace::of_fleet(2, Vec::new());
    assert_eq!(
        closing(&empty, Pending::Dropped, &Capability::OF_FLEETS).steps,
        closing_of(&mends)
    );
    let steps = vec![
        begin("p", Op::Poll(0), Place::AfterRead),
        begin("q", put(Via::Replica(0), "v1"), Place::BeforeWrite),
        begin("r", Op::Poll(1), Place::AfterRead),
        finish("p"),
        Step::World(World::Crash(0)),
        Step::Do(Op::Start(0)),
        Step::World(World::Crash(1)),
    ];
    let trace = Trace::of_fleet(2, steps.clone());
    let closed = |pending, between: &[Step]| {
        let first = [
            &mends[..],
            &[finish("q"), finish("r")],
            between,
            &[Step::Do(Op::Start(1))],
        ]
        .concat();
        assert_eq!(
            closing(&trace, pending, &Capability::OF_FLEETS).steps,
            [&steps[..], &closing_of(&first)].concat()
        );
    };
    closed(Pending::Dropped, &[]);
    closed(Pending::Delivered, &[Step::Do(Op::Deliver(1))]);
}

#[test]
fn a_judged_run_asks_after_each_step_what_the_rules_need() {
    let fleet = InProcessFleet::new(Planted::new("none"));
    let run = closed_run(
        &Trace::of_fleet(2, Vec::new()),
        vec![Query::new("a", Some("t1"))],
        Pending::Dropped,
        &fleet.hello().capabilities,
    );
    let listings = [None, Some("t1".to_owned())].map(Question::Listing);
    let rest = [Question::Claims, Question::Holds, Question::Sizes, Question::Store];
    let lookup = Question::Lookup(Query::new("a", Some("t1")));
    assert_eq!(run.questions.asked, [&[lookup][..], &listings, &rest].concat());
    assert_eq!(run.questions.rounds.len(), run.trace.steps.len() + 1);
}

/// A run of two replicas over one row, with its closing, and the reply.
fn carried_out(steps: &[Step]) -> (Run, RunReply) {
    let mut fleet = InProcessFleet::new(Planted::new("none"));
    let mut trace = Trace::of_fleet(2, steps.to_vec());
    trace.setup.rows = vec![Row::new("d1", "a*", "up/*", "v1")];
    let run = closed_run(
        &trace,
        vec![Query::new("ax", None)],
        Pending::Dropped,
        &fleet.hello().capabilities,
    );
    let reply = fleet.run(std::slice::from_ref(&run)).unwrap().remove(0);
    (run, reply)
}

#[test]
fn an_operation_is_an_interval_of_steps() {
    let steps = [
        begin("p", Op::Poll(0), Place::AfterRead),
        begin("w", put(Via::Store, "v2"), Place::BeforeWrite),
        Step::Do(put(Via::Replica(0), "v3")),
        finish("w"),
        Step::World(World::Crash(0)),
    ];
    let (run, reply) = carried_out(&steps);
    let history = History::new(&run, &reply).unwrap();
    let spans: Vec<_> = history.operations[..4]
        .iter()
        .map(|operation| (operation.from, operation.to))
        .collect();
    assert_eq!(spans, [(0, Some(0)), (1, Some(5)), (2, Some(4)), (3, Some(3))]);
    let [set_up, poll, held, whole] = &history.operations[..4] else {
        panic!("there are four")
    };
    assert_eq!(poll.now, Some(Now::Lost));
    let acknowledged = [set_up, poll, held, whole].map(Operation::is_acknowledged);
    assert_eq!(acknowledged, [true, false, true, true]);
    assert!(set_up.ended_before(held) && !whole.ended_before(held) && !held.ended_before(whole));
    // Whichever of two overlapping writes came last, both are in the place of the first row.
    let replaced = |tag, by| history.is_replaced("d1", tag, by);
    assert!(replaced("v1", held) && replaced("v1", whole));
    assert!(!replaced("v2", whole) && !replaced("v3", held) && !replaced("v1", set_up));
    assert!(!replaced("v9", whole), "what was never written was not replaced");
}

#[test]
fn polls_count_while_the_store_stands_still_and_nothing_else_happens() {
    let (poll, write) = (|| Step::Do(Op::Poll(0)), || Step::Do(put(Via::Store, "v2")));
    let steps = [
        poll(),
        Step::Ask(Some(0), Question::Claims),
        poll(),
        Step::Do(Op::Poll(1)),
        write(),
        poll(),
        begin("p", Op::Poll(0), Place::BeforeRead),
        finish("p"),
        Step::World(World::StoreFails(true)),
        poll(),
        Step::World(World::StoreFails(false)),
        poll(),
        Step::World(World::Crash(0)),
    ];
    let (run, reply) = carried_out(&steps);
    let history = History::new(&run, &reply).unwrap();
    let polls: Vec<usize> = (0..=steps.len()).map(|after| history.polls(0, after)).collect();
    assert_eq!(polls, [0, 1, 1, 2, 2, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!([history.rest(1), history.rest(2), history.rest(3)], [1, 1, 3]);
    assert_eq!(
        [history.life(0, 12), history.life(0, 13), history.life(1, 13)],
        [0, 1, 0]
    );
}

fn judge(run: &Run, reply: &RunReply, rule: RuleId) -> Tally {
    let hello = InProcessFleet::new(Planted::new("none")).hello().clone();
    let judge = Judge::new(&hello, RuleSet::only(rule)).unwrap();
    judge.judge_fleet(&History::new(run, reply).unwrap())
}

/// Every answer to a question of that kind, to be edited.
fn shown<'a>(reply: &'a mut RunReply, wanted: impl Fn(&Shown) -> bool + 'a) -> impl Iterator<Item = &'a mut Shown> {
    let seen = reply.rounds.iter_mut().flatten();
    seen.flat_map(|seen| &mut seen.shown).filter(move |shown| wanted(shown))
}

#[test]
fn an_id_that_is_claimed_twice_is_a_duplicate() {
    let (run, mut reply) = carried_out(&[Step::Do(Op::Poll(0))]);
    assert_eq!(judge(&run, &reply, RuleId::NoDuplicate).findings, []);
    for ids in shown(&mut reply, |shown| matches!(shown, Shown::Ids(ids) if !ids.is_empty())) {
        *ids = Shown::Ids(vec!["d1".into(), "d1".into()]);
    }
    let tally = judge(&run, &reply, RuleId::NoDuplicate);
    let first = &tally.findings[0];
    assert_eq!((first.class, first.replica, first.after), ("claimed-twice", Some(0), 1));
    assert_eq!(first.words(), ["d1 once", "d1, d1"]);
}

#[test]
fn a_structure_that_holds_a_tag_of_no_row_is_a_lie_of_the_adapter() {
    let (run, mut reply) = carried_out(&[Step::Do(Op::Poll(0))]);
    for holds in shown(&mut reply, |shown| matches!(shown, Shown::Holds(_))) {
        *holds = Shown::Holds([("list".to_owned(), vec!["v9".to_owned()])].into());
    }
    let fault = History::new(&run, &reply).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Lied);
    assert!(
        fault.message.contains("`list` holds a row with the tag `v9`"),
        "{fault}"
    );
    assert_eq!(run.trace.level, Level::Fleet);
}
