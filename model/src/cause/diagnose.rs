//! The guilty step of one failure, and what it left behind.

use std::collections::BTreeSet;

use protocol::{AdapterFault, Change, Level, Outcome, Question, RouterUnderTest, Row, Shown, Step, Trace};

use super::own::Own;
use super::stage::{Face, Misfit, Stage, matrix, prefixes, stages, surplus};
use super::{CauseKey, Harm, Lasts, Remains, Told, Wrong, lasts, schedule};
use crate::failure::{Allowed, Failure, Finding, Got, Tier};
use crate::rules::{Oracle, RuleId};
use crate::shrink::run_asking;
use crate::trial::{Judge, trial};

/// The most steps of a trace whose prefixes are tried: what was not made small may have more.
///
/// It bounds the runs of one diagnosis: a prefix takes one run and those of its fresh routers.
const DIAGNOSED_STEPS_MAX: usize = 40;

/// The words of a reason that tell it apart from others.
const REASON_WORDS: usize = 6;

/// The step that is to blame for a failure, and what it left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The key of its cause.
    pub key: CauseKey,
    /// The key of what else the guilty step left behind, beside the growth of a structure.
    pub also: Option<CauseKey>,
    /// Number of steps done by then, the guilty one included; absent where no step is to blame.
    pub guilty: Option<usize>,
    /// The structures that hold a version since then that should be gone, or one copy too many.
    pub keeping: BTreeSet<String>,
    /// The first words of the reason for which the guilty step was refused, or no fresh router can be built.
    pub reason: Option<String>,
    /// The router before the first step and after each, as far as it was seen.
    pub told: Vec<Told>,
    /// Number of runs that the diagnosis took.
    pub runs: usize,
}

/// A failure, and the stages of its trace.
struct Scene<'a> {
    failure: &'a Failure,
    own: Own,
    stages: Vec<Stage>,
    /// The structure that is the router's own registry, where it says which.
    registry: Option<&'a str>,
    /// The number of the stage at which the answer is wrong.
    end: usize,
}

/// Finds the step that is to blame for a failure. The failure is best shrunk: each step of a small trace is needed.
///
/// # Errors
///
/// Those of the router under test.
pub fn diagnose(router: &mut dyn RouterUnderTest, judge: &Judge, failure: &Failure) -> Result<Diagnosis, AdapterFault> {
    let trace = &failure.run.trace;
    if let Some(mut diagnosis) = Diagnosis::without_a_run(failure) {
        (diagnosis.told, diagnosis.runs) = (schedule::told(router, failure)?, 2);
        if let CauseKey::Schedule(schedule) = &mut diagnosis.key {
            schedule.until = lasts(router, judge, failure, 0)?.and_then(Lasts::until);
        }
        return Ok(diagnosis);
    }
    if trace.level == Level::Fleet || trace.steps.len() > DIAGNOSED_STEPS_MAX {
        return Ok(Diagnosis::unexplained(&failure.finding));
    }
    let own = Own::of(&failure.finding);
    let asked = matrix(router.hello(), trace, failure.finding.question.as_ref());
    let (stages, runs) = stages(router, prefixes(trace), &asked)?;
    let registry = judge.ground().registry.as_deref();
    let scene = Scene::new(failure, registry, own, stages);
    let mut diagnosis = match scene.decided(router, &asked)? {
        Some(diagnosis) => diagnosis,
        None if scene.differs(scene.end) => {
            let asks = trace.steps.iter().any(|step| matches!(step, Step::Ask(..)));
            if asks && scene.is_right_unasked(router, &asked)? {
                Diagnosis::of(CauseKey::AskedBefore)
            } else {
                scene.state(router, &asked)?
            }
        }
        None => scene.lookup(router, judge, &asked)?,
    };
    diagnosis.told = scene.stages.iter().map(Stage::told).collect();
    diagnosis.runs += runs;
    Ok(diagnosis)
}

fn unexplained(finding: &Finding) -> CauseKey {
    CauseKey::Unexplained {
        rule: finding.rule,
        class: finding.class.to_owned(),
    }
}

impl Diagnosis {
    /// The diagnosis of a failure that was not looked into.
    pub fn unexplained(finding: &Finding) -> Self {
        Self::of(unexplained(finding))
    }

    /// The diagnosis of a failure that explains itself, as a schedule does.
    pub fn without_a_run(failure: &Failure) -> Option<Self> {
        let explains_itself = failure.run.trace.level == Level::Fleet && schedule::is_plain(failure);
        explains_itself.then(|| Self::of(CauseKey::Schedule(schedule::schedule(failure))))
    }

