//! Drives traces through a router and judges every observation.

use protocol::{
    AdapterFault, Change, Changed, Hello, Observation, Outcome, Query, RouterUnderTest, Row, Run, RunReply, Step,
    StepReply,
};

use crate::evidence::{Fresh, Ground, Issued, Moment, Seen, Transition, applied, arrive, in_order, took_an_id_twice};
use crate::pattern::Patterns;
use crate::rules::{RuleSet, Tally};
use crate::semantics::Semantics;
use crate::spec::{Spec, Table};

/// Judges what one router answers.
#[derive(Debug)]
pub struct Judge {
    ground: Ground,
    rules: RuleSet,
}

impl Judge {
    /// The judge of a router that says this of itself.
    ///
    /// # Errors
    ///
    /// The name of a preset that there is none of.
    pub fn new(hello: &Hello, rules: RuleSet) -> Result<Self, UnknownPreset> {
        let dialect = &hello.dialect;
        let spec = dialect.semantics.as_ref().map(|name| {
            let preset = Semantics::preset(name).ok_or_else(|| UnknownPreset { name: name.clone() })?;
            Ok(Spec::new(preset, &dialect.target_prefixes))
        });
        let (plain, opaque): (Vec<_>, Vec<_>) = dialect.extras.iter().partition(|extra| extra.plain);
        Ok(Self {
            ground: Ground {
                spec: spec.transpose()?,
                opaque: opaque.iter().map(|extra| extra.name.clone()).collect(),
                plain_targets: plain.iter().filter_map(|extra| extra.target.clone()).collect(),
                target_prefixes: dialect.target_prefixes.clone(),
                paths: dialect.paths.clone(),
                patterns: Patterns::default(),
            },
            rules,
        })
    }

    /// The judge of the same router by one rule alone.
    #[must_use]
    pub fn of_rule(&self, hello: &Hello, rule: &str) -> Self {
        Self::new(hello, RuleSet::matching(|id| id == rule)).expect("the preset was found before")
    }

    /// What does not change over a trial.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The rules that are judged.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Judges one run. `fresh` is what fresh routers show of the rows that [`Tracked::arrivals`] gives for its end; it is
    /// held against the last observation.
    pub fn judge(&self, run: &Run, reply: &RunReply, tracked: &Tracked, fresh: &[Fresh]) -> Tally {
        let mut tally = Tally::default();
        let observed = |after: usize| {
            let index = run.observe.iter().position(|&other| other as usize == after)?;
            reply.observations.get(index)
        };
        let mut held_before: Option<&[String]> = None;
        for (after, change, changed) in changes(run, reply) {
            let (Some(before), Some(now)) = (tracked.before(after), tracked.tables.get(after)) else {
                break;
            };
            let seen = after.checked_sub(1).and_then(observed).zip(observed(after));
            let transition = Transition {
                ground: &self.ground,
                after,
                change: &change,
                changed,
                before,
                now,
                held_before,
                seen: seen.map(|(before, after)| Seen {
                    queries: &run.queries,
                    viewers: &run.viewers,
                    before,
                    after,
                }),
            };
            self.rules.judge_transition(&transition, &mut tally);
            held_before = changed.held.as_deref();
        }
        for (index, step) in run.steps.iter().enumerate() {
            if let (Step::Lookup(query), Some(StepReply::Answered(answers))) = (step, reply.steps.get(index)) {
                let seen = Observation {
                    answers: vec![answers.clone()],
                    ..Observation::default()
                };
                self.moment(
                    index + 1,
                    tracked,
                    (std::slice::from_ref(query), &[]),
                    &seen,
                    &[],
                    &mut tally,
                );
            }
        }
        for (&after, seen) in run.observe.iter().zip(&reply.observations) {
            let last = run.observe.last() == Some(&after);
            let fresh = if last { fresh } else { &[] };
            self.moment(
                after as usize,
                tracked,
                (&run.queries, &run.viewers),
                seen,
                fresh,
                &mut tally,
            );
        }
        tally
    }

