//! The text of a run.

use std::fmt::{self, Write};

use super::causes::{self, Numbers};
use super::steps::{asked_text, row_text, step_text};
use super::{BAD, DIM, GOOD, counted, grouped};
use crate::document::{
    Confirmation, Counts, ExplorationReport, FailureReport, Interruption, NotTried, PREMISES_MIN, RuleReport,
    RuleStatus, RunReport, SearchReport, SuspectReport, Verdict,
};
use crate::foreign::{self, SHOWN_MAX, brief as clean, clean_lines, escaped};

/// The most things that are told of what was not tried.
const NOT_TRIED_MAX: usize = 6;

/// Writes the report of a run: its causes, and each failure by itself if `all`.
pub(super) fn write(
    out: &mut impl Write,
    run: &RunReport,
    verdict: &Verdict,
    columns: usize,
    all: bool,
) -> fmt::Result {
    let (version, trial) = (env!("CARGO_PKG_VERSION"), &run.trial);
    writeln!(
        out,
        "routeproof {version}  {} {} (protocol {}, {})  seed {}",
        clean(&trial.router),
        clean(&trial.version),
        trial.protocol,
        foreign::clean(&trial.spec, SHOWN_MAX),
        run.seed
    )?;
    for exploration in &run.explorations {
        writeln!(out, "  {}", exploration_text(exploration))?;
    }
    if let Some(why) = run.unexplored {
        writeln!(out, "  not explored exhaustively, since {}", why.words())?;
    }
    for search in &run.searches {
        writeln!(out, "  {}", sweep_text(search))?;
        writeln!(out, "  {}", search_text(search))?;
    }
    match &run.interrupted {
        Some(Interruption::AdapterFault(fault)) => {
            let fault = fault.lines().next().unwrap_or_default();
            writeln!(
                out,
                "  {BAD}ended before its time{BAD:#}: {}",
                foreign::clean(fault, SHOWN_MAX)
            )?;
        }
        Some(Interruption::Signal(signal)) => writeln!(out, "  {BAD}ended before its time{BAD:#} by signal {signal}")?,
        None => {}
    }
    if let Some(suspect) = &run.suspect {
        write_suspect(out, suspect)?;
    }
    if let Some(text) = not_tried_text(&run.coverage.not_tried) {
        writeln!(out, "  {text}")?;
    }
    let excused = run.failures.iter().filter(|failure| failure.excused.is_some());
    if all || run.causes.is_empty() {
        for rule in &run.rules {
            write_rule(out, rule)?;
            for part in run.unjudged.iter().filter(|part| part.rule == rule.rule) {
                writeln!(
                    out,
                    "        {DIM}not judged: {}{DIM:#}",
                    foreign::clean(&part.reason, SHOWN_MAX)
                )?;
            }
        }
    }
    if all {
        for failure in &run.failures {
            write_failure(out, failure)?;
        }
    } else {
        for failure in excused {
            write_failure(out, failure)?;
        }
    }
    if !run.causes.is_empty() {
        writeln!(out, "\n{BAD}VIOLATION{BAD:#}  {}", Numbers::of(run).causes_text())?;
        let all = all || run.causes.iter().all(|cause| cause.to_check);
        causes::write(out, run, columns, all)?;
        writeln!(out)?;
        write_rules(out, run)?;
        write_to_check(out, run, all)?;
        causes::write_next(out, run)?;
    }
    write_end(out, run, verdict)
}

/// Writes which traces were under way when the adapter failed.
fn write_suspect(out: &mut impl Write, suspect: &SuspectReport) -> fmt::Result {
    let SuspectReport {
        message,
        brings,
        replay,
        files,
    } = suspect;
    let file = files.first().map_or("a trace", String::as_str);
    let more = match files.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let of = counted(*message, "trace");
    writeln!(
        out,
        "    under way: {}{more}, of a message of {of}: {}",
        escaped(file),
        brings.words()
    )?;
    replay
        .iter()
        .try_for_each(|replay| writeln!(out, "    replay: {}", escaped(replay)))
}

