//! Delta debugging and field simplification, which keep the rule, the failure class and the kind of path.
//!
//! Steps are taken out (ddmin), then fields are made plain, and both again, until nothing more can go. Each attempt is
//! carried out on the router itself. Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
//! Input", TSE 2002.

mod fleet;

use std::collections::BTreeMap;

use protocol::{
    AdapterFault, Begin, Capability, Change, Hello, Level, Question, Questions, RouterUnderTest, Row, Run, Step, Trace,
};

use self::fleet::asked_where_found;
use crate::closing::fleet_run;
use crate::failure::{Failure, Finding, FindingKind, Signature, touches};
use crate::trial::{Judge, stands, trial};

/// The most attempts at making one failure small.
pub(crate) const ATTEMPTS_MAX: usize = 400;

/// The most rows of a construction that are taken out one by one from the last, which leaves those that others build on; of more
/// ever smaller runs go instead.
const ONE_BY_ONE_MAX: usize = 8;

/// Returns the run up to the step of the finding, with no other question than the one that shows it.
///
/// Of a fleet it is the whole schedule, since what shows a finding may rest on a fresh replica that comes up behind it.
pub fn about(run: &Run, finding: &Finding) -> Run {
    if run.trace.level == Level::Fleet {
        return asked_where_found(&run.trace, finding, &run.questions.asked);
    }
    let trace = Trace {
        steps: run.trace.steps[..finding.after.min(run.trace.steps.len())].to_vec(),
        ..run.trace.clone()
    };
    // Claims come with the reply to each change, and need not be asked for.
    let question = finding
        .question
        .iter()
        .filter(|question| **question != Question::Claims);
    run_asking(trace, question.cloned().collect(), run.questions.rounds.len() > 1)
}

/// The trace up to that finding, with everything that was asked on the way as steps, in the order of asking: what a router
/// remembers of its questions is part of what led to the finding.
fn spelled_out(run: &Run, finding: &Finding) -> Trace {
    let count = shown_after(run, finding);
    // The question that shows it is asked behind the trace.
    run.spelled_out(count, |done, question| {
        done < count || Some(question) != finding.question.as_ref()
    })
}

/// The number of steps done when the answer came that shows the finding: behind a change that it is about, other questions
/// among the steps may come first.
fn shown_after(run: &Run, finding: &Finding) -> usize {
    let Run { trace, questions } = run;
    let after = finding.after.min(trace.steps.len());
    let is_it = |question: &Question| Some(question) == finding.question.as_ref();
    let mut rounds = questions.rounds.iter().filter(|round| round.after as usize == after);
    let in_round = rounds.any(|round| questions.of(round).any(|(_, question)| is_it(question)));
    if in_round || matches!(trace.steps[..after].last(), Some(Step::Ask(..)) | None) {
        return after;
    }
    let is_other = |step: &&Step| matches!(step, Step::Ask(_, question) if !is_it(question));
    after + trace.steps[after..].iter().take_while(is_other).count()
}

/// The run that asks on the way what was asked, and at its end the question that shows the finding.
pub(crate) fn as_found(run: &Run, finding: &Finding) -> Run {
    if run.trace.level == Level::Fleet {
        return about(run, finding);
    }
    let asked = about(run, finding).questions.asked;
    run_asking(spelled_out(run, finding), asked, false)
}

/// The run that asks these questions at the end of a trace, or before its first step and after each.
pub fn run_asking(trace: Trace, asked: Vec<Question>, each: bool) -> Run {
    let steps = trace.steps.len();
    let questions = if each {
        Questions::after_each(asked, steps)
    } else {
        Questions::at_end(asked, steps)
    };
    Run { trace, questions }
}

