//! The one place where time is read. Everything else takes durations as arguments.

use std::time::{Duration, Instant, SystemTime};

/// Time since some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// Starts counting.
    #[expect(clippy::disallowed_methods, reason = "the edge at which time comes in")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A seed for a run that was not given one.
#[expect(clippy::disallowed_methods, reason = "the edge at which entropy comes in")]
pub(crate) fn seed_of_the_moment() -> u32 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    since.subsec_nanos() ^ u32::try_from(since.as_secs() & 0xffff_ffff).unwrap_or_default()
}
