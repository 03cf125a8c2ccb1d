//! A fleet with planted faults: replicas as naive as can be over a store in memory, and in each fleet one thing that is
//! wrong.
//!
//! A replica polls the whole store under a lock, serves at once what it has written, and answers by a
//! [`Router`](crate::Router). A fault is a value: one choice that differs from those of the fleet without a fault.

mod faults;
mod replica;
mod store;

use protocol::RouterUnderTest;
use protocol::fleet::{InProcessFleet, MemoryDatabase};

pub use self::faults::{FLEET_FAULTS, FleetFault, NO_FLEET_FAULT, find_fleet};
pub use self::replica::FleetReplica;
use self::store::FaultyDatabase;
use crate::faults::Fault;

impl FleetFault {
    /// A fleet with this fault, over a store in memory.
    pub fn fleet(&self) -> Box<dyn RouterUnderTest + Send> {
        let database = FaultyDatabase::over(MemoryDatabase::default(), self.choices.store);
        Box::new(InProcessFleet::over(database, FleetReplica::new(self)))
    }
}

impl Fault {
    /// A fleet whose replicas follow the store rightly, and answer by routers with this fault.
    pub fn fleet(&self) -> Box<dyn RouterUnderTest + Send> {
        FleetFault::of_router(self).fleet()
    }
}
