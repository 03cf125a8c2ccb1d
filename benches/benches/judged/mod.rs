//! The inputs that the trial of the reference is measured on: random traces, and one list of many patterns.

use adapter_reference::Reference;
use model::universe::{Scope, UNIVERSES};
use model::{Cadence, Draws, Hunt, Judge, RuleSet, SearchSettings, search, to_the_end, trial};
use protocol::{Change, InProcess, Level, Local, Query, Question, Questions, Row, Run, Step, Trace};

/// The random traces of one measurement.
const TRACES: u32 = 1_000;
/// The lookups that are asked before the list and behind it, as many as `replay` asks.
const LOOKUPS: usize = 64;

/// The judge of the reference by every rule, which has kept nothing yet.
pub(crate) fn judge() -> Judge {
    Judge::new(&Reference::default().describe(), RuleSet::of(Level::Router)).expect("the preset is known")
}

/// Puts random traces on trial, drawing included, by a judge that may have kept what it found out before.
pub(crate) fn random_traces(judge: &Judge) -> Hunt {
    let hello = Reference::default().describe();
    let settings = SearchSettings {
        seed: 1,
        sweep: Vec::new(),
        scopes: UNIVERSES.iter().map(|universe| Scope::new(universe, &hello)).collect(),
        draws: Draws::Changes(Cadence::Drawn),
        traces_max: TRACES,
        batch: 32,
    };
    let mut router = InProcess::new(Reference::default());
    search(&mut router, judge, &settings, &mut to_the_end).expect("the reference serves")
}

/// A router without rows, given so many patterns at once.
pub(crate) fn list(count: usize) -> Run {
    let row = |number: usize| {
        let name = format!("team-{number}/*");
        Row::new(&format!("d{number}"), &name, "openai/*", &format!("v{number}"))
    };
    let names = (0..LOOKUPS).map(|number| format!("team-{}/x", number * count / LOOKUPS));
    let mut asked: Vec<Question> = names.map(|name| Question::Lookup(Query::new(&name, None))).collect();
    asked.extend([Question::Listing(None), Question::Sizes]);
    let change = Change::Replace((0..count).map(row).collect());
    Run {
        trace: Trace::of_router(Vec::new(), vec![Step::Change(change)]),
        questions: Questions::after_each(asked, 1),
    }
}

/// Puts a list on trial.
///
/// # Panics
///
/// The reference breaks a rule.
pub(crate) fn judge_list(judge: &Judge, list: &Run) {
    let mut router = InProcess::new(Reference::default());
    let judged = trial(&mut router, judge, std::slice::from_ref(list)).expect("the reference serves");
    assert!(judged[0].tally.findings.is_empty(), "the reference breaks no rule");
}
