//! Turns what an engine returns of a model into the data of a document.

use std::time::Duration;

use fleet::{Action, Convergence, Ended, Exploration, Kind, Machine};
use model::RuleId;

use crate::document::{
    ActionReport, ConvergenceReport, Counterexample, FleetReport, FleetRuleReport, FleetStepReport, RuleStatus,
};

/// The exploration of a machine, before anything is written of it.
pub(super) fn fleet_report<M: Machine>(
    machine: &M,
    report: &Exploration<M::State>,
    convergence: Option<&Convergence<M::State>>,
    took: Duration,
) -> FleetReport {
    let violations = report.violations.iter().map(|violation| Counterexample {
        rule: violation.rule,
        among: None,
        steps: steps(machine, &violation.path),
    });
    let stuck = convergence.and_then(|convergence| convergence.stuck.as_ref());
    let stuck = stuck.map(|stuck| Counterexample {
        rule: RuleId::Converges,
        among: Some(stuck.among),
        steps: steps(machine, &stuck.path),
    });
    FleetReport {
        name: None,
        identity: machine.identity(),
        exhausted: report.ended == Ended::Exhausted,
        ended: report.ended.to_string(),
        states: report.distinct,
        generated: report.generated,
        depth: report.depth,
        seconds: took.as_secs_f64(),
        actions: machine
            .kinds()
            .iter()
            .map(|kind| ActionReport {
                action: kind.name().to_owned(),
                count: report.coverage[*kind as usize],
            })
            .collect(),
        rules: rules(machine, report),
        convergence: convergence.map(|convergence| ConvergenceReport {
            states: convergence.distinct,
            premises: convergence.premises,
        }),
        counterexamples: violations.chain(stuck).collect(),
        files: Vec::new(),
    }
}

fn steps<M: Machine>(machine: &M, path: &[(Action, M::State)]) -> Vec<FleetStepReport> {
    let step = |(action, state): &(Action, M::State)| FleetStepReport {
        action: action.to_string(),
        lanes: machine.lanes(state),
    };
    path.iter().map(step).collect()
}

fn rules<M: Machine>(machine: &M, report: &Exploration<M::State>) -> Vec<FleetRuleReport> {
    let rules = machine.rules().iter().zip(&report.premises);
    rules
        .map(|(rule, &premises)| {
            let violated = report.violations.iter().any(|violation| violation.rule == *rule);
            let (status, reason) = match (violated, premises) {
                (true, _) => (RuleStatus::Fail, None),
                (false, 1..) => (RuleStatus::Pass, None),
                (false, 0) => match lacking(*rule, machine.kinds()) {
                    Some(reason) => (RuleStatus::Skip, Some(reason)),
                    None => (RuleStatus::Vacuous, None),
                },
            };
            FleetRuleReport {
                rule: *rule,
                status,
                reason,
                premises,
            }
        })
        .collect()
}

/// Names what a rule without premises needs, if the exploration was not asked to allow it.
fn lacking(rule: RuleId, kinds: &[Kind]) -> Option<String> {
    let needed = match rule {
        RuleId::AtomicRefusal => Kind::Break,
        RuleId::FailsSafe => Kind::FailedPoll,
        RuleId::Monotonic => Kind::Request,
        // Writes through a replica are no kind of action, but a flag.
        RuleId::ReadYourWrites => return Some("it needs writes through a replica".to_owned()),
        _ => return None,
    };
    (!kinds.contains(&needed)).then(|| format!("it needs `{}`", needed.name()))
}
