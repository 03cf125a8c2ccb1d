//! Convergence: once writes and faults stop, under fair polling, all replicas come to agree with the store and stay so.
//!
//! This is a property of infinite runs. Among the actions that still happen when writes and faults have stopped, a
//! run that never comes to agree, or never for good, ends up going round in one strongly connected component with a
//! state that does not agree. Under weak fairness it can do so only if each poll action is either taken in the
//! component or cannot happen in one of its states. So the components decide it, on the whole graph and not on
//! a sample. Checkers that judge `eventually` a path at a time pass such runs silently.

use std::collections::{BTreeSet, HashMap, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::actions::{Action, At, Kind};
use crate::machine::Machine;

/// A machine that is to converge.
pub trait Converging: Machine {
    /// Returns whether every replica agrees with the store.
    fn agrees(&self, state: &Self::State) -> bool;
}

/// The runs that are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fairness {
    /// A poll action that can go on happening does happen.
    Weak,
    /// Replicas may stop acting at any time.
    None,
}

/// A run that does not converge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck<S> {
    /// A shortest path to a state from which the run goes on for ever.
    pub path: Vec<(Action, S)>,
    /// Number of states that it goes round in; with one, nothing happens any more or nothing changes.
    pub among: usize,
}

/// The verdict on convergence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convergence<S> {
    /// Number of reachable states, all of which were judged.
    pub distinct: usize,
    /// Number of them that do not agree, so that there is something to converge from.
    pub premises: usize,
    /// The run that does not converge, if there is one: of all, one that is soonest there.
    pub stuck: Option<Stuck<S>>,
}

/// More states than the graph may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("convergence needs the whole graph in memory, and it has more than {0} states: take smaller bounds")]
pub struct TooManyStates(pub usize);

/// The most states of a graph.
pub const STATES_MAX: usize = 20_000_000;

/// Returns whether an action still happens once writes and faults have stopped.
pub(crate) fn is_quiet(action: Action) -> bool {
    use Kind::{Apply, Deliver, Drop, Miss, Read, Request, Start};
    matches!(action.kind, Read | Apply | Start | Deliver | Drop | Miss | Request)
}

/// Returns whether fairness is asked of an action: a replica keeps polling, and is started again.
fn is_fair(action: Action) -> bool {
    matches!(action.kind, Kind::Read | Kind::Apply | Kind::Start)
}

struct Graph<S> {
    states: Vec<S>,
    /// The quiet steps.
    quiet: DiGraph<(), Action>,
    /// The step by which each state was found first.
    parents: Vec<Option<(usize, Action)>>,
}

/// Decides whether `machine` converges, by its whole graph of at most `states_max` states.
pub fn converges<M: Converging>(
    machine: &M,
    fairness: Fairness,
    states_max: usize,
) -> Result<Convergence<M::State>, TooManyStates> {
    let graph = explore(machine, states_max)?;
    let agrees: Vec<bool> = graph.states.iter().map(|state| machine.agrees(state)).collect();
    let components = kosaraju_scc(&graph.quiet);
    let mut component_of = vec![0; graph.states.len()];
    for (number, component) in components.iter().enumerate() {
        for node in component {
            component_of[node.index()] = number;
        }
    }
    let stays =
        |component: &[NodeIndex]| fairness == Fairness::None || can_stay(&graph.quiet, component, &component_of);
    // States are numbered in the order in which they were found: the least is among the soonest.
    let stuck = components.iter().filter_map(|component| {
        let states = component.iter().map(|node| node.index());
        let first = states.filter(|state| !agrees[*state]).min()?;
        stays(component).then_some((first, component.len()))
    });
    let stuck = stuck.min().map(|(first, among)| Stuck {
        path: graph.path(first),
        among,
    });
    Ok(Convergence {
        distinct: graph.states.len(),
        premises: agrees.iter().filter(|agrees| !**agrees).count(),
        stuck,
    })
}

/// Returns whether a weakly fair run can stay in the component: no fair action can happen in all its states and only
/// lead out.
fn can_stay(quiet: &DiGraph<(), Action>, component: &[NodeIndex], component_of: &[usize]) -> bool {
    let mut everywhere: Option<BTreeSet<(Kind, At)>> = None;
    let mut taken = BTreeSet::new();
    for node in component {
        let mut here = BTreeSet::new();
        for edge in quiet.edges(*node).filter(|edge| is_fair(*edge.weight())) {
            let key = (edge.weight().kind, edge.weight().at);
            here.insert(key);
            if component_of[edge.target().index()] == component_of[node.index()] {
                taken.insert(key);
            }
        }
        everywhere = Some(everywhere.map_or_else(|| here.clone(), |keys| keys.intersection(&here).copied().collect()));
    }
    everywhere.is_some_and(|keys| keys.is_subset(&taken))
}

