//! The text of the kill table.

use std::fmt::{self, Write};

use crate::document::FaultsReport;
use crate::report::kills::{carried_out, last_line, name};

/// Writes the table.
pub(super) fn write(out: &mut impl Write, table: &FaultsReport) -> fmt::Result {
    let head = table.engines().into_iter().map(|engine| name(engine).to_owned());
    write_row(out, "fault", head)?;
    for fault in &table.faults {
        let cells = table
            .engines()
            .into_iter()
            .map(|engine| match fault.of(engine).map(|killed| &killed.kill) {
                Some(Some(kill)) => format!(
                    "{:>6} {}, {:>2} steps, {}",
                    kill.changes,
                    carried_out(table),
                    kill.steps,
                    kill.rule
                ),
                Some(None) => "NOT FOUND".to_owned(),
                None => "not measured".to_owned(),
            });
        write_row(out, &fault.fault, cells)?;
    }
    writeln!(out, "{}", last_line(table))
}

fn write_row(out: &mut impl Write, head: &str, cells: impl Iterator<Item = String>) -> fmt::Result {
    let cells: Vec<String> = cells.map(|cell| format!("{cell:<42}")).collect();
    writeln!(out, "{}", format!("{head:<38} {}", cells.join(" ")).trim_end())
}
