//! Texts of the plain values, as people and as files read them; a field that says nothing is left out.

use protocol::{
    AdapterFault, Answer, Begin, Candidate, Change, Changed, ConfigFile, Dialect, Extra, FaultKind, Fields, Now, Op,
    OpId, Patch, Place, Point, Query, Question, Questions, Refusal, RequestOp, Round, Row, Rows, Run, Step, Trace, Via,
    World, Write, WriteOp,
};
use serde_json::json;

fn row() -> Row {
    Row::new("d1", "gpt", "openai/gpt", "v1")
}

#[test]
fn a_team_asks_by_its_own_name_where_it_has_one() {
    let mut row = row();
    row.team_model_name = Some("pub".into());
    assert_eq!(row.asked_name(), "gpt", "a name without a team is no team's name");
    row.team = Some("t1".into());
    assert_eq!(row.asked_name(), "pub");
    row.team_model_name = None;
    assert_eq!(row.asked_name(), "gpt");
}

#[test]
fn a_change_names_its_verb_and_its_rows() {
    let rows = vec![row()];
    let changes = [
        (Change::Upsert(row()), "upsert", 1),
        (Change::Add(row()), "add", 1),
        (Change::Delete("d1".into()), "delete", 0),
        (Change::Replace(rows), "replace", 1),
    ];
    for (change, verb, count) in changes {
        assert_eq!((change.verb(), change.rows().len()), (verb, count));
        assert_eq!(Step::Change(change.clone()).change(), Some(&change));
    }
    assert_eq!(Step::lookup(Query::new("gpt", None)).change(), None);
    assert_eq!(Step::Do(Op::Poll(0)).change(), None);
}

fn store(write: Write) -> Op {
    let via = Via::Store;
    Op::Write(WriteOp { via, write })
}

fn retagged() -> Write {
    let tag = Some("v2".into());
    Write::Patch(Patch {
        id: "d1".into(),
        fields: Fields {
            tag,
            ..Fields::default()
        },
    })
}

#[test]
fn a_write_names_its_verb_its_id_and_its_row() {
    let writes = [
        (Write::Put(row()), "put", true),
        (Write::Add(row()), "add", true),
        (Write::Delete("d1".into()), "delete", false),
        (retagged(), "patch", false),
    ];
    for (write, verb, whole) in writes {
        assert_eq!((write.verb(), write.id(), write.row().is_some()), (verb, "d1", whole));
        let op = store(write.clone());
        let begun = Step::Begin(Begin::new("a", op.clone(), Place::AfterWrite));
        for mut step in [Step::Do(op), begun] {
            assert_eq!(step.write().map(|op| &op.write), Some(&write));
            assert_eq!(step.rows().len(), usize::from(whole));
            assert_eq!(step.rows_mut().len(), usize::from(whole));
        }
    }
}

#[test]
fn an_operation_names_its_verb_and_its_replica() {
    let request = RequestOp {
        replica: 4,
        model: "gpt".into(),
        team: Some("t1".into()),
    };
    assert_eq!(request.query(), Query::new("gpt", Some("t1")));
    let via = Via::Replica(3);
    let write = Write::Delete("d1".into());
    let ops = [
        (store(write.clone()), "write", None),
        (Op::Write(WriteOp { via, write }), "write", Some(3)),
        (Op::Poll(0), "poll", Some(0)),
        (Op::Start(1), "start", Some(1)),
        (Op::Deliver(2), "deliver", Some(2)),
        (Op::Request(request), "request", Some(4)),
    ];
    for (op, verb, replica) in ops {
        assert_eq!((op.verb(), op.replica()), (verb, replica));
        let begun = Step::Begin(Begin::new("a", op.clone(), Place::BeforeRead));
        assert_eq!((begun.op(), begun.replica()), (Some(&op), replica));
        assert_eq!(Step::Do(op).replica(), replica);
    }
    let of_one = [World::Crash(1), World::Duplicate(1), World::Drop(1), World::Defer(1)];
    for event in of_one {
        assert_eq!(Step::World(event).replica(), Some(1));
    }
    assert_eq!(Step::World(World::Wait(1)).replica(), None);
    assert_eq!(Step::Ask(Some(1), Question::Claims).replica(), Some(1));
    assert_eq!(Step::Finish(OpId("a".into())).replica(), None);
}

