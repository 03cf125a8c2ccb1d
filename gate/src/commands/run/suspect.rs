//! The traces that were under way when an adapter failed, and the one among them that brings it down.

use std::time::Duration;

use model::{Judge, trial};
use protocol::{AdapterFault, Hello, Level, RouterUnderTest, Run, RunReply, Trace, TraceFile};

use crate::clock::Clock;
use crate::document::{Brings, SuspectReport};
use crate::files::Shelf;
use crate::guard::stopped;
use crate::out::ADAPTER_FAULT;

use super::Options;

/// The time after which no further trace is carried out to find the one that brings an adapter down.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(30);
/// The most traces of a message that are written where none of them brings the adapter down by itself.
const WRITTEN_MAX: usize = 32;

/// A router, and the runs that it was last given.
pub(super) struct Watched<'a> {
    router: &'a mut dyn RouterUnderTest,
    last: Vec<Run>,
}

impl<'a> Watched<'a> {
    /// A router that was given nothing yet.
    pub(super) fn new(router: &'a mut dyn RouterUnderTest) -> Self {
        Self {
            router,
            last: Vec::new(),
        }
    }

    /// Looks for the run that brought the adapter down: those of the last message one by one, the one that fails once more
    /// by itself. Writes its trace; where none fails again, those of the whole message.
    pub(super) fn suspect(
        &mut self,
        judge: &Judge,
        options: &Options,
        shelf: &mut Shelf,
    ) -> Option<Box<SuspectReport>> {
        let message = std::mem::take(&mut self.last);
        if message.is_empty() || stopped().is_some() {
            return None;
        }
        let (guilty, brings) = guilty(self.router, judge, &message);
        let runs = guilty.map_or(&message[..], std::slice::from_ref);
        let mut report = SuspectReport {
            message: message.len(),
            brings,
            replay: None,
            files: Vec::new(),
        };
        for (run, number) in runs.iter().take(WRITTEN_MAX).zip(1..) {
            let why = format!("under way when the adapter failed: {}", brings.words());
            let file = TraceFile {
                router: Some(self.hello().router.clone()),
                seed: Some(options.seed),
                ..TraceFile::new(&why, asked_on_the_way(run))
            };
            let written = shelf.put_trace(&format!("{ADAPTER_FAULT}-{number}"), &file, &options.spec)?;
            report.files.push(written.file);
            report.replay.get_or_insert(written.replay);
        }
        Some(Box::new(report))
    }
}

impl RouterUnderTest for Watched<'_> {
    fn hello(&self) -> &Hello {
        self.router.hello()
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        self.last = runs.to_vec();
        self.router.run(runs)
    }
}

/// The run of a message behind which the adapter fails again, and how.
fn guilty<'a>(router: &mut dyn RouterUnderTest, judge: &Judge, message: &'a [Run]) -> (Option<&'a Run>, Brings) {
    let clock = Clock::start();
    let mut fails = |run: &Run| trial(router, judge, std::slice::from_ref(run)).is_err();
    // An adapter that does not come up again is no run's fault.
    let nothing = Run {
        trace: match message.first().map(|run| run.trace.level) {
            Some(Level::Fleet) => Trace::of_fleet(1, Vec::new()),
            Some(Level::Router) | None => Trace::default(),
        },
        ..Run::default()
    };
    if fails(&nothing) {
        return (None, Brings::NotTried);
    }
    for (place, run) in message.iter().enumerate() {
        if clock.elapsed() >= SEARCH_TIME_MAX || stopped().is_some() {
            return (None, Brings::NotTried);
        }
        if fails(run) {
            // The process was fresh for the first run, and is for any that follows a fault.
            let alone = place == 0 || (clock.elapsed() < SEARCH_TIME_MAX && fails(run));
            return (Some(run), if alone { Brings::Alone } else { Brings::BehindOthers });
        }
    }
    (None, Brings::NotAgain)
}

/// The trace of a run with what was asked on the way, or where that is more than a trace can have, at its end.
fn asked_on_the_way(run: &Run) -> Trace {
    let trace = run.spelled_out(run.trace.steps.len(), |_, _| true);
    if protocol::wire::check_trace(&trace).is_ok() {
        return trace;
    }
    run.asking()
}

#[cfg(test)]
mod tests {
    use model::RuleSet;
    use protocol::{FaultKind, Row};

    use super::*;
    use crate::adapter::builtin;

    /// A router whose adapter fails by the rows that it is given.
    struct Failing {
        router: Box<dyn RouterUnderTest>,
        /// Fails on a run with a row of this id.
        on: &'static str,
        /// Only if it was given a row of this id since it last failed.
        behind: Option<&'static str>,
        seen: bool,
    }

    impl RouterUnderTest for Failing {
        fn hello(&self) -> &Hello {
            self.router.hello()
        }

        fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
            let has = |id: &str| runs.iter().any(|run| run.trace.rows().any(|row| row.id == id));
            self.seen |= self.behind.is_none_or(has);
            if self.seen && has(self.on) {
                self.seen = false;
                return Err(AdapterFault::new(FaultKind::Exited, "ended"));
            }
            self.router.run(runs)
        }
    }

    fn run(id: &str) -> Run {
        Run {
            trace: Trace::of_router(vec![Row::new(id, "m", "up/m", "v1")], Vec::new()),
            ..Run::default()
        }
    }

    fn suspected(on: &'static str, behind: Option<&'static str>) -> (Option<Run>, Brings) {
        let mut failing = Failing {
            router: builtin::reference(),
            on,
            behind,
            seen: false,
        };
        let judge = Judge::new(failing.hello(), RuleSet::of(Level::Router)).unwrap();
        let message = ["d1", "d2", "d3"].map(run);
        let (guilty, brings) = guilty(&mut failing, &judge, &message);
        (guilty.cloned(), brings)
    }

    #[test]
    fn the_run_that_brings_an_adapter_down_is_told_from_its_neighbours() {
        assert_eq!(suspected("d1", None), (Some(run("d1")), Brings::Alone));
        assert_eq!(suspected("d3", None), (Some(run("d3")), Brings::Alone));
        assert_eq!(suspected("d3", Some("d1")), (Some(run("d3")), Brings::BehindOthers));
        assert_eq!(suspected("d4", None), (None, Brings::NotAgain));
    }
}
