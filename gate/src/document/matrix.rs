//! The document of `matrix`.

use std::collections::BTreeSet;

use model::{Effect, RuleId};
use protocol::Level;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CauseReport, Counts, Facts, Interruption, RuleReport, SearchReport, Summary, TrialReport};
use crate::exit::Exit;

/// Rules and causes by release of one router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MatrixReport {
    /// The router without its release, as it was named on the command line.
    pub router: String,
    /// The command that makes it again, but for what is written where.
    pub made_by: String,
    /// One router, or several replicas over one store.
    pub level: Level,
    /// The seed of each release.
    pub seed: u32,
    /// The budget of each release; absent where it ran until there was enough for a verdict.
    pub budget_seconds: Option<f64>,
    /// The releases, in the order in which they were named.
    pub releases: Vec<ReleaseReport>,
    /// The causes of all releases, the worst first; those that are to be checked last.
    pub causes: Vec<MatrixCause>,
    /// The event that ended the matrix before its time, if one did.
    pub interrupted: Option<Interruption>,
}

/// A release in a matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseReport {
    /// The name of the release.
    pub version: String,
    /// The router that it is, as `run` takes it.
    pub spec: String,
    /// The trial, or the reason why there was none.
    pub trial: ReleaseTrial,
}

/// The trial of a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseTrial {
    /// A trial that came to an end.
    Tried(Box<TriedRelease>),
    /// A release that cannot be installed or started, in words.
    AdapterFault(String),
    /// The matrix ended before it came to that.
    NotReached,
}

/// The trial of a release, as far as a matrix tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TriedRelease {
    /// The router.
    pub router: TrialReport,
    /// True if this is the trial of an earlier call with the same settings.
    pub kept: bool,
    /// The verdict of the trial by itself.
    pub summary: Summary,
    /// The searches: how much was tried.
    pub searches: Vec<SearchReport>,
    /// Every rule that was asked for.
    pub rules: Vec<RuleReport>,
    /// The report of the trial, which `explain` reads.
    pub report: String,
    /// The time that the trial took.
    pub seconds: f64,
}

/// A cause, and what is known of it on each release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MatrixCause {
    /// The number in this document, from 1.
    pub number: usize,
    /// The release that the witness was found on: the last that has one.
    pub found_on: String,
    /// The cause as that release's trial tells it, with the known issues of all releases.
    pub witness: CauseReport,
    /// The cause on each release, in the order of the releases.
    pub cells: Vec<CauseCell>,
}

/// A cause on one release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CauseCell {
    /// The trial of this release found it.
    Found {
        /// The name of the cause in the report of that trial.
        id: String,
        /// The number of findings.
        hits: u64,
    },
    /// A trace of it that was found on another release breaks its rule here too.
    Shown {
        /// The rule.
        rule: RuleId,
    },
    /// Such a trace breaks its rule here, and what is left behind is another cause, which this release has.
    Otherwise {
        /// The number of that other cause.
        number: usize,
    },
    /// Every trace of it that can be was carried out here, and shows nothing.
    Holds,
    /// Nothing is known: its traces were not carried out here.
    NotCarriedOut {
        /// The reason.
        why: String,
    },
}

impl TriedRelease {
    /// The traces of the sweep that were tried, and those that it has.
    pub fn swept(&self) -> (u32, u32) {
        let searches = self.searches.iter();
        searches.fold((0, 0), |(swept, sweep), search| {
            (swept + search.swept, sweep + search.sweep)
        })
    }
}

impl CauseCell {
    /// Returns whether the release has this cause.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Found { .. } | Self::Shown { .. })
    }
}

/// The numbers of causes of a release, by what they do to requests, the worst first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Damage {
    /// Requests go to the wrong deployment.
    pub wrong: usize,
    /// Requests fail.
    pub fails: usize,
    /// A restart changes the answers.
    pub restart: usize,
    /// No request is affected.
    pub none: usize,
}

impl Damage {
    /// The number of all causes.
    pub(crate) fn causes(self) -> usize {
        self.wrong + self.fails + self.restart + self.none
    }
}

