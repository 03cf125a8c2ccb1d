//! A long-lived router against a fresh one of the same rows.
#![no_main]

routeproof_fuzz::steps!("history");
