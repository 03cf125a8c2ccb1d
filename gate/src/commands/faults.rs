//! `routeproof faults`: the kill table. Every planted fault must be found by every engine, and no fault where there is none.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use adapter_faulty::faults::{FAULTS, Fault, NO_FAULT};
use model::exhaust::Limits;
use model::generate::Cadence;
use model::rules::RuleSet;
use model::search::{Settings, search};
use model::trial::Judge;
use model::universe::{CLOSABLE, Scope, UNIVERSES};

use super::Error;
use crate::adapter::spec::Spec;
use crate::exit::Exit;
use crate::explore::explore_any;

/// The seeds whose median is told.
const SEEDS: u32 = 3;
/// The most random traces a seed.
const TRACES_MAX: u32 = 4_000;
/// The most random traces a seed on the router without a fault.
const SOUND_TRACES_MAX: u32 = 400;
/// The most states an exploration.
const STATES_MAX: usize = 60_000;

/// How the engines did on one fault.
#[derive(Debug)]
pub struct Row {
    /// The fault.
    pub fault: &'static Fault,
    /// The median number of changes until the random engine found it, over all seeds, and the fewest steps that its trace
    /// shrank to; nothing where a seed did not find it.
    pub random: Option<Kill>,
    /// The number of changes until the exhaustive engine found it, in the first universe that shows it, and the fewest
    /// steps there are.
    pub exhaustive: Option<Kill>,
}

/// A fault found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Changes carried out until then.
    pub changes: u64,
    /// Steps of the trace.
    pub steps: usize,
    /// The rule that was broken.
    pub rule: &'static str,
    /// The universe in which.
    pub universe: &'static str,
}

/// The kill table, and whether the router without a fault raised no alarm.
#[derive(Debug)]
pub struct Table {
    /// A row a fault.
    pub rows: Vec<Row>,
    /// What was found on the router without a fault: nothing, if all is well.
    pub alarms: Vec<Kill>,
}

/// Puts every planted fault on trial.
///
/// # Errors
///
/// See [`Error`].
pub fn table(progress: &mut dyn FnMut(&str)) -> Result<Table, Error> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut rows = thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(fault) = FAULTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver is gone only where an error has ended the table.
                    if sender.send(row(fault)).is_err() {
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
    let alarms = [random_of_seed(&NO_FAULT, 0, SOUND_TRACES_MAX)?, exhaustive(&NO_FAULT)?];
    Ok(Table {
        rows,
        alarms: alarms.into_iter().flatten().collect(),
    })
}

fn row(fault: &'static Fault) -> Result<Row, Error> {
    Ok(Row {
        fault,
        random: random(fault, TRACES_MAX)?,
        exhaustive: exhaustive(fault)?,
    })
}

fn random(fault: &'static Fault, traces_max: u32) -> Result<Option<Kill>, Error> {
    let mut kills = Vec::new();
    for seed in 0..SEEDS {
        match random_of_seed(fault, seed, traces_max)? {
            Some(kill) => kills.push(kill),
            None => return Ok(None),
        }
    }
    kills.sort_by_key(|kill| kill.changes);
    let steps = kills.iter().map(|kill| kill.steps).min().unwrap_or_default();
    let median = kills[kills.len() / 2];
    Ok(Some(Kill { steps, ..median }))
}

