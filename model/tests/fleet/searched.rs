//! The engine on fleets with planted faults: each is found, made small, told by its cause, and shows again.

use std::ops::ControlFlow;

use adapter_faulty::{FLEET_FAULTS, find, find_fleet};
use model::universe::{FLEET_UNIVERSES, SCHEDULED, Scope};
use model::{
    CauseKey, Draws, Failure, Hunt, Judge, Lasts, Left, RuleSet, Schedule, SearchSettings, Until, diagnose, fleet_run,
    fleet_sweep, search, to_the_end, trial,
};
use protocol::fleet::InProcessFleet;
use protocol::{
    Begin, Capability, Level, Op, Place, Query, Question, RouterUnderTest, Run, Step, StoreView, Trace, World,
};

use crate::planted::Planted;

fn settings(fleet: &dyn RouterUnderTest, sweep: bool) -> SearchSettings {
    let scopes = FLEET_UNIVERSES.map(|universe| Scope::new(universe, fleet.hello()));
    SearchSettings {
        seed: 3,
        sweep: if sweep {
            fleet_sweep(&scopes[0], &[])
        } else {
            Vec::new()
        },
        scopes: scopes.to_vec(),
        draws: Draws::Schedules(3),
        traces_max: if sweep { 0 } else { 400 },
        batch: 1,
    }
}

fn judge(fleet: &dyn RouterUnderTest) -> Judge {
    Judge::new(fleet.hello(), RuleSet::of(Level::Fleet)).unwrap()
}

/// The first failure that is made small.
fn first(fleet: &mut dyn RouterUnderTest, sweep: bool) -> Option<Failure> {
    let settings = settings(fleet, sweep);
    first_of(fleet, &settings)
}

fn first_of(fleet: &mut dyn RouterUnderTest, settings: &SearchSettings) -> Option<Failure> {
    let judge = judge(fleet);
    let hunt = search(fleet, &judge, settings, &mut |so_far: &Hunt| {
        if so_far.failures.values().any(|failure| failure.shrunk) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(u32::MAX)
        }
    });
    let failures = hunt.unwrap().failures.into_values();
    failures
        .filter(|failure| failure.shrunk)
        .min_by_key(|failure| failure.run.trace.size())
}

fn shows_again(fleet: &mut dyn RouterUnderTest, failure: &Failure) -> bool {
    let trace = failure.run.trace.clone();
    let queries: Vec<Query> = trace
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Ask(_, question) => question.query().cloned(),
            _ => None,
        })
        .collect();
    let run = fleet_run(trace, queries, &fleet.hello().capabilities.clone());
    let judge = judge(fleet).of_rule(failure.finding.rule);
    let judged = trial(fleet, &judge, &[run]).unwrap();
    !judged[0].tally.findings.is_empty()
}

#[test]
fn each_planted_fault_is_found_by_schedules_that_are_swept_or_drawn_and_made_small() {
    // The fault, and the most rows and steps of the shortest trace.
    let sizes = [
        ("older-reading-applied", 5),
        ("empty-reading-empties", 5),
        ("first-page-read", 104),
        ("poll-keeps-deleted", 7),
        ("bad-reading-loses-row", 4),
        ("lock-kept-on-failure", 7),
        ("notice-applies-late-row", 5),
        ("write-served-at-next-poll", 3),
        ("deletion-forgotten", 5),
        ("invalid-row-accepted", 2),
        ("refusal-loses-row", 4),
        ("nothing-served-meanwhile", 4),
        ("patch-writes-whole-row", 4),
        ("conflict-acknowledged", 6),
        ("store-ignores-condition", 4),
        ("store-loses-deletion", 4),
        ("store-drops-team", 6),
        ("router-keeps-deleted-pattern", 5),
    ];
    assert_eq!(
        sizes.map(|(name, _)| name),
        FLEET_FAULTS.each_ref().map(|fault| fault.name)
    );
    for (name, most) in sizes {
        let fault = find_fleet(name).unwrap();
        let mut fleet = fault.fleet();
        let fleet = fleet.as_mut();
        // An invalid row is drawn and not swept.
        let found = first(fleet, true).or_else(|| first(fleet, false));
        let failure = found.unwrap_or_else(|| panic!("`{name}` is not found"));
        assert!(shows_again(fleet, &failure), "`{name}`: {failure:?}");
        let judge = judge(fleet);
        let key = diagnose(fleet, &judge, &failure).unwrap().key;
        assert!(matches!(key, CauseKey::Schedule(_)), "`{name}`: {key:?}");
        let shortest = failure.run.trace.size();
        assert!(shortest <= most, "`{name}` in {shortest}");
    }
}

