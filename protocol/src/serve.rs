//! Any router over JSON Lines: the adapter's side of the wire.

use std::io::{self, BufRead, Read, Write};

use crate::router::{FaultKind, RouterUnderTest};
use crate::run::Run;
use crate::wire::{
    Call, ErrorCode, ErrorReply, LINE_BYTES_MAX, PROTOCOL_VERSION, Reply, Request, Response, check_runs,
};

/// Answers every line of `input` on `output` until the input ends.
///
/// A line that is not a request, or over a limit, is answered by an [`ErrorReply`] under the id that could be read from
/// it, or 0; the conversation goes on.
///
/// # Errors
///
/// Only those of reading and writing.
pub fn serve(router: &mut dyn RouterUnderTest, mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        let response = match read_line(&mut input, &mut line)? {
            Line::End => return Ok(()),
            Line::Text => respond(router, &line),
            Line::TooLong => {
                let message = format!("the line is longer than {LINE_BYTES_MAX} bytes; send fewer runs at a time");
                error(0, ErrorCode::TooLarge, message)
            }
        };
        serde_json::to_writer(&mut output, &response)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
}

/// The result of [`read_line`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line, now in the buffer, without its newline.
    Text,
    /// A line over [`LINE_BYTES_MAX`]; it was skipped to its end, and the buffer holds its beginning.
    TooLong,
    /// The input has ended.
    End,
}

/// Reads one line of at most [`LINE_BYTES_MAX`] bytes into `line`, whose former content is dropped. Memory stays within
/// that bound whatever the other side sends.
///
/// # Errors
///
/// Those of reading.
pub fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let read = input.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Text);
    }
    if read < LINE_BYTES_MAX {
        return Ok(Line::Text);
    }
    loop {
        let (skipped, ended) = match input.fill_buf()? {
            [] => (0, true),
            buffer => buffer
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or((buffer.len(), false), |at| (at + 1, true)),
        };
        input.consume(skipped);
        if ended {
            return Ok(Line::TooLong);
        }
    }
}

fn respond(router: &mut dyn RouterUnderTest, line: &[u8]) -> Response {
    let request: Request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(why) => {
            let message = format!("not a request of protocol {PROTOCOL_VERSION}: {why}");
            return error(id_of(line), ErrorCode::BadRequest, message);
        }
    };
    match request.call {
        Call::Hello(hello) if hello.protocol != PROTOCOL_VERSION => {
            let message = format!(
                "protocol {} is asked for, and this adapter speaks {PROTOCOL_VERSION}; update the older side",
                hello.protocol
            );
            error(request.id, ErrorCode::Unsupported, message)
        }
        Call::Hello(_) => Response {
            id: request.id,
            reply: Reply::Hello(Box::new(router.hello().clone())),
        },
        Call::Runs(runs) => carry_out(router, request.id, &runs),
    }
}

fn carry_out(router: &mut dyn RouterUnderTest, id: u64, runs: &[Run]) -> Response {
    if let Err(message) = check_runs(runs) {
        return error(id, ErrorCode::TooLarge, message);
    }
    match router.run(runs) {
        Ok(replies) => Response {
            id,
            reply: Reply::Runs(replies),
        },
        Err(fault) if fault.kind == FaultKind::Refused => error(id, ErrorCode::Unsupported, fault.message),
        Err(fault) => error(id, ErrorCode::Internal, fault.to_string()),
    }
}

fn error(id: u64, code: ErrorCode, message: String) -> Response {
    Response {
        id,
        reply: Reply::Error(ErrorReply { code, message }),
    }
}

/// The id of a line that is JSON and no request, so that the caller can tell what the error answers.
fn id_of(line: &[u8]) -> u64 {
    serde_json::from_slice::<serde_json::Value>(line)
        .ok()
        .and_then(|value| value.get("id")?.as_u64())
        .unwrap_or(0)
}
