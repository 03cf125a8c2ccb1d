//! A fleet's run as evidence: operations as intervals of steps, what each replica showed, and what the store may have held.
//!
//! Moments are numbers of steps done. A question moves nothing: moments with nothing but questions between them are one
//! *rest*, named by the first of them.

mod follow;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    AdapterFault, Answer, Now, Observation, Op, Outcome, Query, Question, Questions, Round, Row, Run, RunReply, Shown,
    Step, StepReply, StoreView, Trace, World, Write,
};

use self::follow::{Versions, configs, eras, lives, operations, polls, requests, rests, sights, versions, views};
use super::{Fresh, Ground, Issued, Look, check_tags};
use crate::spec::Table;

/// The most tables that a list of tags may stand for; if there are more, the replica's answers are not judged by rows.
const TABLES_MAX: usize = 32;

/// An operation of a fleet: an interval of steps, not an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The operation itself. A notification that was duplicated counts as delivered.
    pub act: Op,
    /// The number of the step in which it began, from 1; 0 is the set-up.
    pub from: usize,
    /// The number of the step in which it ended; none where it never did.
    pub to: Option<usize>,
    /// The operation's last state, as far as it was told.
    pub now: Option<Now>,
}

impl Operation {
    /// The write that it makes or tries to make.
    pub fn write(&self) -> Option<&Write> {
        match &self.act {
            Op::Write(op) => Some(&op.write),
            _ => None,
        }
    }

    /// Returns whether it is a write that may have been made: one that was refused was not, and any other may have
    /// been.
    pub fn may_have_written(&self) -> bool {
        let refused =
            |now: &Now| matches!(now, Now::Changed(changed) if matches!(changed.outcome, Outcome::Refused(_)));
        self.write().is_some() && !self.now.as_ref().is_some_and(refused)
    }

    /// Returns whether it is a write that was acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        matches!(&self.now, Some(Now::Changed(changed)) if changed.outcome == Outcome::Applied)
    }

    /// Returns whether it had ended before the other began.
    pub fn ended_before(&self, other: &Self) -> bool {
        self.to.is_some_and(|to| to < other.from)
    }

    /// Returns whether it was under way during that step.
    pub fn is_under_way(&self, step: usize) -> bool {
        self.from <= step && self.to.is_none_or(|to| step <= to)
    }

    /// Returns whether it began and ended in that step.
    pub fn is_within(&self, step: usize) -> bool {
        self.from == step && self.to == Some(step)
    }

    /// The tag that it gives its row; none where it leaves the tag alone or removes the row.
    pub fn tag(&self) -> Option<&str> {
        match self.write()? {
            Write::Put(row) | Write::Add(row) => Some(&row.tag),
            Write::Patch(patch) => patch.fields.tag.as_deref(),
            Write::Delete(_) => None,
        }
    }

    /// Returns whether it is a patch that leaves the tag of its row alone.
    fn keeps_tag(&self) -> bool {
        matches!(self.write(), Some(Write::Patch(patch)) if patch.fields.tag.is_none())
    }
}

/// The answers of one replica at one moment.
#[derive(Clone, Debug)]
pub struct Sight<'a> {
    /// The replica.
    pub replica: u8,
    /// The number of steps done by then.
    pub after: usize,
    questions: Cow<'a, Questions>,
    round: Round,
    seen: Cow<'a, Observation>,
}

impl Sight<'_> {
    /// The questions and their answers.
    pub fn look(&self) -> Look<'_> {
        Look {
            questions: &self.questions,
            round: &self.round,
            seen: &self.seen,
        }
    }

    /// Returns true if the same was asked in the same order, and answered the same.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        // Rounds of one run borrow its list of questions, which is long: its address is compared, and not its content.
        let same_list = match (&self.questions, &other.questions) {
            (Cow::Borrowed(one), Cow::Borrowed(other)) => std::ptr::eq(*one, *other),
            (one, other) => one == other,
        };
        same_list && self.round.order == other.round.order && self.seen == other.seen
    }

    /// The ids of the rows that the replica says it holds, and the question that it answered so: for its claims, or
    /// else for what its registry holds.
    pub fn ids<'h>(&'h self, history: &'h History, ground: &Ground) -> Option<(Question, Vec<&'h str>)> {
        if let Some(Shown::Ids(ids)) = self.answer(&Question::Claims) {
            return Some((Question::Claims, ids.iter().map(String::as_str).collect()));
        }
        let ids = self.registry(ground)?.iter().filter_map(|tag| history.id_of(tag));
        Some((Question::Holds, ids.collect()))
    }

    /// The tags of the replica's own registry, where it was asked for what it holds.
    pub fn registry(&self, ground: &Ground) -> Option<&[String]> {
        match self.answer(&Question::Holds)? {
            Shown::Holds(holds) => Some(holds.get(ground.registry.as_ref()?)?.as_slice()),
            _ => None,
        }
    }

    /// The answer to a question, where it was asked.
    fn answer(&self, asked: &Question) -> Option<&Shown> {
        self.look()
            .iter()
            .find_map(|(_, question, shown)| (question == asked).then_some(shown))
    }
}

