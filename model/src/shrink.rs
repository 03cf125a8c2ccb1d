//! Delta debugging and field simplification, which keep the rule, the failure class and the kind of path.
//!
//! Steps are taken out (ddmin), then fields are made plain, then steps are taken out again, until nothing more goes: with
//! each attempt carried out on the router itself. Source: Zeller and Hildebrandt, "Simplifying and Isolating
//! Failure-Inducing Input", TSE 2002.

use std::collections::BTreeMap;

use protocol::{AdapterFault, Change, Query, RouterUnderTest, Row, Run, Step, Trace};

use crate::evidence::Way;
use crate::rules::Finding;
use crate::trial::{Judge, trial};

/// How many attempts one failure is worth.
pub const ATTEMPTS_MAX: usize = 400;

/// A failing trace, with the one question that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The rows that the router is constructed with.
    pub initial: Vec<Row>,
    /// What is done, and asked on the way.
    pub steps: Vec<Step>,
    /// What is asked at the end; nothing where the failure is in a listing, a claim or a size.
    pub query: Option<Query>,
    /// Whose listing is asked at the end.
    pub viewer: Option<Option<String>>,
    /// Whether the question is put after each step: a failure between two moments needs both.
    pub every_step: bool,
}

impl Case {
    /// The run that carries it out.
    pub fn run(&self) -> Run {
        let last = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        Run {
            initial: self.initial.clone(),
            replicas: 0,
            steps: self.steps.clone(),
            observe: if self.every_step {
                (0..=last).collect()
            } else {
                vec![last]
            },
            queries: self.query.iter().cloned().collect(),
            viewers: self.viewer.iter().cloned().collect(),
        }
    }

    /// The trace that does this and asks that.
    pub fn to_trace(&self, why: &str) -> Trace {
        let asked = self.query.iter().cloned().map(Step::Lookup);
        Trace::new(
            why,
            self.initial.clone(),
            self.steps.iter().cloned().chain(asked).collect(),
        )
    }

    /// How long it is: what shrinking makes less of.
    pub fn size(&self) -> usize {
        let rows = self
            .steps
            .iter()
            .filter_map(Step::change)
            .map(|change| change.rows().len().max(1));
        let lookups = self.steps.iter().filter(|step| step.change().is_none()).count();
        self.initial.len() + rows.sum::<usize>() + lookups
    }

    fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        let changed = self.steps.iter_mut().flat_map(|step| match step {
            Step::Change(Change::Upsert(row) | Change::Add(row)) => std::slice::from_mut(row),
            Step::Change(Change::Replace(rows)) => rows.as_mut_slice(),
            Step::Change(Change::Delete(_)) | Step::Lookup(_) | Step::Fleet(_) => &mut [],
        });
        self.initial.iter_mut().chain(changed)
    }
}

/// What must stay the same while a trace shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// The rule.
    pub rule: &'static str,
    /// The failure class.
    pub class: &'static str,
    /// The kind of path.
    pub way: Way,
}

impl Kind {
    /// The kind of a finding.
    pub fn of(finding: &Finding) -> Self {
        Self {
            rule: finding.rule,
            class: finding.class,
            way: finding.way,
        }
    }
}

/// A failure made small.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The trace.
    pub case: Case,
    /// What it shows.
    pub finding: Finding,
    /// How many attempts it took.
    pub attempts: usize,
}

/// Makes the failure that `finding` is of `run` small; `None` where it does not show again, even on the whole run.
///
/// # Errors
///
/// Those of the router under test.
pub fn shrink(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    run: &Run,
    finding: &Finding,
) -> Result<Option<Shrunk>, AdapterFault> {
    // The other rules would only cost time, above all those that build fresh routers.
    let judge = &judge.of_rule(router.hello(), finding.rule);
    let mut shrinker = Shrinker {
        router,
        judge,
        kind: Kind::of(finding),
        attempts: 0,
        best: None,
    };
    for case in first_cases(run, finding) {
        if shrinker.attempt(case)? {
            break;
        }
    }
    if shrinker.best.is_none() {
        return Ok(None);
    }
    shrinker.reach_fixpoint()?;
    Ok(shrinker.best.map(|(case, finding)| Shrunk {
        case,
        finding,
        attempts: shrinker.attempts,
    }))
}

