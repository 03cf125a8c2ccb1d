//! The shortest trace that shows each planted fault, on which the router without a fault is right.

use std::collections::BTreeSet;

use adapter_faulty::{FAULTS, Router, find};
use protocol::{Changed, Local, Outcome, Query, Step};
use serde::Deserialize;
use testdata::answer_text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    fault: String,
    steps: Vec<Step>,
    see: See,
    right: String,
    wrong: String,
}

/// The thing that is looked at after the last step.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum See {
    Lookup(Query),
    /// The team that is shown the names; empty for a caller without one.
    Listing(String),
    Size(String),
    /// The ids that the reply to the last change claims.
    Held,
    Outcome,
}

fn cases() -> Vec<Case> {
    let cases: Cases = toml::from_str(include_str!("faults.toml")).expect("the cases are well formed");
    cases.case
}

/// Carries out the steps on the router with the fault of that name and says what is seen then, as the cases write it.
fn seen(name: &str, steps: &[Step], see: &See) -> String {
    let fault = find(name).unwrap_or_else(|| panic!("there is no fault `{name}`"));
    let mut router = Router::new(fault);
    let mut last = router.reset(&[]);
    for step in steps {
        match step {
            Step::Change(change) => last = router.change(change),
            Step::Ask(None, question) => drop(router.ask(question)),
            _ => panic!("the cases are of one router"),
        }
    }
    match see {
        See::Lookup(query) => answer_text(router.lookup(query).remove(0)),
        See::Listing(team) => router
            .listing(Some(team.as_str()).filter(|team| !team.is_empty()))
            .join(" "),
        See::Size(structure) => router.sizes()[structure].to_string(),
        See::Held => last.held.expect("this router states its claims").join(" "),
        See::Outcome => outcome_of(&last).to_owned(),
    }
}

fn outcome_of(changed: &Changed) -> &'static str {
    match changed.outcome {
        Outcome::Applied => "applied",
        Outcome::Unchanged => "unchanged",
        Outcome::Refused(_) => "refused",
    }
}

#[test]
fn every_fault_has_a_case() {
    let shown: BTreeSet<String> = cases().into_iter().map(|case| case.fault).collect();
    let planted: BTreeSet<String> = FAULTS.iter().map(|fault| fault.name.to_owned()).collect();
    assert_eq!(shown, planted);
}

#[test]
fn each_fault_gives_the_wrong_answer_and_no_fault_the_right_one() {
    for case in cases() {
        let Case {
            fault,
            steps,
            see,
            right,
            wrong,
        } = &case;
        assert_eq!(seen("none", steps, see), *right, "{fault}: without the fault");
        assert_eq!(seen(fault, steps, see), *wrong, "{fault}: with it");
        assert_ne!(right, wrong, "{fault}");
    }
}

#[test]
fn no_step_of_a_case_can_be_left_out() {
    for case in cases() {
        for left_out in 0..case.steps.len() {
            let mut fewer = case.steps.clone();
            fewer.remove(left_out);
            let without = seen("none", &fewer, &case.see);
            let with = seen(&case.fault, &fewer, &case.see);
            assert_eq!(without, with, "{} without step {}", case.fault, left_out + 1);
        }
    }
}
