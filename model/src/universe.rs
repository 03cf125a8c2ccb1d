//! The small worlds that traces are drawn from, as data.
//!
//! Three sizes, because each finds what the others cannot: tiny is closed exhaustively; mid holds the strings that
//! hand-kept indexes confuse (`1` beside `10`, a case apart, regex metacharacters, an id that is also a name); big holds
//! enough of everything that a structure with five entries or an index shifted by three comes about.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use protocol::{Capability, Extra, Hello, PatternShape, Texts};

use crate::semantics::Semantics;

/// The texts and sizes that traces are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Universe {
    /// The universe's name.
    pub name: &'static str,
    /// Deployment ids.
    pub ids: &'static [&'static str],
    /// Model names without `*`.
    pub names: &'static [&'static str],
    /// Model names with `*`.
    pub patterns: &'static [&'static str],
    /// Teams.
    pub teams: &'static [&'static str],
    /// The most steps of a trace.
    pub steps_max: u32,
    /// The most queries of an observation.
    pub queries_max: usize,
    /// True if the exhaustive engine gives the id at each place only the name at the same place: many rows, few states.
    pub paired: bool,
}

/// Two ids, two names, two patterns, two teams.
pub const TINY: Universe = Universe {
    name: "tiny",
    ids: &["d1", "d2"],
    names: &["a", "b"],
    patterns: &["a*", "*"],
    teams: &["t1", "t2"],
    steps_max: 6,
    queries_max: 40,
    paired: false,
};

/// Few of each, and all of them easily confused.
pub const MID: Universe = Universe {
    name: "mid",
    ids: &["1", "10", "a", "A"],
    names: &["a", "10", "openai/m", "a.c", "abc", "m[1]", "ABC"],
    patterns: &["*", "openai/*", "a*c", "*bc", "a.*", "*/m", "(m)*", "*b*", "openai/m*"],
    teams: &["t1", "t10"],
    steps_max: 12,
    queries_max: 48,
    paired: false,
};

/// Enough of each for a subset of them to be a world of its own.
pub const BIG: Universe = Universe {
    name: "big",
    ids: &["d1", "d2", "d3", "d4", "d10", "d11", "1", "2", "11", "x", "m", "d1/"],
    names: &[
        "a",
        "b",
        "ab",
        "abc",
        "m",
        "m-1",
        "m-2",
        "openai/m",
        "openai/m-1",
        "azure/m",
        "x y",
        "é",
        "m+",
        "d1",
        "openai/ft-gpt-4o-mini-2024-07-18-acme-9f3kqz1x",
    ],
    patterns: &[
        "*",
        "a*",
        "ab*",
        "*c",
        "m-*",
        "openai/*",
        "openai/m*",
        "azure/*",
        "*/m",
        "*/*",
        "a*b*c",
        "m+*",
        "é*",
        "*-1",
        "openai/ft-gpt-4o-mini-2024-07-18-*",
    ],
    teams: &["t1", "t10", "T1", "u"],
    steps_max: 32,
    queries_max: 64,
    paired: false,
};

/// The most rows of a crowded table: more than fit into a page, or a buffer, of a hundred.
const CROWD_MAX: usize = 130;

/// One id and one pattern: so few states that long runs of changes between two questions can be closed.
pub const NARROW: Universe = Universe {
    name: "narrow",
    ids: &["d1"],
    names: &[],
    patterns: &["a*"],
    teams: &[],
    ..TINY
};

/// Two ids, one the beginning of the other, that are names as well.
pub const IDS: Universe = Universe {
    name: "ids",
    ids: &["1", "10"],
    names: &["1", "10"],
    patterns: &["1*"],
    teams: &["t1"],
    ..TINY
};

/// Ids, names and teams that differ in case alone.
pub const CASES: Universe = Universe {
    name: "cases",
    ids: &["a", "A"],
    names: &["n", "N"],
    patterns: &[],
    teams: &["t", "T"],
    ..TINY
};

