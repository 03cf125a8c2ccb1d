//! A cache of the answers of the specification.
//!
//! The specification is naive on purpose: it costs a hundred times what the router on trial does. Of a state it answers
//! a question from few of the rows, those that the question can reach, and of those from few of the fields. So an
//! answer is kept under the question and these fields of these rows, with what the wildcards stood for in place of the
//! target. A wrong key would hide a fault, so that the targets also ask the specification itself, about a part of the
//! states.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use model::semantics::STRICT;
use model::{Patterns, Spec, Table};
use protocol::{Answer, Query, Refusal, Row};

use crate::world::World;

/// The number of answers that are kept before all are dropped.
const ANSWERS_MAX: usize = 1 << 18;
/// Stands between the captures of an answer that is kept: a text of a valid row or query holds no such character.
const BETWEEN: &str = "\u{1f}";

/// An answer, but for the targets and tags of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A refusal.
    Refused(Refusal),
    /// The positions of the ids in the universe, in the order of the ids, with the text that each target is filled
    /// from.
    Candidates(Vec<(u16, String)>),
}

/// The fields of one row that decide answers, and the questions that can reach the row.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    /// A number for the fields that decide an answer.
    key: u64,
    /// The questions that can reach the row, as bits.
    reach: Vec<u64>,
}

impl Class {
    /// A number for the fields that decide an answer.
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// Returns whether the question of that number can reach the row.
    #[inline]
    fn reached_by(&self, question: usize) -> bool {
        self.reach[question / 64] >> (question % 64) & 1 == 1
    }
}

/// The specification of one world.
#[derive(Debug)]
pub(crate) struct Oracle {
    world: &'static World,
    spec: Spec,
    /// The questions that each name matches, whoever asks.
    by_name: Vec<Vec<u64>>,
    /// The questions for each id.
    by_id: Vec<Vec<u64>>,
    /// The questions of everybody, then those of each team.
    by_team: Vec<Vec<u64>>,
    kept: HashMap<(usize, u64), Expected, FixedState>,
}

impl Oracle {
    /// The specification of that world.
    pub(crate) fn new(world: &'static World) -> Self {
        let patterns = Patterns::default();
        let bits = |is: &dyn Fn(&Query) -> bool| {
            let mut bits = vec![0; world.matrix.len().div_ceil(64)];
            for (at, query) in world.matrix.iter().enumerate() {
                bits[at / 64] |= u64::from(is(query)) << (at % 64);
            }
            bits
        };
        let universe = &world.scope.universe;
        let of_team = |team: &&str| bits(&|query| query.team.as_deref() == Some(*team));
        Self {
            spec: Spec::new(&STRICT, &world.scope.target_prefixes),
            by_name: world
                .names
                .iter()
                .map(|name| bits(&|query| patterns.matches(name, &query.model)))
                .collect(),
            by_id: universe
                .ids
                .iter()
                .map(|id| bits(&|query| query.model == *id))
                .collect(),
            by_team: std::iter::once(bits(&|_| true))
                .chain(universe.teams.iter().map(of_team))
                .collect(),
            kept: HashMap::default(),
            world,
        }
    }

