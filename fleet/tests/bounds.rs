//! Bounds that make no fleet are refused, with the reason.

use fleet::strategies::{LITELLM_1_85, LITELLM_1_109, REFERENCE};
use fleet::{Bounds, Fleet, Kind, Shape};

/// Everything can happen here.
fn bounds() -> Bounds {
    Bounds {
        rows: 2,
        versions: 2,
        strategies: vec![REFERENCE, LITELLM_1_109],
        kinds: Kind::ALL.to_vec(),
        shapes: Shape::ALL.to_vec(),
        admin: true,
    }
}

fn refusal(change: impl FnOnce(&mut Bounds)) -> String {
    let mut bounds = bounds();
    change(&mut bounds);
    Fleet::new(bounds).expect_err("it is no fleet").to_string()
}

fn without(kind: Kind) -> String {
    refusal(|bounds| bounds.kinds.retain(|other| *other != kind))
}

#[test]
fn a_fleet_without_what_it_needs_is_refused() {
    assert!(Fleet::new(bounds()).is_ok());
    for kind in ["create", "read", "apply"] {
        assert_eq!(
            without(Kind::named(kind).expect("it is one")),
            format!("a fleet needs `create`, `read` and `apply`: there is no `{kind}`")
        );
    }
}

#[test]
fn an_action_that_can_never_happen_is_refused_or_left_out() {
    let deaf = |bounds: &mut Bounds| bounds.strategies = vec![LITELLM_1_85];
    let only = |kinds: &'static [Kind]| {
        move |bounds: &mut Bounds| {
            bounds.strategies = vec![LITELLM_1_85];
            bounds.kinds = [Kind::Create, Kind::Read, Kind::Apply].to_vec();
            bounds.kinds.extend(kinds);
        }
    };
    let one_version = |kind| {
        refusal(move |bounds| {
            bounds.versions = 1;
            bounds.kinds = vec![Kind::Create, Kind::Read, Kind::Apply, kind];
        })
    };
    for (got, kind, why) in [
        (refusal(deaf), "deliver", "no replica listens to notifications"),
        (
            refusal(only(&[Kind::Duplicate])),
            "duplicate",
            "no replica listens to notifications",
        ),
        (
            refusal(only(&[Kind::Drop])),
            "drop",
            "no replica listens to notifications",
        ),
        (
            refusal(only(&[Kind::Miss])),
            "miss",
            "no replica looks rows up on a miss",
        ),
        (without(Kind::Deliver), "duplicate", "it needs `deliver`"),
        (without(Kind::Crash), "start", "it needs `crash`"),
        (refusal(|bounds| bounds.rows = 1), "partial-poll", "it needs two rows"),
        (
            refusal(|bounds| bounds.shapes = vec![Shape::Wild]),
            "rename",
            "it needs two shapes",
        ),
        (one_version(Kind::Update), "update", "it needs two versions"),
        (one_version(Kind::Delete), "delete", "it needs two versions"),
        (one_version(Kind::Rename), "rename", "it needs two versions"),
        (one_version(Kind::Block), "block", "it needs two versions"),
        (one_version(Kind::Break), "break", "it needs two versions"),
    ] {
        assert_eq!(got, format!("`{kind}` can never happen here: {why}"));
    }
    let mut smallest = bounds();
    deaf(&mut smallest);
    (smallest.rows, smallest.versions) = (1, 1);
    let left = [
        Kind::Create,
        Kind::Read,
        Kind::StaleRead,
        Kind::Apply,
        Kind::FailedPoll,
        Kind::EmptyPoll,
        Kind::Request,
        Kind::Crash,
        Kind::Start,
    ];
    assert_eq!(smallest.possible().kinds, left);
    assert_eq!(bounds().possible(), bounds());
}

#[test]
fn a_bound_out_of_its_range_is_refused() {
    for (got, why) in [
        (
            refusal(|bounds| bounds.strategies.clear()),
            "`replicas` must be from 1 to 3, not 0",
        ),
        (
            refusal(|bounds| bounds.strategies = vec![REFERENCE; 4]),
            "`replicas` must be from 1 to 3, not 4",
        ),
        (refusal(|bounds| bounds.rows = 0), "`rows` must be from 1 to 3, not 0"),
        (refusal(|bounds| bounds.rows = 4), "`rows` must be from 1 to 3, not 4"),
        (
            refusal(|bounds| bounds.versions = 0),
            "`versions` must be from 1 to 3, not 0",
        ),
        (
            refusal(|bounds| bounds.versions = 4),
            "`versions` must be from 1 to 3, not 4",
        ),
        (
            refusal(|bounds| bounds.shapes.clear()),
            "`shapes` must be from 1 to 3, not 0",
        ),
        (
            refusal(|bounds| bounds.rows = 3),
            "these bounds need 176 bits a state, of 128: take fewer replicas, rows, versions or actions",
        ),
    ] {
        assert_eq!(got, why);
    }
}
