//! The steps of a trace: change one router, drive a fleet, ask.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ask::{Query, Question};
use crate::op::{Begin, ConfigFile, Op, OpId, RequestOp, RowOrder, StoreView, World, Write, WriteOp};
use crate::row::{Row, Rows};

/// One change to the table of a router.
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

    /// The rows that the change brings, to be edited.
    pub fn rows_mut(&mut self) -> &mut [Row] {
        match self {
            Self::Upsert(row) | Self::Add(row) => std::slice::from_mut(row),
            Self::Delete(_) => &mut [],
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

    /// Carries out what the change asks for. Rows are not checked: a router may refuse what is taken here.
    pub fn apply_to(&self, rows: &mut Rows) {
        match self {
            Self::Upsert(row) => {
                rows.insert(row.id.clone(), row.clone());
            }
            Self::Add(row) => {
                rows.entry(row.id.clone()).or_insert_with(|| row.clone());
            }
            Self::Delete(id) => {
                rows.remove(id);
            }
            Self::Replace(list) => *rows = list.iter().map(|row| (row.id.clone(), row.clone())).collect(),
        }
    }
}

/// One step of a trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "FlatStep", into = "FlatStep")]
#[schemars(with = "FlatStep")]
pub enum Step {
    /// Change the only router there is.
    Change(Change),
    /// Carry out an operation of a fleet, to its end.
    Do(Op),
    /// Begin an operation of a fleet, and hold it.
    Begin(Begin),
    /// Let a held operation go on to its end.
    Finish(OpId),
    /// Something happens to the fleet.
    World(World),
    /// Ask: the only router there is, or a replica.
    Ask(Option<u8>, Question),
}

impl Step {
    /// A lookup of the only router there is.
    pub fn lookup(query: Query) -> Self {
        Self::Ask(None, Question::Lookup(query))
    }

    /// The change, where this is a change of the only router there is.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::Change(change) => Some(change),
            _ => None,
        }
    }

    /// The operation that the step carries out or begins.
    pub fn op(&self) -> Option<&Op> {
        match self {
            Self::Do(op) | Self::Begin(Begin { act: op, .. }) => Some(op),
            _ => None,
        }
    }

    /// The question that the step puts.
    pub fn question(&self) -> Option<&Question> {
        match self {
            Self::Ask(_, question) => Some(question),
            _ => None,
        }
    }

    /// The replica that the step is about; none where it is about the store or the only router there is.
    pub fn replica(&self) -> Option<u8> {
        match self {
            Self::Ask(replica, _) => *replica,
            Self::World(
                World::Crash(replica) | World::Duplicate(replica) | World::Drop(replica) | World::Defer(replica),
            ) => Some(*replica),
            _ => self.op().and_then(Op::replica),
        }
    }

    /// The change to the store that the step makes or begins to make.
    pub fn write(&self) -> Option<&WriteOp> {
        match self.op() {
            Some(Op::Write(write)) => Some(write),
            _ => None,
        }
    }

    /// Carries out on a table, or on a store, what the step asks for, as if nothing were ever refused.
    pub fn apply_to(&self, rows: &mut Rows) {
        match (self.change(), self.write()) {
            (Some(change), _) => change.apply_to(rows),
            (None, Some(op)) => op.write.apply_to(rows),
            (None, None) => {}
        }
    }

    /// The rows that the step brings whole.
    pub fn rows(&self) -> &[Row] {
        match self {
            Self::Change(change) => change.rows(),
            Self::World(World::Config(config)) => config.rows.as_deref().unwrap_or_default(),
            _ => self
                .write()
                .and_then(|op| op.write.row())
                .map_or(&[], std::slice::from_ref),
        }
    }

    /// The rows that the step brings whole, to be edited.
    pub fn rows_mut(&mut self) -> &mut [Row] {
        match self {
            Self::Change(change) => change.rows_mut(),
            Self::World(World::Config(config)) => config.rows.as_deref_mut().unwrap_or_default(),
            Self::Do(Op::Write(op)) | Self::Begin(Begin { act: Op::Write(op), .. }) => match &mut op.write {
                Write::Put(row) | Write::Add(row) => std::slice::from_mut(row),
                Write::Delete(_) | Write::Patch(_) => &mut [],
            },
            _ => &mut [],
        }
    }
}

