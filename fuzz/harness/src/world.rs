//! The worlds that an input can be of: a universe, and every text that a step of its traces can name.
//!
//! An input names a world, and the texts of a world, by their position. Whoever adds a world or a text adds it at the end,
//! so that the inputs that are kept go on meaning what they mean.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use adapter_reference::Reference;
use model::matrix;
use model::universe::{BIG, CASES, CROWDED, IDS, MID, OVERLAPPING, SHIFTING, Scope, TINY, Universe};
use protocol::{Local, Query};

/// Every text of the traces that are kept in `testdata`, as far as a router without parameter bundles understands them.
pub(crate) const KEPT: Universe = Universe {
    name: "kept",
    ids: &["d1", "d2", "d3", "d4", "d5", "1", "10"],
    names: &[
        "m",
        "n",
        "o",
        "old",
        "new",
        "a",
        "p",
        "s",
        "other",
        "openai/gpt-4o",
        "openai/gpt-4",
        "gpt-4o",
        "gpt4-prod",
        "gpt4-team-a",
        "d1-of-a",
        "d1-of-b",
        "abc",
        "abcde",
        "zzz-test-1",
        "nowhere",
        "qa",
        "mx",
        "old-1",
        "openai/1",
        "anthropic/claude-3",
    ],
    patterns: &[
        "openai/*",
        "*",
        "a*c",
        "*bc",
        "b*",
        "c*",
        "d*",
        "e*",
        "anthropic/*",
        "zzz-test-*",
        "m*",
        "q*",
        "old-*",
        "new-*",
    ],
    teams: &["a", "b"],
    steps_max: 8,
    queries_max: 64,
    paired: false,
};

/// The universes of the worlds, by the number that an input names them with.
const UNIVERSES: [&Universe; 9] = [
    &TINY,
    &MID,
    &BIG,
    &OVERLAPPING,
    &SHIFTING,
    &IDS,
    &CASES,
    &CROWDED,
    &KEPT,
];

/// Targets of the traces that are kept, beside those that a scope gives a name.
const TARGETS: [&str; 13] = [
    "openai/1",
    "openai/2",
    "openai/3",
    "openai/4",
    "openai/5",
    "openai/10",
    "openai/gpt-4o",
    "openai/gpt-4",
    "openai/openai/*",
    "anthropic/*",
    "anthropic/claude-3",
    "openai/*/*",
    "nowhere",
];

/// The weights that a row can have.
pub(crate) const WEIGHTS: [Option<u32>; 8] = [
    None,
    Some(1),
    Some(2),
    Some(9),
    Some(0),
    Some(3),
    Some(5),
    Some(u32::MAX),
];

/// The most `*` of a name in a universe.
const STARS_MAX: usize = 3;

/// A universe and what an input can name in it.
#[derive(Debug)]
pub struct World {
    /// The scope that the generator draws from.
    pub scope: Scope,
    /// The names, then the patterns.
    pub names: Vec<&'static str>,
    /// The targets.
    pub targets: Vec<String>,
    /// The texts that can be asked for.
    pub texts: Vec<String>,
    /// The questions of every state: each text by each caller.
    pub matrix: Vec<Query>,
    positions: HashMap<String, usize>,
}

impl World {
    fn new(universe: &Universe) -> Self {
        let scope = Scope::new(universe, &Reference::default().describe());
        let names: Vec<&str> = universe.names.iter().chain(universe.patterns).copied().collect();
        let mut targets = Vec::new();
        for stars in 0..=STARS_MAX {
            for prefix in &scope.target_prefixes {
                targets.extend(scope.targets(prefix, &"*".repeat(stars)));
            }
        }
        targets.extend(scope.target_prefixes.iter().map(|prefix| format!("{prefix}*-*-*")));
        targets.extend(TARGETS.map(str::to_owned));
        let mut seen = BTreeSet::new();
        targets.retain(|target| seen.insert(target.clone()));
        let matrix = matrix(&scope);
        let mut texts: Vec<String> = matrix.iter().map(|query| query.model.clone()).collect();
        texts.dedup();
        let positions = names.iter().zip(0..).map(|(name, at)| ((*name).to_owned(), at));
        Self {
            positions: positions.collect(),
            scope,
            names,
            targets,
            texts,
            matrix,
        }
    }

    /// The position of that name or pattern.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }
}

/// The worlds, by number.
pub fn worlds() -> &'static [World] {
    static WORLDS: LazyLock<Vec<World>> = LazyLock::new(|| UNIVERSES.into_iter().map(World::new).collect());
    &WORLDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_names_everything_but_a_text_and_two_name_that() {
        for world in worlds() {
            let universe = &world.scope.universe;
            assert!(
                universe.ids.len() < 256 && universe.teams.len() < 255,
                "{}",
                universe.name
            );
            assert!(world.names.len() < 255, "{}", universe.name);
            assert!(world.targets.len() <= 256, "{}", universe.name);
            assert!(world.texts.len() <= 1 << 16, "{}", universe.name);
        }
    }
}
