//! Small routers, each right in a way of its own, and wrong twins of them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use protocol::wire::{Dialect, PROTOCOL_VERSION};
use protocol::{
    Answer, Candidate, Capability, Change, Changed, Hello, Local, Outcome, PatternShape, Query, Refusal, Row, Settles,
    StructureKind, Texts,
};

/// The order of rows that a router keeps, and which of those that match it answers with.
pub(crate) trait Policy: Default {
    /// Says what the router says of itself, beside its structures.
    fn dialect() -> Dialect {
        Dialect::default()
    }

    /// Returns whether the router takes the row at all.
    fn takes(_row: &Row) -> bool {
        true
    }

    /// Puts a row that is new, or in the place of another of its id.
    fn put(rows: &mut Vec<Row>, row: Row) {
        match rows.iter_mut().find(|held| held.id == row.id) {
            Some(held) => *held = row,
            None => rows.push(row),
        }
    }

    /// Takes a list in place of all rows.
    fn load(rows: &mut Vec<Row>, list: &[Row]) {
        *rows = list.to_vec();
    }

    /// Chooses the rows that serve a query among those that match it, in the order in which they are held.
    fn choose(matching: Vec<&Row>, _draw: u64) -> Vec<&Row>;
}

/// The mistake of a wrong twin.
pub(crate) trait Mistake: Default {
    /// Carries out what a change leaves undone or does too much of, on the rows and on what is remembered, and says the
    /// outcome.
    fn spoil(
        _before: &[Row],
        _change: &Change,
        _rows: &mut Vec<Row>,
        _memory: &mut Memory,
        outcome: Outcome,
    ) -> Outcome {
        outcome
    }
}

/// Rows and marks that a router keeps beside its rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// Rows that are served although they are held no more.
    pub(crate) stale: Vec<Row>,
    /// Ids of rows that are held and not served.
    pub(crate) lost: Vec<String>,
    /// True once every change is refused.
    pub(crate) frozen: bool,
    /// The change in the number of entries of the index that no row accounts for.
    pub(crate) index: i64,
    /// The texts that were asked for lately.
    asked: RefCell<BTreeSet<String>>,
    /// The number of changes so far.
    changes: u64,
    /// The state of a generator of numbers.
    drawn: Cell<u64>,
}

impl Memory {
    /// The next number, of a linear congruential generator.
    fn draw(&self) -> u64 {
        let next = self
            .drawn
            .get()
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.drawn.set(next);
        next >> 33
    }
}

/// A router that keeps its rows in a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fake<P, M> {
    rows: Vec<Row>,
    memory: Memory,
    kind: PhantomData<(P, M)>,
}

/// No mistake.
#[derive(Clone, Debug, Default)]
pub(crate) struct Right;

impl Mistake for Right {}

/// The old version of an updated row is served as well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stale;

impl Mistake for Stale {
    fn spoil(before: &[Row], change: &Change, _: &mut Vec<Row>, memory: &mut Memory, outcome: Outcome) -> Outcome {
        if let Change::Upsert(row) = change {
            memory
                .stale
                .extend(before.iter().filter(|old| old.id == row.id).cloned());
        }
        outcome
    }
}

/// A row that is updated twice is served no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loses;

impl Mistake for Loses {
    fn spoil(before: &[Row], change: &Change, _: &mut Vec<Row>, memory: &mut Memory, outcome: Outcome) -> Outcome {
        if is_update(before, change) {
            memory.lost.extend(change.rows().iter().map(|row| row.id.clone()));
        }
        outcome
    }
}

/// A refusal freezes all later changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Freezes;

impl Mistake for Freezes {
    fn spoil(before: &[Row], _: &Change, rows: &mut Vec<Row>, memory: &mut Memory, outcome: Outcome) -> Outcome {
        if memory.frozen {
            *rows = before.to_vec();
            return Outcome::Refused("busy".to_owned());
        }
        memory.frozen = matches!(outcome, Outcome::Refused(_));
        outcome
    }
}

/// An update leaves an entry of the index behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaks;

impl Mistake for Leaks {
    fn spoil(before: &[Row], change: &Change, _: &mut Vec<Row>, memory: &mut Memory, outcome: Outcome) -> Outcome {
        memory.index += i64::from(is_update(before, change));
        outcome
    }
}

/// An update takes an entry of the index away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forgets;

impl Mistake for Forgets {
    fn spoil(before: &[Row], change: &Change, _: &mut Vec<Row>, memory: &mut Memory, outcome: Outcome) -> Outcome {
        memory.index -= i64::from(is_update(before, change));
        outcome
    }
}

fn is_update(before: &[Row], change: &Change) -> bool {
    matches!(change, Change::Upsert(row) if before.iter().any(|old| old.id == row.id))
}

