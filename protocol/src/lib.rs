//! What can be asked of a router, and what can it answer?
