//! Each rule of the fleet has a strategy that breaks it and is caught, and the reference breaks none.

use std::sync::Arc;

use fleet::generic::{FleetOf, NaiveReplica};
use fleet::strategies::{CANARIES, LITELLM_1_85, REBUILD_ON_UPDATE, REFERENCE, REMOVE_BY_ID, Strategy};
use fleet::{
    Bounds, CheckOptions, Ended, Exploration, ExploreOptions, Fairness, Fleet, Kind, Limit, Machine, STATES_MAX, Shape,
    TooManyStates, check, converges, explore,
};
use model::RuleId;

const KINDS: &[Kind] = &[
    Kind::Create,
    Kind::Update,
    Kind::Delete,
    Kind::Rename,
    Kind::Block,
    Kind::Break,
    Kind::Read,
    Kind::StaleRead,
    Kind::Apply,
    Kind::FailedPoll,
    Kind::EmptyPoll,
    Kind::Request,
    Kind::Crash,
    Kind::Start,
];

fn fleet(rows: u8, versions: u8, strategies: &[Strategy], kinds: &[Kind], admin: bool) -> Fleet {
    Fleet::new(Bounds {
        rows,
        versions,
        strategies: strategies.to_vec(),
        kinds: kinds.to_vec(),
        shapes: Shape::ALL.to_vec(),
        admin,
    })
    .expect("bounds fit")
}

fn exhaust(fleet: &Fleet) -> Exploration<u128> {
    let report = explore(fleet, &ExploreOptions::default(), Arc::new(|_| {})).expect("it runs");
    assert_eq!(report.ended, Ended::Exhausted);
    assert_eq!(report.dead(fleet), []);
    report
}

fn broken(report: &Exploration<u128>) -> Vec<RuleId> {
    report.violations.iter().map(|violation| violation.rule).collect()
}

#[test]
fn the_reference_breaks_no_rule_and_none_is_vacuous() {
    let fleet = fleet(1, 2, &[REFERENCE; 2], KINDS, true);
    let report = exhaust(&fleet);
    assert_eq!(broken(&report), []);
    assert_eq!(report.vacuous(&fleet), []);
    let found = converges(&fleet, Fairness::Weak, STATES_MAX).expect("it is small");
    assert_eq!(found.stuck, None);
    assert_eq!(found.distinct as u64, report.distinct);
    assert!(found.premises > 0);
}

/// A replica that refused a row goes on to serve the version before it, although the store has a newer one by then.
#[test]
fn a_refused_write_is_no_acknowledgement() {
    let bounds = Bounds {
        rows: 1,
        versions: 3,
        strategies: vec![REFERENCE],
        kinds: vec![Kind::Create, Kind::Update, Kind::Break, Kind::Read, Kind::Apply],
        shapes: vec![Shape::Exact],
        admin: true,
    };
    let packed = Fleet::new(bounds.clone()).expect("bounds fit");
    let report = exhaust(&packed);
    assert_eq!((report.distinct, report.generated, report.depth), (105, 240, 7));
    let naive = FleetOf::<NaiveReplica>::new(bounds).expect("bounds fit");
    let naive = check(&naive, CheckOptions::default());
    assert_eq!(naive.ended, Ended::Exhausted);
    assert_eq!((naive.distinct, naive.generated), (report.distinct, report.generated));
    assert_eq!(naive.premises, report.premises);
    assert_eq!(broken(&report), []);
    assert_eq!(naive.violations, []);
}

#[test]
fn each_rule_is_broken_by_its_canary() {
    for (rule, canary) in CANARIES {
        let rows = if rule == RuleId::NoDuplicate || rule == RuleId::Complete {
            2
        } else {
            1
        };
        let kinds = if rows == 2 {
            &[Kind::Create, Kind::Update, Kind::Rename, Kind::Read, Kind::Apply][..]
        } else {
            KINDS
        };
        let fleet = fleet(rows, 2, &[canary], kinds, true);
        if rule == RuleId::Converges {
            let found = converges(&fleet, Fairness::Weak, STATES_MAX).expect("it is small");
            assert!(found.stuck.is_some(), "{rule}");
        } else {
            let report = exhaust(&fleet);
            assert!(broken(&report).contains(&rule), "{rule}: {:?}", broken(&report));
        }
    }
}

/// A replica need not hold what it acknowledged once the store has a newer version. Here that version is refused and
/// takes the row away, which `atomic-refusal` reports, and `read-your-writes` does not.
#[test]
fn a_row_that_a_newer_refused_one_took_away_is_no_lost_write() {
    let forgetful = Strategy {
        refusal_keeps: false,
        refuses_invalid_reads: false,
        ..REFERENCE
    };
    let report = exhaust(&fleet(1, 2, &[forgetful], KINDS, true));
    assert_eq!(broken(&report), [RuleId::AtomicRefusal]);
}