    fn moment(
        &self,
        after: usize,
        tracked: &Tracked,
        (queries, viewers): (&[Query], &[Option<String>]),
        seen: &Observation,
        fresh: &[Fresh],
        tally: &mut Tally,
    ) {
        let known = tracked
            .tables
            .get(after)
            .filter(|_| tracked.lost.is_none_or(|lost| after < lost));
        let Some(table) = known else { return };
        let moment = Moment {
            ground: &self.ground,
            table,
            issued: &tracked.issued,
            after,
            queries,
            viewers,
            seen,
            fresh,
        };
        self.rules.judge_moment(&moment, tally);
    }
}

/// A dialect claims a preset that there is none of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the adapter claims the semantics `{name}`, which this build does not know; claim one of {}, or none",
    names()
)]
pub struct UnknownPreset {
    name: String,
}

fn names() -> String {
    let names: Vec<String> = crate::semantics::PRESETS
        .iter()
        .map(|preset| format!("`{}`", preset.name))
        .collect();
    names.join(", ")
}

/// Each change of a run with how many steps were done then, from its construction on, and the reply to it.
fn changes<'a>(run: &'a Run, reply: &'a RunReply) -> impl Iterator<Item = (usize, Change, &'a Changed)> {
    let construction = (0, Change::Replace(run.initial.clone()), &reply.initial);
    let steps = run.steps.iter().zip(&reply.steps).enumerate();
    let changes = steps.filter_map(|(index, (step, reply))| match (step, reply) {
        (Step::Change(change), StepReply::Changed(changed)) => Some((index + 1, change.clone(), changed)),
        _ => None,
    });
    std::iter::once(construction).chain(changes)
}

/// The applied table after each step of a run, by the router's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// After that many steps. Ends early where the router took a list in which an id comes twice.
    pub tables: Vec<Table>,
    /// The number of steps after which it took such a list: what it then holds is not for anyone else to say.
    lost: Option<usize>,
    /// Every version that was given.
    pub issued: Issued,
    /// The ids of the last table, in the order in which they arrived.
    order: Vec<String>,
    empty: Table,
}

impl Tracked {
    /// Follows a run through its reply.
    ///
    /// # Errors
    ///
    /// An [`AdapterFault`] where an answer holds a tag that the router was never given: then either the adapter does not
    /// carry tags faithfully, or the run gave one tag to two versions.
    pub fn new(run: &Run, reply: &RunReply) -> Result<Self, AdapterFault> {
        let rows = run
            .initial
            .iter()
            .chain(run.steps.iter().filter_map(Step::change).flat_map(Change::rows));
        let issued: Issued = rows.map(|row| (row.tag.clone(), row.clone())).collect();
        check_tags(&issued, reply)?;
        let mut tracked = Self {
            tables: Vec::with_capacity(run.steps.len() + 1),
            lost: None,
            issued,
            order: Vec::new(),
            empty: Table::new(),
        };
        tracked.follow(&Change::Replace(run.initial.clone()), &reply.initial.outcome);
        for (step, reply) in run.steps.iter().zip(&reply.steps) {
            if tracked.lost.is_some() {
                break;
            }
            match (step, reply) {
                (Step::Change(change), StepReply::Changed(changed)) => tracked.follow(change, &changed.outcome),
                _ => tracked.keep(),
            }
        }
        Ok(tracked)
    }

    /// The table before that many steps were done: for the construction, an empty one.
    fn before(&self, after: usize) -> Option<&Table> {
        after
            .checked_sub(1)
            .map_or(Some(&self.empty), |before| self.tables.get(before))
    }

    fn follow(&mut self, change: &Change, outcome: &Outcome) {
        let before = self.tables.last().unwrap_or(&self.empty);
        let table = applied(before, change, outcome);
        arrive(&mut self.order, change, outcome, &table);
        if took_an_id_twice(change, outcome, &table) {
            self.lost = Some(self.tables.len());
        }
        self.tables.push(table);
    }

    fn keep(&mut self) {
        let table = self.tables.last().cloned().unwrap_or_default();
        self.tables.push(table);
    }

    /// The rows of the last table, in the order in which their ids arrived.
    pub fn arrivals(&self) -> Vec<Row> {
        self.tables
            .last()
            .map_or_else(Vec::new, |table| in_order(&self.order, table))
    }
}

