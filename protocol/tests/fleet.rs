//! A fleet in this process: what each step does, where operations are held, and what the replies say.

use protocol::fleet::{ACCESSES_MAX, Act, Given, HELD_MAX, InProcessFleet, LocalReplica, StoreReading, Want};
use protocol::wire::PROTOCOL_VERSION;
use protocol::{
    Answer, Begin, Capability, Changed, ConfigFile, Dialect, Fields, Hello, Now, Op, OpId, Outcome, Patch, Place,
    Point, Query, Question, Questions, RequestOp, RouterUnderTest, Row, RowOrder, Run, RunReply, Shown, Stamped, Step,
    StepReply, StoreView, Trace, TraceFile, Via, World, Write, WriteOp,
};

/// Serves the tags that it read or wrote last. Polls take turns, a notification polls, and a request reads its row.
#[derive(Clone, Default)]
struct Small {
    tags: Vec<String>,
    config: usize,
    polls: bool,
}

impl Small {
    fn apply(&mut self, reading: StoreReading) {
        self.tags = reading.rows.into_iter().map(|row| row.tag).collect();
        self.config = reading.config.map_or(0, |rows| rows.len());
    }

    fn poll(&mut self, given: Given) -> Want {
        match given {
            Given::Begun | Given::Woken if self.polls => Want::Wait,
            Given::Begun | Given::Woken => {
                self.polls = true;
                Want::ReadAll
            }
            Given::All(read) => {
                self.polls = false;
                match read {
                    Ok(reading) => self.apply(reading),
                    Err(why) => return Want::End(Now::Failed(why)),
                }
                Want::End(Now::Done)
            }
            other => panic!("a poll was given {other:?}"),
        }
    }

    fn write(&mut self, write: &Write, given: Given) -> Want {
        let refused = |why: &str| changed(Outcome::Refused(why.into()));
        let made = |write: Write, only_if| Want::Write { write, only_if };
        Want::End(match (given, write) {
            (Given::Begun, Write::Patch(patch)) => return Want::ReadRow(patch.id.clone()),
            (Given::Begun, write) => return made(write.clone(), None),
            (Given::Row(Ok(Some(mut stored))), Write::Patch(patch)) => {
                patch.fields.apply_to(&mut stored.row);
                return made(Write::Put(stored.row), Some(stored.revision));
            }
            (Given::Row(Ok(_)), _) => refused("no such row"),
            (Given::Wrote(Ok(written)), _) if !written.made => refused("not made"),
            (Given::Wrote(Ok(_)), write) => {
                self.tags.extend(write.row().map(|row| row.tag.clone()));
                changed(Outcome::Applied)
            }
            (Given::Row(Err(why)) | Given::Wrote(Err(why)), _) => Now::Failed(why),
            (other, _) => panic!("a write was given {other:?}"),
        })
    }
}

impl LocalReplica for Small {
    type Task = Act;

    fn describe(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: "small".into(),
            version: "1".into(),
            capabilities: vec![Capability::Fleet],
            dialect: Dialect::default(),
        }
    }

    fn begin(&mut self, act: Act) -> Act {
        act
    }

    fn proceed(&mut self, act: &mut Act, given: Given) -> Want {
        match act {
            Act::Start => Want::End(Now::Done),
            Act::Poll | Act::Notified(_) => self.poll(given),
            Act::Write(write) => self.write(write, given),
            // Asked for `again`, it never comes to an end.
            Act::Request(query) => match given {
                Given::Row(Ok(Some(stored))) if query.model != "again" => {
                    self.tags.push(stored.row.tag);
                    Want::End(Now::Answered(Vec::new()))
                }
                Given::Row(_) if query.model != "again" => {
                    Want::End(Now::Answered(vec![Answer::Failed("none".into())]))
                }
                _ => Want::ReadRow(query.model.clone()),
            },
        }
    }

    fn ask(&self, question: &Question) -> Shown {
        match question {
            Question::Sizes => Shown::Sizes([("config".to_owned(), self.config as u64)].into()),
            _ => Shown::Ids(self.tags.clone()),
        }
    }
}

