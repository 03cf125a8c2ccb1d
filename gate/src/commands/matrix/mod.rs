//! `routeproof matrix`: several releases of one router, each put on trial as by `run`, in one document.
//!
//! A cause that one release is found to have is looked for on each other release too: its trace is carried out there, so that
//! an empty cell says that it was, and shows nothing.

mod kept;
mod lines;
mod replays;

use std::path::Path;

use protocol::Level;

use self::kept::{Drawer, Kept, Replays, Settings};
use self::lines::{Line, Outcomes, Witness, causes, lines};
use self::replays::{NOT_REACHED, carry_out};
use super::interruption;
use super::run::{Options, chosen_rules, opened_and_tried, refuse_strategy};
use crate::adapter::AdapterSettings;
use crate::cli::{MatrixArgs, Named};
use crate::document::{
    CauseReport, Document, Interruption, MatrixReport, ReleaseReport, ReleaseTrial, RunReport, TriedRelease,
};
use crate::error::Error;
use crate::foreign;
use crate::guard::{finish_on_signal, stopped};
use crate::output::progress;
use crate::skip::Skips;

/// A release under way.
struct Column {
    named: Named,
    options: Options,
    drawer: Drawer,
    /// The beginning of each line of progress.
    head: String,
    trial: Trial,
}

/// The trial of a release.
enum Trial {
    Tried { run: Box<RunReport>, kept: bool },
    AdapterFault(String),
    NotReached,
}

/// Puts the releases that the flags name on trial, one after the other.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn run(args: &MatrixArgs, settings: &AdapterSettings) -> Result<Document, Error> {
    let _finishing = finish_on_signal();
    let settings = AdapterSettings {
        jobs: args.trial.jobs,
        ..settings.clone()
    };
    let mut columns = columns(args)?;
    progress(&format!("seed {}", args.seed));
    for column in &mut columns {
        if stopped().is_some() {
            break;
        }
        column.trial = column.tried(args.fresh, &settings)?;
    }
    let lines = lines(
        columns
            .iter()
            .enumerate()
            .map(|(place, column)| (place, column.causes())),
    );
    let mut outcomes = Vec::with_capacity(columns.len());
    for (place, column) in columns.iter().enumerate() {
        outcomes.push(column.replayed(&wanted(&lines, place), args.fresh, &settings)?);
    }
    let versions: Vec<String> = columns.iter().map(|column| column.named.version.clone()).collect();
    Ok(Document::Matrix(MatrixReport {
        router: args.router.clone(),
        made_by: args.command(),
        level: args.trial.level.into(),
        seed: args.seed,
        budget_seconds: args.trial.budget.map(|budget| budget.as_secs_f64()),
        causes: causes(lines, &versions, &outcomes),
        releases: columns.into_iter().map(Column::into_report).collect(),
        interrupted: stopped().map(Interruption::Signal),
    }))
}

fn columns(args: &MatrixArgs) -> Result<Vec<Column>, Error> {
    let level: Level = args.trial.level.into();
    let rules = chosen_rules(level, &args.trial.rule)?;
    let releases = args.releases()?;
    releases.iter().try_for_each(|named| refuse_strategy(&named.spec))?;
    let count = releases.len();
    let columns = (1..).zip(releases).map(|(number, named): (usize, Named)| {
        let options = Options {
            spec: named.spec.clone(),
            level,
            replicas_max: args.trial.replicas,
            rules: rules.clone(),
            budget: args.trial.budget,
            effects_min: args.trial.changes_min,
            seed: args.seed,
            traces_max: args.trial.traces,
            out: args.out.join(&named.version),
            replay_words: Vec::new(),
            ask_again: args.trial.ask_again,
            skips: Skips::default(),
        };
        Column {
            drawer: Drawer::new(options.out.clone(), Settings::of(&options, args.trial.jobs.get())),
            head: format!("release {number} of {count}, {}", named.version),
            options,
            named,
            trial: Trial::NotReached,
        }
    });
    Ok(columns.collect())
}

/// The traces that are carried out on a release: those of causes that it has not found by itself.
fn wanted(lines: &[Line], place: usize) -> Vec<Witness> {
    let elsewhere = lines.iter().filter(|line| !line.is_found_on(place));
    elsewhere.flat_map(Line::witnesses).collect()
}

