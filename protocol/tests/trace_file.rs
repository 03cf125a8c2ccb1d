//! Trace files: what is read back, and what is refused with which words.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use protocol::wire::{RUN_BEGUN_MAX, RUN_STEPS_MAX, TEXT_BYTES_MAX};
use protocol::{
    Begin, Change, ConfigFile, Fields, Op, OpId, Patch, Place, Query, Question, RequestOp, Row, RowOrder, Setup, Step,
    StoreView, TRACE_BYTES_MAX, TRACE_VERSION, TRACE_VERSION_MIN, Trace, TraceFile, Via, World, Write, WriteOp,
    schemas,
};

fn row() -> Row {
    Row {
        team: Some("t1".into()),
        team_model_name: Some("pub/*".into()),
        blocked: true,
        weight: Some(3),
        extra: Some("region".into()),
        ..Row::new("d\"1\"", "a*c", "openai/*", "v1")
    }
}

fn plain() -> Row {
    Row::new("1", "é\\.*", "m", "v2")
}

/// Every kind of step of one router.
fn router_steps() -> Vec<Step> {
    vec![
        Step::Change(Change::Upsert(row())),
        Step::Change(Change::Add(plain())),
        Step::Change(Change::Delete("1".into())),
        Step::Change(Change::Replace(vec![row(), plain()])),
        Step::lookup(Query::new("abc", Some("t1"))),
        Step::lookup(Query::new("abc", None)),
        Step::Ask(None, Question::Listing(Some("t1".into()))),
        Step::Ask(None, Question::Listing(None)),
        Step::Ask(None, Question::Claims),
        Step::Ask(None, Question::Holds),
        Step::Ask(None, Question::Sizes),
    ]
}

/// Every kind of step of a fleet of two replicas.
fn fleet_steps() -> Vec<Step> {
    let write = |via, write| Op::Write(WriteOp { via, write });
    let fields = Fields {
        model_name: Some("n".into()),
        model: Some("m".into()),
        tag: Some("v3".into()),
        team: Some("t2".into()),
        team_model_name: Some("p".into()),
        blocked: Some(false),
        weight: Some(0),
        extra: Some("x".into()),
    };
    let patch = |fields| {
        let id = "1".into();
        Write::Patch(Patch { id, fields })
    };
    let request = |team: Option<&str>| {
        Op::Request(RequestOp {
            replica: 1,
            model: "abc".into(),
            team: team.map(str::to_owned),
        })
    };
    let begin = |op: &str, act, until| Step::Begin(Begin::new(op, act, until));
    vec![
        Step::Do(write(Via::Store, Write::Put(plain()))),
        Step::Do(write(Via::Replica(1), Write::Add(row()))),
        Step::Do(write(Via::Replica(0), patch(fields))),
        Step::Do(write(Via::Store, patch(Fields::default()))),
        Step::Do(write(Via::Store, Write::Delete("1".into()))),
        Step::Do(Op::Poll(0)),
        Step::Do(Op::Start(1)),
        Step::Do(Op::Deliver(1)),
        Step::Do(request(Some("t1"))),
        Step::Do(request(None)),
        begin("a", Op::Poll(0), Place::BeforeRead),
        begin("b", Op::Start(0), Place::AfterRead),
        begin("c", write(Via::Replica(1), Write::Put(row())), Place::BeforeWrite),
        Step::Begin(Begin {
            nth: 2,
            ..Begin::new("d", request(None), Place::AfterWrite)
        }),
        Step::Finish(OpId("a".into())),
        Step::World(World::StoreFails(true)),
        Step::World(World::StoreFails(false)),
        Step::World(World::StoreShows(StoreView::All)),
        Step::World(World::StoreShows(StoreView::BeforeLastWrite)),
        Step::World(World::StoreShows(StoreView::Nothing)),
        Step::World(World::StoreShows(StoreView::FirstRow)),
        Step::World(World::StoreOrder(RowOrder::Insertion)),
        Step::World(World::StoreOrder(RowOrder::LastUpdate)),
        Step::World(World::StoreOrder(RowOrder::Shuffled(u32::MAX))),
        Step::World(World::Config(ConfigFile { rows: None })),
        Step::World(World::Config(ConfigFile { rows: Some(vec![]) })),
        Step::World(World::Config(ConfigFile {
            rows: Some(vec![row(), plain()]),
        })),
        Step::World(World::Crash(0)),
        Step::World(World::Duplicate(1)),
        Step::World(World::Drop(1)),
        Step::World(World::Defer(1)),
        Step::World(World::Wait(u32::MAX)),
        Step::Ask(Some(1), Question::Lookup(Query::new("x", Some("t1")))),
        Step::Ask(Some(0), Question::Listing(None)),
        Step::Ask(Some(0), Question::Claims),
        Step::Ask(Some(0), Question::Holds),
        Step::Ask(Some(0), Question::Sizes),
        Step::Ask(None, Question::Store),
    ]
}