fn changed(outcome: Outcome) -> Now {
    Now::Changed(Changed { outcome, held: None })
}

fn applied() -> Now {
    changed(Outcome::Applied)
}

fn row(id: &str, tag: &str) -> Row {
    Row::new(id, "m", "up/m", tag)
}

fn put(via: Via, id: &str, tag: &str) -> Op {
    let write = Write::Put(row(id, tag));
    Op::Write(WriteOp { via, write })
}

fn patch(id: &str, tag: &str) -> Op {
    let write = Write::Patch(Patch {
        id: id.into(),
        fields: Fields {
            tag: Some(tag.into()),
            ..Fields::default()
        },
    });
    let via = Via::Replica(0);
    Op::Write(WriteOp { via, write })
}

fn request(model: &str) -> Op {
    Op::Request(RequestOp {
        replica: 0,
        model: model.into(),
        team: None,
    })
}

fn begin(name: &str, act: Op, until: Place) -> Step {
    Step::Begin(Begin::new(name, act, until))
}

fn finish(name: &str) -> Step {
    Step::Finish(OpId(name.into()))
}

fn held(place: Place) -> Now {
    Now::Held(Point { place, nth: 1 })
}

/// A run of two replicas over a store with these rows.
fn carry_out(rows: &[Row], steps: &[Step], questions: Questions) -> RunReply {
    let mut trace = Trace::of_fleet(2, steps.to_vec());
    trace.setup.rows = rows.to_vec();
    let run = Run { trace, questions };
    InProcessFleet::new(Small::default()).run(&[run]).unwrap().remove(0)
}

/// The reply to each step: the operations that changed, each with its state.
fn told(rows: &[Row], steps: &[Step]) -> Vec<Vec<(String, Now)>> {
    let reply = carry_out(rows, steps, Questions::default());
    let steps = reply.steps.into_iter().map(|step| match step {
        StepReply::Moved(moved) => moved.into_iter().map(|moved| (moved.op.0, moved.now)).collect(),
        other => panic!("no step of a fleet: {other:?}"),
    });
    steps.collect()
}

/// The last reply, and the tags that both replicas hold after it.
fn end(rows: &[Row], steps: &[Step]) -> (Vec<(String, Now)>, [Vec<String>; 2]) {
    let last = told(rows, steps).pop().unwrap();
    (last, [0, 1].map(|replica| tags(rows, steps, replica)))
}

/// The tags that a replica holds after these steps; none where it is down.
fn tags(rows: &[Row], steps: &[Step], replica: u8) -> Vec<String> {
    let questions = Questions::at_end(vec![Question::Claims], steps.len());
    let reply = carry_out(rows, steps, questions);
    let seen = reply.rounds[0].iter().find(|seen| seen.replica == Some(replica));
    match seen.map(|seen| seen.shown.as_slice()) {
        Some([Shown::Ids(tags)]) => tags.clone(),
        _ => Vec::new(),
    }
}

fn said(name: &str, now: Now) -> Vec<(String, Now)> {
    vec![(name.to_owned(), now)]
}

fn poll(replica: u8) -> Step {
    Step::Do(Op::Poll(replica))
}

fn deliver(replica: u8) -> Step {
    Step::Do(Op::Deliver(replica))
}

fn world(world: World) -> Step {
    Step::World(world)
}

#[test]
fn a_poll_takes_up_what_was_written_and_has_the_number_of_its_step() {
    let steps = [Step::Do(put(Via::Store, "d1", "v1")), poll(1)];
    assert_eq!(told(&[], &steps), [said("#1", applied()), said("#2", Now::Done)]);
    let (_, tags) = end(&[row("d0", "v0")], &steps);
    assert_eq!(tags, [vec![], vec!["v0".to_owned(), "v1".to_owned()]]);
}