/// An answer to a caller or to a lookup, by one replica.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The number of steps done when it was asked; fewer than when it was answered where a request was held.
    pub from: usize,
    /// The number of steps done when it was answered.
    pub after: usize,
    /// The query.
    pub query: &'a Query,
    /// The index of the dialect's path that answered.
    pub path: usize,
    /// The answer.
    pub answer: &'a Answer,
}

/// The run of a fleet, as far as the replies tell.
#[derive(Debug)]
pub struct History<'a> {
    /// The trace that was carried out.
    pub trace: &'a Trace,
    /// Every operation, in the order in which they began; the rows of the set-up are the first writes.
    pub operations: Vec<Operation>,
    /// The answers of each replica, in order.
    pub sights: Vec<Sight<'a>>,
    /// Every version that was given, one for each tag.
    pub issued: Issued,
    /// Versions that may share their tag with one of those.
    pub variants: Vec<Row>,
    /// The ids of rows that the second source ever had.
    pub configured: BTreeSet<&'a str>,
    /// The places of the requests among the operations, each with its query.
    requests: Vec<(usize, Query)>,
    /// For each number of steps the rest that this moment belongs to, by its first moment.
    rests: Vec<usize>,
    /// For each replica, after each number of steps, the number of times that it has crashed or started.
    lives: Vec<Vec<usize>>,
    /// For each step, from 1, the view that reads of the store got during it: none where they failed.
    views: Vec<Option<StoreView>>,
    /// The places of the sights, by replica and rest.
    places: BTreeMap<(u8, usize), Vec<usize>>,
    /// The rows that the store showed, by era. An era is a stretch of steps in which neither the store nor the second
    /// source can have changed.
    stored: BTreeMap<usize, Table>,
    /// The replica and the rest of each sight of a replica that since it came up had polled once and done nothing else.
    fresh: BTreeSet<(u8, usize)>,
    /// For each tag the versions that may have had it, each with the first step at which it may; none where they are
    /// too many.
    versions: Option<Versions>,
    /// For each number of steps the era: the number of times that the store or the second source may have changed by
    /// then.
    eras: Vec<usize>,
    /// For each replica, after each number of steps, the number of whole polls that it did in a row while nothing else
    /// happened to it and the store stood still.
    polls: Vec<Vec<usize>>,
}

impl<'a> History<'a> {
    /// Follows a run through its reply.
    ///
    /// # Errors
    ///
    /// An [`AdapterFault`] where a replica shows a tag that the fleet was never given: then either the adapter does not carry
    /// tags faithfully, or the run gave one tag to two versions.
    pub fn new(run: &'a Run, reply: &'a RunReply) -> Result<Self, AdapterFault> {
        let trace = &run.trace;
        let patched = trace.steps.iter().filter_map(|step| match &step.write()?.write {
            Write::Patch(patch) => patch.fields.tag.as_deref(),
            _ => None,
        });
        let given: BTreeSet<&str> = trace.rows().map(|row| row.tag.as_str()).chain(patched).collect();
        check_tags(&given, reply)?;
        let operations = operations(trace, reply);
        let configured: Vec<&Row> = trace.setup.config.iter().chain(configs(trace)).flatten().collect();
        let versions = versions(&operations, &configured);
        let mut issued: Issued = trace.rows().map(|row| (row.tag.clone(), row.clone())).collect();
        for (tag, versions) in versions.iter().flatten() {
            issued.entry(tag.clone()).or_insert_with(|| versions[0].1.clone());
        }
        let all = versions.iter().flat_map(Versions::values).flatten();
        let variants = all.filter(|(_, row)| issued.get(&row.tag) != Some(row));
        let variants = variants.map(|(_, row)| row.clone()).collect();
        let (eras, views) = (eras(trace, &operations), views(trace));
        let replicas = 0..trace.setup.replicas;
        let mut history = Self {
            trace,
            sights: sights(run, reply),
            issued,
            variants,
            configured: configured.iter().map(|row| row.id.as_str()).collect(),
            requests: requests(&operations),
            rests: rests(trace),
            lives: replicas.clone().map(|replica| lives(trace, replica)).collect(),
            places: BTreeMap::new(),
            stored: BTreeMap::new(),
            fresh: BTreeSet::new(),
            versions,
            polls: replicas
                .map(|replica| polls(trace, &operations, (&eras, &views), replica))
                .collect(),
            eras,
            views,
            operations,
        };
        for (place, sight) in history.sights.iter().enumerate() {
            let at = (sight.replica, history.rest(sight.after));
            history.places.entry(at).or_default().push(place);
        }
        history.stored = history.stores(reply);
        history.fresh = history
            .places
            .keys()
            .copied()
            .filter(|at| history.is_fresh(*at))
            .collect();
        Ok(history)
    }

