//! The routers that are part of this program.

use adapter_faulty::{FAULTS, find};
use adapter_reference::Reference;
use fleet::strategies::{self, STRATEGIES};
use fleet::strategy_fleet;
use protocol::{InProcess, RouterUnderTest};

/// The reference router.
pub(crate) fn reference() -> Box<dyn RouterUnderTest> {
    Box::new(InProcess::new(Reference::default()))
}

/// The fleet whose replicas follow the strategy of that name.
pub(crate) fn strategy(name: &str) -> Option<Box<dyn RouterUnderTest>> {
    strategies::named(name).map(|strategy| Box::new(strategy_fleet(&strategy)) as Box<dyn RouterUnderTest>)
}

/// The names of the strategies.
pub(crate) fn strategy_names() -> Vec<&'static str> {
    STRATEGIES.iter().map(|strategy| strategy.name).collect()
}

/// The router with the planted fault of that name.
pub(crate) fn faulty(name: &str) -> Option<Box<dyn RouterUnderTest>> {
    find(name).map(|fault| fault.router() as Box<dyn RouterUnderTest>)
}

/// The names of the planted faults, and `none` for the router without one.
pub(crate) fn fault_names() -> Vec<&'static str> {
    FAULTS.iter().map(|fault| fault.name).chain(["none"]).collect()
}
