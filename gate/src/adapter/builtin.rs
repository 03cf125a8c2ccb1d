//! The routers that are part of this program.

use adapter_faulty::{FAULTS, FLEET_FAULTS, find, find_fleet};
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

/// The router with the planted fault of that name, or the fleet where it is a fault of fleets.
pub(crate) fn faulty(name: &str) -> Option<Box<dyn RouterUnderTest>> {
    match find(name) {
        Some(fault) => Some(fault.router()),
        None => faulty_fleet(name),
    }
}

/// The fleet with the planted fault of that name, or whose replicas are routers with that one.
pub(crate) fn faulty_fleet(name: &str) -> Option<Box<dyn RouterUnderTest>> {
    match find_fleet(name) {
        Some(fault) => Some(fault.fleet()),
        None => find(name).map(|fault| fault.fleet() as _),
    }
}

/// Returns whether the planted fault of that name is one of routers, or no fault at all.
pub(crate) fn is_of_routers(name: &str) -> bool {
    find(name).is_some()
}

/// The names of the planted faults of routers and of fleets, and `none` for what has none.
pub(crate) fn fault_names() -> Vec<&'static str> {
    let of_fleets = FLEET_FAULTS.iter().map(|fault| fault.name);
    FAULTS
        .iter()
        .map(|fault| fault.name)
        .chain(of_fleets)
        .chain(["none"])
        .collect()
}
