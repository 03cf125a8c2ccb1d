//! A row of the database, and the deployment that it parses to.
//!
//! [`Row`] is what the database holds, unchecked. [`Row::parse`] is the only way to a [`Deployment`], which is
//! therefore always valid: everything behind this module relies on that and checks nothing again.

use std::fmt;
use std::hash::{Hash, Hasher};

use triomphe::{Arc, HeaderSlice};

use crate::error::{Field, Problem, RowError};
use crate::pattern::{Pattern, wildcards};

/// The longest text of a row or query, in bytes.
///
/// It bounds the depth of every derived index, and lets a deployment hold its text positions in two bytes each.
pub const TEXT_BYTES_MAX: usize = 1024;

/// A deployment as the database holds it, unchecked.
///
/// # Examples
///
/// ```
/// use router_core::{Field, Row};
///
/// let row = Row { id: "d1", model_name: "openai/*", model: "openai/*", tag: "v1", ..Row::default() };
/// assert_eq!(row.parse().unwrap().asked().as_str(), "openai/*");
///
/// let wrong = Row { model: "openai/*/*", ..row };
/// assert_eq!(wrong.parse().unwrap_err().field, Field::Model);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row<'a> {
    /// The key of the row.
    pub id: &'a str,
    /// The name that callers ask for; may hold `*`.
    pub model_name: &'a str,
    /// The upstream target; may hold `*`, as many as the name by which the row is asked for.
    pub model: &'a str,
    /// An opaque string, unique to this version of the row.
    pub tag: &'a str,
    /// The team that owns the row; a row without one is visible to everybody.
    pub team: Option<&'a str>,
    /// The name by which the owning team asks, in place of `model_name`; may hold `*`.
    pub team_model_name: Option<&'a str>,
    /// Set if the row is kept from being a candidate.
    pub blocked: bool,
    /// The row's share of the requests, relative to the other candidates.
    pub weight: u32,
}

impl Default for Row<'_> {
    /// A row whose texts are still to be filled in, with the weight 1.
    fn default() -> Self {
        Row {
            id: "",
            model_name: "",
            model: "",
            tag: "",
            team: None,
            team_model_name: None,
            blocked: false,
            weight: 1,
        }
    }
}

impl Row<'_> {
    /// Parses the row into a deployment, or says which field is at fault.
    ///
    /// Fields are checked in the order in which they are declared, and the first fault is the one that is reported.
    ///
    /// # Errors
    ///
    /// A text that is empty, over [`TEXT_BYTES_MAX`] or that holds a control character; a `team_model_name` without a
    /// `team`; a `model` with `*`, but another number of them than the name by which the row is asked for.
    pub fn parse(self) -> Result<Deployment, RowError> {
        for (field, text) in self.texts() {
            if let Some(problem) = text.and_then(problem_of) {
                return Err(RowError { field, problem });
            }
        }
        if self.team_model_name.is_some() && self.team.is_none() {
            return Err(RowError {
                field: Field::TeamModelName,
                problem: Problem::WithoutTeam,
            });
        }
        let name = wildcards(self.team_model_name.unwrap_or(self.model_name));
        let target = wildcards(self.model);
        if target != 0 && target != name {
            return Err(RowError {
                field: Field::Model,
                problem: Problem::Wildcards { name, target },
            });
        }
        Ok(Deployment::pack(self))
    }
}

impl<'a> Row<'a> {
    /// All texts, in the order in which they are declared.
    fn texts(&self) -> [(Field, Option<&'a str>); 6] {
        [
            (Field::Id, Some(self.id)),
            (Field::ModelName, Some(self.model_name)),
            (Field::Model, Some(self.model)),
            (Field::Tag, Some(self.tag)),
            (Field::Team, self.team),
            (Field::TeamModelName, self.team_model_name),
        ]
    }
}

/// Finds the problem of a text, which may be neither empty, nor too long, nor hold a control character.
pub(crate) fn problem_of(text: &str) -> Option<Problem> {
    if text.is_empty() {
        return Some(Problem::Empty);
    }
    if text.len() > TEXT_BYTES_MAX {
        return Some(Problem::TooLong { bytes: text.len() });
    }
    // Most texts are ASCII, where a byte is a character.
    let at = if text.is_ascii() {
        text.bytes().position(|byte| byte.is_ascii_control())
    } else {
        text.find(char::is_control)
    };
    at.map(|at| Problem::ControlCharacter { at })
}

/// Declares a text that was checked once and cannot be wrong since.
macro_rules! checked_text {
    ($(#[doc = $doc:literal] $name:ident)*) => { $(
        #[doc = $doc]
        ///
        /// Neither empty, nor longer than [`TEXT_BYTES_MAX`], nor with a control character in it.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            /// Checks the text.
            ///
            /// # Errors
            ///
            /// The text is empty, too long, or holds a control character.
            pub fn parse(text: &'a str) -> Result<Self, Problem> {
                problem_of(text).map_or(Ok(Self(text)), Err)
            }

            /// The text.
            pub const fn as_str(self) -> &'a str {
                self.0
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.0, f)
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
    )* };
}