#[test]
fn the_cause_of_an_empty_reading_is_the_store_and_not_the_rows() {
    let mut fleet = InProcessFleet::new(Planted::new("empty-reading-empties"));
    let mut settings = settings(&fleet, true);
    let shows_nothing = Step::World(World::StoreShows(StoreView::Nothing));
    settings
        .sweep
        .retain(|swept| swept.run.trace.steps.contains(&shows_nothing));
    let failure = first_of(&mut fleet, &settings).unwrap();
    let judge = judge(&fleet);
    let CauseKey::Schedule(Schedule {
        race,
        store,
        change,
        left,
        until,
        ..
    }) = diagnose(&mut fleet, &judge, &failure).unwrap().key
    else {
        panic!("it is a schedule");
    };
    assert_eq!(
        (race, left, change, until),
        (None, Left::Missing, None, Some(Until::Poll))
    );
    assert!(store.contains("shows no row"), "{store:?}");
    let told = diagnose(&mut fleet, &judge, &failure).unwrap().told;
    let steps = &failure.run.trace.steps;
    assert_eq!(told.len(), steps.len() + 1);
    // The store has the row all along, and the replica answers with none in the end.
    assert!(told.iter().all(|told| told.rows.len() == 1), "{told:#?}");
    assert!(
        told.iter().any(|told| told.serves.len() == 1) && told[failure.finding.after].serves.is_empty(),
        "{told:#?}"
    );
}

#[test]
fn what_was_not_made_small_is_told_by_its_schedule_where_nothing_is_held() {
    let mut fleet = InProcessFleet::new(Planted::new("router-keeps-deleted-pattern"));
    let judge = judge(&fleet);
    let settings = settings(&fleet, true);
    // Stopped after the first messages, the search makes nothing small.
    let mut asked = 0;
    let hunt = search(&mut fleet, &judge, &settings, &mut |_: &Hunt| {
        asked += 1;
        if asked > 4 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(1)
        }
    });
    let failures: Vec<Failure> = hunt.unwrap().failures.into_values().collect();
    assert!(
        failures.len() > 1 && failures.iter().all(|failure| !failure.shrunk),
        "{failures:#?}"
    );
    for failure in &failures {
        let key = diagnose(&mut fleet, &judge, failure).unwrap().key;
        assert!(matches!(key, CauseKey::Schedule(_)), "{key:?}");
    }
    let held = Failure {
        run: Run {
            trace: Trace::of_fleet(2, vec![Step::Begin(Begin::new("a", Op::Poll(0), Place::AfterRead))]),
            ..Run::default()
        },
        ..failures[0].clone()
    };
    let key = diagnose(&mut fleet, &judge, &held).unwrap().key;
    assert!(matches!(key, CauseKey::Unexplained { .. }), "{key:?}");
}

#[test]
fn a_fault_of_an_index_outlasts_polls_and_one_of_a_late_reading_does_not() {
    let lasts_of = |fault: &str| {
        let mut fleet = InProcessFleet::new(Planted::new(fault));
        let failure = first(&mut fleet, true).unwrap();
        let judge = judge(&fleet);
        model::lasts(&mut fleet, &judge, &failure, 0).unwrap()
    };
    assert_eq!(lasts_of("router-keeps-deleted-pattern"), Some(Lasts::ApartAfter(3)));
    assert_eq!(lasts_of("write-served-at-next-poll"), Some(Lasts::UntilPoll(1)));
}

