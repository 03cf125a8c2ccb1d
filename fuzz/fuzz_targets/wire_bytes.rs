//! Hostile bytes into the parsers of the wire, and to a router that is served over it.
#![no_main]

routeproof_fuzz::bytes!("wire_bytes");
