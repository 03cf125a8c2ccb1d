//! Failures of planted faults, put together by what caused them.

use std::collections::{BTreeMap, BTreeSet};

use adapter_faulty::{FAULTS, NO_FAULT, find};
use model::universe::{Scope, UNIVERSES};
use model::{
    Cadence, Cause, CauseKey, Diagnosis, Draws, Failure, Judge, Lasts, RuleSet, SearchSettings, diagnose, group, lasts,
    search, to_the_end,
};
use protocol::{
    AdapterFault, Capability, Change, Hello, Level, Observation, RouterUnderTest, Run, RunReply, Shown, Step, World,
};

/// The failures that random traces find, each with its diagnosis.
fn diagnosed(router: &mut dyn RouterUnderTest, traces_max: u32) -> Vec<(Failure, Diagnosis)> {
    let hello = router.hello().clone();
    let judge = Judge::new(&hello, RuleSet::of(Level::Router)).unwrap();
    let settings = SearchSettings {
        seed: 1,
        sweep: Vec::new(),
        scopes: UNIVERSES.iter().map(|universe| Scope::new(universe, &hello)).collect(),
        draws: Draws::Changes(Cadence::Drawn),
        traces_max,
        batch: 8,
    };
    let hunt = search(router, &judge, &settings, &mut to_the_end).unwrap();
    let mut found = Vec::new();
    for failure in hunt.failures.into_values() {
        let diagnosis = diagnose(router, &judge, &failure).unwrap();
        found.push((failure, diagnosis));
    }
    found
}

fn grouped(found: &[(Failure, Diagnosis)]) -> Vec<Cause> {
    let failures: Vec<(&Failure, Diagnosis)> = found.iter().map(|(failure, one)| (failure, one.clone())).collect();
    group(&failures)
}

/// The most causes of a planted fault, of those whose failures random traces find soon.
const CAUSES_MAX: [(&str, usize); 9] = [
    ("upsert-keeps-global-pattern", 1),
    ("refused-update-loses-old-row", 1),
    ("delete-keeps-global-pattern", 1),
    ("replace-keeps-team-patterns", 1),
    ("refused-replace-empties-table", 1),
    ("targets-only-grow", 1),
    ("resolved-name-kept", 1),
    ("id-ignores-team", 2),
    ("rename-ignored", 1),
];

/// Traces of one fault or pair in a test.
const FEW_TRACES: u32 = 40;

#[test]
fn one_fault_is_one_cause_or_two() {
    for (name, most) in CAUSES_MAX {
        let found = diagnosed(find(name).unwrap().router().as_mut(), FEW_TRACES);
        let causes = grouped(&found);
        let keys: Vec<&CauseKey> = causes.iter().map(|cause| &cause.key).collect();
        assert!((1..=most).contains(&causes.len()), "{name}: {keys:?}");
        let members: usize = causes.iter().map(|cause| cause.members.len()).sum();
        assert_eq!(members, found.len(), "{name}: each failure is of one cause");
        assert!(
            causes.iter().all(|cause| !cause.key.is_to_be_checked()),
            "{name}: {keys:?}"
        );
    }
}

#[test]
fn two_faults_in_one_router_are_not_joined() {
    let pairs = [
        ("delete-keeps-global-pattern", "delete-keeps-team-pattern"),
        ("id-ignores-team", "targets-only-grow"),
        ("refused-update-loses-old-row", "replace-keeps-global-patterns"),
    ];
    for (one, other) in pairs {
        let keys = |router: &mut dyn RouterUnderTest| -> BTreeSet<CauseKey> {
            let causes = grouped(&diagnosed(router, FEW_TRACES));
            causes.into_iter().map(|cause| cause.key).collect()
        };
        let alone = [one, other].map(|name| keys(find(name).unwrap().router().as_mut()));
        assert!(alone[0].is_disjoint(&alone[1]), "{one}, {other}: {alone:?}");
        let both = keys(&mut Together::new([one, other]));
        for (name, alone) in [one, other].into_iter().zip(&alone) {
            assert!(!both.is_disjoint(alone), "{name} is lost: {both:?}");
        }
    }
}

#[test]
fn a_diagnosis_names_the_step_and_what_it_left() {
    let found = diagnosed(
        find("delete-keeps-global-pattern").unwrap().router().as_mut(),
        FEW_TRACES,
    );
    for (failure, diagnosis) in &found {
        let guilty = diagnosis.guilty.expect("a step is to blame");
        let change = failure.run.trace.steps[guilty - 1].change();
        assert_eq!(change.map(Change::verb), Some("delete"), "{failure:?}");
        assert!(diagnosis.keeping.contains("patterns"), "{diagnosis:?}");
    }
}

/// A router that is faulty until it has waited half a second.
struct Settling {
    hello: Hello,
    faulty: Box<dyn RouterUnderTest + Send>,
    sound: Box<dyn RouterUnderTest + Send>,
}

impl RouterUnderTest for Settling {
    fn hello(&self) -> &Hello {
        &self.hello
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let mut replies = Vec::new();
        for run in runs {
            let has_settled = |step: &Step| matches!(step, Step::World(World::Wait(500..)));
            let settled = run.trace.steps.iter().any(has_settled);
            let router = if settled { &mut self.sound } else { &mut self.faulty };
            replies.extend(router.run(std::slice::from_ref(run))?);
        }
        Ok(replies)
    }
}

