//! The text of a matrix: one table, in blocks of as many releases as the page is wide.

use std::fmt::{self, Write};

use model::Effect;

use super::brief::wrapped;
use super::{BAD, DIM, GOOD, counted};
use crate::document::{MatrixCause, MatrixReport, ReleaseTrial, Verdict};
use crate::foreign::{brief as clean, clean_lines};
use crate::report::causes::{effect_text, known_text};
use crate::report::releases::{
    BROKEN, MARKS, cell_mark, changes, headline, notes, numbers, rule_mark, safest, verdict_mark,
};

/// The columns of a cell: a number of two digits, and a space before it.
const CELL: usize = 3;
/// The fewest columns of the text before the cells.
const TEXT_MIN: usize = 34;
/// The most of them: a longer line is hard to follow to its cells.
const TEXT_MAX: usize = 64;
/// The longest name that is written from top to bottom.
const HEIGHT_MAX: usize = 12;
/// The columns before the headline of a cause.
const INDENT: usize = 5;

/// A block of releases, side by side.
struct Block<'a> {
    matrix: &'a MatrixReport,
    /// The places of the releases.
    places: std::ops::Range<usize>,
    /// The columns of the text before the cells.
    width: usize,
}

/// Writes the matrix.
pub(super) fn write(out: &mut impl Write, matrix: &MatrixReport, verdict: &Verdict, columns: usize) -> fmt::Result {
    let version = env!("CARGO_PKG_VERSION");
    let budget = matrix
        .budget_seconds
        .map_or_else(String::new, |budget| format!(", {budget} s each"));
    let count = counted(matrix.releases.len(), "release");
    let router = clean(&matrix.router);
    writeln!(
        out,
        "routeproof {version}  {router}, {count}{budget}  seed {}",
        matrix.seed
    )?;
    for (mark, meaning) in MARKS {
        writeln!(out, "  {DIM}{mark}  {meaning}{DIM:#}")?;
    }
    let per_block = (columns.saturating_sub(TEXT_MIN) / CELL).max(1);
    let count = matrix.releases.len();
    for first in (0..count).step_by(per_block) {
        let places = first..count.min(first + per_block);
        let width = columns.saturating_sub(CELL * places.len()).clamp(TEXT_MIN, TEXT_MAX);
        Block { matrix, places, width }.write(out)?;
    }
    writeln!(out)?;
    let changes = changes(matrix);
    if !changes.is_empty() {
        writeln!(out, "Beside the release before it")?;
        changes.iter().try_for_each(|change| writeln!(out, "  {change}"))?;
        writeln!(out)?;
    }
    for note in notes(matrix) {
        writeln!(out, "{note}")?;
    }
    write_end(out, matrix, verdict)
}

impl Block<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        writeln!(out)?;
        self.write_versions(out)?;
        writeln!(out, "Rules")?;
        for rule in self.matrix.rules() {
            let marks = self
                .places
                .clone()
                .map(|place| rule_mark(self.matrix, place, rule).to_owned());
            self.write_row(out, &format!("  {rule}"), marks)?;
        }
        let mut effect: Option<(bool, Effect)> = None;
        for cause in &self.matrix.causes {
            let group = (cause.witness.to_check, cause.witness.harm.effect);
            let begins = match effect {
                Some((true, _)) => !group.0,
                before => before != Some(group),
            };
            if begins {
                effect = Some(group);
                let text = if group.0 {
                    "To be checked: by design, or a mistake of Routeproof's"
                } else {
                    effect_text(group.1)
                };
                writeln!(out, "{text}")?;
            }
            self.write_cause(out, cause)?;
        }
        writeln!(out, "In all")?;
        for (head, cells) in numbers(self.matrix) {
            let cells = cells[self.places.clone()].iter().cloned();
            self.write_row(out, &format!("  {head}"), cells)?;
        }
        let verdicts = self
            .places
            .clone()
            .map(|place| verdict_mark(self.matrix.exit_of(place)).to_owned());
        self.write_row(out, "  verdict", verdicts)
    }

    /// Writes the names of the releases from top to bottom, or numbers where a name is too long for that.
    fn write_versions(&self, out: &mut impl Write) -> fmt::Result {
        let releases = self
            .places
            .clone()
            .map(|place| (place + 1, clean(&self.matrix.releases[place].version)));
        let releases: Vec<(usize, String)> = releases.collect();
        if releases.iter().any(|(_, name)| name.chars().count() > HEIGHT_MAX) {
            releases
                .iter()
                .try_for_each(|(number, name)| writeln!(out, "{number:>CELL$}  {name}"))?;
            return self.write_row(out, "", releases.iter().map(|(number, _)| number.to_string()));
        }
        let names: Vec<Vec<char>> = releases.iter().map(|(_, name)| name.chars().collect()).collect();
        let height = names.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let letters = names.iter().map(|name| {
                let above = height - name.len();
                line.checked_sub(above).map_or(' ', |at| name[at]).to_string()
            });
            self.write_row(out, "", letters)?;
        }
        Ok(())
    }

    fn write_cause(&self, out: &mut impl Write, cause: &MatrixCause) -> fmt::Result {
        let headline = headline(self.matrix, cause);
        let text = format!("{headline}  {}", known_text(&cause.witness));
        let lines = wrapped(text.trim_end(), self.width.saturating_sub(INDENT + 1));
        let marks = self
            .places
            .clone()
            .map(|place| cell_mark(&self.matrix.releases[place], &cause.cells[place]).to_owned());
        let (first, more) = lines.split_first().expect("a text has a line");
        self.write_row(out, &format!("{:>3}  {first}", cause.number), marks)?;
        more.iter().try_for_each(|line| writeln!(out, "{:INDENT$}{line}", ""))
    }

    fn write_row(&self, out: &mut impl Write, head: &str, cells: impl Iterator<Item = String>) -> fmt::Result {
        let mut line = format!("{head:<width$}", width = self.width);
        for cell in cells {
            let style = if cell == BROKEN { BAD } else { DIM };
            write!(line, "{style}{cell:>CELL$}{style:#}")?;
        }
        writeln!(out, "{line}")
    }
}

fn write_end(out: &mut impl Write, matrix: &MatrixReport, verdict: &Verdict) -> fmt::Result {
    let worst = matrix.causes.iter().find_map(|cause| {
        let release = matrix
            .releases
            .iter()
            .find(|release| release.version == cause.found_on)?;
        match &release.trial {
            ReleaseTrial::Tried(tried) => Some((cause, tried)),
            ReleaseTrial::AdapterFault(_) | ReleaseTrial::NotReached => None,
        }
    });
    if let Some((cause, tried)) = worst {
        let words = [tried.report.clone()];
        let report = crate::adapter::spec::command_line(&words);
        writeln!(
            out,
            "Next  routeproof explain {} --report {}",
            clean(&cause.witness.id),
            clean(&report)
        )?;
    }
    let style = if verdict.exit.code() == 0 { GOOD } else { BAD };
    writeln!(out, "---")?;
    if let Some(why) = &verdict.why {
        writeln!(out, "{}", clean_lines(why))?;
    }
    let (name, code) = (verdict.exit.name(), verdict.exit.code());
    writeln!(out, "{style}{name}{style:#}: {} exit {code}", safest(matrix))
}
