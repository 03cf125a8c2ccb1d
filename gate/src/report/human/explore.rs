//! The text of an exploration, and of the table of several.

use std::fmt::{self, Write};

use crate::document::{Counterexample, ExploreReport, FleetReport, FleetRuleReport, RuleStatus, Verdict};
use crate::foreign::escaped;
use crate::report::fleets::{outcomes, verdicts};

/// The meaning of a cell of the table.
const LEGEND: &str =
    "steps to the shortest counterexample; `pass` where there is none, `void` where there was nothing to check";

/// Writes the table, or each fleet by itself.
pub(super) fn write(out: &mut impl Write, explored: &ExploreReport, verdict: &Verdict) -> fmt::Result {
    if explored.table {
        write_table(out, &explored.fleets)?;
        write_outcomes(out, explored)?;
    } else {
        explored.fleets.iter().try_for_each(|fleet| write_fleet(out, fleet))?;
    }
    match &verdict.why {
        Some(why) => writeln!(out, "{}: {why}", verdict.exit.name()),
        None => Ok(()),
    }
}

fn write_fleet(out: &mut impl Write, fleet: &FleetReport) -> fmt::Result {
    writeln!(out, "routeproof {}  {}", env!("CARGO_PKG_VERSION"), fleet.identity)?;
    writeln!(
        out,
        "  {}: {} distinct states, {} generated, depth {}, {:.2}s, {:.2} M states/s",
        fleet.ended,
        fleet.states,
        fleet.generated,
        fleet.depth,
        fleet.seconds,
        millions(fleet.states) / fleet.seconds,
    )?;
    let counts = fleet.actions.iter().map(|one| format!("{} {}", one.action, one.count));
    writeln!(out, "  actions: {}", counts.collect::<Vec<_>>().join(", "))?;
    let dead = fleet.dead();
    if !dead.is_empty() {
        writeln!(out, "  error: these actions never happened: {}", dead.join(", "))?;
    }
    for rule in &fleet.rules {
        write_rule(out, fleet, rule)?;
    }
    if let Some(convergence) = &fleet.convergence {
        let verdict = if fleet.stuck().is_some() { "FAIL" } else { "pass" };
        writeln!(
            out,
            "  {verdict}  {:<16} {} premises in {} states",
            "converges", convergence.premises, convergence.states
        )?;
    }
    for counterexample in &fleet.counterexamples {
        write_counterexample(out, counterexample)?;
    }
    for file in &fleet.files {
        writeln!(out, "  wrote {}", escaped(file))?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for a person")]
fn millions(count: u64) -> f64 {
    count as f64 / 1e6
}

fn write_rule(out: &mut impl Write, fleet: &FleetReport, report: &FleetRuleReport) -> fmt::Result {
    let FleetRuleReport { rule, premises, .. } = report;
    match report.status {
        RuleStatus::Pass => writeln!(out, "  pass  {rule:<16} {premises} premises"),
        RuleStatus::Fail => {
            let steps = fleet.counterexample(*rule).map_or(0, |found| found.steps.len());
            writeln!(out, "  FAIL  {rule:<16} in {steps} steps, {premises} premises")
        }
        RuleStatus::Skip => {
            let reason = report.reason.as_deref().unwrap_or_default();
            writeln!(out, "  ----  {rule:<16} not asked for: {reason}")
        }
        RuleStatus::Vacuous => writeln!(out, "  void  {rule:<16} never had anything to check"),
    }
}

fn write_counterexample(out: &mut impl Write, counterexample: &Counterexample) -> fmt::Result {
    let Counterexample { rule, among, steps } = counterexample;
    let among = among.map_or_else(String::new, |among| format!(", for ever among {among} states"));
    writeln!(out, "---\nFAIL {rule}: after {} steps{among}", steps.len())?;
    for (number, step) in (1_u32..).zip(steps) {
        writeln!(out, "  {number:>2}  {}", step.action)?;
        for lane in &step.lanes {
            writeln!(out, "        {lane}")?;
        }
    }
    Ok(())
}

fn write_table(out: &mut impl Write, fleets: &[FleetReport]) -> fmt::Result {
    writeln!(out, "{LEGEND}")?;
    for (number, fleet) in (1_u32..).zip(fleets) {
        writeln!(
            out,
            "  {number}  {:<32} {}: {} states, depth {}",
            fleet.name.as_deref().unwrap_or_default(),
            fleet.ended,
            fleet.states,
            fleet.depth
        )?;
    }
    let numbers = (1..=fleets.len()).map(|number| number.to_string()).collect();
    for (head, cells) in [("", numbers)].into_iter().chain(verdicts(fleets)) {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>6}")).collect();
        writeln!(out, "  {head:<16}{}", cells.concat())?;
    }
    Ok(())
}

fn write_outcomes(out: &mut impl Write, explored: &ExploreReport) -> fmt::Result {
    for (number, on) in (1_u32..).zip(&explored.on) {
        writeln!(out, "counterexamples on {number}  {}", escaped(&on.router))?;
    }
    for ([strategy, rule], cells) in outcomes(explored) {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:<16}")).collect();
        let line = format!("  {strategy:<24}{rule:<18}{}", cells.concat());
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
