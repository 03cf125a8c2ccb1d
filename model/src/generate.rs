//! Traces drawn from a source of choices, and the questions worth asking of a trace.
//!
//! Nothing here is random: every choice is drawn from a [`Choices`], so that a seed, or the bytes of a fuzzer, replays it.

use protocol::{Capability, Change, Fields, Outcome, Patch, Query, Question, Row, Run, Step, Trace};

use crate::asking::{Cadence, at_drawn_moments, quiet_gaps, quietly};
use crate::choices::{Choices, pick, subset};
use crate::evidence::applied_table;
use crate::raised::raised_queries;
use crate::spec::Table;
use crate::universe::Scope;

/// The percentage of traces that are changed often and asked rarely.
const QUIET_PERCENT: usize = 2;
/// The percentage of traces that fill a table with many rows first.
pub(crate) const CROWDED_PERCENT: usize = 3;
/// Structures have room for powers of two: the bits of the least number of rows of a crowded trace, and of the most.
const CROWD_BITS: [usize; 2] = [3, 5];
/// The most rows of a crowded trace beyond a power of two.
const CROWD_BEYOND_MAX: usize = 8;
/// The most changes to a crowded table.
const CROWDED_CHANGES_MAX: usize = 16;

/// A run of random changes in this scope with the questions that they raise.
pub fn generate(scope: &Scope, choices: &mut dyn Choices, cadence: Cadence) -> Run {
    let swarm = Swarm::draw(scope, choices);
    if cadence == Cadence::Drawn && choices.percent(QUIET_PERCENT) {
        let gaps = quiet_gaps(choices);
        let (initial, steps) = so_many_changes(scope, &swarm, choices, |_| gaps.iter().sum());
        let trace = Trace::of_router(initial, steps);
        let asked = raised(scope, &trace, choices);
        return quietly(trace, asked, &gaps, choices);
    }
    if cadence == Cadence::Drawn && !scope.crowd.is_empty() && choices.percent(CROWDED_PERCENT) {
        return crowded(scope, choices);
    }
    let (initial, steps) = router_changes(scope, &swarm, choices);
    drawn_run(scope, initial, steps, choices, cadence)
}

/// A run that brings many rows first, and then changes some of them; asked once the table is full and after each change.
fn crowded(scope: &Scope, choices: &mut dyn Choices) -> Run {
    let rows = crowd_rows(scope, choices);
    let swarm = Swarm::crowd(scope, rows);
    let mut generator = Generator::new(scope, &swarm, choices, Table::new(), 0);
    let mut steps: Vec<Step> = (0..rows).map(|_| Step::Change(generator.brought())).collect();
    let changes = 1 + generator.choices.below(CROWDED_CHANGES_MAX);
    steps.extend((0..changes).map(|_| Step::Change(generator.change())));
    let mut gaps = vec![1; changes];
    gaps.insert(0, steps.len() - changes);
    let trace = Trace::of_router(Vec::new(), steps);
    let asked = raised(scope, &trace, choices);
    quietly(trace, asked, &gaps, choices)
}

/// Draws the number of rows of a crowded table.
pub(crate) fn crowd_rows(scope: &Scope, choices: &mut dyn Choices) -> usize {
    let [least, most] = CROWD_BITS;
    let rows = (1 << (least + choices.below(most - least + 1))) + choices.below(CROWD_BEYOND_MAX + 1);
    rows.min(scope.crowd.len())
}

/// Returns the rows that a router is constructed with, and random changes to it, drawn from that part of the scope.
pub fn router_changes(scope: &Scope, swarm: &Swarm, choices: &mut dyn Choices) -> (Vec<Row>, Vec<Step>) {
    let count = |choices: &mut dyn Choices| 1 + choices.below(scope.universe.steps_max as usize);
    so_many_changes(scope, swarm, choices, count)
}

