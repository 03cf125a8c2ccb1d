//! `routeproof explore --table`: every strategy, and every upgrade half rolled out, by every rule.

use std::io::{self, Write};
use std::sync::Arc;

use model::fleet::actions::Kind;
use model::fleet::explore::explore;
use model::fleet::fair::{Convergence, Fairness, STATES_MAX, converges};
use model::fleet::machine::Machine;
use model::fleet::model::{Bounds, Fleet};
use model::fleet::strategies::{LITELLM_1_85, LITELLM_1_109, REFERENCE, STRATEGIES, Strategy};
use model::fleet::{Ended, Report};

use super::args::ExploreArgs;
use super::failure;
use crate::commands::{Error, progress};
use crate::exit::Exit;

/// From what to what a fleet is upgraded; one replica has the new one already.
const UPGRADES: [(Strategy, Strategy); 3] = [
    (LITELLM_1_85, LITELLM_1_109),
    (LITELLM_1_85, REFERENCE),
    (LITELLM_1_109, REFERENCE),
];

struct Column {
    name: String,
    report: Report<u128>,
    /// Where it was asked for.
    convergence: Option<Convergence<u128>>,
    rules: &'static [&'static str],
}

impl Column {
    /// The steps to a run that does not converge.
    fn stuck(&self) -> Option<usize> {
        Some(self.convergence.as_ref()?.stuck.as_ref()?.path.len())
    }
}

/// Explores each fleet and prints the table.
///
/// # Errors
///
/// If a search cannot be carried out, or if nothing can be printed.
pub(super) fn run(args: &ExploreArgs) -> Result<Exit, Error> {
    let replicas = usize::from(args.replicas.unwrap_or(2));
    let alone = STRATEGIES
        .into_iter()
        .map(|strategy| (strategy.name.to_owned(), vec![strategy; replicas]));
    let upgrades = UPGRADES.into_iter().map(|(from, to)| {
        let mut fleet = vec![from; replicas];
        fleet[0] = to;
        (format!("{} to {}", from.name, to.name), fleet)
    });
    let mut columns = Vec::new();
    for (name, strategies) in alone.chain(upgrades) {
        progress(&format!("exploring {name}"));
        columns.push(column(args, name, strategies)?);
    }
    print(&columns).map_err(Error::Output)?;
    let fails = |column: &Column| !column.report.violations.is_empty() || column.stuck().is_some();
    Ok(if columns.iter().any(fails) {
        Exit::Violation
    } else if columns.iter().any(|column| column.report.ended != Ended::Exhausted) {
        Exit::Inconclusive
    } else {
        Exit::Conforms
    })
}

fn column(args: &ExploreArgs, name: String, strategies: Vec<Strategy>) -> Result<Column, Error> {
    let mut bounds = Bounds {
        rows: args.rows,
        versions: args.versions,
        strategies,
        kinds: args.kinds(),
        shapes: args.shapes()?,
        admin: args.admin,
    };
    // What one fleet cannot do, another can: each gets what applies to it.
    let listens = bounds.strategies.iter().any(Strategy::listens);
    let reads_through = bounds.strategies.iter().any(|strategy| strategy.reads_through);
    bounds.kinds.retain(|kind| match kind {
        Kind::Deliver | Kind::Duplicate | Kind::Drop => listens,
        Kind::Miss => reads_through,
        _ => true,
    });
    let fleet = Fleet::new(bounds).map_err(|why| Error::Usage(why.to_string()))?;
    let report = explore(&fleet, &args.options()?, Arc::new(|_| {})).map_err(failure)?;
    let convergence = if args.converges {
        Some(converges(&fleet, Fairness::Weak, STATES_MAX).map_err(|why| Error::Usage(why.to_string()))?)
    } else {
        None
    };
    Ok(Column {
        name,
        report,
        convergence,
        rules: fleet.rules(),
    })
}

fn print(columns: &[Column]) -> io::Result<()> {
    let out = &mut anstream::stdout().lock();
    writeln!(
        out,
        "steps to the shortest counterexample; `pass` where there is none, `void` where there was nothing to check"
    )?;
    for (number, column) in (1..).zip(columns) {
        let report = &column.report;
        let number: u32 = number;
        writeln!(
            out,
            "  {number}  {:<32} {}: {} states, depth {}",
            column.name, report.ended, report.distinct, report.depth
        )?;
    }
    write!(out, "  {:<16}", "")?;
    for number in 1..=columns.len() {
        write!(out, "{number:>6}")?;
    }
    writeln!(out)?;
    for (index, rule) in columns[0].rules.iter().enumerate() {
        let cells = columns.iter().map(|column| cell(column, index, rule));
        line(out, rule, cells)?;
    }
    if columns.iter().any(|column| column.convergence.is_some()) {
        let cells = columns
            .iter()
            .map(|column| column.stuck().map_or("pass".to_owned(), |steps| steps.to_string()));
        line(out, "converges", cells)?;
    }
    Ok(())
}

fn cell(column: &Column, index: usize, rule: &str) -> String {
    let report = &column.report;
    let violation = report.violations.iter().find(|violation| violation.rule == rule);
    match violation {
        Some(violation) => violation.path.len().to_string(),
        None if report.premises[index] == 0 => "void".to_owned(),
        None if report.ended == Ended::Exhausted => "pass".to_owned(),
        None => "cut".to_owned(),
    }
}

fn line(out: &mut impl Write, rule: &str, cells: impl Iterator<Item = String>) -> io::Result<()> {
    write!(out, "  {rule:<16}")?;
    for cell in cells {
        write!(out, "{cell:>6}")?;
    }
    writeln!(out)
}