/// The cases to begin with, likely ones first: the steps up to the failure that touch its row, then all of them, then
/// with the question put after each, then with every question that was put.
fn first_cases(run: &Run, finding: &Finding) -> Vec<Case> {
    let steps: Vec<Step> = run.steps[..finding.after].to_vec();
    let whole = Case {
        initial: run.initial.clone(),
        steps: steps.clone(),
        query: finding.query.clone(),
        viewer: finding.viewer.clone(),
        every_step: finding.rule == "atomic-refusal",
    };
    let touching = finding.id.as_ref().map(|id| Case {
        initial: whole.initial.iter().filter(|row| row.id == *id).cloned().collect(),
        steps: steps
            .iter()
            .filter(|step| step.change().is_some_and(|change| touches(change, id)))
            .cloned()
            .collect(),
        ..whole.clone()
    });
    let asking = |queries: &[Query]| {
        let mut asking = whole.clone();
        let asked = || queries.iter().cloned().map(Step::Lookup);
        let after_each = steps
            .iter()
            .cloned()
            .flat_map(|step| std::iter::once(step).chain(asked()));
        asking.steps = asked().chain(after_each).collect();
        asking
    };
    let own: Vec<Query> = finding.query.iter().cloned().collect();
    let asking = [asking(&own), asking(&run.queries)];
    let within_bounds = |case: &Case| case.steps.len() <= protocol::wire::RUN_STEPS_MAX;
    touching
        .into_iter()
        .chain([whole.clone()])
        .chain(asking)
        .filter(within_bounds)
        .collect()
}

/// Whether a change is about the row of that id.
pub fn touches(change: &Change, id: &str) -> bool {
    match change {
        Change::Upsert(row) | Change::Add(row) => row.id == id,
        Change::Delete(deleted) => deleted == id,
        Change::Replace(_) => true,
    }
}

struct Shrinker<'a> {
    router: &'a mut dyn RouterUnderTest,
    judge: &'a Judge,
    kind: Kind,
    attempts: usize,
    /// The smallest case so far, and what it shows.
    best: Option<(Case, Finding)>,
}

