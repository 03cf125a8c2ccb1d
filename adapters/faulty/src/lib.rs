//! How does a router with planted faults hear the question?