fn check_tags(issued: &Issued, reply: &RunReply) -> Result<(), AdapterFault> {
    let observed = reply.observations.iter().flat_map(|seen| seen.answers.iter().flatten());
    let looked_up = reply.steps.iter().filter_map(|step| match step {
        StepReply::Answered(answers) => Some(answers),
        StepReply::Changed(_) | StepReply::Did(_) => None,
    });
    for candidate in observed
        .chain(looked_up.flatten())
        .flat_map(protocol::Answer::candidates)
    {
        if !issued.contains_key(&candidate.tag) {
            let message = format!(
                "an answer holds `{}` with the tag `{}`, which no row of the run was given; the adapter must return the \
                 tag of the row version that the router answered from",
                candidate.id, candidate.tag
            );
            return Err(AdapterFault::new(protocol::router::FaultKind::Lied, message));
        }
    }
    Ok(())
}

/// One judged run.
#[derive(Debug)]
pub struct Judged {
    /// What the rules had to say.
    pub tally: Tally,
    /// Nanoseconds inside the router, fresh routers included; 0 where the adapter does not measure.
    pub router_ns: u64,
}

/// Carries out `runs`, then whatever fresh routers the rules need, and judges: one result a run.
///
/// # Errors
///
/// Those of the router under test, and tags that cannot be.
pub fn trial(router: &mut dyn RouterUnderTest, judge: &Judge, runs: &[Run]) -> Result<Vec<Judged>, AdapterFault> {
    let replies = router.run(runs)?;
    let mut tracks = Vec::with_capacity(runs.len());
    let mut fresh_runs = Vec::new();
    let mut fresh_of = Vec::with_capacity(runs.len());
    for (run, reply) in runs.iter().zip(&replies) {
        let tracked = Tracked::new(run, reply)?;
        let complete = tracked.lost.is_none();
        let observed_at_end = run
            .observe
            .last()
            .is_some_and(|&after| after as usize == run.steps.len());
        let orders = if judge.rules.needs_fresh() && complete && observed_at_end {
            orders(&tracked.arrivals())
        } else {
            Vec::new()
        };
        fresh_of.push(fresh_runs.len()..fresh_runs.len() + orders.len());
        fresh_runs.extend(orders.into_iter().map(|initial| Run {
            initial,
            observe: vec![0],
            queries: run.queries.clone(),
            viewers: run.viewers.clone(),
            ..Run::default()
        }));
        tracks.push(tracked);
    }
    let fresh_replies = carry_out(router, &fresh_runs)?;
    for (run, reply) in fresh_runs.iter().zip(&fresh_replies) {
        Tracked::new(run, reply)?;
    }
    let mut judged = Vec::with_capacity(runs.len());
    for (index, (run, reply)) in runs.iter().zip(&replies).enumerate() {
        let of_this = &fresh_replies[fresh_of[index].clone()];
        let fresh: Vec<Fresh> = of_this.iter().map(seen_fresh).collect();
        let times = of_this
            .iter()
            .chain(std::iter::once(reply))
            .filter_map(|reply| reply.router_ns);
        judged.push(Judged {
            tally: judge.judge(run, reply, &tracks[index], &fresh),
            router_ns: times.sum(),
        });
    }
    Ok(judged)
}

/// Carries out any number of runs, a batch at a time.
pub(crate) fn carry_out(router: &mut dyn RouterUnderTest, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
    let mut replies = Vec::with_capacity(runs.len());
    for batch in runs.chunks(protocol::wire::BATCH_RUNS_MAX) {
        replies.extend(router.run(batch)?);
    }
    Ok(replies)
}

/// The orders in which fresh routers are given the rows: as they arrived, and the other way round.
pub(crate) fn orders(arrivals: &[Row]) -> Vec<Vec<Row>> {
    let mut orders = vec![arrivals.to_vec()];
    if arrivals.len() > 1 {
        orders.push(arrivals.iter().rev().cloned().collect());
    }
    orders
}

pub(crate) fn seen_fresh(reply: &RunReply) -> Fresh {
    match &reply.initial.outcome {
        Outcome::Refused(why) => Err(format!("a fresh router refuses the rows: {why}")),
        Outcome::Applied | Outcome::Unchanged => reply
            .observations
            .first()
            .cloned()
            .ok_or_else(|| "a fresh router showed nothing".to_owned()),
    }
}