/// Returns the failure with its trace carried out again and made small, or as it was if it does not show again, or none if
/// it then does not stand either. A failure of an exploration may not show again: there everything was asked on the way, and
/// rows have the tags of the alphabet.
///
/// # Errors
///
/// Those of the router under test.
pub fn shrink_failure(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    failure: &Failure,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Failure>, AdapterFault> {
    let failure = failure.clone();
    let Some(shrunk) = shrink(router, judge, &failure.run, &failure.finding, go_on)? else {
        let stands = stands(router, judge, &failure.run, &failure.finding)?;
        return Ok(stands.then_some(failure));
    };
    Ok(Some(Failure {
        signature: Signature::of(&shrunk.finding, &shrunk.run.trace.steps),
        run: shrunk.run,
        finding: shrunk.finding,
        shrunk: shrunk.least,
        ..failure
    }))
}

/// A failure made small.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The trace, with the question that shows the failure.
    pub run: Run,
    /// The finding that it shows.
    pub finding: Finding,
    /// Number of attempts that it took.
    pub attempts: usize,
    /// True if nothing more could be taken away; not where it was stopped before.
    pub least: bool,
}

/// Makes the failure small that `finding` shows in `run`, for as long as `go_on` says so; `None` if it does not show again,
/// even on the whole run.
///
/// # Errors
///
/// Those of the router under test.
pub fn shrink(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    run: &Run,
    finding: &Finding,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Shrunk>, AdapterFault> {
    shrink_until(router, judge, run, finding, &|_| false, go_on)
}

/// Makes a failure small as [`shrink`] does, until it has a signature that is enough.
///
/// # Errors
///
/// Those of the router under test.
pub(crate) fn shrink_until(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    run: &Run,
    finding: &Finding,
    is_enough: &dyn Fn(&Signature) -> bool,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Shrunk>, AdapterFault> {
    // The other rules would only cost time, above all those that build fresh routers.
    let judge = &judge.of_rule(finding.rule);
    let mut shrinker = Shrinker {
        router,
        judge,
        kind: FindingKind::of(finding),
        structure: finding.structure(),
        attempts: 0,
        is_enough,
        enough: false,
        go_on,
        stopped: false,
        best: None,
    };
    let prefix = prefix(shrinker.router.hello());
    for (trace, asked) in first_traces(run, finding, &prefix) {
        if shrinker.attempt(trace, asked)? {
            break;
        }
    }
    if shrinker.best.is_none() {
        return Ok(None);
    }
    if run.trace.level == Level::Fleet {
        shrinker.ask_less()?;
    }
    shrinker.reach_fixpoint()?;
    let least = !shrinker.stopped;
    Ok(shrinker.best.map(|(run, finding)| Shrunk {
        run: match run.trace.level {
            Level::Router => run,
            Level::Fleet => asked_where_found(&run.trace, &finding, &run.questions.asked),
        },
        finding,
        attempts: shrinker.attempts,
        least,
    }))
}

/// Returns the traces to begin with, most likely first, each with the question to ask: the steps up to the failure that
/// touch its row, if that has an extra without any first, then all changes up to it, then either with the question asked after
/// each, then all steps, then these with everything that was asked on the way, as it was asked. Targets begin with `prefix`.
fn first_traces(run: &Run, finding: &Finding, prefix: &str) -> Vec<(Trace, Vec<Question>)> {
    if run.trace.level == Level::Fleet {
        return fleet::first_traces(run, finding);
    }
    let Run { trace, questions } = about(run, finding);
    let asked = questions.asked;
    let touching = finding.id.as_ref().map(|id| {
        let mut touching = trace.clone();
        touching.setup.rows.retain(|row| row.id == *id);
        touching
            .steps
            .retain(|step| step.change().is_some_and(|change| touches(change, id)));
        touching
    });
    // One attempt spares those that would come to what is known without it.
    let plain = touching.as_ref().filter(|_| finding.extra.is_some());
    let plain = plain.map(|trace| without_extras(trace, prefix));
    let mut unasked = trace.clone();
    unasked.steps.retain(|step| !matches!(step, Step::Ask(..)));
    let with_asks = (unasked != trace).then_some(trace);
    let unasked: Vec<Trace> = plain.into_iter().chain(touching).chain([unasked]).collect();
    let on_the_way: Vec<Trace> = unasked.iter().map(|trace| asked_after_each(trace, &asked)).collect();
    let within_bounds = |trace: &Trace| trace.steps.len() <= protocol::wire::RUN_STEPS_MAX;
    unasked
        .into_iter()
        .chain(on_the_way)
        .chain(with_asks)
        .chain([spelled_out(run, finding)])
        .filter(within_bounds)
        .map(|trace| (trace, asked.clone()))
        .collect()
}

fn without_extras(trace: &Trace, prefix: &str) -> Trace {
    let mut trace = trace.clone();
    for row in trace.rows_mut().filter(|row| row.extra.is_some()) {
        make_plain(row, prefix);
    }
    trace
}

/// The trace with these questions as steps, before the first of its own and after each.
fn asked_after_each(trace: &Trace, asked: &[Question]) -> Trace {
    let questions: Vec<Step> = asked
        .iter()
        .cloned()
        .map(|question| Step::Ask(None, question))
        .collect();
    let after_each = trace
        .steps
        .iter()
        .flat_map(|step| std::iter::once(step).chain(&questions));
    Trace {
        steps: questions.iter().chain(after_each).cloned().collect(),
        ..trace.clone()
    }
}

/// Returns a part of these items, in their order, for which `fails` still holds and from which no further item can be
/// taken out (ddmin, with ever smaller runs of items). `fails` must hold for the whole list.
///
/// # Errors
///
/// Those of `fails`.
pub fn minimal<T: Clone, E>(items: Vec<T>, mut fails: impl FnMut(&[T]) -> Result<bool, E>) -> Result<Vec<T>, E> {
    let mut least = items;
    let mut size = least.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        let mut removed = false;
        while start < least.len() {
            let end = (start + size).min(least.len());
            let without = [&least[..start], &least[end..]].concat();
            if fails(&without)? {
                least = without;
                removed = true;
            } else {
                start = end;
            }
        }
        if size == 1 && !removed {
            return Ok(least);
        }
        size = (size / 2).max(1);
    }
}

struct Shrinker<'a> {
    router: &'a mut dyn RouterUnderTest,
    judge: &'a Judge,
    kind: FindingKind,
    /// The derived structure that it is about, where it is about one.
    structure: Option<&'a str>,
    attempts: usize,
    /// Asked of each trace that fails.
    is_enough: &'a dyn Fn(&Signature) -> bool,
    /// True once a trace is small enough: no further attempt is made.
    enough: bool,
    /// Asked before each attempt.
    go_on: &'a mut dyn FnMut() -> bool,
    /// True once there is no time left: no further attempt is made.
    stopped: bool,
    /// The smallest run so far, and what it shows.
    best: Option<(Run, Finding)>,
}