fn so_many_changes(
    scope: &Scope,
    swarm: &Swarm,
    choices: &mut dyn Choices,
    count: impl FnOnce(&mut dyn Choices) -> usize,
) -> (Vec<Row>, Vec<Step>) {
    let mut generator = Generator::new(scope, swarm, choices, Table::new(), 0);
    let initial = generator.initial();
    let count = count(generator.choices);
    let steps = (0..count).map(|_| Step::Change(generator.change())).collect();
    (initial, steps)
}

/// The run of these steps with the questions that its rows raise.
pub fn drawn_run(
    scope: &Scope,
    initial: Vec<Row>,
    steps: Vec<Step>,
    choices: &mut dyn Choices,
    cadence: Cadence,
) -> Run {
    let trace = Trace::of_router(initial, steps);
    let asked = raised(scope, &trace, choices);
    at_drawn_moments(trace, asked, choices, cadence)
}

/// The questions that the rows of a trace raise.
pub(crate) fn raised(scope: &Scope, trace: &Trace, choices: &mut dyn Choices) -> Vec<Question> {
    let rows: Vec<&Row> = trace.rows().collect();
    router_questions(scope, raised_queries(scope, &rows, choices), viewers(scope))
}

/// The questions of these lookups, and those about the whole that a router can be asked: a listing for each of the viewers,
/// and sizes.
pub fn router_questions(
    scope: &Scope,
    queries: Vec<Query>,
    viewers: impl IntoIterator<Item = Option<String>>,
) -> Vec<Question> {
    let mut asked = with_listings(queries, viewers, |capability| scope.can(capability));
    asked.extend(scope.can(Capability::Sizes).then_some(Question::Sizes));
    asked
}

/// The questions of these lookups, and for the listing of each of the viewers where there are listings.
pub(crate) fn with_listings(
    queries: Vec<Query>,
    viewers: impl IntoIterator<Item = Option<String>>,
    can: impl Fn(Capability) -> bool,
) -> Vec<Question> {
    let listings = viewers.into_iter().map(Question::Listing);
    let listings = listings.filter(|_| can(Capability::Listing));
    queries.into_iter().map(Question::Lookup).chain(listings).collect()
}

/// The callers whose listing is worth asking: one of each team, and one without.
pub fn viewers(scope: &Scope) -> Vec<Option<String>> {
    let teams = scope.universe.teams.iter().map(|team| Some((*team).to_owned()));
    std::iter::once(None).chain(teams).collect()
}

/// The part of a universe that one trace uses: a random subset of everything, since a trace that may do all things does
/// few of them often. Source: Groce et al., "Swarm Testing", ISSTA 2012.
#[derive(Clone, Debug)]
pub struct Swarm {
    ids: Vec<&'static str>,
    names: Vec<&'static str>,
    teams: Vec<&'static str>,
    extras: Vec<String>,
    verbs: Vec<Verb>,
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Upsert,
    Add,
    Delete,
    Replace,
}

impl Swarm {
    /// Draws one: each item with one chance in two.
    pub fn draw(scope: &Scope, choices: &mut dyn Choices) -> Self {
        let universe = &scope.universe;
        let mut names = subset(universe.names, choices);
        names.extend(subset(universe.patterns, choices));
        if names.is_empty() {
            names.extend(universe.names.iter().chain(universe.patterns).next());
        }
        let mut ids = subset(universe.ids, choices);
        if ids.is_empty() {
            ids.extend(universe.ids.first());
        }
        let can = |(capability, verb, weight): (Capability, Verb, usize)| {
            let weight = if scope.can(capability) { weight } else { 0 };
            std::iter::repeat_n(verb, weight)
        };
        let all: Vec<Verb> = [
            (Capability::Upsert, Verb::Upsert, 8),
            (Capability::Add, Verb::Add, 3),
            (Capability::Delete, Verb::Delete, 3),
            (Capability::Replace, Verb::Replace, 1),
        ]
        .into_iter()
        .flat_map(can)
        .collect();
        let chosen = subset(&all, choices);
        Self {
            ids,
            names,
            teams: subset(universe.teams, choices),
            extras: subset(&scope.extras, choices)
                .into_iter()
                .map(|extra| extra.name)
                .collect(),
            verbs: if chosen.is_empty() { all } else { chosen },
        }
    }

