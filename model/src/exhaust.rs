//! The exhaustive engine: every trace over a small alphabet of changes, breadth first, each state once.
//!
//! A state is what the router holds together with what it ought to hold. Of a router in this process that is its whole
//! memory, and a closed exploration proves the absence of the faults that the rules describe within the scope. Of a router
//! at the other end of a pipe it is everything that can be observed of it, and the statement is that much weaker.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::ControlFlow;
use std::rc::Rc;

use indexmap::IndexMap;
use protocol::router::observe;
use protocol::{
    AdapterFault, Change, Changed, Hello, Local, Observation, Outcome, RouterUnderTest, Row, Run, Step, StepReply,
};

use crate::alphabet::{alphabet, matrix};
use crate::evidence::{Fresh, Issued, Moment, Seen, Transition, applied, arrive, in_order, took_an_id_twice};
use crate::generate::viewers;
use crate::rules::{Finding, Tally};
use crate::search::{Failure, Signature, signature};
use crate::shrink::Case;
use crate::spec::Table;
use crate::trial::{Judge, carry_out, orders, seen_fresh};
use crate::universe::Scope;

/// How far to explore.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most states.
    pub states_max: usize,
    /// Whether to stop at the first failure.
    pub first_failure: bool,
}

/// What an exploration has come to.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Distinct states.
    pub states: usize,
    /// Changes carried out, each from a state of its own.
    pub transitions: u64,
    /// Changes on the longest of the shortest ways to a state.
    pub depth: usize,
    /// Whether every change was carried out from every state that no rule found fault with. Else it was cut.
    pub closed: bool,
    /// Whether a state was the router's whole memory, and not only what can be observed of it.
    pub whole_memory: bool,
    /// Answers judged.
    pub answers: u64,
    /// How often each rule had something to check.
    pub premises: BTreeMap<&'static str, u64>,
    /// The distinct failures, each with a shortest trace.
    pub failures: BTreeMap<Signature, Failure>,
}

/// What can be explored: where a change leads from a state, and what a fresh router shows.
trait Explorable {
    type State: Clone + Eq + Hash;
    const WHOLE_MEMORY: bool;

    fn start(&mut self) -> Result<Reached<Self::State>, AdapterFault>;

    /// What is to be seen of a state. Looking may change it: routers remember what they were asked.
    fn look(&self, state: &mut Self::State) -> Observation;

    /// Where each of `changes` leads from the end of `path`, which is in `state`.
    fn expand(
        &mut self,
        path: &[Change],
        state: &Self::State,
        changes: &[Change],
    ) -> Result<Vec<Reached<Self::State>>, AdapterFault>;

    fn fresh(&mut self, rows: &[Row]) -> Result<Fresh, AdapterFault>;
}

/// Where a change led to.
struct Reached<S> {
    state: S,
    changed: Changed,
}

/// Explores a router in this process.
///
/// # Errors
///
/// None of its own: the signature is that of [`explore_observed`].
pub fn explore<R: Local + Default + Clone + Eq + Hash>(
    judge: &Judge,
    scope: &Scope,
    limits: Limits,
    go_on: &mut dyn FnMut(&Explored) -> ControlFlow<()>,
) -> Result<Explored, AdapterFault> {
    let questions = questions(scope);
    let router: InMemory<R> = InMemory {
        hello: R::describe(),
        questions: questions.clone(),
        router: R::default(),
    };
    Explorer::new(router, judge, questions, limits).run(&alphabet(scope), go_on)
}

/// Explores a router by what can be observed of it, each state by carrying out the whole way to it.
///
/// # Errors
///
/// Those of the router under test.
pub fn explore_observed(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    scope: &Scope,
    limits: Limits,
    go_on: &mut dyn FnMut(&Explored) -> ControlFlow<()>,
) -> Result<Explored, AdapterFault> {
    let questions = questions(scope);
    let router = Observed {
        router,
        questions: questions.clone(),
    };
    Explorer::new(router, judge, questions, limits).run(&alphabet(scope), go_on)
}

fn questions(scope: &Scope) -> Run {
    Run {
        queries: matrix(scope),
        viewers: viewers(scope),
        ..Run::default()
    }
}

struct InMemory<R> {
    hello: Hello,
    questions: Run,
    router: R,
}

impl<R: Local + Default + Clone + Eq + Hash> Explorable for InMemory<R> {
    type State = R;
    const WHOLE_MEMORY: bool = true;

    fn start(&mut self) -> Result<Reached<R>, AdapterFault> {
        let mut state = self.router.clone();
        let changed = state.reset(&[]);
        Ok(Reached { state, changed })
    }

    fn look(&self, state: &mut R) -> Observation {
        observe(state, &self.hello, &self.questions)
    }

    fn expand(&mut self, _path: &[Change], state: &R, changes: &[Change]) -> Result<Vec<Reached<R>>, AdapterFault> {
        let reach = |change| {
            let mut state = state.clone();
            let changed = state.change(change);
            Reached { state, changed }
        };
        Ok(changes.iter().map(reach).collect())
    }

