//! Drives traces through a router and judges every observation.

mod around;
mod asking;
mod fresh;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::{
    AdapterFault, Capability, Change, Changed, Hello, Level, Observation, Outcome, Questions, RouterUnderTest, Row,
    Run, RunReply, Step, StepReply,
};

use self::around::{Answered, Single};
pub(crate) use self::asking::{Gathered, Picks, prepared};
use self::fresh::{Orders, Wanted, is_refusal};
pub(crate) use self::fresh::{carry_out, carry_out_checked, fresh_runs_of, seen_fresh};
use crate::coverage::Coverage;
use crate::evidence::fleet::{History, Sight};
use crate::evidence::{
    Arrivals, Beside, EVERY_ORDER_ROWS_MAX, Fresh, Ground, Issued, Look, Moment, Transition, applied_table, check_tags,
    took_an_id_twice,
};
use crate::failure::{Finding, FindingKind};
use crate::kept::KeptSpec;
use crate::pattern::Patterns;
use crate::reach::Reach;
use crate::rules::{Oracle, RuleId, RuleSet, Tally};
use crate::semantics::{Semantics, UnknownPreset};
use crate::spec::{Spec, Table};

/// The judge of one router or fleet: the rules, and the facts that hold for its whole trial.
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
    /// The name of the preset that the router claims, if there is no such preset.
    pub fn new(hello: &Hello, rules: RuleSet) -> Result<Self, UnknownPreset> {
        let dialect = &hello.dialect;
        let kept = dialect.semantics.as_ref().map(|name| {
            let preset = Semantics::preset(name).ok_or_else(|| UnknownPreset { name: name.clone() })?;
            let spec = Spec::new(preset, &dialect.target_prefixes);
            Ok(KeptSpec::new(if hello.can(Capability::Ids) {
                spec
            } else {
                spec.without_ids()
            }))
        });
        let (plain, opaque): (Vec<_>, Vec<_>) = dialect.extras.iter().partition(|extra| extra.plain);
        Ok(Self {
            ground: Rc::new(Ground {
                kept: kept.transpose()?,
                opaque: opaque.iter().map(|extra| extra.name.clone()).collect(),
                plain_targets: plain.iter().filter_map(|extra| extra.target.clone()).collect(),
                target_prefixes: dialect.target_prefixes.clone(),
                paths: dialect.paths.clone(),
                registry: dialect.registry.clone(),
                dialect: dialect.clone(),
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

    /// Returns whether a change shows as soon as it was replied to, so that replies and questions among the steps can be
    /// judged.
    fn settles_at_once(&self) -> bool {
        self.ground.dialect.settles.wait_ms() == 0
    }

    /// Returns the facts that do not change over a trial.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The rules that are judged.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Judges the run of one router beside fresh ones, with which its last round of questions and its refused changes are
    /// compared.
    pub fn judge(&self, run: &Run, reply: &RunReply, tracked: &Tracked, beside: &Beside) -> Tally {
        let mut tally = Tally::default();
        let reach = Reach::new(self.ground.kept.as_ref(), tracked.issued.values());
        let answered = Answered::new(run, reply, self.settles_at_once());
        let mut held_before: Option<&[String]> = None;
        for (after, change, changed) in changes(run, reply) {
            let (Some(before), Some(now)) = (tracked.before(after), tracked.tables.get(after)) else {
                break;
            };
            let settled = self.settled(changed);
            let transition = Transition {
                ground: &self.ground,
                after,
                change: &change,
                changed: &settled,
                before,
                now,
                held_before,
                seen: if is_refusal(changed) {
                    answered.around(after)
                } else {
                    Vec::new()
                },
                again: beside.refused.get(&after).map_or(&[], Vec::as_slice),
            };
            self.rules.judge_transition(&transition, &mut tally);
            held_before = changed.held.as_deref().filter(|_| self.settles_at_once());
        }
        for Single { after, question, shown } in &answered.singles {
            let questions = Questions::at_end(vec![(*question).clone()], *after);
            let seen = Observation {
                replica: None,
                shown: vec![(*shown).clone()],
            };
            let look = Look {
                questions: &questions,
                round: &questions.rounds[0],
                seen: &seen,
            };
            self.moment((tracked, &reach), look, &[], &mut tally);
        }
        let looks = &answered.rounds;
        for (number, look) in (1..).zip(looks) {
            let fresh = if number == looks.len() { &beside.at_end[..] } else { &[] };
            self.moment((tracked, &reach), *look, fresh, &mut tally);
        }
        tally
    }

    /// The reply to a change as far as it can be judged: what a router holds that has not settled is not known.
    fn settled<'a>(&self, changed: &'a Changed) -> Cow<'a, Changed> {
        if self.settles_at_once() {
            return Cow::Borrowed(changed);
        }
        Cow::Owned(Changed {
            outcome: changed.outcome.clone(),
            held: None,
        })
    }

    /// Judges the run of a fleet.
    pub fn judge_fleet(&self, history: &History) -> Tally {
        let mut tally = Tally::default();
        self.rules.judge_history(history, &self.ground, &mut tally);
        let versions = history.issued.values().chain(&history.variants);
        let reach = Reach::new(self.ground.kept.as_ref(), versions);
        let by_fresh = |id: RuleId| id.rule().oracle == Oracle::Metamorphic;
        let picks = self.ground.dialect.picks;
        let beside_fresh = self.rules.filtered(|id| by_fresh(id) && !picks);
        let by_rows = self.rules.filtered(|id| !by_fresh(id));
        let mut last: BTreeMap<u8, Kept> = BTreeMap::new();
        for sight in &history.sights {
            let polls = history.polls(sight.replica, sight.after);
            let fresh = if polls > 0 {
                history.fresh(&self.ground, sight)
            } else {
                Vec::new()
            };
            let judge = |rules: &RuleSet, table: &Table, tally: &mut Tally| {
                let moment = Moment {
                    ground: &self.ground,
                    replica: Some(sight.replica),
                    polls,
                    table,
                    issued: &history.issued,
                    variants: &history.variants,
                    reach: &reach,
                    after: sight.after,
                    look: sight.look(),
                    fresh: &fresh,
                    standing: OnceCell::new(),
                };
                rules.judge_moment(&moment, tally);
            };
            // Rules that compare with a fresh replica do not look at the applied table.
            judge(&beside_fresh, &Table::new(), &mut tally);
            let tables = self.applied(history, sight);
            // Most steps move one replica alone. The others show what they showed before, so their judgement is kept.
            let kept = last.remove(&sight.replica).filter(|kept| kept.is_of(&tables, sight));
            let kept = kept.unwrap_or_else(|| {
                let judged = tables.iter().map(|table| {
                    let mut tally = Tally::default();
                    judge(&by_rows, table, &mut tally);
                    tally
                });
                // The tags do not tell which of the tables the replica has applied, so it has the benefit of the doubt:
                // the table by which the fewest answers are wrong counts.
                let best = judged.min_by_key(|tally| tally.findings.len());
                Kept {
                    judged: best.unwrap_or_default(),
                    sight,
                    tables,
                }
            });
            tally.absorb(kept.judged_after(sight.after));
            last.insert(sight.replica, kept);
        }
        tally
    }

    /// Returns each table that a replica may have applied by then. If the router names its registry, that is what the
    /// registry holds. If not, it is the store's table, once the replica has polled twice while the store stood still;
    /// until then, or while the store holds a row that must be refused, no table is known, and none is returned.
    fn applied(&self, history: &History, sight: &Sight) -> Vec<Table> {
        let Sight { replica, after, .. } = *sight;
        if self.ground.registry.is_some() {
            return history.tables(&self.ground, replica, after);
        }
        let store = history.store(after).filter(|_| history.polls(replica, after) > 1);
        let valid = store.filter(|store| store.values().all(|row| self.ground.must_refuse(row).is_none()));
        valid.cloned().into_iter().collect()
    }

    fn moment(&self, (tracked, reach): (&Tracked, &Reach), look: Look, fresh: &[Fresh], tally: &mut Tally) {
        let after = look.round.after as usize;
        let known = tracked
            .tables
            .get(after)
            .filter(|_| tracked.lost.is_none_or(|lost| after < lost));
        let Some(table) = known else { return };
        let moment = Moment {
            ground: &self.ground,
            replica: None,
            polls: 0,
            table,
            issued: &tracked.issued,
            variants: &[],
            reach,
            after,
            look,
            fresh,
            standing: OnceCell::new(),
        };
        if !self.ground.dialect.picks {
            self.rules.judge_moment(&moment, tally);
            return;
        }
        // Each pick must be right by itself, and all of them together are what the router picks from.
        let of_each = |id: RuleId| id.rule().oracle == Oracle::Absolute;
        self.rules.filtered(of_each).judge_moment(&moment, tally);
        let (gathered, fresh) = (Gathered::of(look), Gathered::of_fresh(look, fresh));
        let moment = Moment {
            look: gathered.look(look.questions),
            fresh: &fresh,
            standing: OnceCell::new(),
            ..moment
        };
        self.rules.filtered(|id| !of_each(id)).judge_moment(&moment, tally);
    }
}

/// The judgement of a replica's answers, kept for as long as it answers the same.
struct Kept<'a> {
    sight: &'a Sight<'a>,
    tables: Vec<Table>,
    judged: Tally,
}

impl Kept<'_> {
    fn is_of(&self, tables: &[Table], sight: &Sight) -> bool {
        self.tables == tables && self.sight.shows_the_same(sight)
    }

    fn judged_after(&self, after: usize) -> Tally {
        let mut judged = self.judged.clone();
        for finding in &mut judged.findings {
            finding.after = after;
        }
        judged
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

/// Returns each change of a run, with the number of steps done by then and the reply to it. The construction comes
/// first, as a change that replaces all rows after 0 steps.
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
    /// The tables, by the number of steps done. Ends early where the router took a list in which an id comes twice.
    pub tables: Vec<Table>,
    /// The number of steps after which it took such a list. Which of the two rows counts is undefined, so nothing from
    /// then on is judged.
    lost: Option<usize>,
    /// Every version that was given.
    pub issued: Issued,
    /// The orders of the ids of each table.
    arrivals: Vec<Arrivals>,
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
        check_tags(&issued.keys().map(String::as_str).collect(), reply)?;
        let mut tracked = Self {
            tables: Vec::with_capacity(trace.steps.len() + 1),
            lost: None,
            issued,
            arrivals: Vec::with_capacity(trace.steps.len() + 1),
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

    /// The table before the step of that number, from 1; an empty one before the construction, which is number 0.
    fn before(&self, after: usize) -> Option<&Table> {
        after
            .checked_sub(1)
            .map_or(Some(&self.empty), |before| self.tables.get(before))
    }

    fn follow(&mut self, change: &Change, outcome: &Outcome) {
        let before = self.tables.last().unwrap_or(&self.empty);
        let table = applied_table(before, change, outcome);
        let mut arrivals = self.arrivals.last().cloned().unwrap_or_default();
        arrivals.follow(change, outcome, &table);
        if took_an_id_twice(change, outcome, &table) {
            self.lost = Some(self.tables.len());
        }
        self.tables.push(table);
        self.arrivals.push(arrivals);
    }

    fn keep(&mut self) {
        let table = self.tables.last().cloned().unwrap_or_default();
        self.tables.push(table);
        self.arrivals.push(self.arrivals.last().cloned().unwrap_or_default());
    }

    /// The rows of the last table, in the order in which their ids arrived.
    pub(crate) fn arrived(&self) -> Vec<Row> {
        let last = self.arrivals.last().zip(self.tables.last());
        last.map_or_else(Vec::new, |(arrivals, table)| arrivals.two_orders(table).swap_remove(0))
    }

    /// The number of steps that changed the table.
    fn effects(&self) -> u64 {
        self.tables.windows(2).filter(|tables| tables[0] != tables[1]).count() as u64
    }
}

/// One judged run.
#[derive(Debug)]
pub struct Judged {
    /// The premises and findings of the rules.
    pub tally: Tally,
    /// The number of changes that the router said it had applied, and that changed its table; of a fleet's run, of the
    /// writes that were acknowledged.
    pub effects: u64,
    /// Nanoseconds inside the router, fresh routers included; 0 where the adapter does not measure.
    pub router_ns: u64,
    /// The coverage of the run; empty where it is of a fleet.
    pub coverage: Coverage,
}

/// A run that was carried out, ready to be judged.
struct Carried<'a> {
    run: &'a Run,
    reply: &'a RunReply,
    evidence: Evidence<'a>,
}

/// The evidence of a run, beside its reply.
enum Evidence<'a> {
    /// The table of one router after each step.
    Router(Tracked),
    /// The history of a fleet.
    Fleet(Box<History<'a>>),
}

impl<'a> Carried<'a> {
    fn new(run: &'a Run, reply: &'a RunReply) -> Result<Self, AdapterFault> {
        let evidence = match run.trace.level {
            Level::Fleet => Evidence::Fleet(Box::new(History::new(run, reply)?)),
            Level::Router => Evidence::Router(Tracked::new(run, reply)?),
        };
        Ok(Self { run, reply, evidence })
    }

    /// Adds to `runs` those of the fresh routers that the rules need.
    fn wanted(&self, rules: &RuleSet, orders: &Orders, runs: &mut Vec<Run>) -> Wanted {
        match &self.evidence {
            Evidence::Router(tracked) if rules.needs_fresh() => {
                Wanted::new((self.run, self.reply), tracked, orders, runs)
            }
            Evidence::Router(_) | Evidence::Fleet(_) => Wanted::default(),
        }
    }

    /// Returns how many changes had an effect, and what the run tried; of a fleet's run how many writes were acknowledged.
    fn coverage(&self, ground: &Ground) -> (u64, Coverage) {
        match &self.evidence {
            Evidence::Router(tracked) => {
                let coverage = Coverage::of(self.run, self.reply, &tracked.tables, ground);
                (tracked.effects(), coverage)
            }
            Evidence::Fleet(history) => (history.acknowledged(), Coverage::default()),
        }
    }

    fn judge(&self, judge: &Judge, beside: &Beside) -> Tally {
        match &self.evidence {
            Evidence::Router(tracked) => judge.judge(self.run, self.reply, tracked, beside),
            Evidence::Fleet(history) => judge.judge_fleet(history),
        }
    }
}

/// Carries out `runs`, then whatever fresh routers the rules need, and judges: one result a run. The run of a fleet brings
/// its fresh replica itself; see [`crate::closing`].
///
/// # Errors
///
/// A fault of the router under test, or an answer with a tag that no row was given.
pub fn trial(router: &mut dyn RouterUnderTest, judge: &Judge, runs: &[Run]) -> Result<Vec<Judged>, AdapterFault> {
    let mut judged = trial_of(router, judge, runs, Picks::Few)?;
    if judge.ground.dialect.picks {
        let by_chance = |judged: &Judged| {
            let mut findings = judged.tally.findings.iter();
            findings.any(|finding| finding.rule.rule().oracle != Oracle::Absolute)
        };
        for (judged, run) in judged.iter_mut().zip(runs).filter(|(judged, _)| by_chance(judged)) {
            for again in trial_of(router, judge, std::slice::from_ref(run), Picks::Many)? {
                judged.tally = again.tally;
                judged.router_ns += again.router_ns;
            }
        }
    }
    Ok(judged)
}

/// Puts runs on trial with so many picks of each lookup.
fn trial_of(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    runs: &[Run],
    picks: Picks,
) -> Result<Vec<Judged>, AdapterFault> {
    let runs = &prepared(&judge.ground.dialect, runs, picks);
    let replies = router.run(runs)?;
    let carried: Result<Vec<Carried>, AdapterFault> = runs
        .iter()
        .zip(&replies)
        .map(|(run, reply)| Carried::new(run, reply))
        .collect();
    let carried: Vec<Carried> = carried?;
    let all: Vec<(&Carried, Orders)> = carried.iter().map(|one| (one, Orders::Two)).collect();
    let mut judged = judge_beside(router, judge, &all)?;
    let is_open = |judged: &Judged| {
        judged
            .tally
            .findings
            .iter()
            .any(|finding| finding.rule.rests_on_any_order())
    };
    let open: Vec<usize> = (0..judged.len()).filter(|place| is_open(&judged[*place])).collect();
    let that_may_clear = |place: &usize| Orders::that_may_clear(&judged[*place].tally.findings);
    let again: Vec<(&Carried, Orders)> = open
        .iter()
        .map(|place| (&carried[*place], that_may_clear(place)))
        .collect();
    for (place, again) in open.into_iter().zip(judge_beside(router, judge, &again)?) {
        judged[place].tally = again.tally;
        judged[place].router_ns += again.router_ns;
    }
    for (judged, reply) in judged.iter_mut().zip(&replies) {
        judged.router_ns += reply.router_ns.unwrap_or(0);
    }
    Ok(judged)
}

/// Judges runs beside fresh routers, whose time alone is counted.
fn judge_beside(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    carried: &[(&Carried, Orders)],
) -> Result<Vec<Judged>, AdapterFault> {
    let mut runs = Vec::new();
    let wanted: Vec<Wanted> = carried
        .iter()
        .map(|(one, orders)| one.wanted(&judge.rules, orders, &mut runs))
        .collect();
    let replies = carry_out_checked(router, &runs)?;
    let mut rest = &replies[..];
    let judged = carried.iter().zip(&wanted).map(|((carried, _), wanted)| {
        let (of_run, after) = rest.split_at(wanted.count());
        rest = after;
        let (effects, coverage) = carried.coverage(&judge.ground);
        Judged {
            tally: carried.judge(judge, &wanted.beside(of_run)),
            effects,
            router_ns: of_run.iter().filter_map(|reply| reply.router_ns).sum(),
            coverage,
        }
    });
    Ok(judged.collect())
}

/// Returns whether a finding of a trace that was not made small may be told. One that rests on fresh routers may only if
/// none gives what came, whatever the order of its rows; of a large table that is not known, and of many questions not what
/// a router picks from.
///
/// # Errors
///
/// Those of the router under test.
pub(crate) fn stands(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    run: &Run,
    finding: &Finding,
) -> Result<bool, AdapterFault> {
    let picks = judge.ground.dialect.picks;
    if run.trace.level == Level::Fleet || (!picks && !finding.rule.rests_on_any_order()) {
        return Ok(true);
    }
    if picks {
        return Ok(finding.rule.rule().oracle == Oracle::Absolute);
    }
    let mut run = run.clone();
    run.trace.steps.truncate(finding.after);
    run.questions
        .rounds
        .retain(|round| round.after as usize <= finding.after);
    let runs = prepared(&judge.ground.dialect, std::slice::from_ref(&run), Picks::Many);
    let replies = router.run(&runs)?;
    let (Some(run), Some(reply)) = (runs.first(), replies.first()) else {
        return Ok(false);
    };
    let carried = Carried::new(run, reply)?;
    let rows = match &carried.evidence {
        Evidence::Router(tracked) => tracked.tables.last().map_or(0, Table::len),
        Evidence::Fleet(_) => 0,
    };
    if rows > EVERY_ORDER_ROWS_MAX {
        return Ok(false);
    }
    let judged = judge_beside(router, &judge.of_rule(finding.rule), &[(&carried, Orders::Every)])?;
    let mut findings = judged.iter().flat_map(|judged| &judged.tally.findings);
    Ok(findings.any(|other| FindingKind::of(other) == FindingKind::of(finding)))
}