#[test]
fn a_graph_of_as_many_states_as_may_be_is_judged() {
    let fleet = fleet(1, 1, &[REFERENCE], &[Kind::Create, Kind::Read, Kind::Apply], false);
    let states = usize::try_from(exhaust(&fleet).distinct).expect("they are few");
    let judged = |states_max| converges(&fleet, Fairness::Weak, states_max).map(|found| found.distinct);
    assert_eq!(judged(states), Ok(states));
    assert_eq!(judged(states - 1), Err(TooManyStates(states - 1)));
}

#[test]
fn every_rule_has_a_canary() {
    let rules = fleet(1, 2, &[REFERENCE], KINDS, true)
        .rules()
        .iter()
        .chain(&[RuleId::Converges]);
    let canaries: Vec<RuleId> = CANARIES.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(rules.copied().collect::<Vec<_>>(), canaries);
}

/// [BerriAI/litellm#29064](https://github.com/BerriAI/litellm/issues/29064).
#[test]
fn the_founding_bug_is_a_counterexample_of_1_85() {
    let kinds = [Kind::Create, Kind::Update, Kind::Read, Kind::Apply];
    let report = exhaust(&fleet(1, 2, &[LITELLM_1_85; 2], &kinds, true));
    let current = report
        .violations
        .iter()
        .find(|violation| violation.rule == RuleId::Current);
    let path = &current.expect("the stale entry is served").path;
    let actions: Vec<String> = path.iter().map(|(action, _)| action.to_string()).collect();
    assert_eq!(actions, ["create d1 as a wildcard at r1", "update d1 at r1"]);
    let reference = exhaust(&fleet(1, 2, &[REFERENCE; 2], &kinds, true));
    assert_eq!(broken(&reference), []);
}

/// An update through a replica's own endpoint first deletes every row of it, and neither fix cleans up after a delete.
#[test]
fn the_proposed_fixes_cure_polls_and_not_the_admin_endpoint() {
    let kinds = [Kind::Create, Kind::Update, Kind::Read, Kind::Apply];
    for fixed in [REBUILD_ON_UPDATE, REMOVE_BY_ID] {
        let by_polls = exhaust(&fleet(1, 2, &[fixed; 2], &kinds, false));
        assert_eq!(broken(&by_polls), [], "{}", fixed.name);
        let by_endpoint = exhaust(&fleet(1, 2, &[fixed; 2], &kinds, true));
        assert!(broken(&by_endpoint).contains(&RuleId::Current), "{}", fixed.name);
    }
}

#[test]
fn both_engines_count_alike_and_find_paths_of_one_length() {
    let fleet = fleet(1, 2, &[LITELLM_1_85, REFERENCE], &KINDS[..9], true);
    let ours = exhaust(&fleet);
    assert_eq!((ours.distinct, ours.generated, ours.depth), (25_461, 68_986, 20));
    let theirs = check(&fleet, CheckOptions::default());
    assert_eq!((theirs.ended, theirs.distinct), (Ended::Exhausted, ours.distinct));
    assert_eq!((theirs.generated, theirs.depth), (ours.generated, ours.depth));
    assert_eq!((theirs.coverage, &theirs.premises), (ours.coverage, &ours.premises));
    let lengths = |report: &Exploration<u128>| -> Vec<(RuleId, usize)> {
        report
            .violations
            .iter()
            .map(|violation| (violation.rule, violation.path.len()))
            .collect()
    };
    assert_eq!(lengths(&theirs), lengths(&ours));
}

#[test]
fn a_limit_of_the_checker_is_named_where_it_cuts() {
    let fleet = fleet(1, 2, &[REFERENCE; 2], KINDS, true);
    let whole = check(&fleet, CheckOptions::default());
    let ended = |states_max| {
        let options = CheckOptions {
            states_max: Some(states_max),
            ..CheckOptions::default()
        };
        let report = check(&fleet, options);
        (report.ended, report.distinct == whole.distinct)
    };
    assert_eq!(ended(50), (Ended::Cut(Limit::States(50)), false));
    assert_eq!(ended(whole.generated + 1), (Ended::Exhausted, true));
}

#[test]
fn symmetry_keeps_the_verdicts_and_any_number_of_workers_the_counts() {
    let fleet = fleet(1, 2, &[LITELLM_1_85; 2], &KINDS[..9], true);
    let whole = exhaust(&fleet);
    let options = |threads| ExploreOptions {
        symmetric: true,
        threads,
        ..ExploreOptions::default()
    };
    let one = explore(&fleet, &options(1), Arc::new(|_| {})).expect("it runs");
    let two = explore(&fleet, &options(2), Arc::new(|_| {})).expect("it runs");
    assert!(one.distinct < whole.distinct);
    assert_eq!(broken(&one), broken(&whole));
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
    for violation in &one.violations {
        let mut state = fleet.initial();
        for (action, next) in &violation.path {
            let mut follows = false;
            fleet.successors(&state, |candidate, after| {
                follows |= (candidate, after) == (*action, *next);
            });
            assert!(follows, "{action} in the path of {}", violation.rule);
            state = *next;
        }
    }
}
