//! Hostile bytes into every parser of the protocol, and values through every printer and back.
//!
//! No input breaks a parser, and what one has read it reads again as the same value from its own print.

use std::fmt::Debug;

use adapter_reference::Reference;
use arbitrary::{Arbitrary, Unstructured};
use protocol::wire::{Call, HelloCall, PROTOCOL_VERSION, Reply, Request, Response};
use protocol::{InProcess, Line, RouterUnderTest as _, TraceFile, read_line, serve};

use crate::failure::{TargetFailure, caught};
use crate::values::Value;
use crate::{Body, Ran, Work};

/// A target that keeps nothing from one input to the next.
struct Plain(fn(&[u8]) -> Result<Option<u64>, String>);

impl Body for Plain {
    fn run(&mut self, data: &[u8]) -> Ran {
        let done = caught(|| (self.0)(data)).map_err(TargetFailure::of_bytes)?;
        Ok(done.map(|steps| Work { steps, lookups: 0 }))
    }
}

/// The target `trace_file`.
pub(crate) fn trace_file() -> Box<dyn Body> {
    Box::new(Plain(|data| {
        let Ok(text) = std::str::from_utf8(data) else {
            return Ok(None);
        };
        match TraceFile::parse(text) {
            Ok(file) => file_again(&file).map(|()| Some(1)),
            Err(why) if why.to_string().is_empty() => Err("an error without a word".to_owned()),
            Err(_) => Ok(Some(0)),
        }
    }))
}

/// The target `wire_bytes`.
pub(crate) fn wire_bytes() -> Box<dyn Body> {
    Box::new(Plain(|data| {
        let mut read = 0;
        for line in data.split(|byte| *byte == b'\n') {
            if let Ok(request) = serde_json::from_slice::<Request>(line) {
                read += 1;
                json_again(&request)?;
            }
            if let Ok(response) = serde_json::from_slice::<Response>(line) {
                read += 1;
                json_again(&response)?;
            }
        }
        served(data)?;
        Ok(Some(read))
    }))
}

/// The target `wire_roundtrip`.
pub(crate) fn wire_roundtrip() -> Box<dyn Body> {
    Box::new(Plain(|data| {
        let Ok(value) = Value::arbitrary_take_rest(Unstructured::new(data)) else {
            return Ok(None);
        };
        again(value).map(|()| Some(1))
    }))
}

/// A router is served over these lines: each gets one reply, which is one of the protocol.
fn served(data: &[u8]) -> Result<(), String> {
    let mut router = InProcess::new(Reference::default());
    let mut output = Vec::new();
    serve(&mut router, data, &mut output).map_err(|why| format!("serving broke: {why}"))?;
    let (mut input, mut line, mut lines) = (data, Vec::new(), 0);
    while read_line(&mut input, &mut line).map_err(|why| why.to_string())? != Line::End {
        lines += 1;
    }
    let replies = output.split_inclusive(|byte| *byte == b'\n');
    for reply in replies.clone() {
        serde_json::from_slice::<Response>(reply).map_err(|why| format!("a reply is none of the protocol: {why}"))?;
    }
    if replies.count() != lines {
        return Err(format!("{lines} lines did not get one reply each"));
    }
    Ok(())
}

fn json_again<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug>(value: &T) -> Result<(), String> {
    let print = serde_json::to_string(value).map_err(|why| format!("{value:?} cannot be printed: {why}"))?;
    let again: T = serde_json::from_str(&print).map_err(|why| format!("{print} cannot be read again: {why}"))?;
    if again != *value {
        return Err(format!("{print} is read as another value: {again:?}"));
    }
    Ok(())
}

fn file_again(file: &TraceFile) -> Result<(), String> {
    let print = file.to_toml();
    let again = TraceFile::parse(&print).map_err(|why| format!("{print} cannot be read again: {why}"))?;
    if again != *file {
        return Err(format!("{print} is read as another trace: {again:?}"));
    }
    // Another reader's format: nothing here reads it, but it can always be written.
    drop(file.to_itf());
    Ok(())
}

fn again(value: Value) -> Result<(), String> {
    let (id, reply) = match value {
        Value::File(file) => {
            let file = TraceFile::from(file);
            // A trace says why it is kept and does something: any other one is refused, and has no second reading.
            let idle = file.trace.setup.rows.is_empty() && file.trace.steps.is_empty();
            let refused = file.why.trim().is_empty() || idle;
            return match TraceFile::parse(&file.to_toml()) {
                Err(_) if refused => Ok(()),
                Ok(_) if refused => Err(format!("a trace of nothing is taken: {file:?}")),
                _ => file_again(&file),
            };
        }
        Value::Hello(id, protocol) => {
            let call = Call::Hello(HelloCall { protocol });
            json_again(&Request { id, call })?;
            let mut hello = InProcess::new(Reference::default()).hello().clone();
            hello.protocol = protocol.max(PROTOCOL_VERSION);
            (id, Reply::Hello(Box::new(hello)))
        }
        Value::Runs(id, runs) => {
            let call = Call::Runs(runs.into_iter().map(Into::into).collect());
            return json_again(&Request { id, call });
        }
        Value::Replies(id, replies) => (id, Reply::Runs(replies.into_iter().map(Into::into).collect())),
    };
    json_again(&Response { id, reply })
}
