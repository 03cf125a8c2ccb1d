//! Several processes of one adapter, side by side, as one router under test.
//!
//! Each run starts from a fresh router, so that it does not matter which process carries it out: a batch is dealt out in
//! equal shares, and the replies come back in the order of the runs.

use std::num::NonZeroUsize;
use std::thread;

use protocol::{AdapterFault, FaultKind, Hello, RouterUnderTest, Run, RunReply};

use super::process::Launch;
use super::supervisor::{Supervisor, Waits};

/// The most processes of one adapter.
pub(crate) const JOBS_MAX: usize = 64;

/// Processes of one adapter; at least one.
pub(crate) struct Several(Vec<Supervisor>);

impl Several {
    /// Starts `jobs` processes at once and greets each.
    ///
    /// # Errors
    ///
    /// The fault of one that does not start, or of one that says another hello than the first; no process is left then.
    pub(crate) fn start(launch: &Launch, waits: Waits, jobs: NonZeroUsize) -> Result<Self, AdapterFault> {
        let routers = all(vec![launch; jobs.get()], |launch| {
            Supervisor::start(launch.clone(), waits)
        })?;
        let first = routers[0].hello();
        if routers.iter().any(|router| router.hello() != first) {
            let message = format!(
                "adapter `{}` said one hello in one process and another in the next; say the same each time",
                launch.name
            );
            return Err(AdapterFault::new(FaultKind::Lied, message));
        }
        Ok(Self(routers))
    }
}

impl RouterUnderTest for Several {
    fn hello(&self) -> &Hello {
        self.0[0].hello()
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let share = runs.len().div_ceil(self.0.len()).max(1);
        let shares = self.0.iter_mut().zip(runs.chunks(share)).collect();
        let replies = all(shares, |(router, runs)| router.run(runs))?;
        Ok(replies.into_iter().flatten().collect())
    }
}

/// Does the work on all items at once, the first of them on this thread, and returns the results in their order.
///
/// # Errors
///
/// Of several errors that of the first item in order, so that it does not depend on which thread is quicker.
fn all<T: Send, R: Send, E: Send>(items: Vec<T>, work: impl Fn(T) -> Result<R, E> + Sync) -> Result<Vec<R>, E> {
    let work = &work;
    thread::scope(|scope| {
        let mut items = items.into_iter();
        let first = items.next();
        let others: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        let first = first.map(work);
        let others = others.into_iter().map(|other| match other.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        // Every thread is waited for before the first error is returned.
        let results: Vec<Result<R, E>> = first.into_iter().chain(others).collect();
        results.into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn the_work_is_done_at_once_and_told_in_order() {
        for count in 0..5 {
            // None ends before all have begun.
            let begun = Barrier::new(count);
            let wait = |number: usize| {
                begun.wait();
                Ok::<_, ()>(number)
            };
            assert_eq!(all((0..count).collect(), wait), Ok((0..count).collect()));
        }
    }

    #[test]
    fn of_several_errors_the_first_in_order_is_told() {
        let fails = |number: u32| if number == 0 { Ok(number) } else { Err(number) };
        assert_eq!(all(vec![0, 2, 1], fails), Err(2));
    }
}
