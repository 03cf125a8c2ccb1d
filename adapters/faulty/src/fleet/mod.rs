//! A fleet with planted faults: replicas as naive as can be over a store in memory, and in each fleet one thing that is
//! wrong.
//!
//! A replica polls the whole store under a lock, serves at once what it has written, and answers by a
//! [`Router`](crate::Router). A fault is a value: one choice that differs from those of the fleet without a fault.

mod faults;
mod replica;
mod store;

pub use faults::{FLEET_FAULTS, FleetFault, NO_FLEET_FAULT, find_fleet};
pub use replica::FleetReplica;