    /// A diagnosis that blames no step.
    fn of(key: CauseKey) -> Self {
        Self {
            key,
            also: None,
            guilty: None,
            keeping: BTreeSet::new(),
            reason: None,
            told: Vec::new(),
            runs: 0,
        }
    }
}

impl<'a> Scene<'a> {
    fn new(failure: &'a Failure, registry: Option<&'a str>, own: Own, stages: Vec<Stage>) -> Self {
        let last = stages.len() - 1;
        let mut scene = Self {
            failure,
            own,
            stages,
            registry,
            end: failure.finding.after.min(last),
        };
        // A refusal that puts things right is a change all the same: what was wrong is what was there before.
        let is_refusal =
            failure.finding.rule == RuleId::AtomicRefusal && !matches!(failure.finding.got, Got::Outcome(_));
        let is_mended = is_refusal && scene.end > 0 && !scene.differs(scene.end);
        scene.end -= usize::from(is_mended && scene.differs(scene.end - 1));
        scene
    }

    fn differs(&self, stage: usize) -> bool {
        self.own.differs(&self.stages[stage])
    }

    /// A change that was decided wrongly, or a row that was accepted and that no router holds.
    fn decided(&self, router: &mut dyn RouterUnderTest, asked: &[Question]) -> Result<Option<Diagnosis>, AdapterFault> {
        let Got::Outcome(got) = &self.failure.finding.got else {
            return Ok(self.left_out());
        };
        // What was out of step before it explains a decision.
        let moved = |stage: &Stage| stage.moved();
        match self.end.checked_sub(1).filter(|before| moved(&self.stages[*before])) {
            Some(before) => self.blame(router, asked, before, &moved).map(Some),
            None => Ok(Some(self.decision(got))),
        }
    }

    fn decision(&self, got: &Outcome) -> Diagnosis {
        let finding = &self.failure.finding;
        let reason = match (&finding.allowed, got) {
            (Allowed::Outcome(Outcome::Refused(why)), _) | (_, Outcome::Refused(why)) => self.head(why),
            _ => String::new(),
        };
        let verb = self.verb(self.end);
        Diagnosis {
            guilty: Some(self.end),
            ..Diagnosis::of(CauseKey::Decision {
                class: finding.class.to_owned(),
                verb,
                reason,
            })
        }
    }

    /// A row that was accepted and that a fresh router does not hold either.
    fn left_out(&self) -> Option<Diagnosis> {
        let finding = &self.failure.finding;
        let id = finding.id.as_ref().filter(|_| finding.class == "not-held")?;
        let held = self.stages[self.end].first_fresh()?.held.as_ref()?;
        let key = CauseKey::LeftOut { extras: self.extras() };
        (!held.contains(id)).then(|| Diagnosis {
            guilty: Some(self.end),
            ..Diagnosis::of(key)
        })
    }

    /// Returns whether the answer is right at the end of the trace without the questions on its way.
    fn is_right_unasked(&self, router: &mut dyn RouterUnderTest, asked: &[Question]) -> Result<bool, AdapterFault> {
        let mut trace = self.failure.run.trace.clone();
        trace.steps.retain(|step| !matches!(step, Step::Ask(..)));
        let (stages, _) = stages(router, vec![trace], asked)?;
        Ok(stages.last().is_some_and(|stage| !self.own.differs(stage)))
    }

    /// The router is as a fresh one would be, so the answer is looked up wrongly, or depends on what was asked before.
    fn lookup(
        &self,
        router: &mut dyn RouterUnderTest,
        judge: &Judge,
        asked: &[Question],
    ) -> Result<Diagnosis, AdapterFault> {
        let Failure { finding, run, .. } = self.failure;
        let stage = &self.stages[self.end];
        // What an order of rows breaks is shown by a fresh router, and not by this one.
        if finding.rule != RuleId::OrderFree && !self.own.is_as_reported(stage, &finding.got) {
            let judged = trial(router, &judge.of_rule(finding.rule), std::slice::from_ref(run))?;
            let mut again = judged.iter().flat_map(|judged| &judged.tally.findings);
            let key = if again.any(|again| again.got == finding.got) {
                CauseKey::AskedBefore
            } else {
                unexplained(finding)
            };
            return Ok(Diagnosis::of(key));
        }
        if matches!(self.own, Own::Size(_)) {
            return Ok(Diagnosis::of(unexplained(finding)));
        }
        let trace = Trace {
            steps: run.trace.steps[..self.end].to_vec(),
            ..run.trace.clone()
        };
        let broken = broken(router, judge, trace, asked)?;
        let question = self.behind(&broken);
        let mut findings: Vec<&Finding> = broken
            .iter()
            .filter(|other| other.question.as_ref() == question)
            .collect();
        if question == finding.question.as_ref() {
            findings.push(finding);
        }
        let unblocked = self.unblocked(router, judge, question, &findings)?;
        findings.extend(&unblocked);
        Ok(Diagnosis::of(self.lookup_key(judge, &findings)))
    }

