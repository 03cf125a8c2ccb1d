//! The exhaustive engine: every trace over a small alphabet of changes, breadth first, each state once.
//!
//! Asking is an action too, since a router may remember what it was asked. First, everything is asked after each change, and
//! the next change is made on what that left behind. Then, if [`ExhaustLimits::single_lookups`] says so, from each state again: with
//! nothing asked before the change, and with one lookup. Where asking leaves a state as it was, which is so of each state of a
//! router that remembers nothing, there is nothing to carry out, and nothing is counted.
//!
//! A state is what the router holds together with what it ought to hold. Of a router in this process that is its whole
//! memory, and a closed exploration proves the absence of the faults that the rules describe within the scope. Of a router
//! at the other end of a pipe it is everything that can be observed of it, and the statement is that much weaker.

mod explorable;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::ops::ControlFlow;
use std::rc::Rc;

use indexmap::IndexMap;
use protocol::{
    AdapterFault, Change, Changed, Local, Observation, Outcome, Question, RouterUnderTest, Row, Run, Shown, Step, Trace,
};

use self::explorable::{Explorable, InMemory, Matrix, Observed, Reached, questions};
use crate::alphabet::{alphabet, single_lookups};
use crate::evidence::{Arrivals, Fresh, Issued, Moment, Transition, applied_table, took_an_id_twice};
use crate::failure::{Failure, Finding, Origin, Signature};
use crate::hunt::{Ended, GoOn, Hunt, Interrupted, Limit, Pace, Work};
use crate::reach::Reach;
use crate::rules::{Tally, add_premises};
use crate::shrink::about;
use crate::spec::Table;
use crate::trial::Judge;
use crate::universe::Scope;

/// The most rows of which every order is tried in each state; of more, those that routers keep by a plain policy.
const EVERY_ORDER_OF: usize = 3;

/// The limits of an exploration.
#[derive(Clone, Copy, Debug)]
pub struct ExhaustLimits {
    /// The most states.
    pub states_max: usize,
    /// True to stop at the first failure.
    pub first_failure: bool,
    /// True to make changes behind single lookups, and behind none, as well.
    pub single_lookups: bool,
}

/// Explores `router`, which is in this process, from where it is reset to hold nothing.
///
/// # Errors
///
/// None of its own: the signature is that of [`explore_observed`].
pub fn explore<R: Local + Clone + Eq + Hash>(
    router: R,
    judge: &Judge,
    scope: &Scope,
    limits: ExhaustLimits,
    go_on: &mut GoOn,
) -> Result<Hunt, Interrupted> {
    let questions = questions(scope);
    let router = InMemory::new(router, questions.clone());
    let issued = issued(scope);
    let reach = Reach::new(judge.ground().kept.as_ref(), issued.values());
    Explorer::new(router, judge, questions, (&issued, &reach), (scope, limits)).run(go_on)
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
    limits: ExhaustLimits,
    go_on: &mut GoOn,
) -> Result<Hunt, Interrupted> {
    let questions = questions(scope);
    let router = Observed::new(router, questions.clone());
    let issued = issued(scope);
    let reach = Reach::new(judge.ground().kept.as_ref(), issued.values());
    Explorer::new(router, judge, questions, (&issued, &reach), (scope, limits)).run(go_on)
}

/// The versions of rows that the changes of a scope give.
fn issued(scope: &Scope) -> Issued {
    let alphabet = alphabet(scope);
    let rows = alphabet.iter().flat_map(Change::rows);
    rows.map(|row| (row.tag.clone(), row.clone())).collect()
}

/// The questions that are asked in a state before a change is made.
#[derive(Clone, Copy)]
enum Before {
    Everything,
    Nothing,
    /// The question at that place.
    One(usize),
}

/// A state that was reached, and how.
struct Node<S> {
    /// The router's state once it was looked at.
    looked_at: S,
    /// The state before, what was asked in it, and the change that led here; none for the start.
    from: Option<(usize, Before, usize)>,
    depth: usize,
    /// True if everything was asked before each change on the way.
    chained: bool,
    /// Number of changes on the way before which something was asked.
    asks: usize,
    changed: Changed,
    seen: Rc<Observation>,
    /// The orders of the ids of the table.
    arrivals: Arrivals,
    /// True if a rule was broken on the way here: the state is not explored further, since later failures may be
    /// consequences.
    failed: bool,
}

/// A node, and the router's states from which changes are to be made there, each with what was asked for it.
struct Departures<S> {
    from: usize,
    states: Vec<(Before, S)>,
}

struct Explorer<'a, E: Explorable> {
    router: E,
    judge: &'a Judge,
    questions: Matrix,
    alphabet: Vec<Change>,
    /// The places of the questions that are asked alone.
    alone: Vec<usize>,
    limits: ExhaustLimits,
    /// Visited states, keyed by (router state before any lookup, expected table).
    nodes: IndexMap<(E::State, Table), Node<E::State>>,
    /// The chained nodes from which no change was made yet.
    chain: VecDeque<usize>,
    /// The nodes from which no change was made behind single lookups and behind none, by the number of asks on the way: few
    /// asks show most, and many are many states. Source: Musuvathi and Qadeer, "Iterative Context Bounding", PLDI 2007.
    alone_from: BTreeSet<(usize, usize)>,
    fresh: HashMap<Vec<Row>, Fresh>,
    issued: &'a Issued,
    reach: &'a Reach<'a>,
    hunt: Hunt,
}