    /// The world.
    pub(crate) fn world(&self) -> &'static World {
        self.world
    }

    /// The specification itself.
    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Returns the numbers of at most `max` questions that the rows of these names and ids raise, and of some others
    /// where there is room. If there are more, `from` decides which are taken.
    pub(crate) fn questions<'a>(&self, rows: impl Iterator<Item = &'a Row>, from: usize, max: usize) -> Vec<usize> {
        let mut raised = vec![0; self.by_team[0].len()];
        for row in rows {
            let names = [Some(&row.model_name), row.team_model_name.as_ref()];
            let names = names.into_iter().flatten().filter_map(|name| self.world.position(name));
            let sets = names.map(|at| &self.by_name[at]);
            for set in sets.chain(self.id_position(&row.id).map(|at| &self.by_id[at])) {
                raised.iter_mut().zip(set).for_each(|(raised, bits)| *raised |= bits);
            }
        }
        let count = self.world.matrix.len();
        let all = || (0..count).map(|at| (at + from) % count);
        let is_raised = |at: &usize| raised[at / 64] >> (at % 64) & 1 == 1;
        let mut questions: Vec<usize> = all().filter(is_raised).take(max * 3 / 4).collect();
        let others: Vec<usize> = all().filter(|at| !is_raised(at)).take(max - questions.len()).collect();
        questions.extend(others);
        questions
    }

    /// Returns the class of a valid row.
    pub(crate) fn class(&self, row: &Row) -> Class {
        let universe = &self.world.scope.universe;
        let id = self.id_position(&row.id).expect("a row has an id of its world");
        let name = self
            .world
            .position(row.asked_name())
            .expect("a row has a name of its world");
        let of_team = |team: &String| universe.teams.iter().position(|item| item == team);
        let team = row
            .team
            .as_ref()
            .map_or(0, |team| 1 + of_team(team).expect("a row has a team of its world"));
        let by_team = &self.by_team[team];
        let reach = self.by_name[name].iter().zip(&self.by_id[id]).zip(by_team);
        let parts = [id, name, team, usize::from(row.blocked)];
        Class {
            key: parts.into_iter().fold(1, |key, part| scramble(key ^ part as u64)),
            reach: reach.map(|((name, id), team)| (name | id) & team).collect(),
        }
    }

    /// The position of an id in the universe.
    pub(crate) fn id_position(&self, id: &str) -> Option<usize> {
        self.world.scope.universe.ids.iter().position(|item| *item == id)
    }

    /// Returns the answer of the specification to that question in the state of these rows.
    pub(crate) fn answer(&mut self, question: usize, table: &Table, classes: &[Class]) -> &Expected {
        let reached = classes.iter().filter(|class| class.reached_by(question));
        let key = (question, reached.fold(0, |key, class| key ^ class.key));
        if self.kept.len() > ANSWERS_MAX {
            self.kept.clear();
        }
        let (spec, world) = (&self.spec, self.world);
        self.kept
            .entry(key)
            .or_insert_with(|| asked(spec, world, &world.matrix[question], table))
    }
}

/// Asks the specification, about rows whose targets are made of wildcards alone.
fn asked(spec: &Spec, world: &World, query: &Query, table: &Table) -> Expected {
    let mut bare = table.clone();
    for row in bare.values_mut() {
        row.model = vec!["*"; row.asked_name().matches('*').count()].join(BETWEEN);
    }
    let answer = spec.lookup(&bare, query, "").swap_remove(0);
    let position = |id: &str| {
        let at = world.scope.universe.ids.iter().position(|item| *item == id);
        u16::try_from(at.expect("a row has an id of its world")).expect("ids are few")
    };
    match answer {
        Answer::Refused(refusal) => Expected::Refused(refusal),
        Answer::Candidates(candidates) => Expected::Candidates(
            candidates
                .into_iter()
                .map(|candidate| (position(&candidate.id), candidate.model))
                .collect(),
        ),
        Answer::Failed(_) => unreachable!("the specification does not fail"),
    }
}

/// Writes the target to `filled` with the text of an [`Expected`] in place of its wildcards.
pub(crate) fn fill(target: &str, captures: &str, filled: &mut String) {
    filled.clear();
    let mut captures = captures.split(BETWEEN);
    for (position, literal) in target.split('*').enumerate() {
        if position > 0 {
            filled.push_str(
                captures
                    .next()
                    .expect("a valid target has as many wildcards as its name"),
            );
        }
        filled.push_str(literal);
    }
}

/// A number whose bits all depend on all bits of another. Source: Steele et al., "Fast splittable pseudorandom number
/// generators", OOPSLA 2014.
fn scramble(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}