/// Writes the rules in a line: how many were broken and held, and which were not judged.
fn write_rules(out: &mut impl Write, run: &RunReport) -> fmt::Result {
    let Counts { passed, failed, .. } = run.counts();
    let mut text = format!("{failed} broken, {passed} held");
    for (status, word) in [(RuleStatus::Skip, "not judged"), (RuleStatus::Vacuous, "never tried")] {
        let rules = run.rules.iter().filter(|rule| rule.status == status);
        let names: Vec<&str> = rules.map(|rule| rule.rule.name()).collect();
        if !names.is_empty() {
            write!(text, "; {} {word}", names.join(", "))?;
        }
    }
    writeln!(out, "Rules      {text}")
}

fn write_to_check(out: &mut impl Write, run: &RunReport, all: bool) -> fmt::Result {
    let to_check = run.causes.iter().filter(|cause| cause.to_check);
    let failures: usize = to_check.map(|cause| cause.failures).sum();
    if failures == 0 {
        return Ok(());
    }
    let hint = if all { "" } else { " (--all shows them)" };
    writeln!(
        out,
        "To check   {failures} failures: by design, or a mistake of Routeproof's{hint}"
    )
}

fn write_rule(out: &mut impl Write, rule: &RuleReport) -> fmt::Result {
    let id = rule.rule;
    let premises = grouped(rule.premises);
    match (rule.status, rule.failures) {
        (RuleStatus::Pass, _) => writeln!(out, "  {GOOD}pass{GOOD:#}  {id:<15} {premises:>13} premises"),
        (RuleStatus::Fail, failures) => {
            let failures = counted(failures, "distinct failure");
            writeln!(out, "  {BAD}FAIL{BAD:#}  {id:<15} {premises:>13} premises   {failures}")
        }
        (RuleStatus::Skip, _) => {
            let reason = foreign::clean(rule.reason.as_deref().unwrap_or_default(), SHOWN_MAX);
            writeln!(out, "  {DIM}skip{DIM:#}  {id:<15} {reason}")
        }
        (RuleStatus::Vacuous, _) if rule.premises == 0 => {
            writeln!(out, "  {BAD}void{BAD:#}  {id:<15} never had anything to check")
        }
        (RuleStatus::Vacuous, _) => writeln!(
            out,
            "  {BAD}void{BAD:#}  {id:<15} {premises:>13} premises   too few: {PREMISES_MIN} are needed"
        ),
    }
}

fn write_failure(out: &mut impl Write, failure: &FailureReport) -> fmt::Result {
    let FailureReport { finding, origin, .. } = failure;
    let rule = &finding.rule;
    if let Some(reason) = &failure.excused {
        let (class, reason) = (clean(&finding.class), foreign::clean(reason, SHOWN_MAX));
        return writeln!(out, "{DIM}skip {rule} ({class}){DIM:#}: {reason}");
    }
    writeln!(out, "---")?;
    let head = if failure.is_flaky() { "flaky" } else { "FAIL" };
    writeln!(
        out,
        "{BAD}{head} {rule}{BAD:#}: {}",
        foreign::clean(&failure.sentence, SHOWN_MAX)
    )?;
    writeln!(
        out,
        "  {DIM}{}; {} alike{}{DIM:#}",
        foreign::clean(&origin.provenance(finding), SHOWN_MAX),
        grouped(origin.count),
        replays_text(failure)
    )?;
    for row in failure.initial() {
        writeln!(out, "  {:>3}  construct with {}", "", row_text(row))?;
    }
    for (number, step) in (1_u32..).zip(failure.steps()) {
        writeln!(out, "  {number:>3}  {}", step_text(step))?;
    }
    let asked = asked_text(finding);
    let path = finding
        .path
        .as_ref()
        .map_or_else(String::new, |path| format!(" ({})", clean(path)));
    let [allowed, got] = finding.words().map(|text| foreign::clean(&text, SHOWN_MAX));
    writeln!(
        out,
        "  {:>3}  {asked}{path}    allowed: {allowed}    got: {BAD}{got}{BAD:#}",
        ""
    )?;
    for file in &failure.files {
        writeln!(out, "  {DIM}wrote {}{DIM:#}", escaped(file))?;
    }
    match &failure.replay {
        Some(replay) => writeln!(out, "  replay: {}", escaped(replay)),
        None => writeln!(
            out,
            "  the trace, which could not be written to a file:\n{}",
            clean_lines(&failure.trace.to_toml())
        ),
    }
}