#[test]
fn a_failure_is_asked_for_again_after_a_wait() {
    let name = "delete-keeps-global-pattern";
    let mut router = Settling {
        hello: NO_FAULT.router().hello().clone(),
        faulty: find(name).unwrap().router(),
        sound: NO_FAULT.router(),
    };
    let found = diagnosed(&mut router, FEW_TRACES);
    let (ghost, _) = found
        .iter()
        .find(|(failure, _)| failure.finding.class == "ghost")
        .expect("a deleted row is served");
    let judge = Judge::new(&router.hello, RuleSet::of(Level::Router)).unwrap();
    assert_eq!(
        lasts(&mut router, &judge, ghost, 2_000),
        Ok(None),
        "it does not declare `wait`"
    );
    router.hello.capabilities.push(Capability::Wait);
    for (wait, expected) in [
        (100, Lasts::StillAfter(100)),
        (500, Lasts::HealedWithin(500)),
        (2_000, Lasts::HealedWithin(500)),
    ] {
        assert_eq!(lasts(&mut router, &judge, ghost, wait), Ok(Some(expected)));
    }
}

/// A router with two faults: it answers as the one that is wrong, where one is.
struct Together {
    faulty: [Box<dyn RouterUnderTest + Send>; 2],
    sound: Box<dyn RouterUnderTest + Send>,
}

impl Together {
    fn new(names: [&str; 2]) -> Self {
        Self {
            faulty: names.map(|name| find(name).unwrap().router()),
            sound: NO_FAULT.router(),
        }
    }
}

impl RouterUnderTest for Together {
    fn hello(&self) -> &Hello {
        self.sound.hello()
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let [one, other] = &mut self.faulty;
        let (one, other, sound) = (one.run(runs)?, other.run(runs)?, self.sound.run(runs)?);
        let replies = one.into_iter().zip(other).zip(sound);
        Ok(replies
            .map(|((one, other), sound)| merged(one, other, &sound))
            .collect())
    }
}

fn merged(one: RunReply, other: RunReply, sound: &RunReply) -> RunReply {
    let wrong = |one, other, sound| if one == sound { other } else { one };
    let steps = one.steps.into_iter().zip(other.steps).zip(sound.steps.clone());
    let seen = |rounds: Vec<Vec<Observation>>| rounds.into_iter().flatten();
    let rounds = seen(one.rounds).zip(seen(other.rounds)).zip(seen(sound.rounds.clone()));
    RunReply {
        setup: if one.setup == sound.setup {
            other.setup
        } else {
            one.setup
        },
        steps: steps.map(|((one, other), sound)| wrong(one, other, sound)).collect(),
        rounds: rounds
            .map(|((one, other), sound)| vec![merged_seen(one, other, &sound)])
            .collect(),
        did: Vec::new(),
        router_ns: None,
    }
}

fn merged_seen(one: Observation, other: Observation, sound: &Observation) -> Observation {
    let shown = one.shown.into_iter().zip(other.shown).zip(&sound.shown);
    let wrong = |((one, other), sound): ((Shown, Shown), &Shown)| match (one, other, sound) {
        // Each structure is a thing of its own: both faults may show in one answer.
        (Shown::Holds(one), Shown::Holds(other), Shown::Holds(sound)) => Shown::Holds(wrong_of_each(one, other, sound)),
        (Shown::Sizes(one), Shown::Sizes(other), Shown::Sizes(sound)) => Shown::Sizes(wrong_of_each(one, other, sound)),
        (one, other, sound) => {
            if one == *sound {
                other
            } else {
                one
            }
        }
    };
    Observation {
        replica: None,
        shown: shown.map(wrong).collect(),
    }
}

fn wrong_of_each<T: PartialEq + Clone>(
    mut one: BTreeMap<String, T>,
    other: BTreeMap<String, T>,
    sound: &BTreeMap<String, T>,
) -> BTreeMap<String, T> {
    for (structure, value) in other {
        if one.get(&structure) == sound.get(&structure) {
            one.insert(structure, value);
        }
    }
    one
}

/// Traces of one fault in the measurement.
const TRACES: u32 = 90;

#[test]
#[ignore = "it takes minutes, and measures"]
fn causes_of_each_planted_fault() {
    let mut keys: BTreeMap<CauseKey, Vec<(&str, usize)>> = BTreeMap::new();
    let (mut causes_in_all, mut findings, mut runs) = (0, 0, 0);
    for fault in FAULTS {
        let found = diagnosed(fault.router().as_mut(), TRACES);
        let causes = grouped(&found);
        println!("{}: {} failures, {} causes", fault.name, found.len(), causes.len());
        for cause in &causes {
            println!("    {} x {:?} {:?}", cause.members.len(), cause.harm, cause.key);
            keys.entry(cause.key.clone())
                .or_default()
                .push((fault.name, cause.members.len()));
        }
        runs += found.iter().map(|(_, one)| one.runs).sum::<usize>();
        causes_in_all += causes.len();
        findings += found.len();
    }
    let together: usize = keys.values().map(|faults| pairs(faults)).sum();
    let all = findings * findings / 2;
    println!(
        "{findings} findings, {runs} runs, {causes_in_all} causes of {} faults; of {all} pairs of findings {together} are of \
         different faults and one cause",
        FAULTS.len(),
    );
    for (key, faults) in keys.iter().filter(|(_, faults)| faults.len() > 1) {
        println!("shared: {key:?}: {faults:?}");
    }
}

/// Number of pairs of failures of different faults.
fn pairs(faults: &[(&str, usize)]) -> usize {
    let all: usize = faults.iter().map(|(_, count)| count).sum();
    faults.iter().map(|(_, count)| count * (all - count)).sum::<usize>() / 2
}
