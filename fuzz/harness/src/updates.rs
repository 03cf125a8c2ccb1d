//! Sequences of updates on `router-core`: every lookup returns current deployments only, and all of them.
//!
//! After each step every question is asked and its answer held against the specification's, and against the rows
//! themselves: each candidate is a row of the table, in its current version, visible, not blocked, and there once. At the
//! end the table equals a fresh one of the same rows in any order, derived indexes included.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::rc::Rc;

use adapter_reference::{Reference, core_row};
use model::{Expected, Found, KeyedRow, Reach, Table, is_visible, viewers};
use protocol::{Change, Changed, Level, Local, Outcome, Query, Refusal, Step};
use router_core::Table as Core;

use crate::codec::{HEADER_BYTES, Input, Record, decode, decode_records};
use crate::expected::Oracle;
use crate::failure::{caught, of_router, run_of};
use crate::{Body, Ran, Work};

/// The most questions of one input.
const QUESTIONS_MAX: usize = 256;
/// The most questions that the specification itself is asked, in the states in which it is.
const ASKED_ITSELF_MAX: usize = 16;
/// The most entries a derived structure may have for each row.
const ENTRIES_MAX: usize = 3;

/// The target.
#[derive(Default)]
pub(crate) struct Updates {
    oracles: HashMap<u8, Oracle>,
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
        let reach = Reach::new(Some(oracle.kept()), input.trace.rows());
        let matrix = &oracle.world().matrix;
        let mut trial = UpdatesTrial {
            oracle,
            questions: questions.into_iter().map(|at| reach.find(&matrix[at])).collect(),
            reach: &reach,
            router: Reference::default(),
            table: Table::new(),
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
    oracle: &'a Oracle,
    reach: &'a Reach<'a>,
    questions: Vec<Rc<Found>>,
    router: Reference,
    /// The rows that the specification holds.
    table: Table,
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
        Ok(())
    }

    fn ask(&mut self) -> Result<(), String> {
        let held = self.reach.held(&self.table);
        let mut rows: Vec<KeyedRow> = Vec::new();
        for question in &self.questions {
            rows.clear();
            rows.extend(self.reach.reached(question, &held));
            let expected = self.oracle.kept().expected(question, "", &rows);
            if !agrees(self.router.table(), question.query(), &expected[0], &rows) {
                return Err(self.difference(question.query()));
            }
        }
        self.lookups += self.questions.len() as u64;
        if held.is_asked_anew() {
            for question in self.questions.iter().take(ASKED_ITSELF_MAX) {
                let query = question.query();
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

/// Returns whether the table answers what is expected of these rows.
fn agrees(core: &Core, query: &Query, expected: &Expected, rows: &[KeyedRow]) -> bool {
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
    let same = expected.iter().all(|expected| {
        let row = rows[expected.place].row;
        candidates.next().is_some_and(|candidate| {
            candidate.id().as_str() == row.id
                && candidate.tag().as_str() == row.tag
                && !row.blocked
                && is_visible(row, team)
                && reads(candidate.model(), &expected.target(row))
        })
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
