//! What a lookup means, as values: the strict semantics, and what real routers do in their own words.
//!
//! A preset is a plain value that [`Spec`](crate::spec::Spec) interprets; no rule and no adapter branches on a router's
//! name. A router claims its preset at `hello`; one that claims none is judged by the rules that need none.

/// By which text of a row a tier finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The name it is asked for by: the team's own name where it has one, else its `model_name`.
    AskedName,
    /// Its `model_name`, whether or not a team has another name for it.
    ModelName,
    /// The team's own name for it.
    TeamName,
    /// Its id.
    Id,
    /// Its upstream target.
    Target,
}

/// Whose rows a tier looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    /// Those of the caller's team.
    Own,
    /// Those without a team.
    Global,
    /// Those without a team and those of the caller's.
    Visible,
    /// As [`Visible`](Self::Visible) for a caller with a team; all rows for a caller without one.
    Loose,
    /// All rows.
    All,
}

/// How a tier compares a text with what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Match {
    /// The same text; a text with `*` is a pattern and no text.
    Exact,
    /// The same text, `*` or not.
    Text,
    /// A text with `*`, as a pattern.
    Pattern,
}

/// When a tier is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// Always.
    Always,
    /// Only if what is asked for is no row's `model_name`, of whatever team.
    NameUnknown,
}

/// One way to reach rows. Tiers are tried in order and the first that finds any row decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tier {
    /// By which text.
    pub by: By,
    /// Whose rows.
    pub of: Of,
    /// How compared.
    pub how: Match,
    /// When tried.
    pub when: When,
}

/// Which of several matching patterns wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precedence {
    /// Most literal characters, then fewest `*`, then lexicographic order.
    Literals,
    /// The longest regular expression, as Python's `re.escape` writes it with `(.*)` for `*`, then the most special
    /// characters in it. Equal ones are in the order of their arrival, which the rows alone do not tell.
    PythonRegexLength,
}

/// What a target with `*` becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filling {
    /// As many `*` as the name has, filled with the captures in order; any other count is an invalid row.
    Exact,
    /// More captures than `*` give the request itself; else each capture in turn replaces the first `*` of what there is
    /// by then; spare `*` stay.
    Lenient,
}

/// What a blocked row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blocking {
    /// No candidate. A tier that finds only blocked rows answers `blocked`.
    Refuses,
    /// A row like any other: the router does not know the word.
    Ignored,
}

/// Which names a caller is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// The names of visible rows that this caller would get an answer for.
    Answered,
    /// Every `model_name` of rows without a team, and every name that the caller's team has of its own.
    Registered,
}

/// The meaning of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Semantics {
    /// The preset's name, as a dialect states it.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub sentence: &'static str,
    /// The ways to reach rows, in order.
    pub tiers: &'static [Tier],
    /// Whether a pattern must match to the end of what is asked for.
    pub anchored_at_end: bool,
    /// Whether a pattern table that finds nothing is tried again with a provider and a `/` in front of what is asked for.
    pub retries_with_provider: bool,
    /// Which of several matching patterns wins.
    pub precedence: Precedence,
    /// What a target with `*` becomes.
    pub filling: Filling,
    /// What a blocked row is.
    pub blocking: Blocking,
    /// Which names a caller is shown.
    pub listing: Listing,
    /// The longest text of a row or query in bytes, where longer ones, empty ones and ones with control characters are
    /// invalid; `None` where the router takes any text.
    pub text_bytes_max: Option<usize>,
    /// The paths that drop another team's rows at the end, whatever tier found them.
    pub paths_that_check_teams: &'static [&'static str],
}

const fn tier(by: By, of: Of, how: Match, when: When) -> Tier {
    Tier { by, of, how, when }
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
    retries_with_provider: false,
    precedence: Precedence::Literals,
    filling: Filling::Exact,
    blocking: Blocking::Refuses,
    listing: Listing::Answered,
    text_bytes_max: Some(1_024),
    paths_that_check_teams: &[],
};

const ID: Tier = tier(By::Id, Of::All, Match::Text, When::Always);
const ID_IF_NO_NAME: Tier = tier(By::Id, Of::All, Match::Text, When::NameUnknown);
const TEAM_NAME_IF_NO_NAME: Tier = tier(By::TeamName, Of::Own, Match::Text, When::NameUnknown);
const ALL_PATTERNS: Tier = tier(By::ModelName, Of::All, Match::Pattern, When::NameUnknown);
const TEAM_PATTERNS: Tier = tier(By::TeamName, Of::Own, Match::Pattern, When::NameUnknown);
const TEAM_NAME: Tier = tier(By::TeamName, Of::Own, Match::Text, When::Always);
const MODEL_NAME: Tier = tier(By::ModelName, Of::Loose, Match::Text, When::Always);
const TARGET: Tier = tier(By::Target, Of::All, Match::Text, When::Always);

/// What a router of `LiteLLM` 1.85 or 1.86 does that was built of the rows just now.
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
    sentence: "LiteLLM 1.108.4 and later: the team's patterns before the global ones",
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

/// Every preset.
pub const PRESETS: &[Semantics] = &[STRICT, LITELLM_1_85, LITELLM_1_87, LITELLM_1_103, LITELLM_1_108_4];

impl Semantics {
    /// The preset of that name.
    pub fn preset(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}
