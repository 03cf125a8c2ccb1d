//! The words and marks that a matrix has in every format.

use model::RuleId;

use super::causes::paths_text;
use crate::document::{CauseCell, Damage, MatrixCause, MatrixReport, ReleaseReport, ReleaseTrial, RuleStatus, Since};
use crate::exit::Exit;
use crate::foreign::{SHOWN_MAX, brief as clean, clean as cut, one_line};

/// The mark of something broken.
pub(super) const BROKEN: &str = "x";
/// The mark of something that holds.
pub(super) const HOLDS: &str = ".";
/// The mark of something of which nothing is known.
pub(super) const OPEN: &str = "?";
/// The mark of a release that was not put on trial.
pub(super) const NONE: &str = "-";

/// The marks, each with its meaning for a rule and for a cause.
pub(super) const MARKS: [(&str, &str); 6] = [
    (
        BROKEN,
        "broken: the trial of that release found it, or a trace of another release shows it there",
    ),
    (
        HOLDS,
        "holds: the rule had enough to check, or the traces of the cause were carried out and show nothing",
    ),
    (
        "~",
        "a trace of the cause breaks its rule there as another cause, which that release has",
    ),
    (
        OPEN,
        "not known: a rule that had too little to check, or a trace that was not carried out",
    ),
    ("s", "a rule that cannot apply to that release"),
    (NONE, "no trial of that release"),
];

/// The releases that are safest, in a sentence or two.
pub(super) fn safest(matrix: &MatrixReport) -> String {
    let named = |wanted: Exit| {
        let places = (0..matrix.releases.len()).filter(|place| matrix.exit_of(*place) == Some(wanted));
        let names: Vec<String> = places.map(|place| clean(&matrix.releases[place].version)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    if let Some(names) = named(Exit::Conforms) {
        return format!("Every rule held on {names}.");
    }
    if let Some(names) = named(Exit::Inconclusive) {
        return format!(
            "No release conforms. No rule was broken on {names}, of which too little was seen for a verdict."
        );
    }
    let Some(least) = matrix.least_harmful() else {
        return "No release could be judged.".to_owned();
    };
    let damage = matrix.damage_of(least);
    let Damage {
        wrong, fails, restart, ..
    } = damage;
    let causes = damage.causes();
    let plural = if causes == 1 { "" } else { "s" };
    format!(
        "No release conforms. {} does the least harm, with {causes} cause{plural}: by {wrong} requests go to the wrong \
         deployment, by {fails} they fail, by {restart} a restart changes their answers.",
        clean(&matrix.releases[least].version)
    )
}

/// The headline of a cause, with its code paths where another cause has the same one.
pub(super) fn headline(matrix: &MatrixReport, cause: &MatrixCause) -> String {
    let headline = &cause.witness.headline;
    let alike = matrix.causes.iter().filter(|other| other.witness.headline == *headline);
    let paths = paths_text(&cause.witness.key).filter(|_| alike.count() > 1);
    let paths = paths.map_or_else(String::new, |paths| format!(", {paths}"));
    format!("{}{paths}", cut(headline, SHOWN_MAX))
}

/// The mark of a rule on a release.
pub(super) fn rule_mark(matrix: &MatrixReport, place: usize, rule: RuleId) -> &'static str {
    let ReleaseTrial::Tried(tried) = &matrix.releases[place].trial else {
        return NONE;
    };
    if matrix.shown_on(place).any(|shown| shown == rule) {
        return BROKEN;
    }
    match tried.rules.iter().find(|one| one.rule == rule).map(|one| one.status) {
        Some(RuleStatus::Fail) => BROKEN,
        Some(RuleStatus::Pass) => HOLDS,
        Some(RuleStatus::Vacuous) => OPEN,
        Some(RuleStatus::Skip) | None => "s",
    }
}

/// The mark of a cause on a release.
pub(super) fn cell_mark(release: &ReleaseReport, cell: &CauseCell) -> &'static str {
    if !matches!(release.trial, ReleaseTrial::Tried(_)) {
        return NONE;
    }
    match cell {
        CauseCell::Found { .. } | CauseCell::Shown { .. } => BROKEN,
        CauseCell::Otherwise { .. } => "~",
        CauseCell::Holds => HOLDS,
        CauseCell::NotCarriedOut { .. } => OPEN,
    }
}

