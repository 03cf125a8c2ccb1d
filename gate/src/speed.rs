//! The speed of a router, which decides how often it is asked: measured, since no adapter knows it.

use std::time::Duration;

use model::universe::{SCHEDULED, Scope, TINY};
use model::{Cadence, Seeded, closed_schedule, generate};
use protocol::{AdapterFault, Hello, Level, Questions, RouterUnderTest, Run};

use crate::clock::Clock;

/// The time that one round of questions may take for all of them to be asked on the way. A router in another process
/// takes about 1 ms, one that picks a deployment in an interpreter 30.
const ROUND_MAX: Duration = Duration::from_millis(15);

/// Returns the moments at which the router is asked the whole matrix: the end of each trace if a round takes long.
///
/// # Errors
///
/// Those of the router under test.
pub(crate) fn cadence(router: &mut dyn RouterUnderTest, level: Level, clock: Clock) -> Result<Cadence, AdapterFault> {
    let settling = Duration::from_millis(router.hello().dialect.settles.wait_ms().into());
    let asked = some_run(router.hello(), level);
    Ok(if time_of_round(router, asked, clock)? + settling > ROUND_MAX {
        Cadence::AtTheEnd
    } else {
        Cadence::Drawn
    })
}

fn some_run(hello: &Hello, level: Level) -> Run {
    let choices = &mut Seeded::new(0, 0);
    match level {
        Level::Router => generate(&Scope::new(&TINY, hello), choices, Cadence::Drawn),
        Level::Fleet => closed_schedule(&Scope::new(&SCHEDULED, hello), 2, choices),
    }
}

/// The mean time of a round of questions of a run: what it takes with its questions more than without.
fn time_of_round(router: &mut dyn RouterUnderTest, asked: Run, clock: Clock) -> Result<Duration, AdapterFault> {
    let unasked = Run {
        trace: asked.trace.clone(),
        questions: Questions::default(),
    };
    let rounds = asked.questions.rounds.len();
    // The first message makes a router load what it loads late.
    router.run(std::slice::from_ref(&unasked))?;
    let mut times = [Duration::ZERO; 2];
    for (run, time) in [unasked, asked].iter().zip(&mut times) {
        let begun = clock.elapsed();
        router.run(std::slice::from_ref(run))?;
        *time = clock.elapsed().saturating_sub(begun);
    }
    let rounds = u32::try_from(rounds.max(1)).unwrap_or(u32::MAX);
    Ok(times[1].saturating_sub(times[0]) / rounds)
}

#[cfg(test)]
mod tests {
    use protocol::RunReply;

    use super::*;
    use crate::adapter::builtin;

    /// The reference, which takes so long for each round of questions.
    struct Slow {
        router: Box<dyn RouterUnderTest>,
        round: Duration,
    }

    impl RouterUnderTest for Slow {
        fn hello(&self) -> &Hello {
            self.router.hello()
        }

        #[expect(clippy::disallowed_methods, reason = "time is what is measured here")]
        fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
            let rounds = runs.iter().map(|run| run.questions.rounds.len()).sum::<usize>();
            std::thread::sleep(self.round * u32::try_from(rounds).unwrap());
            self.router.run(runs)
        }
    }

    #[test]
    fn a_router_is_asked_as_often_as_its_speed_allows() {
        let slow = |round| Slow {
            router: builtin::reference(),
            round,
        };
        let cadence = |round| cadence(&mut slow(round), Level::Router, Clock::start()).unwrap();
        assert_eq!(cadence(ROUND_MAX * 2), Cadence::AtTheEnd);
        assert_eq!(cadence(Duration::ZERO), Cadence::Drawn);
    }
}
