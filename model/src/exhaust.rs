//! The exhaustive engine: every trace over a small alphabet of changes, breadth first, each state once.
//!
//! A state is what the router holds together with what it ought to hold. Of a router in this process that is its whole
//! memory, and a closed exploration proves the absence of the faults that the rules describe within the scope. Of a router
//! at the other end of a pipe it is everything that can be observed of it, and the statement is that much weaker.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::ControlFlow;
use std::rc::Rc;

use indexmap::IndexMap;
use protocol::local::observe;
use protocol::{
    AdapterFault, Change, Changed, Local, Observation, Outcome, Questions, Round, RouterUnderTest, Row, Run, RunReply,
    Shown, Step, StepReply, Trace,
};

use crate::alphabet::{alphabet, matrix};
use crate::evidence::{Arrivals, Fresh, Issued, Look, Moment, Transition, applied, took_an_id_twice};
use crate::failure::{Failure, Finding, Origin, Signature};
use crate::generate::{beside, viewers};
use crate::hunt::{Ended, GoOn, Hunt, Interrupted, Limit, Pace, Work};
use crate::rules::{Tally, add_premises};
use crate::shrink::about;
use crate::spec::Table;
use crate::trial::{Judge, carry_out, seen_fresh};
use crate::universe::Scope;

/// The most rows of which every order is tried in each state; of more, those that routers keep by a plain policy.
const EVERY_ORDER_OF: usize = 3;

/// The limits of an exploration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most states.
    pub states_max: usize,
    /// True to stop at the first failure.
    pub first_failure: bool,
}

/// A router to be explored: where a change leads from a state, and what a fresh router shows.
trait Explorable {
    type State: Clone + Eq + Hash;
    const WHOLE_MEMORY: bool;

    fn start(&mut self) -> Result<Reached<Self::State>, AdapterFault>;

    /// Returns the answers in a state. Looking may change it: routers remember what they were asked.
    fn look(&self, state: &mut Self::State) -> Observation;

    /// Returns the states to which each of `changes` leads from the end of `path`, which is in `state`.
    fn expand(
        &mut self,
        path: &[Change],
        state: &Self::State,
        changes: &[Change],
    ) -> Result<Vec<Reached<Self::State>>, AdapterFault>;

    fn fresh(&mut self, rows: &[Row]) -> Result<Fresh, AdapterFault>;
}

/// The state to which a change led, and the reply to the change.
struct Reached<S> {
    state: S,
    changed: Changed,
}

/// Explores a router in this process.
///
/// # Errors
///
/// None of its own: it returns what [`explore_observed`] does.
pub fn explore<R: Local + Default + Clone + Eq + Hash>(
    judge: &Judge,
    scope: &Scope,
    limits: Limits,
    go_on: &mut GoOn,
) -> Result<Hunt, Interrupted> {
    let questions = questions(scope);
    let router: InMemory<R> = InMemory {
        questions: questions.clone(),
        router: R::default(),
    };
    Explorer::new(router, judge, questions, limits).run(&alphabet(scope), go_on)
}

/// Explores a router by what can be observed of it, each state by carrying out the whole way to it.
///
/// # Errors
///
/// Those of the router under test, with what was found before.
pub fn explore_observed(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    scope: &Scope,
    limits: Limits,
    go_on: &mut GoOn,
) -> Result<Hunt, Interrupted> {
    let questions = questions(scope);
    let router = Observed {
        router,
        questions: questions.clone(),
    };
    Explorer::new(router, judge, questions, limits).run(&alphabet(scope), go_on)
}

/// Every question of the scope, asked at once.
fn questions(scope: &Scope) -> Asked {
    Asked(Questions::at(beside(scope, matrix(scope), viewers(scope)), [0]))
}

/// Questions with one round that asks them all.
#[derive(Clone)]
struct Asked(Questions);

impl Asked {
    fn round(&self) -> &Round {
        &self.0.rounds[0]
    }

    fn look<'a>(&'a self, seen: &'a Observation) -> Look<'a> {
        Look {
            questions: &self.0,
            round: self.round(),
            seen,
        }
    }

    /// The run of a router of these rows that asks everything behind the last of these steps.
    fn run(&self, rows: Vec<Row>, steps: Vec<Step>) -> Run {
        Run {
            questions: Questions::at_end(self.0.asked.clone(), steps.len()),
            trace: Trace::of_router(rows, steps),
        }
    }
}

struct InMemory<R> {
    questions: Asked,
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
        observe(state, &self.questions.0, self.questions.round())
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
    questions: Asked,
}