#[test]
fn what_a_replica_remembers_of_being_asked_lasts_as_it_was_asked() {
    let mut fleet = find("first-lookup-kept").unwrap().fleet();
    let failure = first(fleet.as_mut(), true).unwrap();
    let judge = judge(fleet.as_ref());
    let lasts = model::lasts(fleet.as_mut(), &judge, &failure, 0).unwrap();
    assert_eq!(lasts, Some(Lasts::ApartAfter(3)), "{failure:#?}");
}

#[test]
fn what_is_swept_keeps_to_the_capabilities_of_the_fleet() {
    let hello = InProcessFleet::new(Planted::new("none")).hello().clone();
    let lacking = |gone: Capability| {
        let mut scope = Scope::new(&SCHEDULED, &hello);
        scope.capabilities.retain(|capability| *capability != gone);
        scope
    };
    let verbs = [Capability::Upsert, Capability::Add, Capability::Delete];
    for gone in Capability::OF_FLEETS.into_iter().chain(verbs) {
        let scope = lacking(gone);
        let settings = SearchSettings {
            seed: 1,
            sweep: fleet_sweep(&scope, &[]),
            scopes: vec![scope],
            draws: Draws::Schedules(3),
            traces_max: 200,
            batch: 1,
        };
        let drawn = (0..200).map(|number| model::draw_run(&settings, number).1.trace);
        for trace in settings.sweep.iter().map(|swept| swept.run.trace.clone()).chain(drawn) {
            assert!(!trace.needs().contains(&gone), "{gone:?}: {trace:#?}");
        }
        assert!(settings.sweep.len() > 20, "{gone:?}");
    }
}

#[test]
fn the_sweep_holds_each_operation_at_each_point_while_others_run_here_and_elsewhere() {
    let fleet = InProcessFleet::new(Planted::new("none"));
    let sweep = settings(&fleet, true).sweep;
    let traces: Vec<&Trace> = sweep.iter().map(|swept| &swept.run.trace).collect();
    let held = |is: &dyn Fn(&Op) -> bool, at: Place| {
        traces.iter().any(|trace| {
            trace
                .steps
                .iter()
                .any(|step| matches!(step, Step::Begin(begin) if is(&begin.act) && begin.until == at))
        })
    };
    let write = |verb: &'static str| move |op: &Op| matches!(op, Op::Write(op) if op.write.verb() == verb);
    for at in [
        Place::BeforeRead,
        Place::AfterRead,
        Place::BeforeWrite,
        Place::AfterWrite,
    ] {
        for verb in ["put", "patch", "delete", "add"] {
            assert!(held(&write(verb), at), "{verb} {at:?}");
        }
    }
    for at in [Place::BeforeRead, Place::AfterRead] {
        assert!(held(&|op| matches!(op, Op::Poll(_)), at), "poll {at:?}");
        assert!(held(&|op| matches!(op, Op::Deliver(_)), at), "deliver {at:?}");
    }
    let fails = |trace: &&&Trace| trace.steps.contains(&Step::World(World::StoreFails(true)));
    assert!(traces.iter().filter(fails).count() >= 7);
}

#[test]
fn a_sound_fleet_goes_through_the_sweep_without_a_failure() {
    let mut fleet = InProcessFleet::new(Planted::new("none"));
    let settings = settings(&fleet, true);
    let judge = judge(&fleet);
    let hunt = search(&mut fleet, &judge, &settings, &mut to_the_end).unwrap();
    assert_eq!(hunt.failures.len(), 0, "{:#?}", hunt.failures);
    assert!(
        hunt.work.swept > 200 && hunt.work.effects == 0,
        "what is swept is no random change"
    );
    let asked = settings.sweep.iter().flat_map(|swept| &swept.run.questions.asked);
    assert!(asked.filter(|question| matches!(question, Question::Lookup(_))).count() > 200);
}