/// Patterns that match the same texts, and two wildcards in one.
pub const OVERLAPPING: Universe = Universe {
    name: "overlapping",
    names: &[],
    patterns: &["a*c", "*bc", "a.*", "*-*", "*-.", "abc*"],
    teams: &[],
    ..TINY
};

/// Five live patterns at once.
pub const CROWDED: Universe = Universe {
    name: "crowded",
    ids: &["d1", "d2", "d3", "d4", "d5"],
    names: &[],
    patterns: &["a*", "b*", "c*", "d*", "e*"],
    teams: &[],
    paired: true,
    ..TINY
};

/// Three exact names at once, so that a position can shift.
pub const SHIFTING: Universe = Universe {
    name: "shifting",
    ids: &["d1", "d2", "d3"],
    names: &["a", "b", "c"],
    patterns: &[],
    teams: &["t1"],
    paired: true,
    ..TINY
};

/// Three ids, one the beginning of another, and one name of each kind, for the schedules of a fleet: what goes wrong between
/// operations is a matter of their order, and shows the sooner the fewer rows there are.
pub const SCHEDULED: Universe = Universe {
    name: "scheduled",
    ids: &["d1", "d10", "d2"],
    names: &["a"],
    patterns: &["a*"],
    teams: &["t1"],
    steps_max: 14,
    queries_max: 12,
    paired: false,
};

/// Several names, patterns and teams, some of which match the same texts, for schedules of a fleet in which a change to one
/// row meets another row: a table that is built anew at a poll may go wrong there alone.
pub const SPREAD: Universe = Universe {
    name: "spread",
    ids: &["d1", "d2", "d3", "d4", "1", "10", "a"],
    names: &["a", "b", "ab", "openai/m"],
    patterns: &["a*", "ab*", "*", "openai/*", "*b"],
    teams: &["t1", "t10"],
    steps_max: 14,
    queries_max: 16,
    paired: false,
};

/// The universes that the exhaustive engine can close, each small in another way, those with few states first.
pub const CLOSABLE: [&Universe; 6] = [&OVERLAPPING, &SHIFTING, &IDS, &CASES, &TINY, &CROWDED];

/// Every universe of the random engine, small ones first.
pub const UNIVERSES: [&Universe; 3] = [&TINY, &MID, &BIG];

/// Every universe that schedules of a fleet are drawn from, the one that most are drawn from first.
pub const FLEET_UNIVERSES: [&Universe; 2] = [&SCHEDULED, &SPREAD];

/// The part of a universe that a given router can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The universe.
    pub universe: Universe,
    /// The capabilities of the router.
    pub capabilities: Vec<Capability>,
    /// The router's parameter bundles.
    pub extras: Vec<Extra>,
    /// The texts that names and queries are made of; any where absent.
    pub names: Option<Texts>,
    /// The texts that ids are made of; any where absent.
    pub ids: Option<Texts>,
    /// Ids for as many rows as a crowded trace may have, none of the universe's among them.
    pub crowd: &'static [&'static str],
    /// The prefixes of targets; never empty.
    pub target_prefixes: Vec<String>,
    /// True if rows and queries of texts that no router should take are worth asking: only a preset tells what is right then.
    /// A target with another number of `*` than its name is offered to every router, which may refuse it.
    pub malformed: bool,
}