    /// The part of a crowded trace: ids for so many rows, and all names and teams.
    pub(crate) fn crowd(scope: &Scope, rows: usize) -> Self {
        let universe = &scope.universe;
        let ids = scope.crowd.iter().take(rows).copied().collect();
        let verbs = [
            (Capability::Upsert, Verb::Upsert),
            (Capability::Delete, Verb::Delete),
            (Capability::Add, Verb::Add),
        ];
        let verbs: Vec<Verb> = verbs
            .into_iter()
            .filter(|(needed, _)| scope.can(*needed))
            .map(|(_, verb)| verb)
            .collect();
        Self {
            ids,
            names: universe.names.iter().chain(universe.patterns).copied().collect(),
            teams: universe.teams.to_vec(),
            extras: Vec::new(),
            verbs: if verbs.is_empty() { vec![Verb::Replace] } else { verbs },
        }
    }

    /// The ids of the part, at least one.
    pub fn ids(&self) -> &[&'static str] {
        &self.ids
    }

    /// The names and patterns of the part, at least one.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The teams of the part, perhaps none.
    pub fn teams(&self) -> &[&'static str] {
        &self.teams
    }
}

/// Draws one change after the other, each with an eye to the rows that are there by then.
pub struct Generator<'a> {
    scope: &'a Scope,
    choices: &'a mut dyn Choices,
    swarm: &'a Swarm,
    /// The table that a router that refuses nothing would hold by now.
    table: Table,
    /// Number of versions given out: each has a tag of its own.
    versions: usize,
}

impl<'a> Generator<'a> {
    /// A generator for a router that holds `table`, where tags up to `v` and the number `versions` were given out.
    pub fn new(
        scope: &'a Scope,
        swarm: &'a Swarm,
        choices: &'a mut dyn Choices,
        table: Table,
        versions: usize,
    ) -> Self {
        Self {
            scope,
            choices,
            swarm,
            table,
            versions,
        }
    }

    /// The rows that the router is constructed with: none, two times in three.
    pub fn initial(&mut self) -> Vec<Row> {
        if self.choices.below(3) > 0 {
            return Vec::new();
        }
        let rows = self.rows();
        self.table = rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
        rows
    }

