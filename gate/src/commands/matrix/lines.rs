//! The lines of a matrix: the causes of all releases, those of one key in one line.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use model::{CauseKey, RuleId};
use protocol::TraceFile;

use super::kept::{Replayed, Replays, sha256};
use crate::commands::replay::KeptTrace;
use crate::document::{CauseCell, CauseReport, KnownReport, MatrixCause};

/// The most traces of one cause that are carried out on a release which has not found it by itself.
const TRACES_MAX: usize = 8;

/// A cause, wherever it was found.
#[derive(Clone, Debug)]
pub(super) struct Line {
    key: CauseKey,
    /// The places of the releases that found it, ascending, each with its own word on the cause.
    found: Vec<(usize, CauseReport)>,
}

/// A trace that shows a cause on some release.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    /// The name, which the trace and its rule make.
    pub name: String,
    /// The trace and its rule.
    pub kept: KeptTrace,
}

/// The outcomes of the traces of a release's lines, or the reason why a trace was not carried out.
pub(super) struct Outcomes {
    /// The traces that were carried out.
    pub replays: Replays,
    /// The reason that all others have in common.
    pub otherwise: String,
}

/// The causes of the releases, one line a key.
pub(super) fn lines<'a>(causes: impl Iterator<Item = (usize, &'a [CauseReport])>) -> Vec<Line> {
    let mut found: BTreeMap<&CauseKey, Vec<(usize, CauseReport)>> = BTreeMap::new();
    for (place, causes) in causes {
        for cause in causes {
            found.entry(&cause.key).or_default().push((place, cause.clone()));
        }
    }
    let lines = found.into_iter().map(|(key, found)| Line {
        key: key.clone(),
        found,
    });
    lines.collect()
}

impl Line {
    /// Returns whether the trial of that release found it.
    pub(super) fn is_found_on(&self, place: usize) -> bool {
        self.found.iter().any(|(found, _)| *found == place)
    }

    /// The distinct traces that show it, those of the last releases first.
    pub(super) fn witnesses(&self) -> Vec<Witness> {
        let mut names = BTreeSet::new();
        let witnesses = self.found.iter().rev().map(|(_, cause)| Witness::of(cause));
        let distinct = witnesses.filter(|witness| names.insert(witness.name.clone()));
        distinct.take(TRACES_MAX).collect()
    }

    /// The known issues that some release knows it by.
    fn known(&self) -> Vec<KnownReport> {
        let mut known: Vec<KnownReport> = Vec::new();
        for issue in self.found.iter().rev().flat_map(|(_, cause)| &cause.known) {
            if known.iter().all(|one| one.name != issue.name) {
                known.push(issue.clone());
            }
        }
        known.sort_by_key(|issue| (issue.issue.is_none(), issue.name.clone()));
        known
    }
}

impl Witness {
    fn of(cause: &CauseReport) -> Self {
        let rule: RuleId = cause.finding.rule;
        let text = serde_json::to_string(&(rule, &cause.trace.trace)).expect("a trace is plain data");
        Self {
            name: sha256(&text),
            kept: KeptTrace {
                file: TraceFile {
                    rule: Some(rule.to_string()),
                    ..TraceFile::new(&cause.trace.why, cause.trace.trace.clone())
                },
                rule: Some(rule),
            },
        }
    }
}

/// The causes of a matrix, from the lines and from what their traces came to on each release.
pub(super) fn causes(mut lines: Vec<Line>, releases: &[String], outcomes: &[Outcomes]) -> Vec<MatrixCause> {
    lines.sort_by_cached_key(|line| {
        let worst = line.found.iter().map(|(_, cause)| cause.harm).min();
        (
            line.key.is_to_be_checked(),
            worst,
            Reverse(line.found.len()),
            line.key.clone(),
        )
    });
    let cells: Vec<Vec<CauseCell>> = lines
        .iter()
        .map(|line| {
            let places = outcomes.iter().enumerate();
            places
                .map(|(place, outcomes)| cell(line, &lines, place, outcomes))
                .collect()
        })
        .collect();
    let numbered = (1..).zip(lines.iter().zip(cells));
    numbered
        .map(|(number, (line, cells))| {
            let (place, witness) = line.found.last().expect("a line is found somewhere");
            MatrixCause {
                number,
                found_on: releases[*place].clone(),
                witness: CauseReport {
                    harm: line
                        .found
                        .iter()
                        .map(|(_, cause)| cause.harm)
                        .min()
                        .unwrap_or(witness.harm),
                    known: line.known(),
                    ..witness.clone()
                },
                cells,
            }
        })
        .collect()
}