impl Shrinker<'_> {
    /// Carries the case out, and keeps it if it still fails in the same way.
    fn attempt(&mut self, case: Case) -> Result<bool, AdapterFault> {
        if self.attempts >= ATTEMPTS_MAX || self.best.as_ref().is_some_and(|(best, _)| *best == case) {
            return Ok(false);
        }
        self.attempts += 1;
        let judged = trial(self.router, self.judge, &[case.run()])?;
        let mut findings = judged.into_iter().flat_map(|judged| judged.tally.findings);
        let finding = findings.find(|finding| Kind::of(finding) == self.kind);
        let fails = finding.is_some();
        if let Some(finding) = finding {
            self.best = Some((case, finding));
        }
        Ok(fails)
    }

    fn best(&self) -> Case {
        let (case, _) = self.best.as_ref().expect("shrinking starts from a case that fails");
        case.clone()
    }

    fn reach_fixpoint(&mut self) -> Result<(), AdapterFault> {
        loop {
            let before = self.best();
            self.remove_initial()?;
            self.remove_steps()?;
            self.simplify_steps()?;
            self.simplify_rows()?;
            if self.best() == before {
                break;
            }
        }
        self.rename()?;
        Ok(())
    }

    /// Rows of the construction go, or become upserts.
    fn remove_initial(&mut self) -> Result<(), AdapterFault> {
        let case = self.best();
        if case.initial.is_empty() {
            return Ok(());
        }
        let upserts = case
            .initial
            .iter()
            .cloned()
            .map(|row| Step::Change(Change::Upsert(row)));
        let as_steps = Case {
            steps: upserts.chain(case.steps.iter().cloned()).collect(),
            initial: Vec::new(),
            ..case.clone()
        };
        if self.attempt(as_steps)? {
            return Ok(());
        }
        for index in (0..case.initial.len()).rev() {
            let mut without = self.best();
            without.initial.remove(index);
            self.attempt(without)?;
        }
        Ok(())
    }

    /// ddmin: takes out ever smaller runs of steps.
    fn remove_steps(&mut self) -> Result<(), AdapterFault> {
        let mut size = self.best().steps.len().div_ceil(2).max(1);
        loop {
            let mut start = 0;
            let mut removed = false;
            while start < self.best().steps.len() {
                let mut without = self.best();
                let end = (start + size).min(without.steps.len());
                without.steps.drain(start..end);
                if self.attempt(without)? {
                    removed = true;
                } else {
                    start = end;
                }
            }
            if size == 1 && !removed {
                return Ok(());
            }
            size = (size / 2).max(1);
            if self.attempts >= ATTEMPTS_MAX {
                return Ok(());
            }
        }
    }

    /// Each step becomes the plainest one that will do.
    fn simplify_steps(&mut self) -> Result<(), AdapterFault> {
        for index in 0..self.best().steps.len() {
            let Step::Change(change) = &self.best().steps[index] else {
                continue;
            };
            for plainer in plainer(change) {
                let mut case = self.best();
                case.steps[index] = Step::Change(plainer);
                if self.attempt(case)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Each row loses what it can do without. Rows that are the same version of a row stay that.
    fn simplify_rows(&mut self) -> Result<(), AdapterFault> {
        let prefix = self
            .router
            .hello()
            .dialect
            .target_prefixes
            .first()
            .cloned()
            .unwrap_or_default();
        let count = self.best().rows_mut().count();
        for index in 0..count {
            for edit in EDITS {
                let mut case = self.best();
                let Some(before) = case.rows_mut().nth(index).cloned() else {
                    break;
                };
                let mut edited = before.clone();
                edit(&mut edited, &prefix);
                // A literal target is plainer than one with wildcards, and never the other way round.
                let no_gain = edited == before || (!before.model.contains('*') && edited.model.contains('*'));
                if no_gain {
                    continue;
                }
                for row in case.rows_mut().filter(|row| **row == before) {
                    row.clone_from(&edited);
                }
                self.attempt(case)?;
            }
        }
        Ok(())
    }

    /// Ids and teams become `d1`, `d2`, `t1`; tags `v1`, `v2`, in the order in which they come.
    fn rename(&mut self) -> Result<(), AdapterFault> {
        let texts: [(&str, Field); 3] = [
            ("v", |row| Some(&mut row.tag)),
            ("t", |row| row.team.as_mut()),
            ("d", |row| Some(&mut row.id)),
        ];
        for (letter, field) in texts {
            let mut case = self.best();
            let mut names: BTreeMap<String, String> = BTreeMap::new();
            for text in case.rows_mut().filter_map(field) {
                let next = format!("{letter}{}", names.len() + 1);
                text.clone_from(names.entry(text.clone()).or_insert(next));
            }
            let rename = |text: &mut String| {
                if let Some(name) = names.get(text) {
                    text.clone_from(name);
                }
            };
            let lookups = case.steps.iter_mut().filter_map(|step| match step {
                Step::Lookup(query) => Some(query),
                Step::Change(_) | Step::Fleet(_) => None,
            });
            for query in lookups.chain(case.query.as_mut()) {
                match letter {
                    "t" => query.team.iter_mut().for_each(rename),
                    "d" => rename(&mut query.model),
                    _ => {}
                }
            }
            if letter == "t" {
                case.viewer.iter_mut().flatten().for_each(rename);
            }
            if letter == "d" {
                for step in &mut case.steps {
                    if let Step::Change(Change::Delete(id)) = step {
                        rename(id);
                    }
                }
            }
            self.attempt(case)?;
        }
        Ok(())
    }
}

/// Edits that make a row plainer, given what targets start with.
const EDITS: [fn(&mut Row, &str); 7] = [
    |row, prefix| (row.extra, row.model) = (None, format!("{prefix}up")),
    |row, _| (row.team, row.team_model_name) = (None, None),
    |row, _| row.team_model_name = None,
    |row, _| row.blocked = false,
    |row, _| row.weight = None,
    |row, _| row.extra = None,
    |row, _| row.model = with_last_segment(row, "*"),
];

/// The target with another text behind its last `/`; an extra's target is left as it is.
fn with_last_segment(row: &Row, segment: &str) -> String {
    match (row.model.rsplit_once('/'), &row.extra) {
        (Some((head, _)), None) => format!("{head}/{segment}"),
        _ => row.model.clone(),
    }
}

/// Where a text of a row is, if it has it.
type Field = fn(&mut Row) -> Option<&mut String>;

/// Changes that do less, plainest first.
fn plainer(change: &Change) -> Vec<Change> {
    match change {
        Change::Upsert(_) | Change::Delete(_) => Vec::new(),
        Change::Add(row) => vec![Change::Upsert(row.clone())],
        Change::Replace(rows) => {
            let mut plainer: Vec<Change> = rows.iter().cloned().map(Change::Upsert).collect();
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