impl Scope {
    /// Returns the part of `universe` that the router behind this hello can be asked.
    pub fn new(universe: &Universe, hello: &Hello) -> Self {
        let preset = hello.dialect.semantics.as_deref().and_then(Semantics::preset);
        let mut universe = *universe;
        if !hello.can(Capability::Patterns) {
            universe.patterns = &[];
        }
        if !hello.can(Capability::Teams) {
            universe.teams = &[];
        }
        let dialect = &hello.dialect;
        if !dialect.pattern_shapes.is_empty() {
            let is_taken =
                |name: &str| PatternShape::of(name).is_some_and(|shape| dialect.pattern_shapes.contains(&shape));
            let taken = universe.patterns.iter().filter(|name| is_taken(name));
            universe.patterns = kept(taken.map(|name| (*name).to_owned()).collect());
        }
        if let Some(ids) = &dialect.ids {
            universe.ids = fitted(ids, universe.ids);
        }
        if let Some(names) = &dialect.names {
            (universe.names, universe.patterns) = (fitted(names, universe.names), fitted(names, universe.patterns));
        }
        let prefixes = &hello.dialect.target_prefixes;
        Self {
            universe,
            capabilities: hello.capabilities.clone(),
            extras: hello.dialect.extras.clone(),
            names: dialect.names.clone(),
            ids: dialect.ids.clone(),
            crowd: crowd(dialect.ids.as_ref()),
            target_prefixes: if prefixes.is_empty() {
                vec!["openai/".to_owned(), "azure/".to_owned()]
            } else {
                prefixes.clone()
            },
            // A router that says which texts it takes is not asked to refuse others.
            malformed: preset.is_some_and(|preset| preset.text_bytes_max.is_some())
                && dialect.names.is_none()
                && dialect.ids.is_none(),
        }
    }

    /// Returns whether the router has that capability.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The text as one that can be asked for: made of the characters of names, where these are bounded.
    pub fn asked(&self, text: &str) -> String {
        match &self.names {
            Some(names) if !names.take(text) => names.fitted(text, false, 0),
            _ => text.to_owned(),
        }
    }

    /// The upstream targets that a row of that name can sensibly have: one that is used as it is, and for a pattern ones
    /// that its captures fill.
    pub fn targets(&self, prefix: &str, name: &str) -> Vec<String> {
        let stars = name.matches('*').count();
        let plain = format!("{prefix}up");
        if stars == 0 {
            return vec![plain, format!("{prefix}up-2")];
        }
        // With another character between them than names have, captures cannot be told apart by where they join.
        let filled = vec!["*"; stars].join(":");
        vec![format!("{prefix}{filled}"), format!("{prefix}up-{filled}"), plain]
    }
}

/// Ids for many rows, as the router takes them.
fn crowd(texts: Option<&Texts>) -> &'static [&'static str] {
    let ids: Vec<String> = (0..CROWD_MAX).map(|number| format!("c{number}")).collect();
    let ids = kept(ids);
    texts.map_or(ids, |texts| fitted(texts, ids))
}

/// The most endings with which a text is told from the others of its list.
const VARIANTS_MAX: usize = 1_000;

/// The texts of a universe as texts that a router takes, no two alike. Those for which there is no room are left out, which
/// [`crate::rules::unjudged`] tells.
fn fitted(texts: &Texts, list: &[&str]) -> &'static [&'static str] {
    let mut fitted: Vec<String> = Vec::with_capacity(list.len());
    for text in list {
        let mut variants = (0..VARIANTS_MAX).map(|variant| texts.fitted(text, true, variant));
        let is_new = |one: &String| {
            let same_shape = PatternShape::of(one) == PatternShape::of(text);
            same_shape && texts.take_pattern(one) && !fitted.contains(one)
        };
        fitted.extend(variants.find(is_new));
    }
    kept(fitted)
}

/// The list as one that lives as long as this process, as those of the universes do: each distinct list is kept once.
fn kept(list: Vec<String>) -> &'static [&'static str] {
    static KEPT: LazyLock<Mutex<BTreeMap<Vec<String>, &'static [&'static str]>>> = LazyLock::new(Mutex::default);
    let mut lists = KEPT.lock().expect("nobody panics with the lock");
    if let Some(known) = lists.get(&list) {
        return known;
    }
    let texts = list.iter().map(|text| &*Box::leak(text.clone().into_boxed_str()));
    let leaked: &'static [&'static str] = Box::leak(texts.collect());
    lists.insert(list, leaked);
    leaked
}
