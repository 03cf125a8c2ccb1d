//! The traces that are kept, as inputs of the targets: no corpus starts from nothing.

use std::collections::BTreeMap;

use adapter_reference::Reference;
use model::{Cadence, Seeded, drawn_run};
use protocol::wire::{Call, Reply, Request, Response};
use protocol::{Change, InProcess, Level, Op, RouterUnderTest, Row, Rows, Run, Step, Trace, TraceFile, Via, WriteOp};

use crate::codec::{Header, REPLICAS, encode};
use crate::world::{KEPT, World, worlds};
use crate::writes::writes;

/// An input made of a trace.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target that it is an input of.
    pub target: &'static str,
    /// The bytes of the input.
    pub bytes: Vec<u8>,
}

/// The inputs that this trace file gives.
///
/// # Errors
///
/// The file is no trace, or its steps have no bytes, and why; the inputs that are no steps are there all the same.
pub fn seeds(text: &str) -> (Vec<Seed>, Result<(), String>) {
    let seed = |target, bytes| Seed { target, bytes };
    let mut seeds = vec![seed("trace_file", text.as_bytes().to_vec())];
    let trace = match TraceFile::parse(text) {
        Ok(file) => file.trace,
        Err(why) => return (seeds, Err(why.to_string())),
    };
    if trace.level == Level::Fleet {
        return (
            seeds,
            Err("it is of a fleet, and inputs are made of traces of one router".to_owned()),
        );
    }
    seeds.push(seed("wire_bytes", conversation(&trace)));
    let trace = numbered(trace);
    let router = encode(kept(), &trace);
    let fleet = encode(kept(), &of_fleet(&trace));
    let (Some(router), Some(fleet)) = (router, fleet) else {
        let why = "it has a parameter bundle, or a text that the world `kept` of the fuzz harness does not list";
        return (seeds, Err(why.to_owned()));
    };
    seeds.extend(["updates", "history", "faulty"].map(|target| seed(target, router.clone())));
    seeds.push(seed("fleet", fleet));
    (seeds, Ok(()))
}

/// All of the world that lists the texts of the traces that are kept.
fn kept() -> Header {
    let is_kept = |world: &World| world.scope.universe.name == KEPT.name;
    let world = worlds().iter().position(is_kept).expect("it is one of the worlds");
    Header {
        world: u8::try_from(world).expect("worlds are few"),
        swarm: u64::MAX,
        asks: 0,
    }
}

/// The same trace with `v1`, `v2` for the tags of its versions, in the order in which they come. A tag is opaque, and where
/// two versions share one, which only a trace by hand does, each gets its own.
fn numbered(mut trace: Trace) -> Trace {
    let mut tags: BTreeMap<Row, String> = BTreeMap::new();
    let number = |row: &mut Row| {
        let next = format!("v{}", tags.len() + 1);
        row.tag.clone_from(tags.entry(row.clone()).or_insert(next));
    };
    trace.rows_mut().for_each(number);
    trace
}

/// The changes of one router as writes to a store, with a poll after those of each change. Each write has a tag of its own,
/// `v1` and so on, since each makes a version.
fn of_fleet(trace: &Trace) -> Trace {
    let construction = Change::Replace(trace.setup.rows.clone());
    let changes = trace.steps.iter().filter_map(Step::change);
    let (mut store, mut steps) = (Rows::new(), Vec::new());
    for change in std::iter::once(&construction).chain(changes) {
        let via = Via::Store;
        let writes = writes(&store, change).into_iter();
        steps.extend(writes.map(|write| Step::Do(Op::Write(WriteOp { via, write }))));
        steps.push(Step::Do(Op::Poll(0)));
        change.apply_to(&mut store);
    }
    let mut trace = Trace::of_fleet(REPLICAS, steps);
    for (row, number) in trace.rows_mut().zip(1..) {
        row.tag = format!("v{number}");
    }
    trace
}

/// Returns what crosses the wire when a router is asked the trace.
fn conversation(trace: &Trace) -> Vec<u8> {
    let scope = &kept().world().scope;
    let Trace { setup, steps, .. } = trace.clone();
    let run: Run = drawn_run(scope, setup.rows, steps, &mut Seeded::new(0, 0), Cadence::AtTheEnd);
    let mut router = InProcess::new(Reference::default());
    let hello = router.hello().clone();
    let replies = router
        .run(std::slice::from_ref(&run))
        .expect("the reference takes any router's steps");
    let request = Request {
        id: 1,
        call: Call::Runs(vec![run]),
    };
    let responses = [Reply::Hello(Box::new(hello)), Reply::Runs(replies)].map(|reply| Response { id: 1, reply });
    let text = |value: serde_json::Result<String>| value.expect("the protocol is plain data");
    let lines = [
        text(serde_json::to_string(&request)),
        text(serde_json::to_string(&responses[0])),
        text(serde_json::to_string(&responses[1])),
    ];
    lines.join("\n").into_bytes()
}
