//! The words that the kill table has in every format.

use protocol::Level;

use crate::document::{Engine, FaultsReport};

/// The name of an engine.
pub(super) const fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Sweep => "sweep",
        Engine::Random => "random",
        Engine::Property => "proptest",
        Engine::Exhaustive => "exhaustive",
        Engine::Fuzzer => "fuzzer",
        Engine::Model => "model",
    }
}

/// The word for what is counted until a fault is found.
pub(super) const fn carried_out(table: &FaultsReport) -> &'static str {
    match table.level {
        Level::Router => "changes",
        Level::Fleet => "steps done",
    }
}

/// The line below the table: how many faults each engine found, and whether there was a false alarm.
pub(super) fn last_line(table: &FaultsReport) -> String {
    let found = |engine: Engine| {
        let tries = table.faults.iter().flat_map(|fault| &fault.engines);
        let found = tries.filter(|killed| killed.engine == engine && killed.kill.is_some());
        format!("{} by {}", found.count(), name(engine))
    };
    let found: Vec<String> = table.engines().into_iter().map(found).collect();
    let alarms: Vec<String> = table
        .alarms
        .iter()
        .map(|kill| format!("{} after {} changes", kill.rule, kill.changes))
        .collect();
    let sound = if alarms.is_empty() {
        "no alarm".to_owned()
    } else {
        format!("FALSE ALARM: {}", alarms.join("; "))
    };
    format!(
        "{} faults found: {}; without a fault: {sound}",
        table.faults.len(),
        found.join(", ")
    )
}
