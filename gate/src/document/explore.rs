//! The document of `explore`.

use model::RuleId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Counts, Facts, RuleStatus};

/// Models of fleets, explored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExploreReport {
    /// True if the fleets are compared: each is explored as far as its own actions go, so that a rule or an action
    /// without an occasion says nothing against the exploration.
    pub table: bool,
    /// Every fleet: a single one, or the columns of the table.
    pub fleets: Vec<FleetReport>,
    /// The counterexamples of strategies on real fleets, where they were carried out.
    pub on: Vec<ModelledOn>,
}

/// The counterexamples of strategies, carried out on a real fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelledOn {
    /// The fleet, as the command line names it.
    pub router: String,
    /// The outcome of each counterexample.
    pub counterexamples: Vec<ModelledOutcome>,
}

/// A counterexample of a strategy on a real fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelledOutcome {
    /// The strategy that breaks the rule in the model.
    pub strategy: String,
    /// The rule.
    pub rule: RuleId,
    /// True if the fleet breaks it in that schedule or in its closing; absent where the schedule cannot be carried out.
    pub confirmed: Option<bool>,
    /// The reason why it cannot be carried out.
    pub reason: Option<String>,
}

/// A model of a fleet, explored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FleetReport {
    /// The name of the model in a table.
    pub name: Option<String>,
    /// The model and its bounds, in a line.
    pub identity: String,
    /// True if every reachable state was seen.
    pub exhausted: bool,
    /// The reason why the exploration ended, in words.
    pub ended: String,
    /// Distinct states, the initial one among them.
    pub states: u64,
    /// States generated, repeats among them.
    pub generated: u64,
    /// Levels of the search: one more than the steps to the state farthest from the start.
    pub depth: u32,
    /// The time that it took.
    pub seconds: f64,
    /// The number of times that each action happened.
    pub actions: Vec<ActionReport>,
    /// Every rule.
    pub rules: Vec<FleetRuleReport>,
    /// The result on convergence, where it was asked for.
    pub convergence: Option<ConvergenceReport>,
    /// A shortest counterexample for each rule that is broken.
    pub counterexamples: Vec<Counterexample>,
    /// The files that were written of them.
    pub files: Vec<String>,
}

/// An action of the model and its number of occurrences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionReport {
    /// The name of the action.
    pub action: String,
    /// The number of times that it happened; an action that could happen and never did is an error of the model.
    pub count: u64,
}

/// A rule in a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FleetRuleReport {
    /// The id of the rule.
    pub rule: RuleId,
    /// The verdict on it.
    pub status: RuleStatus,
    /// The reason of a skip.
    pub reason: Option<String>,
    /// The number of states or steps in which it had something to check.
    pub premises: u64,
}

/// The result on convergence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConvergenceReport {
    /// The number of states in the graph, all of which were looked at.
    pub states: usize,
    /// The number of states whose replicas do not agree.
    pub premises: usize,
}

/// A way to a broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counterexample {
    /// The rule's id.
    pub rule: RuleId,
    /// The states among which the fleet goes on for ever, where it does not converge.
    pub among: Option<usize>,
    /// The steps, in order.
    pub steps: Vec<FleetStepReport>,
}

/// A step of a counterexample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FleetStepReport {
    /// The action, in words.
    pub action: String,
    /// The state that it leads to: a line for the store, then one for each replica.
    pub lanes: Vec<String>,
}

impl ExploreReport {
    /// The numbers of rules by what became of them, each fleet counted for itself.
    pub fn counts(&self) -> Counts {
        let count = |status| {
            let rules = self.fleets.iter().flat_map(|fleet| &fleet.rules);
            rules.filter(|rule| rule.status == status).count()
        };
        let converging = self.fleets.iter().filter(|fleet| fleet.convergence.is_some());
        let stuck = converging.clone().filter(|fleet| fleet.stuck().is_some()).count();
        Counts {
            passed: count(RuleStatus::Pass) + converging.count() - stuck,
            failed: count(RuleStatus::Fail) + stuck,
            skipped: count(RuleStatus::Skip),
            vacuous: count(RuleStatus::Vacuous),
        }
    }