    /// The question whose answer is to blame: that of the failure, or a lookup of a name that is listed, or hidden, because
    /// the lookup answers it, or does not.
    fn behind<'b>(&'b self, broken: &'b [Finding]) -> Option<&'b Question> {
        let finding = &self.failure.finding;
        let (Some(Question::Listing(team)), Allowed::Names(allowed), Got::Names(got)) =
            (&finding.question, &finding.allowed, &finding.got)
        else {
            return finding.question.as_ref();
        };
        let wrong = surplus(got, allowed);
        let is_of_name = |question: &&Question| {
            let query = question.query();
            query.is_some_and(|query| query.team == *team && wrong.contains_key(&query.model))
        };
        let mut questions = broken.iter().filter_map(|other| other.question.as_ref());
        questions.find(is_of_name).or(finding.question.as_ref())
    }

    /// Returns the findings of the same answer where no row is blocked, which tell more than that a row is.
    fn unblocked(
        &self,
        router: &mut dyn RouterUnderTest,
        judge: &Judge,
        question: Option<&Question>,
        findings: &[&Finding],
    ) -> Result<Vec<Finding>, AdapterFault> {
        let mut trace = self.failure.run.trace.clone();
        let is_refusal = findings.iter().all(|finding| finding.rule == RuleId::Complete);
        let (Some(question), true, true) = (question, is_refusal, trace.rows().any(|row| row.blocked)) else {
            return Ok(Vec::new());
        };
        trace.rows_mut().for_each(|row| row.blocked = false);
        let mut broken = broken(router, judge, trace, std::slice::from_ref(question))?;
        broken.retain(|finding| finding.question.as_ref() == Some(question));
        Ok(broken)
    }

    /// The key of an answer that breaks rules in all these ways.
    fn lookup_key(&self, judge: &Judge, findings: &[&Finding]) -> CauseKey {
        let worst = findings.iter().min_by_key(|finding| (Harm::of(finding), finding.rule));
        let Some(&worst) = worst else {
            return unexplained(&self.failure.finding);
        };
        let by_order =
            worst.rule.rule().oracle != Oracle::Absolute && self.own.depends_on_order(&self.stages[self.end]);
        let (rule, class) = if by_order || worst.rule.rule().oracle == Oracle::Metamorphic {
            (RuleId::OrderFree, "order")
        } else {
            (worst.rule, worst.class)
        };
        let by_path = matches!(rule, RuleId::Scoped | RuleId::NotBlocked);
        let breaking = findings.iter().filter(|finding| by_path && finding.rule == rule);
        let paths = breaking.filter_map(|finding| judge.ground().paths.get(finding.path).cloned());
        CauseKey::Lookup {
            rule,
            class: class.to_owned(),
            paths: paths.collect(),
            by_id: worst.tier == Some(Tier::Id),
            extras: self.extras(),
        }
    }

    /// The router is not as a fresh one would be: some step is to blame.
    fn state(&self, router: &mut dyn RouterUnderTest, asked: &[Question]) -> Result<Diagnosis, AdapterFault> {
        let diagnosis = self.blame(router, asked, self.end, &|stage| self.own.differs(stage))?;
        let Own::Size(structure) = &self.own else {
            return Ok(diagnosis);
        };
        let guilty = diagnosis.guilty.unwrap_or(self.end);
        // The size is but a sign where lookups are wrong too.
        if self.stages[guilty].answers_wrongly() {
            return Ok(diagnosis);
        }
        Ok(Diagnosis {
            key: CauseKey::Growth {
                structure: structure.clone(),
                fewer: matches!(self.failure.finding.allowed, Allowed::NoFewer(_)),
            },
            also: self.stages[guilty].moved().then_some(diagnosis.key),
            ..diagnosis
        })
    }

