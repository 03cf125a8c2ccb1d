//! Workloads with fixed seeds, so that two runs measure the same rows and the same queries.

pub mod page;
pub mod race;

use router_core::{LoadError, Row, Table};

/// A small generator of pseudo-random numbers (splitmix64), the same on every platform.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    /// A generator that always gives the same numbers for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, evenly.
    pub fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next()) * bound as u128;
        usize::try_from(product >> u64::BITS).expect("a number below a `usize` is one")
    }

    /// A number below `bound` whose frequency falls with its size: half of the draws are below the square root.
    pub fn skewed(&mut self, bound: usize) -> usize {
        let mut shift = self.below(bound.ilog2() as usize + 1);
        while bound >> shift == 0 {
            shift -= 1;
        }
        self.below((bound >> shift).max(1))
    }
}

const PROVIDERS: [&str; 8] = [
    "openai",
    "anthropic",
    "bedrock",
    "azure",
    "vertex_ai",
    "mistral",
    "together_ai",
    "fireworks",
];
const FAMILIES: [&str; 8] = [
    "gpt-4o",
    "claude-sonnet",
    "meta.llama3",
    "gemini-pro",
    "mixtral-8x7b",
    "command-r",
    "qwen2.5",
    "deepseek-v3",
];

/// The shape of the names of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameShape {
    /// `openai/gpt-4o-000017`.
    Exact,
    /// `openai-000017/*`.
    Prefix,
    /// `*/gpt-4o-000017`.
    Suffix,
    /// `*gpt-4o-000017*`.
    Infix,
    /// `openai/*-000017`: few prefixes, many suffixes.
    Around,
    /// The four kinds of patterns in turn.
    Mixed,
}

impl NameShape {
    /// The name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Suffix => "suffix",
            Self::Infix => "infix",
            Self::Around => "prefix and suffix",
            Self::Mixed => "mixed",
        }
    }

    /// The name of the row at this position.
    pub fn name(self, position: usize) -> String {
        let (provider, family) = (PROVIDERS[position % 8], FAMILIES[position / 8 % 8]);
        match self {
            Self::Exact => format!("{provider}/{family}-{position:06}"),
            Self::Prefix => format!("{provider}-{position:06}/*"),
            Self::Suffix => format!("*/{family}-{position:06}"),
            Self::Infix => format!("*{family}-{position:06}*"),
            Self::Around => format!("{provider}/*-{position:06}"),
            Self::Mixed => MIXED[position % 4].name(position),
        }
    }

    /// A name that the row at this position answers.
    pub fn hit(self, position: usize) -> String {
        let (provider, family) = (PROVIDERS[position % 8], FAMILIES[position / 8 % 8]);
        match self {
            Self::Exact => self.name(position),
            Self::Prefix => format!("{provider}-{position:06}/{family}"),
            Self::Suffix | Self::Around => format!("{provider}/{family}-{position:06}"),
            Self::Infix => format!("eu.{family}-{position:06}-v1"),
            Self::Mixed => MIXED[position % 4].hit(position),
        }
    }

    /// A name much like the others that no row answers.
    pub fn miss(self, position: usize) -> String {
        let number = format!("{position:06}");
        self.hit(position)
            .replace(&number, &format!("{}x", &number[..number.len() - 1]))
    }
}

const MIXED: [NameShape; 4] = [
    NameShape::Prefix,
    NameShape::Suffix,
    NameShape::Infix,
    NameShape::Around,
];

/// The rows of a workload, as texts.
#[derive(Clone, Debug)]
pub struct Workload {
    ids: Vec<String>,
    names: Vec<String>,
    targets: Vec<String>,
    teams: Vec<Option<String>>,
}

impl Workload {
    /// Makes this many rows with names of this shape; with `teams`, spread over that many teams.
    pub fn of(shape: NameShape, count: usize, teams: usize) -> Self {
        let names: Vec<String> = (0..count).map(|position| shape.name(position)).collect();
        let targets = names.iter().map(|name| format!("upstream/{name}")).collect();
        let team = |position: usize| (teams > 0).then(|| format!("team-{:05}", position % teams));
        Self {
            ids: (0..count).map(|position| format!("deployment-{position:06}")).collect(),
            names,
            targets,
            teams: (0..count).map(team).collect(),
        }
    }

    /// The row at this position, in a version of this tag.
    pub fn row<'a>(&'a self, position: usize, tag: &'a str) -> Row<'a> {
        Row {
            id: &self.ids[position],
            model_name: &self.names[position],
            model: &self.targets[position],
            tag,
            team: self.teams[position].as_deref(),
            ..Row::default()
        }
    }

    /// All names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The team of the row at this position.
    pub fn team(&self, position: usize) -> Option<&str> {
        self.teams[position].as_deref()
    }

    /// Returns the number of bytes of the strings of all rows.
    pub fn bytes(&self) -> usize {
        let tags = FIRST_TAG.len() * self.ids.len();
        let teams = self.teams.iter().flatten();
        self.ids
            .iter()
            .chain(&self.names)
            .chain(&self.targets)
            .chain(teams)
            .map(String::len)
            .sum::<usize>()
            + tags
    }

    /// A table of the rows.
    ///
    /// # Errors
    ///
    /// Never, for the rows made here.
    pub fn table(&self) -> Result<Table, LoadError> {
        Table::of((0..self.ids.len()).map(|position| self.row(position, FIRST_TAG)))
    }
}

/// The tag of the first version of every row.
const FIRST_TAG: &str = "v000001";

/// Positions to be asked for, drawn evenly or by a skewed law.
pub fn positions(count: usize, queries: usize, skewed: bool) -> Vec<usize> {
    let mut seeded = Draws::new(42);
    (0..queries)
        .map(|_| {
            if skewed {
                seeded.skewed(count)
            } else {
                seeded.below(count)
            }
        })
        .collect()
}
