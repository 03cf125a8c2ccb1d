//! Absolute and metamorphic rules raise no alarm on routers that are right, however these go about it, and find what is
//! wrong with twins of them.

mod fakes;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use model::universe::{Scope, UNIVERSES};
use model::{Cadence, Draws, Hunt, Judge, Oracle, RuleId, RuleSet, SearchSettings, Signature, search, unjudged};
use protocol::{InProcess, Level, Local, RouterUnderTest};

use crate::fakes::{
    All, Fake, FirstMatch, Forgets, Freezes, Lagging, LastWins, Leaks, Longest, Loses, Merges, MovesToEnd, Narrow,
    NewestFirst, Picks, Policy, Right, Stale,
};

/// The number of random traces that each router is tried with, by when it is asked.
const TRACES: [(Cadence, u32); 2] = [(Cadence::Drawn, 60), (Cadence::AtTheEnd, 300)];

/// Searches with every rule that needs no semantics, until a failure is enough.
fn hunt(
    router: &mut dyn RouterUnderTest,
    (cadence, traces_max): (Cadence, u32),
    is_enough: impl Fn(&Signature) -> bool,
) -> Hunt {
    let hello = router.hello().clone();
    let needs_no_semantics = |id: RuleId| id.rule().oracle != Oracle::Spec;
    let is_free_of_order = |id| id != RuleId::OrderFree || hello.dialect.ordered;
    let rules = RuleSet::matching(Level::Router, |id| needs_no_semantics(id) && is_free_of_order(id));
    let judge = Judge::new(&hello, rules).unwrap();
    let settings = SearchSettings {
        seed: 7,
        sweep: Vec::new(),
        scopes: UNIVERSES.iter().map(|universe| Scope::new(universe, &hello)).collect(),
        draws: Draws::Changes(cadence),
        traces_max,
        batch: 16,
    };
    let mut go_on = |hunt: &Hunt| {
        if hunt.failures.keys().any(&is_enough) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(u32::MAX)
        }
    };
    search(router, &judge, &settings, &mut go_on).unwrap()
}

#[track_caller]
fn holds<R: Local + Default>() {
    for traces in TRACES {
        let hunt = hunt(&mut InProcess::new(R::default()), traces, |_| true);
        let told: Vec<_> = hunt
            .failures
            .values()
            .map(|failure| (&failure.signature, &failure.run))
            .collect();
        assert!(told.is_empty(), "{told:#?}");
        assert!(hunt.premises[&RuleId::HistoryFree] > 0 && hunt.premises[&RuleId::Current] > 0);
    }
}

#[track_caller]
fn breaks<R: Local + Default>(rule: RuleId, class: &str) {
    let wanted = |signature: &Signature| (signature.kind.rule, signature.kind.class) == (rule, class);
    let hunt = hunt(&mut InProcess::new(R::default()), TRACES[1], wanted);
    assert!(hunt.failures.keys().any(wanted), "{:?}", hunt.failures.keys());
}

/// The right router of that policy passes, and each wrong twin is found.
#[track_caller]
fn told_apart<P: Policy + 'static>() {
    holds::<Fake<P, Right>>();
    breaks::<Fake<P, Stale>>(RuleId::Current, "stale");
    breaks::<Fake<P, Loses>>(RuleId::HistoryFree, "missing");
    breaks::<Fake<P, Freezes>>(RuleId::HistoryFree, "refused");
    breaks::<Fake<P, Leaks>>(RuleId::Bounded, "grown");
    breaks::<Fake<P, Forgets>>(RuleId::Bounded, "shrunk");
}

#[test]
fn a_router_that_serves_all_rows_that_match_is_told_from_its_twins() {
    told_apart::<All>();
}

#[test]
fn a_router_that_serves_the_first_match_is_told_from_its_twins() {
    told_apart::<FirstMatch>();
}

#[test]
fn a_router_whose_last_row_wins_is_told_from_its_twins() {
    told_apart::<LastWins>();
}

#[test]
fn a_router_whose_updates_move_to_the_end_is_told_from_its_twins() {
    told_apart::<MovesToEnd>();
}

#[test]
fn a_router_whose_new_rows_come_first_is_told_from_its_twins() {
    told_apart::<NewestFirst>();
}

#[test]
fn a_router_whose_lists_leave_rows_in_their_places_is_told_from_its_twins() {
    told_apart::<Merges>();
}

#[test]
fn a_router_whose_longest_match_wins_is_told_from_its_twins() {
    told_apart::<Longest>();
}

#[test]
fn a_router_that_takes_few_texts_and_says_so_is_told_from_its_twins() {
    told_apart::<Narrow>();
}

#[test]
fn a_router_that_picks_at_random_is_told_from_its_twins() {
    told_apart::<Picks>();
}

#[test]
fn a_router_that_settles_within_a_stated_time_is_told_from_its_twins() {
    holds::<Lagging<Right>>();
    breaks::<Lagging<Stale>>(RuleId::Current, "stale");
    breaks::<Lagging<Loses>>(RuleId::HistoryFree, "missing");
    breaks::<Lagging<Freezes>>(RuleId::HistoryFree, "refused");
}

#[test]
fn each_id_and_name_of_a_universe_becomes_one_that_the_router_takes() {
    let hello = <Fake<Narrow, Right>>::default().describe();
    for universe in UNIVERSES {
        let scope = Scope::new(universe, &hello).universe;
        let distinct: BTreeSet<&str> = scope.ids.iter().copied().collect();
        assert_eq!(
            (scope.ids.len(), distinct.len()),
            (universe.ids.len(), universe.ids.len())
        );
        assert!(scope.ids.iter().all(|id| hello.dialect.takes_id(id)), "{:?}", scope.ids);
        assert_eq!(scope.names.len(), universe.names.len());
        let mut names = scope.names.iter().chain(scope.patterns);
        assert!(
            names.all(|name| hello.dialect.takes_name(name)),
            "{:?} {:?}",
            scope.names,
            scope.patterns
        );
    }
}

#[test]
fn what_is_not_judged_is_listed_with_its_reason() {
    let hello = <Fake<Narrow, Right>>::default().describe();
    let told = unjudged(&hello, &RuleSet::of(Level::Router));
    let has = |rule, whole, word: &str| {
        let mut told = told.iter();
        told.any(|one| (one.rule, one.whole) == (rule, whole) && one.reason.contains(word))
    };
    assert!(has(RuleId::OrderFree, true, "`ordered`"));
    assert!(has(RuleId::Listing, true, "no semantics"));
    assert!(has(RuleId::Bounded, false, "`asked`") && has(RuleId::Bounded, false, "`changes`"));
    assert!(
        has(RuleId::Current, false, "patterns of the universe `mid`"),
        "{told:#?}"
    );
}
