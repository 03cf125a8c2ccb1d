//! A fleet of `router-core`'s replicas in any order of reads, applications, writes and failures, judged by every rule of a
//! fleet.
//!
//! The steps of an input are closed like any other schedule, so that what must have settled by then is judged too.

use std::collections::BTreeSet;

use adapter_reference::{ReferenceReplica, core_row, reference_fleet};
use model::{Judge, Pending, closed_run};
use protocol::fleet::{InProcessFleet, LocalReplica};
use protocol::{Level, RouterUnderTest, Run, RunReply, Shown};

use crate::codec::{HEADER_BYTES, Input, Record, decode, decode_records};
use crate::expected::Oracle;
use crate::failure::{TargetFailure, caught, judge_of, judged, of_steps};
use crate::world::worlds;
use crate::{Body, Ran, Work};

/// The most lookups that each replica is asked after each step.
const QUERIES_MAX: usize = 4;

/// The target.
pub(crate) struct Fleet<R> {
    on_trial: InProcessFleet<R>,
    judge: Judge,
    oracles: Vec<Oracle>,
}

impl Fleet<ReferenceReplica> {
    /// The target.
    pub(crate) fn body() -> Box<dyn Body> {
        Box::new(Self::of(reference_fleet()))
    }
}

impl<R: LocalReplica> Fleet<R> {
    fn of(fleet: InProcessFleet<R>) -> Self {
        Self {
            judge: judge_of(fleet.hello(), Level::Fleet),
            on_trial: fleet,
            oracles: worlds().iter().map(Oracle::new).collect(),
        }
    }

    /// The run of an input: its trace with the closing, asked the lookups that its rows raise after each step.
    fn run_of(&self, input: &Input) -> Run {
        let asks = usize::from(input.header.asks);
        let oracle = &self.oracles[usize::from(input.header.world) % self.oracles.len()];
        let asked = oracle.questions(input.trace.rows(), asks, QUERIES_MAX);
        let queries = asked.into_iter().map(|at| input.world.matrix[at].clone()).collect();
        let pending = if asks.is_multiple_of(2) {
            Pending::Dropped
        } else {
            Pending::Delivered
        };
        closed_run(&input.trace, queries, pending, &self.on_trial.hello().capabilities)
    }

    /// Returns what the rules see in the run. A panic is an error, and so is a replica that ends behind the store.
    fn judged(&mut self, run: &Run) -> Result<Option<Box<TargetFailure>>, String> {
        caught(|| {
            if let Some(failure) = judged(&mut self.on_trial, &self.judge, run) {
                return Ok(Some(failure));
            }
            let replies = self.on_trial.run(std::slice::from_ref(run));
            let replies = replies.map_err(|fault| fault.to_string())?;
            replies.iter().find_map(behind).map_or(Ok(None), Err)
        })
    }
}

/// Returns the first difference between a replica and the store after the closing, where every row of the store is valid.
///
/// The rules hold a replica against a fresh one, which reads the store no better than it does.
fn behind(reply: &RunReply) -> Option<String> {
    reply.rounds.last()?.iter().find_map(|seen| {
        let held = seen.shown.iter().find_map(|shown| match shown {
            Shown::Holds(lists) => Some(lists.values().flatten().collect::<BTreeSet<&String>>()),
            _ => None,
        });
        let stored = seen.shown.iter().find_map(|shown| match shown {
            Shown::Rows(rows) => Some(rows),
            _ => None,
        });
        let (held, stored) = held.zip(stored)?;
        let is_valid = stored.iter().all(|row| core_row(row).parse().is_ok());
        let due: BTreeSet<&String> = stored.iter().map(|row| &row.tag).collect();
        (is_valid && held != due).then(|| format!("in the end a replica holds {held:?}, and the store {due:?}"))
    })
}

impl<R: LocalReplica> Body for Fleet<R> {
    fn run(&mut self, data: &[u8]) -> Ran {
        let Some(input) = decode(data, Level::Fleet) else {
            return Ok(None);
        };
        let run = self.run_of(&input);
        match self.judged(&run) {
            Ok(None) => {
                let rounds = run.questions.rounds.len() * usize::from(run.trace.setup.replicas);
                Ok(Some(Work {
                    steps: run.trace.steps.len() as u64,
                    lookups: (rounds * run.questions.queries().count()) as u64,
                }))
            }
            Ok(Some(failure)) => Err(failure),
            Err(what) => {
                let (records, _) = data[HEADER_BYTES..].as_chunks();
                Err(of_steps(what, &input, records, Level::Fleet, |records: &[Record]| {
                    let run = self.run_of(&decode_records(input.header, records, Level::Fleet));
                    self.judged(&run).is_err()
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::fleet::{Act, Given, Want};
    use protocol::{Hello, Now, Question, TraceFile};

    use super::*;
    use crate::seeds;

    /// A replica whose polls read nothing.
    #[derive(Clone)]
    struct Blind(ReferenceReplica);

    impl LocalReplica for Blind {
        type Task = Option<<ReferenceReplica as LocalReplica>::Task>;

        fn describe(&self) -> Hello {
            self.0.describe()
        }

        fn begin(&mut self, act: Act) -> Self::Task {
            (act != Act::Poll).then(|| self.0.begin(act))
        }

        fn proceed(&mut self, task: &mut Self::Task, given: Given) -> Want {
            let seeing = task.as_mut().map(|task| self.0.proceed(task, given));
            seeing.unwrap_or(Want::End(Now::Done))
        }

        fn ask(&self, question: &Question) -> Shown {
            self.0.ask(question)
        }
    }

    /// The alarm works.
    #[test]
    fn a_replica_that_reads_nothing_is_found_and_written_as_a_trace() {
        let (seeds, steps) = seeds(include_str!("../../../testdata/regressions/updated-wildcard.toml"));
        assert_eq!(steps, Ok(()));
        let seed = seeds
            .iter()
            .find(|seed| seed.target == "fleet")
            .expect("the trace has steps");
        assert!(
            Fleet::of(reference_fleet())
                .run(&seed.bytes)
                .is_ok_and(|work| work.is_some())
        );

        let mut blind = Fleet::of(InProcessFleet::new(Blind(ReferenceReplica::default())));
        let failure = blind.run(&seed.bytes).expect_err("the rows of the store are not held");
        let file = failure.trace.expect("the input is a trace");
        assert!(failure.what.starts_with("converges not-loaded"), "{}", failure.what);
        assert_eq!(TraceFile::parse(&file.to_toml()), Ok(file));
    }
}