/// A line on one release.
fn cell(line: &Line, lines: &[Line], place: usize, outcomes: &Outcomes) -> CauseCell {
    if let Some((_, cause)) = line.found.iter().find(|(found, _)| *found == place) {
        return CauseCell::Found {
            id: cause.id.clone(),
            hits: cause.hits,
        };
    }
    let witnesses = line.witnesses();
    let replayed = |witness: &Witness| outcomes.replays.get(&witness.name);
    // What a trace shows is this cause, unless the release has another that explains it.
    let explained = |key: &CauseKey, also: Option<&CauseKey>| {
        let is_this = *key == line.key || also == Some(&line.key);
        let other = |other: &&Line| other.key == *key && other.is_found_on(place);
        (!is_this).then(|| lines.iter().position(|one| other(&one))).flatten()
    };
    let broken = witnesses.iter().filter_map(|witness| match replayed(witness)? {
        Replayed::Breaks { key, also } => Some((witness.kept.rule?, explained(key, also.as_deref()))),
        Replayed::Holds | Replayed::Unfit(_) | Replayed::Failed(_) => None,
    });
    let broken: Vec<(RuleId, Option<usize>)> = broken.collect();
    if let Some((rule, _)) = broken.iter().find(|(_, other)| other.is_none()) {
        return CauseCell::Shown { rule: *rule };
    }
    if let Some((_, Some(other))) = broken.first() {
        return CauseCell::Otherwise { number: other + 1 };
    }
    let replayed: Vec<Option<&Replayed>> = witnesses.iter().map(replayed).collect();
    // That others hold says nothing of a trace that was not carried out, unless it cannot be on this release.
    let open = replayed.iter().find_map(|one| match one {
        None => Some(&outcomes.otherwise),
        Some(Replayed::Failed(why)) => Some(why),
        Some(_) => None,
    });
    let unfit = replayed.iter().flatten().find_map(|one| match one {
        Replayed::Unfit(why) => Some(why),
        _ => None,
    });
    let holds = replayed.contains(&Some(&Replayed::Holds));
    match open.or_else(|| unfit.filter(|_| !holds)) {
        Some(why) => CauseCell::NotCarriedOut { why: why.clone() },
        None => CauseCell::Holds,
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Change, Trace};

    use super::*;
    use crate::causes::tests::reported;

    /// A cause of that key, shown by deleting that row.
    fn cause(key: &CauseKey, row: &str) -> CauseReport {
        let step = protocol::Step::Change(Change::Delete(row.to_owned()));
        CauseReport {
            trace: TraceFile::new("", Trace::of_router(Vec::new(), vec![step])),
            ..reported(key, &[])
        }
    }

    fn outcomes(replays: Replays) -> Outcomes {
        Outcomes {
            replays,
            otherwise: "no time".to_owned(),
        }
    }

    /// A cause that the first release shows by a trace on `d1` and the third by one on `d4`: its cell on the second release, which
    /// has found another cause alone, and on which these two traces came to that.
    fn cell_of(of_first: Option<Replayed>, of_third: Option<Replayed>) -> CauseCell {
        let [one, other] = [CauseKey::AskedBefore, CauseKey::RefusedList];
        let found = [
            vec![cause(&one, "d1"), cause(&other, "d2")],
            vec![cause(&other, "d3")],
            vec![cause(&one, "d4")],
        ];
        let places = found.iter().enumerate();
        let lines = lines(places.map(|(place, causes)| (place, causes.as_slice())));
        let name = |row| Witness::of(&cause(&one, row)).name;
        let replays = [(name("d1"), of_first), (name("d4"), of_third)];
        let replays = replays
            .into_iter()
            .filter_map(|(name, replayed)| Some((name, replayed?)));
        let releases = ["1", "2", "3"].map(str::to_owned);
        let outcomes = [Replays::new(), replays.collect(), Replays::new()].map(outcomes);
        let causes = causes(lines, &releases, &outcomes);
        let line = causes.into_iter().find(|cause| cause.witness.key == one).unwrap();
        assert_eq!(line.found_on, "3", "the last release has the witness");
        line.cells[1].clone()
    }

    #[test]
    fn a_cell_says_what_the_traces_of_a_cause_came_to_on_another_release() {
        use Replayed::{Failed, Holds, Unfit};
        let breaks = |key, also: Option<CauseKey>| Replayed::Breaks {
            key: Box::new(key),
            also: also.map(Box::new),
        };
        let grows = || CauseKey::Growth {
            structure: "names".to_owned(),
            fewer: false,
        };
        let shown = || CauseCell::Shown { rule: RuleId::Current };
        let open = |why: &str| CauseCell::NotCarriedOut { why: why.to_owned() };
        let unfit = || Unfit("no teams".to_owned());
        let failed = || Failed("it ended".to_owned());
        for (first, third, expected) in [
            (Some(Holds), Some(Holds), CauseCell::Holds),
            (Some(Holds), Some(unfit()), CauseCell::Holds),
            (Some(unfit()), Some(unfit()), open("no teams")),
            (Some(Holds), Some(failed()), open("it ended")),
            (Some(Holds), None, open("no time")),
            (None, None, open("no time")),
            (Some(breaks(CauseKey::AskedBefore, None)), Some(Holds), shown()),
            (Some(breaks(grows(), Some(CauseKey::AskedBefore))), None, shown()),
            (
                Some(breaks(CauseKey::RefusedList, None)),
                Some(Holds),
                CauseCell::Otherwise { number: 1 },
            ),
            // No cause of that key is known of the release, so that nothing else explains what is seen.
            (Some(breaks(grows(), None)), Some(Holds), shown()),
        ] {
            let what = format!("{first:?}, {third:?}");
            assert_eq!(cell_of(first, third), expected, "{what}");
        }
    }

    #[test]
    fn the_traces_of_a_line_are_those_of_every_release_once_each() {
        let key = CauseKey::AskedBefore;
        let found = ["d1", "d2", "d1"].map(|row| vec![cause(&key, row)]);
        let lines = lines(
            found
                .iter()
                .enumerate()
                .map(|(place, causes)| (place, causes.as_slice())),
        );
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let rows: Vec<String> = line.witnesses().iter().map(|one| one.kept.file.to_toml()).collect();
        assert_eq!(rows.len(), 2);
        assert!(
            rows[0].contains("d1") && rows[1].contains("d2"),
            "the last release comes first: {rows:?}"
        );
        assert!(line.is_found_on(1) && !line.is_found_on(3));
    }
}
