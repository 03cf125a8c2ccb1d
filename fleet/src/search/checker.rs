//! A machine under stateright's checker: the second opinion on small bounds.
//!
//! Source of each precaution: stateright 0.30.2, `src/checker/bfs.rs`.
//!
//! - `symmetry` is ignored by its breadth-first search, so the states handed to it are canonical already.
//! - A run cut by `target_state_count` still passes `assert_properties`, so the run itself reports whether it was cut.
//! - `eventually` passes on cycles and joins, so convergence is decided elsewhere.
//! - The run ends when every property has a counterexample, so one property that always holds keeps it going.
//! - It keeps 64-bit fingerprints: two states of one fingerprint would count as one. The other engine is exact.
//! - It asks for each property of a state apart, and then for its actions: the answers to all of them are worked out once.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use stateright::{Checker as _, HasDiscoveries, Model, Property};

use crate::actions::{Action, KINDS};
use crate::machine::{Findings, Machine};
use crate::search::report::{Ended, Exploration, Limit, Violation};

/// Options of a run of stateright's checker.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// Explore only the representative of the states that differ in the numbering of the replicas.
    pub symmetric: bool,
    /// Number of threads. With more than one, a counterexample need not be the shortest.
    pub threads: usize,
    /// Stop at about this many generated states, and report the run as cut.
    pub states_max: Option<u64>,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            symmetric: false,
            threads: 1,
            states_max: None,
        }
    }
}

/// A machine as a stateright model.
pub(crate) struct Checked<M: Machine> {
    machine: M,
    symmetric: bool,
    counts: Arc<Counts>,
    /// The state that each thread looks at, expanded.
    expanded: [Mutex<Option<Expanded<M::State>>>; EXPANDED],
}

/// The most threads that can remember a state without getting in each other's way.
const EXPANDED: usize = 64;

/// One state and all that follows from it.
struct Expanded<S> {
    state: S,
    steps: Vec<Step<S>>,
    /// Findings of the state, then of each step.
    findings: Vec<Findings>,
    violated: u32,
}

struct Counts {
    coverage: [AtomicU64; KINDS],
    premises: Vec<AtomicU64>,
}

/// Explores `machine` breadth first, past every violation, and reports one counterexample a rule.
pub fn check<M: Machine>(machine: &M, options: CheckOptions) -> Exploration<M::State> {
    let model = Checked::new(machine, options.symmetric);
    let counts = Arc::clone(&model.counts);
    let mut builder = model
        .checker()
        .threads(options.threads)
        .finish_when(HasDiscoveries::All);
    if let Some(states) = options.states_max {
        builder = builder.target_state_count(usize::try_from(states).unwrap_or(usize::MAX));
    }
    let checker = builder.spawn_bfs().join();
    // A run that met its target exactly as it ran out of states is reported as cut: never the other way round.
    let generated = checker.state_count() as u64;
    let ended = match options.states_max {
        Some(states) if generated >= states => Ended::Cut(Limit::States(states)),
        _ => Ended::Exhausted,
    };
    let coverage = std::array::from_fn(|kind| counts.coverage[kind].load(Ordering::Relaxed));
    let premises = counts
        .premises
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .collect();
    // From here on the checker reconstructs paths through the same model, which counts again.
    let found = checker.discoveries();
    let in_order = machine.rules().iter().enumerate();
    let violations = in_order.filter_map(|(index, rule)| {
        let path = found.get(rule.name())?.clone().into_vec();
        let states: Vec<M::State> = path.into_iter().map(|(state, _)| state).collect();
        Some(Violation {
            rule: *rule,
            path: concrete(machine, options.symmetric, &states, index),
        })
    });
    Exploration {
        ended,
        distinct: checker.unique_state_count() as u64,
        generated,
        depth: u32::try_from(checker.max_depth()).expect("a depth is small"),
        coverage,
        premises,
        violations: violations.collect(),
    }
}