fn router_trace() -> Trace {
    Trace::of_router(vec![Row::new("d0", "m", "m", "v0")], router_steps())
}

fn fleet_trace() -> Trace {
    let trace = Trace::of_fleet(2, fleet_steps());
    let setup = Setup {
        rows: vec![plain()],
        config: Some(vec![row()]),
        order: RowOrder::Shuffled(7),
        ..trace.setup
    };
    Trace { setup, ..trace }
}

#[test]
fn what_is_written_is_read_back() {
    let without_list = Trace::of_fleet(1, vec![Step::Do(Op::Poll(0))]);
    let mut empty_list = without_list.clone();
    empty_list.setup.config = Some(Vec::new());
    let without_steps = Trace::of_router(vec![plain()], Vec::new());
    for trace in [router_trace(), fleet_trace(), without_list, empty_list, without_steps] {
        let file = TraceFile {
            router: Some("litellm".into()),
            rule: Some("current".into()),
            seed: Some(u32::MAX),
            affected: Some(">=1.85.0, <1.101.0".into()),
            ..TraceFile::new("kept for \"reasons\"", trace.clone())
        };
        let text = file.to_toml();
        assert_eq!(TraceFile::parse(&text).as_ref(), Ok(&file), "{text}");
        let json = serde_json::to_string(&file).unwrap();
        assert_eq!(serde_json::from_str::<TraceFile>(&json).unwrap(), file);
        let json = serde_json::to_string(&trace).unwrap();
        assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), trace);
    }
}

/// The word for a step in a file.
fn verb(step: &Step) -> String {
    let json = serde_json::to_value(step).unwrap();
    let fields = json.as_object().unwrap();
    assert_eq!(fields.len(), 1, "a step has one verb: {json}");
    fields.keys().next().unwrap().clone()
}

/// Every verb that the schema has.
fn verbs() -> BTreeSet<String> {
    let [_, _, (name, schema)] = schemas();
    assert_eq!(name, "trace.json");
    let schema = schema.to_value();
    let variants = schema["$defs"]["Step"]["oneOf"].as_array().unwrap();
    let verbs = variants.iter().map(|variant| variant["required"][0].as_str().unwrap());
    verbs.map(str::to_owned).collect()
}

#[test]
fn each_verb_of_the_schema_is_written_and_read_back_here() {
    let written: BTreeSet<String> = router_steps().iter().chain(&fleet_steps()).map(verb).collect();
    assert_eq!(written, verbs());
}

#[test]
fn the_examples_of_the_book_are_traces_and_show_every_verb() {
    let page = include_str!("../../docs/src/trace-format.md");
    let examples = page.split("```toml\n").skip(1);
    let examples = examples.map(|rest| rest.split("```").next().unwrap_or_default());
    let mut shown = BTreeSet::new();
    for text in examples {
        let file = TraceFile::parse(text).unwrap_or_else(|why| panic!("{why}: {text}"));
        shown.extend(file.trace.steps.iter().map(verb));
    }
    assert_eq!(shown, verbs());
}