/// The causes in which a release differs from the one before it, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Since {
    /// Broken before, and they hold.
    pub mends: Vec<usize>,
    /// Held before, and are broken.
    pub breaks: Vec<usize>,
}

impl MatrixCause {
    /// The names of the releases that have it.
    pub fn broken_on<'a>(&'a self, releases: &'a [ReleaseReport]) -> impl Iterator<Item = &'a str> {
        let of = self.cells.iter().zip(releases);
        of.filter(|(cell, _)| cell.is_broken())
            .map(|(_, release)| release.version.as_str())
    }
}

impl MatrixReport {
    /// The rules that traces of other releases break on the release of that place.
    pub fn shown_on(&self, place: usize) -> impl Iterator<Item = RuleId> + '_ {
        self.causes.iter().filter_map(move |cause| match cause.cells[place] {
            CauseCell::Shown { rule } => Some(rule),
            _ => None,
        })
    }

    /// The exit code that speaks of one release: that of its trial, or a violation where a trace of another release shows
    /// one; none where there was no trial.
    pub fn exit_of(&self, place: usize) -> Option<Exit> {
        let ReleaseTrial::Tried(tried) = &self.releases[place].trial else {
            return None;
        };
        if self.shown_on(place).next().is_some() {
            return Some(Exit::Violation);
        }
        Exit::ALL
            .into_iter()
            .find(|exit| exit.code() == tried.summary.exit_code)
    }

    /// The causes that the release of that place mends and breaks, beside the release named before it that was tried: one that
    /// is broken on either and holds on the other.
    pub(crate) fn since_before(&self, place: usize) -> Option<Since> {
        let is_tried = |place: &usize| matches!(self.releases[*place].trial, ReleaseTrial::Tried(_));
        let before = (0..place).rev().find(is_tried).filter(|_| is_tried(&place))?;
        let broken_then_held = |broken: usize, held: usize| {
            let causes = self.causes.iter();
            let causes =
                causes.filter(|cause| cause.cells[broken].is_broken() && cause.cells[held] == CauseCell::Holds);
            causes.map(|cause| cause.number).collect()
        };
        Some(Since {
            mends: broken_then_held(before, place),
            breaks: broken_then_held(place, before),
        })
    }

    /// The numbers of causes of one release, without those that are to be checked.
    pub(crate) fn damage_of(&self, place: usize) -> Damage {
        let mut damage = Damage::default();
        let causes = self.causes.iter().filter(|cause| cause.cells[place].is_broken());
        for cause in causes.filter(|cause| !cause.witness.to_check) {
            *match cause.witness.harm.effect {
                Effect::WrongDeployment => &mut damage.wrong,
                Effect::Fails => &mut damage.fails,
                Effect::RestartChanges => &mut damage.restart,
                Effect::NoRequest => &mut damage.none,
            } += 1;
        }
        damage
    }

    /// The place of the release that breaks rules and does the least harm: it has the fewest causes of the worst effect. Of
    /// several the last.
    pub fn least_harmful(&self) -> Option<usize> {
        let places = (0..self.releases.len()).rev();
        let broken = places.filter(|place| self.exit_of(*place) == Some(Exit::Violation));
        broken.min_by_key(|place| self.damage_of(*place))
    }

    /// The names of the rules that some release was judged by, in the order of the reports.
    pub fn rules(&self) -> Vec<RuleId> {
        let rules: BTreeSet<_> = self
            .tried()
            .flat_map(|(_, tried)| tried.rules.iter().map(|rule| rule.rule))
            .collect();
        rules.into_iter().collect()
    }

    /// The releases that were put on trial, with their names.
    pub fn tried(&self) -> impl Iterator<Item = (&str, &TriedRelease)> {
        self.releases.iter().filter_map(|release| match &release.trial {
            ReleaseTrial::Tried(tried) => Some((release.version.as_str(), &**tried)),
            ReleaseTrial::AdapterFault(_) | ReleaseTrial::NotReached => None,
        })
    }

    /// The numbers of releases by their verdicts.
    pub fn counts(&self) -> Counts {
        let exits: Vec<Option<Exit>> = (0..self.releases.len()).map(|place| self.exit_of(place)).collect();
        let count = |wanted: &[Option<Exit>]| exits.iter().filter(|exit| wanted.contains(exit)).count();
        Counts {
            passed: count(&[Some(Exit::Conforms)]),
            failed: count(&[Some(Exit::Violation)]),
            skipped: count(&[None, Some(Exit::AdapterFault)]),
            vacuous: count(&[Some(Exit::Inconclusive), Some(Exit::NothingRan)]),
        }
    }

    pub(super) fn facts(&self) -> Facts {
        let exits: Vec<Option<Exit>> = (0..self.releases.len()).map(|place| self.exit_of(place)).collect();
        let has = |wanted: Exit| exits.contains(&Some(wanted));
        let judged = exits.iter().flatten().any(|exit| *exit != Exit::NothingRan);
        Facts {
            violated: has(Exit::Violation),
            fault: self.fault(),
            misuse: None,
            judged: judged || self.interrupted.is_some(),
            open: self.open(),
        }
    }

    /// The first release that could not be put on trial, or whose adapter failed, with the reason.
    fn fault(&self) -> Option<String> {
        let faults = self.releases.iter().filter_map(|release| {
            let why = match &release.trial {
                ReleaseTrial::AdapterFault(why) => Some(why.as_str()),
                ReleaseTrial::Tried(tried) if tried.summary.exit_code == Exit::AdapterFault.code() => {
                    tried.summary.why.as_deref()
                }
                ReleaseTrial::Tried(_) | ReleaseTrial::NotReached => None,
            };
            Some((&release.version, why?))
        });
        let faults: Vec<(&String, &str)> = faults.collect();
        let (version, why) = faults.first()?;
        let (count, all) = (faults.len(), self.releases.len());
        Some(format!(
            "{count} of {all} releases could not be judged; {version}: {why}"
        ))
    }

    /// The reason why something is left open, if it is.
    fn open(&self) -> Option<String> {
        if let Some(why) = self.interrupted.as_ref().and_then(Interruption::signal) {
            return Some(why);
        }
        let open = [Exit::Inconclusive.code(), Exit::NothingRan.code()];
        let (version, tried) = self
            .tried()
            .find(|(_, tried)| open.contains(&tried.summary.exit_code))?;
        let why = tried.summary.why.as_deref().unwrap_or(&tried.summary.verdict);
        Some(format!("{version}: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use model::{CauseKey, Harm, HarmKind};

    use super::*;
    use crate::causes::tests::reported;
    use crate::document::{Document, Verdict};

    fn release(version: &str, trial: ReleaseTrial) -> ReleaseReport {
        ReleaseReport {
            version: version.to_owned(),
            spec: format!("exec:./a {version}"),
            trial,
        }
    }

    fn tried(exit: Exit) -> ReleaseTrial {
        ReleaseTrial::Tried(Box::new(TriedRelease {
            router: TrialReport {
                spec: "exec:./a".to_owned(),
                router: "a".to_owned(),
                version: "1".to_owned(),
                protocol: 2,
                semantics: None,
                level: Level::Router,
            },
            kept: false,
            summary: Summary {
                verdict: exit.name().to_owned(),
                exit_code: exit.code(),
                why: (exit != Exit::Conforms).then(|| "for a reason".to_owned()),
                counts: Counts::default(),
            },
            searches: Vec::new(),
            rules: Vec::new(),
            report: "report.json".to_owned(),
            seconds: 0.0,
        }))
    }

    fn cause(number: usize, effect: Effect, cells: Vec<CauseCell>) -> MatrixCause {
        let mut witness = reported(&CauseKey::AskedBefore, &[]);
        witness.harm = Harm {
            effect,
            kind: HarmKind::Outdated,
        };
        MatrixCause {
            number,
            found_on: "1".to_owned(),
            witness,
            cells,
        }
    }

    fn matrix(trials: Vec<ReleaseTrial>, causes: Vec<MatrixCause>) -> MatrixReport {
        let releases = (1..)
            .zip(trials)
            .map(|(number, trial): (u32, _)| release(&number.to_string(), trial));
        MatrixReport {
            router: "exec:./a {version}".to_owned(),
            made_by: "routeproof matrix".to_owned(),
            level: Level::Router,
            seed: 1,
            budget_seconds: None,
            releases: releases.collect(),
            causes,
            interrupted: None,
        }
    }

    fn shown() -> CauseCell {
        CauseCell::Shown { rule: RuleId::Scoped }
    }

    fn found() -> CauseCell {
        CauseCell::Found {
            id: "cause-1".to_owned(),
            hits: 1,
        }
    }

    #[test]
    fn a_matrix_passes_where_every_release_conforms_and_says_the_worst_of_what_happened() {
        use Exit::{AdapterFault, Conforms, Inconclusive, NothingRan, Violation};
        let absent = || ReleaseTrial::AdapterFault("it cannot be installed".to_owned());
        let rows = [
            (vec![tried(Conforms), tried(Conforms)], Conforms),
            (vec![tried(Conforms), tried(Violation), absent()], Violation),
            (vec![tried(Conforms), absent()], AdapterFault),
            (vec![absent(), absent()], AdapterFault),
            (
                vec![tried(Conforms), tried(AdapterFault), tried(Inconclusive)],
                AdapterFault,
            ),
            (vec![tried(Conforms), tried(Inconclusive)], Inconclusive),
            (vec![tried(Conforms), tried(NothingRan)], Inconclusive),
            (vec![tried(NothingRan)], NothingRan),
        ];
        for (trials, expected) in rows {
            let verdict = Document::Matrix(matrix(trials.clone(), Vec::new())).verdict();
            assert_eq!(verdict.exit, expected, "{trials:?}");
            if expected == AdapterFault {
                let why = verdict.why.unwrap_or_default();
                assert!(why.contains("releases could not be judged"), "{why}");
            }
        }
    }

    #[test]
    fn a_trace_of_another_release_that_breaks_a_rule_is_a_violation() {
        for (cell, expected) in [(shown(), Exit::Violation), (CauseCell::Holds, Exit::Conforms)] {
            let matrix = matrix(vec![tried(Exit::Conforms)], vec![cause(1, Effect::Fails, vec![cell])]);
            assert_eq!(Document::Matrix(matrix).verdict().exit, expected);
        }
    }

    #[test]
    fn a_matrix_that_a_signal_ended_is_inconclusive() {
        let matrix = MatrixReport {
            interrupted: Some(Interruption::Signal(15)),
            ..matrix(vec![tried(Exit::Conforms), ReleaseTrial::NotReached], Vec::new())
        };
        let Verdict { exit, why } = Document::Matrix(matrix).verdict();
        assert_eq!(
            (exit, why.as_deref()),
            (Exit::Inconclusive, Some("signal 15 ended it before its time"))
        );
    }

    #[test]
    fn the_release_that_does_least_harm_has_the_fewest_causes_of_the_worst_effect() {
        let trials = || {
            vec![
                tried(Exit::Violation),
                tried(Exit::Violation),
                tried(Exit::Inconclusive),
            ]
        };
        let causes = vec![
            cause(
                1,
                Effect::WrongDeployment,
                vec![found(), CauseCell::Holds, CauseCell::Holds],
            ),
            cause(2, Effect::Fails, vec![CauseCell::Holds, found(), CauseCell::Holds]),
            cause(
                3,
                Effect::NoRequest,
                vec![CauseCell::Otherwise { number: 1 }, shown(), CauseCell::Holds],
            ),
        ];
        let matrix = matrix(trials(), causes);
        assert_eq!(matrix.least_harmful(), Some(1));
        let damage = Damage {
            wrong: 0,
            fails: 1,
            restart: 0,
            none: 1,
        };
        assert_eq!((matrix.damage_of(1), damage.causes()), (damage, 2));
        assert_eq!(
            matrix.damage_of(0).causes(),
            1,
            "what another cause explains is not counted twice"
        );
        assert_eq!(matrix.since_before(0), None);
        let since = Since {
            mends: vec![1],
            // The third is not known to have held before.
            breaks: vec![2],
        };
        assert_eq!(matrix.since_before(1), Some(since));
        let on: Vec<&str> = matrix.causes[2].broken_on(&matrix.releases).collect();
        assert_eq!(on, ["2"]);
    }
}
