//! The packed fleet against the same fleet over ordered maps.

use std::collections::{BTreeMap, HashSet};

use fleet::generic::{FleetOf, NaiveReplica, Replica, StateOf};
use fleet::strategies::{CANARIES, LITELLM_1_85, Patterns, REFERENCE, STRATEGIES, Strategy};
use fleet::{
    Action, Bounds, Cell, Converging, Fleet, Kind, Lane, Machine, Parting, Serving, Shape, State, Walks, compare,
};

type Naive = StateOf<NaiveReplica>;

/// The packed model's view of a naive fleet.
fn image(naive: &Naive, strategies: &[Strategy]) -> State {
    let mut state = State::default();
    for (row, cell) in &naive.store {
        state.store[usize::from(*row)] = *cell;
    }
    for (row, cell) in &naive.lagging {
        state.lagging[usize::from(*row)] = *cell;
    }
    for ((lane, seat), strategy) in state.lanes.iter_mut().zip(&naive.seats).zip(strategies) {
        lane.down = seat.replica.is_none();
        for (row, version) in &seat.answered {
            lane.rows[usize::from(*row)].answered = *version;
        }
        for (row, version) in &seat.acked {
            lane.rows[usize::from(*row)].acked = *version;
        }
        for row in &seat.notified {
            lane.rows[usize::from(*row)].notified = true;
        }
        if let Some((part, read)) = &seat.reading {
            lane.phase = part + 1;
            let mut cells = [Cell::default(); 3];
            for (row, cell) in read {
                cells[usize::from(*row)] = *cell;
            }
            for (row, cell) in lane.rows.iter_mut().zip(Lane::reads(strategy, &cells)) {
                row.read = cell;
            }
        }
        if let Some(replica) = &seat.replica {
            tables(lane, replica);
        }
    }
    state
}

fn tables(lane: &mut Lane, replica: &NaiveReplica) {
    for (row, cell) in replica.claims() {
        lane.rows[usize::from(row)].cell = cell;
    }
    for (row, version) in replica.gone() {
        lane.rows[usize::from(*row)].cell.version = *version;
    }
    for shape in replica.names() {
        lane.names |= 1 << *shape as u8;
    }
    for (number, row) in (0..).zip(&mut lane.rows) {
        for (table, copies) in [Shape::Wild, Shape::Team].into_iter().zip(&mut row.copies) {
            for (version, copies) in (0..).zip(copies) {
                *copies = replica.copies(table, number, version);
            }
        }
    }
}

/// Walks the naive states breadth first and compares actions, next states and answers; says how many states there are.
fn agree(bounds: &Bounds, states_max: usize) -> usize {
    let fleet = Fleet::new(bounds.clone()).expect("bounds fit");
    let twin = FleetOf::<NaiveReplica>::new(bounds.clone()).expect("bounds fit");
    let first = twin.initial();
    let mut seen = BTreeMap::from([(fleet.pack(&image(&first, &bounds.strategies)), first.clone())]);
    let mut todo = std::collections::VecDeque::from([first]);
    while let Some(naive) = todo.pop_front() {
        let state = image(&naive, &bounds.strategies);
        let word = fleet.pack(&state);
        assert_eq!(fleet.unpack(word), state, "nothing is lost in packing {naive:?}");
        assert_eq!(fleet.answers(&word), twin.answers(&naive), "{naive:?}");
        assert_eq!(fleet.agrees(&word), twin.agrees(&naive), "{naive:?}");
        let mut packed: Vec<(Action, u128)> = Vec::new();
        fleet.successors(&word, |action, next| packed.push((action, next)));
        assert_eq!(fleet.judge(&word), twin.judge(&naive), "{naive:?}");
        let mut successors: Vec<(Action, Naive)> = Vec::new();
        twin.successors(&naive, |action, next| successors.push((action, next)));
        for (action, next) in &successors {
            let after = fleet.pack(&image(next, &bounds.strategies));
            let judged = (
                fleet.judge_step(&word, *action, &after),
                twin.judge_step(&naive, *action, next),
            );
            assert_eq!(judged.0, judged.1, "{action} in {naive:?}");
        }
        let pack = |(action, next): &(Action, Naive)| (*action, fleet.pack(&image(next, &bounds.strategies)));
        let mut expected: Vec<(Action, u128)> = successors.iter().map(pack).collect();
        packed.sort_unstable();
        expected.sort_unstable();
        if packed != expected {
            let lines = |list: &[(Action, u128)], other: &[(Action, u128)]| {
                let only = list.iter().filter(|entry| !other.contains(entry));
                let lines: Vec<String> = only
                    .map(|(action, next)| format!("{action}: {:?}", fleet.lanes(next)))
                    .collect();
                lines.join("\n")
            };
            panic!(
                "in {naive:?}\npacked only:\n{}naive only:\n{}",
                lines(&packed, &expected),
                lines(&expected, &packed)
            );
        }
        for (_, next) in successors {
            let word = fleet.pack(&image(&next, &bounds.strategies));
            if let Some(known) = seen.get(&word) {
                assert_eq!(*known, next, "two fleets pack alike");
            } else if seen.len() < states_max {
                seen.insert(word, next.clone());
                todo.push_back(next);
            }
        }
    }
    for word in seen.keys() {
        let representative = fleet.canonical(word);
        assert!(*word <= representative, "the last of those that change places is taken");
        assert_eq!(fleet.canonical(&representative), representative);
    }
    let packed: HashSet<u128> = seen.keys().map(|word| fleet.canonical(word)).collect();
    let naive: HashSet<Naive> = seen.values().map(|naive| twin.canonical(naive)).collect();
    assert_eq!(packed.len(), naive.len(), "representatives of {} states", seen.len());
    seen.len()
}