/// The actions behind `states`, a path of explored states whose last one, or a step from it, violates the rule of this
/// index. Canonical states number the replicas anew at each step; the path returned keeps one numbering throughout.
pub(crate) fn concrete<M: Machine>(
    machine: &M,
    symmetric: bool,
    states: &[M::State],
    rule: usize,
) -> Vec<(Action, M::State)> {
    let explored = |state: &M::State| machine.explored(state, symmetric);
    let mut state = machine.initial();
    assert_eq!(explored(&state), states[0], "a path starts at the initial state");
    let mut path = Vec::new();
    for target in &states[1..] {
        let mut step = None;
        machine.successors(&state, |action, next| {
            if step.is_none() && explored(&next) == *target {
                step = Some((action, next));
            }
        });
        let (action, next) = step.expect("each state of a path follows from the one before it");
        path.push((action, next.clone()));
        state = next;
    }
    let violated = |findings: Findings| findings.violated >> rule & 1 == 1;
    if !violated(machine.judge(&state)) {
        let mut step = None;
        machine.successors(&state, |action, next| {
            if step.is_none() && violated(machine.judge_step(&state, action, &next)) {
                step = Some((action, next));
            }
        });
        path.push(step.expect("the last state or a step from it violates the rule"));
    }
    path
}

/// Serves stateright's Explorer of `machine` on a loopback port, until the process ends.
///
/// # Errors
///
/// If the port cannot be listened at.
pub fn serve<M: Machine>(machine: &M, symmetric: bool, port: u16) -> io::Result<()> {
    let place = (Ipv4Addr::LOCALHOST, port);
    // The Explorer panics where it cannot listen.
    drop(TcpListener::bind(place)?);
    // The Explorer never returns: only a test that runs the command, asks it over the network and stops it can reach
    // this.
    drop(Checked::new(machine, symmetric).checker().serve(place));
    Ok(())
}

const KEEPS_GOING: &str = "keeps the run going";

/// An action with the state that it leads to, so that the checker need not search for it again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step<S> {
    action: Action,
    next: S,
}

impl<M: Machine> Checked<M> {
    fn new(machine: &M, symmetric: bool) -> Self {
        Self {
            machine: machine.clone(),
            symmetric,
            counts: Arc::new(Counts {
                coverage: [const { AtomicU64::new(0) }; KINDS],
                premises: machine.rules().iter().map(|_| AtomicU64::new(0)).collect(),
            }),
            expanded: [const { Mutex::new(None) }; EXPANDED],
        }
    }

    fn expand(&self, state: &M::State) -> Expanded<M::State> {
        let mut findings = vec![self.machine.judge(state)];
        let mut steps = Vec::new();
        self.machine.successors(state, |action, next| {
            findings.push(self.machine.judge_step(state, action, &next));
            let next = self.machine.explored(&next, self.symmetric);
            steps.push(Step { action, next });
        });
        Expanded {
            state: state.clone(),
            steps,
            violated: findings
                .iter()
                .copied()
                .fold(Findings::default(), Findings::and)
                .violated,
            findings,
        }
    }

    /// Hands out what follows from `state`, worked out once however often a thread asks for it in a row.
    fn expanded<T>(&self, state: &M::State, hand_out: impl FnOnce(&mut Option<Expanded<M::State>>) -> T) -> T {
        // Any place is right: one that another thread uses too is only worked out more often.
        let place = THREAD.with(|thread| *thread % EXPANDED);
        let mut known = self.expanded[place]
            .lock()
            .expect("no thread panics while it holds a state");
        if known.as_ref().is_none_or(|expanded| expanded.state != *state) {
            *known = Some(self.expand(state));
        }
        hand_out(&mut known)
    }

    fn holds<const RULE: usize>(&self, state: &M::State) -> bool {
        let violated = self.expanded(state, |expanded| {
            expanded.as_ref().map_or(0, |expanded| expanded.violated)
        });
        violated >> RULE & 1 == 0
    }

    /// Adds the premises of one state or one step to the counters.
    fn count(&self, findings: Findings) {
        for (rule, counter) in self.counts.premises.iter().enumerate() {
            counter.fetch_add(u64::from(findings.premises >> rule & 1), Ordering::Relaxed);
        }
    }
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

type Condition<M> = fn(&Checked<M>, &<M as Machine>::State) -> bool;

/// One condition a rule: a property's condition is a plain function, which cannot carry the rule's index.
fn conditions<M: Machine>() -> [Condition<M>; CONDITIONS] {
    macro_rules! conditions {
        ($($rule:literal)+) => { [$(Checked::holds::<$rule>,)+] };
    }
    conditions!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
}

const CONDITIONS: usize = 16;

impl<M: Machine> Model for Checked<M> {
    type State = M::State;
    type Action = Step<M::State>;

    fn init_states(&self) -> Vec<M::State> {
        vec![self.machine.explored(&self.machine.initial(), self.symmetric)]
    }

