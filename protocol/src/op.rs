//! The vocabulary of a fleet: operations that take time and can be held, and what happens to a fleet at once.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ask::Query;
use crate::row::{Row, Rows};

/// One change to the store of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// Insert the row, or put it in the place of the row of that id.
    Put(Row),
    /// Insert the row; to be refused if the id exists.
    Add(Row),
    /// Remove the row of that id.
    Delete(String),
    /// Change some fields of a row and leave the others alone: in most gateways a read and a write with time between them.
    Patch(Patch),
}

impl Write {
    /// The row that the write brings whole.
    pub fn row(&self) -> Option<&Row> {
        match self {
            Self::Put(row) | Self::Add(row) => Some(row),
            Self::Delete(_) | Self::Patch(_) => None,
        }
    }

    /// The id of the row that it is about.
    pub fn id(&self) -> &str {
        match self {
            Self::Put(row) | Self::Add(row) => &row.id,
            Self::Delete(id) => id,
            Self::Patch(patch) => &patch.id,
        }
    }

    /// The word for it in a trace file.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Put(_) => "put",
            Self::Add(_) => "add",
            Self::Delete(_) => "delete",
            Self::Patch(_) => "patch",
        }
    }

    /// Carries out what the write asks for; a patch of a row that is not there changes nothing.
    pub fn apply_to(&self, rows: &mut Rows) {
        match self {
            Self::Put(row) => {
                rows.insert(row.id.clone(), row.clone());
            }
            Self::Add(row) => {
                rows.entry(row.id.clone()).or_insert_with(|| row.clone());
            }
            Self::Delete(id) => {
                rows.remove(id);
            }
            Self::Patch(patch) => {
                if let Some(row) = rows.get_mut(&patch.id) {
                    patch.fields.apply_to(row);
                }
            }
        }
    }
}

/// Fields of one row to be changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The row.
    pub id: String,
    /// The fields and what they become.
    pub fields: Fields,
}

/// The fields that a [`Patch`] sets; those that are absent stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// See [`Row::model_name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// See [`Row::model`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// See [`Row::tag`]; a patch that leaves it alone keeps the old one, as when a key is not rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// See [`Row::team`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// See [`Row::team_model_name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_model_name: Option<String>,
    /// See [`Row::blocked`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<bool>,
    /// See [`Row::weight`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// See [`Row::extra`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
}

impl Fields {
    /// Sets these fields of a row.
    pub fn apply_to(&self, row: &mut Row) {
        let set = |field: &mut String, to: &Option<String>| {
            if let Some(to) = to {
                field.clone_from(to);
            }
        };
        set(&mut row.model_name, &self.model_name);
        set(&mut row.model, &self.model);
        set(&mut row.tag, &self.tag);
        row.blocked = self.blocked.unwrap_or(row.blocked);
        row.team = self.team.clone().or(row.team.take());
        row.team_model_name = self.team_model_name.clone().or(row.team_model_name.take());
        row.weight = self.weight.or(row.weight);
        row.extra = self.extra.clone().or(row.extra.take());
    }

    /// The texts among the fields, each with its name.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let fields = [
            ("model_name", &self.model_name),
            ("model", &self.model),
            ("tag", &self.tag),
            ("team", &self.team),
            ("team_model_name", &self.team_model_name),
            ("extra", &self.extra),
        ];
        fields
            .into_iter()
            .filter_map(|(name, field)| field.as_ref().map(|text| (name, text)))
    }
}

/// The place where a fleet's write goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Straight into the database.
    Store,
    /// Through the admin endpoint of this replica.
    Replica(u8),
}

/// A write and the place where it goes in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteOp {
    /// The place where it goes in.
    pub via: Via,
    /// The change to the store.
    pub write: Write,
}

/// A request by a caller at one replica. Unlike a question it may make the replica read the store on a miss.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestOp {
    /// The replica, from 0.
    pub replica: u8,
    /// The model name, pattern text or deployment id that is asked for.
    pub model: String,
    /// The caller's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
}

impl RequestOp {
    /// The lookup that it is.
    pub fn query(&self) -> Query {
        Query {
            model: self.model.clone(),
            team: self.team.clone(),
        }
    }
}

/// One operation of a fleet: it takes time, may touch the store, and can be held on the way. Replicas are numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Change the store.
    Write(WriteOp),
    /// The replica reads the store and applies what it read.
    Poll(u8),
    /// The replica comes up, empty.
    Start(u8),
    /// The oldest change notification under way reaches the replica.
    Deliver(u8),
    /// A caller asks the replica.
    Request(RequestOp),
}