    /// The rest that this moment belongs to, by its first moment.
    pub fn rest(&self, after: usize) -> usize {
        self.rests.get(after).copied().unwrap_or(after)
    }

    /// The number of times that the replica has crashed or started by then. It need not remember anything of an earlier
    /// life.
    pub fn life(&self, replica: u8, after: usize) -> usize {
        self.lives.get(usize::from(replica)).map_or(0, |lives| lives[after])
    }

    /// Returns whether the replica was up by then.
    pub fn is_up(&self, replica: u8, after: usize) -> bool {
        // All are up at first, and from then on crashes and starts come by turns.
        self.life(replica, after).is_multiple_of(2)
    }

    /// The operations of a replica, or straight at the store, that were under way during that step.
    pub fn under_way(&self, replica: Option<u8>, step: usize) -> impl Iterator<Item = &Operation> {
        let at = move |operation: &&Operation| operation.act.replica() == replica && operation.is_under_way(step);
        self.operations.iter().filter(at)
    }

    /// Returns whether the operation was carried out in one step with nothing else under way at its replica.
    pub fn is_alone(&self, operation: &Operation) -> bool {
        let replica = operation.act.replica();
        operation.is_within(operation.from) && self.under_way(replica, operation.from).count() == 1
    }

    /// The view that reads of the store got during that step: none where they failed.
    pub fn shows(&self, step: usize) -> Option<StoreView> {
        self.views.get(step).copied().flatten()
    }

