//! `routeproof replay`: traces, against what is known of them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use model::universe::{BIG, Scope};
use model::{
    Diagnosis, Failure, Judge, Origin, RuleId, RuleSet, Seeded, Signature, Tally, about, diagnose, fleet_run,
    raised_queries, router_questions, run_asking, trial, unjudged,
};
use protocol::{
    AdapterFault, Capability, Hello, Level, Query, Question, RouterUnderTest, Row, Run, Step, TRACE_BYTES_MAX,
    TraceFile,
};

use super::interruption;
use crate::adapter::spec::Spec;
use crate::adapter::{AdapterSettings, open, open_router};
use crate::cli::ReplayArgs;
use crate::document::{Document, FindingReport, Interruption, ReplayReport, TraceReport, TraceStatus, TrialReport};
use crate::error::Error;
use crate::files::read_text;
use crate::foreign;
use crate::guard::{finish_on_signal, stopped};
use crate::output::progress;

/// The most trace files that one replay takes.
const FILES_MAX: usize = 10_000;

/// Replays the traces that the flags name.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn run(args: &ReplayArgs, settings: &AdapterSettings) -> Result<Document, Error> {
    let settings = &args.fleet.in_settings(&args.router, settings.clone())?;
    let files = files(&args.traces)?;
    if files.is_empty() {
        progress(&format!("there is no trace in {}", foreign::path(&args.traces)));
        return Ok(Document::Replay(ReplayReport {
            trial: None,
            traces: Vec::new(),
            interrupted: None,
        }));
    }
    // A file that cannot be read is reported before anything is tried.
    for file in &files {
        read(file)?;
    }
    let mut opened = Opened {
        spec: &args.router,
        settings,
        routers: BTreeMap::new(),
    };
    let first = read(&files[0])?.file.trace.level;
    let trial = TrialReport::new(&args.router.to_string(), opened.of(first)?.hello());
    let _finishing = finish_on_signal();
    let mut traces = Vec::with_capacity(files.len());
    let interrupted = match replay(&files, &mut opened, &mut traces) {
        Ok(()) => None,
        Err(Error::Adapter(fault)) => Some(interruption(&fault)),
        Err(error) => return Err(error),
    };
    let interrupted = interrupted.or_else(|| stopped().map(Interruption::Signal));
    Ok(Document::Replay(ReplayReport {
        trial: Some(trial),
        traces,
        interrupted,
    }))
}

/// Lists the trace files at `path`: the file itself, or every `.toml` file below a directory, in the order of their names.
///
/// # Errors
///
/// A usage error that names what cannot be read, or says that there are more than `FILES_MAX`.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    if path.is_dir() {
        gather(path, &mut files).map_err(|why| usage(path, why))?;
        if files.len() > FILES_MAX {
            let what = format!("there are more than {FILES_MAX} traces here; replay its directories one by one");
            return Err(usage(path, what));
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    Ok(files)
}

/// Adds the trace files below `dir`; goes no further than one beyond [`FILES_MAX`].
fn gather(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        // Links are not followed: a loop of them has no end.
        if entry.file_type()?.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            break;
        }
    }
    Ok(())
}

/// A trace file, and the rule that it names.
#[derive(Clone, Debug)]
pub(crate) struct KeptTrace {
    /// The content of the file.
    pub file: TraceFile,
    /// The rule that it breaks, or broke.
    pub rule: Option<RuleId>,
}

/// Reads one trace.
///
/// # Errors
///
/// A usage error that names the file.
pub(crate) fn read(path: &Path) -> Result<KeptTrace, Error> {
    let text = read_text(path, TRACE_BYTES_MAX).map_err(|why| usage(path, why))?;
    let file = TraceFile::parse(&text).map_err(|why| usage(path, why))?;
    let rule = file.rule.as_deref().map(str::parse).transpose();
    Ok(KeptTrace {
        rule: rule.map_err(|why| usage(path, why))?,
        file,
    })
}

fn usage(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{}: {why}", foreign::path(path)))
}

/// A router under test and the fleet that goes by the same name, each opened when it is first needed.
struct Opened<'a> {
    spec: &'a Spec,
    settings: &'a AdapterSettings,
    routers: BTreeMap<Level, Box<dyn RouterUnderTest>>,
}