fn bounds(rows: u8, versions: u8, strategies: &[Strategy], kinds: &[Kind]) -> Bounds {
    let bounds = Bounds {
        rows,
        versions,
        strategies: strategies.to_vec(),
        kinds: kinds.to_vec(),
        shapes: Shape::ALL.to_vec(),
        admin: true,
    };
    bounds.possible()
}

#[test]
fn packed_agrees_with_naive_for_every_strategy() {
    let canaries = CANARIES.iter().map(|(_, strategy)| *strategy);
    for strategy in STRATEGIES.into_iter().chain(canaries) {
        let states = agree(&bounds(1, 2, &[strategy], Kind::ALL), usize::MAX);
        assert!(states > 100, "{states} states");
        agree(&bounds(2, 2, &[strategy], Kind::ALL), 1_000);
    }
}

#[test]
fn packed_agrees_with_naive_for_a_mixed_fleet() {
    let kinds = [
        Kind::Create,
        Kind::Update,
        Kind::Rename,
        Kind::Read,
        Kind::Apply,
        Kind::Crash,
        Kind::Start,
    ];
    let mixed = bounds(2, 3, &[REFERENCE, LITELLM_1_85], &kinds);
    assert_eq!(agree(&mixed, 2_000), 2_000);
}

#[test]
fn packed_agrees_with_naive_for_replicas_that_can_change_places() {
    assert_eq!(agree(&bounds(1, 2, &[LITELLM_1_85; 3], Kind::ALL), 2_000), 2_000);
}

#[test]
fn machines_part_where_one_does_something_else() {
    let fleet = |strategy: Strategy| Fleet::new(bounds(1, 2, &[strategy], Kind::ALL)).expect("bounds fit");
    let walks = Walks {
        seed: 1,
        walks: 20,
        steps: 30,
    };
    let twin = FleetOf::<NaiveReplica>::new(bounds(1, 2, &[REFERENCE], Kind::ALL)).expect("bounds fit");
    assert_eq!(compare(&fleet(REFERENCE), &twin, walks), Ok(600));
    let parting = |change: fn(&mut Strategy)| {
        let mut strategy = REFERENCE;
        change(&mut strategy);
        let Parting { path, what } = compare(&fleet(REFERENCE), &fleet(strategy), walks).expect_err("they part");
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        format!("{}; {what}", path.join(", "))
    };
    let blocked = "create d1 as a team's wildcard at r1, block d1 at r1";
    for (change, path, what) in [
        (
            (|strategy| strategy.on_delete = Patterns::Kept) as fn(&mut Strategy),
            "create d1 as a wildcard at r1, empty-poll at r1, delete d1 at r1",
            "answers: [Some([[], [], [], []])] in one, [Some([[ModelCandidate",
        ),
        (
            |strategy| strategy.sticky_names = true,
            blocked,
            "findings of the state: Findings { premises: 3330, violated: 0 } in one",
        ),
        (
            |strategy| strategy.reads_through = true,
            &format!("{blocked}, stale-read at r1, crash at r1, start at r1"),
            "actions: [\"read at r1\", ",
        ),
        (
            |strategy| (strategy.knows_failures, strategy.refuses_older) = (false, false),
            "create d1 as a team's wildcard at r1",
            "findings of `failed-poll at r1`: Findings { premises: 4096, violated: 0 } in one",
        ),
    ] {
        let got = parting(change);
        assert!(got.starts_with(&format!("{path}; {what}")), "{got}");
    }
}
