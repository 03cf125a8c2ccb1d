//! A long-lived router against a fresh one of the same rows: history leaves no mark.
//!
//! The long-lived one is the handle that threads share, with its two tables; a reader holds on to a snapshot now and then,
//! as readers do, which must not change under it.

use protocol::{Change, Level, Row, Rows, Step};
use router_core::{Change as Published, Pinned, Query, Router, Table};

use adapter_reference::{Reference, core_row};
use model::Spec;
use model::semantics::STRICT;

use crate::codec::{HEADER_BYTES, Input, Record, decode, decode_records};
use crate::expected::Oracle;
use crate::failure::{caught, of_router, run_of};
use crate::world::{World, worlds};
use crate::{Body, Ran, Work};

/// The most questions of one input.
const QUESTIONS_MAX: usize = 64;
/// A reader takes a snapshot after each so many steps, and holds it until the next.
const HELD_STEPS: usize = 3;

/// The target.
pub(crate) struct History {
    oracles: Vec<Oracle>,
}

impl History {
    /// The target.
    pub(crate) fn body() -> Box<dyn Body> {
        Box::new(Self {
            oracles: worlds().iter().map(Oracle::new).collect(),
        })
    }

    fn questions(&self, input: &Input) -> Vec<usize> {
        let oracle = &self.oracles[usize::from(input.header.world) % self.oracles.len()];
        oracle.questions(input.trace.rows(), input.header.asks.into(), QUESTIONS_MAX)
    }

    fn judge(&self, input: &Input) -> Result<Work, String> {
        let questions = self.questions(input);
        let spec = Spec::new(&STRICT, &[]);
        let router = Router::default();
        let mut rows = Rows::new();
        let mut held: Option<(Pinned, Table)> = None;
        let mut work = Work::default();
        let construction = Change::Replace(input.trace.setup.rows.clone());
        let changes = input.trace.steps.iter().filter_map(Step::change);
        for (after, change) in std::iter::once(&construction).chain(changes).enumerate() {
            // What must be refused is refused before it is published: a row that does not parse is none.
            if let Ok(next) = spec.change(&rows, change) {
                router.publish(published(&rows, &next));
                rows = next;
            }
            same(&router, &rows, after % 2 == 1, (input.world, &questions))
                .map_err(|what| format!("after step {after}: {what}"))?;
            if let Some((pinned, then)) = &held
                && pinned.table() != then
            {
                return Err(format!("after step {after}: a snapshot changed that a reader holds"));
            }
            if after % HELD_STEPS == 0 {
                let pinned = router.snapshot();
                let then = pinned.table().clone();
                held = Some((pinned, then));
            }
            work.steps += 1;
            work.lookups += questions.len() as u64;
        }
        Ok(work)
    }
}

impl Body for History {
    fn run(&mut self, data: &[u8]) -> Ran {
        let Some(input) = decode(data, Level::Router) else {
            return Ok(None);
        };
        let what = match caught(|| self.judge(&input)) {
            Ok(work) => return Ok(Some(work)),
            Err(what) => what,
        };
        let run = run_of(&input, &self.questions(&input));
        let (records, _) = data[HEADER_BYTES..].as_chunks();
        let fails =
            |records: &[Record]| caught(|| self.judge(&decode_records(input.header, records, Level::Router))).is_err();
        Err(of_router::<Reference>(what, &input, &run, records, fails))
    }
}

/// The changes from one table to another, in one batch.
fn published(before: &Rows, after: &Rows) -> Vec<Published> {
    let gone = before.keys().filter(|id| !after.contains_key(*id));
    let put = after.iter().filter(|(id, row)| before.get(*id) != Some(row));
    let parsed = |row: &Row| core_row(row).parse().expect("the specification takes valid rows alone");
    gone.map(|id| Published::Delete(id.as_str().into()))
        .chain(put.map(|(_, row)| Published::Put(parsed(row))))
        .collect()
}

/// The router serves what a fresh table of the rows does, whichever end they are loaded from.
fn same(router: &Router, rows: &Rows, reversed: bool, (world, questions): (&World, &[usize])) -> Result<(), String> {
    let loaded = rows.values().map(core_row);
    let fresh = if reversed {
        Table::of(loaded.rev())
    } else {
        Table::of(loaded)
    };
    let fresh = fresh.map_err(|why| format!("no table can be made of the rows: {why}"))?;
    let snapshot = router.snapshot();
    let table = snapshot.table();
    for &question in questions {
        let query = &world.matrix[question];
        let query = Query {
            model: &query.model,
            team: query.team.as_deref(),
        };
        let (served, expected) = (table.lookup(query), fresh.lookup(query));
        let candidates = || served.candidates().map(|candidate| candidate.deployment());
        let same = candidates().eq(expected.candidates().map(|candidate| candidate.deployment()));
        if !same || served.refusal() != expected.refusal() {
            let served: Vec<_> = candidates().collect();
            let refusal = served.is_empty().then(|| table.lookup(query).refusal());
            return Err(format!(
                "{query:?}: a fresh table answers otherwise: {expected:?}, and not {served:?} {refusal:?}"
            ));
        }
    }
    if *table == fresh {
        Ok(())
    } else {
        Err("the table differs from a fresh one of its rows".to_owned())
    }
}