fn random_of_seed(fault: &'static Fault, seed: u32, traces_max: u32) -> Result<Option<Kill>, Error> {
    let mut router = fault.router();
    let judge = Judge::new(router.hello(), RuleSet::default())?;
    let settings = Settings {
        seed,
        scopes: UNIVERSES
            .iter()
            .map(|universe| Scope::new(universe, router.hello()))
            .collect(),
        cadence: Cadence::EveryStep,
        traces_max,
        batch: 1,
    };
    let progress = search(router.as_mut(), &judge, &settings, &mut |so_far| {
        if so_far.failures.is_empty() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    let shrunk = progress.failures.values().filter(|failure| failure.shrunk);
    let smallest = shrunk.min_by_key(|failure| failure.case.size());
    Ok(smallest.map(|failure| Kill {
        changes: progress.changes,
        steps: failure.case.size(),
        rule: failure.finding.rule,
        universe: failure.universe,
    }))
}

fn exhaustive(fault: &'static Fault) -> Result<Option<Kill>, Error> {
    let mut changes = 0;
    let spec = Spec::Faulty(fault.name.to_owned());
    let mut router = fault.router();
    let judge = Judge::new(router.hello(), RuleSet::default())?;
    let limits = Limits {
        states_max: STATES_MAX,
        first_failure: true,
    };
    for universe in CLOSABLE {
        let scope = Scope::new(universe, router.hello());
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        let explored = explore_any(&spec, router.as_mut(), &judge, &scope, limits, go_on)?;
        changes += explored.transitions;
        let shortest = explored.failures.values().min_by_key(|failure| failure.case.size());
        if let Some(failure) = shortest {
            return Ok(Some(Kill {
                changes,
                steps: failure.case.size(),
                rule: failure.finding.rule,
                universe: universe.name,
            }));
        }
    }
    Ok(None)
}

impl Table {
    /// How the command ends.
    pub fn exit(&self) -> Exit {
        let survives = |row: &Row| row.random.is_none() || row.exhaustive.is_none();
        if self.rows.is_empty() {
            Exit::NothingRan
        } else if self.rows.iter().any(survives) || !self.alarms.is_empty() {
            Exit::Violation
        } else {
            Exit::Conforms
        }
    }

    /// The table for a person.
    pub fn text(&self) -> String {
        let mut text =
            String::from("fault                                     random                            exhaustive\n");
        let kill = |kill: &Option<Kill>| match kill {
            Some(kill) => format!("{:>6} changes, {:>2} steps, {}", kill.changes, kill.steps, kill.rule),
            None => "SURVIVES".to_owned(),
        };
        for row in &self.rows {
            let (random, exhaustive) = (kill(&row.random), kill(&row.exhaustive));
            writeln!(text, "{:<38} {random:<42} {exhaustive}", row.fault.name).expect("a string takes any text");
        }
        text.push_str(&self.last_line());
        text
    }

    /// The table for the book.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# The kill table\n\nEvery fault below is planted in a router of several hand-kept indexes, one at a time, and must be\n\
             found by every engine. *Changes* are those carried out until then: of the random engine the median of {SEEDS}\n\
             seeds; of the exhaustive one those in the universes {}, in that order. *Steps* are those\n\
             of the shrunk trace, beside the fewest there are.\n\n\
             | fault | what is wrong | after | random: changes | steps | exhaustive: changes | steps | rule |\n\
             |---|---|---|---|---|---|---|---|\n",
            CLOSABLE.map(|universe| universe.name).join(", ")
        );
        let cells = |kill: &Option<Kill>| match kill {
            Some(kill) => format!("{} | {}", kill.changes, kill.steps),
            None => "survives | -".to_owned(),
        };
        for Row {
            fault,
            random,
            exhaustive,
        } in &self.rows
        {
            let rule = exhaustive.map_or("-", |kill| kill.rule);
            let (random, exhaustive) = (cells(random), cells(exhaustive));
            let (name, sentence, source) = (fault.name, fault.sentence, fault.source);
            writeln!(
                text,
                "| `{name}` | {sentence} | {source} | {random} | {exhaustive} | `{rule}` |"
            )
            .expect("a string takes any text");
        }
        writeln!(text, "\n{}", self.last_line().trim_end()).expect("a string takes any text");
        text
    }

    fn last_line(&self) -> String {
        let killed = |kill: fn(&Row) -> bool| self.rows.iter().filter(|row| kill(row)).count();
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
            "{} faults: {} found by random traces, {} by exhaustive search; without a fault: {sound}\n",
            self.rows.len(),
            killed(|row| row.random.is_some()),
            killed(|row| row.exhaustive.is_some())
        )
    }
}