/// A lookup as a step is written.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskedLookup {
    /// The model name, pattern text or deployment id that is asked for.
    model: String,
    /// The caller's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    /// The replica that is asked; only in a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replica: Option<u8>,
}

/// A question for a listing as a step is written.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskedListing {
    /// The caller's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    /// The replica that is asked; only in a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replica: Option<u8>,
}

/// A question without a caller as a step is written.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskedOf {
    /// The replica that is asked; only in a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replica: Option<u8>,
}

/// Defines the form in which a step is written, one key that is the verb, from pairs of a verb and the step that it is.
/// Separate from [`Step`], because in memory the families are handled apart, while serde's own ways to flatten an enum lose
/// the line and column of an error.
macro_rules! flat {
    ($it:ident: $($(#[$attribute:meta])* $verb:ident($type:ty) = [$($step:tt)+],)+) => {
        #[derive(Clone, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(rename = "Step")]
        enum FlatStep {
            $($(#[$attribute])* $verb($type),)+
            Lookup(AskedLookup),
            Listing(AskedListing),
            Claims(AskedOf),
            Holds(AskedOf),
            Sizes(AskedOf),
            Store(AskedOf),
        }

        impl From<FlatStep> for Step {
            fn from(flat: FlatStep) -> Self {
                let (replica, question) = match flat {
                    $(FlatStep::$verb($it) => return $($step)+,)+
                    FlatStep::Lookup(AskedLookup { model, team, replica }) => (replica, Question::Lookup(Query { model, team })),
                    FlatStep::Listing(AskedListing { team, replica }) => (replica, Question::Listing(team)),
                    FlatStep::Claims(AskedOf { replica }) => (replica, Question::Claims),
                    FlatStep::Holds(AskedOf { replica }) => (replica, Question::Holds),
                    FlatStep::Sizes(AskedOf { replica }) => (replica, Question::Sizes),
                    FlatStep::Store(AskedOf { replica }) => (replica, Question::Store),
                };
                Self::Ask(replica, question)
            }
        }

        impl From<Step> for FlatStep {
            fn from(step: Step) -> Self {
                match step {
                    $($($step)+ => Self::$verb($it),)+
                    Step::Ask(replica, Question::Lookup(Query { model, team })) => {
                        Self::Lookup(AskedLookup { model, team, replica })
                    }
                    Step::Ask(replica, Question::Listing(team)) => Self::Listing(AskedListing { team, replica }),
                    Step::Ask(replica, Question::Claims) => Self::Claims(AskedOf { replica }),
                    Step::Ask(replica, Question::Holds) => Self::Holds(AskedOf { replica }),
                    Step::Ask(replica, Question::Sizes) => Self::Sizes(AskedOf { replica }),
                    Step::Ask(replica, Question::Store) => Self::Store(AskedOf { replica }),
                }
            }
        }
    };
}

flat! { it:
    Upsert(Row) = [Step::Change(Change::Upsert(it))],
    Add(Row) = [Step::Change(Change::Add(it))],
    Delete(String) = [Step::Change(Change::Delete(it))],
    Replace(Vec<Row>) = [Step::Change(Change::Replace(it))],
    Write(WriteOp) = [Step::Do(Op::Write(it))],
    Poll(u8) = [Step::Do(Op::Poll(it))],
    Start(u8) = [Step::Do(Op::Start(it))],
    Deliver(u8) = [Step::Do(Op::Deliver(it))],
    Request(RequestOp) = [Step::Do(Op::Request(it))],
    Begin(Begin) = [Step::Begin(it)],
    Finish(OpId) = [Step::Finish(it)],
    StoreFails(bool) = [Step::World(World::StoreFails(it))],
    StoreShows(StoreView) = [Step::World(World::StoreShows(it))],
    StoreOrder(RowOrder) = [Step::World(World::StoreOrder(it))],
    Config(ConfigFile) = [Step::World(World::Config(it))],
    Crash(u8) = [Step::World(World::Crash(it))],
    Duplicate(u8) = [Step::World(World::Duplicate(it))],
    Drop(u8) = [Step::World(World::Drop(it))],
    Defer(u8) = [Step::World(World::Defer(it))],
    Wait(u32) = [Step::World(World::Wait(it))],
}
