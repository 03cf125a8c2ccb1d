//! Steps, rows and questions in words.

use std::fmt::Write as _;

use protocol::{Begin, Change, ConfigFile, Op, Query, Question, Row, Step, StoreView, Via, World, Write, WriteOp};

use crate::document::FindingReport;
use crate::foreign::brief as clean;

/// Rows shown of one list.
const ROWS_SHOWN_MAX: usize = 6;

/// The question of a finding in words. Only lookups and listings need them: for others, the finding's place says
/// enough.
pub(super) fn asked_text(finding: &FindingReport) -> String {
    match &finding.asked {
        Some(question @ (Question::Lookup(_) | Question::Listing(_))) => question_text(None, question),
        _ => finding.place().to_owned(),
    }
}

/// A step.
pub(super) fn step_text(step: &Step) -> String {
    match step {
        Step::Change(change) => change_text(change),
        Step::Do(op) => op_text(op),
        Step::Begin(Begin { op, act, until, nth }) => {
            let nth = if *nth > 1 { format!(" {nth}") } else { String::new() };
            format!(
                "begin {}: {}, held {}{nth}",
                clean(&op.0),
                op_text(act),
                until.word().replace('-', " ")
            )
        }
        Step::Finish(op) => format!("finish {}", clean(&op.0)),
        Step::World(world) => world_text(world),
        Step::Ask(replica, question) => question_text(*replica, question),
    }
}

fn change_text(change: &Change) -> String {
    match change {
        Change::Upsert(row) => format!("upsert {}", row_text(row)),
        Change::Add(row) => format!("add {}", row_text(row)),
        Change::Delete(id) => format!("delete {}", clean(id)),
        Change::Replace(rows) => format!("replace with [{}]", rows_text(rows)),
    }
}

fn rows_text(rows: &[Row]) -> String {
    let mut shown: Vec<String> = rows.iter().take(ROWS_SHOWN_MAX).map(row_text).collect();
    if let Some(more @ 1..) = rows.len().checked_sub(ROWS_SHOWN_MAX) {
        shown.push(format!("and {more} more"));
    }
    shown.join("; ")
}

fn op_text(op: &Op) -> String {
    match op {
        Op::Write(WriteOp { via, write }) => {
            let via = match via {
                Via::Store => "in the store".to_owned(),
                Via::Replica(replica) => format!("at r{replica}"),
            };
            format!("{} {via}", write_text(write))
        }
        Op::Poll(replica) | Op::Start(replica) | Op::Deliver(replica) => format!("{} r{replica}", op.verb()),
        Op::Request(request) => format!("request {} at r{}", query_text(&request.query()), request.replica),
    }
}

fn write_text(write: &Write) -> String {
    match write {
        Write::Put(row) | Write::Add(row) => format!("{} {}", write.verb(), row_text(row)),
        Write::Delete(id) => format!("delete {}", clean(id)),
        Write::Patch(patch) => {
            let fields = serde_json::to_string(&patch.fields).expect("fields are plain data");
            format!("patch {} with {}", clean(&patch.id), clean(&fields))
        }
    }
}

fn world_text(world: &World) -> String {
    match world {
        World::StoreFails(true) => "the store fails".to_owned(),
        World::StoreFails(false) => "the store works".to_owned(),
        World::StoreShows(view) => match view {
            StoreView::All => "reads of the store show all rows".to_owned(),
            StoreView::BeforeLastWrite => "reads of the store lag one write behind".to_owned(),
            StoreView::Nothing => "reads of the store show no row".to_owned(),
            StoreView::FirstRow => "reads of the store break off after the first row".to_owned(),
        },
        World::StoreOrder(order) => format!("reads of the store give rows by {order:?}"),
        World::Config(ConfigFile { rows: None }) => "the config file has no list".to_owned(),
        World::Config(ConfigFile { rows: Some(rows) }) => format!("the config file lists [{}]", rows_text(rows)),
        World::Crash(replica) => format!("crash r{replica}"),
        World::Duplicate(replica) => format!("deliver to r{replica}, and again later"),
        World::Drop(replica) => format!("lose the oldest notification to r{replica}"),
        World::Defer(replica) => format!("let others overtake the oldest notification to r{replica}"),
        World::Wait(milliseconds) => format!("wait {milliseconds} ms"),
    }
}

fn question_text(replica: Option<u8>, question: &Question) -> String {
    let at = replica.map_or_else(String::new, |replica| format!(" at r{replica}"));
    match question {
        Question::Lookup(query) => format!("lookup {}{at}", query_text(query)),
        Question::Listing(team) => format!("listing{}{at}", by(team.as_deref())),
        other => format!("{}{at}", other.kind().word()),
    }
}

/// A row.
pub(super) fn row_text(row: &Row) -> String {
    let [id, name, model, tag] = [&row.id, &row.model_name, &row.model, &row.tag].map(|text| clean(text));
    let mut text = format!("{id} {name} -> {model}   tag {tag}");
    let mut add = |word: &str, value: &str| write!(text, "  {word} {}", clean(value)).expect("a string takes any text");
    if let Some(team) = &row.team {
        add("team", team);
    }
    if let Some(name) = &row.team_model_name {
        add("as", name);
    }
    if row.blocked {
        add("blocked", "");
    }
    if let Some(weight) = row.weight {
        add("weight", &weight.to_string());
    }
    if let Some(extra) = &row.extra {
        add("extra", extra);
    }
    text.trim_end().to_owned()
}

fn query_text(query: &Query) -> String {
    format!("{}{}", clean(&query.model), by(query.team.as_deref()))
}

fn by(team: Option<&str>) -> String {
    team.map_or_else(String::new, |team| format!(" by team {}", clean(team)))
}
