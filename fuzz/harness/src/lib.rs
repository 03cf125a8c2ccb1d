//! What the fuzz targets do.
//!
//! This package knows nothing of libFuzzer, so that plain `cargo test` replays every input that is kept. The package above
//! it puts each [`Target`] behind a fuzzer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`world`] | the texts that an input can name |
//! | [`codec`] | bytes to trace, and back |
//! | [`mutate`] | changes to an input, a step at a time |

pub mod codec;
pub mod mutate;
pub mod world;
