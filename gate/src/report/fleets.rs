//! The cells that the table of fleets has in every format.

use model::RuleId;

use crate::document::{Counterexample, ExploreReport, FleetReport, FleetRuleReport, ModelledOutcome};

/// The verdicts on each rule, a cell for each fleet.
pub(super) fn verdicts(fleets: &[FleetReport]) -> Vec<(&'static str, Vec<String>)> {
    let first = fleets.first().map_or(&[][..], |fleet| &fleet.rules);
    let rules = first.iter().enumerate().map(|(index, rule)| {
        let cells = fleets.iter().map(|fleet| cell(fleet, &fleet.rules[index]));
        (rule.rule.name(), cells.collect())
    });
    let converges = fleets.iter().map(|fleet| {
        fleet.convergence.as_ref()?;
        Some(fleet.stuck().map_or_else(|| "pass".to_owned(), steps))
    });
    let converges: Option<Vec<String>> = converges.collect();
    rules
        .chain(converges.map(|cells| (RuleId::Converges.name(), cells)))
        .collect()
}

fn cell(fleet: &FleetReport, rule: &FleetRuleReport) -> String {
    match fleet.counterexample(rule.rule) {
        Some(counterexample) => steps(counterexample),
        None if rule.premises == 0 => "void".to_owned(),
        None if fleet.exhausted => "pass".to_owned(),
        None => "cut".to_owned(),
    }
}

fn steps(counterexample: &Counterexample) -> String {
    counterexample.steps.len().to_string()
}

/// The outcomes of the counterexamples of strategies on real fleets: strategy, rule, and a cell for each fleet.
pub(super) fn outcomes(explored: &ExploreReport) -> Vec<([&str; 2], Vec<String>)> {
    let first = explored.on.first().map_or(&[][..], |on| &on.counterexamples);
    let rows = first.iter().enumerate().map(|(index, one)| {
        let cells = explored.on.iter().map(|on| outcome(&on.counterexamples[index]));
        ([one.strategy.as_str(), one.rule.name()], cells.collect())
    });
    rows.collect()
}

fn outcome(one: &ModelledOutcome) -> String {
    match (one.confirmed, &one.reason) {
        (Some(true), _) => "confirmed".to_owned(),
        (Some(false), _) => "not confirmed".to_owned(),
        (None, reason) => format!("not carried out: {}", reason.as_deref().unwrap_or_default()),
    }
}
