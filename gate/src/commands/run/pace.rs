//! The budget of a run: no message holds more than about a second of work, and none is begun once the time is up.

use std::ops::ControlFlow;
use std::time::Duration;

use model::Pace;

use crate::clock::Clock;
use crate::guard;

/// The work that one message aims at.
const MESSAGE: Duration = Duration::from_secs(1);

/// The pace of one engine, from the speed that was measured so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    clock: Clock,
    /// The moment and the number of runs at the last call.
    last: (Duration, u64),
    /// The time that one run took, once any was measured.
    of_one: Option<Duration>,
}

impl Pacer {
    /// The pace of an engine that has done nothing yet.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            last: (clock.elapsed(), 0),
            of_one: None,
        }
    }

    /// Returns the number of runs for the next message of an engine that has done so many, or its end: at `until`, or when a
    /// signal stops the run. The first message holds one run.
    pub(super) fn pace(&mut self, done: u64, until: Duration) -> Pace {
        let now = self.clock.elapsed();
        if now >= until || guard::stopped().is_some() {
            return ControlFlow::Break(());
        }
        let (then, before) = self.last;
        if done > before {
            let runs = u32::try_from(done - before).unwrap_or(u32::MAX);
            self.of_one = Some(now.saturating_sub(then) / runs);
        }
        self.last = (now, done);
        ControlFlow::Continue(
            self.of_one
                .map_or(1, |of_one| runs_within(MESSAGE.min(until.saturating_sub(now)), of_one)),
        )
    }
}

/// The number of runs that fit into a time, at least one.
fn runs_within(time: Duration, of_one: Duration) -> u32 {
    let runs = time.as_nanos() / of_one.as_nanos().max(1);
    u32::try_from(runs).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_a_second_of_work_and_at_least_one_run() {
        for (time, of_one, runs) in [
            (1000, 10, 100),
            (1000, 2000, 1),
            (0, 10, 1),
            (5, 10, 1),
            (1000, 0, 1_000_000_000),
        ] {
            assert_eq!(
                runs_within(Duration::from_millis(time), Duration::from_millis(of_one)),
                runs
            );
        }
    }

    #[test]
    fn the_first_message_holds_one_run_and_none_is_begun_when_the_time_is_up() {
        let mut pacer = Pacer::new(Clock::start());
        assert_eq!(pacer.pace(0, Duration::from_hours(1)), ControlFlow::Continue(1));
        assert_eq!(pacer.pace(1, Duration::ZERO), ControlFlow::Break(()));
    }

    #[test]
    fn faster_runs_come_in_longer_messages() {
        let mut pacer = Pacer::new(Clock::start());
        assert_eq!(pacer.pace(0, Duration::from_hours(1)), ControlFlow::Continue(1));
        let ControlFlow::Continue(runs) = pacer.pace(1_000_000, Duration::from_hours(1)) else {
            panic!("there is time left");
        };
        assert!(runs > 1, "{runs}");
    }
}