#[test]
fn a_patch_sets_the_fields_that_it_names_and_no_others() {
    let mut row = Row {
        team: Some("t1".into()),
        team_model_name: Some("pub".into()),
        blocked: true,
        weight: Some(3),
        extra: Some("region".into()),
        ..row()
    };
    let before = row.clone();
    Fields::default().apply_to(&mut row);
    assert_eq!(row, before);
    let fields = Fields {
        model: Some("m2".into()),
        tag: Some("v2".into()),
        blocked: Some(false),
        weight: Some(0),
        ..Fields::default()
    };
    fields.apply_to(&mut row);
    let expected = Row {
        model: "m2".into(),
        tag: "v2".into(),
        blocked: false,
        weight: Some(0),
        ..before
    };
    assert_eq!(row, expected);
    let fields = Fields {
        model_name: Some("gpt-5".into()),
        team: Some("t2".into()),
        team_model_name: Some("mine".into()),
        extra: Some("other".into()),
        ..Fields::default()
    };
    fields.apply_to(&mut row);
    let expected = Row {
        model_name: "gpt-5".into(),
        team: Some("t2".into()),
        team_model_name: Some("mine".into()),
        extra: Some("other".into()),
        ..expected
    };
    assert_eq!(row, expected);
}

/// The id and tag of each row.
fn tags(rows: &Rows) -> Vec<(&str, &str)> {
    rows.values().map(|row| (row.id.as_str(), row.tag.as_str())).collect()
}

#[test]
fn a_step_is_carried_out_on_a_table() {
    let of = |id: &str, tag: &str| Row::new(id, "gpt", "openai/gpt", tag);
    let change = Step::Change;
    let write = |write| Step::Do(store(write));
    let config = ConfigFile {
        rows: Some(vec![of("d9", "v9")]),
    };
    let steps = [
        (change(Change::Upsert(of("d1", "v1"))), vec![("d1", "v1")]),
        (change(Change::Upsert(of("d1", "v2"))), vec![("d1", "v2")]),
        (change(Change::Add(of("d1", "v3"))), vec![("d1", "v2")]),
        (change(Change::Add(of("d2", "v4"))), vec![("d1", "v2"), ("d2", "v4")]),
        (change(Change::Delete("d3".into())), vec![("d1", "v2"), ("d2", "v4")]),
        (change(Change::Delete("d1".into())), vec![("d2", "v4")]),
        (
            change(Change::Replace(vec![of("d3", "v5"), of("d3", "v6")])),
            vec![("d3", "v6")],
        ),
        (write(Write::Put(of("d1", "v1"))), vec![("d1", "v1"), ("d3", "v6")]),
        (write(Write::Put(of("d3", "v7"))), vec![("d1", "v1"), ("d3", "v7")]),
        (write(Write::Add(of("d3", "v8"))), vec![("d1", "v1"), ("d3", "v7")]),
        (write(retagged()), vec![("d1", "v2"), ("d3", "v7")]),
        (write(Write::Delete("d1".into())), vec![("d3", "v7")]),
        (write(retagged()), vec![("d3", "v7")]),
        (
            Step::Begin(Begin::new("a", store(Write::Add(of("d1", "v1"))), Place::BeforeWrite)),
            vec![("d1", "v1"), ("d3", "v7")],
        ),
        (Step::Finish(OpId("a".into())), vec![("d1", "v1"), ("d3", "v7")]),
        (Step::Do(Op::Poll(0)), vec![("d1", "v1"), ("d3", "v7")]),
        (Step::World(World::Config(config)), vec![("d1", "v1"), ("d3", "v7")]),
        (Step::lookup(Query::new("gpt", None)), vec![("d1", "v1"), ("d3", "v7")]),
    ];
    let mut rows = Rows::new();
    for (step, expected) in steps {
        step.apply_to(&mut rows);
        assert_eq!(tags(&rows), expected, "after {step:?}");
    }
}

#[test]
fn a_trace_gives_each_row_that_it_brings_in_order() {
    let of = |id: &str| Row::new(id, "gpt", "openai/gpt", "v1");
    let config = ConfigFile {
        rows: Some(vec![of("5"), of("6")]),
    };
    let mut trace = Trace::of_fleet(
        2,
        vec![
            Step::Do(store(Write::Put(of("3")))),
            Step::Begin(Begin::new("a", store(Write::Add(of("4"))), Place::BeforeWrite)),
            Step::Do(store(Write::Delete("3".into()))),
            Step::World(World::Config(config)),
            Step::Change(Change::Replace(vec![of("7"), of("8")])),
        ],
    );
    trace.setup.rows = vec![of("1")];
    trace.setup.config = Some(vec![of("2")]);
    let ids: String = trace.rows().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, "12345678");
    assert_eq!(trace.size(), 9, "eight rows, and a deletion that brings none");
    trace.rows_mut().for_each(|row| row.tag = "new".into());
    assert!(trace.rows().all(|row| row.tag == "new"));
}

