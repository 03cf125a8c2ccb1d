//! The tables of the book.

mod matrix;

use std::fmt::{self, Write};

use protocol::Level;

use super::fleets::{outcomes, verdicts};
use super::kills::{carried_out, last_line, name};
use crate::document::{Document, Engine, ExploreReport, FaultReport, FaultsReport, FleetReport};

/// The table of a document, where the book has one of its kind.
pub fn markdown_table(document: &Document) -> Option<String> {
    let mut text = String::new();
    match document {
        Document::Faults(faults) => write_kills(&mut text, faults),
        Document::Matrix(matrix) => matrix::write_page(&mut text, matrix),
        Document::Explore(explored) if explored.table => write_explored(&mut text, explored),
        Document::Run(_) | Document::Replay(_) | Document::Explore(_) => return None,
    }
    .expect("a string takes any text");
    Some(text)
}

fn write_kills(out: &mut impl Write, table: &FaultsReport) -> fmt::Result {
    let engines = table.engines();
    match table.level {
        Level::Router => write_router_head(out, table)?,
        Level::Fleet => write_fleet_head(out, table)?,
    }
    write!(out, "| fault | what is wrong | after |")?;
    for engine in &engines {
        write!(out, " {}: {} | steps |", name(*engine), carried_out(table))?;
    }
    writeln!(out, " rule |\n|---|---|---|{}---|", "---|---|".repeat(engines.len()))?;
    for fault in &table.faults {
        write_fault(out, fault, &engines)?;
    }
    writeln!(out, "\n{}", last_line(table))
}

fn write_router_head(out: &mut impl Write, table: &FaultsReport) -> fmt::Result {
    write!(
        out,
        "# The kill table\n\nEvery fault below is planted in a router of several hand-kept indexes, one at a time, and must be\n\
         found by every engine. *Changes* are those carried out until then: of the exhaustive engine those in the universes\n\
         {}, in that order; of the others the median of {} seeds.\n\
         *Steps* are those of the shrunk trace, with the lookups on the way that it needs: the exhaustive engine gives the\n\
         fewest there are.\n\n",
        table.universes.join(", "),
        table.seeds
    )
}

fn write_fleet_head(out: &mut impl Write, table: &FaultsReport) -> fmt::Result {
    write!(
        out,
        "# The kill table of fleets\n\nEvery fault below is planted in a fleet of naive replicas over a store in memory, one at a time. *Sweep* are the\n\
         schedules that a run begins with, *random* those that are drawn from then on: the median of {} seeds. *Model* are the\n\
         counterexamples that the [model](../model-checking.md) has of its strategies and of canaries, written for none of these faults. Columns have\n\
         the steps that were carried out until a rule was broken, closings included, and the rows and steps of the smallest\n\
         schedule. Every fault must be found by the sweep or at random, which is what a run does.\n\n",
        table.seeds
    )
}

fn write_fault(out: &mut impl Write, fault: &FaultReport, engines: &[Engine]) -> fmt::Result {
    write!(out, "| `{}` | {} | {} |", fault.fault, fault.sentence, fault.source)?;
    for engine in engines {
        match fault.of(*engine).map(|killed| &killed.kill) {
            Some(Some(kill)) => write!(out, " {} | {} |", kill.changes, kill.steps)?,
            Some(None) => write!(out, " not found | - |")?,
            None => write!(out, " not measured | - |")?,
        }
    }
    // Of one router the exhaustive engine has the shortest trace, and so the plainest rule.
    let told = [Engine::Exhaustive, Engine::Random, Engine::Sweep];
    let mut kills = told.into_iter().filter_map(|engine| fault.of(engine)?.kill.as_ref());
    let kill = kills.next();
    writeln!(out, " `{}` |", kill.map_or("-", |kill| kill.rule.name()))
}

fn write_explored(out: &mut impl Write, explored: &ExploreReport) -> fmt::Result {
    write_fleets(out, &explored.fleets)?;
    if explored.on.is_empty() {
        return Ok(());
    }
    let fleets: Vec<String> = explored.on.iter().map(|on| format!("`{}`", on.router)).collect();
    writeln!(out)?;
    write_row(out, "strategy | rule", &fleets)?;
    write_row(out, "--- | ---", &vec!["---".to_owned(); fleets.len()])?;
    for ([strategy, rule], cells) in outcomes(explored) {
        write_row(out, &format!("`{strategy}` | `{rule}`"), &cells)?;
    }
    Ok(())
}

fn write_fleets(out: &mut impl Write, fleets: &[FleetReport]) -> fmt::Result {
    let cells = |of: fn(&FleetReport) -> String| fleets.iter().map(of).collect::<Vec<_>>();
    write_row(out, "", &cells(|fleet| fleet.name.clone().unwrap_or_default()))?;
    write_row(out, "---", &cells(|_| "---".to_owned()))?;
    for (rule, verdicts) in verdicts(fleets) {
        write_row(out, &format!("`{rule}`"), &verdicts)?;
    }
    write_row(out, "states", &cells(|fleet| fleet.states.to_string()))?;
    write_row(out, "depth", &cells(|fleet| fleet.depth.to_string()))?;
    write_row(out, "", &cells(|fleet| fleet.ended.clone()))
}

fn write_row(out: &mut impl Write, head: &str, cells: &[String]) -> fmt::Result {
    writeln!(out, "| {head} | {} |", cells.join(" | "))
}
