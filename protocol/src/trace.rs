//! The trace: what is set up and what is done, in order. Drawn by engines, made of a model's path, shrunk, carried out,
//! and kept in [files](crate::file).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::op::RowOrder;
use crate::row::{Row, is_default};
use crate::step::Step;

/// Steps, from a fresh router or fleet on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// One router or a fleet: said, never inferred, since a fleet may have one replica.
    #[serde(default, skip_serializing_if = "is_default")]
    pub level: Level,
    /// The state before the first step: the replicas, the rows and their order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub setup: Setup,
    /// The steps, done and asked in order.
    pub steps: Vec<Step>,
}

impl Trace {
    /// A trace of one router that is constructed with these rows.
    pub fn of_router(rows: Vec<Row>, steps: Vec<Step>) -> Self {
        Self {
            level: Level::Router,
            setup: Setup {
                rows,
                ..Setup::default()
            },
            steps,
        }
    }

    /// A trace of a fleet of so many replicas over an empty store.
    pub fn of_fleet(replicas: u8, steps: Vec<Step>) -> Self {
        Self {
            level: Level::Fleet,
            setup: Setup {
                replicas,
                ..Setup::default()
            },
            steps,
        }
    }

    /// Every row that the trace brings whole: those of the set-up first, then step by step.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        let config = self.setup.config.iter().flatten();
        self.setup
            .rows
            .iter()
            .chain(config)
            .chain(self.steps.iter().flat_map(Step::rows))
    }

    /// Every row that the trace brings whole, to be edited, in the order of [`Trace::rows`].
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        let config = self.setup.config.iter_mut().flatten();
        self.setup
            .rows
            .iter_mut()
            .chain(config)
            .chain(self.steps.iter_mut().flat_map(Step::rows_mut))
    }

    /// The measure that shrinking makes less of: rows and steps.
    pub fn size(&self) -> usize {
        let steps = self.steps.iter().map(|step| step.rows().len().max(1));
        self.setup.rows.len() + self.setup.config.iter().flatten().count() + steps.sum::<usize>()
    }
}

/// The level of a trace, a rule or a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One router.
    #[default]
    Router,
    /// Several replicas over one store.
    Fleet,
}

/// The state before the first step of a trace: the replicas, the rows and their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// The number of replicas of a fleet, all up; 0 for a router.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: u8,
    /// The rows that the router is constructed with, or that the store of a fleet holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
    /// The rows of the second source of a fleet, in this order; absent where it has no list at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Vec<Row>>,
    /// The order in which reads of the store of a fleet give its rows.
    #[serde(skip_serializing_if = "is_default")]
    pub order: RowOrder,
}
