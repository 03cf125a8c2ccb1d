//! A fleet of `router-core`'s replicas beside a store that fails, in any order.
#![no_main]

routeproof_fuzz::steps!("fleet");
