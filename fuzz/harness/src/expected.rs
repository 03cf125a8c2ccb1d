//! The specification of a world, and the questions that its rows raise.

use model::semantics::STRICT;
use model::{KeptSpec, Patterns, Spec};
use protocol::{Query, Row};

use crate::world::World;

/// The specification of one world.
#[derive(Debug)]
pub(crate) struct Oracle {
    world: &'static World,
    kept: KeptSpec,
    /// The questions that each name matches, whoever asks.
    by_name: Vec<Vec<u64>>,
    /// The questions for each id.
    by_id: Vec<Vec<u64>>,
}

impl Oracle {
    /// The specification of that world.
    pub(crate) fn new(world: &'static World) -> Self {
        let patterns = Patterns::default();
        let bits = |is: &dyn Fn(&Query) -> bool| {
            let mut bits = vec![0; words(world)];
            for (at, query) in world.matrix.iter().enumerate() {
                bits[at / 64] |= u64::from(is(query)) << (at % 64);
            }
            bits
        };
        let names = world.names.iter();
        let ids = world.scope.universe.ids.iter();
        Self {
            kept: KeptSpec::new(Spec::new(&STRICT, &world.scope.target_prefixes)),
            by_name: names
                .map(|name| bits(&|query| patterns.matches(name, &query.model)))
                .collect(),
            by_id: ids.map(|id| bits(&|query| query.model == *id)).collect(),
            world,
        }
    }

    /// The world.
    pub(crate) fn world(&self) -> &'static World {
        self.world
    }

    /// The specification, and what it has answered.
    pub(crate) fn kept(&self) -> &KeptSpec {
        &self.kept
    }

    /// The specification itself.
    pub(crate) fn spec(&self) -> &Spec {
        self.kept.spec()
    }

    /// Returns the numbers of at most `max` questions that the rows of these names and ids raise, and of some others
    /// where there is room. If there are more, `from` decides which are taken.
    pub(crate) fn questions<'a>(&self, rows: impl Iterator<Item = &'a Row>, from: usize, max: usize) -> Vec<usize> {
        let mut raised = vec![0; words(self.world)];
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

    /// The position of an id in the universe.
    fn id_position(&self, id: &str) -> Option<usize> {
        self.world.scope.universe.ids.iter().position(|item| *item == id)
    }
}

/// The number of words that hold a bit for each question of a world.
fn words(world: &World) -> usize {
    world.matrix.len().div_ceil(64)
}