    /// Up to four rows, no id twice.
    fn rows(&mut self) -> Vec<Row> {
        let mut ids = self.swarm.ids.clone();
        let count = self.choices.below(5).min(ids.len());
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            let id = ids.swap_remove(self.choices.below(ids.len()));
            rows.push(self.row(id));
        }
        rows
    }

    /// A row of an id that is free and that no router refuses, which is in the table from now on: one row that is refused may
    /// keep a whole table from being loaded.
    pub(crate) fn plain_row(&mut self) -> Row {
        let id = self.free_id();
        let (name, team) = (self.name(), self.team().filter(|_| self.choices.percent(30)));
        let prefix = pick(&self.scope.target_prefixes, self.choices).unwrap_or_default();
        let target = pick(&self.scope.targets(&prefix, &name), self.choices).unwrap_or(prefix);
        let row = Row {
            team,
            ..Row::new(&id, &name, &target, &self.tag())
        };
        self.table.insert(id, row.clone());
        row
    }

    /// A change that brings a row of an id that is free.
    fn brought(&mut self) -> Change {
        let id = self.free_id();
        let row = self.row(&id);
        self.table.insert(id, row.clone());
        if self.scope.can(Capability::Add) {
            Change::Add(row)
        } else if self.scope.can(Capability::Upsert) {
            Change::Upsert(row)
        } else {
            Change::Replace(self.table.values().cloned().collect())
        }
    }

    /// The next change.
    pub fn change(&mut self) -> Change {
        let verb = pick(&self.swarm.verbs, self.choices).unwrap_or(Verb::Upsert);
        let change = match verb {
            Verb::Upsert => Change::Upsert(self.upserted()),
            Verb::Add => {
                let id = if self.choices.percent(80) {
                    self.free_id()
                } else {
                    self.live_id()
                };
                Change::Add(self.row(&id))
            }
            Verb::Delete => {
                let id = if self.choices.percent(90) {
                    self.live_id()
                } else {
                    self.any_id()
                };
                Change::Delete(id)
            }
            Verb::Replace => self.replacement(),
        };
        let malformed = change
            .rows()
            .iter()
            .any(|row| row.model_name.is_empty() || row.tag.contains('\n'));
        if !malformed {
            self.table = applied_table(&self.table, &change, &Outcome::Applied);
        }
        change
    }

    /// Draws a name that a live row answers to, a wildcard filled in, and the row's team; any name where there is no row.
    pub(crate) fn asked(&mut self) -> (String, Option<String>) {
        let id = self.live_id();
        let row = self.table.get(&id).cloned();
        let row = row.unwrap_or_else(|| self.row(&id));
        (self.scope.asked(&row.asked_name().replace('*', "x")), row.team)
    }

    /// The source of the choices.
    pub fn choices(&mut self) -> &mut dyn Choices {
        self.choices
    }

    /// A version of a live row, or of one that is not there, that must be refused: more `*` in its target than in its name.
    pub fn spoiled(&mut self) -> Row {
        let id = self.live_id();
        let row = self.row(&id);
        Row {
            model: format!("{}*****", row.model),
            ..row
        }
    }

    /// A patch of one field of a live row, or of a row that is not there, or of two fields, one time in three; half of the
    /// time it leaves the tag alone.
    pub fn patch(&mut self) -> Patch {
        let id = self.live_id();
        let row = self.table.get(&id).cloned();
        let row = row.unwrap_or_else(|| self.row(&id));
        let mut edited = self.edited(row.clone());
        if self.choices.percent(33) {
            edited = self.edited(edited);
        }
        let mut fields = changed(&row, &edited);
        if self.choices.percent(50) {
            fields.tag = None;
        }
        if let Some(row) = self.table.get_mut(&id) {
            fields.apply_to(row);
        }
        Patch { id, fields }
    }

    /// Half of the upserts change exactly one field of a live row: that is where an index is forgotten.
    fn upserted(&mut self) -> Row {
        let live = self.table.len() * 10 >= self.swarm.ids.len() * 8 || self.choices.percent(50);
        let id = if live { self.live_id() } else { self.free_id() };
        match self.table.get(&id).cloned() {
            Some(row) if self.choices.percent(60) => self.edited(row),
            _ => self.row(&id),
        }
    }

    fn replacement(&mut self) -> Change {
        if self.choices.percent(30) {
            return Change::Replace(self.table.values().cloned().collect());
        }
        let mut rows = self.rows();
        if self.scope.malformed && self.choices.percent(10) {
            rows.extend(rows.first().cloned());
        }
        Change::Replace(rows)
    }

    /// The row with one field changed, and a tag of its own; or, one time in twelve, the very same row.
    pub fn edited(&mut self, mut row: Row) -> Row {
        match self.choices.below(12) {
            0 => return row,
            1 | 2 => {
                row.model_name = self.name();
                row.model = self.target(row.asked_name(), &row.model);
            }
            3 => row.team = self.team(),
            4 => {
                row.team_model_name = row.team.is_some().then(|| self.name());
                row.model = self.target(row.asked_name(), &row.model);
            }
            5 | 6 if self.scope.can(Capability::Blocked) => row.blocked = !row.blocked,
            7 if self.scope.can(Capability::Weights) => row.weight = self.weight(),
            8 => row = self.with_extra(row),
            9 => row.model = self.target(row.asked_name(), ""),
            // Nothing but the tag: a key rotation.
            _ => {}
        }
        if row.team.is_none() {
            row.team_model_name = None;
        }
        row.tag = self.tag();
        row
    }

    fn row(&mut self, id: &str) -> Row {
        let name = self.name();
        let mut row = Row::new(id, &name, "", &self.tag());
        if self.choices.percent(40) {
            row.team = self.team();
            if row.team.is_some() && self.choices.percent(60) {
                row.team_model_name = Some(self.name());
            }
        }
        row.model = self.target(row.asked_name(), "");
        row.blocked = self.scope.can(Capability::Blocked) && self.choices.percent(12);
        if self.scope.can(Capability::Weights) && self.choices.percent(15) {
            row.weight = self.weight();
        }
        if self.choices.percent(20) {
            row = self.with_extra(row);
        }
        if self.scope.malformed && self.choices.percent(4) {
            match self.choices.below(3) {
                0 => row.model_name = String::new(),
                1 => row.tag = format!("{}\n", row.tag),
                _ => row.model = format!("{}*****", row.model),
            }
        }
        row
    }

    fn with_extra(&mut self, mut row: Row) -> Row {
        row.extra = pick(&self.swarm.extras, self.choices);
        let extra = self
            .scope
            .extras
            .iter()
            .find(|extra| Some(&extra.name) == row.extra.as_ref());
        if let Some(target) = extra.and_then(|extra| extra.target.clone()) {
            row.model = target;
        }
        row
    }

    fn tag(&mut self) -> String {
        self.versions += 1;
        format!("v{}", self.versions)
    }

    fn name(&mut self) -> String {
        pick(&self.swarm.names, self.choices).unwrap_or("a").to_owned()
    }

    fn team(&mut self) -> Option<String> {
        pick(&self.swarm.teams, self.choices).map(str::to_owned)
    }

    fn weight(&mut self) -> Option<u32> {
        pick(&[None, Some(1), Some(2), Some(9)], self.choices).flatten()
    }

    /// A target for that name: `kept`, where it still has as many `*`.
    fn target(&mut self, name: &str, kept: &str) -> String {
        let stars = |text: &str| text.matches('*').count();
        if !kept.is_empty() && (stars(kept) == 0 || stars(kept) == stars(name)) {
            return kept.to_owned();
        }
        let prefix = pick(&self.scope.target_prefixes, self.choices).unwrap_or_default();
        if self.choices.percent(4) {
            return format!("{prefix}*-*-*");
        }
        pick(&self.scope.targets(&prefix, name), self.choices).unwrap_or(prefix)
    }

    fn any_id(&mut self) -> String {
        pick(&self.swarm.ids, self.choices).unwrap_or("d1").to_owned()
    }

    fn live_id(&mut self) -> String {
        let live: Vec<String> = self.table.keys().cloned().collect();
        pick(&live, self.choices).unwrap_or_else(|| self.any_id())
    }

    fn free_id(&mut self) -> String {
        let free: Vec<&str> = self
            .swarm
            .ids
            .iter()
            .copied()
            .filter(|id| !self.table.contains_key(*id))
            .collect();
        pick(&free, self.choices).map_or_else(|| self.any_id(), str::to_owned)
    }
}

/// Returns the fields that turn `from` into `to`, but for those that `to` lacks: a patch can take no field away.
fn changed(from: &Row, to: &Row) -> Fields {
    fn set<T: PartialEq + Clone>(from: &T, to: &T) -> Option<T> {
        (from != to).then(|| to.clone())
    }
    Fields {
        model_name: set(&from.model_name, &to.model_name),
        model: set(&from.model, &to.model),
        tag: set(&from.tag, &to.tag),
        team: set(&from.team, &to.team).flatten(),
        team_model_name: set(&from.team_model_name, &to.team_model_name).flatten(),
        blocked: set(&from.blocked, &to.blocked),
        weight: set(&from.weight, &to.weight).flatten(),
        extra: set(&from.extra, &to.extra).flatten(),
    }
}