checked_text! {
    /// The key of a row.
    Id
    /// A name that callers ask for; a pattern if it holds `*`.
    Name
    /// An upstream target.
    Target
    /// The mark of one version of one row.
    Tag
    /// A team.
    Team
}

impl<'a> Name<'a> {
    /// The name as a pattern, if it is one.
    pub fn pattern(self) -> Option<Pattern<'a>> {
        Pattern::of(self.0)
    }
}

/// A valid row, shared by the table and its indexes.
///
/// A clone shares the texts. Two deployments are equal if their rows are.
///
/// # Complexity
///
/// One allocation: the texts, 8 bytes of counter, and 16 bytes of positions and flags.
#[derive(Clone)]
pub struct Deployment(Arc<HeaderSlice<Header, str>>);

/// The fields that are no text, and where each text but the last ends in the packed string.
///
/// The texts stand in the string as `own`, `name`, `team`, `id`, `tag`, model; an absent one is empty, as no text of a
/// valid row is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Header {
    weight: u32,
    blocked: bool,
    tag: u16,
    id: u16,
    team: u16,
    name: u16,
    own: u16,
}

impl Header {
    /// Returns the end of the name by which the row is asked for. The name starts at 0: if the team has no name of its
    /// own, the texts start with the model name.
    fn asked(&self) -> usize {
        usize::from(if self.own > 0 { self.own } else { self.name })
    }
}

impl Deployment {
    fn pack(row: Row<'_>) -> Self {
        let bytes = row
            .texts()
            .iter()
            .flat_map(|(_, text)| text)
            .map(|text| text.len())
            .sum();
        let mut packed = String::with_capacity(bytes);
        let mut push = |text: &str| {
            packed.push_str(text);
            u16::try_from(packed.len()).expect("six texts of at most `TEXT_BYTES_MAX` each fit two bytes")
        };
        let header = Header {
            own: push(row.team_model_name.unwrap_or_default()),
            name: push(row.model_name),
            team: push(row.team.unwrap_or_default()),
            id: push(row.id),
            tag: push(row.tag),
            weight: row.weight,
            blocked: row.blocked,
        };
        push(row.model);
        Self(Arc::from_header_and_str(header, &packed))
    }

    /// The key of the row.
    pub fn id(&self) -> Id<'_> {
        Id(self.text(self.0.header.team, self.0.header.id))
    }

    /// The name that is asked for by callers that have none of their own.
    pub fn model_name(&self) -> Name<'_> {
        Name(self.text(self.0.header.own, self.0.header.name))
    }

    /// The upstream target.
    pub fn model(&self) -> Target<'_> {
        Target(&self.0.slice[usize::from(self.0.header.tag)..])
    }

    /// The mark of this version of the row.
    pub fn tag(&self) -> Tag<'_> {
        Tag(self.text(self.0.header.id, self.0.header.tag))
    }

    /// The team that owns the row.
    pub fn team(&self) -> Option<Team<'_>> {
        Some(self.text(self.0.header.name, self.0.header.team))
            .filter(|team| !team.is_empty())
            .map(Team)
    }

    /// The name by which the owning team asks, where it has one of its own.
    pub fn team_model_name(&self) -> Option<Name<'_>> {
        Some(self.text(0, self.0.header.own))
            .filter(|name| !name.is_empty())
            .map(Name)
    }

    /// The name by which the row is asked for: the team's own, or else the model name.
    pub fn asked(&self) -> Name<'_> {
        Name(&self.0.slice[..self.0.header.asked()])
    }

    /// Returns whether the row is kept from being a candidate.
    pub fn blocked(&self) -> bool {
        self.0.header.blocked
    }

    /// The row's share of the requests, relative to the other candidates.
    pub fn weight(&self) -> u32 {
        self.0.header.weight
    }

    /// Returns whether a caller of this team (or of none) may be answered with the row.
    pub fn visible_to(&self, team: Option<&str>) -> bool {
        self.team().is_none_or(|own| Some(own.as_str()) == team)
    }

    /// The row as the database holds it.
    pub fn row(&self) -> Row<'_> {
        Row {
            id: self.id().0,
            model_name: self.model_name().0,
            model: self.model().0,
            tag: self.tag().0,
            team: self.team().map(Team::as_str),
            team_model_name: self.team_model_name().map(Name::as_str),
            blocked: self.blocked(),
            weight: self.weight(),
        }
    }

    fn text(&self, start: u16, end: u16) -> &str {
        &self.0.slice[usize::from(start)..usize::from(end)]
    }
}

impl PartialEq for Deployment {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.header == other.0.header && self.0.slice == other.0.slice)
    }
}

impl Eq for Deployment {}

impl Hash for Deployment {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.header.hash(state);
        self.0.slice.hash(state);
    }
}

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.row();
        write!(
            f,
            "{:?} {:?} -> {:?} tag {:?}",
            row.id, row.model_name, row.model, row.tag
        )?;
        if let Some(team) = row.team {
            write!(f, " team {team:?}")?;
        }
        if let Some(name) = row.team_model_name {
            write!(f, " as {name:?}")?;
        }
        if row.blocked {
            f.write_str(" blocked")?;
        }
        write!(f, " weight {}", row.weight)
    }
}
