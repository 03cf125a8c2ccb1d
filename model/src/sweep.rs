//! The fixed list of short traces that a search begins with: every parameter bundle is met before anything is drawn.
//!
//! A trace that is drawn gives a row a bundle now and then, and with many bundles most stories of two or three steps about
//! one of them are not told in minutes. So every story of each bundle, and of a row without one, is told first.

use std::collections::BTreeSet;

use protocol::{Capability, Change, Extra, Question, Questions, Round, Row, Run, Step, Trace};

use crate::choices::Seeded;
use crate::generate::raised;
use crate::universe::Scope;

/// A story about one row, in one to three steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Add,
    EditTo,
    EditFrom,
    EditTwice,
    Delete,
    Replace,
    RefuseThenMend,
}

const STORIES: [Story; 7] = [
    Story::Add,
    Story::EditTo,
    Story::EditFrom,
    Story::EditTwice,
    Story::Delete,
    Story::Replace,
    Story::RefuseThenMend,
];

/// The tier by which a row is reached; by its id any row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Exact,
    Pattern,
    TeamExact,
    TeamPattern,
}

const SHAPES: [Shape; 4] = [Shape::Exact, Shape::Pattern, Shape::TeamExact, Shape::TeamPattern];

/// A run of the sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// The run.
    pub run: Run,
    /// True if whoever wrote its trace made it small: of what it shows the question alone is to be found.
    pub is_small: bool,
}

/// The runs of the sweep, in order: first the traces that are known of this router, then the stories.
///
/// Each story of a row without a bundle is told at each tier, asked after each step and asked at the end alone. That of a row
/// with a bundle is told at one tier and asked in one way, both by turns: with many bundles more would leave no time for
/// random traces.
pub fn sweep(scope: &Scope, known: &[Trace]) -> Vec<Swept> {
    let known = known.iter().map(|trace| asked(scope, trace.clone(), true));
    let known = known.map(|run| Swept { run, is_small: true });
    let stories = stories(scope).into_iter().map(|run| Swept { run, is_small: false });
    known.chain(stories).collect()
}

fn stories(scope: &Scope) -> Vec<Run> {
    let mut runs = Vec::new();
    for story in STORIES {
        for shape in SHAPES {
            let trace = Teller {
                scope,
                shape,
                extra: None,
            }
            .trace(story);
            let ways = trace
                .iter()
                .flat_map(|trace| [true, false].map(|each| asked(scope, trace.clone(), each)));
            runs.extend(ways);
        }
    }
    for (number, story) in STORIES.into_iter().enumerate() {
        for (bundle, extra) in scope.extras.iter().enumerate() {
            let turns = (0..SHAPES.len()).map(|turn| SHAPES[(number + bundle + turn) % SHAPES.len()]);
            let mut told = turns.filter_map(|shape| {
                let extra = Some(extra);
                Teller { scope, shape, extra }.trace(story)
            });
            // A router may lack what a tier takes: the next one is as good.
            runs.extend(
                told.next()
                    .map(|trace| asked(scope, trace, (number + bundle / SHAPES.len()).is_multiple_of(2))),
            );
        }
    }
    runs
}

/// The run of a trace with what it asks itself and all that its rows raise: after each step, forward and backward by turns, or
/// at the end alone.
fn asked(scope: &Scope, trace: Trace, each: bool) -> Run {
    // A list of questions that is cut to its bound is shuffled before: a fixed seed makes it the same each time.
    let of_rows = raised(scope, &trace, &mut Seeded::new(0, 0));
    let own = trace.steps.iter().filter_map(|step| match step {
        Step::Ask(_, question @ (Question::Lookup(_) | Question::Listing(_))) => Some(question.clone()),
        _ => None,
    });
    let mut asked: Vec<Question> = own.collect();
    asked.extend(of_rows);
    let mut seen = BTreeSet::new();
    asked.retain(|question| seen.insert(question.clone()));
    let count = u32::try_from(trace.steps.len()).unwrap_or(u32::MAX);
    let backward: Vec<u16> = (0..asked.len())
        .rev()
        .filter_map(|place| u16::try_from(place).ok())
        .collect();
    let round = |after: u32| Round {
        after,
        order: (after % 2 == 1).then(|| backward.clone()),
        wait: 0,
    };
    let first = if each { 0 } else { count };
    let rounds = (first..=count).map(round).collect();
    Run {
        trace,
        questions: Questions { asked, rounds },
    }
}

