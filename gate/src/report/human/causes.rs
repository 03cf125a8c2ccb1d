//! The causes of a run: three lines each, grouped by what happens to requests.

use std::fmt::{self, Write};
use std::path::Path;

use model::{Lasts, finding_words};

use super::brief::{trace_line, words, wrapped};
use super::{BAD, DIM, counted, times};
use crate::adapter::spec::command_line;
use crate::document::{CauseReport, RunReport, Served, ServedReport};
use crate::foreign::{brief as clean, escaped};
use crate::report::causes::{effect_text, known_text, paths_text};

/// The columns at which the blocks are as wide as they get: longer lines are hard to read.
const COLUMNS_MAX: usize = 100;
/// The columns before the text of a block.
const INDENT: usize = 5;

/// Writes the causes that count, under the effects that they have, and those that are to be checked if `all`.
pub(super) fn write(out: &mut impl Write, run: &RunReport, columns: usize, all: bool) -> fmt::Result {
    let columns = columns.min(COLUMNS_MAX);
    let mut effect = None;
    let mut told_of_checking = false;
    for (cause, number) in run.causes.iter().zip(1..) {
        if cause.to_check && !all {
            continue;
        }
        if cause.to_check && !told_of_checking {
            told_of_checking = true;
            writeln!(out, "\nTo be checked: by design, or a mistake of Routeproof's")?;
        } else if !cause.to_check && effect != Some(cause.harm.effect) {
            effect = Some(cause.harm.effect);
            writeln!(out, "\n{}", effect_text(cause.harm.effect))?;
        }
        write_cause(out, cause, number, columns)?;
    }
    Ok(())
}

fn write_cause(out: &mut impl Write, cause: &CauseReport, number: usize, columns: usize) -> fmt::Result {
    let width = columns.saturating_sub(INDENT).max(1);
    let headline = clean(&cause.headline);
    let [head, more @ ..] = &sides(&headline, &known_text(cause), width)[..] else {
        return Ok(());
    };
    writeln!(out, "{number:>3}  {BAD}{head}{BAD:#}")?;
    let [allowed, got] = words(&cause.finding);
    let path = paths_text(&cause.key);
    let place: Vec<String> = cause
        .structures
        .iter()
        .map(|structure| format!("still in {}", clean(structure)))
        .collect();
    let healed = match cause.lasts {
        Some(Lasts::HealedWithin(wait)) => Some(format!("healed within {} s", f64::from(wait) / 1_000.0)),
        Some(Lasts::UntilPoll(polls)) => Some(format!("until {}", counted(polls.into(), "poll"))),
        Some(Lasts::ApartAfter(polls)) => Some(format!("still so after {}", counted(polls.into(), "poll"))),
        Some(Lasts::StillAfter(_)) | None => None,
    };
    let notes: Vec<String> = path.into_iter().chain(place).chain(healed).collect();
    let shown = [format!("got {got}, allowed {allowed}"), notes.join(", ")];
    let shown = shown.join("   ");
    let lines = more.iter().cloned().chain(wrapped(&trace_line(cause), width));
    let served = cause
        .served
        .as_ref()
        .map(|served| wrapped(&served_text(cause, served), width));
    let lines = lines.chain(sides(shown.trim_end(), &times(cause.hits), width));
    for line in lines.chain(served.into_iter().flatten()) {
        writeln!(out, "{:INDENT$}{line}", "")?;
    }
    Ok(())
}

/// A text with another at the right edge: on its last line where there is room, else on a line of its own.
fn sides(left: &str, right: &str, width: usize) -> Vec<String> {
    let mut lines = wrapped(left, width);
    let last = lines.last().map_or(0, |line| line.chars().count());
    let room = width.saturating_sub(last);
    if right.is_empty() {
        return lines;
    }
    if room > right.chars().count() + 1 {
        if let Some(line) = lines.last_mut() {
            *line = format!("{line}{right:>room$}");
        }
    } else {
        lines.push(format!("{right:>width$}"));
    }
    lines
}

