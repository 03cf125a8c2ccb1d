//! The meanings of a lookup, as values: the strict semantics, and the presets of real routers.
//!
//! A preset is a plain value that [`Spec`](crate::spec::Spec) interprets; no rule and no adapter branches on a router's
//! name. A router claims its preset at `hello`; one that claims none is judged by the rules that need none.

/// The text of a row by which a tier finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The name it is asked for by: the team's own name where it has one, else its `model_name`.
    AskedName,
    /// The row's `model_name`, whether or not a team has another name for it.
    ModelName,
    /// The team's own name for it.
    TeamName,
    /// The row's id.
    Id,
    /// The row's upstream target.
    Target,
}

/// The rows that a tier looks at, by their owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    /// Rows of the caller's team.
    Own,
    /// Rows without a team.
    Global,
    /// Rows without a team and rows of the caller's team.
    Visible,
    /// Rows as in [`Visible`](Self::Visible) for a caller with a team; all rows for a caller without one.
    Loose,
    /// All rows.
    All,
}

/// The comparison of a row's text with the name that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Match {
    /// Equality of texts without `*`; a text with `*` is a pattern and equals nothing.
    Exact,
    /// Equality of texts, `*` or not.
    Text,
    /// Match of a text with `*`, as a pattern.
    Pattern,
}

/// The condition for a tier to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// Tried always.
    Always,
    /// Tried only if no row, of whatever team, has the name that is asked for as its `model_name`.
    NameUnknown,
}

/// A way to reach rows. Tiers are tried in order and the first that finds any row decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TierSpec {
    /// The text of the row that is compared.
    pub by: By,
    /// The rows that are looked at.
    pub of: Of,
    /// The comparison.
    pub how: Match,
    /// The condition for the tier to be tried.
    pub when: When,
}

/// The order of preference among several patterns that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precedence {
    /// Most literal characters, then fewest `*`, then lexicographic order.
    Literals,
    /// The longest regular expression, as Python's `re.escape` writes it with `(.*)` for `*`, then the most special
    /// characters in it. Equal ones are in the order of their arrival, which the rows alone do not tell.
    PythonRegexLength,
}

/// The treatment of a target with `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filling {
    /// Fills as many `*` as the name has with the captures in order; any other count is an invalid row.
    Exact,
    /// Gives the requested name itself if there are more captures than `*`; else replaces the first `*` of the text so
    /// far by each capture in turn, which leaves spare `*` in place.
    Lenient,
    /// Fills as [`Lenient`](Self::Lenient) does, and then the target of any row, whatever tier found it, once more with what
    /// the row's own name captures of the first line: its `team_model_name`, or where that does not match its `model_name`.
    LenientTwice,
}

/// The treatment of a blocked row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blocking {
    /// Keeps the row from being a candidate. A tier that finds only blocked rows answers `blocked`.
    Refuses,
    /// Treats the row as any other: the router does not know the field.
    Ignored,
}

/// The names that a caller is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// The names of visible rows that this caller would get an answer for.
    Answered,
    /// All `model_name`s of rows without a team, and all names that the caller's team has of its own.
    Registered,
}

/// The meaning of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Semantics {
    /// The preset's name, as a dialect states it.
    pub name: &'static str,
    /// The description of the preset, in a sentence.
    pub sentence: &'static str,
    /// The tiers, in the order in which they are tried.
    pub tiers: &'static [TierSpec],
    /// Set if a pattern must match to the end of the name that is asked for.
    pub anchored_at_end: bool,
    /// Set if a `*` stands for line breaks too. Where it does not, a pattern is matched against the first line of a name.
    pub spans_lines: bool,
    /// Set if a pattern tier that finds nothing is tried again with a provider and a `/` in front of the name.
    pub retries_with_provider: bool,
    /// The order of preference among several patterns that match.
    pub precedence: Precedence,
    /// The treatment of a target with `*`.
    pub filling: Filling,
    /// The treatment of a blocked row.
    pub blocking: Blocking,
    /// The names that a caller is shown.
    pub listing: Listing,
    /// The longest text of a row or query in bytes, where longer ones, empty ones and ones with control characters are
    /// invalid; `None` where the router takes any text.
    pub text_bytes_max: Option<usize>,
    /// The paths that drop another team's rows at the end, whatever tier found them.
    pub paths_that_check_teams: &'static [&'static str],
}

const fn tier(by: By, of: Of, how: Match, when: When) -> TierSpec {
    TierSpec { by, of, how, when }
}