/// Tells stories about a row of one shape and bundle.
struct Teller<'a> {
    scope: &'a Scope,
    shape: Shape,
    extra: Option<&'a Extra>,
}

impl Teller<'_> {
    /// The trace of a story; `None` where the router lacks what it takes.
    fn trace(&self, story: Story) -> Option<Trace> {
        let changes = self.tell(story)?;
        Some(Trace::of_router(
            Vec::new(),
            changes.into_iter().map(Step::Change).collect(),
        ))
    }

    /// The changes of a story; `None` where the router lacks what it takes.
    fn tell(&self, story: Story) -> Option<Vec<Change>> {
        if !self.can_shape() {
            return None;
        }
        let (row, plain) = (
            |version| self.row(version, self.extra),
            |version| self.row(version, None),
        );
        let changes = match story {
            Story::Add => vec![self.put(row(1))?],
            Story::EditTo => vec![self.put(plain(1))?, self.edit(row(2))?],
            Story::EditFrom => vec![self.put(row(1))?, self.edit(plain(2))?],
            Story::EditTwice => vec![self.put(row(1))?, self.edit(row(2))?, self.edit(row(3))?],
            Story::Delete => vec![
                self.put(row(1))?,
                self.can(Capability::Delete, Change::Delete(row(1).id))?,
            ],
            Story::Replace => vec![
                self.put(row(1))?,
                self.can(Capability::Replace, Change::Replace(vec![row(2)]))?,
            ],
            Story::RefuseThenMend => vec![self.put(row(1))?, self.refused(row(2))?, self.edit(row(3))?],
        };
        Some(changes)
    }

    fn can_shape(&self) -> bool {
        let Scope { universe, .. } = self.scope;
        let patterns = !universe.patterns.is_empty();
        let teams = !universe.teams.is_empty();
        match self.shape {
            Shape::Exact => !universe.names.is_empty(),
            Shape::Pattern => patterns,
            Shape::TeamExact => teams && !universe.names.is_empty(),
            Shape::TeamPattern => teams && patterns,
        }
    }

    fn can(&self, capability: Capability, change: Change) -> Option<Change> {
        self.scope.can(capability).then_some(change)
    }

    /// The change that brings a row whose id is new.
    fn put(&self, row: Row) -> Option<Change> {
        self.can(Capability::Add, Change::Add(row.clone()))
            .or_else(|| self.edit(row))
    }

    /// The change that gives the only row another version.
    fn edit(&self, row: Row) -> Option<Change> {
        let upsert = self.can(Capability::Upsert, Change::Upsert(row.clone()));
        upsert.or_else(|| self.can(Capability::Replace, Change::Replace(vec![row])))
    }

    /// A change that many routers refuse: a row with more `*` in its target than its name has.
    fn refused(&self, row: Row) -> Option<Change> {
        let model = format!("{}*****", row.model);
        self.edit(Row { model, ..row })
    }

    /// The version of that number of the row.
    fn row(&self, version: usize, extra: Option<&Extra>) -> Row {
        let Scope { universe, .. } = self.scope;
        let id = universe.ids[0];
        let (name, team) = match self.shape {
            Shape::Exact => (universe.names[0], None),
            Shape::Pattern => (universe.patterns[0], None),
            Shape::TeamExact => (universe.names[0], Some(universe.teams[0])),
            Shape::TeamPattern => (universe.patterns[0], Some(universe.teams[0])),
        };
        let mut row = Row::new(id, name, "", &format!("v{version}"));
        if let Some(team) = team {
            row.team = Some(team.to_owned());
            row.team_model_name = Some(name.to_owned());
            row.model_name = format!("{team}-{id}");
        }
        let prefix = &self.scope.target_prefixes[0];
        row.model = self.scope.targets(prefix, name).swap_remove(0);
        if let Some(extra) = extra {
            row.extra = Some(extra.name.clone());
            row.model = extra.target.clone().unwrap_or(row.model);
        }
        row
    }
}
