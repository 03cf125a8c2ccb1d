//! Trace files: what is read back, and what is refused with which words.

use protocol::trace::TRACE_BYTES_MAX;
use protocol::wire::{RUN_STEPS_MAX, TEXT_BYTES_MAX};
use protocol::{Change, FleetStep, Query, Row, Shown, Step, Trace, Via, Write};

fn every_kind_of_step() -> Vec<Step> {
    let mut row = Row::new("d\"1\"", "a*c", "openai/*", "v1");
    row.team = Some("t1".into());
    row.team_model_name = Some("pub/*".into());
    row.blocked = true;
    row.weight = Some(3);
    row.extra = Some("region".into());
    let plain = Row::new("1", "é\\.*", "m", "v2");
    vec![
        Step::Change(Change::Upsert(row.clone())),
        Step::Change(Change::Add(plain.clone())),
        Step::Change(Change::Delete("1".into())),
        Step::Change(Change::Replace(vec![row, plain.clone()])),
        Step::Lookup(Query::new("abc", Some("t1"))),
        Step::Fleet(FleetStep::Write(Write {
            via: Via::Store,
            change: Change::Upsert(plain),
        })),
        Step::Fleet(FleetStep::Write(Write {
            via: Via::Replica(1),
            change: Change::Delete("1".into()),
        })),
        Step::Fleet(FleetStep::Poll(0)),
        Step::Fleet(FleetStep::PollRead(1)),
        Step::Fleet(FleetStep::PollApply(1)),
        Step::Fleet(FleetStep::StoreFails(true)),
        Step::Fleet(FleetStep::StoreShows(Shown::All)),
        Step::Fleet(FleetStep::StoreShows(Shown::BeforeLastWrite)),
        Step::Fleet(FleetStep::StoreShows(Shown::Nothing)),
        Step::Fleet(FleetStep::StoreShows(Shown::FirstRow)),
        Step::Fleet(FleetStep::Crash(0)),
        Step::Fleet(FleetStep::Start(0)),
        Step::Fleet(FleetStep::Deliver(1)),
        Step::Fleet(FleetStep::Duplicate(1)),
        Step::Fleet(FleetStep::Drop(1)),
        Step::Fleet(FleetStep::Defer(1)),
        Step::Lookup(Query {
            model: "x".into(),
            team: None,
            replica: Some(1),
        }),
    ]
}

#[test]
fn what_is_written_is_read_back() {
    let mut trace = Trace::new(
        "kept for \"reasons\"",
        vec![Row::new("d0", "m", "m", "v0")],
        every_kind_of_step(),
    );
    trace.router = Some("litellm".into());
    trace.rule = Some("current".into());
    trace.seed = Some(u32::MAX);
    trace.affected = Some(">=1.85.0, <1.101.0".into());
    let text = trace.to_toml();
    assert_eq!(Trace::parse(&text).as_ref(), Ok(&trace), "{text}");
    let json = serde_json::to_string(&trace).unwrap();
    assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), trace);
}

#[test]
fn affected_versions() {
    let mut trace = Trace::new("why", vec![], vec![Step::Change(Change::Delete("d1".into()))]);
    assert_eq!(trace.affects("1.85.0"), None);
    trace.affected = Some(">=1.85.0, <1.101.0".into());
    assert_eq!(trace.affects("1.85.0"), Some(true));
    assert_eq!(trace.affects("1.101.0"), Some(false));
    assert_eq!(trace.affects("main"), None);
}

#[test]
fn refusals_say_where_and_what() {
    let head = "version = 1\nwhy = \"w\"\n";
    let step = "[[steps]]\ndelete = \"d1\"\n";
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    #[rustfmt::skip]
    let rows: &[(&str, String, &str)] = &[
        ("empty", String::new(), "there is no `version`"),
        ("no TOML", "version = = 1".into(), "line 1, column 11:"),
        ("truncated", format!("{head}[[steps]]\nupsert = {{ id = \"d1\", mod"), "line 4,"),
        ("another version", "version = 2\nfuture = true\n".into(), "this is a trace of version 2, and this build reads version 1"),
        ("a version of another type", "version = \"1\"\n".into(), "line 1, column 11: invalid type: string \"1\", expected u32"),
        ("no why", format!("version = 1\n{step}"), "missing field `why`"),
        ("empty why", format!("version = 1\nwhy = \" \"\n{step}"), "`why` is empty"),
        ("no steps", format!("{head}steps = []\n"), "there are no steps"),
        ("unknown field", format!("{head}wyh = 1\n{step}"), "line 3, column 1: unknown field `wyh`"),
        ("unknown field of a row", format!("{head}[[steps]]\nupsert = {{ id = \"d\", model_name = \"m\", model = \"m\", tag = \"v\", colour = 1 }}\n"), "line 4, column 64: unknown field `colour`"),
        ("missing field of a row", format!("{head}[[steps]]\nupsert = {{ id = \"d\" }}\n"), "line 4, column 10: missing field `model_name`"),
        ("unknown verb", format!("{head}[[steps]]\nupdate = \"d1\"\n"), "line 4, column 1: unknown variant `update`"),
        ("two verbs in one step", format!("{head}[[steps]]\ndelete = \"d1\"\npoll = 0\n"), "line 3, column 1: wanted exactly 1 element"),
        ("bad range", format!("{head}affected = \"1.85 to 2\"\n{step}"), "`affected` is no version range"),
        ("over-long text", format!("{head}[[steps]]\ndelete = \"{long}\"\n"), "`id` may have at most 4096 bytes, and this has 4097"),
        ("too many steps", format!("{head}{}", step.repeat(RUN_STEPS_MAX + 1)), "a run may have at most 10000 steps, and this has 10001"),
        ("over-long file", " ".repeat(TRACE_BYTES_MAX + 1), "and at most 4194304 are read"),
    ];
    for (name, text, expected) in rows {
        let error = Trace::parse(text).expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: `{error}` does not say `{expected}`");
    }
}

#[test]
fn a_file_may_be_as_long_as_its_limit() {
    let text = "version = 1\nwhy = \"w\"\n[[steps]]\ndelete = \"d1\"\n";
    let padded = format!("{text}#{}", " ".repeat(TRACE_BYTES_MAX - text.len() - 1));
    assert_eq!(padded.len(), TRACE_BYTES_MAX);
    assert_eq!(Trace::parse(&padded), Trace::parse(text));
}

#[test]
fn itf_holds_one_state_a_step_and_the_table_of_each() {
    let itf = Trace::new("w", vec![], every_kind_of_step()).to_itf();
    let states = itf["states"].as_array().unwrap();
    assert_eq!(states.len(), every_kind_of_step().len() + 1);
    let numbered: Vec<u64> = states
        .iter()
        .filter_map(|state| state["#meta"]["index"].as_u64())
        .collect();
    assert_eq!(numbered, (0..=every_kind_of_step().len() as u64).collect::<Vec<_>>());
    assert_eq!(states[0]["table"]["#map"].as_array().unwrap().len(), 0);
    assert_eq!(states[4]["table"]["#map"].as_array().unwrap().len(), 2);
    assert_eq!(states[1]["step"]["upsert"]["weight"]["#bigint"], "3");
    assert_eq!(states[7]["table"]["#map"][0][0], "d\"1\"");
}
