//! The router on trial, as a trait, and the short way to implement it for a router in this process.

use std::collections::BTreeMap;
use std::fmt;

use crate::answer::Answer;
use crate::row::Row;
use crate::run::{Changed, Observation, Run, RunReply, StepReply};
use crate::step::{Change, Query, Step};
use crate::wire::{Capability, Hello};

/// A router on trial: the reference, a router with planted faults, or a program at the other end of a pipe.
pub trait RouterUnderTest {
    /// Who it is and what it can do. The same for the whole life of the value.
    fn hello(&self) -> &Hello;

    /// Carries out `runs`, each from a fresh router, in order: one reply a run.
    ///
    /// # Errors
    ///
    /// An [`AdapterFault`] says nothing about the router: what should have carried the question did not.
    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault>;
}

/// What went wrong with an adapter: never a verdict on the router behind it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct AdapterFault {
    /// What kind of fault.
    pub kind: FaultKind,
    /// What happened and what to do next, for a person.
    pub message: String,
    /// The last lines that the adapter wrote to stderr, oldest first.
    pub last_lines: Vec<String>,
}

impl AdapterFault {
    /// A fault with nothing to quote.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            last_lines: Vec::new(),
        }
    }
}

impl fmt::Display for AdapterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for line in &self.last_lines {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}

/// The ways in which an adapter fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// It could not be started, or not be installed.
    Missing,
    /// It ended before it answered.
    Exited,
    /// It did not answer in time.
    Hung,
    /// It wrote what is not a reply of the protocol.
    Babbled,
    /// It answered something that was not asked, or not everything that was.
    Mismatched,
    /// It reported what cannot be, such as a tag that it was never given.
    Lied,
    /// It says itself that it could not serve the request.
    Refused,
}

/// A router in this process. [`InProcess`] makes a [`RouterUnderTest`] of it.
///
/// ```
/// use protocol::wire::{Dialect, PROTOCOL_VERSION};
/// use protocol::{Answer, Candidate, Capability, Changed, Change, Hello, InProcess, Local, Outcome, Query, Refusal};
/// use protocol::{Row, RouterUnderTest, Run, Step};
///
/// /// Knows one row at a time.
/// #[derive(Default)]
/// struct OneRow(Option<Row>);
///
/// impl Local for OneRow {
///     fn describe() -> Hello {
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
/// let run = Run {
///     steps: vec![Step::Change(Change::Upsert(Row::new("d1", "gpt-4o", "openai/gpt-4o", "v1")))],
///     observe: vec![1],
///     queries: vec![Query::new("gpt-4o", None)],
///     ..Run::default()
/// };
/// let replies = router.run(&[run])?;
/// assert_eq!(replies[0].observations[0].answers[0][0].candidates()[0].tag, "v1");
/// # Ok::<(), protocol::AdapterFault>(())
/// ```
pub trait Local {
    /// Who it is and what it can do.
    fn describe() -> Hello
    where
        Self: Sized;

    /// Becomes a fresh router constructed with these rows.
    fn reset(&mut self, initial: &[Row]) -> Changed;

    /// Carries out one change.
    fn change(&mut self, change: &Change) -> Changed;

    /// Answers one query: one answer for each path of the dialect.
    fn lookup(&self, query: &Query) -> Vec<Answer>;

    /// The model names that a caller of `team` is shown.
    fn listing(&self, team: Option<&str>) -> Vec<String> {
        let _ = team;
        Vec::new()
    }

    /// Entries in each derived structure.
    fn sizes(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

/// Asks a [`Local`] router everything that one moment's observation holds.
pub fn observe<R: Local>(router: &R, hello: &Hello, run: &Run) -> Observation {
    Observation {
        replica: None,
        answers: run.queries.iter().map(|query| router.lookup(query)).collect(),
        listings: if hello.can(Capability::Listing) {
            let listing = |team: &Option<String>| router.listing(team.as_deref());
            run.viewers.iter().map(listing).collect()
        } else {
            Vec::new()
        },
        sizes: router.sizes(),
    }
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
        Self {
            router,
            hello: R::describe(),
        }
    }

    fn run_one(&mut self, run: &Run) -> Result<RunReply, AdapterFault> {
        let initial = self.router.reset(&run.initial);
        let mut reply = RunReply {
            initial,
            steps: Vec::with_capacity(run.steps.len()),
            observations: Vec::with_capacity(run.observe.len()),
            router_ns: None,
        };
        let mut moments = run.observe.iter().map(|&after| after as usize).peekable();
        for done in 0..=run.steps.len() {
            if moments.next_if_eq(&done).is_some() {
                reply.observations.push(observe(&self.router, &self.hello, run));
            }
            let Some(step) = run.steps.get(done) else { break };
            reply.steps.push(match step {
                Step::Change(change) => StepReply::Changed(self.router.change(change)),
                Step::Lookup(query) => StepReply::Answered(self.router.lookup(query)),
                Step::Fleet(_) => {
                    let message = format!(
                        "`{}` is one router and no fleet; take a router-level trace",
                        self.hello.router
                    );
                    return Err(AdapterFault::new(FaultKind::Refused, message));
                }
            });
        }
        Ok(reply)
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