/// The replays of a failure, where they are not plain: one that showed it.
fn replays_text(failure: &FailureReport) -> String {
    match failure.confirmation {
        Some(Confirmation { shown: 1, replays: 1 }) => String::new(),
        Some(Confirmation { shown, replays }) => format!("; shown by {shown} of {replays} replays"),
        None => "; not replayed".to_owned(),
    }
}

fn write_end(out: &mut impl Write, run: &RunReport, verdict: &Verdict) -> fmt::Result {
    let style = if verdict.exit.code() == 0 { GOOD } else { BAD };
    writeln!(out, "---")?;
    if let Some(why) = &verdict.why {
        writeln!(out, "{}", clean_lines(why))?;
    }
    let (exit, seconds) = (verdict.exit, run.seconds);
    let (name, code) = (exit.name(), exit.code());
    writeln!(
        out,
        "{style}{name}{style:#}: {}; {seconds:.1} s; exit {code}",
        came_to(run)
    )
}

/// The numbers of a run: its causes, or its rules where there are none.
fn came_to(run: &RunReport) -> String {
    if run.causes.is_empty() {
        let Counts {
            passed,
            failed,
            skipped,
            vacuous,
        } = run.counts();
        let mut parts = vec![format!("{failed} failed"), format!("{passed} passed")];
        if skipped > 0 {
            parts.push(format!("{skipped} skipped"));
        }
        if vacuous > 0 {
            parts.push(format!("{vacuous} void"));
        }
        return parts.join(", ");
    }
    let numbers = Numbers::of(run);
    let failures: usize = run.causes.iter().map(|cause| cause.failures).sum();
    let Numbers {
        known, new, to_check, ..
    } = numbers;
    let (failures, causes) = (counted(failures, "failure"), numbers.causes_text());
    format!("{failures}, {causes} ({known} known, {new} new), {to_check} to check")
}

fn exploration_text(exploration: &ExplorationReport) -> String {
    let ExplorationReport {
        universe,
        depth,
        seconds,
        ..
    } = exploration;
    let states = grouped(exploration.states as u64);
    let transitions = grouped(exploration.transitions);
    let answers = grouped(exploration.answers);
    let verdict = if exploration.closed {
        "closed"
    } else {
        "CUT, not exhausted"
    };
    let memory = if exploration.whole_memory {
        ""
    } else {
        " as far as can be observed"
    };
    format!(
        "every trace of the {} universe{memory}: {verdict}: {states} states, {transitions} transitions, depth \
         {depth}, {answers} answers  {seconds:.1}s",
        clean(universe)
    )
}

fn sweep_text(search: &SearchReport) -> String {
    let (swept, sweep) = (grouped(search.swept.into()), grouped(search.sweep.into()));
    let cut = if search.swept < search.sweep {
        ": the run ended within it"
    } else {
        ""
    };
    format!("sweep: {swept} of {sweep} traces{cut}")
}

/// The line of what was not tried, if there is anything.
fn not_tried_text(missing: &[NotTried]) -> Option<String> {
    let words = |missing: &NotTried| clean(&missing.words());
    let told: Vec<String> = missing.iter().take(NOT_TRIED_MAX).map(words).collect();
    let more = match missing.len() - told.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!told.is_empty()).then(|| format!("not tried: {}{more}", told.join("; ")))
}

fn search_text(search: &SearchReport) -> String {
    let cut = if search.cut { " (to the end of the budget)" } else { "" };
    let uncounted = match search.uncounted {
        0 => String::new(),
        more => format!(", {} more findings not told apart", grouped(more)),
    };
    format!(
        "random traces{cut}: {} traces; with the sweep {} changes, {} queries{uncounted}  {:.1}s",
        grouped(search.traces.into()),
        grouped(search.changes),
        grouped(search.queries),
        search.seconds
    )
}