impl<P: Policy, M: Mistake> Fake<P, M> {
    fn carry_out(&mut self, change: &Change) -> Outcome {
        let asked_for = change.rows().iter().find(|row| !P::takes(row));
        assert_eq!(asked_for, None, "nothing is asked of a router that it cannot take");
        match change {
            Change::Add(row) if self.rows.iter().any(|held| held.id == row.id) => {
                return Outcome::Refused(format!("`{}` exists", row.id));
            }
            Change::Upsert(row) | Change::Add(row) => P::put(&mut self.rows, row.clone()),
            Change::Delete(id) => self.rows.retain(|row| row.id != *id),
            Change::Replace(rows) => P::load(&mut self.rows, rows),
        }
        Outcome::Applied
    }

    fn changed(&self, outcome: Outcome) -> Changed {
        Changed {
            outcome,
            held: Some(self.claims()),
        }
    }
}

impl<P: Policy, M: Mistake> Local for Fake<P, M> {
    fn describe(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: "fake".to_owned(),
            version: "1".to_owned(),
            capabilities: vec![
                Capability::Upsert,
                Capability::Add,
                Capability::Delete,
                Capability::Replace,
                Capability::Patterns,
                Capability::Teams,
                Capability::Listing,
                Capability::Sizes,
                Capability::Claims,
            ],
            dialect: Dialect {
                structures: [
                    ("asked".to_owned(), StructureKind::Cache),
                    ("changes".to_owned(), StructureKind::Log),
                ]
                .into(),
                ..P::dialect()
            },
        }
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        // A picker goes on drawing where it was.
        let drawn = self.memory.drawn.take();
        *self = Self {
            rows: initial.to_vec(),
            ..Self::default()
        };
        self.memory.drawn.set(drawn);
        self.changed(Outcome::Applied)
    }

    fn change(&mut self, change: &Change) -> Changed {
        self.memory.changes += 1;
        if self.memory.changes.is_multiple_of(3) {
            self.memory.asked.take();
        }
        let before = self.rows.clone();
        let outcome = self.carry_out(change);
        let outcome = M::spoil(&before, change, &mut self.rows, &mut self.memory, outcome);
        self.changed(outcome)
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        self.memory.asked.borrow_mut().insert(query.model.clone());
        let draw = self.memory.draw();
        let visible = |row: &&Row| row.team.is_none() || row.team == query.team;
        let served = self.rows.iter().filter(|row| !self.memory.lost.contains(&row.id));
        let served = served
            .filter(visible)
            .filter(|row| matches(row.asked_name(), &query.model));
        let mut chosen = P::choose(served.collect(), draw);
        chosen.extend(
            self.memory
                .stale
                .iter()
                .filter(|row| matches(row.asked_name(), &query.model)),
        );
        let candidate = |row: &&Row| Candidate {
            id: row.id.clone(),
            model: row.model.clone(),
            tag: row.tag.clone(),
        };
        vec![match chosen.as_slice() {
            [] => Answer::Refused(Refusal::UnknownModel),
            chosen => Answer::Candidates(chosen.iter().map(candidate).collect()),
        }]
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        let visible = |row: &&Row| row.team.is_none() || row.team.as_deref() == team;
        self.rows
            .iter()
            .filter(visible)
            .map(|row| row.asked_name().to_owned())
            .collect()
    }

    fn claims(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.id.clone()).collect()
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        let index = i64::try_from(self.rows.len()).unwrap_or(i64::MAX) + self.memory.index;
        [
            ("rows".to_owned(), self.rows.len() as u64),
            ("index".to_owned(), index.unsigned_abs()),
            ("asked".to_owned(), self.memory.asked.borrow().len() as u64),
            ("changes".to_owned(), self.memory.changes),
        ]
        .into()
    }
}

/// Returns whether a name, in which `*` stands for any run of characters, is that of the text.
fn matches(name: &str, text: &str) -> bool {
    match name.split_once('*') {
        None => name == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.any(|at| matches(tail, &rest[at..]))
        }),
    }
}

fn first(matching: Vec<&Row>) -> Vec<&Row> {
    matching.into_iter().take(1).collect()
}

/// Serves all rows that match.
#[derive(Clone, Debug, Default)]
pub(crate) struct All;

impl Policy for All {
    fn choose(matching: Vec<&Row>, _draw: u64) -> Vec<&Row> {
        matching
    }
}

/// Serves the first row that matches; an update keeps its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstMatch;

impl Policy for FirstMatch {
    fn choose(matching: Vec<&Row>, _draw: u64) -> Vec<&Row> {
        first(matching)
    }
}

/// Serves the last row that matches; an update keeps its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastWins;