impl Explorable for Observed<'_> {
    type State = Observation;
    const WHOLE_MEMORY: bool = false;

    fn start(&mut self) -> Result<Reached<Observation>, AdapterFault> {
        let run = self.questions.run(Vec::new(), Vec::new());
        let mut replies = self.router.run(&[run])?;
        let mut reply = replies.remove(0);
        Ok(Reached {
            state: last_seen(&mut reply),
            changed: reply.setup,
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
        let run = |change| {
            let steps = path.iter().chain([change]).cloned().map(Step::Change);
            self.questions.run(Vec::new(), steps.collect())
        };
        let runs: Vec<Run> = changes.iter().map(run).collect();
        let reached = carry_out(self.router, &runs)?.into_iter().filter_map(|mut reply| {
            let Some(StepReply::Changed(changed)) = reply.steps.pop() else {
                return None;
            };
            Some(Reached {
                state: last_seen(&mut reply),
                changed,
            })
        });
        Ok(reached.collect())
    }

    fn fresh(&mut self, rows: &[Row]) -> Result<Fresh, AdapterFault> {
        let run = self.questions.run(rows.to_vec(), Vec::new());
        Ok(seen_fresh(&self.router.run(&[run])?[0]))
    }
}

/// Returns the answers of the only round of a run; empty where the reply has none.
fn last_seen(reply: &mut RunReply) -> Observation {
    let round = reply.rounds.pop().unwrap_or_default();
    round.into_iter().next().unwrap_or_default()
}

/// A state that was reached, and how.
struct Node<S> {
    /// The router's state once it was looked at.
    looked_at: S,
    /// The state before and the change that led here; none for the start.
    from: Option<(usize, usize)>,
    depth: usize,
    changed: Changed,
    seen: Rc<Observation>,
    /// The orders of the ids of the table.
    arrivals: Arrivals,
    /// True if a rule was broken on the way here: the state is not explored further, since later failures may be
    /// consequences.
    failed: bool,
}

struct Explorer<'a, E: Explorable> {
    router: E,
    judge: &'a Judge,
    questions: Asked,
    limits: Limits,
    /// Visited states, keyed by (router state before any lookup, expected table).
    nodes: IndexMap<(E::State, Table), Node<E::State>>,
    fresh: HashMap<Vec<Row>, Fresh>,
    issued: Issued,
    hunt: Hunt,
}

impl<'a, E: Explorable> Explorer<'a, E> {
    fn new(router: E, judge: &'a Judge, questions: Asked, limits: Limits) -> Self {
        Self {
            router,
            judge,
            questions,
            limits,
            nodes: IndexMap::new(),
            fresh: HashMap::new(),
            issued: Issued::new(),
            hunt: Hunt {
                work: Work {
                    whole_memory: E::WHOLE_MEMORY,
                    ..Work::default()
                },
                ended: Ended::Exhausted,
                ..Hunt::default()
            },
        }
    }

    fn run(mut self, alphabet: &[Change], go_on: &mut GoOn) -> Result<Hunt, Interrupted> {
        let ended = self.visit_all(alphabet, go_on);
        self.hunt.work.states = self.nodes.len();
        match ended {
            Ok(ended) => {
                self.hunt.ended = ended;
                Ok(self.hunt)
            }
            Err(fault) => Err(Interrupted {
                fault,
                hunt: Box::new(self.hunt),
            }),
        }
    }

