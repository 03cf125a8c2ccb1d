//! The fleet whose states are machine words: their layout, the steps of one replica, and a worker that remembers them.

mod compiled;
mod fleet;
mod lane;
mod state;

pub use self::compiled::Compiled;
pub use self::fleet::Fleet;
pub use self::state::{Held, Lane, Layout, State};