/// The outcome of a cause on complete servers.
pub(super) fn served_text(cause: &CauseReport, served: &ServedReport) -> String {
    let outcome = match &served.outcome {
        Served::Confirmed => "confirmed".to_owned(),
        Served::NotConfirmed { came: None } => "not confirmed, the rule held".to_owned(),
        Served::NotConfirmed { came: Some(came) } => {
            let [_, came] = finding_words(cause.finding.rule, &cause.finding.allowed, came);
            format!("not confirmed, came {came}")
        }
        Served::NotDrivable { lacks } => format!("not drivable: {lacks}"),
        Served::NotReplayed { why } => format!("not replayed: {why}"),
    };
    format!("on {}: {}", clean(&served.spec), clean(&outcome))
}

/// Numbers of causes.
pub(super) struct Numbers {
    pub(super) causes: usize,
    pub(super) known: usize,
    pub(super) new: usize,
    pub(super) to_check: usize,
}

impl Numbers {
    /// The numbers of a run.
    pub(super) fn of(run: &RunReport) -> Self {
        let count = |wanted: fn(&&CauseReport) -> bool| run.causes.iter().filter(wanted).count();
        let to_check = count(|cause| cause.to_check);
        let new = count(|cause| cause.is_new());
        let causes = run.causes.len() - to_check;
        Self {
            causes,
            known: causes - new,
            new,
            to_check,
        }
    }

    /// The number of causes, in words.
    pub(super) fn causes_text(&self) -> String {
        match self.causes {
            0 => "no cause that is sure to be the router's".to_owned(),
            causes => counted(causes, "cause"),
        }
    }
}

/// Writes how to go on from here.
pub(super) fn write_next(out: &mut impl Write, run: &RunReport) -> fmt::Result {
    let Some(first) = run.causes.first() else { return Ok(()) };
    let dir = first.files.first().and_then(|file| Path::new(file).parent());
    let report = dir
        .filter(|dir| *dir != Path::new("out"))
        .map(|dir| dir.join("report.json"));
    let report = report.map_or_else(String::new, |report| {
        format!(" --report {}", command_line(&[report.display().to_string()]))
    });
    writeln!(
        out,
        "Next       routeproof explain {}{}",
        clean(&first.id),
        escaped(&report)
    )?;
    if let Some(replay) = &first.replay {
        writeln!(out, "{DIM}           {}{DIM:#}", escaped(replay))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::{Allowed, CauseKey, Got};

    use super::*;
    use crate::causes::tests::reported;

    #[test]
    fn what_became_of_a_cause_on_servers_is_told_in_one_line() {
        let mut cause = reported(&CauseKey::AskedBefore, &[]);
        cause.finding.allowed = Allowed::NoRow(None);
        let came = Some(Got::Ids(vec!["d7".to_owned()]));
        let (lacks, why) = ("hold".to_owned(), "it did not come up".to_owned());
        for (outcome, expected) in [
            (Served::Confirmed, "on servers==1: confirmed"),
            (
                Served::NotConfirmed { came: None },
                "on servers==1: not confirmed, the rule held",
            ),
            (Served::NotConfirmed { came }, "on servers==1: not confirmed, came d7"),
            (Served::NotDrivable { lacks }, "on servers==1: not drivable: hold"),
            (
                Served::NotReplayed { why },
                "on servers==1: not replayed: it did not come up",
            ),
        ] {
            let spec = "servers==1".to_owned();
            cause.served = Some(ServedReport { spec, outcome });
            let mut text = String::new();
            write_cause(&mut text, &cause, 1, 80).unwrap();
            assert_eq!(text.lines().last().map(str::trim), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_word_at_the_right_edge_never_makes_a_line_too_long() {
        assert_eq!(sides("left", "right", 12), ["left   right"]);
        assert_eq!(sides("a long left side", "right", 12), ["a long left", "side   right"]);
        assert_eq!(sides("left side", "right", 12), ["left side", "       right"]);
        assert_eq!(sides("left", "", 12), ["left        "].map(str::trim_end));
    }
}
