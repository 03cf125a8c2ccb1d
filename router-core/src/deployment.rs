//! A row of the database, and the deployment that it parses to.
//!
//! [`Row`] is what the database holds, unchecked. [`Row::parse`] is the only way to a [`Deployment`], which is therefore
//! always valid: everything behind this module relies on that and checks nothing again.

use std::fmt;
use std::hash::{Hash, Hasher};

use triomphe::{Arc, HeaderSlice};

use crate::error::{Field, Problem, RowError};
use crate::pattern::{Pattern, wildcards};

/// The longest text of a row or query, in bytes.
///
/// It bounds the depth of every derived index, and lets a deployment hold its text positions in two bytes each.
pub const TEXT_BYTES_MAX: usize = 1024;

/// One deployment as the database holds it, unchecked.
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
    /// What callers ask for; may hold `*`.
    pub model_name: &'a str,
    /// The upstream target; may hold `*`, as many as the name by which the row is asked for.
    pub model: &'a str,
    /// An opaque string, unique to this version of the row.
    pub tag: &'a str,
    /// The team that owns the row; a row without one is visible to everybody.
    pub team: Option<&'a str>,
    /// The name by which the owning team asks, in place of `model_name`; may hold `*`.
    pub team_model_name: Option<&'a str>,
    /// Whether the row is kept from being a candidate.
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
        let texts = [
            (Field::Id, Some(self.id)),
            (Field::ModelName, Some(self.model_name)),
            (Field::Model, Some(self.model)),
            (Field::Tag, Some(self.tag)),
            (Field::Team, self.team),
            (Field::TeamModelName, self.team_model_name),
        ];
        for (field, text) in texts {
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

/// What is wrong with a text that may be neither empty, nor too long, nor hold a control character.
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
/// One allocation: the texts, 16 bytes of counter and length, and 24 bytes of positions and flags.
#[derive(Clone)]
pub struct Deployment(Arc<HeaderSlice<Header, str>>);

/// Where each text ends in the packed string, and the fields that are no text.
///
/// INVARIANT: an absent text is an empty range, since no text of a valid row is empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Header {
    weight: u32,
    ends: [u16; Deployment::PACKED.len()],
    blocked: bool,
}

impl Deployment {
    /// The order of the packed texts: what a lookup compares stands first, next to the header.
    const PACKED: [Field; 6] = [
        Field::TeamModelName,
        Field::ModelName,
        Field::Team,
        Field::Id,
        Field::Tag,
        Field::Model,
    ];

    fn pack(row: Row<'_>) -> Self {
        let texts = Self::PACKED.map(|field| match field {
            Field::Id => row.id,
            Field::ModelName => row.model_name,
            Field::Model => row.model,
            Field::Tag => row.tag,
            Field::Team => row.team.unwrap_or_default(),
            Field::TeamModelName => row.team_model_name.unwrap_or_default(),
        });
        let mut end = 0;
        let ends = texts.map(|text| {
            end += text.len();
            u16::try_from(end).expect("six texts of at most `TEXT_BYTES_MAX` each fit two bytes")
        });
        let header = Header {
            weight: row.weight,
            ends,
            blocked: row.blocked,
        };
        Self(Arc::from_header_and_str(header, &texts.concat()))
    }

    /// The key of the row.
    pub fn id(&self) -> Id<'_> {
        Id(self.text(Field::Id))
    }

    /// The name that is asked for by callers that have none of their own.
    pub fn model_name(&self) -> Name<'_> {
        Name(self.text(Field::ModelName))
    }

    /// The upstream target.
    pub fn model(&self) -> Target<'_> {
        Target(self.text(Field::Model))
    }

    /// The mark of this version of the row.
    pub fn tag(&self) -> Tag<'_> {
        Tag(self.text(Field::Tag))
    }

    /// The team that owns the row.
    pub fn team(&self) -> Option<Team<'_>> {
        Some(self.text(Field::Team)).filter(|team| !team.is_empty()).map(Team)
    }

    /// The name by which the owning team asks, where it has one of its own.
    pub fn team_model_name(&self) -> Option<Name<'_>> {
        Some(self.text(Field::TeamModelName))
            .filter(|name| !name.is_empty())
            .map(Name)
    }

    /// The name by which the row is asked for: the team's own, or else the model name.
    pub fn asked(&self) -> Name<'_> {
        Name(&self.0.slice[..asked_end(&self.0.header.ends)])
    }

    /// Whether the row is kept from being a candidate.
    pub fn blocked(&self) -> bool {
        self.0.header.blocked
    }

    /// The row's share of the requests, relative to the other candidates.
    pub fn weight(&self) -> u32 {
        self.0.header.weight
    }

    /// Whether a caller of this team (or of none) may be answered with the row.
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

    /// Whether the row belongs to this team (or to none) and is asked for by this name.
    #[inline]
    pub(crate) fn is_asked(&self, team: Option<&str>, name: &str) -> bool {
        let packed = self.0.slice.as_bytes();
        let Header { ends, .. } = &self.0.header;
        let (start, end) = span(ends, Field::Team);
        // The name is compared first, and by its own length: it is then loaded beside the header and not after it.
        packed.starts_with(name.as_bytes())
            && asked_end(ends) == name.len()
            && match team {
                None => start == end,
                Some(team) => packed.get(usize::from(start)..usize::from(end)) == Some(team.as_bytes()),
            }
    }

    fn text(&self, field: Field) -> &str {
        let (start, end) = span(&self.0.header.ends, field);
        &self.0.slice[usize::from(start)..usize::from(end)]
    }
}

/// Where a text starts and ends in the packed string.
const fn span(ends: &[u16; Deployment::PACKED.len()], field: Field) -> (u16, u16) {
    let position = match field {
        Field::TeamModelName => return (0, ends[0]),
        Field::ModelName => 1,
        Field::Team => 2,
        Field::Id => 3,
        Field::Tag => 4,
        Field::Model => 5,
    };
    (ends[position - 1], ends[position])
}

/// Where the name ends by which the row is asked for. It starts at 0: if the team has no name of its own, the texts start
/// with the model name.
fn asked_end(ends: &[u16; Deployment::PACKED.len()]) -> usize {
    let own = span(ends, Field::TeamModelName).1;
    usize::from(if own > 0 { own } else { span(ends, Field::ModelName).1 })
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
