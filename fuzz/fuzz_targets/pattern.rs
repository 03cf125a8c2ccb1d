//! Our matchers against the `regex` crate.
#![no_main]

routeproof_fuzz::bytes!("pattern");
