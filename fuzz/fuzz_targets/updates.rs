//! Sequences of updates on `router-core` against the specification: every lookup returns current deployments only.
#![no_main]

routeproof_fuzz::steps!("updates");