impl Opened<'_> {
    /// The one that carries out traces of that level, if there is one for each; else the only one.
    ///
    /// # Errors
    ///
    /// A fault of the adapter that is opened.
    fn of(&mut self, level: Level) -> Result<&mut dyn RouterUnderTest, AdapterFault> {
        let names_both = self.spec.names_both_levels();
        Ok(
            match self.routers.entry(if names_both { level } else { Level::Router }) {
                Entry::Occupied(opened) => opened.into_mut(),
                Entry::Vacant(vacant) if names_both => vacant.insert(open(self.spec, level, self.settings, &progress)?),
                Entry::Vacant(vacant) => vacant.insert(open_router(self.spec, self.settings, &progress)?),
            }
            .as_mut(),
        )
    }
}

/// Replays the traces in `files`, one at a time, and adds a report of each.
///
/// # Errors
///
/// See [`Error`].
fn replay(files: &[PathBuf], opened: &mut Opened<'_>, reports: &mut Vec<TraceReport>) -> Result<(), Error> {
    for file in files {
        if stopped().is_some() {
            break;
        }
        let kept = read(file)?;
        let file = file.display().to_string();
        let router = opened.of(kept.file.trace.level)?;
        let hello = router.hello().clone();
        reports.push(match unfit(&kept.file, &hello) {
            Some(why) => TraceReport {
                file,
                status: TraceStatus::Skipped,
                reason: Some(why),
                findings: Vec::new(),
            },
            None => one(&file, &kept, &hello, router).inspect_err(|_| tell_of_fault(&file))?,
        });
    }
    Ok(())
}

/// The premises and findings of a trace.
pub(super) fn judged(kept: &KeptTrace, judge: &Judge, router: &mut dyn RouterUnderTest) -> Result<Tally, AdapterFault> {
    let run = to_run(kept, router.hello());
    let mut judged = trial(router, judge, &[run])?;
    Ok(judged.pop().map_or_else(Tally::default, |judged| judged.tally))
}

/// Carries out a trace that names its rule, and diagnoses the first finding, if there is one.
///
/// # Errors
///
/// Those of the router under test.
pub(crate) fn diagnosed(
    kept: &KeptTrace,
    judge: &Judge,
    router: &mut dyn RouterUnderTest,
) -> Result<Option<Diagnosis>, AdapterFault> {
    let Some(rule) = kept.rule else { return Ok(None) };
    let run = to_run(kept, router.hello());
    let judged = trial(router, &judge.of_rule(rule), std::slice::from_ref(&run))?;
    let Some(finding) = judged.into_iter().flat_map(|judged| judged.tally.findings).next() else {
        return Ok(None);
    };
    let run = about(&run, &finding);
    let failure = Failure {
        signature: Signature::of(&finding, &run.trace.steps),
        origin: Origin {
            universe: "known",
            trace: 0,
            steps: run.trace.steps.len(),
        },
        finding,
        run,
        count: 1,
        // Whoever wrote it made it small.
        shrunk: true,
    };
    diagnose(router, judge, &failure).map(Some)
}

/// Says which trace was under way.
fn tell_of_fault(file: &str) {
    if stopped().is_none() {
        progress(&format!(
            "{}: the adapter failed while this was replayed",
            foreign::escaped(file)
        ));
    }
}

fn one(name: &str, kept: &KeptTrace, hello: &Hello, router: &mut dyn RouterUnderTest) -> Result<TraceReport, Error> {
    let KeptTrace { file, rule } = kept;
    let rules = rule.map_or_else(|| RuleSet::of(file.trace.level), RuleSet::only);
    let findings = judged(kept, &Judge::new(hello, rules)?, router)?.findings;
    let of_this_router = file.router.as_deref() == Some(&hello.router);
    let affected = of_this_router && file.affects(&hello.version).unwrap_or(false);
    Ok(TraceReport {
        file: name.to_owned(),
        status: match (findings.is_empty(), affected) {
            (true, false) => TraceStatus::Holds,
            (true, true) => TraceStatus::NotReproduced,
            (false, true) => TraceStatus::Reproduced,
            (false, false) => TraceStatus::Violates,
        },
        reason: None,
        findings: findings
            .iter()
            .map(|finding| FindingReport::new(finding, hello))
            .collect(),
    })
}

