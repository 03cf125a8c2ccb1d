//! Bytes are traces, and traces are bytes.

use fuzz_harness::{Header, STEPS_MAX, decode, encode, mutate, splice, worlds};
use model::{Seeded, router_changes};
use proptest::prelude::*;
use protocol::wire::check_trace;
use protocol::{Level, Trace};

fn header() -> impl Strategy<Value = Header> {
    (any::<u8>(), any::<u64>(), any::<u16>()).prop_map(|(world, swarm, asks)| Header { world, swarm, asks })
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Router), Just(Level::Fleet)]
}

/// A header and steps of any bytes.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let steps = prop::collection::vec(any::<u8>(), 0..400);
    (header(), steps).prop_map(|(header, steps)| [&header.bytes()[..], &steps].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A trace that the generator draws from any part of any world can be encoded, and its bytes decode to that trace.
    #[test]
    fn a_drawn_trace_survives_its_bytes(header in header(), seed in any::<u32>()) {
        let (initial, steps) = router_changes(&header.world().scope, &header.swarm(), &mut Seeded::new(seed, 0));
        let trace = Trace::of_router(initial, steps);
        let bytes = encode(header, &trace).expect("a drawn trace has bytes");
        let decoded = decode(&bytes, Level::Router).expect("these bytes have a header");
        prop_assert_eq!(decoded.trace, trace);
    }

    /// Any bytes behind a header are a trace within every limit; it has bytes of its own, and they are that trace again.
    #[test]
    fn any_bytes_are_a_trace(bytes in bytes(), level in level()) {
        let input = decode(&bytes, level).expect("these bytes have a header");
        prop_assert_eq!(check_trace(&input.trace), Ok(()));
        let again = encode(input.header, &input.trace).expect("a decoded trace has bytes");
        let decoded = decode(&again, level).expect("these bytes have a header");
        prop_assert_eq!(decoded.trace, input.trace);
    }

    /// No tag is of two versions, whatever the bytes: what answers prove rests on it.
    #[test]
    fn a_tag_names_one_version(bytes in bytes()) {
        let input = decode(&bytes, Level::Router).expect("these bytes have a header");
        let mut versions = std::collections::BTreeMap::new();
        for row in input.trace.rows() {
            prop_assert_eq!(versions.entry(&row.tag).or_insert(row), &row);
        }
    }

    /// A mutated input decodes unless the fuzzer's plain mutator had a part in it, and so does every splice.
    #[test]
    fn a_mutated_input_is_one(
        start in prop_oneof![bytes(), prop::collection::vec(any::<u8>(), 0..40)],
        seeds in prop::collection::vec(any::<u32>(), 1..12),
        level in level(),
    ) {
        let mut data = [0; 700];
        let mut size = start.len();
        data[..size].copy_from_slice(&start);
        for seed in seeds {
            let mut plain = false;
            let before = data[..size].to_vec();
            size = mutate(&mut data, size, seed, level, |_, size| { plain = true; size });
            prop_assert!(plain || decode(&data[..size], level).is_some());
            let mut out = [0; 300];
            let spliced = splice(&before, &data[..size], &mut out, seed);
            prop_assert!(spliced == 0 || decode(&out[..spliced], level).is_some());
        }
    }
}

#[test]
fn other_versions_and_short_inputs_are_none() {
    let header = Header {
        world: 0,
        swarm: 0,
        asks: 0,
    }
    .bytes();
    assert!(decode(&header, Level::Router).is_some());
    assert!(decode(&header[..header.len() - 1], Level::Router).is_none());
    assert!(decode(&[], Level::Fleet).is_none());
    let mut other = header;
    other[0] += 1;
    assert!(decode(&other, Level::Router).is_none());
}

/// The longest input has no more versions than a byte can number, even if it numbers the first one with the last number.
#[test]
fn the_longest_input_has_bytes() {
    let header = Header {
        world: 0,
        swarm: u64::MAX,
        asks: 0,
    };
    let steps = (0..=255).flat_map(|flags: u8| [0, 0, flags, 0, 0, 0, flags & 0xf, 255]);
    let bytes: Vec<u8> = header.bytes().into_iter().chain(steps).collect();
    let input = decode(&bytes, Level::Router).expect("these bytes have a header");
    assert_eq!(input.trace.steps.len(), STEPS_MAX);
    let again = encode(header, &input.trace);
    assert!(again.is_some(), "{} versions", input.versions);
}

/// The mutator's steps reach everything: from an input of nothing, a few hundred of them name every id of every world.
#[test]
fn the_mutator_draws_from_every_world() {
    let mut seen = std::collections::BTreeSet::new();
    let mut data = [0; 4_096];
    let mut size = 0;
    for seed in 0..2_000 {
        size = mutate(&mut data, size, seed, Level::Router, |_, size| size);
        if let Some(input) = decode(&data[..size], Level::Router) {
            let world = input.world.scope.universe.name;
            seen.extend(input.trace.rows().map(|row| (world, row.id.clone())));
        }
    }
    for world in worlds() {
        for id in world.scope.universe.ids {
            let universe = world.scope.universe.name;
            assert!(seen.contains(&(universe, (*id).to_owned())), "{id} of {universe}");
        }
    }
}
