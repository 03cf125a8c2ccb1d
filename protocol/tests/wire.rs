//! The adapter's side of the wire: every request has its reply, every bad line its error, and the conversation goes on.

use std::io::{BufReader, Cursor};

use protocol::serve::{Line, read_line};
use protocol::wire::{Dialect, ErrorCode, LINE_BYTES_MAX, PROTOCOL_VERSION, Reply, Response};
use protocol::{
    Answer, Candidate, Capability, Change, Changed, Hello, InProcess, Local, Outcome, Query, Refusal, Row, serve,
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
    let mut output = Vec::new();
    serve(
        &mut InProcess::new(Plain::default()),
        BufReader::new(input.as_bytes()),
        &mut output,
    )
    .unwrap();
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