#[test]
fn a_begin_is_held_at_its_first_such_place_unless_it_says_more() {
    let begin = Begin::new("a", Op::Poll(0), Place::AfterRead);
    assert_eq!(
        begin.point(),
        Point {
            place: Place::AfterRead,
            nth: 1
        }
    );
    assert_eq!(begin.op.to_string(), "a");
    assert_eq!(OpId::of_step(3).to_string(), "#3");
    assert_eq!(
        serde_json::to_value(&begin).unwrap(),
        json!({"op": "a", "act": {"poll": 0}, "until": "after-read"})
    );
    let second = Begin { nth: 2, ..begin };
    assert_eq!(second.point().nth, 2);
    assert_eq!(serde_json::to_value(&second).unwrap()["nth"], 2);
}

#[test]
fn an_operation_is_over_unless_it_is_held_or_waits() {
    let point = Point {
        place: Place::AfterRead,
        nth: 1,
    };
    for now in [
        Now::Held(point),
        Now::Waiting(None),
        Now::Waiting(Some(OpId("a".into()))),
    ] {
        assert!(!now.is_over(), "{now:?}");
    }
    let over = [
        Now::Changed(Changed::APPLIED),
        Now::Answered(Vec::new()),
        Now::Done,
        Now::Failed("timeout".into()),
        Now::Lost,
    ];
    for now in over {
        assert!(now.is_over(), "{now:?}");
    }
}

#[test]
fn questions_are_asked_in_the_order_of_their_round() {
    let asked = vec![
        Question::Claims,
        Question::Lookup(Query::new("gpt", None)),
        Question::Sizes,
    ];
    let after = |questions: &Questions| questions.rounds.iter().map(|round| round.after).collect::<Vec<_>>();
    assert_eq!(after(&Questions::after_each(asked.clone(), 2)), [0, 1, 2]);
    let questions = Questions::at_end(asked, 2);
    assert_eq!(after(&questions), [2]);
    assert_eq!(questions.queries().collect::<Vec<_>>(), [&Query::new("gpt", None)]);
    let places = |order: Option<&[u16]>| -> Vec<usize> {
        let order = order.map(<[u16]>::to_vec);
        let round = Round { order, ..Round::all(0) };
        questions
            .of(&round)
            .map(|(place, question)| {
                assert_eq!(question, &questions.asked[place]);
                place
            })
            .collect()
    };
    assert_eq!(places(None), [0, 1, 2]);
    assert_eq!(places(Some(&[2, 0, 2])), [2, 0, 2]);
    assert_eq!(places(Some(&[])), [0_usize; 0]);
}

#[test]
fn answers_compare_as_multisets() {
    let candidate = |id: &str| Candidate {
        id: id.into(),
        model: "m".into(),
        tag: "v1".into(),
    };
    let answer = |ids: &[&str]| Answer::Candidates(ids.iter().map(|id| candidate(id)).collect());
    assert_eq!(answer(&["b", "a", "b"]).sorted(), answer(&["a", "b", "b"]).sorted());
    assert_ne!(answer(&["a", "b"]).sorted(), answer(&["a", "b", "b"]).sorted());
    assert_eq!(Answer::Refused(Refusal::Blocked).candidates(), []);
    assert_eq!(
        Answer::Failed("KeyError".into()).sorted(),
        Answer::Failed("KeyError".into())
    );
}

#[test]
fn a_fault_quotes_what_the_adapter_said_last() {
    let mut fault = AdapterFault::new(FaultKind::Exited, "it ended");
    assert_eq!(fault.to_string(), "it ended");
    fault.last_lines = vec!["Traceback".into(), "KeyError: 1".into()];
    assert_eq!(fault.to_string(), "it ended\n  | Traceback\n  | KeyError: 1");
}

#[test]
fn a_router_answers_once_a_path() {
    let with = |paths: &[&str]| Dialect {
        paths: paths.iter().map(ToString::to_string).collect(),
        ..Dialect::default()
    };
    assert_eq!(with(&[]).path_count(), 1);
    assert_eq!(with(&["sync"]).path_count(), 1);
    assert_eq!(with(&["sync", "async", "batch"]).path_count(), 3);
}

#[test]
fn what_says_nothing_is_not_written() {
    let run = Run::default();
    assert_eq!(
        serde_json::to_value(&run).unwrap(),
        json!({"trace": {"steps": []}, "questions": {}})
    );
    let fleet = Run {
        trace: Trace::of_fleet(2, Vec::new()),
        ..run
    };
    assert_eq!(
        serde_json::to_value(&fleet).unwrap()["trace"],
        json!({"level": "fleet", "setup": {"replicas": 2}, "steps": []})
    );
    assert_eq!(
        serde_json::to_value(row()).unwrap(),
        json!({"id": "d1", "model_name": "gpt", "model": "openai/gpt", "tag": "v1"})
    );
    let blocked = Row { blocked: true, ..row() };
    assert_eq!(serde_json::to_value(blocked).unwrap()["blocked"], true);
    let extra: Extra = serde_json::from_value(json!({"name": "region", "why": "w"})).unwrap();
    assert!(
        extra.plain,
        "a row with extra parameters answers like any other unless it is said not to"
    );
}
