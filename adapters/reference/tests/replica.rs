//! `router-core`'s replicas over a store, one access at a time.

use adapter_reference::{PATCH_TRIES_MAX, reference_fleet};
use protocol::{
    Begin, Capability, Changed, Fields, Now, Op, OpId, Outcome, Patch, Place, Question, RouterUnderTest, Row, Run,
    RunReply, Shown, Step, StepReply, StoreView, Trace, Via, World, Write, WriteOp,
};

const HERE: Via = Via::Replica(0);

fn row(id: &str, tag: &str) -> Row {
    Row::new(id, "a*", "up/*", tag)
}

fn write(via: Via, write: Write) -> Op {
    Op::Write(WriteOp { via, write })
}

fn put(via: Via, tag: &str) -> Op {
    write(via, Write::Put(row("d1", tag)))
}

fn patch(fields: Fields) -> Op {
    let id = "d1".to_owned();
    write(HERE, Write::Patch(Patch { id, fields }))
}

fn rotate(tag: &str) -> Op {
    patch(Fields {
        tag: Some(tag.to_owned()),
        ..Fields::default()
    })
}

fn begin(act: Op, until: Place) -> Step {
    Step::Begin(Begin::new("it", act, until))
}

fn finish() -> Step {
    Step::Finish(OpId("it".into()))
}

fn poll() -> Step {
    Step::Do(Op::Poll(0))
}

/// Carries out the steps on two replicas over a store with these rows, and asks the first what it holds and claims.
fn carry_out(rows: &[Row], steps: &[Step]) -> RunReply {
    let asked = [Question::Holds, Question::Claims].map(|question| Step::Ask(Some(0), question));
    let mut trace = Trace::of_fleet(2, [steps, &asked].concat());
    trace.setup.rows = rows.to_vec();
    reference_fleet()
        .run(&[Run {
            trace,
            ..Run::default()
        }])
        .unwrap()
        .remove(0)
}

/// The tags that the first replica holds after these steps, sorted, and the state of the last operation.
fn after(rows: &[Row], steps: &[Step]) -> (Vec<String>, Now) {
    let mut replies = carry_out(rows, steps).steps;
    let claims = replies.pop();
    let Some(StepReply::Shown(Shown::Holds(mut holds))) = replies.pop() else {
        panic!("it says what it holds")
    };
    let mut tags = holds.remove("rows").expect("the registry is one of the structures");
    tags.sort_unstable();
    let Some(StepReply::Shown(Shown::Ids(ids))) = claims else {
        panic!("it says which ids it holds")
    };
    assert_eq!(ids.len(), tags.len());
    let Some(StepReply::Moved(moved)) = replies.pop() else {
        panic!("a step of a fleet")
    };
    let moved = moved.into_iter().next().expect("the last step moved an operation");
    (tags, moved.now)
}

fn changed(outcome: Outcome) -> Now {
    Now::Changed(Changed { outcome, held: None })
}

fn is_refused(now: &Now) -> bool {
    let Now::Changed(Changed { outcome, .. }) = now else {
        return false;
    };
    matches!(outcome, Outcome::Refused(_))
}

#[test]
fn it_says_that_it_is_a_fleet_and_which_structure_is_its_registry() {
    let fleet = reference_fleet();
    assert!(fleet.hello().can(Capability::Fleet) && fleet.hello().can(Capability::Holds));
    assert_eq!(fleet.hello().dialect.registry.as_deref(), Some("rows"));
}

#[test]
fn a_write_is_served_at_once_and_an_older_reading_does_not_undo_it() {
    let rows = [row("d1", "v1")];
    let steps = [
        poll(),
        begin(Op::Poll(0), Place::AfterRead),
        Step::Do(put(HERE, "v2")),
        finish(),
    ];
    assert_eq!(
        after(&rows, &steps[..3]),
        (vec!["v2".into()], changed(Outcome::Applied))
    );
    assert_eq!(after(&rows, &steps), (vec!["v2".into()], Now::Done));
    let delete = |id: &str| Step::Do(write(HERE, Write::Delete(id.into())));
    assert_eq!(
        after(&rows, &[poll(), delete("d1")]),
        (vec![], changed(Outcome::Applied))
    );
    assert_eq!(
        after(&rows, &[poll(), delete("d2")]),
        (vec!["v1".into()], changed(Outcome::Unchanged))
    );
    let gone = Step::Do(write(Via::Store, Write::Delete("d1".into())));
    assert_eq!(
        after(&rows, &[poll(), gone, delete("d1")]),
        (vec![], changed(Outcome::Unchanged))
    );
}

