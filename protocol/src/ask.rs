//! Questions: what can be asked of a router or a replica, when, and in which order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::row::is_default;

/// A caller and the model that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The model name, pattern text or deployment id that is asked for.
    pub model: String,
    /// The caller's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
}

impl Query {
    /// A query by `team`, or by a caller without one.
    pub fn new(model: &str, team: Option<&str>) -> Self {
        Self {
            model: model.to_owned(),
            team: team.map(str::to_owned),
        }
    }
}

/// One question. None of them changes what is asked, or touches the store of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// The deployments that may serve this query.
    Lookup(Query),
    /// The model names that a caller of this team is shown; `null` is a caller without a team.
    Listing(Option<String>),
    /// The ids that the router itself claims to hold.
    Claims,
    /// The row versions, by tag, that each derived structure still holds.
    Holds,
    /// The number of entries of each derived structure.
    Sizes,
    /// The rows that the store holds. Asked of a fleet, not of a replica.
    Store,
}

impl Question {
    /// The kind of the question.
    pub fn kind(&self) -> QuestionKind {
        match self {
            Self::Lookup(_) => QuestionKind::Lookup,
            Self::Listing(_) => QuestionKind::Listing,
            Self::Claims => QuestionKind::Claims,
            Self::Holds => QuestionKind::Holds,
            Self::Sizes => QuestionKind::Sizes,
            Self::Store => QuestionKind::Store,
        }
    }

    /// The query, where the question is a lookup.
    pub fn query(&self) -> Option<&Query> {
        match self {
            Self::Lookup(query) => Some(query),
            _ => None,
        }
    }
}

/// The kind of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// See [`Question::Lookup`].
    Lookup,
    /// See [`Question::Listing`].
    Listing,
    /// See [`Question::Claims`].
    Claims,
    /// See [`Question::Holds`].
    Holds,
    /// See [`Question::Sizes`].
    Sizes,
    /// See [`Question::Store`].
    Store,
}

impl QuestionKind {
    /// The word for it in flags, files and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Listing => "listing",
            Self::Claims => "claims",
            Self::Holds => "holds",
            Self::Sizes => "sizes",
            Self::Store => "store",
        }
    }
}

/// The questions of a run: which, after which step, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Questions {
    /// The questions that [`Round`]s name by their place in this list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Question>,
    /// The moments at which they are asked, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<Round>,
}

impl Questions {
    /// Asks these questions, in their order, after each of those numbers of steps.
    pub fn at(asked: Vec<Question>, after: impl IntoIterator<Item = u32>) -> Self {
        Self {
            asked,
            rounds: after.into_iter().map(Round::all).collect(),
        }
    }

    /// Asks these questions, in their order, before the first of `steps` steps and after each.
    pub fn after_each(asked: Vec<Question>, steps: usize) -> Self {
        Self::at(asked, 0..=count(steps))
    }

    /// Asks these questions, in their order, after the last of `steps` steps.
    pub fn at_end(asked: Vec<Question>, steps: usize) -> Self {
        Self::at(asked, [count(steps)])
    }

    /// The lookups among the questions.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        self.asked.iter().filter_map(Question::query)
    }

    /// The questions of a round, each with its place in the list, in the order in which they are asked.
    pub fn of<'a>(&'a self, round: &'a Round) -> impl Iterator<Item = (usize, &'a Question)> {
        let all = round.order.is_none().then_some(0..self.asked.len());
        let some = round.order.iter().flatten().map(|&place| usize::from(place));
        all.into_iter()
            .flatten()
            .chain(some)
            .filter_map(|place| Some((place, self.asked.get(place)?)))
    }
}

/// A number of steps, which the wire bounds far below.
fn count(steps: usize) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}

/// One moment at which questions are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// The number of steps done by then.
    pub after: u32,
    /// The questions by their places in [`Questions::asked`], in this order; all, in the order of that list, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<u16>>,
    /// Milliseconds to wait before asking: only of a router that settles within a stated time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub wait: u32,
}

impl Round {
    /// Every question, in the order of the list.
    pub fn all(after: u32) -> Self {
        Self {
            after,
            order: None,
            wait: 0,
        }
    }
}