    // The checker calls this once for each state that it expands, and then only to reconstruct paths.
    fn actions(&self, state: &M::State, actions: &mut Vec<Self::Action>) {
        let expanded = self.expanded(state, Option::take).expect("it was worked out just now");
        expanded.findings.iter().for_each(|findings| self.count(*findings));
        for step in &expanded.steps {
            self.counts.coverage[step.action.kind as usize].fetch_add(1, Ordering::Relaxed);
        }
        actions.extend(expanded.steps);
    }

    fn next_state(&self, _state: &M::State, step: Self::Action) -> Option<M::State> {
        Some(step.next)
    }

    fn format_action(&self, step: &Self::Action) -> String {
        step.action.to_string()
    }

    fn format_step(&self, _state: &M::State, step: Self::Action) -> Option<String> {
        Some(self.machine.lanes(&step.next).join("\n"))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let rules = self.machine.rules();
        assert!(rules.len() <= CONDITIONS, "there is a condition for each rule");
        let rules = rules.iter().zip(conditions::<M>());
        let rules = rules.map(|(rule, condition)| Property::always(rule.name(), condition));
        let going = Property::always(KEEPS_GOING, |_: &Self, _: &M::State| true);
        rules.chain([going]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{Kind, Shape};
    use crate::bounds::Bounds;
    use crate::packed::Fleet;
    use crate::poll2::{Poll2, poll2};
    use crate::strategies::LITELLM_1_85;

    fn counts(machine: &Poll2, symmetric: bool) -> (u64, u64, u32) {
        let report = check(
            machine,
            CheckOptions {
                symmetric,
                ..CheckOptions::default()
            },
        );
        report.counts(machine)
    }

    /// One thread asks about two states in turn, which share its place, as the states of two threads may.
    #[test]
    fn what_is_remembered_of_one_state_is_not_taken_for_anothers() {
        let fleet = Fleet::new(
            Bounds {
                rows: 1,
                versions: 2,
                strategies: vec![LITELLM_1_85],
                kinds: Kind::ALL.to_vec(),
                shapes: Shape::ALL.to_vec(),
                admin: true,
            }
            .possible(),
        )
        .expect("bounds fit");
        let report = check(&fleet, CheckOptions::default());
        let violation = &report.violations[0];
        assert_eq!(violation.rule, fleet.rules()[0]);
        let (_, broken) = violation.path.last().expect("it takes a step");
        let checked = Checked::new(&fleet, false);
        for (state, holds) in [(fleet.initial(), true), (*broken, false), (fleet.initial(), true)] {
            assert_eq!(checked.holds::<0>(&state), holds);
        }
    }

    #[test]
    fn a_step_is_told_as_its_action_and_the_lanes_after_it() {
        let machine = poll2(1, 1, 1, false);
        let checked = Checked::new(&machine, false);
        let mut steps = Vec::new();
        checked.actions(&machine.initial(), &mut steps);
        let told = |step: &Step<u64>| {
            let outcome = checked.format_step(&machine.initial(), step.clone());
            (checked.format_action(step), outcome.expect("it leads somewhere"))
        };
        assert_eq!(
            steps.iter().map(told).collect::<Vec<_>>(),
            [
                ("create d1 in the store", "store: d1 v1\nr1: serves "),
                ("read at r1", "store: \nr1: serves ; read "),
            ]
            .map(|(action, lanes)| (action.to_owned(), lanes.to_owned()))
        );
    }

    #[test]
    fn small_counts_are_pinned() {
        assert_eq!(counts(&poll2(2, 1, 2, true), false), (902, 4_074, 15));
        assert_eq!(counts(&poll2(2, 1, 2, true), true), (477, 2_158, 15));
        assert_eq!(counts(&poll2(2, 2, 2, false), false), (40_448, 159_601, 20));
        assert_eq!(counts(&poll2(3, 1, 2, true), true), (3_456, 22_729, 21));
    }

    #[test]
    #[ignore = "minutes in a debug build: run with --release"]
    fn golden_counts() {
        assert_eq!(counts(&poll2(2, 2, 3, true), false), (1_483_941, 9_029_159, 23));
        assert_eq!(counts(&poll2(2, 2, 3, true), true).0, 745_019);
        assert_eq!(counts(&poll2(3, 2, 2, false), false), (2_592_032, 14_486_807, 29));
        assert_eq!(counts(&poll2(3, 2, 2, false), true).0, 452_456);
    }
}