    /// Blames the first of the steps up to stage `end` since which the router has been wrong, or an earlier one that left it
    /// out of step in a way that explains this.
    fn blame(
        &self,
        router: &mut dyn RouterUnderTest,
        asked: &[Question],
        end: usize,
        is_wrong: &dyn Fn(&Stage) -> bool,
    ) -> Result<Diagnosis, AdapterFault> {
        let mut guilty = first_of_last(end, |stage| is_wrong(&self.stages[stage]));
        let mut runs = 0;
        while guilty > 1 && self.is_explained_before(guilty) {
            let mended = self.started_at(guilty - 1);
            let (stages, more) = stages(router, vec![mended], asked)?;
            runs += more;
            if stages.iter().any(is_wrong) {
                break;
            }
            guilty -= 1;
        }
        let stage = &self.stages[guilty];
        let refused_for = match &stage.change {
            Some((_, Outcome::Refused(why))) => Some(why.as_str()),
            _ => stage.unbuildable(),
        };
        Ok(Diagnosis {
            guilty: Some(guilty),
            keeping: stage.keeping(self.registry),
            reason: refused_for.map(|why| self.head(why)),
            runs,
            ..Diagnosis::of(self.key(guilty))
        })
    }

    /// The trace with a fresh router of the rows of that stage in place of the steps that led to it: if the answer is right
    /// then, those steps left behind what makes it wrong.
    fn started_at(&self, stage: usize) -> Trace {
        let trace = &self.failure.run.trace;
        Trace::of_router(
            self.stages[stage].arrivals.clone(),
            trace.steps[stage..self.end].to_vec(),
        )
    }

    /// Returns whether the router was out of step in the same way one step before a stage.
    fn is_explained_before(&self, stage: usize) -> bool {
        let tags = self.wrong_versions(stage);
        let explains = |misfit: &Misfit| match misfit {
            Misfit::Served(_, tag)
            | Misfit::ServedCopy(_, tag)
            | Misfit::Unserved(_, tag)
            | Misfit::Holds(_, tag, _)
            | Misfit::HoldsCopy(_, tag) => tags.contains(tag),
            Misfit::Claimed(..) | Misfit::Size(..) => true,
            Misfit::Listed(..) => false,
        };
        let [before, now] = [stage - 1, stage].map(|stage| self.stages[stage].misfits());
        now.intersection(&before).any(explains)
    }

    /// The versions that are too many or missing in the answer at a stage.
    fn wrong_versions(&self, stage: usize) -> BTreeSet<String> {
        let stage = &self.stages[stage];
        let (Some(fresh), Own::Lookup(_)) = (stage.first_fresh(), &self.own) else {
            return BTreeSet::new();
        };
        let of_own = |face: &Face| Face {
            shown: face.shown.iter().take(1).cloned().collect(),
            held: None,
        };
        let own = Stage {
            here: of_own(&stage.here),
            fresh: vec![Ok(of_own(fresh))],
            ..stage.clone()
        };
        let tag = |misfit| match misfit {
            Misfit::Served(_, tag) | Misfit::ServedCopy(_, tag) | Misfit::Unserved(_, tag) => Some(tag),
            _ => None,
        };
        own.misfits().into_iter().filter_map(tag).collect()
    }

    /// The key of the step that led to stage `guilty`.
    fn key(&self, guilty: usize) -> CauseKey {
        let stage = &self.stages[guilty];
        let Some((change, outcome)) = &stage.change else {
            return CauseKey::AskedBefore;
        };
        let before = guilty.checked_sub(1).map(|before| &self.stages[before]);
        let verb = self.verb(guilty);
        match (before, change) {
            (_, Change::Replace(_)) if stage.is_refused() => CauseKey::RefusedList,
            // A router that its construction leaves out of step with another of the same construction is no router to blame a
            // step for.
            (None, _) => unexplained(&self.failure.finding),
            (Some(before), Change::Upsert(row) | Change::Add(row)) if stage.is_refused() => CauseKey::RefusedRow {
                remains: remains(row, before, stage, self.registry),
            },
            (Some(_), _) if stage.is_refused() => CauseKey::RefusedRow {
                remains: Remains::LeftBehind,
            },
            (Some(before), _) if stage.table != before.table && stage.here == before.here => match outcome {
                Outcome::Unchanged => CauseKey::NotCarriedOut { verb },
                _ => self.applied(verb, stage, true),
            },
            // The rows can be loaded as they arrived, and not in every order.
            (Some(_), _) if matches!(self.own, Own::Built) && stage.first_fresh().is_some() => CauseKey::Lookup {
                rule: RuleId::OrderFree,
                class: self.failure.finding.class.to_owned(),
                paths: BTreeSet::new(),
                by_id: false,
                extras: self.extras(),
            },
            (Some(_), _) if stage.first_fresh().is_none() || matches!(self.own, Own::Built) => CauseKey::Unbuildable {
                verb,
                reason: stage.unbuildable().map(|why| self.head(why)).unwrap_or_default(),
            },
            (Some(_), _) => self.applied(verb, stage, false),
        }
    }

