//! Sequences of updates on `router-core`: every lookup returns current deployments only, and all of them.
//!
//! After each step every question is asked and its answer held against the specification's, and against the rows
//! themselves: each candidate is a row of the table, in its current version, visible, not blocked, and there once. At the
//! end the table equals a fresh one of the same rows in any order, derived indexes included.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use adapter_reference::{Reference, core_row};
use model::{Table, is_visible, viewers};
use protocol::{Change, Changed, Level, Local, Outcome, Query, Refusal, Row, Step};
use router_core::Table as Core;

use crate::codec::{HEADER_BYTES, Input, Record, decode, decode_records};
use crate::expected::{Class, Expected, Oracle, fill};
use crate::failure::{caught, of_router, run_of};
use crate::{Body, Ran, Work};

/// The most questions of one input.
const QUESTIONS_MAX: usize = 256;
/// In one state of so many the specification itself is asked, and not the answers that are kept of it.
const ASKED_ITSELF: u64 = 256;
/// The most questions that it is then asked.
const ASKED_ITSELF_MAX: usize = 16;
/// The most entries a derived structure may have for each row.
const ENTRIES_MAX: usize = 3;

/// The target.
#[derive(Default)]
pub(crate) struct Updates {
    oracles: HashMap<u8, Oracle>,
    filled: String,
}

impl Updates {
    /// The target.
    pub(crate) fn body() -> Box<dyn Body> {
        Box::new(Self::default())
    }

    fn judge(&mut self, input: &Input) -> Result<Work, String> {
        let number = input.header.world;
        let oracle = self.oracles.entry(number).or_insert_with(|| Oracle::new(input.world));
        let questions = oracle.questions(input.trace.rows(), input.header.asks.into(), QUESTIONS_MAX);
        let mut trial = UpdatesTrial {
            oracle,
            questions,
            router: Reference::default(),
            table: Table::new(),
            classes: Vec::new(),
            filled: &mut self.filled,
            lookups: 0,
        };
        let construction = Change::Replace(input.trace.setup.rows.clone());
        let changes = input.trace.steps.iter().filter_map(Step::change);
        for (after, change) in std::iter::once(&construction).chain(changes).enumerate() {
            trial.change(change).map_err(|what| format!("step {after}: {what}"))?;
            trial.ask().map_err(|what| format!("after step {after}: {what}"))?;
        }
        trial.end()?;
        Ok(Work {
            steps: input.trace.steps.len() as u64,
            lookups: trial.lookups,
        })
    }
}

impl Body for Updates {
    fn run(&mut self, data: &[u8]) -> Ran {
        let Some(input) = decode(data, Level::Router) else {
            return Ok(None);
        };
        let what = match caught(|| self.judge(&input)) {
            Ok(work) => return Ok(Some(work)),
            Err(what) => what,
        };
        let oracle = &self.oracles[&input.header.world];
        let questions = oracle.questions(input.trace.rows(), input.header.asks.into(), QUESTIONS_MAX);
        let run = run_of(&input, &questions);
        let (records, _) = data[HEADER_BYTES..].as_chunks();
        Err(of_router::<Reference>(
            what,
            &input,
            &run,
            records,
            |records: &[Record]| {
                self.judge(&decode_records(input.header, records, Level::Router))
                    .is_err()
            },
        ))
    }
}

/// One input under way.
struct UpdatesTrial<'a> {
    oracle: &'a mut Oracle,
    questions: Vec<usize>,
    router: Reference,
    /// The rows that the specification holds.
    table: Table,
    classes: Vec<Class>,
    filled: &'a mut String,
    lookups: u64,
}

