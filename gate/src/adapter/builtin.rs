//! The routers that are part of this program.

use adapter_faulty::faults::{FAULTS, find};
use adapter_reference::Reference;
use protocol::{InProcess, RouterUnderTest};

/// The reference router.
pub fn reference() -> Box<dyn RouterUnderTest> {
    Box::new(InProcess::new(Reference::default()))
}

/// The router with the planted fault of that name.
pub fn faulty(name: &str) -> Option<Box<dyn RouterUnderTest>> {
    find(name).map(|fault| fault.router() as Box<dyn RouterUnderTest>)
}

/// The names of the planted faults, and `none` for the router without one.
pub fn fault_names() -> Vec<&'static str> {
    FAULTS.iter().map(|fault| fault.name).chain(["none"]).collect()
}
