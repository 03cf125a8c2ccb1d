//! The document of `faults`: the kill table.

use model::RuleId;
use protocol::Level;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Counts, Facts};

/// Every planted fault by every engine, and whether the router without a fault raised no alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultsReport {
    /// The level of the faults.
    pub level: Level,
    /// The number of seeds that a median is taken of, for an engine that has seeds.
    pub seeds: u32,
    /// The universes of the exhaustive engine, in order.
    pub universes: Vec<String>,
    /// Every fault.
    pub faults: Vec<FaultReport>,
    /// The failures found on the router without a fault: none, if all is well.
    pub alarms: Vec<Kill>,
}

/// A planted fault, and how each engine did on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultReport {
    /// The name of the fault.
    pub fault: String,
    /// The fault, as a sentence.
    pub sentence: String,
    /// The report or code that it is modelled after.
    pub source: String,
    /// The engines that were measured on it, in the order of their columns.
    pub engines: Vec<Killed>,
}

impl FaultReport {
    /// The result of that engine; nothing where it was not measured on the fault.
    pub fn of(&self, engine: Engine) -> Option<&Killed> {
        self.engines.iter().find(|killed| killed.engine == engine)
    }
}

/// The result of an engine on a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Killed {
    /// The engine.
    pub engine: Engine,
    /// The first failure that it came to; nothing where it did not find the fault.
    pub kill: Option<Kill>,
}

/// An engine of the kill table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The schedules of a fleet that are swept before any is drawn.
    Sweep,
    /// Random traces, or random schedules of a fleet.
    Random,
    /// proptest.
    Property,
    /// Every trace over a small alphabet.
    Exhaustive,
    /// libFuzzer, measured apart.
    Fuzzer,
    /// The counterexamples that the model of a fleet has of other strategies.
    Model,
}

/// A fault found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Changes carried out until then; of a fleet, steps.
    pub changes: u64,
    /// Steps of the shrunk trace.
    pub steps: usize,
    /// The rule that was broken.
    pub rule: RuleId,
}

impl FaultsReport {
    /// The numbers of faults found and not found. Each engine of routers is counted for itself. Of those of fleets what a run
    /// does counts as one: it sweeps first, and draws what no sweep has.
    pub fn counts(&self) -> Counts {
        let is_found = |killed: &Killed| killed.kill.is_some();
        let tries: Vec<bool> = match self.level {
            Level::Router => self
                .faults
                .iter()
                .flat_map(|fault| &fault.engines)
                .map(is_found)
                .collect(),
            Level::Fleet => {
                let of_a_run = |fault: &FaultReport| {
                    let engines = [Engine::Sweep, Engine::Random];
                    engines.into_iter().filter_map(|engine| fault.of(engine)).any(is_found)
                };
                self.faults.iter().map(of_a_run).collect()
            }
        };
        let passed = tries.iter().filter(|found| **found).count();
        Counts {
            passed,
            failed: tries.len() - passed,
            ..Counts::default()
        }
    }

    pub(super) fn facts(&self) -> Facts {
        Facts {
            fault: None,
            violated: self.counts().failed > 0 || !self.alarms.is_empty(),
            misuse: None,
            judged: !self.faults.is_empty(),
            open: None,
        }
    }

    /// The engines that have a column.
    pub fn engines(&self) -> Vec<Engine> {
        let most = self.faults.iter().max_by_key(|fault| fault.engines.len());
        most.map_or_else(Vec::new, |fault| fault.engines.iter().map(|one| one.engine).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::exit::Exit;

    #[test]
    fn a_survivor_or_a_false_alarm_fails_the_table() {
        let kill = || Kill {
            changes: 1,
            steps: 1,
            rule: RuleId::Current,
        };
        let table = |kills: &[Option<Kill>], alarms: &[Kill]| {
            let fault = |kill: &Option<Kill>| FaultReport {
                fault: "planted".to_owned(),
                sentence: String::new(),
                source: String::new(),
                engines: vec![Killed {
                    engine: Engine::Random,
                    kill: kill.clone(),
                }],
            };
            Document::Faults(FaultsReport {
                level: Level::Router,
                seeds: 1,
                universes: Vec::new(),
                faults: kills.iter().map(fault).collect(),
                alarms: alarms.to_vec(),
            })
        };
        assert_eq!(table(&[Some(kill())], &[]).verdict().exit, Exit::Conforms);
        assert_eq!(table(&[Some(kill()), None], &[]).verdict().exit, Exit::Violation);
        assert_eq!(table(&[Some(kill())], &[kill()]).verdict().exit, Exit::Violation);
        assert_eq!(table(&[], &[]).verdict().exit, Exit::NothingRan);
    }
}
