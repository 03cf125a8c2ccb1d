//! The kill table: every planted fault must be found by every engine, and no fault where there is none.

mod engines;
mod fuzzed;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use adapter_faulty::faults::{FAULTS, Fault, NO_FAULT};
use model::universe::CLOSABLE;
use serde::Deserialize;

pub use fuzzed::{Fuzzed, Unreadable};

use crate::error::Error;
use crate::exit::Exit;

/// The seeds whose median is told.
const SEEDS: u32 = 3;

/// The engines, in the order of their columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// Random traces.
    Random,
    /// proptest.
    Property,
    /// Every trace over a small alphabet.
    Exhaustive,
    /// libFuzzer, measured apart.
    Fuzzer,
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Property => "proptest",
            Self::Exhaustive => "exhaustive",
            Self::Fuzzer => "fuzzer",
        }
    }
}

/// A fault found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Changes carried out until then.
    pub changes: u64,
    /// Steps of the shrunk trace.
    pub steps: usize,
    /// The rule that was broken.
    pub rule: String,
}

/// How the engines did on one fault: nothing where one did not find it.
#[derive(Debug)]
pub struct Row {
    /// The fault.
    pub fault: &'static Fault,
    /// The first failure that each engine came to, for those that have seeds the median of all.
    pub kills: BTreeMap<Engine, Option<Kill>>,
}

/// The kill table, and whether the router without a fault raised no alarm.
#[derive(Debug)]
pub struct Table {
    /// A row a fault.
    pub rows: Vec<Row>,
    /// What was found on the router without a fault: nothing, if all is well.
    pub alarms: Vec<Kill>,
}

/// Puts every planted fault on trial; `fuzzed` is what the fuzzer came to, if it is to have a column.
///
/// # Errors
///
/// See [`Error`].
pub fn table(fuzzed: Option<&Fuzzed>, progress: &mut dyn FnMut(&str)) -> Result<Table, Error> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut rows = thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(fault) = FAULTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver is gone only where an error has ended the table.
                    if sender.send(row(fault, fuzzed)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut rows = Vec::with_capacity(FAULTS.len());
        for row in receiver {
            let row = row?;
            progress(&format!("{} of {}: {}", rows.len() + 1, FAULTS.len(), row.fault.name));
            rows.push(row);
        }
        Ok::<_, Error>(rows)
    })?;
    let place = |row: &Row| FAULTS.iter().position(|fault| fault.name == row.fault.name);
    rows.sort_by_key(place);
    progress("the router without a fault");
    let alarms = [
        engines::random_of_seed(&NO_FAULT, 0, engines::SOUND_TRACES_MAX)?,
        engines::property_of_seed(&NO_FAULT, 0, engines::SOUND_TRACES_MAX)?,
        engines::exhaustive(&NO_FAULT)?,
    ];
    Ok(Table {
        rows,
        alarms: alarms.into_iter().flatten().collect(),
    })
}

fn row(fault: &'static Fault, fuzzed: Option<&Fuzzed>) -> Result<Row, Error> {
    let mut kills = BTreeMap::from([
        (Engine::Random, engines::random(fault)?),
        (Engine::Property, engines::property(fault)?),
        (Engine::Exhaustive, engines::exhaustive(fault)?),
    ]);
    if let Some(fuzzed) = fuzzed {
        kills.insert(Engine::Fuzzer, fuzzed.of(fault).cloned());
    }
    Ok(Row { fault, kills })
}

impl Table {
    /// How the command ends.
    pub fn exit(&self) -> Exit {
        let survives = |row: &Row| row.kills.values().any(Option::is_none);
        if self.rows.is_empty() {
            Exit::NothingRan
        } else if self.rows.iter().any(survives) || !self.alarms.is_empty() {
            Exit::Violation
        } else {
            Exit::Conforms
        }
    }

    /// The engines that have a column.
    fn engines(&self) -> Vec<Engine> {
        let first = self.rows.first().map(|row| row.kills.keys().copied().collect());
        first.unwrap_or_default()
    }

    /// The table for a person.
    pub fn text(&self) -> String {
        let mut text = format!("{:<38}", "fault");
        for engine in self.engines() {
            write!(text, " {:<42}", engine.name()).expect("a string takes any text");
        }
        for row in &self.rows {
            write!(text, "\n{:<38}", row.fault.name).expect("a string takes any text");
            for kill in row.kills.values() {
                let cell = match kill {
                    Some(kill) => format!("{:>6} changes, {:>2} steps, {}", kill.changes, kill.steps, kill.rule),
                    None => "SURVIVES".to_owned(),
                };
                write!(text, " {cell:<42}").expect("a string takes any text");
            }
        }
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        format!("{}\n{}", lines.join("\n"), self.last_line())
    }

    /// The table for the book.
    pub fn markdown(&self) -> String {
        let engines = self.engines();
        let mut text = format!(
            "# The kill table\n\nEvery fault below is planted in a router of several hand-kept indexes, one at a time, and must be\n\
             found by every engine. *Changes* are those carried out until then: of the exhaustive engine those in the universes\n\
             {}, in that order; of the others the median of {SEEDS} seeds.\n\
             *Steps* are those of the shrunk trace: the exhaustive engine gives the fewest there are.\n\n\
             | fault | what is wrong | after |",
            CLOSABLE.map(|universe| universe.name).join(", ")
        );
        for engine in &engines {
            write!(text, " {}: changes | steps |", engine.name()).expect("a string takes any text");
        }
        writeln!(text, " rule |\n|---|---|---|{}---|", "---|---|".repeat(engines.len()))
            .expect("a string takes any text");
        for Row { fault, kills } in &self.rows {
            let (name, sentence, source) = (fault.name, fault.sentence, fault.source);
            write!(text, "| `{name}` | {sentence} | {source} |").expect("a string takes any text");
            for kill in kills.values() {
                let cells = kill
                    .as_ref()
                    .map(|kill| format!(" {} | {} |", kill.changes, kill.steps));
                text.push_str(cells.as_deref().unwrap_or(" survives | - |"));
            }
            let exhaustive = kills.get(&Engine::Exhaustive).and_then(Option::as_ref);
            let rule = exhaustive.map_or("-", |kill| &kill.rule);
            writeln!(text, " `{rule}` |").expect("a string takes any text");
        }
        writeln!(text, "\n{}", self.last_line().trim_end()).expect("a string takes any text");
        text
    }

    fn last_line(&self) -> String {
        let killed = |engine: Engine| {
            let killed = self
                .rows
                .iter()
                .filter(|row| row.kills.get(&engine).is_some_and(Option::is_some));
            format!("{} by {}", killed.count(), engine.name())
        };
        let killed: Vec<String> = self.engines().into_iter().map(killed).collect();
        let alarms: Vec<String> = self
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
            "{} faults found: {}; without a fault: {sound}\n",
            self.rows.len(),
            killed.join(", ")
        )
    }
}
