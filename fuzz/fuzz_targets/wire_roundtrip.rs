//! Values of the protocol through every printer and back.
#![no_main]

routeproof_fuzz::bytes!("wire_roundtrip");
