//! The `routeproof` command.

fn main() {}