    pub(super) fn facts(&self) -> Facts {
        Facts {
            fault: None,
            violated: self.fleets.iter().any(|fleet| !fleet.counterexamples.is_empty()),
            misuse: None,
            judged: !self.fleets.is_empty(),
            open: self.fleets.iter().find_map(|fleet| self.open(fleet)),
        }
    }

    /// Returns the reason why the exploration of a fleet is inconclusive, if it is.
    fn open(&self, fleet: &FleetReport) -> Option<String> {
        let vacuous = |rule: &FleetRuleReport| rule.status == RuleStatus::Vacuous;
        if !fleet.exhausted {
            Some(format!("the exploration was {}: raise that limit", fleet.ended))
        } else if self.table {
            None
        } else if !fleet.dead().is_empty() {
            Some("an action never happened: raise `--rows` or `--versions`, or leave it out".to_owned())
        } else if fleet.rules.iter().any(vacuous) {
            Some("a rule never had anything to check: let more happen, with `--actions` or `--shapes`".to_owned())
        } else {
            None
        }
    }
}

impl FleetReport {
    /// The actions that could happen and never did.
    pub fn dead(&self) -> Vec<&str> {
        let dead = self.actions.iter().filter(|action| action.count == 0);
        dead.map(|action| action.action.as_str()).collect()
    }

    /// The counterexample of a rule.
    pub fn counterexample(&self, rule: RuleId) -> Option<&Counterexample> {
        self.counterexamples.iter().find(|one| one.rule == rule)
    }

    /// The run that does not converge.
    pub fn stuck(&self) -> Option<&Counterexample> {
        self.counterexample(RuleId::Converges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::exit::Exit;

    fn fleet(exhausted: bool, count: u64, status: RuleStatus) -> FleetReport {
        FleetReport {
            name: None,
            identity: "fleet".to_owned(),
            exhausted,
            ended: "exhausted".to_owned(),
            states: 1,
            generated: 1,
            depth: 1,
            seconds: 1.0,
            actions: vec![ActionReport {
                action: "create".to_owned(),
                count,
            }],
            rules: vec![FleetRuleReport {
                rule: RuleId::Current,
                status,
                reason: None,
                premises: 0,
            }],
            convergence: None,
            counterexamples: Vec::new(),
            files: Vec::new(),
        }
    }

    fn exit(table: bool, fleets: Vec<FleetReport>) -> Exit {
        let on = Vec::new();
        Document::Explore(ExploreReport { table, fleets, on }).verdict().exit
    }

    #[test]
    fn a_limit_a_dead_action_and_a_void_rule_are_inconclusive() {
        use RuleStatus::{Pass, Skip, Vacuous};
        #[rustfmt::skip]
        let rows = [
            (true, 1, Pass, Exit::Conforms, Exit::Conforms),
            (true, 1, Skip, Exit::Conforms, Exit::Conforms),
            (true, 0, Pass, Exit::Inconclusive, Exit::Conforms),
            (true, 1, Vacuous, Exit::Inconclusive, Exit::Conforms),
            (false, 1, Pass, Exit::Inconclusive, Exit::Inconclusive),
        ];
        for (exhausted, count, status, alone, in_table) in rows {
            let fleet = fleet(exhausted, count, status);
            let what = format!("exhausted {exhausted}, count {count}, {status:?}");
            assert_eq!(exit(false, vec![fleet.clone()]), alone, "{what}");
            assert_eq!(exit(true, vec![fleet]), in_table, "{what}");
        }
    }

    #[test]
    fn a_counterexample_outweighs_a_limit() {
        let mut cut = fleet(false, 0, RuleStatus::Vacuous);
        cut.counterexamples.push(Counterexample {
            rule: RuleId::Converges,
            among: Some(2),
            steps: Vec::new(),
        });
        assert_eq!(exit(false, vec![cut.clone()]), Exit::Violation);
        let whole = fleet(true, 1, RuleStatus::Pass);
        assert_eq!(exit(true, vec![whole, cut]), Exit::Violation);
    }
}