#[test]
fn an_operation_is_held_on_each_side_of_each_access() {
    // What the operation does, where it is held, and how many writes of it the store has by then.
    let rows = [
        (put(Via::Replica(0), "d1", "v2"), Place::BeforeWrite, "v1"),
        (put(Via::Replica(0), "d1", "v2"), Place::AfterWrite, "v2"),
        (put(Via::Store, "d1", "v2"), Place::BeforeWrite, "v1"),
        (put(Via::Store, "d1", "v2"), Place::AfterWrite, "v2"),
        (patch("d1", "v2"), Place::BeforeRead, "v1"),
        (patch("d1", "v2"), Place::AfterRead, "v1"),
        (patch("d1", "v2"), Place::BeforeWrite, "v1"),
        (patch("d1", "v2"), Place::AfterWrite, "v2"),
    ];
    for (act, until, stored) in rows {
        let steps = [
            begin("w", act, until),
            Step::Ask(None, Question::Store),
            finish("w"),
            finish("w"),
        ];
        let reply = carry_out(&[row("d1", "v1")], &steps, Questions::default());
        let moved = |now| {
            StepReply::Moved(vec![protocol::Moved {
                op: OpId("w".into()),
                now,
            }])
        };
        assert_eq!(reply.steps[0], moved(held(until)));
        assert_eq!(
            reply.steps[1],
            StepReply::Shown(Shown::Rows(vec![row("d1", stored)])),
            "{until:?}"
        );
        assert_eq!(reply.steps[2], moved(applied()), "{until:?}");
        assert_eq!(
            reply.steps[3],
            StepReply::Moved(Vec::new()),
            "what has ended is not finished again"
        );
    }
}

#[test]
fn a_reading_is_of_the_moment_of_the_read() {
    let write = Step::Do(put(Via::Store, "d1", "v2"));
    for (until, read) in [(Place::BeforeRead, "v2"), (Place::AfterRead, "v1")] {
        let steps = [begin("p", Op::Poll(0), until), write.clone(), finish("p")];
        assert_eq!(tags(&[row("d1", "v1")], &steps, 0), [read], "{until:?}");
    }
}

#[test]
fn an_operation_that_ends_before_its_point_is_done() {
    let mut second = Begin::new("p", Op::Poll(0), Place::AfterRead);
    second.nth = 2;
    let steps = [Step::Begin(second), finish("p"), finish("nobody")];
    assert_eq!(told(&[], &steps), [said("p", Now::Done), vec![], vec![]]);
}

#[test]
fn what_waits_is_woken_and_goes_on_to_its_own_point() {
    let steps = [
        begin("p", Op::Poll(0), Place::AfterRead),
        begin("q", Op::Poll(0), Place::BeforeRead),
        poll(0),
        poll(1),
        finish("p"),
        finish("q"),
    ];
    let told = told(&[row("d1", "v1")], &steps);
    assert_eq!(told[1], said("q", Now::Waiting(None)));
    assert_eq!(told[2], said("#3", Now::Waiting(None)));
    assert_eq!(told[3], said("#4", Now::Done), "another replica has turns of its own");
    let both = |one: (&str, Now), other: (&str, Now)| [one, other].map(|(name, now)| (name.to_owned(), now)).to_vec();
    assert_eq!(told[4], both(("p", Now::Done), ("q", held(Place::BeforeRead))));
    assert_eq!(told[5], both(("q", Now::Done), ("#3", Now::Done)));
}