impl Column {
    fn say(&self, line: &str) {
        progress(&format!("{}: {line}", self.head));
    }

    /// Puts the release on trial, or takes the trial that is kept.
    fn tried(&self, fresh: bool, settings: &AdapterSettings) -> Result<Trial, Error> {
        match self.drawer.trial() {
            Kept::Whole(run) if !fresh => {
                self.say("an earlier call has kept its trial (`--fresh` tries it anew)");
                return Ok(Trial::Tried { run, kept: true });
            }
            Kept::Damaged(why) => self.say(&format!("what was kept is damaged, and is not used: {why}")),
            Kept::OfOtherSettings => self.say("what was kept is of other settings, and is not used"),
            Kept::Whole(_) | Kept::Nothing => {}
        }
        self.say("on trial");
        self.drawer.clear().map_err(|why| unwritable(&self.options.out, &why))?;
        let run = match opened_and_tried(&self.options, None, settings, &|line| self.say(line)) {
            Ok(run) => run,
            Err(Error::Adapter(fault)) => {
                return Ok(match interruption(&fault) {
                    Interruption::AdapterFault(fault) => Trial::AdapterFault(fault),
                    Interruption::Signal(_) => Trial::NotReached,
                });
            }
            Err(Error::Preset(why)) => return Ok(Trial::AdapterFault(why.to_string())),
            Err(error) => return Err(error),
        };
        self.say(&run.summary().verdict);
        let written = self.drawer.keep_trial(&run);
        written.map_err(|why| unwritable(&self.options.out, &why))?;
        Ok(Trial::Tried {
            run: Box::new(run),
            kept: false,
        })
    }

    /// The causes that its trial found.
    fn causes(&self) -> &[CauseReport] {
        match &self.trial {
            Trial::Tried { run, .. } => &run.causes,
            Trial::AdapterFault(_) | Trial::NotReached => &[],
        }
    }

    /// Carries out traces of other releases, but for those that were carried out by an earlier call.
    fn replayed(&self, wanted: &[Witness], fresh: bool, settings: &AdapterSettings) -> Result<Outcomes, Error> {
        let nothing = |why: &str| Outcomes {
            replays: Replays::new(),
            otherwise: why.to_owned(),
        };
        match &self.trial {
            Trial::AdapterFault(_) => return Ok(nothing("this release could not be put on trial")),
            Trial::NotReached => return Ok(nothing(NOT_REACHED)),
            Trial::Tried { .. } => {}
        }
        let mut replays = match self.drawer.replays() {
            Kept::Whole(replays) if !fresh => replays,
            Kept::Damaged(why) => {
                self.say(&format!("what was kept is damaged, and is not used: {why}"));
                Replays::new()
            }
            Kept::Whole(_) | Kept::OfOtherSettings | Kept::Nothing => Replays::new(),
        };
        let before = replays.len();
        let left = carry_out(wanted, &self.options, settings, &mut replays, &|line| self.say(line))?;
        if replays.len() > before {
            let kept = self.drawer.keep_replays(&replays);
            kept.map_err(|why| unwritable(&self.options.out, &why))?;
        }
        Ok(Outcomes {
            replays,
            otherwise: left.unwrap_or_default(),
        })
    }

    fn into_report(self) -> ReleaseReport {
        let report = self.drawer.report();
        ReleaseReport {
            version: self.named.version,
            spec: self.named.spec.to_string(),
            trial: match self.trial {
                Trial::Tried { run, kept } => ReleaseTrial::Tried(Box::new(TriedRelease {
                    summary: run.summary(),
                    router: run.trial,
                    kept,
                    searches: run.searches,
                    rules: run.rules,
                    report: report.display().to_string(),
                    seconds: run.seconds,
                })),
                Trial::AdapterFault(why) => ReleaseTrial::AdapterFault(why),
                Trial::NotReached => ReleaseTrial::NotReached,
            },
        }
    }
}

fn unwritable(dir: &Path, why: &std::io::Error) -> Error {
    Error::Usage(format!(
        "{}: {why}; name another directory with `--out`",
        foreign::path(dir)
    ))
}
