//! The property tester: runs as a strategy of proptest, drawn as the random engine draws them.
//!
//! proptest draws a run; one that breaks a rule is made small by [`model::shrink`] and kept as a trace. proptest's own
//! files of failures are not used: a seed says nothing to a reader, and it means another run once a generator has changed.

use std::cell::RefCell;

use model::universe::Scope;
use model::{Cadence, Choices, Finding, Judge, Shrunk, generate, shrink, trial};
use proptest::prelude::Rng as _;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use protocol::{AdapterFault, RouterUnderTest, Run};

/// Runs in any of these scopes, of which there is at least one.
#[derive(Clone, Debug)]
pub struct Runs(pub Vec<Scope>);

/// A run that proptest does not make smaller: [`shrink`] does, which keeps the rule, the class and the tier.
#[derive(Clone, Debug)]
pub struct RunTree(Run);

/// A run that broke a rule.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Changes carried out until then.
    pub changes: u64,
    /// The rule that it broke, and how.
    pub finding: Finding,
    /// The run made small; nothing where the failure does not show again.
    pub shrunk: Option<Shrunk>,
}

/// Puts `cases` runs on trial, all drawn from the seed, and gives the first that breaks a rule.
///
/// # Errors
///
/// A fault of the router under test.
pub fn check_property(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    runs: &Runs,
    seed: u32,
    cases: u32,
) -> Result<Option<Broken>, AdapterFault> {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let trials = RefCell::new(Trials {
        router,
        judge,
        changes: 0,
        first: None,
        fault: None,
    });
    let outcome = TestRunner::new_with_rng(config, rng).run(runs, |run| trials.borrow_mut().hold(&run));
    let Trials {
        router, first, fault, ..
    } = trials.into_inner();
    if let Some(fault) = fault {
        return Err(fault);
    }
    match (first, outcome) {
        (Some((changes, findings)), Err(TestError::Fail(_, run))) => {
            let mut broken = None;
            // One that does not show again by itself tells less than one that does.
            for finding in findings {
                let shrunk = shrink(router, judge, &run, &finding, &mut || true)?;
                let is_small = shrunk.is_some();
                broken.get_or_insert((finding.clone(), None));
                if is_small {
                    broken = Some((finding, shrunk));
                    break;
                }
            }
            Ok(broken.map(|(finding, shrunk)| Broken {
                changes,
                finding,
                shrunk,
            }))
        }
        _ => Ok(None),
    }
}

struct Trials<'a> {
    router: &'a mut dyn RouterUnderTest,
    judge: &'a Judge,
    /// Changes carried out before a rule was broken.
    changes: u64,
    /// The number of changes after which a rule was first broken, and the findings of that run.
    first: Option<(u64, Vec<Finding>)>,
    fault: Option<AdapterFault>,
}

impl Trials<'_> {
    fn hold(&mut self, run: &Run) -> Result<(), TestCaseError> {
        self.changes += run.trace.steps.len() as u64;
        match findings(self.router, self.judge, run) {
            Ok(found) => {
                let Some(finding) = found.first() else { return Ok(()) };
                let why = TestCaseError::fail(finding.rule.name());
                self.first.get_or_insert((self.changes, found));
                Err(why)
            }
            // A run that the router cannot be put through is no run that breaks a rule, and ends everything.
            Err(fault) => {
                self.fault.get_or_insert(fault);
                Err(TestCaseError::fail("the adapter failed"))
            }
        }
    }
}

fn findings(router: &mut dyn RouterUnderTest, judge: &Judge, run: &Run) -> Result<Vec<Finding>, AdapterFault> {
    let judged = trial(router, judge, std::slice::from_ref(run))?;
    Ok(judged.into_iter().flat_map(|judged| judged.tally.findings).collect())
}

impl Strategy for Runs {
    type Tree = RunTree;
    type Value = Run;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut choices = Drawn(runner.rng());
        let scope = &self.0[choices.below(self.0.len())];
        Ok(RunTree(generate(scope, &mut choices, Cadence::Drawn)))
    }
}

/// The choices of proptest's own generator.
struct Drawn<'a>(&'a mut TestRng);

impl Choices for Drawn<'_> {
    fn below(&mut self, count: usize) -> usize {
        let drawn = u128::from(self.0.next_u64()) * count as u128;
        usize::try_from(drawn >> u64::BITS).expect("a number below a `usize` is one")
    }
}

impl ValueTree for RunTree {
    type Value = Run;

    fn current(&self) -> Run {
        self.0.clone()
    }

    fn simplify(&mut self) -> bool {
        false
    }

    fn complicate(&mut self) -> bool {
        false
    }
}