#[test]
fn a_crash_loses_operations_and_notifications_and_what_is_down_does_nothing() {
    let steps = [
        Step::Do(put(Via::Store, "d1", "v1")),
        begin("p", Op::Poll(0), Place::AfterRead),
        world(World::Crash(0)),
        Step::Ask(Some(0), Question::Claims),
        poll(0),
        Step::Do(put(Via::Replica(0), "d1", "v2")),
        deliver(0),
        Step::Do(Op::Start(0)),
        deliver(0),
        Step::Do(Op::Start(0)),
    ];
    let told = told(&[], &steps);
    assert_eq!(told[2], said("p", Now::Lost));
    assert_eq!(told[3], [], "what is down shows nothing");
    let down = || Now::Failed("replica 0 is down; start it first".into());
    assert_eq!([&told[4], &told[5]], [&said("#5", down()), &said("#6", down())]);
    assert_eq!(told[6], said("#7", Now::Done));
    assert_eq!([&told[7], &told[9]], [&said("#8", Now::Done), &said("#10", Now::Done)]);
    assert_eq!(told[8], said("#9", Now::Done));
    assert_eq!(tags(&[], &steps, 0), [""; 0], "its notification is lost with it");
}

#[test]
fn each_write_is_told_to_every_other_replica_that_is_up() {
    let written = || Step::Do(put(Via::Replica(0), "d1", "v1"));
    let heard = |steps: &[Step]| {
        let all = [&[written()], steps].concat();
        (tags(&[], &all, 1), told(&[], &all).pop().unwrap())
    };
    assert_eq!(heard(&[deliver(1)]).0, ["v1"]);
    assert_eq!(heard(&[world(World::Drop(1)), deliver(1)]).0, [""; 0]);
    let again = heard(&[world(World::Duplicate(1))]);
    assert_eq!(again, (vec!["v1".to_owned()], said("#2", Now::Done)));
    // It is still under way: delivered once more, it is held like any poll.
    let once_more = begin("n", Op::Deliver(1), Place::BeforeRead);
    assert_eq!(
        heard(&[world(World::Duplicate(1)), once_more.clone()]).1,
        said("n", held(Place::BeforeRead))
    );
    assert_eq!(heard(&[deliver(1), once_more.clone()]).1, said("n", Now::Done));
    assert_eq!(heard(&[deliver(0)]).0, [""; 0], "whoever wrote it is not told");
    // Two writes are two notifications; the one that was put off comes last.
    let two = [written(), world(World::Defer(1)), deliver(1), once_more.clone()];
    assert_eq!(heard(&two).1, said("n", held(Place::BeforeRead)));
}

#[test]
fn a_replica_is_not_told_later_of_what_was_written_while_it_was_down() {
    let steps = [
        world(World::Crash(1)),
        Step::Do(put(Via::Store, "d1", "v1")),
        Step::Do(Op::Start(1)),
        deliver(0),
        deliver(1),
    ];
    let (_, [was_up, was_down]) = end(&[], &steps);
    assert_eq!((was_up, was_down), (vec!["v1".to_owned()], Vec::new()));
}

#[test]
fn faults_stop_replicas_and_views_show_them_less() {
    let rows = [row("d2", "v2"), row("d1", "v1")];
    let write = || Step::Do(put(Via::Store, "d3", "v3"));
    let fails = |fails| world(World::StoreFails(fails));
    let failed = || Now::Failed("the store fails".into());
    let steps = [
        fails(true),
        poll(0),
        Step::Do(put(Via::Replica(0), "d1", "v9")),
        write(),
    ];
    let replies = told(&rows, &steps);
    assert_eq!(
        replies[1..],
        [said("#2", failed()), said("#3", failed()), said("#4", applied())]
    );
    assert_eq!(
        tags(&rows, &[&steps[..], &[fails(false), poll(0)]].concat(), 0),
        ["v2", "v1", "v3"]
    );
    for (view, seen) in [
        (StoreView::All, vec!["v2", "v1", "v3"]),
        (StoreView::BeforeLastWrite, vec!["v2", "v1"]),
        (StoreView::Nothing, vec![]),
        (StoreView::FirstRow, vec!["v1"]),
    ] {
        let shows = [write(), fails(true), world(World::StoreShows(view)), poll(0)];
        assert_eq!(tags(&rows, &shows, 0), seen, "{view:?}");
        let asked = [&shows[..], &[Step::Do(request("d3"))]].concat();
        let found = view == StoreView::All;
        assert_eq!(
            told(&rows, &asked)[4] == said("#5", Now::Answered(Vec::new())),
            found,
            "{view:?}"
        );
    }
}

