//! A router with the planted fault that `ROUTEPROOF_FAULT` names, judged by every rule: for the kill table.
#![no_main]

routeproof_fuzz::steps!("faulty");