impl<'a, E: Explorable> Explorer<'a, E> {
    fn new(
        router: E,
        judge: &'a Judge,
        questions: Matrix,
        (issued, reach): (&'a Issued, &'a Reach<'a>),
        (scope, limits): (&Scope, ExhaustLimits),
    ) -> Self {
        let alphabet = alphabet(scope);
        let singles = if limits.single_lookups {
            single_lookups(scope)
        } else {
            Vec::new()
        };
        let is_single = |question: &Question| question.query().is_some_and(|query| singles.contains(query));
        let asked = questions.questions().iter().enumerate();
        let alone = asked.filter_map(|(place, question)| is_single(question).then_some(place));
        Self {
            router,
            judge,
            alphabet,
            alone: alone.collect(),
            questions,
            limits,
            nodes: IndexMap::new(),
            chain: VecDeque::new(),
            alone_from: BTreeSet::new(),
            fresh: HashMap::new(),
            issued,
            reach,
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

    fn run(mut self, go_on: &mut GoOn) -> Result<Hunt, Interrupted> {
        let ended = self.visit_all(go_on);
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
    fn visit_all(&mut self, go_on: &mut GoOn) -> Result<Ended, AdapterFault> {
        let Reached { state, changed } = self.router.start()?;
        let mut looked_at = state.clone();
        let seen = Rc::new(self.router.look(&mut looked_at));
        let node = Node {
            looked_at,
            from: None,
            depth: 0,
            chained: true,
            asks: 0,
            changed,
            seen,
            arrivals: Arrivals::default(),
            failed: false,
        };
        self.insert((state, Table::new()), node);
        while let Some(Departures { from, states }) = self.next() {
            for (before, state) in states {
                if let ControlFlow::Break(ended) = self.expand(from, before, &state, go_on)? {
                    return Ok(ended);
                }
            }
        }
        Ok(Ended::Exhausted)
    }

    fn insert(&mut self, key: (E::State, Table), node: Node<E::State>) {
        if !node.failed {
            let index = self.nodes.len();
            if node.chained {
                self.chain.push_back(index);
            }
            if self.limits.single_lookups {
                self.alone_from.insert((node.asks, index));
            }
        }
        self.nodes.insert(key, node);
    }

    /// The next node to make changes from, and what it is once something was asked. What is behind everything comes first:
    /// most faults need no more, and show in fewer changes.
    fn next(&mut self) -> Option<Departures<E::State>> {
        if let Some(from) = self.chain.pop_front() {
            let states = vec![(Before::Everything, self.nodes[from].looked_at.clone())];
            return Some(Departures { from, states });
        }
        let (_, from) = self.alone_from.pop_first()?;
        let ((unasked, _), node) = self.nodes.get_index(from).expect("nodes are never taken out");
        let everything = (Before::Everything, node.looked_at.clone());
        let one = |place: &usize| (Before::One(*place), self.router.ask(unasked, *place));
        let asked = self.alone.iter().map(one).chain([everything]);
        let asked = asked.filter(|(_, state)| state != unasked);
        let nothing = std::iter::once((Before::Nothing, unasked.clone()));
        let is_done = |state: &E::State| node.chained && *state == node.looked_at;
        let states = nothing.chain(asked).filter(|(_, state)| !is_done(state)).collect();
        Some(Departures { from, states })
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

    /// Carries out every change on that state of a node, and judges each as it is made: a failure is seen at its shortest
    /// trace.
    fn expand(
        &mut self,
        from: usize,
        before: Before,
        state: &E::State,
        go_on: &mut GoOn,
    ) -> Result<ControlFlow<Ended>, AdapterFault> {
        let mut path = self.path(from);
        path.extend(self.asked_at(from, before));
        let mut done = 0;
        while done < self.alphabet.len() {
            let pace = match self.pace(go_on) {
                ControlFlow::Continue(pace) => pace,
                ControlFlow::Break(ended) => return Ok(ControlFlow::Break(ended)),
            };
            let until = self.alphabet.len().min(done.saturating_add(pace));
            let reached = self.router.expand(&path, state, &self.alphabet[done..until])?;
            for reached in reached {
                path.push(Step::Change(self.alphabet[done].clone()));
                self.arrive_at((from, before, done), &path, reached)?;
                path.pop();
                done += 1;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Judges where a change of the alphabet led from a node, at the end of `path`, and keeps the state if it is new.
    fn arrive_at(
        &mut self,
        (from, before, index): (usize, Before, usize),
        path: &[Step],
        Reached { state, changed }: Reached<E::State>,
    ) -> Result<(), AdapterFault> {
        self.hunt.work.changes += 1;
        let change = self.alphabet[index].clone();
        let ((_, table), node) = self.nodes.get_index(from).expect("a node is expanded by its index");
        let (table, depth) = (table.clone(), node.depth + 1);
        let chained = node.chained && matches!(before, Before::Everything);
        let asks = node.asks + usize::from(!matches!(before, Before::Nothing));
        let mut arrivals = node.arrivals.clone();
        let now = applied_table(&table, &change, &changed.outcome);
        let lost = took_an_id_twice(&change, &changed.outcome, &now);
        arrivals.follow(&change, &changed.outcome, &now);
        self.hunt.work.effects += u64::from(now != table);
        let key = (state, now);
        let known = self.nodes.get(&key).map(|node| Rc::clone(&node.seen));
        let new = !lost && known.is_none();
        let mut looked_at = None;
        let seen = known.unwrap_or_else(|| {
            let state = looked_at.insert(key.0.clone());
            Rc::new(self.router.look(state))
        });
        let mut tally = Tally::default();
        self.judge_transition(from, &change, (&table, &key.1), (&changed, &seen), &mut tally);
        let mut failed = self.note(path, tally);
        if let Some(looked_at) = looked_at.filter(|_| new) {
            self.hunt.work.depth = self.hunt.work.depth.max(depth);
            failed |= self.judge_node(path, (&key, &looked_at), &arrivals, &seen, depth)?;
            let node = Node {
                looked_at,
                from: Some((from, before, index)),
                depth,
                chained,
                asks,
                changed,
                seen,
                arrivals,
                failed,
            };
            self.insert(key, node);
        }
        Ok(())
    }

    /// Judges what a new state shows, asked everything in turn; and where asking changes it, asked each question first.
    fn judge_node(
        &mut self,
        path: &[Step],
        ((state, table), looked_at): (&(E::State, Table), &E::State),
        arrivals: &Arrivals,
        seen: &Observation,
        depth: usize,
    ) -> Result<bool, AdapterFault> {
        let mut tally = Tally::default();
        let each = Some(state).filter(|state| *state != looked_at);
        let each = each.and_then(|state| self.router.look_at_each(state));
        self.judge_moment(depth, table, arrivals, each.as_ref().unwrap_or(seen), &mut tally)?;
        let mut failed = self.note(path, tally);
        if each.is_some_and(|each| each != *seen) {
            let mut tally = Tally::default();
            self.judge_moment(depth, table, arrivals, seen, &mut tally)?;
            let in_turn: Vec<Step> = path.iter().cloned().chain(self.everything()).collect();
            failed |= self.note(&in_turn, tally);
        }
        Ok(failed)
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
            seen: match changed.outcome {
                Outcome::Refused(_) => self.questions.look(&node.seen).around(self.questions.look(seen)),
                _ => Vec::new(),
            },
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
            issued: self.issued,
            variants: &[],
            reach: self.reach,
            after,
            look: self.questions.look(seen),
            fresh: &fresh,
            standing: OnceCell::new(),
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

    /// The steps that lead to a node.
    fn path(&self, node: usize) -> Vec<Step> {
        let mut path = Vec::new();
        let mut at = node;
        while let Some((from, before, change)) = self.nodes[at].from {
            path.push(Step::Change(self.alphabet[change].clone()));
            path.extend(self.asked_at(from, before).into_iter().rev());
            at = from;
        }
        path.reverse();
        path
    }

    /// The questions that are asked at a node before a change, as far as they leave a mark.
    fn asked_at(&self, node: usize, before: Before) -> Vec<Step> {
        let ((unasked, _), node) = self.nodes.get_index(node).expect("a step leads from a node");
        match before {
            Before::Nothing => Vec::new(),
            Before::One(place) => vec![Step::Ask(None, self.questions.questions()[place].clone())],
            Before::Everything if node.looked_at == *unasked => Vec::new(),
            Before::Everything => self.everything().collect(),
        }
    }

    fn everything(&self) -> impl Iterator<Item = Step> {
        let asked = self.questions.questions().iter();
        asked.map(|question| Step::Ask(None, question.clone()))
    }

    /// Counts premises and keeps failures; says whether there was one.
    fn note(&mut self, path: &[Step], tally: Tally) -> bool {
        add_premises(&mut self.hunt.premises, tally.premises);
        let failed = !tally.findings.is_empty();
        for finding in tally.findings {
            let signature = Signature::of(&finding, path);
            if let Some(failure) = self.hunt.failures.get_mut(&signature) {
                failure.count += 1;
            } else {
                let failure = first_failure(signature.clone(), finding, path.to_vec());
                self.hunt.failures.insert(signature, failure);
            }
        }
        failed
    }
}

fn count_of_answers(shown: &Shown) -> usize {
    match shown {
        Shown::Answers(answers) => answers.len(),
        _ => 0,
    }
}

fn first_failure(signature: Signature, finding: Finding, steps: Vec<Step>) -> Failure {
    // It was found behind so many changes, and the trace has questions between them.
    let finding = Finding {
        after: steps.len(),
        ..finding
    };
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