    /// The sights of a replica in the rest that this moment belongs to.
    pub fn sights_at(&self, replica: u8, after: usize) -> impl Iterator<Item = &Sight<'a>> {
        let places = self.places.get(&(replica, self.rest(after)));
        places.into_iter().flatten().map(|place| &self.sights[*place])
    }

    /// The rows of the store by then, where it was asked for them while it stood still.
    pub fn store(&self, after: usize) -> Option<&Table> {
        self.stored.get(self.eras.get(after)?)
    }

    /// The tags of the replica's own registry, where it was asked for what it holds.
    pub fn registry(&self, ground: &Ground, replica: u8, after: usize) -> Option<&[String]> {
        self.sights_at(replica, after).find_map(|sight| sight.registry(ground))
    }

    /// The answer of a replica to that question, where it was asked.
    pub fn answer_at(&self, replica: u8, after: usize, question: &Question) -> Option<&Shown> {
        self.sights_at(replica, after).find_map(|sight| sight.answer(question))
    }

    /// Returns whether neither the store nor the second source can have changed between these numbers of steps.
    pub fn stands_still(&self, one: usize, other: usize) -> bool {
        self.eras.get(one) == self.eras.get(other)
    }

    /// The number of writes that were acknowledged, those of the set-up aside.
    pub fn acknowledged(&self) -> u64 {
        let acknowledged = |operation: &&Operation| operation.from > 0 && operation.is_acknowledged();
        self.operations.iter().filter(acknowledged).count() as u64
    }

    /// Returns whether there ever is a second source of rows.
    pub fn has_second_source(&self) -> bool {
        let config = |step: &Step| matches!(step, Step::World(World::Config(_)));
        self.trace.setup.config.is_some() || self.trace.steps.iter().any(config)
    }

    /// The id of the row that was given that tag.
    pub fn id_of(&self, tag: &str) -> Option<&str> {
        self.issued.get(tag).map(|row| row.id.as_str())
    }

    /// Every answer of a replica to a caller or to a lookup.
    pub fn served(&self, replica: u8) -> impl Iterator<Item = Served<'_>> {
        let sights = self.sights.iter().filter(move |sight| sight.replica == replica);
        let seen = sights.flat_map(|sight| {
            let lookups = sight.look().lookups();
            lookups.map(|(_, query, answers)| ((sight.after, sight.after), query, answers))
        });
        let requests = self.requests.iter().filter_map(move |(place, query)| {
            let request = &self.operations[*place];
            match (&request.now, request.to) {
                (Some(Now::Answered(answers)), Some(to)) if request.act.replica() == Some(replica) => {
                    Some(((request.from - 1, to), query, answers.as_slice()))
                }
                _ => None,
            }
        });
        seen.chain(requests).flat_map(|((from, after), query, answers)| {
            answers.iter().enumerate().map(move |(path, answer)| Served {
                from,
                after,
                query,
                path,
                answer,
            })
        })
    }

    /// The writes of a row that may have been made, in the order in which they began.
    pub fn writes<'h>(&'h self, id: &'h str) -> impl Iterator<Item = &'h Operation> {
        let of_row = move |operation: &&Operation| operation.write().is_some_and(|write| write.id() == id);
        self.operations
            .iter()
            .filter(of_row)
            .filter(|write| write.may_have_written())
    }

    /// Returns true if `by` has replaced this tag in the row for good: every write that may have given the tag to the
    /// row, or given it back, had ended before `by` began.
    pub fn is_replaced(&self, id: &str, tag: &str, by: &Operation) -> bool {
        let mut gives = self.writes(id).filter(|write| write.tag() == Some(tag)).peekable();
        let gives_back = |write: &Operation| write.keeps_tag() && !self.reads_later(write, by);
        gives.peek().is_some()
            && gives.all(|write| write.ended_before(by))
            && self
                .writes(id)
                .filter(|write| gives_back(write))
                .all(|write| write.ended_before(by))
    }

    /// Returns true if `write` can have read only states of the store that it had after `by`.
    fn reads_later(&self, write: &Operation, by: &Operation) -> bool {
        let last = write.to.unwrap_or(self.trace.steps.len());
        by.ended_before(write) && (write.from..=last).all(|step| self.shows(step) == Some(StoreView::All))
    }

    /// Returns true if the store had a version of that row newer than this tag by the time that `write` was
    /// acknowledged: that of `write` itself, or of a write that had ended before it began.
    pub fn is_older(&self, id: &str, tag: &str, write: &Operation) -> bool {
        let mut newer = self.writes(id).filter(|other| {
            let counts = *other == write || (other.is_acknowledged() && other.ended_before(write));
            counts && !other.keeps_tag() && other.tag() != Some(tag)
        });
        newer.any(|newer| self.is_replaced(id, tag, newer))
    }

    /// The number of whole polls in a row that the replica has done by then, while nothing else happened to it and the
    /// store stood still.
    pub fn polls(&self, replica: u8, after: usize) -> usize {
        let of_replica = self.polls.get(usize::from(replica));
        of_replica.and_then(|polls| polls.get(after)).copied().unwrap_or(0)
    }

    /// Returns each table that the registry of a replica may stand for: more than one where a patch has left the tag of
    /// its row alone. There is none if the replica does not say, if a tag belongs to no version, if an id comes twice,
    /// or if there are more than `TABLES_MAX`.
    pub fn tables(&self, ground: &Ground, replica: u8, after: usize) -> Vec<Table> {
        let Some(tags) = self.registry(ground, replica, after) else {
            return Vec::new();
        };
        let mut tables = vec![Table::new()];
        for tag in tags {
            let rows = self.rows_of(tag, ground, replica, after);
            let with = |table: &Table| {
                let free = rows.iter().filter(|row| !table.contains_key(&row.id));
                let with = |row: &&Row| {
                    let mut table = table.clone();
                    table.insert(row.id.clone(), Row::clone(row));
                    table
                };
                free.map(with).collect::<Vec<Table>>()
            };
            tables = tables.iter().flat_map(with).collect();
            if tables.len() > TABLES_MAX {
                return Vec::new();
            }
        }
        tables
    }

    /// Returns each row that a tag may stand for in the registry of a replica.
    fn rows_of(&self, tag: &str, ground: &Ground, replica: u8, after: usize) -> Vec<&Row> {
        // A replica that has just polled holds the store's row of this tag, unless it had to refuse that row.
        let polled = self
            .store(after)
            .filter(|_| self.polls(replica, after) > 0 && ground.spec().is_some());
        let mut stored = polled.into_iter().flat_map(Table::values);
        if let Some(row) = stored.find(|row| row.tag == tag && ground.must_refuse(row).is_none()) {
            return vec![row];
        }
        let Some(versions) = &self.versions else {
            return Vec::new();
        };
        let versions = versions.get(tag).into_iter().flatten();
        let begun = versions.filter(|(since, _)| *since <= after);
        let rows: Vec<&Row> = begun.map(|(_, row)| row).collect();
        if rows.is_empty() {
            // The write of this row was refused, so that there is no such version; the replica holds it all the same.
            return self.issued.get(tag).into_iter().collect();
        }
        rows
    }

    /// Returns the answers, to the same questions, of replicas that were started afresh on the store as it stood at
    /// this sight: each had polled once and done nothing else. There is none if the store's rows are not known or one
    /// of them must be refused, and a fresh replica that did not take all of them is left out.
    pub fn fresh(&self, ground: &Ground, sight: &Sight) -> Vec<Fresh> {
        let Some(store) = self.store(sight.after) else {
            return Vec::new();
        };
        if store.values().any(|row| ground.must_refuse(row).is_some()) {
            return Vec::new();
        }
        let era = self.eras[sight.after];
        let life = self.life(sight.replica, sight.after);
        let others = self.fresh.iter().filter(|(replica, rest)| {
            self.eras[*rest] == era && (*replica, self.life(*replica, *rest)) != (sight.replica, life)
        });
        let answers = others.filter_map(|&(replica, rest)| {
            let held = self.sights_at(replica, rest).find_map(|fresh| fresh.ids(self, ground));
            let (_, held) = held?;
            let takes_all = store.keys().all(|id| held.contains(&id.as_str()));
            takes_all.then(|| self.answers_of(replica, rest, sight)).flatten()
        });
        answers.map(Ok).collect()
    }

    /// Returns the answers of a replica to the questions of another one's sight; none if one of them was not asked.
    fn answers_of(&self, replica: u8, rest: usize, sight: &Sight) -> Option<Observation> {
        // Rounds of one run share its list of questions: the answers to a round of the same order fit as they are.
        let asked_alike = |other: &&Sight| match (&other.questions, &sight.questions) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => other.round.order == sight.round.order,
            _ => false,
        };
        if let Some(other) = self.sights_at(replica, rest).find(asked_alike) {
            return Some(other.seen.clone().into_owned());
        }
        let answer = |question| self.answer_at(replica, rest, question).cloned();
        let shown: Option<Vec<Shown>> = sight.look().iter().map(|(_, question, _)| answer(question)).collect();
        Some(Observation {
            replica: Some(replica),
            shown: shown?,
        })
    }

    /// Returns whether another replica, or this one in another life, came up and polled the store as it stood by then.
    pub fn another_came_up(&self, replica: u8, after: usize) -> bool {
        let of = |replica, after| (replica, self.life(replica, after));
        let mut fresh = self.fresh.iter();
        fresh.any(|(other, rest)| self.stands_still(*rest, after) && of(*other, *rest) != of(replica, after))
    }

    /// Returns true if the replica has polled once since it came up and done nothing else.
    fn is_fresh(&self, (replica, rest): (u8, usize)) -> bool {
        if self.polls(replica, rest) != 1 {
            return false;
        }
        let life = self.life(replica, rest);
        let of_life = self.operations.iter().filter(|operation| {
            let in_life = operation.act.replica() == Some(replica) && self.life(replica, operation.from) == life;
            in_life && operation.from <= rest && operation.act != Op::Start(replica)
        });
        of_life.count() == 1
    }

    /// The rows that the store showed, by era.
    fn stores(&self, reply: &RunReply) -> BTreeMap<usize, Table> {
        let mut stored = BTreeMap::new();
        let mut store = |after: usize, shown: Option<&Shown>| {
            if let Some(Shown::Rows(rows)) = shown {
                let table = || rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
                stored.entry(self.eras[after]).or_insert_with(table);
            }
        };
        for sight in &self.sights {
            store(sight.after, sight.answer(&Question::Store));
        }
        for (after, (step, reply)) in (1..).zip(self.trace.steps.iter().zip(&reply.steps)) {
            if let (Step::Ask(None, Question::Store), StepReply::Shown(shown)) = (step, reply) {
                store(after, Some(shown));
            }
        }
        stored
    }
}