#[test]
fn rows_come_in_the_order_that_is_asked_for() {
    let rows = [row("d2", "v2"), row("d1", "v1"), row("d3", "v3")];
    let update = Step::Do(put(Via::Store, "d2", "v4"));
    let read = |order| tags(&rows, &[update.clone(), world(World::StoreOrder(order)), poll(0)], 0);
    assert_eq!(read(RowOrder::Insertion), ["v4", "v1", "v3"]);
    assert_eq!(read(RowOrder::LastUpdate), ["v1", "v3", "v4"]);
    let orders: Vec<_> = (0..9).map(|number| read(RowOrder::Shuffled(number))).collect();
    assert!(orders.iter().any(|order| *order != orders[0]), "{orders:?}");
    assert_eq!(orders[3], read(RowOrder::Shuffled(3)));
    let reply = carry_out(&rows, &[update, Step::Ask(None, Question::Store)], Questions::default());
    let stored = vec![row("d1", "v1"), row("d2", "v4"), row("d3", "v3")];
    assert_eq!(reply.steps[1], StepReply::Shown(Shown::Rows(stored)));
}

#[test]
fn the_second_source_comes_with_each_reading() {
    let config = |rows: Option<Vec<Row>>| world(World::Config(ConfigFile { rows }));
    for (rows, count) in [(Some(vec![row("c", "v1")]), 1), (Some(Vec::new()), 0), (None, 0)] {
        let steps = [
            config(Some(vec![row("c", "v1"), row("e", "v2")])),
            config(rows),
            poll(0),
        ];
        let reply = carry_out(&[], &steps, Questions::at_end(vec![Question::Sizes], 3));
        let sizes = [("config".to_owned(), count)].into();
        assert_eq!(reply.rounds[0][0].shown, [Shown::Sizes(sizes)]);
    }
}

#[test]
fn the_store_makes_no_write_that_has_nothing_to_change() {
    let write = |write| Step::Do(Op::Write(WriteOp { via: Via::Store, write }));
    let rows = [row("d1", "v1")];
    let steps = [
        write(Write::Add(row("d1", "v2"))),
        write(Write::Delete("d2".into())),
        write(Write::Patch(Patch {
            id: "d2".into(),
            fields: Fields::default(),
        })),
        deliver(0),
        write(Write::Delete("d1".into())),
        begin("n", Op::Deliver(0), Place::BeforeRead),
    ];
    let told = told(&rows, &steps);
    assert_eq!(
        told[0],
        said("#1", changed(Outcome::Refused("the id `d1` exists".into())))
    );
    assert_eq!(
        [&told[1], &told[2]],
        [
            &said("#2", changed(Outcome::Unchanged)),
            &said("#3", changed(Outcome::Unchanged))
        ]
    );
    assert_eq!(told[3], said("#4", Now::Done), "nobody is told of what was not made");
    assert_eq!(
        [&told[4], &told[5]],
        [&said("#5", applied()), &said("n", held(Place::BeforeRead))]
    );
}

#[test]
fn a_write_on_condition_is_not_made_over_another() {
    let between = |id: &str| {
        let steps = [
            begin("w", patch("d1", "v3"), Place::BeforeWrite),
            Step::Do(put(Via::Store, id, "v2")),
            finish("w"),
        ];
        told(&[row("d1", "v1")], &steps).pop().unwrap()
    };
    assert_eq!(between("d1"), said("w", changed(Outcome::Refused("not made".into()))));
    assert_eq!(between("d2"), said("w", applied()));
}