    /// Expands every state that can be reached, or as many as there is time for.
    fn visit_all(&mut self, alphabet: &[Change], go_on: &mut GoOn) -> Result<Ended, AdapterFault> {
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
            arrivals: Arrivals::default(),
            failed: false,
        };
        self.nodes.insert((state, Table::new()), node);
        let mut next = 0;
        while next < self.nodes.len() {
            if !self.nodes[next].failed
                && let ControlFlow::Break(ended) = self.expand(next, alphabet, go_on)?
            {
                return Ok(ended);
            }
            next += 1;
        }
        Ok(Ended::Exhausted)
    }

    /// The number of changes that the next message may carry out, or the reason to stop before everything was seen.
    fn pace(&self, go_on: &mut GoOn) -> ControlFlow<Ended, usize> {
        if self.limits.first_failure && !self.hunt.failures.is_empty() {
            return ControlFlow::Break(Ended::Violated);
        }
        if self.nodes.len() > self.limits.states_max {
            return ControlFlow::Break(Ended::Cut(Limit::States(self.limits.states_max as u64)));
        }
        match go_on(&self.hunt) {
            Pace::Continue(runs) => ControlFlow::Continue((runs as usize).max(1)),
            Pace::Break(()) => ControlFlow::Break(Ended::Cut(Limit::Budget)),
        }
    }

    /// Carries out every change from that state, and judges each as it is made: a failure is seen at its shortest trace.
    fn expand(
        &mut self,
        from: usize,
        alphabet: &[Change],
        go_on: &mut GoOn,
    ) -> Result<ControlFlow<Ended>, AdapterFault> {
        let path = self.path(from, alphabet);
        let ((_, table), node) = self.nodes.get_index(from).expect("a node is expanded by its index");
        let (state, table) = (node.looked_at.clone(), table.clone());
        let mut done = 0;
        while done < alphabet.len() {
            let pace = match self.pace(go_on) {
                ControlFlow::Continue(pace) => pace,
                ControlFlow::Break(ended) => return Ok(ControlFlow::Break(ended)),
            };
            let changes = &alphabet[done..alphabet.len().min(done.saturating_add(pace))];
            let reached = self.router.expand(&path, &state, changes)?;
            for (change, reached) in changes.iter().zip(reached) {
                self.arrive_at(from, &path, (done, change), &table, reached)?;
                done += 1;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Judges where a change of the alphabet led from a state, and keeps the state if it is new.
    fn arrive_at(
        &mut self,
        from: usize,
        path: &[Change],
        (index, change): (usize, &Change),
        table: &Table,
        Reached { state, changed }: Reached<E::State>,
    ) -> Result<(), AdapterFault> {
        self.hunt.work.changes += 1;
        let now = applied(table, change, &changed.outcome);
        let lost = took_an_id_twice(change, &changed.outcome, &now);
        let mut arrivals = self.nodes[from].arrivals.clone();
        arrivals.follow(change, &changed.outcome, &now);
        self.hunt.work.effects += u64::from(now != *table);
        let key = (state, now);
        let known = self.nodes.get(&key).map(|node| Rc::clone(&node.seen));
        let new = !lost && known.is_none();
        let mut looked_at = None;
        let seen = known.unwrap_or_else(|| {
            let state = looked_at.insert(key.0.clone());
            Rc::new(self.router.look(state))
        });
        let mut tally = Tally::default();
        self.judge_transition(from, change, (table, &key.1), (&changed, &seen), &mut tally);
        let depth = path.len() + 1;
        if new {
            self.judge_moment(depth, &key.1, &arrivals, &seen, &mut tally)?;
            self.hunt.work.depth = self.hunt.work.depth.max(depth);
        }
        let failed = !tally.findings.is_empty();
        self.note(path, change, tally);
        if let Some(looked_at) = looked_at.filter(|_| new) {
            let node = Node {
                looked_at,
                from: Some((from, index)),
                depth,
                changed,
                seen,
                arrivals,
                failed,
            };
            self.nodes.insert(key, node);
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
            seen: Some((self.questions.look(&node.seen), self.questions.look(seen))),
            // Each refusal in each state would take a fresh router of its own: that is left to drawn traces.
            again: &[],
        };
        self.judge.rules().judge_transition(&transition, tally);
    }

    fn judge_moment(
        &mut self,
        after: usize,
        table: &Table,
        arrivals: &Arrivals,
        seen: &Observation,
        tally: &mut Tally,
    ) -> Result<(), AdapterFault> {
        self.hunt.work.answers += seen.shown.iter().map(count_of_answers).sum::<usize>() as u64;
        let two = if self.judge.rules().needs_fresh() {
            arrivals.two_orders(table)
        } else {
            Vec::new()
        };
        let mut of_moment = self.moment_beside(after, table, two, seen)?;
        let mut findings = of_moment.findings.iter();
        if findings.any(|finding| finding.rule.rests_on_any_order()) {
            let orders = arrivals.orders(table, EVERY_ORDER_OF);
            of_moment = self.moment_beside(after, table, orders, seen)?;
        }
        tally.absorb(of_moment);
        Ok(())
    }

    /// Judges a moment beside fresh routers of the rows in these orders.
    fn moment_beside(
        &mut self,
        after: usize,
        table: &Table,
        orders: Vec<Vec<Row>>,
        seen: &Observation,
    ) -> Result<Tally, AdapterFault> {
        let fresh: Result<Vec<Fresh>, AdapterFault> = orders.into_iter().map(|rows| self.fresh_of(rows)).collect();
        let fresh = fresh?;
        let mut tally = Tally::default();
        let moment = Moment {
            replica: None,
            polls: 0,
            ground: self.judge.ground(),
            table,
            issued: &self.issued,
            variants: &[],
            after,
            look: self.questions.look(seen),
            fresh: &fresh,
        };
        self.judge.rules().judge_moment(&moment, &mut tally);
        Ok(tally)
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
        add_premises(&mut self.hunt.premises, tally.premises);
        for finding in tally.findings {
            let steps: Vec<Step> = path.iter().chain([change]).cloned().map(Step::Change).collect();
            let signature = Signature::of(&finding, &steps);
            if let Some(failure) = self.hunt.failures.get_mut(&signature) {
                failure.count += 1;
            } else {
                let failure = first_failure(signature.clone(), finding, steps);
                self.hunt.failures.insert(signature, failure);
            }
        }
    }
}

fn count_of_answers(shown: &Shown) -> usize {
    match shown {
        Shown::Answers(answers) => answers.len(),
        _ => 0,
    }
}

fn first_failure(signature: Signature, finding: Finding, steps: Vec<Step>) -> Failure {
    let run = Run {
        trace: Trace::of_router(Vec::new(), steps),
        ..Run::default()
    };
    Failure {
        signature,
        origin: Origin {
            universe: "exhaustive",
            trace: 0,
            steps: run.trace.steps.len(),
        },
        count: 1,
        shrunk: false,
        run: about(&run, &finding),
        finding,
    }
}
