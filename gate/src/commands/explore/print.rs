//! The report of an exploration, for a person.

use std::io::{self, Write};

use model::fleet::actions::Kind;
use model::fleet::machine::Machine;

use super::Explored;

/// The action without which a rule has nothing to check, and is not asked for.
pub(super) fn needs(rule: &str) -> Option<Kind> {
    match rule {
        "atomic-refusal" => Some(Kind::Break),
        "fails-safe" => Some(Kind::FailedPoll),
        "monotonic" => Some(Kind::Request),
        _ => None,
    }
}

/// A count in millions.
#[expect(clippy::cast_precision_loss, reason = "for a person")]
pub(super) fn millions(count: u64) -> f64 {
    count as f64 / 1e6
}

/// Prints the whole report.
pub(super) fn report<M: Machine>(explored: &Explored<'_, M>, files: &[String]) -> io::Result<()> {
    let out = &mut anstream::stdout().lock();
    let report = &explored.report;
    writeln!(
        out,
        "routeproof {}  {}",
        env!("CARGO_PKG_VERSION"),
        explored.machine.identity()
    )?;
    writeln!(
        out,
        "  {}: {} distinct states, {} generated, depth {}, {:.2}s, {:.2} M states/s",
        report.ended,
        report.distinct,
        report.generated,
        report.depth,
        explored.took.as_secs_f64(),
        millions(report.distinct) / explored.took.as_secs_f64(),
    )?;
    coverage(out, explored)?;
    rules(out, explored)?;
    for violation in &report.violations {
        writeln!(
            out,
            "---\nFAIL {}: after {} steps",
            violation.rule,
            violation.path.len()
        )?;
        steps(out, explored.machine, &violation.path)?;
    }
    if let Some(stuck) = explored
        .convergence
        .as_ref()
        .and_then(|convergence| convergence.stuck.as_ref())
    {
        writeln!(
            out,
            "---\nFAIL converges: after {} steps, for ever among {} states",
            stuck.path.len(),
            stuck.among
        )?;
        steps(out, explored.machine, &stuck.path)?;
    }
    for file in files {
        writeln!(out, "  wrote {file}")?;
    }
    Ok(())
}

fn coverage<M: Machine>(out: &mut impl Write, explored: &Explored<'_, M>) -> io::Result<()> {
    let kinds = explored.machine.kinds().iter();
    let counts = kinds.map(|kind| format!("{} {}", kind.name(), explored.report.coverage[*kind as usize]));
    writeln!(out, "  actions: {}", counts.collect::<Vec<_>>().join(", "))?;
    let dead: Vec<&str> = explored
        .report
        .dead(explored.machine)
        .iter()
        .map(|kind| kind.name())
        .collect();
    if !dead.is_empty() {
        writeln!(out, "  error: these actions never happened: {}", dead.join(", "))?;
    }
    Ok(())
}

fn rules<M: Machine>(out: &mut impl Write, explored: &Explored<'_, M>) -> io::Result<()> {
    let report = &explored.report;
    for (rule, premises) in explored.machine.rules().iter().zip(&report.premises) {
        let violation = report.violations.iter().find(|violation| violation.rule == *rule);
        match (violation, premises) {
            (Some(violation), _) => {
                writeln!(
                    out,
                    "  FAIL  {rule:<16} in {} steps, {premises} premises",
                    violation.path.len()
                )?;
            }
            (None, 0) => match needs(rule).filter(|needed| !explored.machine.kinds().contains(needed)) {
                Some(needed) => writeln!(out, "  ----  {rule:<16} not asked for: it needs `{}`", needed.name())?,
                None => writeln!(out, "  void  {rule:<16} never had anything to check")?,
            },
            (None, _) => writeln!(out, "  pass  {rule:<16} {premises} premises")?,
        }
    }
    if let Some(convergence) = &explored.convergence {
        let verdict = if convergence.stuck.is_some() { "FAIL" } else { "pass" };
        writeln!(
            out,
            "  {verdict}  {:<16} {} premises in {} states",
            "converges", convergence.premises, convergence.distinct
        )?;
    }
    Ok(())
}

fn steps<M: Machine>(out: &mut impl Write, machine: &M, path: &[(model::fleet::Action, M::State)]) -> io::Result<()> {
    for (number, (action, state)) in (1..).zip(path) {
        let number: u32 = number;
        writeln!(out, "  {number:>2}  {action}")?;
        for lane in machine.lanes(state) {
            writeln!(out, "        {lane}")?;
        }
    }
    Ok(())
}
