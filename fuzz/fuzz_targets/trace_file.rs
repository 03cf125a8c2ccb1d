//! Hostile text into the parser of trace files.
#![no_main]

routeproof_fuzz::bytes!("trace_file");
