//! A fleet over any replica, real code included: the oracle of the packed fleet, and a checker of a router's own replica.

mod fleet;
mod naive;
mod replica;
mod seat;

pub use self::fleet::{FleetOf, StateOf};
pub use self::naive::NaiveReplica;
pub(crate) use self::replica::apply;
pub use self::replica::{Read, Replica, Table};
pub use self::seat::Seat;