/// The reason why a trace says nothing of this router, if there is one.
pub(crate) fn unfit(file: &TraceFile, hello: &Hello) -> Option<String> {
    if let Some(router) = file
        .router
        .as_deref()
        .filter(|router| *router != hello.router && file.affected.is_some())
    {
        return Some(format!("a trace of {router}"));
    }
    match (file.trace.level, hello.can(Capability::Fleet)) {
        (Level::Fleet, false) => return Some("a fleet's trace, and this is one router".to_owned()),
        (Level::Router, true) => return Some("a router's trace, and this is a fleet".to_owned()),
        _ => {}
    }
    if let Some(lacking) = file.trace.needs().into_iter().find(|need| !hello.can(*need)) {
        return Some(format!("this router does not declare `{}`", lacking.word()));
    }
    let taken = |row: &&Row| {
        let names = [Some(&row.model_name), row.team_model_name.as_ref()];
        let names_are_taken = names.into_iter().flatten().all(|name| hello.dialect.takes_name(name));
        names_are_taken && hello.dialect.takes_id(&row.id)
    };
    if let Some(row) = file.trace.rows().find(|row| !taken(row)) {
        return Some(format!("this router cannot take the id or the name of `{}`", row.id));
    }
    let mut extras = file.trace.rows().filter_map(|row| row.extra.as_ref());
    let known = |extra: &String| hello.dialect.extras.iter().any(|known| known.name == *extra);
    let unknown = extras.find(|extra| !known(extra))?;
    Some(format!("this router has no extra `{unknown}`"))
}

/// Returns the reason why a trace can show nothing of this router, if there is one: it does not fit the router, or the rule
/// that it names is not judged there.
pub(crate) fn shows_nothing(kept: &KeptTrace, hello: &Hello) -> Option<String> {
    let of_rule = |rule: RuleId| Some(format!("{rule} is not judged here: {}", not_judged(rule, hello)?));
    unfit(&kept.file, hello).or_else(|| kept.rule.and_then(of_rule))
}

/// Returns the reason why nothing of a rule is judged of this router, if that is so.
pub(crate) fn not_judged(rule: RuleId, hello: &Hello) -> Option<String> {
    let mut unjudged = unjudged(hello, &RuleSet::only(rule)).into_iter();
    unjudged.find(|one| one.whole).map(|one| one.reason)
}

/// Returns the run of a trace. It asks the lookups of the trace, or, if there are none, every question that its rows
/// raise.
pub(crate) fn to_run(kept: &KeptTrace, hello: &Hello) -> Run {
    let mut trace = kept.file.trace.clone();
    let queries: BTreeSet<Query> = trace
        .steps
        .iter()
        .filter_map(Step::question)
        .filter_map(Question::query)
        .cloned()
        .collect();
    let rows: Vec<&Row> = trace.rows().collect();
    let scope = Scope::new(&BIG, hello);
    let raised = if queries.is_empty() {
        raised_queries(&scope, &rows, &mut Seeded::new(0, 0))
    } else {
        queries.into_iter().collect()
    };
    if trace.level == Level::Fleet {
        return fleet_run(trace, raised, &hello.capabilities);
    }
    let teams: BTreeSet<Option<String>> = rows.iter().map(|row| row.team.clone()).chain([None]).collect();
    // What is asked at the end is asked once, in its order, and before all else: an answer may depend on the one before.
    let end = trace
        .steps
        .iter()
        .rposition(|step| !matches!(step, Step::Ask(..)))
        .map_or(0, |last| last + 1);
    let at_end = trace.steps.split_off(end);
    let mut all: Vec<Question> = at_end.iter().filter_map(Step::question).cloned().collect();
    let others = router_questions(&scope, raised, teams);
    all.extend(
        others
            .into_iter()
            .filter(|question| !all.contains(question))
            .collect::<Vec<_>>(),
    );
    // A refusal is judged by the answers around it. Where the trace says what was asked before, to ask more than that may
    // hide its failure.
    let asks = trace.steps.iter().any(|step| step.question().is_some());
    run_asking(trace, all, kept.rule == Some(RuleId::AtomicRefusal) && !asks)
}

#[cfg(test)]
mod tests {
    use protocol::{Change, Trace};

    use super::*;
    use crate::adapter::builtin;

    #[test]
    fn a_refusal_is_asked_about_after_each_step_only_where_its_trace_says_not_what_was_asked() {
        let change = || Step::Change(Change::Delete("d1".to_owned()));
        let asked = || Step::lookup(Query::new("a", None));
        let rounds = |rule: RuleId, steps: Vec<Step>| {
            let kept = KeptTrace {
                file: TraceFile::new("asked", Trace::of_router(Vec::new(), steps)),
                rule: Some(rule),
            };
            let run = to_run(&kept, builtin::reference().hello());
            run.questions
                .rounds
                .iter()
                .map(|round| round.after)
                .collect::<Vec<u32>>()
        };
        let refusal = RuleId::AtomicRefusal;
        assert_eq!(rounds(refusal, vec![change(), change(), asked()]), [0, 1, 2]);
        assert_eq!(rounds(refusal, vec![change(), asked(), change(), asked()]), [3]);
        assert_eq!(rounds(RuleId::Current, vec![change(), change(), asked()]), [2]);
    }
}
