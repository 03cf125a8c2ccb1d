//! `router-core`'s own replicas under every interleaving of a small fleet, and beside the model's description of them.

mod replica;

use fleet::generic::FleetOf;
use fleet::strategies::{CANARIES, REFERENCE, Strategy};
use fleet::{
    Bounds, CheckOptions, Ended, Fairness, Fleet, Kind, Parting, STATES_MAX, Shape, Walks, check, compare, converges,
};

use self::replica::CoreReplica;

/// Everything that can happen to replicas that listen and do not look rows up on a miss.
fn kinds(rows: u8) -> Vec<Kind> {
    let kinds = Kind::ALL.iter().copied();
    kinds
        .filter(|kind| *kind != Kind::Miss && (*kind != Kind::PartialPoll || rows > 1))
        .collect()
}

fn bounds(replicas: usize, rows: u8, versions: u8, kinds: Vec<Kind>, strategy: Strategy) -> Bounds {
    Bounds {
        rows,
        versions,
        strategies: vec![strategy; replicas],
        kinds,
        shapes: Shape::ALL.to_vec(),
        admin: true,
    }
}

/// Explores every state, and demands that no rule is broken, that each had something to check and each action happened.
fn conforms(bounds: Bounds, symmetric: bool) -> (u64, u64) {
    let fleet = FleetOf::<CoreReplica>::new(bounds).expect("bounds fit");
    let options = CheckOptions {
        symmetric,
        ..CheckOptions::default()
    };
    let report = check(&fleet, options);
    assert_eq!(report.ended, Ended::Exhausted);
    assert_eq!(report.violations, []);
    assert_eq!(report.dead(&fleet), []);
    assert_eq!(report.vacuous(&fleet), []);
    (report.distinct, report.generated)
}

/// Few kinds of action that reach most of a replica's code: polls in two halves that fail in two ways, notifications,
/// and writes that must be refused.
const FEW: [Kind; 10] = [
    Kind::Create,
    Kind::Update,
    Kind::Delete,
    Kind::Break,
    Kind::Read,
    Kind::Apply,
    Kind::FailedPoll,
    Kind::EmptyPoll,
    Kind::Deliver,
    Kind::Request,
];

/// The founding bug is one of wildcards.
fn wildcards(bounds: Bounds) -> Bounds {
    Bounds {
        shapes: vec![Shape::Wild],
        ..bounds
    }
}

#[test]
fn two_replicas_of_the_code_itself_conform_in_every_state() {
    let bounds = wildcards(bounds(2, 1, 2, FEW.to_vec(), REFERENCE));
    assert_eq!(conforms(bounds, true), (12_957, 67_779));
}

#[test]
fn replicas_of_the_code_itself_converge() {
    let kinds = [
        Kind::Create,
        Kind::Update,
        Kind::Delete,
        Kind::Read,
        Kind::Apply,
        Kind::Crash,
        Kind::Start,
    ];
    let bounds = wildcards(bounds(2, 1, 2, kinds.to_vec(), REFERENCE));
    let fleet = FleetOf::<CoreReplica>::new(bounds).expect("bounds fit");
    let found = converges(&fleet, Fairness::Weak, STATES_MAX).expect("it is small");
    assert_eq!(found.stuck, None);
    assert!(found.premises > 0);
}

#[test]
#[ignore = "many minutes in a debug build: run with --release"]
fn everything_that_can_happen_to_two_replicas_of_the_code_itself() {
    assert_eq!(
        conforms(bounds(2, 1, 2, kinds(1), REFERENCE), true),
        (218_634, 2_047_045)
    );
}

#[test]
#[ignore = "hours in a debug build: run with --release"]
fn three_replicas_of_the_code_itself() {
    assert_eq!(
        conforms(wildcards(bounds(3, 1, 2, FEW.to_vec(), REFERENCE)), true),
        (252_192, 1_940_241)
    );
}

fn walked(strategy: Strategy, rows: u8, versions: u8, walks: u32) -> Result<u64, Parting> {
    let bounds = bounds(2, rows, versions, kinds(rows), strategy);
    let described = Fleet::new(bounds.clone()).expect("bounds fit");
    let real = FleetOf::<CoreReplica>::new(bounds).expect("bounds fit");
    let walks = Walks {
        seed: 1,
        walks,
        steps: 40,
    };
    compare(&described, &real, walks)
}

#[test]
fn the_description_of_the_reference_agrees_with_the_code_step_by_step() {
    for (rows, versions) in [(1, 3), (2, 2)] {
        let compared = walked(REFERENCE, rows, versions, 40);
        assert!(compared.as_ref().is_ok_and(|states| *states > 1_000), "{compared:?}");
    }
}

#[test]
fn a_description_that_is_wrong_in_one_choice_is_noticed() {
    for (rule, canary) in CANARIES {
        let parting = walked(canary, 2, 2, 200);
        assert!(parting.is_err(), "the canary of `{rule}` walks as the code does");
    }
}
