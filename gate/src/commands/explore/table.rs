//! `routeproof explore --table`: every strategy, and every upgrade half rolled out, by every rule.

use std::fmt::Write as _;
use std::sync::Arc;

use model::fleet::explore::explore;
use model::fleet::fair::{Convergence, Fairness, STATES_MAX, converges};
use model::fleet::machine::Machine;
use model::fleet::model::Fleet;
use model::fleet::strategies::{LITELLM_1_85, LITELLM_1_109, REFERENCE, STRATEGIES, Strategy};
use model::fleet::{Ended, Report};

use super::failure;
use crate::cli::{ExploreArgs, Format};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{ended, progress, write_stdout};

/// From what to what a fleet is upgraded; one replica has the new one already.
const UPGRADES: [(Strategy, Strategy); 3] = [
    (LITELLM_1_85, LITELLM_1_109),
    (LITELLM_1_85, REFERENCE),
    (LITELLM_1_109, REFERENCE),
];

/// What a cell says.
const LEGEND: &str =
    "steps to the shortest counterexample; `pass` where there is none, `void` where there was nothing to check";

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
    let text = match args.format {
        Format::Text => text(&columns),
        Format::Markdown => markdown(&columns),
    };
    let printed = write_stdout(&text);
    let fails = |column: &Column| !column.report.violations.is_empty() || column.stuck().is_some();
    let verdict = if columns.iter().any(fails) {
        Exit::Violation
    } else if columns.iter().any(|column| column.report.ended != Ended::Exhausted) {
        Exit::Inconclusive
    } else {
        Exit::Conforms
    };
    ended(verdict, [printed.map_err(Error::Output)])
}

fn column(args: &ExploreArgs, name: String, strategies: Vec<Strategy>) -> Result<Column, Error> {
    // What one fleet cannot do, another can: each gets what applies to it.
    let bounds = args.bounds(strategies)?.possible();
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

/// The verdicts on each rule, a column each.
fn verdicts(columns: &[Column]) -> Vec<(&'static str, Vec<String>)> {
    let rules = columns[0].rules.iter().enumerate();
    let rules = rules.map(|(index, rule)| {
        let cells = columns.iter().map(|column| cell(column, index, rule));
        (*rule, cells.collect())
    });
    let converges = columns.iter().map(|column| {
        let found = column.convergence.as_ref()?;
        let steps = found.stuck.as_ref().map(|stuck| stuck.path.len());
        Some(steps.map_or("pass".to_owned(), |steps| steps.to_string()))
    });
    let converges: Option<Vec<String>> = converges.collect();
    rules.chain(converges.map(|cells| ("converges", cells))).collect()
}

fn text(columns: &[Column]) -> String {
    let mut text = format!("{LEGEND}\n");
    let mut put = |line: String| writeln!(text, "{line}").expect("a string takes any text");
    for (number, column) in (1..).zip(columns) {
        let report = &column.report;
        let number: u32 = number;
        put(format!(
            "  {number}  {:<32} {}: {} states, depth {}",
            column.name, report.ended, report.distinct, report.depth
        ));
    }
    let numbers = (1..=columns.len()).map(|number| number.to_string()).collect();
    for (head, cells) in [("", numbers)].into_iter().chain(verdicts(columns)) {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>6}")).collect();
        put(format!("  {head:<16}{}", cells.concat()));
    }
    text
}

fn markdown(columns: &[Column]) -> String {
    let mut text = String::new();
    let mut put = |head: &str, cells: Vec<String>| {
        writeln!(text, "| {head} | {} |", cells.join(" | ")).expect("a string takes any text");
    };
    put("", columns.iter().map(|column| column.name.clone()).collect());
    put("---", vec!["---".to_owned(); columns.len()]);
    for (rule, verdicts) in verdicts(columns) {
        put(&format!("`{rule}`"), verdicts);
    }
    put(
        "states",
        columns
            .iter()
            .map(|column| column.report.distinct.to_string())
            .collect(),
    );
    put(
        "depth",
        columns.iter().map(|column| column.report.depth.to_string()).collect(),
    );
    put(
        "",
        columns.iter().map(|column| column.report.ended.to_string()).collect(),
    );
    text
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
