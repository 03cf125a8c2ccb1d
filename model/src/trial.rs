//! Drives traces through a router and judges every observation.

use std::rc::Rc;

use protocol::{
    AdapterFault, Answer, Change, Changed, Hello, Observation, Outcome, Questions, Round, RouterUnderTest, Row, Run,
    RunReply, Shown, Step, StepReply, Trace,
};

use crate::evidence::{Fresh, Ground, Issued, Look, Moment, Transition, applied, arrive, in_order, took_an_id_twice};
use crate::pattern::Patterns;
use crate::rules::{RuleId, RuleSet, Tally};
use crate::semantics::Semantics;
use crate::spec::{Spec, Table};

/// Judges what one router answers.
#[derive(Debug)]
pub struct Judge {
    ground: Rc<Ground>,
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
            ground: Rc::new(Ground {
                spec: spec.transpose()?,
                opaque: opaque.iter().map(|extra| extra.name.clone()).collect(),
                plain_targets: plain.iter().filter_map(|extra| extra.target.clone()).collect(),
                target_prefixes: dialect.target_prefixes.clone(),
                paths: dialect.paths.clone(),
                patterns: Patterns::default(),
            }),
            rules,
        })
    }

    /// The judge of the same router by one rule alone.
    #[must_use]
    pub fn of_rule(&self, rule: RuleId) -> Self {
        Self {
            ground: Rc::clone(&self.ground),
            rules: RuleSet::only(rule),
        }
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
    /// held against the last round of questions.
    pub fn judge(&self, run: &Run, reply: &RunReply, tracked: &Tracked, fresh: &[Fresh]) -> Tally {
        let mut tally = Tally::default();
        let looks: Vec<Look> = looks(run, reply).collect();
        let look_after = |after: usize| looks.iter().find(|look| look.round.after as usize == after).copied();
        let mut held_before: Option<&[String]> = None;
        for (after, change, changed) in changes(run, reply) {
            let (Some(before), Some(now)) = (tracked.before(after), tracked.tables.get(after)) else {
                break;
            };
            let transition = Transition {
                ground: &self.ground,
                after,
                change: &change,
                changed,
                before,
                now,
                held_before,
                seen: after.checked_sub(1).and_then(look_after).zip(look_after(after)),
            };
            self.rules.judge_transition(&transition, &mut tally);
            held_before = changed.held.as_deref();
        }
        for (index, (step, reply)) in run.trace.steps.iter().zip(&reply.steps).enumerate() {
            if let (Step::Ask(_, question), StepReply::Shown(shown)) = (step, reply) {
                let questions = Questions {
                    asked: vec![question.clone()],
                    rounds: Vec::new(),
                };
                let seen = Observation {
                    replica: None,
                    shown: vec![shown.clone()],
                };
                let look = Look {
                    questions: &questions,
                    round: &Round::all(u32::try_from(index + 1).unwrap_or(u32::MAX)),
                    seen: &seen,
                };
                self.moment(tracked, look, &[], &mut tally);
            }
        }
        for (number, look) in (1..).zip(&looks) {
            let fresh = if number == looks.len() { fresh } else { &[] };
            self.moment(tracked, *look, fresh, &mut tally);
        }
        tally
    }

    fn moment(&self, tracked: &Tracked, look: Look, fresh: &[Fresh], tally: &mut Tally) {
        let after = look.round.after as usize;
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
            look,
            fresh,
        };
        self.rules.judge_moment(&moment, tally);
    }
}

/// The rounds of questions of a router's run, each with its answers.
fn looks<'a>(run: &'a Run, reply: &'a RunReply) -> impl Iterator<Item = Look<'a>> {
    let rounds = run.questions.rounds.iter().zip(&reply.rounds);
    rounds.filter_map(|(round, seen)| {
        Some(Look {
            questions: &run.questions,
            round,
            seen: seen.first()?,
        })
    })
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
    let construction = (0, Change::Replace(run.trace.setup.rows.clone()), &reply.setup);
    let steps = run.trace.steps.iter().zip(&reply.steps).enumerate();
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
        let trace = &run.trace;
        let issued: Issued = trace.rows().map(|row| (row.tag.clone(), row.clone())).collect();
        check_tags(&issued, reply)?;
        let mut tracked = Self {
            tables: Vec::with_capacity(trace.steps.len() + 1),
            lost: None,
            issued,
            order: Vec::new(),
            empty: Table::new(),
        };
        tracked.follow(&Change::Replace(trace.setup.rows.clone()), &reply.setup.outcome);
        for (step, reply) in trace.steps.iter().zip(&reply.steps) {
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
    let observed = reply.rounds.iter().flatten().flat_map(|seen| &seen.shown);
    let asked = reply.steps.iter().filter_map(|step| match step {
        StepReply::Shown(shown) => Some(shown),
        StepReply::Changed(_) | StepReply::Moved(_) => None,
    });
    let answers = observed.chain(asked).filter_map(|shown| match shown {
        Shown::Answers(answers) => Some(answers),
        _ => None,
    });
    for candidate in answers.flatten().flat_map(Answer::candidates) {
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
        let steps = run.trace.steps.len();
        let last = run
            .questions
            .rounds
            .last()
            .filter(|round| round.after as usize == steps);
        let orders = if judge.rules.needs_fresh() && complete && last.is_some() {
            orders(&tracked.arrivals())
        } else {
            Vec::new()
        };
        fresh_of.push(fresh_runs.len()..fresh_runs.len() + orders.len());
        let of_fresh = |rows| Run {
            trace: Trace::of_router(rows, Vec::new()),
            questions: Questions {
                asked: run.questions.asked.clone(),
                rounds: last
                    .map(|round| Round {
                        after: 0,
                        ..round.clone()
                    })
                    .into_iter()
                    .collect(),
            },
        };
        fresh_runs.extend(orders.into_iter().map(of_fresh));
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
    match &reply.setup.outcome {
        Outcome::Refused(why) => Err(format!("a fresh router refuses the rows: {why}")),
        Outcome::Applied | Outcome::Unchanged => reply
            .rounds
            .first()
            .and_then(|seen| seen.first().cloned())
            .ok_or_else(|| "a fresh router showed nothing".to_owned()),
    }
}