impl Shrinker<'_> {
    /// Carries out a trace with its question, and keeps it if it still fails in the same way.
    fn attempt(&mut self, trace: Trace, asked: Vec<Question>) -> Result<bool, AdapterFault> {
        let run = match trace.level {
            Level::Router => run_asking(trace, asked, false),
            Level::Fleet => {
                let queries = asked.iter().filter_map(Question::query).cloned().collect();
                fleet_run(trace, queries, &self.router.hello().capabilities)
            }
        };
        if self.attempts >= ATTEMPTS_MAX || self.best.as_ref().is_some_and(|(best, _)| *best == run) {
            return Ok(false);
        }
        self.stopped = self.stopped || !(self.go_on)();
        if self.stopped || self.enough {
            return Ok(false);
        }
        self.attempts += 1;
        let judged = trial(self.router, self.judge, std::slice::from_ref(&run))?;
        let mut findings = judged.into_iter().flat_map(|judged| judged.tally.findings);
        let finding =
            findings.find(|finding| FindingKind::of(finding) == self.kind && finding.structure() == self.structure);
        let fails = finding.is_some();
        if let Some(finding) = finding {
            self.enough = (self.is_enough)(&Signature::of(&finding, &run.trace.steps));
            self.best = Some((run, finding));
        }
        Ok(fails)
    }

    /// Carries out a trace with the question of the smallest run so far.
    fn attempt_trace(&mut self, trace: Trace) -> Result<bool, AdapterFault> {
        let (best, _) = self.smallest();
        let asked = best.questions.asked.clone();
        self.attempt(trace, asked)
    }

    fn smallest(&self) -> &(Run, Finding) {
        self.best.as_ref().expect("shrinking starts from a trace that fails")
    }

    fn best(&self) -> Trace {
        self.smallest().0.trace.clone()
    }

    fn reach_fixpoint(&mut self) -> Result<(), AdapterFault> {
        loop {
            let before = self.best();
            self.remove_initial()?;
            self.remove_steps()?;
            match before.level {
                Level::Router => self.simplify_steps()?,
                Level::Fleet => self.simplify_schedule()?,
            }
            self.simplify_rows()?;
            if self.best() == before {
                break;
            }
        }
        self.rename()?;
        Ok(())
    }

    /// Removes rows of the construction, or makes changes of them.
    fn remove_initial(&mut self) -> Result<(), AdapterFault> {
        let trace = self.best();
        if trace.setup.rows.is_empty() {
            return Ok(());
        }
        if let Some(putting) = putting(self.router.hello()).filter(|_| trace.level == Level::Router) {
            let mut as_steps = trace.clone();
            let rows = std::mem::take(&mut as_steps.setup.rows).into_iter();
            let changes = rows.map(|row| Step::Change(putting(row)));
            as_steps.steps.splice(0..0, changes);
            if self.attempt_trace(as_steps)? {
                return Ok(());
            }
        }
        if trace.setup.rows.len() > ONE_BY_ONE_MAX {
            minimal(trace.setup.rows.clone(), |rows| {
                let mut fewer = trace.clone();
                fewer.setup.rows = rows.to_vec();
                self.attempt_trace(fewer)
            })?;
            return Ok(());
        }
        for index in (0..trace.setup.rows.len()).rev() {
            let mut without = self.best();
            without.setup.rows.remove(index);
            self.attempt_trace(without)?;
        }
        Ok(())
    }

    fn remove_steps(&mut self) -> Result<(), AdapterFault> {
        let trace = self.best();
        minimal(trace.steps.clone(), |steps| {
            self.attempt_trace(Trace {
                setup: trace.setup.clone(),
                level: trace.level,
                steps: steps.to_vec(),
            })
        })?;
        Ok(())
    }

    /// Replaces each step by the plainest one with which the run still fails.
    fn simplify_steps(&mut self) -> Result<(), AdapterFault> {
        let putting = putting(self.router.hello());
        for index in 0..self.best().steps.len() {
            let Step::Change(change) = &self.best().steps[index] else {
                continue;
            };
            for plainer in plainer(change, putting) {
                let mut trace = self.best();
                trace.steps[index] = Step::Change(plainer);
                if self.attempt_trace(trace)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Makes each row as plain as it can be. All copies of one version of a row are edited together, since they share a
    /// tag.
    fn simplify_rows(&mut self) -> Result<(), AdapterFault> {
        let prefix = prefix(self.router.hello());
        let count = self.best().rows().count();
        for index in 0..count {
            for edit in EDITS {
                let mut trace = self.best();
                let Some(before) = trace.rows().nth(index).cloned() else {
                    break;
                };
                let mut edited = before.clone();
                edit(&mut edited, &prefix);
                // A literal target is plainer than one with wildcards, and never the other way round.
                let no_gain = edited == before || (!before.model.contains('*') && edited.model.contains('*'));
                if no_gain {
                    continue;
                }
                for row in trace.rows_mut().filter(|row| **row == before) {
                    row.clone_from(&edited);
                }
                self.attempt_trace(trace)?;
            }
        }
        Ok(())
    }

    /// Renames ids and teams to `d1`, `d2`, `t1`, and tags to `v1`, `v2`, in the order in which they come.
    fn rename(&mut self) -> Result<(), AdapterFault> {
        let dialect = self.router.hello().dialect.clone();
        for (letter, field) in RENAMED {
            if letter == "d" && !(dialect.takes_id("d1") && dialect.takes_name("d1")) {
                continue;
            }
            let (Run { mut trace, questions }, _) = self.smallest().clone();
            let mut asked = questions.asked;
            let mut names: BTreeMap<String, String> = BTreeMap::new();
            for text in trace.rows_mut().filter_map(field) {
                let next = format!("{letter}{}", names.len() + 1);
                text.clone_from(names.entry(text.clone()).or_insert(next));
            }
            for text in trace.steps.iter_mut().filter_map(|step| fleet::patched(step, letter)) {
                let next = format!("{letter}{}", names.len() + 1);
                text.clone_from(names.entry(text.clone()).or_insert(next));
            }
            let rename = |text: &mut String| {
                if let Some(name) = names.get(text) {
                    text.clone_from(name);
                }
            };
            for step in &mut trace.steps {
                match step {
                    Step::Change(Change::Delete(id)) if letter == "d" => rename(id),
                    Step::Do(op) | Step::Begin(Begin { act: op, .. }) if letter == "d" => fleet::rename_id(op, &rename),
                    Step::Ask(_, question) => rename_in(question, letter, &rename),
                    _ => {}
                }
            }
            for question in &mut asked {
                rename_in(question, letter, &rename);
            }
            self.attempt(trace, asked)?;
        }
        Ok(())
    }
}

/// The letters that new names begin with, each with the field of a row that is renamed.
const RENAMED: [(&str, Field); 3] = [
    ("v", |row| Some(&mut row.tag)),
    ("t", |row| row.team.as_mut()),
    ("d", |row| Some(&mut row.id)),
];

fn rename_in(question: &mut Question, letter: &str, rename: &dyn Fn(&mut String)) {
    match (question, letter) {
        (Question::Lookup(query), "t") => query.team.iter_mut().for_each(rename),
        (Question::Lookup(query), "d") => rename(&mut query.model),
        (Question::Listing(team), "t") => team.iter_mut().for_each(rename),
        _ => {}
    }
}

/// Edits that make a row plainer, given the prefix that targets must have.
const EDITS: [fn(&mut Row, &str); 7] = [
    make_plain,
    |row, _| (row.team, row.team_model_name) = (None, None),
    |row, _| row.team_model_name = None,
    |row, _| row.blocked = false,
    |row, _| row.weight = None,
    |row, _| row.extra = None,
    |row, _| row.model = with_last_segment(row, "*"),
];

/// Takes the extra away, and gives the row the plainest target.
fn make_plain(row: &mut Row, prefix: &str) {
    (row.extra, row.model) = (None, format!("{prefix}up"));
}

/// The prefix that the targets of a router may have.
fn prefix(hello: &Hello) -> String {
    hello.dialect.target_prefixes.first().cloned().unwrap_or_default()
}

/// The target with another text behind its last `/`; an extra's target is left as it is.
fn with_last_segment(row: &Row, segment: &str) -> String {
    match (row.model.rsplit_once('/'), &row.extra) {
        (Some((head, _)), None) => format!("{head}/{segment}"),
        _ => row.model.clone(),
    }
}

/// A text of a row, where the row has it.
type Field = fn(&mut Row) -> Option<&mut String>;

/// The plainest change that brings one row, of those that the router declares.
fn putting(hello: &Hello) -> Option<fn(Row) -> Change> {
    if hello.can(Capability::Upsert) {
        Some(Change::Upsert)
    } else {
        hello.can(Capability::Add).then_some(Change::Add)
    }
}

/// Changes that do less, plainest first; `putting` brings one row.
fn plainer(change: &Change, putting: Option<fn(Row) -> Change>) -> Vec<Change> {
    let put = |row: &Row| putting.map(|putting| putting(row.clone()));
    match change {
        Change::Upsert(_) | Change::Delete(_) => Vec::new(),
        Change::Add(row) => put(row).into_iter().filter(|plainer| plainer != change).collect(),
        Change::Replace(rows) => {
            let mut plainer: Vec<Change> = rows.iter().filter_map(put).collect();
            if !rows.is_empty() {
                plainer.push(Change::Replace(Vec::new()));
            }
            let without = |index: usize| {
                let mut rows = rows.clone();
                rows.remove(index);
                Change::Replace(rows)
            };
            plainer.extend((0..rows.len()).map(without));
            plainer
        }
    }
}