/// The mark of the verdict on a release.
pub(super) fn verdict_mark(exit: Option<Exit>) -> &'static str {
    match exit {
        Some(Exit::Conforms) => "ok",
        Some(Exit::Violation) => BROKEN,
        Some(_) => OPEN,
        None => NONE,
    }
}

/// The causes that each release mends and breaks beside the one before it, a line for each that does either.
pub(super) fn changes(matrix: &MatrixReport) -> Vec<String> {
    let places = 0..matrix.releases.len();
    let told = places.filter_map(|place| {
        let Since { mends, breaks } = matrix.since_before(place)?;
        let listed = |verb: &str, causes: Vec<usize>| {
            let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
            (!causes.is_empty()).then(|| format!("{verb} {}", causes.join(", ")))
        };
        let parts: Vec<String> = listed("mends", mends)
            .into_iter()
            .chain(listed("breaks", breaks))
            .collect();
        let version = clean(&matrix.releases[place].version);
        (!parts.is_empty()).then(|| format!("{version} {}", parts.join("; ")))
    });
    told.collect()
}

/// A part of the damage.
type Count = fn(Damage) -> usize;

/// Numbers of causes by release, each row with its head.
pub(super) fn numbers(matrix: &MatrixReport) -> Vec<(&'static str, Vec<String>)> {
    let row = |of: Count| {
        let places = 0..matrix.releases.len();
        let cell = |place: usize| match matrix.exit_of(place) {
            Some(_) => of(matrix.damage_of(place)).to_string(),
            None => NONE.to_owned(),
        };
        places.map(cell).collect()
    };
    let rows: [(&str, Count); 5] = [
        ("causes", Damage::causes),
        ("- to the wrong deployment", |damage| damage.wrong),
        ("- requests fail", |damage| damage.fails),
        ("- a restart changes answers", |damage| damage.restart),
        ("- no request affected", |damage| damage.none),
    ];
    let swept = matrix.releases.iter().map(|release| match &release.trial {
        ReleaseTrial::Tried(tried) => percent(tried.swept()),
        ReleaseTrial::AdapterFault(_) | ReleaseTrial::NotReached => NONE.to_owned(),
    });
    let swept = ("percent of the sweep (. all)", swept.collect());
    rows.into_iter()
        .map(|(head, of)| (head, row(of)))
        .chain([swept])
        .collect()
}

/// A part of a whole, in percent, or the mark of what is well where it is the whole.
fn percent((part, whole): (u32, u32)) -> String {
    if part >= whole {
        return HOLDS.to_owned();
    }
    (part * 100 / whole).to_string()
}

/// The notes on releases and cells beside their marks, a line each.
pub(super) fn notes(matrix: &MatrixReport) -> Vec<String> {
    let mut notes = Vec::new();
    for (place, release) in matrix.releases.iter().enumerate() {
        let version = clean(&release.version);
        let why = match &release.trial {
            ReleaseTrial::AdapterFault(why) => Some(format!("no trial: {why}")),
            ReleaseTrial::NotReached => Some("no trial: the matrix ended before".to_owned()),
            ReleaseTrial::Tried(tried) if matrix.exit_of(place) != Some(Exit::Violation) => tried.summary.why.clone(),
            ReleaseTrial::Tried(tried) => {
                let (swept, sweep) = tried.swept();
                let cut = format!(
                    "the budget ended within the sweep, after {swept} of {sweep} traces: there may be more causes"
                );
                (swept < sweep).then_some(cut)
            }
        };
        notes.extend(why.map(|why| format!("{version}: {}", cut(&one_line(&why), SHOWN_MAX))));
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        if matches!(release.trial, ReleaseTrial::Tried(_)) {
            for cause in &matrix.causes {
                if let CauseCell::NotCarriedOut { why } = &cause.cells[place] {
                    let number = cause.number.to_string();
                    match reasons.iter_mut().find(|(reason, _)| reason == why) {
                        Some((_, numbers)) => numbers.push(number),
                        None => reasons.push((why, vec![number])),
                    }
                }
            }
        }
        for (why, numbers) in reasons {
            let (why, numbers) = (cut(&one_line(why), SHOWN_MAX), numbers.join(", "));
            notes.push(format!("{version}: cause {numbers} not carried out: {why}"));
        }
    }
    notes
}
