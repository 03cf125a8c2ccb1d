//! Quirks of stateright 0.30.2 that a model here must work around, kept as tests: if one of them fails after an
//! upgrade, a precaution in `fleet::check` can go, or a new one is due.

use stateright::{Checker as _, Model, Property, Representative, UniformChooser};

/// Two tokens that walk from 0 to the last place and, in a cyclic walk, back to 0.
#[derive(Clone, Copy)]
struct Tokens {
    cyclic: bool,
    last: u8,
    below: u8,
}

const ON_A_LINE: Tokens = Tokens {
    cyclic: false,
    last: 3,
    below: 5,
};
const ON_A_CYCLE: Tokens = Tokens {
    cyclic: true,
    ..ON_A_LINE
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Places([u8; 2]);

impl Representative for Places {
    fn representative(&self) -> Self {
        let mut places = self.0;
        places.sort_unstable();
        Self(places)
    }
}

impl Model for Tokens {
    type State = Places;
    type Action = usize;

    fn init_states(&self) -> Vec<Places> {
        vec![Places([0, 0])]
    }

    fn actions(&self, state: &Places, actions: &mut Vec<usize>) {
        actions.extend((0..2).filter(|token| self.cyclic || state.0[*token] < self.last));
    }

    fn next_state(&self, state: &Places, token: usize) -> Option<Places> {
        let mut places = state.0;
        places[token] = (places[token] + 1) % (self.last + 1);
        Some(Places(places))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("below", |tokens: &Self, state: &Places| {
                state.0.iter().sum::<u8>() < tokens.below
            }),
            Property::eventually("never reached", |tokens: &Self, state: &Places| {
                state.0[0] > tokens.last
            }),
            Property::always("keeps the run going", |_, _| true),
        ]
    }
}

#[test]
fn breadth_first_search_ignores_symmetry() {
    let plain = ON_A_LINE.checker().spawn_bfs().join();
    let symmetric = ON_A_LINE.checker().symmetry().spawn_bfs().join();
    assert_eq!(plain.unique_state_count(), 16);
    assert_eq!(symmetric.unique_state_count(), 16, "ten of them are representatives");
}

#[test]
fn eventually_passes_on_a_cycle() {
    let on_a_line = ON_A_LINE.checker().spawn_bfs().join();
    assert!(on_a_line.discovery("never reached").is_some());
    let on_a_cycle = ON_A_CYCLE.checker().spawn_bfs().join();
    assert!(
        on_a_cycle.discovery("never reached").is_none(),
        "it never holds, and nobody says so"
    );
}

/// A diamond: both ways lead to the end, and only the way that is taken first passes by the good place.
struct Diamond;

impl Model for Diamond {
    type State = &'static str;
    type Action = &'static str;

    fn init_states(&self) -> Vec<&'static str> {
        vec!["start"]
    }

    fn actions(&self, state: &&'static str, actions: &mut Vec<&'static str>) {
        match *state {
            "start" => actions.extend(["good", "bad"]),
            "good" | "bad" => actions.push("end"),
            _ => {}
        }
    }

    fn next_state(&self, _state: &&'static str, action: &'static str) -> Option<&'static str> {
        Some(action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::eventually("passes by the good place", |_, state| {
            *state == "good"
        })]
    }
}

#[test]
fn eventually_passes_where_two_paths_join() {
    let checker = Diamond.checker().spawn_bfs().join();
    assert!(checker.discoveries().is_empty(), "start, bad, end is a counterexample");
}

#[test]
fn a_cut_run_passes_its_properties() {
    let long = Tokens {
        cyclic: false,
        last: 120,
        below: 240,
    };
    assert!(long.checker().spawn_bfs().join().discovery("below").is_some());
    let cut = long.checker().target_state_count(1_000).spawn_bfs().join();
    cut.assert_no_discovery("below");
    assert!(cut.unique_state_count() < 121 * 121);
}

#[test]
fn the_first_violation_found_is_kept_and_is_a_shortest() {
    let checker = ON_A_CYCLE.checker().spawn_bfs().join();
    assert_eq!(checker.unique_state_count(), 16, "the run goes on behind the violation");
    let path = checker.discovery("below").expect("a violation").into_actions();
    assert_eq!(path.len(), 5);
}

#[test]
fn a_simulated_path_is_a_path_of_the_model() {
    let checker = ON_A_LINE
        .checker()
        .target_state_count(200)
        .spawn_simulation(7, UniformChooser)
        .join();
    let path = checker.discovery("below").expect("every walk ends above it").into_vec();
    for pair in path.windows(2) {
        let (before, action) = (&pair[0].0, pair[0].1.expect("all but the last state have an action"));
        assert_eq!(ON_A_LINE.next_state(before, action), Some(pair[1].0));
    }
    assert!(path.last().expect("a path is not empty").0.0.iter().sum::<u8>() >= 5);
}
