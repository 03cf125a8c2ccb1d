//! The adapter's side of the wire: every request has its reply, every bad line its error, and the conversation goes on.

use std::io::{BufReader, Cursor};

use protocol::router::FaultKind;
use protocol::serve::{Line, read_line};
use protocol::wire::{Call, Dialect, ErrorCode, LINE_BYTES_MAX, PROTOCOL_VERSION, Reply, Request, Response};
use protocol::wire::{LIST_ROWS_MAX, REPLICAS_MAX, RUN_QUERIES_MAX, RUN_STEPS_MAX, TEXT_BYTES_MAX, check_runs};
use protocol::{
    AdapterFault, Answer, Candidate, Capability, Change, Changed, Hello, InProcess, Local, Observation, Outcome, Query,
    Refusal, RouterUnderTest, Row, Run, RunReply, Step, serve,
};

/// Holds rows in a list and answers by exact name.
#[derive(Default)]
struct Plain(Vec<Row>);

impl Local for Plain {
    fn describe() -> Hello {
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

#[test]
fn each_run_starts_from_a_fresh_router() {
    let run = r#"{"steps":[{"upsert":{"id":"d1","model_name":"m","model":"up/m","tag":"v1"}}],"observe":[0,1],"queries":[{"model":"m"}]}"#;
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
    for run in runs {
        assert_eq!(run.observations[0].answers, [[Answer::Refused(Refusal::UnknownModel)]]);
        assert_eq!(run.observations[1].answers[0][0].candidates()[0].tag, "v1");
    }
}

/// [`Plain`], and it says that it lists names, which it leaves to the trait.
#[derive(Default)]
struct Listing(Plain);

impl Local for Listing {
    fn describe() -> Hello {
        Hello {
            capabilities: vec![Capability::Upsert, Capability::Listing],
            ..Plain::describe()
        }
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
}

#[test]
fn only_a_router_that_lists_names_is_asked_to() {
    let run = Run {
        observe: vec![0],
        viewers: vec![None, Some("t1".into())],
        ..Run::default()
    };
    let seen =
        |router: &mut dyn RouterUnderTest| router.run(std::slice::from_ref(&run)).unwrap().remove(0).observations;
    assert_eq!(seen(&mut InProcess::new(Plain::default())), [Observation::default()]);
    let listed = Observation {
        listings: vec![Vec::new(); 2],
        ..Observation::default()
    };
    assert_eq!(seen(&mut InProcess::new(Listing::default())), [listed]);
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
        let replies = converse_with(&mut Failing(Plain::describe(), kind), &line);
        let Reply::Error(error) = &replies[0].reply else {
            panic!("{replies:?}");
        };
        assert_eq!((error.code, error.message.as_str()), (code, message));
    }
}

/// Builds a run in which something is so large.
type OfSize<'a> = &'a dyn Fn(usize) -> Run;

#[test]
fn a_run_may_be_as_large_as_a_limit_and_no_larger() {
    let text = |bytes: usize| "x".repeat(bytes);
    let row = |id: String| Row::new(&id, "m", "m", "v");
    let upsert = |row: Row| vec![Step::Change(Change::Upsert(row))];
    #[rustfmt::skip]
    let rows: [(OfSize<'_>, usize, &str); 11] = [
        (&|n| Run { steps: vec![Step::Change(Change::Delete("d".into())); n], ..Run::default() }, RUN_STEPS_MAX, "a run may have at most 10000 steps"),
        (&|n| Run { queries: vec![Query::new("m", None); n], ..Run::default() }, RUN_QUERIES_MAX, "a run may have at most 4096 queries"),
        (&|n| Run { viewers: vec![None; n], ..Run::default() }, RUN_QUERIES_MAX, "a run may have at most 4096 viewers"),
        (&|n| Run { replicas: u8::try_from(n).unwrap(), ..Run::default() }, REPLICAS_MAX.into(), "a run may have at most 16 replicas"),
        (&|n| Run { initial: vec![row("d".into()); n], ..Run::default() }, LIST_ROWS_MAX, "a list may have at most 10000 rows"),
        (&|n| Run { initial: vec![row(text(n))], ..Run::default() }, TEXT_BYTES_MAX, "`id` may have at most 4096 bytes"),
        (&|n| Run { steps: upsert(Row { team: Some(text(n)), ..row("d".into()) }), ..Run::default() }, TEXT_BYTES_MAX, "`team` may have at most 4096 bytes"),
        (&|n| Run { steps: upsert(Row { extra: Some(text(n)), ..row("d".into()) }), ..Run::default() }, TEXT_BYTES_MAX, "`extra` may have at most 4096 bytes"),
        (&|n| Run { queries: vec![Query::new(&text(n), None)], ..Run::default() }, TEXT_BYTES_MAX, "`model` may have at most 4096 bytes"),
        (&|n| Run { steps: vec![Step::Lookup(Query::new("m", Some(&text(n))))], ..Run::default() }, TEXT_BYTES_MAX, "`team` may have at most 4096 bytes"),
        (&|n| Run { viewers: vec![Some(text(n))], ..Run::default() }, TEXT_BYTES_MAX, "`team` may have at most 4096 bytes"),
    ];
    for (build, max, what) in rows {
        assert_eq!(check_runs(&[build(max)]), Ok(()), "{what}");
        let error = check_runs(&[build(max + 1)]).expect_err(what);
        assert_eq!(error, format!("{what}, and this has {}", max + 1));
    }
}

#[test]
fn bad_lines_are_answered_and_the_conversation_goes_on() {
    let hello = "{\"id\":9,\"call\":{\"hello\":{\"protocol\":1}}}\n";
    let run = |inside: &str| format!("{{\"id\":5,\"call\":{{\"runs\":[{{{inside}}}]}}}}\n");
    #[rustfmt::skip]
    let rows: &[(&str, String, u64, ErrorCode, &str)] = &[
        ("not JSON", "hello?\n".into(), 0, ErrorCode::BadRequest, "not a request of protocol 1"),
        ("an empty line", "\n".into(), 0, ErrorCode::BadRequest, "not a request"),
        ("not UTF-8", "\u{0}\n".into(), 0, ErrorCode::BadRequest, "not a request"),
        ("no id", "{\"call\":{\"runs\":[]}}\n".into(), 0, ErrorCode::BadRequest, "missing field `id`"),
        ("unknown field, id kept", "{\"id\":5,\"call\":{\"runs\":[]},\"x\":1}\n".into(), 5, ErrorCode::BadRequest, "unknown field `x`"),
        ("unknown call", "{\"id\":5,\"call\":{\"stop\":1}}\n".into(), 5, ErrorCode::BadRequest, "unknown variant `stop`"),
        ("another protocol", "{\"id\":5,\"call\":{\"hello\":{\"protocol\":2}}}\n".into(), 5, ErrorCode::Unsupported, "protocol 2 is asked for, and this adapter speaks 1"),
        ("a fleet step", run(r#""steps":[{"poll":0}],"observe":[],"queries":[]"#), 5, ErrorCode::Unsupported, "no fleet"),
        ("observe past the end", run(r#""steps":[],"observe":[1],"queries":[]"#), 5, ErrorCode::TooLarge, "`observe` names step 1 of a run with 0 steps"),
        ("observe not ascending", run(r#""steps":[],"observe":[0,0],"queries":[]"#), 5, ErrorCode::TooLarge, "`observe` must ascend"),
        ("too many runs", format!("{{\"id\":5,\"call\":{{\"runs\":[{}]}}}}\n", vec![r#"{"steps":[],"observe":[],"queries":[]}"#; 257].join(",")), 5, ErrorCode::TooLarge, "a message may have at most 256 runs, and this has 257"),
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
