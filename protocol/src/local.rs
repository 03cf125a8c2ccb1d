//! A router in this process, as a trait, and what makes a router under test of it.

use std::collections::BTreeMap;

use crate::answer::Answer;
use crate::ask::{Query, Question, Questions, Round};
use crate::op::World;
use crate::router::{AdapterFault, FaultKind, RouterUnderTest};
use crate::row::Row;
use crate::run::{Changed, Observation, Run, RunReply, Shown, StepReply};
use crate::step::{Change, Step};
use crate::trace::Level;
use crate::wire::Hello;

/// A router in this process. [`InProcess`] makes a [`RouterUnderTest`] of it.
///
/// ```
/// use protocol::wire::PROTOCOL_VERSION;
/// use protocol::{Answer, Candidate, Capability, Change, Changed, Dialect, Hello, InProcess, Local, Outcome, Query};
/// use protocol::{Question, Questions, Refusal, Row, RouterUnderTest, Run, Shown, Step, Trace};
///
/// /// Knows one row at a time.
/// #[derive(Default)]
/// struct OneRow(Option<Row>);
///
/// impl Local for OneRow {
///     fn describe(&self) -> Hello {
///         Hello {
///             protocol: PROTOCOL_VERSION,
///             router: "one-row".into(),
///             version: "0.1.0".into(),
///             capabilities: vec![Capability::Upsert],
///             dialect: Dialect::default(),
///         }
///     }
///     fn reset(&mut self, initial: &[Row]) -> Changed {
///         self.0 = initial.last().cloned();
///         Changed { outcome: Outcome::Applied, held: None }
///     }
///     fn change(&mut self, change: &Change) -> Changed {
///         if let Some(row) = change.rows().last() {
///             self.0 = Some(row.clone());
///         }
///         Changed { outcome: Outcome::Applied, held: None }
///     }
///     fn lookup(&self, query: &Query) -> Vec<Answer> {
///         vec![match &self.0 {
///             Some(row) if row.model_name == query.model => Answer::Candidates(vec![Candidate {
///                 id: row.id.clone(),
///                 model: row.model.clone(),
///                 tag: row.tag.clone(),
///             }]),
///             _ => Answer::Refused(Refusal::UnknownModel),
///         }]
///     }
/// }
///
/// let mut router = InProcess::new(OneRow::default());
/// let upsert = Change::Upsert(Row::new("d1", "gpt-4o", "openai/gpt-4o", "v1"));
/// let run = Run {
///     trace: Trace::of_router(Vec::new(), vec![Step::Change(upsert)]),
///     questions: Questions::at_end(vec![Question::Lookup(Query::new("gpt-4o", None))], 1),
/// };
/// let replies = router.run(&[run])?;
/// let Shown::Answers(answers) = &replies[0].rounds[0][0].shown[0] else { panic!("a lookup is answered") };
/// assert_eq!(answers[0].candidates()[0].tag, "v1");
/// # Ok::<(), protocol::AdapterFault>(())
/// ```
pub trait Local {
    /// Returns the router's name and version, and what it can do.
    fn describe(&self) -> Hello;

    /// Becomes a fresh router constructed with these rows.
    fn reset(&mut self, initial: &[Row]) -> Changed;

    /// Carries out one change.
    fn change(&mut self, change: &Change) -> Changed;

    /// Answers one query: one answer for each path of the dialect.
    fn lookup(&self, query: &Query) -> Vec<Answer>;

    /// The model names that a caller of `team` is shown; none by a router that does not list names, which is not asked.
    fn listing(&self, team: Option<&str>) -> Vec<String> {
        let _ = team;
        Vec::new()
    }

    /// The ids that it claims to hold, in any order.
    fn claims(&self) -> Vec<String> {
        Vec::new()
    }

    /// The tags of the row versions that each derived structure still holds, in any order.
    fn holds(&self) -> BTreeMap<String, Vec<String>> {
        BTreeMap::new()
    }

    /// Entries in each derived structure.
    fn sizes(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }

    /// Lets so many milliseconds pass, in which the router may settle.
    #[expect(
        clippy::disallowed_methods,
        reason = "the router says that time is what it settles by"
    )]
    fn wait(&mut self, millis: u32) {
        std::thread::sleep(std::time::Duration::from_millis(millis.into()));
    }

    /// Answers one question. A router alone has no store, and shows no rows of it.
    fn ask(&self, question: &Question) -> Shown {
        match question {
            Question::Lookup(query) => Shown::Answers(self.lookup(query)),
            Question::Listing(team) => Shown::Names(self.listing(team.as_deref())),
            Question::Claims => Shown::Ids(self.claims()),
            Question::Holds => Shown::Holds(self.holds()),
            Question::Sizes => Shown::Sizes(self.sizes()),
            Question::Store => Shown::Rows(Vec::new()),
        }
    }
}