    fn fresh(&mut self, rows: &[Row]) -> Result<Fresh, AdapterFault> {
        let mut state = self.router.clone();
        Ok(match state.reset(rows).outcome {
            Outcome::Refused(why) => Err(why),
            Outcome::Applied | Outcome::Unchanged => Ok(self.look(&mut state)),
        })
    }
}

struct Observed<'a> {
    router: &'a mut dyn RouterUnderTest,
    questions: Run,
}

impl Explorable for Observed<'_> {
    type State = Observation;
    const WHOLE_MEMORY: bool = false;

    fn start(&mut self) -> Result<Reached<Observation>, AdapterFault> {
        let run = Run {
            observe: vec![0],
            ..self.questions.clone()
        };
        let mut replies = self.router.run(&[run])?;
        let mut reply = replies.remove(0);
        Ok(Reached {
            state: reply.observations.remove(0),
            changed: reply.initial,
        })
    }

    fn look(&self, state: &mut Observation) -> Observation {
        state.clone()
    }

    fn expand(
        &mut self,
        path: &[Change],
        _state: &Observation,
        changes: &[Change],
    ) -> Result<Vec<Reached<Observation>>, AdapterFault> {
        let length = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
        let runs: Vec<Run> = changes
            .iter()
            .map(|change| Run {
                steps: path.iter().chain([change]).cloned().map(Step::Change).collect(),
                observe: vec![length],
                ..self.questions.clone()
            })
            .collect();
        let reached = carry_out(self.router, &runs)?.into_iter().filter_map(|mut reply| {
            let Some(StepReply::Changed(changed)) = reply.steps.pop() else {
                return None;
            };
            Some(Reached {
                state: reply.observations.remove(0),
                changed,
            })
        });
        Ok(reached.collect())
    }

    fn fresh(&mut self, rows: &[Row]) -> Result<Fresh, AdapterFault> {
        let run = Run {
            initial: rows.to_vec(),
            observe: vec![0],
            ..self.questions.clone()
        };
        Ok(seen_fresh(&self.router.run(&[run])?[0]))
    }
}

/// A state that was reached, and how.
struct Node<S> {
    /// What the router is once it was looked at.
    looked_at: S,
    /// The state before and the change that led here; none for the start.
    from: Option<(usize, usize)>,
    depth: usize,
    changed: Changed,
    seen: Rc<Observation>,
    /// The ids of the table in the order in which they arrived.
    order: Vec<String>,
    /// Whether a rule found fault: what lies behind it is a consequence.
    failed: bool,
}

struct Explorer<'a, E: Explorable> {
    router: E,
    judge: &'a Judge,
    questions: Run,
    limits: Limits,
    /// By what the router is before it is looked at, and what it ought to hold.
    nodes: IndexMap<(E::State, Table), Node<E::State>>,
    fresh: HashMap<Vec<Row>, Fresh>,
    issued: Issued,
    explored: Explored,
}

impl<'a, E: Explorable> Explorer<'a, E> {
    fn new(router: E, judge: &'a Judge, questions: Run, limits: Limits) -> Self {
        Self {
            router,
            judge,
            questions,
            limits,
            nodes: IndexMap::new(),
            fresh: HashMap::new(),
            issued: Issued::new(),
            explored: Explored {
                whole_memory: E::WHOLE_MEMORY,
                ..Explored::default()
            },
        }
    }

    fn run(
        mut self,
        alphabet: &[Change],
        go_on: &mut dyn FnMut(&Explored) -> ControlFlow<()>,
    ) -> Result<Explored, AdapterFault> {
        let rows = alphabet.iter().flat_map(Change::rows);
        self.issued = rows.map(|row| (row.tag.clone(), row.clone())).collect();
        let Reached { state, changed } = self.router.start()?;
        let mut looked_at = state.clone();
        let seen = Rc::new(self.router.look(&mut looked_at));
        let node = Node {
            looked_at,
            from: None,
            depth: 0,
            changed,
            seen,
            order: Vec::new(),
            failed: false,
        };
        self.nodes.insert((state, Table::new()), node);
        let mut next = 0;
        self.explored.closed = true;
        while next < self.nodes.len() {
            let enough = self.limits.first_failure && !self.explored.failures.is_empty();
            if enough || self.nodes.len() > self.limits.states_max || go_on(&self.explored).is_break() {
                self.explored.closed = false;
                break;
            }
            if !self.nodes[next].failed {
                self.expand(next, alphabet)?;
            }
            next += 1;
        }
        self.explored.states = self.nodes.len();
        Ok(self.explored)
    }