impl Op {
    /// The replica at which it is carried out; none for a write that goes straight into the store.
    pub fn replica(&self) -> Option<u8> {
        match self {
            Self::Write(WriteOp { via: Via::Store, .. }) => None,
            Self::Write(WriteOp {
                via: Via::Replica(replica),
                ..
            })
            | Self::Poll(replica)
            | Self::Start(replica)
            | Self::Deliver(replica)
            | Self::Request(RequestOp { replica, .. }) => Some(*replica),
        }
    }

    /// The word for it in a trace file.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Write(_) => "write",
            Self::Poll(_) => "poll",
            Self::Start(_) => "start",
            Self::Deliver(_) => "deliver",
            Self::Request(_) => "request",
        }
    }
}

/// The name of an operation that was begun and not yet finished; chosen by whoever writes the trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct OpId(pub String);

impl OpId {
    /// The first character of the name of an operation that a step carries out to its end; no other name begins with
    /// it.
    pub const OF_STEP: char = '#';

    /// The name of the operation that the step of that number, from 1, carries out to its end.
    pub fn of_step(number: usize) -> Self {
        Self(format!("{}{number}", Self::OF_STEP))
    }
}

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place between two accesses of an operation to the deployments table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Directly before a read.
    BeforeRead,
    /// Directly after a read.
    AfterRead,
    /// Directly before a write.
    BeforeWrite,
    /// Directly after a write.
    AfterWrite,
}

/// The start of an operation that is held on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The operation's name, by which `finish` lets it go on.
    pub op: OpId,
    /// The operation.
    pub act: Op,
    /// The place where it is held.
    pub until: Place,
    /// The number, from 1, of the read or write that is meant, among the operation's reads or writes.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub nth: u8,
}

impl Begin {
    /// An operation held at its first such place.
    pub fn new(op: &str, act: Op, until: Place) -> Self {
        Self {
            op: OpId(op.to_owned()),
            act,
            until,
            nth: first(),
        }
    }

    /// The point where it is held.
    pub fn point(&self) -> Point {
        Point {
            place: self.until,
            nth: self.nth,
        }
    }
}

impl Place {
    /// The word for it in traces.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BeforeRead => "before-read",
            Self::AfterRead => "after-read",
            Self::BeforeWrite => "before-write",
            Self::AfterWrite => "after-write",
        }
    }
}

/// A point on the way of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The kind of access, and the side of it.
    pub place: Place,
    /// The number, from 1, of the read or write among the operation's reads or writes.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub nth: u8,
}

fn first() -> u8 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
fn is_first(nth: &u8) -> bool {
    *nth == first()
}

/// Something that happens to a fleet, at once and without an operation of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum World {
    /// Accesses to the store fail from now on, or work again.
    StoreFails(bool),
    /// Reads of the store succeed from now on and show this.
    StoreShows(StoreView),
    /// A read of the store gives its rows in this order from now on.
    StoreOrder(RowOrder),
    /// The second source of rows, a file that replicas read at start and at polls, becomes this.
    Config(ConfigFile),
    /// The replica loses its memory and is down; its operations are lost.
    Crash(u8),
    /// The oldest change notification under way reaches the replica, and is still under way.
    Duplicate(u8),
    /// The oldest change notification under way to the replica is lost.
    Drop(u8),
    /// The oldest change notification under way to the replica becomes the newest, so that the others overtake it.
    Defer(u8),
    /// So many milliseconds pass: virtual time where the fleet has it, else real.
    Wait(u32),
}

/// The file from which replicas take rows beside the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The file's list of rows, in this order; none where the file has no list at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<Row>>,
}

/// The rows that reads of the store show after a [`World::StoreShows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreView {
    /// All rows.
    All,
    /// All rows as they were before the last write, as a copy that lags behind shows them.
    BeforeLastWrite,
    /// No row at all, by error.
    Nothing,
    /// The row with the least id and no other, by error.
    FirstRow,
}

/// The order in which a read of the store gives its rows: SQL promises none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    /// The order in which the rows were inserted.
    #[default]
    Insertion,
    /// The order in which the rows were last written.
    LastUpdate,
    /// A shuffled order, another one for each number.
    Shuffled(u32),
}
