//! The rules of a fleet, of one state and of one step, with their premises.
//!
//! The applied table of a replica is its own list: what it claims to hold. Only `heals`, `read-your-writes` and
//! convergence look at the store.

use super::actions::{Action, At, Kind, Shape};
use super::lane::{Candidate, QUERIES, Query, prescribed};
use super::machine::Findings;
use super::state::{Cell, Content, Lane, ROWS_MAX, State};
use super::strategies::Strategy;

/// The rules that are judged a state or a step at a time; `converges` is judged of the whole graph.
pub const RULES: &[&str] = &[
    "current",
    "complete",
    "no-duplicate",
    "scoped",
    "not-blocked",
    "resolved",
    "atomic-refusal",
    "listing",
    "bounded",
    "monotonic",
    "read-your-writes",
    "heals",
    "fails-safe",
];

const CURRENT: usize = 0;
const COMPLETE: usize = 1;
const NO_DUPLICATE: usize = 2;
const SCOPED: usize = 3;
const NOT_BLOCKED: usize = 4;
const RESOLVED: usize = 5;
const ATOMIC_REFUSAL: usize = 6;
const LISTING: usize = 7;
const BOUNDED: usize = 8;
const MONOTONIC: usize = 9;
const READ_YOUR_WRITES: usize = 10;
const HEALS: usize = 11;
const FAILS_SAFE: usize = 12;

/// What the rules say of one replica in `state`.
pub fn judge(state: &State, lane: &Lane, strategy: &Strategy, rows: usize, findings: &mut Findings) {
    if lane.down {
        return;
    }
    for query in QUERIES {
        answer(lane, strategy, query, findings);
    }
    listing(lane, strategy, findings);
    let entries: u8 = lane.rows.iter().flat_map(|row| row.copies.as_flattened()).sum();
    if entries > 0 {
        let held = lane
            .rows
            .iter()
            .filter(|row| row.cell.content != Content::Absent)
            .count();
        findings.check(BOUNDED, usize::from(entries) <= held);
    }
    for row in (0..rows).filter(|row| lane.rows[*row].acked > 0) {
        findings.check(READ_YOUR_WRITES, reads_own_write(lane, strategy, row, state.store[row]));
    }
    if state.store.iter().all(|cell| cell.content != Content::Invalid) {
        findings.check(HEALS, heals(state, lane, strategy, rows));
    }
}

fn answer(lane: &Lane, strategy: &Strategy, query: Query, findings: &mut Findings) {
    let mut answered = [false; ROWS_MAX];
    lane.candidates(strategy, query, |candidate| {
        let Candidate {
            row,
            version,
            copies,
            table,
        } = candidate;
        let held = &lane.rows[usize::from(row)];
        answered[usize::from(row)] = true;
        let is_current = held.cell.content != Content::Absent && held.cell.version == version;
        findings.check(CURRENT, is_current);
        findings.check(NO_DUPLICATE, copies == 1);
        findings.check(SCOPED, query.team || held.cell.content.shape() != Some(Shape::Team));
        findings.check(NOT_BLOCKED, !matches!(held.cell.content, Content::Blocked(_)));
        if is_current {
            findings.check(RESOLVED, held.cell.content.shape() == Some(table));
        }
        if held.answered > 0 {
            findings.check(MONOTONIC, version >= held.answered);
        }
    });
    let mut due = [false; ROWS_MAX];
    prescribed(&lane.cells(), strategy, query, |candidate| {
        due[usize::from(candidate.row)] = true;
    });
    let missing = due.iter().zip(answered).any(|(due, answered)| *due && !answered);
    // Where a refusal is due, any candidate makes it one of the wrong kind.
    let unrefused = !due.contains(&true) && answered.contains(&true);
    findings.check(COMPLETE, !(missing || unrefused));
}

/// The names listed against the names held. A name whose rows are all blocked may be listed or not.
fn listing(lane: &Lane, strategy: &Strategy, findings: &mut Findings) {
    for shape in Shape::ALL {
        let held = |content: Content| lane.rows.iter().any(|row| row.cell.content == content);
        let served = held(Content::Row(shape));
        let listed = if strategy.sticky_names {
            lane.names >> shape as u8 & 1 == 1
        } else {
            served
        };
        if served || listed {
            findings.check(LISTING, served == listed || held(Content::Blocked(shape)));
        }
    }
}

fn reads_own_write(lane: &Lane, strategy: &Strategy, row: usize, stored: Cell) -> bool {
    let held = &lane.rows[row];
    let refused = stored.version == held.acked && stored.content == Content::Invalid;
    if refused {
        return true;
    }
    let mut serves_older = false;
    for query in QUERIES {
        lane.candidates(strategy, query, |candidate| {
            serves_older |= usize::from(candidate.row) == row && candidate.version < held.acked;
        });
    }
    // A row that is not held may have been deleted by the write itself, or by a newer one.
    let gone = stored.version > held.acked || stored.content == Content::Absent;
    let holds = if held.cell.content == Content::Absent {
        gone
    } else {
        held.cell.version >= held.acked
    };
    holds && !serves_older
}

/// Whether one successful poll, after the one under way, makes every answer agree with the store.
fn heals(state: &State, lane: &Lane, strategy: &Strategy, rows: usize) -> bool {
    let mut lane = *lane;
    while lane.phase > 0 {
        lane.apply_held(strategy, rows);
    }
    lane.apply(strategy, &Lane::reads(strategy, &state.store));
    lane.agrees(strategy, &state.store)
}

/// What the rules say of one step.
pub fn judge_step(before: &State, action: Action, after: &State, findings: &mut Findings) {
    let At::Replica(replica) = action.at else {
        return;
    };
    let (lane, next) = (&before.lanes[usize::from(replica)], &after.lanes[usize::from(replica)]);
    match action.kind {
        Kind::FailedPoll | Kind::EmptyPoll | Kind::PartialPoll => findings.check(FAILS_SAFE, lane == next),
        Kind::Apply => {
            for (row, after) in lane
                .rows
                .iter()
                .zip(&next.rows)
                .filter(|(row, _)| row.read.content == Content::Invalid)
            {
                findings.check(ATOMIC_REFUSAL, row.cell == after.cell && row.copies == after.copies);
            }
        }
        Kind::Deliver | Kind::Duplicate | Kind::Break => {
            let row = usize::from(action.row);
            if after.store[row].content == Content::Invalid {
                let (row, after) = (&lane.rows[row], &next.rows[row]);
                findings.check(ATOMIC_REFUSAL, row.cell == after.cell && row.copies == after.copies);
            }
        }
        _ => {}
    }
}
