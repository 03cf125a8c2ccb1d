//! The JSON Schema of wire and trace, generated from the types.

use schemars::{Schema, schema_for};

use crate::file::TraceFile;
use crate::wire::{Request, Response};

/// The schemas by file name: what goes to an adapter, what comes back, and the trace file as the JSON of its TOML.
pub fn schemas() -> [(&'static str, Schema); 3] {
    [
        ("request.json", schema_for!(Request)),
        ("response.json", schema_for!(Response)),
        ("trace.json", schema_for!(TraceFile)),
    ]
}