#[test]
fn what_is_invalid_is_refused_at_the_door() {
    let mut invalid = row("d1", "v2");
    invalid.model = "up/*/*".into();
    let rows = [row("d1", "v1")];
    let odd = Fields {
        model: Some("up/*/*".into()),
        ..Fields::default()
    };
    for op in [
        write(HERE, Write::Put(invalid)),
        write(HERE, Write::Add(row("d1", "v2"))),
        write(
            HERE,
            Write::Patch(Patch {
                id: "d2".into(),
                fields: odd.clone(),
            }),
        ),
        patch(odd),
    ] {
        let (tags, now) = after(&rows, &[poll(), Step::Do(op.clone())]);
        assert!(is_refused(&now), "{op:?}: {now:?}");
        assert_eq!(tags, ["v1"], "{op:?}");
    }
}

#[test]
fn a_patch_is_tried_again_when_its_row_was_written_meanwhile() {
    let blocks = patch(Fields {
        blocked: Some(true),
        ..Fields::default()
    });
    let other = || Step::Do(put(Via::Store, "v2"));
    let steps = [begin(blocks, Place::BeforeWrite), other(), finish()];
    assert_eq!(
        after(&[row("d1", "v1")], &steps),
        (vec!["v2".into()], changed(Outcome::Applied))
    );
    let mut held = Begin::new("it", rotate("v9"), Place::BeforeWrite);
    held.nth = 2;
    let again = [Step::Begin(held), other(), finish()];
    assert_eq!(
        after(&[row("d1", "v1")], &again[..1]).1,
        changed(Outcome::Applied),
        "once is enough where nobody wrote"
    );
    // A copy that lags behind never gives the row as it is: it is not tried for ever.
    let lags = Step::World(World::StoreShows(StoreView::BeforeLastWrite));
    let (tags, now) = after(&[row("d1", "v1")], &[other(), lags, Step::Do(rotate("v9"))]);
    assert!(is_refused(&now) && tags.is_empty(), "{now:?}");
    let why = format!("written {PATCH_TRIES_MAX} times meanwhile");
    assert!(format!("{now:?}").contains(&why), "{now:?}");
    assert_eq!(PATCH_TRIES_MAX, 4);
}

#[test]
fn a_poll_that_fails_or_is_cut_short_changes_nothing() {
    let rows = [row("d1", "v1"), row("d2", "v2")];
    let new = Step::Do(write(Via::Store, Write::Put(row("d3", "v3"))));
    let worlds = [
        World::StoreFails(true),
        World::StoreShows(StoreView::Nothing),
        World::StoreShows(StoreView::FirstRow),
        World::StoreShows(StoreView::BeforeLastWrite),
    ];
    for world in worlds {
        let (tags, now) = after(&rows, &[poll(), new.clone(), Step::World(world.clone()), poll()]);
        assert_eq!(tags, ["v1", "v2"], "{world:?}");
        let lags = world == World::StoreShows(StoreView::BeforeLastWrite);
        assert_eq!(matches!(now, Now::Failed(_)), !lags, "{world:?}");
        let mends = [World::StoreShows(StoreView::All), World::StoreFails(false)].map(Step::World);
        let mended = [
            &[poll(), new.clone(), Step::World(world), poll()][..],
            &mends,
            &[poll()],
        ]
        .concat();
        assert_eq!(after(&rows, &mended).0, ["v1", "v2", "v3"]);
    }
}

#[test]
fn a_notification_that_is_news_makes_it_poll() {
    let elsewhere = Step::Do(put(Via::Replica(1), "v1"));
    let deliver = || begin(Op::Deliver(0), Place::BeforeRead);
    let news = after(&[], &[elsewhere.clone(), deliver()]);
    assert!(matches!(news.1, Now::Held(_)));
    let known = after(&[], &[elsewhere, poll(), deliver()]);
    assert_eq!(known, (vec!["v1".into()], Now::Done));
}