impl UpdatesTrial<'_> {
    fn change(&mut self, change: &Change) -> Result<(), String> {
        let Changed { outcome, held } = self.router.change(change);
        let refused = matches!(outcome, Outcome::Refused(_));
        match self.oracle.spec().change(&self.table, change) {
            Ok(_) if refused => return Err(format!("a valid change was refused: {outcome:?}")),
            Err(why) if !refused => return Err(format!("a change was taken that must be refused: {why}")),
            Ok(table) => self.table = table,
            // A refused change changes nothing.
            Err(_) => self.same_as_fresh(false)?,
        }
        let mut held = held.unwrap_or_default();
        held.sort_unstable();
        if !held.iter().eq(self.table.keys()) {
            return Err(format!("the router holds {held:?}, and not {:?}", self.table.keys()));
        }
        self.classes = self.table.values().map(|row| self.oracle.class(row)).collect();
        Ok(())
    }

    fn ask(&mut self) -> Result<(), String> {
        let world = self.oracle.world();
        let mut rows: Vec<Option<&Row>> = vec![None; world.scope.universe.ids.len()];
        for row in self.table.values() {
            let at = self.oracle.id_position(&row.id).expect("a row has an id of its world");
            rows[at] = Some(row);
        }
        for &question in &self.questions {
            let query = &world.matrix[question];
            let expected = self.oracle.answer(question, &self.table, &self.classes);
            if !agrees(self.router.table(), query, expected, &rows, self.filled) {
                return Err(self.difference(query));
            }
        }
        self.lookups += self.questions.len() as u64;
        let state = self.classes.iter().fold(0, |state, class| state ^ class.key());
        if state % ASKED_ITSELF == 0 {
            for &question in self.questions.iter().take(ASKED_ITSELF_MAX) {
                let query = &world.matrix[question];
                if self.router.lookup(query)[0] != self.oracle.spec().lookup(&self.table, query, "")[0] {
                    return Err(self.difference(query));
                }
            }
        }
        Ok(())
    }

    fn difference(&self, query: &Query) -> String {
        let (got, allowed) = (
            &self.router.lookup(query)[0],
            &self.oracle.spec().lookup(&self.table, query, "")[0],
        );
        if got == allowed {
            return format!("{query:?}: what is kept of the specification is not what it answers: {allowed:?}");
        }
        format!("{query:?}: allowed: {allowed:?}, got: {got:?}")
    }

    fn end(&mut self) -> Result<(), String> {
        self.same_as_fresh(false)?;
        self.same_as_fresh(true)?;
        let rows = self.table.len();
        for (structure, entries) in self.router.table().sizes() {
            if entries > ENTRIES_MAX * rows {
                return Err(format!("{structure} has {entries} entries for {rows} rows"));
            }
        }
        for team in viewers(&self.oracle.world().scope) {
            let shown = self.router.listing(team.as_deref());
            let allowed = self.oracle.spec().listing(&self.table, team.as_deref());
            if !shown.iter().eq(&allowed) {
                return Err(format!("{team:?} is shown {shown:?}, and not {allowed:?}"));
            }
        }
        Ok(())
    }

    /// The table equals one that is built of its rows, in the order of their ids or the other way round.
    fn same_as_fresh(&self, reversed: bool) -> Result<(), String> {
        let rows = self.table.values().map(core_row);
        let fresh = if reversed { Core::of(rows.rev()) } else { Core::of(rows) };
        match fresh {
            Ok(fresh) if fresh == *self.router.table() => Ok(()),
            Ok(_) => Err("the table differs from a fresh one of its rows".to_owned()),
            Err(why) => Err(format!("no table can be made of its rows: {why}")),
        }
    }
}

/// Returns whether the table answers what is expected, from the rows of `rows` in their current versions.
fn agrees(core: &Core, query: &Query, expected: &Expected, rows: &[Option<&Row>], filled: &mut String) -> bool {
    let team = query.team.as_deref();
    let answer = core.lookup(router_core::Query {
        model: &query.model,
        team,
    });
    let expected = match expected {
        Expected::Refused(refusal) => return answer.refusal().map(refusal_of) == Some(*refusal),
        Expected::Candidates(expected) => expected,
    };
    let mut candidates = answer.candidates();
    let same = expected.iter().all(|(id, captures)| {
        let Some((candidate, row)) = candidates.next().zip(rows[usize::from(*id)]) else {
            return false;
        };
        fill(&row.model, captures, filled);
        candidate.id().as_str() == row.id
            && candidate.tag().as_str() == row.tag
            && !row.blocked
            && is_visible(row, team)
            && reads(candidate.model(), filled)
    });
    same && candidates.next().is_none()
}

fn refusal_of(refusal: router_core::Refusal) -> Refusal {
    match refusal {
        router_core::Refusal::UnknownModel => Refusal::UnknownModel,
        router_core::Refusal::Blocked => Refusal::Blocked,
        router_core::Refusal::Invalid => Refusal::Invalid,
    }
}

/// Returns whether a value is written out as that text.
fn reads(value: impl fmt::Display, text: &str) -> bool {
    struct Rest<'a>(&'a str);

    impl fmt::Write for Rest<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
            Ok(())
        }
    }

    let mut rest = Rest(text);
    write!(rest, "{value}").is_ok() && rest.0.is_empty()
}