#[test]
fn operations_are_bounded_in_number_and_in_length() {
    let names: Vec<String> = (0..=HELD_MAX).map(|number| format!("r{number}")).collect();
    let held_at = |op: Op| names.iter().map(move |name| begin(name, op.clone(), Place::BeforeRead));
    let mut steps: Vec<Step> = held_at(request("d1")).collect();
    steps.extend([
        begin("r0", request("d1"), Place::BeforeRead),
        begin("other", Op::Poll(1), Place::BeforeRead),
    ]);
    let replies = told(&[], &steps);
    assert_eq!(
        replies[HELD_MAX - 1],
        said(&names[HELD_MAX - 1], held(Place::BeforeRead))
    );
    let [(_, Now::Failed(why))] = replies[HELD_MAX].as_slice() else {
        panic!("{replies:?}")
    };
    assert!(why.starts_with("at most 8 operations are held at a replica"), "{why}");
    let [(_, Now::Failed(why))] = replies[HELD_MAX + 1].as_slice() else {
        panic!("{replies:?}")
    };
    assert!(why.starts_with("an operation `r0` is under way"), "{why}");
    assert_eq!(replies[HELD_MAX + 2], said("other", held(Place::BeforeRead)));
    let [(_, Now::Failed(why))] = &told(&[], &[Step::Do(request("again"))])[0][..] else {
        panic!("it ended")
    };
    assert!(why.contains(&format!("{ACCESSES_MAX} accesses")), "{why}");
}

#[test]
fn a_round_asks_every_replica_that_is_up() {
    let questions = Questions::after_each(vec![Question::Claims, Question::Store], 1);
    let reply = carry_out(&[row("d1", "v1")], &[world(World::Crash(0))], questions);
    let asked = |round: usize| {
        reply.rounds[round]
            .iter()
            .map(|seen| seen.replica.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!([asked(0), asked(1)], [vec![0, 1], vec![1]]);
    assert_eq!(
        reply.rounds[0][1].shown,
        [Shown::Ids(Vec::new()), Shown::Rows(vec![row("d1", "v1")])]
    );
}

#[test]
fn what_each_replica_shows_has_the_tags_that_the_run_gave() {
    let mut trace = Trace::of_fleet(2, Vec::new());
    trace.setup.rows = vec![row("d1", "v1")];
    let questions = Questions::at_end(vec![Question::Store], 0);
    let run = Run { trace, questions };
    let mut fleet = Stamped::new(InProcessFleet::new(Small::default()));
    for reply in fleet.run(&[run.clone(), run]).unwrap() {
        let shown: Vec<&[Shown]> = reply.rounds[0].iter().map(|seen| seen.shown.as_slice()).collect();
        let stored = [Shown::Rows(vec![row("d1", "v1")])];
        assert_eq!(shown, [&stored; 2]);
    }
}

#[test]
fn a_trace_of_one_router_is_refused() {
    let fault = InProcessFleet::new(Small::default())
        .run(&[Run::default()])
        .unwrap_err();
    assert_eq!(fault.kind, protocol::FaultKind::Refused);
    assert!(fault.message.contains("`small` is a fleet"), "{fault}");
}

#[test]
fn what_is_held_is_asked_for_like_sizes() {
    let text = "version = 2\nwhy = \"w\"\nlevel = \"fleet\"\nreplicas = 1\n\n[[steps]]\nholds = { replica = 0 }\n";
    let file = TraceFile::parse(text).unwrap();
    assert_eq!(file.trace.steps, [Step::Ask(Some(0), Question::Holds)]);
    assert_eq!(file.to_toml(), text);
    assert_eq!(Question::Holds.kind().word(), "holds");
    assert_eq!(serde_json::to_value(Question::Holds).unwrap(), "holds");
    let alone = "version = 2\nwhy = \"w\"\n[[steps]]\nholds = {}\n";
    assert_eq!(
        TraceFile::parse(alone).unwrap().trace.steps,
        [Step::Ask(None, Question::Holds)]
    );
    let query = Query::new("m", None);
    assert_ne!(Question::Lookup(query).kind(), Question::Holds.kind());
}