    /// Carries out every change from that state, and judges each as it is made: a failure is seen at its shortest trace.
    fn expand(&mut self, from: usize, alphabet: &[Change]) -> Result<(), AdapterFault> {
        let path = self.path(from, alphabet);
        let ((_, table), node) = self.nodes.get_index(from).expect("a node is expanded by its index");
        let (state, table) = (node.looked_at.clone(), table.clone());
        let reached = self.router.expand(&path, &state, alphabet)?;
        for (index, (change, reached)) in alphabet.iter().zip(reached).enumerate() {
            self.explored.transitions += 1;
            let Reached { state, changed } = reached;
            let now = applied(&table, change, &changed.outcome);
            let lost = took_an_id_twice(change, &changed.outcome, &now);
            let mut order = self.nodes[from].order.clone();
            arrive(&mut order, change, &changed.outcome, &now);
            let key = (state, now);
            let known = self.nodes.get(&key).map(|node| Rc::clone(&node.seen));
            let new = !lost && known.is_none();
            let mut looked_at = None;
            let seen = known.unwrap_or_else(|| {
                let state = looked_at.insert(key.0.clone());
                Rc::new(self.router.look(state))
            });
            let mut tally = Tally::default();
            self.judge_transition(from, change, (&table, &key.1), (&changed, &seen), &mut tally);
            let depth = path.len() + 1;
            if new {
                self.judge_moment(depth, &key.1, &order, &seen, &mut tally)?;
                self.explored.depth = self.explored.depth.max(depth);
            }
            let failed = !tally.findings.is_empty();
            self.note(&path, change, tally);
            if let Some(looked_at) = looked_at.filter(|_| new) {
                let node = Node {
                    looked_at,
                    from: Some((from, index)),
                    depth,
                    changed,
                    seen,
                    order,
                    failed,
                };
                self.nodes.insert(key, node);
            }
        }
        Ok(())
    }

    fn judge_transition(
        &self,
        from: usize,
        change: &Change,
        (before, now): (&Table, &Table),
        (changed, seen): (&Changed, &Observation),
        tally: &mut Tally,
    ) {
        let node = &self.nodes[from];
        let transition = Transition {
            ground: self.judge.ground(),
            after: node.depth + 1,
            change,
            changed,
            before,
            now,
            held_before: node.changed.held.as_deref(),
            seen: Some(Seen {
                queries: &self.questions.queries,
                viewers: &self.questions.viewers,
                before: &node.seen,
                after: seen,
            }),
        };
        self.judge.rules().judge_transition(&transition, tally);
    }

    fn judge_moment(
        &mut self,
        after: usize,
        table: &Table,
        order: &[String],
        seen: &Observation,
        tally: &mut Tally,
    ) -> Result<(), AdapterFault> {
        let mut fresh = Vec::new();
        if self.judge.rules().needs_fresh() {
            for rows in orders(&in_order(order, table)) {
                fresh.push(self.fresh_of(rows)?);
            }
        }
        let moment = Moment {
            ground: self.judge.ground(),
            table,
            issued: &self.issued,
            after,
            queries: &self.questions.queries,
            viewers: &self.questions.viewers,
            seen,
            fresh: &fresh,
        };
        self.explored.answers += seen.answers.iter().map(Vec::len).sum::<usize>() as u64;
        self.judge.rules().judge_moment(&moment, tally);
        Ok(())
    }

    fn fresh_of(&mut self, rows: Vec<Row>) -> Result<Fresh, AdapterFault> {
        if let Some(fresh) = self.fresh.get(&rows) {
            return Ok(fresh.clone());
        }
        let fresh = self.router.fresh(&rows)?;
        self.fresh.insert(rows, fresh.clone());
        Ok(fresh)
    }

    /// The changes that lead to a node.
    fn path(&self, node: usize, alphabet: &[Change]) -> Vec<Change> {
        let mut path = Vec::new();
        let mut at = node;
        while let Some((from, change)) = self.nodes[at].from {
            path.push(alphabet[change].clone());
            at = from;
        }
        path.reverse();
        path
    }

    fn note(&mut self, path: &[Change], change: &Change, tally: Tally) {
        for (rule, count) in tally.premises {
            *self.explored.premises.entry(rule).or_default() += count;
        }
        for finding in tally.findings {
            let steps: Vec<Step> = path.iter().chain([change]).cloned().map(Step::Change).collect();
            let signature = signature(&finding, &steps);
            let known = self.explored.failures.get_mut(&signature);
            if let Some(failure) = known {
                failure.count += 1;
                continue;
            }
            let failure = first_failure(signature.clone(), finding, steps);
            self.explored.failures.insert(signature, failure);
        }
    }
}

fn first_failure(signature: Signature, finding: Finding, steps: Vec<Step>) -> Failure {
    Failure {
        signature,
        trace: 0,
        universe: "exhaustive",
        steps: steps.len(),
        count: 1,
        shrunk: false,
        case: Case {
            initial: Vec::new(),
            steps,
            query: finding.query.clone(),
            viewer: finding.viewer.clone(),
            every_step: finding.rule == "atomic-refusal",
        },
        finding,
    }
}