#[test]
fn the_newest_version_is_written() {
    let text = TraceFile::new("w", router_trace()).to_toml();
    assert!(text.starts_with(&format!("version = {TRACE_VERSION}\n")), "{text}");
}

/// The files in the kept directories, down to two levels.
fn kept() -> Vec<PathBuf> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let list = |dir: &Path| {
        let entries = dir.read_dir().unwrap_or_else(|why| panic!("{}: {why}", dir.display()));
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let mut kept = list(&testdata.join("regressions"));
    kept.extend(list(&testdata.join("known")).iter().flat_map(|router| list(router)));
    kept
}

#[test]
fn kept_traces_of_every_version_are_read() {
    let mut versions = BTreeSet::new();
    for path in kept() {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = TraceFile::parse(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert!(file.rule.is_some(), "{} names no rule", path.display());
        versions.insert(
            text.lines()
                .find_map(|line| line.strip_prefix("version = ").map(str::to_owned)),
        );
    }
    let oldest = Some(TRACE_VERSION_MIN.to_string());
    assert!(versions.contains(&oldest), "{versions:?}");
}

#[test]
fn the_first_version_means_what_it_meant() {
    let text = r#"
version = 1
why = "w"
initial = [{ id = "1", model_name = "a", model = "m", tag = "v1" }]

[[steps]]
delete = "1"
[[steps]]
lookup = { model = "a", team = "t1" }
"#;
    let steps = vec![
        Step::Change(Change::Delete("1".into())),
        Step::lookup(Query::new("a", Some("t1"))),
    ];
    let trace = Trace::of_router(vec![Row::new("1", "a", "m", "v1")], steps);
    assert_eq!(TraceFile::parse(text), Ok(TraceFile::new("w", trace)));
}

#[test]
fn time_passes_in_a_trace_of_either_level() {
    for head in ["", "level = \"fleet\"\nreplicas = 1\n"] {
        let text = format!("version = 2\nwhy = \"w\"\n{head}[[steps]]\nwait = 1\n");
        let file = TraceFile::parse(&text).unwrap();
        assert_eq!(file.trace.steps, [Step::World(World::Wait(1))]);
    }
}

#[test]
fn affected_versions() {
    let trace = Trace::of_router(vec![], vec![Step::Change(Change::Delete("d1".into()))]);
    let mut file = TraceFile::new("why", trace);
    assert_eq!(file.affects("1.85.0"), None);
    file.affected = Some(">=1.85.0, <1.101.0".into());
    assert_eq!(file.affects("1.85.0"), Some(true));
    assert_eq!(file.affects("1.101.0"), Some(false));
    assert_eq!(file.affects("main"), None);
}

/// Demands that each text is refused with its words.
fn refused(rows: &[(&str, String, &str)]) {
    for (name, text, expected) in rows {
        let error = TraceFile::parse(text).expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: `{error}` does not say `{expected}`");
    }
}

#[test]
fn refusals_say_where_and_what() {
    let head = "version = 1\nwhy = \"w\"\n";
    let step = "[[steps]]\ndelete = \"d1\"\n";
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    #[rustfmt::skip]
    refused(&[
        ("empty", String::new(), "there is no `version`"),
        ("no TOML", "version = = 1".into(), "line 1, column 11:"),
        ("truncated", format!("{head}[[steps]]\nupsert = {{ id = \"d1\", mod"), "line 4,"),
        ("a later version", "version = 3\nfuture = true\n".into(), "this is a trace of version 3, and this build reads versions 1 to 2"),
        ("an earlier version", "version = 0\npast = true\n".into(), "this is a trace of version 0"),
        ("a version of another type", "version = \"1\"\n".into(), "line 1, column 11: invalid type: string \"1\", expected u32"),
        ("no why", format!("version = 1\n{step}"), "missing field `why`"),
        ("empty why", format!("version = 1\nwhy = \" \"\n{step}"), "`why` is empty"),
        ("no steps", format!("{head}steps = []\n"), "there are no steps"),
        ("unknown field", format!("{head}wyh = 1\n{step}"), "line 3, column 1: unknown field `wyh`"),
        ("unknown field of a row", format!("{head}[[steps]]\nupsert = {{ id = \"d\", model_name = \"m\", model = \"m\", tag = \"v\", colour = 1 }}\n"), "line 4, column 64: unknown field `colour`"),
        ("a column is one of characters", format!("{head}[[steps]]\nupsert = {{ id = \"é\", model_name = \"m\", model = \"m\", tag = \"v\", colour = 1 }}\n"), "line 4, column 64: unknown field `colour`"),
        ("missing field of a row", format!("{head}[[steps]]\nupsert = {{ id = \"d\" }}\n"), "line 4, column 10: missing field `model_name`"),
        ("unknown field of a question", format!("{head}[[steps]]\nclaims = {{ team = \"t1\" }}\n"), "line 4, column 12: unknown field `team`"),
        ("unknown verb", format!("{head}[[steps]]\nupdate = \"d1\"\n"), "line 4, column 1: unknown variant `update`"),
        ("two verbs in one step", format!("{head}[[steps]]\ndelete = \"d1\"\npoll = 0\n"), "line 3, column 1: wanted exactly 1 element"),
        ("bad range", format!("{head}affected = \"1.85 to 2\"\n{step}"), "`affected` is no version range"),
        ("over-long text", format!("{head}[[steps]]\ndelete = \"{long}\"\n"), "`id` may have at most 4096 bytes, and this has 4097"),
        ("over-long router", format!("{head}router = \"{long}\"\n{step}"), "`router` may have at most 4096 bytes, and this has 4097"),
        ("over-long why", format!("version = 1\nwhy = \"{}\"\n{step}", long.repeat(5)), "`why` may have at most 16384 bytes, and this has 20485"),
        ("too many steps", format!("{head}{}", step.repeat(RUN_STEPS_MAX + 1)), "a run may have at most 10000 steps, and this has 10001"),
        ("over-long file", " ".repeat(TRACE_BYTES_MAX + 1), "and at most 4194304 are read"),
    ]);
}

#[test]
fn retired_verbs_are_refused_with_what_to_write_instead() {
    for version in [1, 2] {
        let head = format!("version = {version}\nwhy = \"w\"\n\n[[steps]]\ndelete = \"1\"\n\n[[steps]]\n");
        #[rustfmt::skip]
        refused(&[
            ("poll_read", format!("{head}poll_read = 0\n"), "line 8, column 1: `poll_read` is no step any more; write `begin = { op = \"p\", act = { poll = 0 }, until = \"after-read\" }`"),
            ("poll_apply", format!("{head}  poll_apply = 0\n"), "line 8, column 3: `poll_apply` is no step any more; write `finish = \"p\"`, where `p` is the `op` of the poll's `begin`"),
        ]);
    }
}

#[test]
fn steps_must_fit_the_level_of_their_trace() {
    let router = "version = 2\nwhy = \"w\"\n";
    let fleet = format!("{router}level = \"fleet\"\nreplicas = 2\n");
    let poll = "[[steps]]\npoll = 0\n";
    let row = "{ id = \"d\", model_name = \"m\", model = \"m\", tag = \"v\" }";
    let steps = |head: &str, step: &str| format!("{head}{poll}[[steps]]\n{step}\n");
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    let begin =
        |op: &str| format!("[[steps]]\nbegin = {{ op = \"{op}\", act = {{ poll = 0 }}, until = \"before-read\" }}\n");
    #[rustfmt::skip]
    refused(&[
        ("a fleet of version 1", format!("version = 1\nwhy = \"w\"\nlevel = \"fleet\"\nreplicas = 2\n{poll}"), "a fleet needs version 2 of this format; write `version = 2`"),
        ("a level that is none", format!("{router}level = \"cluster\"\n{poll}"), "line 3, column 9: unknown variant `cluster`, expected `router` or `fleet`"),
        ("a fleet without replicas", format!("{router}level = \"fleet\"\n{poll}"), "a fleet has at least one replica; write `replicas = 2`"),
        ("too many replicas", format!("{router}level = \"fleet\"\nreplicas = 17\n{poll}"), "a fleet may have at most 16 replicas, and this has 17"),
        ("replicas of a router", format!("{router}replicas = 2\n[[steps]]\ndelete = \"d\"\n"), "`replicas`, `config` and `order` are those of a fleet; write `level = \"fleet\"`"),
        ("the second source of a router", format!("{router}config = []\n[[steps]]\ndelete = \"d\"\n"), "`replicas`, `config` and `order` are those of a fleet"),
        ("the row order of a router", format!("{router}order = \"last_update\"\n[[steps]]\ndelete = \"d\"\n"), "`replicas`, `config` and `order` are those of a fleet"),
        ("an operation at a router", format!("{router}{poll}"), "step 1 is one of a fleet; write `level = \"fleet\"`, or take it out"),
        ("a begin at a router", format!("{router}{}", begin("p")), "step 1 is one of a fleet"),
        ("a finish at a router", format!("{router}[[steps]]\nfinish = \"p\"\n"), "step 1 is one of a fleet"),
        ("an event at a router", format!("{router}[[steps]]\ncrash = 0\n"), "step 1 is one of a fleet"),
        ("a replica of a router", format!("{router}[[steps]]\nlookup = {{ model = \"m\", replica = 0 }}\n"), "step 1 is one of a fleet"),
        ("the store of a router", format!("{router}[[steps]]\nstore = {{}}\n"), "step 1 is one of a fleet"),
        ("a change of a fleet", steps(&fleet, "delete = \"d\""), "step 2 is one of a router, and this is a fleet: changes are `write = { via = \"store\", write = { put = .. } }`"),
        ("a question to no replica", steps(&fleet, "lookup = { model = \"m\" }"), "step 2 is one of a router, and this is a fleet"),
        ("a replica's store", steps(&fleet, "store = { replica = 0 }"), "a question names its `replica`, but for `store`"),
        ("a poll past the last replica", steps(&fleet, "poll = 2"), "step 2 names replica 2, and there are 2, from 0"),
        ("a write past it", steps(&fleet, "write = { via = { replica = 2 }, write = { delete = \"d\" } }"), "step 2 names replica 2"),
        ("a request past it", steps(&fleet, "request = { replica = 2, model = \"m\" }"), "step 2 names replica 2"),
        ("a begin past it", steps(&fleet, "begin = { op = \"p\", act = { poll = 3 }, until = \"after-read\" }"), "step 2 names replica 3"),
        ("a crash past it", steps(&fleet, "crash = 2"), "step 2 names replica 2"),
        ("a question past it", steps(&fleet, "sizes = { replica = 2 }"), "step 2 names replica 2"),
        ("the zeroth read", steps(&fleet, "begin = { op = \"p\", act = { poll = 0 }, until = \"after-read\", nth = 0 }"), "`nth` counts from 1"),
        ("the name of a step", steps(&fleet, "begin = { op = \"#2\", act = { poll = 0 }, until = \"after-read\" }"), "`op` `#2` begins as the names of steps do; drop the `#`"),
        ("a place that is none", steps(&fleet, "begin = { op = \"p\", act = { poll = 0 }, until = \"after_read\" }"), "line 8, column 49: unknown variant `after_read`"),
        ("too many operations begun", format!("{fleet}{}", begin("p").repeat(RUN_BEGUN_MAX + 1)), "a run may have at most 256 operations begun, and this has 257"),
        ("an over-long operation", format!("{fleet}{}", begin(&long)), "`op` may have at most 4096 bytes, and this has 4097"),
        ("an over-long end", steps(&fleet, &format!("finish = \"{long}\"")), "`op` may have at most 4096 bytes"),
        ("an over-long deletion", steps(&fleet, &format!("write = {{ via = \"store\", write = {{ delete = \"{long}\" }} }}")), "`id` may have at most 4096 bytes"),
        ("an over-long patch", steps(&fleet, &format!("write = {{ via = \"store\", write = {{ patch = {{ id = \"d\", fields = {{ tag = \"{long}\" }} }} }} }}")), "`tag` may have at most 4096 bytes"),
        ("an over-long request", steps(&fleet, &format!("request = {{ replica = 0, model = \"{long}\" }}")), "`model` may have at most 4096 bytes"),
        ("an over-long team", steps(&fleet, &format!("listing = {{ replica = 0, team = \"{long}\" }}")), "`team` may have at most 4096 bytes"),
        ("an over-long row of the config", steps(&fleet, &format!("config = {{ rows = [{}] }}", row.replace("\"v\"", &format!("\"{long}\"")))), "`tag` may have at most 4096 bytes"),
        ("an over-long row of the set-up", format!("{fleet}config = [{}]\n{poll}", row.replace("\"d\"", &format!("\"{long}\""))), "`id` may have at most 4096 bytes"),
    ]);
}

#[test]
fn a_file_may_be_as_long_as_its_limit() {
    let text = "version = 1\nwhy = \"w\"\n[[steps]]\ndelete = \"d1\"\n";
    let padded = format!("{text}#{}", " ".repeat(TRACE_BYTES_MAX - text.len() - 1));
    assert_eq!(padded.len(), TRACE_BYTES_MAX);
    assert_eq!(TraceFile::parse(&padded), TraceFile::parse(text));
}

#[test]
fn itf_holds_one_state_a_step_and_the_table_of_each() {
    let itf = TraceFile::new("w", Trace::of_router(vec![], router_steps())).to_itf();
    let states = itf["states"].as_array().unwrap();
    assert_eq!(states.len(), router_steps().len() + 1);
    let numbered: Vec<u64> = states
        .iter()
        .filter_map(|state| state["#meta"]["index"].as_u64())
        .collect();
    assert_eq!(numbered, (0..=router_steps().len() as u64).collect::<Vec<_>>());
    assert_eq!(states[0]["table"]["#map"].as_array().unwrap().len(), 0);
    assert_eq!(states[4]["table"]["#map"].as_array().unwrap().len(), 2);
    assert_eq!(states[1]["step"]["upsert"]["weight"]["#bigint"], "3");
    assert_eq!(states[7]["table"]["#map"][1][0], "d\"1\"");
}

#[test]
fn itf_holds_the_store_of_a_fleet() {
    let itf = TraceFile::new("w", fleet_trace()).to_itf();
    let states = itf["states"].as_array().unwrap();
    let ids = |state: usize| -> Vec<&str> {
        let rows = states[state]["table"]["#map"].as_array().unwrap();
        rows.iter().map(|row| row[0].as_str().unwrap()).collect()
    };
    assert_eq!(ids(0), ["1"], "the rows of the set-up, without the second source");
    assert_eq!(ids(2), ["1", "d\"1\""]);
    assert_eq!(states[3]["table"]["#map"][0][1]["tag"], "v3", "a patch");
    assert_eq!(ids(5), ["d\"1\""], "a deletion");
    assert_eq!(states[11]["step"]["begin"]["act"]["poll"]["#bigint"], "0");
    assert_eq!(
        states[13]["table"]["#map"][0][1]["model_name"], "a*c",
        "a write that was begun"
    );
}
