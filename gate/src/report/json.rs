//! The report for a program: one JSON document, whose fields are a stable interface.

use schemars::{Schema, schema_for};

use crate::document::{Document, JsonReport};

/// The JSON text of a document.
pub(crate) fn text(document: &Document) -> String {
    let text = serde_json::to_string_pretty(&JsonReport::new(document)).expect("a document is plain data");
    text + "\n"
}

/// The JSON Schema of the report.
pub fn report_schema() -> Schema {
    schema_for!(JsonReport)
}