/// The strict semantics: what the reference implements and what a new router should conform to.
pub const STRICT: Semantics = Semantics {
    name: "strict",
    sentence: "the answer is a function of the rows alone, and no caller sees another team's row by any path",
    tiers: &[
        tier(By::AskedName, Of::Own, Match::Exact, When::Always),
        tier(By::AskedName, Of::Global, Match::Exact, When::Always),
        tier(By::Id, Of::Visible, Match::Text, When::Always),
        tier(By::AskedName, Of::Own, Match::Pattern, When::Always),
        tier(By::AskedName, Of::Global, Match::Pattern, When::Always),
    ],
    anchored_at_end: true,
    spans_lines: true,
    retries_with_provider: false,
    precedence: Precedence::Literals,
    filling: Filling::Exact,
    blocking: Blocking::Refuses,
    listing: Listing::Answered,
    text_bytes_max: Some(1_024),
    paths_that_check_teams: &[],
};

const ID: TierSpec = tier(By::Id, Of::All, Match::Text, When::Always);
const ID_IF_NO_NAME: TierSpec = tier(By::Id, Of::All, Match::Text, When::NameUnknown);
const TEAM_NAME_IF_NO_NAME: TierSpec = tier(By::TeamName, Of::Own, Match::Text, When::NameUnknown);
const ALL_PATTERNS: TierSpec = tier(By::ModelName, Of::All, Match::Pattern, When::NameUnknown);
const TEAM_PATTERNS: TierSpec = tier(By::TeamName, Of::Own, Match::Pattern, When::NameUnknown);
const TEAM_NAME: TierSpec = tier(By::TeamName, Of::Own, Match::Text, When::Always);
const MODEL_NAME: TierSpec = tier(By::ModelName, Of::Loose, Match::Text, When::Always);
const TARGET: TierSpec = tier(By::Target, Of::All, Match::Text, When::Always);

/// The answers of a router of `LiteLLM` 1.85 or 1.86 that was built of the rows just now.
const LITELLM_1_85: Semantics = Semantics {
    name: "litellm-1.85",
    sentence: "LiteLLM 1.85 and 1.86: ids first of all, global patterns before the team's, `blocked` unknown",
    tiers: &[
        ID,
        TEAM_NAME_IF_NO_NAME,
        ALL_PATTERNS,
        TEAM_PATTERNS,
        TEAM_NAME,
        MODEL_NAME,
        TARGET,
    ],
    anchored_at_end: false,
    spans_lines: false,
    retries_with_provider: true,
    precedence: Precedence::PythonRegexLength,
    filling: Filling::Lenient,
    blocking: Blocking::Ignored,
    listing: Listing::Registered,
    text_bytes_max: None,
    paths_that_check_teams: &["async"],
};

const LITELLM_1_87: Semantics = Semantics {
    name: "litellm-1.87",
    sentence: "LiteLLM 1.87 to 1.102: `blocked` rows are dropped at the end",
    blocking: Blocking::Refuses,
    ..LITELLM_1_85
};

const LITELLM_1_103: Semantics = Semantics {
    name: "litellm-1.103",
    sentence: "LiteLLM 1.103 to 1.108.3: an id only where the text is no model name",
    tiers: &[
        ID_IF_NO_NAME,
        TEAM_NAME_IF_NO_NAME,
        ALL_PATTERNS,
        TEAM_PATTERNS,
        TEAM_NAME,
        MODEL_NAME,
        TARGET,
    ],
    ..LITELLM_1_87
};

const LITELLM_1_108_4: Semantics = Semantics {
    name: "litellm-1.108.4",
    sentence: "LiteLLM 1.108.4 to 1.109: the team's patterns before the global ones",
    tiers: &[
        ID_IF_NO_NAME,
        TEAM_NAME_IF_NO_NAME,
        TEAM_PATTERNS,
        ALL_PATTERNS,
        TEAM_NAME,
        MODEL_NAME,
        TARGET,
    ],
    ..LITELLM_1_103
};

/// The answers of a router of `LiteLLM` 1.110, the first with a native core. The second filling fills what the first left,
/// so that a target with a `*` too many gets a capture twice, and a `*` in a request is filled as well.
const LITELLM_1_110: Semantics = Semantics {
    name: "litellm-1.110",
    sentence: "LiteLLM 1.110: both paths drop another team's rows, and targets are filled twice",
    spans_lines: true,
    filling: Filling::LenientTwice,
    paths_that_check_teams: &["sync", "async"],
    ..LITELLM_1_108_4
};

/// All presets.
pub const PRESETS: &[Semantics] = &[
    STRICT,
    LITELLM_1_85,
    LITELLM_1_87,
    LITELLM_1_103,
    LITELLM_1_108_4,
    LITELLM_1_110,
];

impl Semantics {
    /// Returns the preset of that name.
    pub fn preset(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}

/// A dialect claims a preset that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the adapter claims the semantics `{name}`, which this build does not know; claim one of {}, or none",
    names()
)]
pub struct UnknownPreset {
    pub(crate) name: String,
}

fn names() -> String {
    let names: Vec<String> = PRESETS.iter().map(|preset| format!("`{}`", preset.name)).collect();
    names.join(", ")
}