/// Asks a [`Local`] router the questions of one round.
pub fn observe<R: Local>(router: &R, questions: &Questions, round: &Round) -> Observation {
    Observation {
        replica: None,
        shown: questions.of(round).map(|(_, question)| router.ask(question)).collect(),
    }
}

/// One router or fleet in this process, in the middle of a run.
pub(crate) trait MidRun {
    /// Carries out the step of that number, from 1.
    fn step(&mut self, number: usize, step: &Step) -> StepReply;

    /// Lets so many milliseconds pass.
    fn wait(&mut self, millis: u32);

    /// Asks the questions of a round: one observation, or in a fleet one for each replica that is up.
    fn observe(&mut self, questions: &Questions, round: &Round) -> Vec<Observation>;
}

/// Carries out the steps of a run and asks its questions, on a router or fleet that replied `setup` when it was set up.
pub(crate) fn carry_out(run: &Run, setup: Changed, on: &mut impl MidRun) -> RunReply {
    let Run { trace, questions } = run;
    let mut reply = RunReply {
        setup,
        steps: Vec::with_capacity(trace.steps.len()),
        rounds: Vec::with_capacity(questions.rounds.len()),
        did: Vec::new(),
        router_ns: None,
    };
    let mut rounds = questions.rounds.iter().peekable();
    for done in 0..=trace.steps.len() {
        if let Some(round) = rounds.next_if(|round| round.after as usize == done) {
            if round.wait > 0 {
                on.wait(round.wait);
            }
            reply.rounds.push(on.observe(questions, round));
        }
        if let Some(step) = trace.steps.get(done) {
            reply.steps.push(on.step(done + 1, step));
        }
    }
    reply
}

/// A [`Local`] router as a [`RouterUnderTest`].
#[derive(Clone, Debug)]
pub struct InProcess<R> {
    router: R,
    hello: Hello,
}

impl<R: Local> InProcess<R> {
    /// Puts `router` behind the trait; what it holds is lost at the first run.
    pub fn new(router: R) -> Self {
        let hello = router.describe();
        Self { router, hello }
    }

    fn run_one(&mut self, run: &Run) -> Result<RunReply, AdapterFault> {
        if run.trace.level == Level::Fleet {
            let message = format!(
                "`{}` is one router and no fleet; take a router-level trace",
                self.hello.router
            );
            return Err(AdapterFault::new(FaultKind::Refused, message));
        }
        let setup = self.router.reset(&run.trace.setup.rows);
        Ok(carry_out(run, setup, self))
    }
}

impl<R: Local> MidRun for InProcess<R> {
    fn step(&mut self, _number: usize, step: &Step) -> StepReply {
        match step {
            Step::Change(change) => StepReply::Changed(self.router.change(change)),
            Step::Ask(_, question) => StepReply::Shown(self.router.ask(question)),
            Step::World(World::Wait(millis)) => {
                self.router.wait(*millis);
                StepReply::Moved(Vec::new())
            }
            // The level was looked at: a router's trace has no other step.
            Step::Do(_) | Step::Begin(_) | Step::Finish(_) | Step::World(_) => StepReply::Moved(Vec::new()),
        }
    }

    fn wait(&mut self, millis: u32) {
        self.router.wait(millis);
    }

    fn observe(&mut self, questions: &Questions, round: &Round) -> Vec<Observation> {
        vec![observe(&self.router, questions, round)]
    }
}

impl<R: Local> RouterUnderTest for InProcess<R> {
    fn hello(&self) -> &Hello {
        &self.hello
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        runs.iter().map(|run| self.run_one(run)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Trace;

    /// Remembers how long it was left alone.
    #[derive(Clone, Debug, Default)]
    struct Idle(u32);

    impl Local for Idle {
        fn describe(&self) -> Hello {
            Hello {
                protocol: crate::wire::PROTOCOL_VERSION,
                router: "idle".to_owned(),
                version: "1".to_owned(),
                capabilities: Vec::new(),
                dialect: crate::wire::Dialect::default(),
            }
        }

        fn reset(&mut self, _initial: &[Row]) -> Changed {
            self.0 = 0;
            Changed::APPLIED
        }

        fn change(&mut self, _change: &Change) -> Changed {
            Changed::APPLIED
        }

        fn lookup(&self, _query: &Query) -> Vec<Answer> {
            Vec::new()
        }

        fn wait(&mut self, millis: u32) {
            self.0 += millis;
        }
    }

    #[test]
    fn a_step_that_waits_and_a_round_that_waits_leave_the_router_alone() {
        let mut questions = Questions::at_end(Vec::new(), 1);
        questions.rounds[0].wait = 3;
        let run = Run {
            trace: Trace::of_router(Vec::new(), vec![Step::World(World::Wait(40))]),
            questions,
        };
        let mut router = InProcess::new(Idle::default());
        let reply = router.run_one(&run).expect("a router takes it");
        assert_eq!((router.router.0, reply.steps.len()), (43, 1));
    }
}