impl Policy for LastWins {
    fn choose(matching: Vec<&Row>, _draw: u64) -> Vec<&Row> {
        matching.into_iter().next_back().into_iter().collect()
    }
}

/// Serves the first row that matches; an update moves its row to the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct MovesToEnd;

impl Policy for MovesToEnd {
    fn put(rows: &mut Vec<Row>, row: Row) {
        rows.retain(|held| held.id != row.id);
        rows.push(row);
    }

    fn choose(matching: Vec<&Row>, _draw: u64) -> Vec<&Row> {
        first(matching)
    }
}

/// Serves the first row that matches; new rows come first.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewestFirst;

impl Policy for NewestFirst {
    fn put(rows: &mut Vec<Row>, row: Row) {
        rows.retain(|held| held.id != row.id);
        rows.insert(0, row);
    }

    fn choose(matching: Vec<&Row>, _draw: u64) -> Vec<&Row> {
        first(matching)
    }
}

/// Serves the first row that matches; a list leaves rows that it has in their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Merges;

impl Policy for Merges {
    fn load(rows: &mut Vec<Row>, list: &[Row]) {
        rows.retain(|held| list.iter().any(|row| row.id == held.id));
        for row in list {
            Self::put(rows, row.clone());
        }
    }

    fn choose(matching: Vec<&Row>, _draw: u64) -> Vec<&Row> {
        first(matching)
    }
}

/// Serves the row of the longest name that matches; of equal ones that which was put in the middle when it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Longest;

impl Policy for Longest {
    fn put(rows: &mut Vec<Row>, row: Row) {
        rows.retain(|held| held.id != row.id);
        rows.insert(rows.len() / 2, row);
    }

    fn choose(matching: Vec<&Row>, _draw: u64) -> Vec<&Row> {
        let longest = matching.iter().map(|row| row.asked_name().len()).max();
        let of_length = |row: &&Row| Some(row.asked_name().len()) == longest;
        matching.into_iter().filter(of_length).take(1).collect()
    }
}

/// Serves the first row that matches, and takes lower-case ids and names of a few characters, with a `*` at the end alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Narrow;

impl Policy for Narrow {
    fn dialect() -> Dialect {
        let texts = |max| Texts {
            chars: "a-z0-9-".to_owned(),
            max,
        };
        Dialect {
            ordered: true,
            ids: Some(texts(4)),
            names: Some(texts(12)),
            pattern_shapes: vec![PatternShape::SuffixStar],
            ..Dialect::default()
        }
    }

    fn takes(row: &Row) -> bool {
        let is_plain = |text: &str| text.chars().all(|one| matches!(one, 'a'..='z' | '0'..='9' | '-'));
        let names = [Some(row.model_name.as_str()), row.team_model_name.as_deref()];
        let is_name = |name: &str| name != "*" && is_plain(name.strip_suffix('*').unwrap_or(name)) && name.len() <= 12;
        is_plain(&row.id) && row.id.len() <= 4 && names.into_iter().flatten().all(is_name)
    }

    fn choose(matching: Vec<&Row>, _draw: u64) -> Vec<&Row> {
        first(matching)
    }
}

/// The time within which [`Lagging`] settles.
const STALE_FOR: u32 = 200;

/// A router whose changes show some time after they were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lagging<M> {
    held: Fake<All, M>,
    served: Fake<All, M>,
}

impl<M: Mistake + Clone> Local for Lagging<M> {
    fn describe(&self) -> Hello {
        let mut hello = self.held.describe();
        hello.dialect.settles = Settles::Within { stale_for: STALE_FOR };
        hello
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        // It comes up empty, and loads its rows in the background.
        self.served = Fake::default();
        self.held.reset(initial)
    }

    fn change(&mut self, change: &Change) -> Changed {
        let changed = self.held.change(change);
        Changed {
            held: Some(self.claims()),
            ..changed
        }
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        self.served.lookup(query)
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        self.served.listing(team)
    }

    fn claims(&self) -> Vec<String> {
        self.served.claims()
    }

    fn sizes(&self) -> BTreeMap<String, u64> {
        self.served.sizes()
    }

    fn wait(&mut self, millis: u32) {
        if millis >= STALE_FOR {
            self.served = self.held.clone();
        }
    }
}

/// Picks one of the rows that match.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picks;

impl Policy for Picks {
    fn dialect() -> Dialect {
        Dialect {
            picks: true,
            ..Dialect::default()
        }
    }

    fn choose(matching: Vec<&Row>, draw: u64) -> Vec<&Row> {
        let count = matching.len().max(1) as u64;
        let place = usize::try_from(draw % count).unwrap_or_default();
        matching.into_iter().skip(place).take(1).collect()
    }
}
