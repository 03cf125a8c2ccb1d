//! What a trace can do: change one router, drive a fleet, ask.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::row::Row;

/// Who asks for what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The model name, pattern text or deployment id that is asked for.
    pub model: String,
    /// The caller's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The replica that is asked; only in a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u8>,
}

impl Query {
    /// A query by `team`, or by a caller without one, of the only router there is.
    pub fn new(model: &str, team: Option<&str>) -> Self {
        Self {
            model: model.to_owned(),
            team: team.map(str::to_owned),
            replica: None,
        }
    }
}

/// One change to a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Insert the row, or put it in the place of the row of that id.
    Upsert(Row),
    /// Insert the row; to be refused if the id exists.
    Add(Row),
    /// Remove the row of that id; of an unknown id it changes nothing.
    Delete(String),
    /// Load this list in place of the whole table.
    Replace(Vec<Row>),
}

impl Change {
    /// The rows that the change brings.
    pub fn rows(&self) -> &[Row] {
        match self {
            Self::Upsert(row) | Self::Add(row) => std::slice::from_ref(row),
            Self::Delete(_) => &[],
            Self::Replace(rows) => rows,
        }
    }

    /// The word for it in a trace file.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Upsert(_) => "upsert",
            Self::Add(_) => "add",
            Self::Delete(_) => "delete",
            Self::Replace(_) => "replace",
        }
    }
}

/// Where a fleet's write goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Straight into the database.
    Store,
    /// Through the admin endpoint of this replica.
    Replica(u8),
}

/// One change to a fleet's store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Where it goes in.
    pub via: Via,
    /// What it changes.
    pub change: Change,
}

/// One step of a fleet: a store and its replicas, numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FleetStep {
    /// Change the store.
    Write(Write),
    /// The replica reads the store and applies what it read.
    Poll(u8),
    /// The replica reads the store, and holds what it read.
    PollRead(u8),
    /// The replica applies what it holds.
    PollApply(u8),
    /// From now on reading the store fails, or works again.
    StoreFails(bool),
    /// From now on reading the store succeeds and shows this.
    StoreShows(Shown),
    /// The replica loses its memory and is down.
    Crash(u8),
    /// The replica comes up, empty.
    Start(u8),
    /// The oldest change notification under way reaches the replica.
    Deliver(u8),
    /// The oldest change notification under way reaches the replica, and is still under way.
    Duplicate(u8),
    /// The oldest change notification under way to the replica is lost.
    Drop(u8),
    /// The oldest change notification under way to the replica becomes the newest, so that the others overtake it.
    Defer(u8),
}

/// What a read of the store shows when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// All rows.
    All,
    /// All rows as they were before the last write, as a copy that lags behind does.
    BeforeLastWrite,
    /// No row at all, by error.
    Nothing,
    /// The row with the least id and no other, by error.
    FirstRow,
}

/// One step of a trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Flat", into = "Flat")]
#[schemars(with = "Flat")]
pub enum Step {
    /// Change the only router there is.
    Change(Change),
    /// Ask.
    Lookup(Query),
    /// Drive a fleet.
    Fleet(FleetStep),
}

/// A step as it is written: one key, which is the verb. Separate from [`Step`], because in memory the three families
/// are handled apart, while serde's own ways to flatten an enum lose the line and column of an error.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Step")]
enum Flat {
    Upsert(Row),
    Add(Row),
    Delete(String),
    Replace(Vec<Row>),
    Lookup(Query),
    Write(Write),
    Poll(u8),
    PollRead(u8),
    PollApply(u8),
    StoreFails(bool),
    StoreShows(Shown),
    Crash(u8),
    Start(u8),
    Deliver(u8),
    Duplicate(u8),
    Drop(u8),
    Defer(u8),
}

impl From<Flat> for Step {
    fn from(flat: Flat) -> Self {
        match flat {
            Flat::Upsert(row) => Self::Change(Change::Upsert(row)),
            Flat::Add(row) => Self::Change(Change::Add(row)),
            Flat::Delete(id) => Self::Change(Change::Delete(id)),
            Flat::Replace(rows) => Self::Change(Change::Replace(rows)),
            Flat::Lookup(query) => Self::Lookup(query),
            Flat::Write(write) => Self::Fleet(FleetStep::Write(write)),
            Flat::Poll(replica) => Self::Fleet(FleetStep::Poll(replica)),
            Flat::PollRead(replica) => Self::Fleet(FleetStep::PollRead(replica)),
            Flat::PollApply(replica) => Self::Fleet(FleetStep::PollApply(replica)),
            Flat::StoreFails(on) => Self::Fleet(FleetStep::StoreFails(on)),
            Flat::StoreShows(shown) => Self::Fleet(FleetStep::StoreShows(shown)),
            Flat::Crash(replica) => Self::Fleet(FleetStep::Crash(replica)),
            Flat::Start(replica) => Self::Fleet(FleetStep::Start(replica)),
            Flat::Deliver(replica) => Self::Fleet(FleetStep::Deliver(replica)),
            Flat::Duplicate(replica) => Self::Fleet(FleetStep::Duplicate(replica)),
            Flat::Drop(replica) => Self::Fleet(FleetStep::Drop(replica)),
            Flat::Defer(replica) => Self::Fleet(FleetStep::Defer(replica)),
        }
    }
}

impl From<Step> for Flat {
    fn from(step: Step) -> Self {
        match step {
            Step::Change(Change::Upsert(row)) => Self::Upsert(row),
            Step::Change(Change::Add(row)) => Self::Add(row),
            Step::Change(Change::Delete(id)) => Self::Delete(id),
            Step::Change(Change::Replace(rows)) => Self::Replace(rows),
            Step::Lookup(query) => Self::Lookup(query),
            Step::Fleet(FleetStep::Write(write)) => Self::Write(write),
            Step::Fleet(FleetStep::Poll(replica)) => Self::Poll(replica),
            Step::Fleet(FleetStep::PollRead(replica)) => Self::PollRead(replica),
            Step::Fleet(FleetStep::PollApply(replica)) => Self::PollApply(replica),
            Step::Fleet(FleetStep::StoreFails(on)) => Self::StoreFails(on),
            Step::Fleet(FleetStep::StoreShows(shown)) => Self::StoreShows(shown),
            Step::Fleet(FleetStep::Crash(replica)) => Self::Crash(replica),
            Step::Fleet(FleetStep::Start(replica)) => Self::Start(replica),
            Step::Fleet(FleetStep::Deliver(replica)) => Self::Deliver(replica),
            Step::Fleet(FleetStep::Duplicate(replica)) => Self::Duplicate(replica),
            Step::Fleet(FleetStep::Drop(replica)) => Self::Drop(replica),
            Step::Fleet(FleetStep::Defer(replica)) => Self::Defer(replica),
        }
    }
}

impl Step {
    /// The change, where this is a step of the only router there is.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::Change(change) => Some(change),
            Self::Lookup(_) | Self::Fleet(_) => None,
        }
    }
}