    /// The first words of a reason, without what is quoted, counted or named in it, so that two reasons of one kind are alike.
    fn head(&self, reason: &str) -> String {
        let rows = self.failure.run.trace.rows();
        let texts: BTreeSet<&str> = rows
            .flat_map(|row| [row.id.as_str(), &row.model_name, row.asked_name(), &row.model])
            .collect();
        let plain = |word: &str| {
            let is_quoted = word.contains(['`', '\'', '"', '[', '{', '*']);
            let is_of_this_trace = is_quoted || texts.contains(word);
            if is_of_this_trace || word.contains(|letter: char| letter.is_ascii_digit()) {
                "_".to_owned()
            } else {
                word.to_owned()
            }
        };
        let words: Vec<String> = reason.split_whitespace().take(REASON_WORDS).map(plain).collect();
        words.join(" ")
    }

    /// The key of an accepted change; `ignored` if it changed nothing at all.
    fn applied(&self, verb: String, stage: &Stage, ignored: bool) -> CauseKey {
        let registry_differs = stage
            .misfits()
            .iter()
            .any(|misfit| matches!(misfit, Misfit::Claimed(..)));
        let structures = if ignored {
            BTreeSet::new()
        } else {
            stage.keeping(self.registry)
        };
        CauseKey::Applied {
            verb,
            shows: match structures.is_empty() {
                _ if ignored => Wrong::Ignored,
                // Whatever else is wrong is a consequence of what is still there.
                false => Wrong::Kept,
                true => stage.wrong(),
            },
            structures,
            extras: if registry_differs {
                self.extras()
            } else {
                BTreeSet::new()
            },
        }
    }

    /// The parameter bundles without which the failure is not there: shrinking has taken out all others.
    fn extras(&self) -> BTreeSet<String> {
        let Failure {
            finding, run, shrunk, ..
        } = self.failure;
        let of_rows = run.trace.rows().filter(|_| *shrunk).filter_map(|row| row.extra.clone());
        of_rows.chain(finding.extra.clone()).collect()
    }

    fn verb(&self, stage: usize) -> String {
        let change = self.stages[stage].change.as_ref().filter(|_| stage > 0);
        change.map_or("construction", |(change, _)| change.verb()).to_owned()
    }
}

/// The ways in which the answers at the end of a trace break rules.
fn broken(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    trace: Trace,
    asked: &[Question],
) -> Result<Vec<Finding>, AdapterFault> {
    let end = trace.steps.len();
    let run = run_asking(trace, asked.to_vec(), false);
    let judged = trial(router, judge, std::slice::from_ref(&run))?;
    let findings = judged.into_iter().flat_map(|judged| judged.tally.findings);
    Ok(findings.filter(|finding| finding.after == end).collect())
}

/// The first of the stages up to `end` from which on a condition holds at each; it holds at the end.
fn first_of_last(end: usize, holds: impl Fn(usize) -> bool) -> usize {
    (0..end).rev().take_while(|stage| holds(*stage)).last().unwrap_or(end)
}

/// Returns the state of a refused row and of the version before it.
fn remains(row: &Row, before: &Stage, now: &Stage, registry: Option<&str>) -> Remains {
    let old = before.table.get(&row.id).map(|row| row.tag.as_str());
    let has = |face: &Face, tag: Option<&str>| tag.is_some_and(|tag| mentions(face, tag));
    let is_held = |face: &Face, tag: Option<&str>| match &face.held {
        Some(held) => held.contains(&row.id),
        None => has(face, tag),
    };
    let (was, is) = (is_held(&before.here, old), is_held(&now.here, Some(&row.tag)));
    if registry.is_some_and(|registry| now.here.holds(registry, &row.tag)) {
        return Remains::Held;
    }
    let old_is_gone = has(&before.here, old) && !has(&now.here, old);
    match (was, is) {
        (false, true) => Remains::Held,
        (true, true) if old_is_gone => Remains::Held,
        (true, false) => Remains::Lost,
        _ => Remains::LeftBehind,
    }
}

/// Returns whether a router answers with a version anywhere, or holds it.
fn mentions(face: &Face, tag: &str) -> bool {
    face.shown.iter().any(|shown| match shown {
        Shown::Answers(answers) => {
            let mut candidates = answers.iter().flat_map(protocol::Answer::candidates);
            candidates.any(|candidate| candidate.tag == tag)
        }
        Shown::Holds(holds) => holds.values().flatten().any(|held| held == tag),
        _ => false,
    })
}
