//! The adapter's side of the wire: every request has its reply, every bad line its error, and the conversation goes on.

use std::io::{BufReader, Cursor};

use protocol::wire::{
    BATCH_RUNS_MAX, Call, ErrorCode, LINE_BYTES_MAX, LIST_ROWS_MAX, PROTOCOL_VERSION, REPLICAS_MAX, RUN_BEGUN_MAX,
    RUN_QUESTIONS_MAX, RUN_STEPS_MAX, Reply, Request, Response, TEXT_BYTES_MAX, check_runs,
};
use protocol::{
    AdapterFault, Answer, Begin, Candidate, Capability, Change, Changed, Dialect, FaultKind, Hello, InProcess, Line,
    Local, Op, Outcome, Place, Query, Question, Questions, Refusal, Round, RouterUnderTest, Row, Run, RunReply, Shown,
    Step, StepReply, Trace, read_line, serve,
};

/// Holds rows in a list and answers by exact name.
#[derive(Default)]
struct Plain(Vec<Row>);

impl Local for Plain {
    fn describe(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: "plain".into(),
            version: "0.1.0".into(),
            capabilities: vec![Capability::Upsert, Capability::Claims],
            dialect: Dialect::default(),
        }
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        self.0 = initial.to_vec();
        self.applied()
    }

    fn change(&mut self, change: &Change) -> Changed {
        self.0.extend_from_slice(change.rows());
        self.applied()
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        let named: Vec<Candidate> = self
            .0
            .iter()
            .filter(|row| row.model_name == query.model)
            .map(candidate)
            .collect();
        vec![match named.as_slice() {
            [] => Answer::Refused(Refusal::UnknownModel),
            _ => Answer::Candidates(named),
        }]
    }
}

fn candidate(row: &Row) -> Candidate {
    Candidate {
        id: row.id.clone(),
        model: row.model.clone(),
        tag: row.tag.clone(),
    }
}

impl Plain {
    fn applied(&self) -> Changed {
        Changed {
            outcome: Outcome::Applied,
            held: Some(self.0.iter().map(|row| row.id.clone()).collect()),
        }
    }
}

fn converse(input: &str) -> Vec<Response> {
    converse_with(&mut InProcess::new(Plain::default()), input)
}