fn explore<M: Machine>(machine: &M, states_max: usize) -> Result<Graph<M::State>, TooManyStates> {
    let mut graph = Graph {
        states: vec![machine.initial()],
        quiet: DiGraph::new(),
        parents: vec![None],
    };
    graph.quiet.add_node(());
    let mut numbers = HashMap::from([(machine.initial(), 0)]);
    let mut todo = VecDeque::from([0]);
    while let Some(from) = todo.pop_front() {
        let state = graph.states[from].clone();
        machine.successors(&state, |action, next| {
            let to = *numbers.entry(next).or_insert_with_key(|next| {
                graph.states.push(next.clone());
                graph.parents.push(Some((from, action)));
                graph.quiet.add_node(());
                todo.push_back(graph.states.len() - 1);
                graph.states.len() - 1
            });
            if is_quiet(action) {
                graph.quiet.add_edge(NodeIndex::new(from), NodeIndex::new(to), action);
            }
        });
        if graph.states.len() > states_max {
            return Err(TooManyStates(states_max));
        }
    }
    Ok(graph)
}

impl<S: Clone> Graph<S> {
    fn path(&self, mut state: usize) -> Vec<(Action, S)> {
        let mut path = Vec::new();
        while let Some((parent, action)) = self.parents[state] {
            path.push((action, self.states[state].clone()));
            state = parent;
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll2::poll2;
    use model::RuleId;

    #[test]
    fn polling_converges_if_it_is_fair() {
        for crash in [false, true] {
            let fair = converges(&poll2(2, 1, 2, crash), Fairness::Weak, STATES_MAX).expect("it is small");
            assert_eq!(fair.stuck, None);
            assert!(fair.premises > 0);
            let unfair = converges(&poll2(2, 1, 2, crash), Fairness::None, STATES_MAX).expect("it is small");
            // A write that nobody ever reads.
            assert_eq!(unfair.stuck.expect("it does not converge").path.len(), 1);
        }
    }

    #[test]
    fn too_large_a_graph_is_refused() {
        assert_eq!(
            converges(&poll2(2, 1, 2, true), Fairness::Weak, 100),
            Err(TooManyStates(100))
        );
    }

    /// A replica whose states are numbers.
    #[derive(Clone)]
    struct Numbered {
        /// The steps, each from one state to another.
        steps: &'static [(u64, Kind, u64)],
        /// The states that do not agree.
        apart: &'static [u64],
    }

    impl Machine for Numbered {
        type State = u64;

        fn identity(&self) -> String {
            "numbered".to_owned()
        }

        fn kinds(&self) -> &[Kind] {
            &[Kind::Read, Kind::Apply, Kind::Request]
        }

        fn rules(&self) -> &'static [RuleId] {
            &[]
        }

        fn initial(&self) -> u64 {
            0
        }

        fn successors(&self, state: &u64, mut visit: impl FnMut(Action, u64)) {
            for (_, kind, to) in self.steps.iter().filter(|(from, ..)| from == state) {
                visit(Action::new(*kind, At::Replica(0), 0), *to);
            }
        }

        fn canonical(&self, state: &u64) -> u64 {
            *state
        }

        fn judge(&self, _state: &u64) -> crate::machine::Findings {
            crate::machine::Findings::default()
        }

        fn judge_step(&self, _before: &u64, _action: Action, _after: &u64) -> crate::machine::Findings {
            crate::machine::Findings::default()
        }

        fn lanes(&self, state: &u64) -> Vec<String> {
            vec![state.to_string()]
        }
    }

    impl Converging for Numbered {
        fn agrees(&self, state: &u64) -> bool {
            !self.apart.contains(state)
        }
    }

    /// The number of steps to a run that does not converge, and the number of states that it goes round in.
    fn stuck(steps: &'static [(u64, Kind, u64)], apart: &'static [u64]) -> Option<(usize, usize)> {
        let machine = Numbered { steps, apart };
        let found = converges(&machine, Fairness::Weak, STATES_MAX).expect("it is small");
        found.stuck.map(|stuck| (stuck.path.len(), stuck.among))
    }

    #[test]
    fn agreeing_again_and_again_is_not_converging() {
        use Kind::{Apply, Read};
        // Of two polls, the second undoes the first.
        let seesaw = &[(0, Read, 1), (1, Apply, 2), (2, Read, 3), (3, Apply, 0)];
        assert_eq!(stuck(seesaw, &[2]), Some((2, 4)));
    }

    #[test]
    fn a_poll_has_to_come_only_where_it_can_go_on_happening() {
        use Kind::{Read, Request};
        // Between two requests no poll can happen: it may be missed for ever.
        let now_and_then = &[(0, Request, 1), (1, Request, 0), (0, Read, 2)];
        assert_eq!(stuck(now_and_then, &[0, 1]), Some((0, 2)));
        let always = &[(0, Request, 1), (1, Request, 0), (0, Read, 2), (1, Read, 2)];
        assert_eq!(stuck(always, &[0, 1]), None);
    }
}
