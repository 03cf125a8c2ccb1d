//! The rules of a fleet, of one state and of one step, with their premises.
//!
//! The applied table of a replica is its own list: what it claims to hold. Only `heals`, `read-your-writes` and
//! convergence look at the store.

use crate::actions::{Action, Kind, Shape};
use crate::cell::{Cell, Cells, Content, ROWS_MAX};
use crate::machine::Findings;
use crate::view::{ModelCandidate, ModelQuery, QUERIES, View, prescribed};
use model::RuleId;

/// The rules that are judged a state or a step at a time; `converges` is judged of the whole graph.
pub(crate) const RULES: &[RuleId] = &[
    RuleId::Current,
    RuleId::Complete,
    RuleId::NoDuplicate,
    RuleId::Scoped,
    RuleId::NotBlocked,
    RuleId::Resolved,
    RuleId::AtomicRefusal,
    RuleId::Listing,
    RuleId::Bounded,
    RuleId::Monotonic,
    RuleId::ReadYourWrites,
    RuleId::Heals,
    RuleId::FailsSafe,
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

/// Judges a replica that is up.
pub(crate) fn judge(store: &Cells, view: &impl View, rows: usize, findings: &mut Findings) {
    let cells = view.cells();
    for query in QUERIES {
        answer(view, &cells, query, findings);
    }
    listing(view, &cells, findings);
    let entries = view.entries();
    if entries > 0 {
        let held = cells.iter().filter(|cell| cell.content != Content::Absent).count();
        findings.check(BOUNDED, usize::from(entries) <= held);
    }
    for row in (0..rows).filter(|row| view.acked(*row) > 0) {
        findings.check(READ_YOUR_WRITES, reads_own_write(view, cells[row], row, store[row]));
    }
    if store.iter().all(|cell| cell.content != Content::Invalid) {
        findings.check(HEALS, view.heals(store));
    }
}

fn answer(view: &impl View, cells: &Cells, query: ModelQuery, findings: &mut Findings) {
    let mut answers_with = [false; ROWS_MAX];
    let mut is_stale = false;
    view.candidates(query, |candidate| {
        let ModelCandidate {
            row,
            version,
            copies,
            table,
        } = candidate;
        let row = usize::from(row);
        let held = cells[row];
        answers_with[row] = true;
        let is_current = held.content != Content::Absent && held.version == version;
        findings.check(CURRENT, is_current);
        is_stale |= !is_current;
        findings.check(NO_DUPLICATE, copies == 1);
        findings.check(SCOPED, query.team || table != Shape::Team);
        findings.check(NOT_BLOCKED, !matches!(held.content, Content::Blocked(_)));
        if is_current {
            findings.check(RESOLVED, held.content.shape() == Some(table));
        }
        let answered = view.answered(row);
        if answered > 0 {
            findings.check(MONOTONIC, version >= answered);
        }
    });
    let mut due = [false; ROWS_MAX];
    prescribed(cells, view.strategy(), query, |candidate| {
        due[usize::from(candidate.row)] = true;
    });
    let missing = due.iter().zip(answers_with).any(|(due, answered)| *due && !answered);
    // An old version may have taken the place of a row: that is a finding of `current`.
    findings.check(COMPLETE, is_stale || !missing);
}

/// Compares the names listed with the names held. A name whose rows are all blocked may be listed or not.
fn listing(view: &impl View, cells: &Cells, findings: &mut Findings) {
    for shape in Shape::ALL {
        let held = |content: Content| cells.iter().any(|cell| cell.content == content);
        let served = held(Content::Row(shape));
        let listed = view.lists(shape);
        if served || listed {
            findings.check(LISTING, served == listed || held(Content::Blocked(shape)));
        }
    }
}

fn reads_own_write(view: &impl View, held: Cell, row: usize, stored: Cell) -> bool {
    let acked = view.acked(row);
    let mut serves_older = false;
    for query in QUERIES {
        view.candidates(query, |candidate| {
            serves_older |= usize::from(candidate.row) == row && candidate.version < acked;
        });
    }
    // A row that is not held may have been deleted by the write itself, or by a newer one.
    let gone = stored.version > acked || stored.content == Content::Absent;
    let holds = if held.content == Content::Absent {
        gone
    } else {
        held.version >= acked
    };
    holds && !serves_older
}

/// Returns whether there is a rule about steps of this kind.
pub(crate) fn judges(kind: Kind) -> bool {
    use Kind::{Apply, Break, Deliver, Duplicate, EmptyPoll, FailedPoll, PartialPoll};
    matches!(
        kind,
        FailedPoll | EmptyPoll | PartialPoll | Apply | Deliver | Duplicate | Break
    )
}

/// Judges one step of a replica, of a kind that there is a rule about, with the store as it is after it.
pub(crate) fn judge_step<V: View>(before: &V, action: Action, after: &V, store: &Cells, findings: &mut Findings) {
    match action.kind {
        Kind::FailedPoll | Kind::EmptyPoll | Kind::PartialPoll => findings.check(FAILS_SAFE, before == after),
        Kind::Apply => {
            let read = before.reading();
            let invalid = read.iter().enumerate();
            for (row, _) in invalid.filter(|(_, cell)| cell.content == Content::Invalid) {
                findings.check(ATOMIC_REFUSAL, before.holds_like(after, row));
            }
        }
        Kind::Deliver | Kind::Duplicate | Kind::Break => {
            let row = usize::from(action.row);
            if store[row].content == Content::Invalid {
                findings.check(ATOMIC_REFUSAL, before.holds_like(after, row));
            }
        }
        _ => {}
    }
}