fn converse_with(router: &mut dyn RouterUnderTest, input: &str) -> Vec<Response> {
    let mut output = Vec::new();
    serve(router, BufReader::new(input.as_bytes()), &mut output).unwrap();
    let text = String::from_utf8(output).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn upsert(row: Row) -> Step {
    Step::Change(Change::Upsert(row))
}

fn run_of(steps: Vec<Step>, questions: Questions) -> Run {
    let trace = Trace::of_router(Vec::new(), steps);
    Run { trace, questions }
}

#[test]
fn each_run_starts_from_a_fresh_router() {
    let run = r#"{"trace":{"steps":[{"upsert":{"id":"d1","model_name":"m","model":"up/m","tag":"v1"}}]},"questions":{"asked":[{"lookup":{"model":"m"}}],"rounds":[{"after":0},{"after":1}]}}"#;
    let replies = converse(&format!("{{\"id\":7,\"call\":{{\"runs\":[{run},{run}]}}}}\n"));
    let [
        Response {
            id: 7,
            reply: Reply::Runs(runs),
        },
    ] = replies.as_slice()
    else {
        panic!("{replies:?}");
    };
    assert_eq!(runs.len(), 2);
    let found = |tag: &str| {
        let row = Row::new("d1", "m", "up/m", tag);
        Shown::Answers(vec![Answer::Candidates(vec![candidate(&row)])])
    };
    let unknown = Shown::Answers(vec![Answer::Refused(Refusal::UnknownModel)]);
    for run in runs {
        assert_eq!(run.rounds[0][0].shown, std::slice::from_ref(&unknown));
        assert_eq!(run.rounds[1][0].shown, [found("v1")]);
    }
}

#[test]
fn a_round_asks_in_its_own_order_and_as_often_as_it_says() {
    let asked = vec![Question::Claims, Question::Lookup(Query::new("m", None))];
    let round = |after, order: Option<&[u16]>| Round {
        after,
        order: order.map(<[u16]>::to_vec),
        wait: 0,
    };
    let rounds = vec![round(0, Some(&[1, 0, 1])), round(1, Some(&[])), round(2, None)];
    let questions = Questions { asked, rounds };
    let rows = ["d1", "d2"].map(|id| upsert(Row::new(id, "other", "up/m", "v1")));
    let run = run_of(rows.to_vec(), questions);
    let replies = InProcess::new(Claiming::default()).run(&[run]).unwrap();
    let shown: Vec<&[Shown]> = replies[0]
        .rounds
        .iter()
        .map(|round| round[0].shown.as_slice())
        .collect();
    let unknown = || Shown::Answers(vec![Answer::Refused(Refusal::UnknownModel)]);
    let ids = |ids: &[&str]| Shown::Ids(ids.iter().map(ToString::to_string).collect());
    assert_eq!(shown[0], [unknown(), ids(&[]), unknown()]);
    assert_eq!(shown[1], []);
    assert_eq!(shown[2], [ids(&["d1", "d2"]), unknown()]);
}

#[test]
fn a_question_among_the_steps_is_answered_in_its_place() {
    let steps = vec![
        Step::Ask(None, Question::Claims),
        upsert(Row::new("d1", "m", "up/m", "v1")),
        Step::Ask(None, Question::Claims),
    ];
    let run = run_of(steps, Questions::default());
    let reply = InProcess::new(Claiming::default()).run(&[run]).unwrap().remove(0);
    let held = vec!["d1".to_owned()];
    let changed = Changed {
        outcome: Outcome::Applied,
        held: Some(held.clone()),
    };
    assert_eq!(
        reply.steps,
        [
            StepReply::Shown(Shown::Ids(Vec::new())),
            StepReply::Changed(changed),
            StepReply::Shown(Shown::Ids(held)),
        ]
    );
    assert!(reply.rounds.is_empty());
}

/// [`Plain`], which answers the question for its claims too.
#[derive(Default)]
struct Claiming(Plain);

impl Local for Claiming {
    fn describe(&self) -> Hello {
        Plain::default().describe()
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        self.0.reset(initial)
    }

    fn change(&mut self, change: &Change) -> Changed {
        self.0.change(change)
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        self.0.lookup(query)
    }

    fn claims(&self) -> Vec<String> {
        self.0.0.iter().map(|row| row.id.clone()).collect()
    }
}

#[test]
fn what_a_router_leaves_to_the_trait_shows_nothing() {
    let asked = vec![
        Question::Listing(None),
        Question::Listing(Some("t1".into())),
        Question::Claims,
        Question::Sizes,
    ];
    let run = run_of(Vec::new(), Questions::at_end(asked, 0));
    let reply = InProcess::new(Plain::default()).run(&[run]).unwrap().remove(0);
    let names = Shown::Names(Vec::new());
    let nothing = [names.clone(), names, Shown::Ids(Vec::new()), Shown::Sizes([].into())];
    assert_eq!(reply.rounds[0][0].shown, nothing);
}

/// The reply to a run of a fleet, with each kind of word on an operation.
const FLEET_REPLY: &str = r##"{"setup":{"outcome":"applied"},"steps":[{"moved":[{"op":"#1","now":"done"}]},{"moved":[{"op":"#2","now":{"changed":{"outcome":"unchanged"}}},{"op":"a","now":{"held":{"place":"after-read"}}},{"op":"b","now":{"held":{"place":"before-write","nth":2}}},{"op":"c","now":{"waiting":"a"}},{"op":"d","now":{"waiting":null}}]},{"moved":[{"op":"a","now":{"answered":[{"refused":"blocked"}]}},{"op":"b","now":{"failed":"timeout"}},{"op":"c","now":"lost"}]},{"shown":{"rows":[{"id":"d1","model_name":"m","model":"m","tag":"v1"}]}}],"rounds":[[{"replica":0,"shown":[{"answers":[]},{"names":["m"]},{"ids":["d1"]},{"sizes":{"list":1}}]},{"replica":1,"shown":[]}],[]],"router_ns":7}"##;

#[test]
fn the_reply_of_a_fleet_is_read_and_written() {
    let reply: RunReply = serde_json::from_str(FLEET_REPLY).unwrap();
    assert_eq!(serde_json::to_string(&reply).unwrap(), FLEET_REPLY);
}

/// Fails whatever it is asked to run.
struct Failing(Hello, FaultKind);

impl RouterUnderTest for Failing {
    fn hello(&self) -> &Hello {
        &self.0
    }

    fn run(&mut self, _: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let fault = AdapterFault::new(self.1, "no");
        Err(AdapterFault {
            last_lines: vec!["last".into()],
            ..fault
        })
    }
}

#[test]
fn a_refusal_is_told_from_a_failure() {
    let request = Request {
        id: 3,
        call: Call::Runs(vec![Run::default()]),
    };
    let line = format!("{}\n", serde_json::to_string(&request).unwrap());
    for (kind, code, message) in [
        (FaultKind::Refused, ErrorCode::Unsupported, "no"),
        (FaultKind::Exited, ErrorCode::Internal, "no\n  | last"),
    ] {
        let replies = converse_with(&mut Failing(Plain::default().describe(), kind), &line);
        let Reply::Error(error) = &replies[0].reply else {
            panic!("{replies:?}");
        };
        assert_eq!((error.code, error.message.as_str()), (code, message));
    }
}

fn of_trace(trace: Trace) -> Run {
    Run {
        trace,
        ..Run::default()
    }
}

/// Builds a run in which something is so large.
type OfSize<'a> = &'a dyn Fn(usize) -> Run;

#[test]
fn a_run_may_be_as_large_as_a_limit_and_no_larger() {
    let text = |bytes: usize| "x".repeat(bytes);
    let row = |id: String| Row::new(&id, "m", "m", "v");
    let steps = |steps| run_of(steps, Questions::default());
    let asked = |asked: Vec<Question>| {
        run_of(
            Vec::new(),
            Questions {
                asked,
                rounds: Vec::new(),
            },
        )
    };
    let initial = |rows| of_trace(Trace::of_router(rows, Vec::new()));
    let fleet = |replicas, steps| of_trace(Trace::of_fleet(replicas, steps));
    let config = |rows| {
        let mut trace = Trace::of_fleet(1, Vec::new());
        trace.setup.config = Some(rows);
        of_trace(trace)
    };
    let order = |order| {
        let asked = vec![Question::Claims];
        run_of(
            Vec::new(),
            Questions {
                asked,
                rounds: vec![Round {
                    after: 0,
                    order: Some(order),
                    wait: 0,
                }],
            },
        )
    };
    #[rustfmt::skip]
    let rows: [(OfSize<'_>, usize, &str); 16] = [
        (&|n| steps(vec![Step::Change(Change::Delete("d".into())); n]), RUN_STEPS_MAX, "a run may have at most 10000 steps"),
        (&|n| asked(vec![Question::Lookup(Query::new("m", None)); n]), RUN_QUESTIONS_MAX, "a run may have at most 4096 questions"),
        (&|n| order(vec![0; n]), RUN_QUESTIONS_MAX, "a round may have at most 4096 questions"),
        (&|n| fleet(u8::try_from(n).unwrap(), Vec::new()), REPLICAS_MAX.into(), "a fleet may have at most 16 replicas"),
        (&|n| fleet(1, vec![Step::Begin(Begin::new("p", Op::Poll(0), Place::AfterRead)); n]), RUN_BEGUN_MAX, "a run may have at most 256 operations begun"),
        (&|n| initial(vec![row("d".into()); n]), LIST_ROWS_MAX, "a list may have at most 10000 rows"),
        (&|n| config(vec![row("d".into()); n]), LIST_ROWS_MAX, "a list may have at most 10000 rows"),
        (&|n| steps(vec![Step::Change(Change::Replace(vec![row("d".into()); n]))]), LIST_ROWS_MAX, "a list may have at most 10000 rows"),
        (&|n| initial(vec![row(text(n))]), TEXT_BYTES_MAX, "`id` may have at most 4096 bytes"),
        (&|n| steps(vec![Step::Change(Change::Delete(text(n)))]), TEXT_BYTES_MAX, "`id` may have at most 4096 bytes"),
        (&|n| steps(vec![upsert(Row { team: Some(text(n)), ..row("d".into()) })]), TEXT_BYTES_MAX, "`team` may have at most 4096 bytes"),
        (&|n| steps(vec![upsert(Row { team_model_name: Some(text(n)), ..row("d".into()) })]), TEXT_BYTES_MAX, "`team_model_name` may have at most 4096 bytes"),
        (&|n| steps(vec![upsert(Row { extra: Some(text(n)), ..row("d".into()) })]), TEXT_BYTES_MAX, "`extra` may have at most 4096 bytes"),
        (&|n| asked(vec![Question::Lookup(Query::new(&text(n), None))]), TEXT_BYTES_MAX, "`model` may have at most 4096 bytes"),
        (&|n| steps(vec![Step::lookup(Query::new("m", Some(&text(n))))]), TEXT_BYTES_MAX, "`team` may have at most 4096 bytes"),
        (&|n| asked(vec![Question::Listing(Some(text(n)))]), TEXT_BYTES_MAX, "`team` may have at most 4096 bytes"),
    ];
    for (build, max, what) in rows {
        assert_eq!(check_runs(&[build(max)]), Ok(()), "{what}");
        let error = check_runs(&[build(max + 1)]).expect_err(what);
        assert_eq!(error, format!("{what}, and this has {}", max + 1));
    }
    assert_eq!(check_runs(&vec![Run::default(); BATCH_RUNS_MAX]), Ok(()));
}

#[test]
fn bad_lines_are_answered_and_the_conversation_goes_on() {
    let hello = "{\"id\":9,\"call\":{\"hello\":{\"protocol\":2}}}\n";
    let line = |run: &str| format!("{{\"id\":5,\"call\":{{\"runs\":[{run}]}}}}\n");
    let asked = |asked: &str, rounds: &str| {
        line(&format!(
            r#"{{"trace":{{"steps":[]}},"questions":{{"asked":[{asked}],"rounds":[{rounds}]}}}}"#
        ))
    };
    let fleet = |steps: &str| {
        line(&format!(
            r#"{{"trace":{{"level":"fleet","setup":{{"replicas":2}},"steps":[{steps}]}}}}"#
        ))
    };
    let many = vec![r#"{"trace":{"steps":[]}}"#; BATCH_RUNS_MAX + 1].join(",");
    #[rustfmt::skip]
    let rows: &[(&str, String, u64, ErrorCode, &str)] = &[
        ("not JSON", "hello?\n".into(), 0, ErrorCode::BadRequest, "not a request of protocol 2"),
        ("an empty line", "\n".into(), 0, ErrorCode::BadRequest, "not a request"),
        ("not UTF-8", "\u{0}\n".into(), 0, ErrorCode::BadRequest, "not a request"),
        ("no id", "{\"call\":{\"runs\":[]}}\n".into(), 0, ErrorCode::BadRequest, "missing field `id`"),
        ("unknown field, id kept", "{\"id\":5,\"call\":{\"runs\":[]},\"x\":1}\n".into(), 5, ErrorCode::BadRequest, "unknown field `x`"),
        ("unknown call", "{\"id\":5,\"call\":{\"stop\":1}}\n".into(), 5, ErrorCode::BadRequest, "unknown variant `stop`"),
        ("another protocol", "{\"id\":5,\"call\":{\"hello\":{\"protocol\":1}}}\n".into(), 5, ErrorCode::Unsupported, "protocol 1 is asked for, and this adapter speaks 2"),
        ("a run of protocol 1", line(r#"{"steps":[],"observe":[],"queries":[]}"#), 5, ErrorCode::BadRequest, "unknown field `steps`"),
        ("a fleet", fleet(r#"{"poll":0}"#), 5, ErrorCode::Unsupported, "`plain` is one router and no fleet"),
        ("a fleet's step at a router", line(r#"{"trace":{"steps":[{"poll":0}]}}"#), 5, ErrorCode::TooLarge, "step 1 is one of a fleet"),
        ("a router's step in a fleet", fleet(r#"{"delete":"d"}"#), 5, ErrorCode::TooLarge, "step 1 is one of a router"),
        ("no such replica", fleet(r#"{"poll":2}"#), 5, ErrorCode::TooLarge, "step 1 names replica 2, and there are 2, from 0"),
        ("the store of a router", asked(r#""store""#, ""), 5, ErrorCode::TooLarge, "`store` is asked of a fleet"),
        ("a round past the end", asked("", r#"{"after":1}"#), 5, ErrorCode::TooLarge, "a round comes after step 1 of a run with 0 steps"),
        ("a round twice", asked("", r#"{"after":0},{"after":0}"#), 5, ErrorCode::TooLarge, "`rounds` must ascend, and 0 does not"),
        ("a question that is not there", asked(r#""claims""#, r#"{"after":0,"order":[0,1]}"#), 5, ErrorCode::TooLarge, "a round asks question 1 of 1, and they count from 0"),
        ("too many runs", line(&many), 5, ErrorCode::TooLarge, "a message may have at most 256 runs, and this has 257"),
        ("an over-long line", format!("{}\n", "x".repeat(LINE_BYTES_MAX)), 0, ErrorCode::TooLarge, "longer than 16777216 bytes"),
    ];
    for (name, line, id, code, expected) in rows {
        let replies = converse(&format!("{line}{hello}"));
        assert_eq!(replies.len(), 2, "{name}: {replies:?}");
        let Reply::Error(error) = &replies[0].reply else {
            panic!("{name}: {replies:?}");
        };
        assert_eq!((replies[0].id, error.code), (*id, *code), "{name}: {}", error.message);
        assert!(
            error.message.contains(expected),
            "{name}: `{}` does not say `{expected}`",
            error.message
        );
        assert!(
            matches!(
                replies[1],
                Response {
                    id: 9,
                    reply: Reply::Hello(_)
                }
            ),
            "{name}"
        );
    }
}

#[test]
fn rounds_must_ascend() {
    let steps = vec![Step::Change(Change::Delete("d".into())); 2];
    let check = |after: &[u32]| check_runs(&[run_of(steps.clone(), Questions::at(Vec::new(), after.iter().copied()))]);
    assert_eq!(check(&[0, 1, 2]), Ok(()));
    let descends = "`rounds` must ascend, and 1 does not; sort them and drop doubles";
    assert_eq!(check(&[0, 2, 1]), Err(descends.to_owned()));
}

#[test]
fn a_line_is_read_within_its_bound() {
    let mut text = b"one\n\ntwo".to_vec();
    text.extend(vec![b'\n']);
    text.extend(vec![b'x'; LINE_BYTES_MAX + 5]);
    text.extend(b"\nlast");
    let mut input = BufReader::with_capacity(64, Cursor::new(text));
    let mut line = Vec::new();
    let mut next = || (read_line(&mut input, &mut line).unwrap(), line.clone());
    assert_eq!(next(), (Line::Text, b"one".to_vec()));
    assert_eq!(next(), (Line::Text, Vec::new()));
    assert_eq!(next(), (Line::Text, b"two".to_vec()));
    let (kind, kept) = next();
    assert_eq!((kind, kept.len()), (Line::TooLong, LINE_BYTES_MAX));
    assert_eq!(next(), (Line::Text, b"last".to_vec()));
    assert_eq!(next(), (Line::End, Vec::new()));
}
