//! The rules that rest on rows and tags alone.
use std::collections::BTreeSet;

use protocol::{Outcome, Row};

use super::notes::{Asked, Notes, Subject, answers, difference, list, long, short, sizes};
use crate::evidence::{Moment, Transition, Way};
use crate::spec::visible;

pub(super) fn current(moment: &Moment, notes: &mut Notes) {
    for asked in answers(moment) {
        for candidate in asked.answer.candidates() {
            notes.premise();
            let row = moment.table.get(&candidate.id);
            if row.is_some_and(|row| row.tag == candidate.tag) {
                continue;
            }
            let version = moment.version(candidate);
            let class = match (row, version) {
                (_, Some(version)) if version.id != candidate.id => "cross-wired",
                (None, _) => "ghost",
                (Some(_), _) => "stale",
            };
            let way = version.map_or(Way::Nothing, |version| moment.ground.way(version, &asked.query.model));
            let allowed = row.map_or_else(|| "none".to_owned(), |row| format!("{} {}", row.id, row.tag));
            let subject = Subject {
                id: Some(candidate.id.clone()),
                ..asked.about(version)
            };
            notes.fail(class, way, subject, allowed, short(asked.answer));
        }
    }
}

pub(super) fn claims_no_ghost(transition: &Transition, notes: &mut Notes) {
    let Some(held) = &transition.changed.held else { return };
    for id in held {
        notes.premise();
        let already =
            !transition.before.contains_key(id) && transition.held_before.is_some_and(|before| before.contains(id));
        if !transition.now.contains_key(id) && !already {
            let subject = Subject {
                row: transition.before.get(id),
                id: Some(id.clone()),
                ..Subject::default()
            };
            notes.fail(
                "claims-ghost",
                Way::Claim,
                subject,
                list(transition.now.keys()),
                list(held),
            );
        }
    }
}

pub(super) fn no_duplicate(moment: &Moment, notes: &mut Notes) {
    for asked in answers(moment) {
        let mut seen = BTreeSet::new();
        for candidate in asked.answer.candidates() {
            if seen.is_empty() {
                notes.premise();
            }
            if !seen.insert((&candidate.id, &candidate.tag)) {
                let version = moment.version(candidate);
                let way = version.map_or(Way::Nothing, |row| moment.ground.way(row, &asked.query.model));
                let allowed = format!("{} {} once", candidate.id, candidate.tag);
                notes.fail("twice", way, asked.about(version), allowed, short(asked.answer));
                break;
            }
        }
    }
}

pub(super) fn claims_once(transition: &Transition, notes: &mut Notes) {
    let Some(held) = &transition.changed.held else { return };
    notes.premise();
    let mut seen = BTreeSet::new();
    for id in held {
        let before = transition.held_before.unwrap_or_default();
        let doubled_before = before.iter().filter(|other| *other == id).count() > 1;
        if !seen.insert(id) && !doubled_before {
            let subject = Subject {
                row: transition.now.get(id),
                id: Some(id.clone()),
                ..Subject::default()
            };
            notes.fail("claimed-twice", Way::Claim, subject, format!("{id} once"), list(held));
        }
    }
}

pub(super) fn scoped(moment: &Moment, notes: &mut Notes) {
    for asked in answers(moment) {
        let team = asked.query.team.as_deref();
        let foreign = |row: &&Row| !visible(row, team);
        let reached = |row: &Row| moment.ground.reaches(row, &asked.query.model).is_some();
        if moment.issued.values().filter(foreign).any(reached) {
            notes.premise();
        }
        for candidate in asked.answer.candidates() {
            let Some(row) = moment.version(candidate).filter(foreign) else {
                continue;
            };
            let way = moment.ground.way(row, &asked.query.model);
            let allowed = team.map_or_else(
                || "rows without a team".to_owned(),
                |team| format!("rows of team {team} or of none"),
            );
            let got = format!(
                "{} of team {}",
                short(asked.answer),
                row.team.as_deref().unwrap_or_default()
            );
            notes.fail("other-team", way, asked.about(Some(row)), allowed, got);
        }
    }
    for (viewer, listing) in moment.viewers.iter().zip(&moment.seen.listings) {
        let team = viewer.as_deref();
        for name in listing {
            let mut named = moment.issued.values().filter(|row| row.asked_name() == name);
            let Some(row) = named.clone().next() else { continue };
            if named.all(|row| !visible(row, team)) {
                let subject = Subject {
                    row: Some(row),
                    viewer: Some(viewer),
                    ..Subject::default()
                };
                notes.fail("listed", Way::Listing, subject, format!("no `{name}`"), list(listing));
            }
        }
    }
}

pub(super) fn not_blocked(moment: &Moment, notes: &mut Notes) {
    for asked in answers(moment) {
        let reached = |row: &Row| moment.ground.reaches(row, &asked.query.model).is_some();
        if moment.table.values().any(|row| row.blocked && reached(row)) {
            notes.premise();
        }
        for candidate in asked.answer.candidates() {
            let Some(row) = moment.table.get(&candidate.id).filter(|row| row.blocked) else {
                continue;
            };
            let way = moment.ground.way(row, &asked.query.model);
            notes.fail(
                "blocked",
                way,
                asked.about(Some(row)),
                format!("no {}", row.id),
                short(asked.answer),
            );
        }
    }
}

pub(super) fn atomic_refusal(transition: &Transition, notes: &mut Notes) {
    let subject = || Subject {
        row: transition.change.rows().first(),
        ..Subject::default()
    };
    let Outcome::Refused(_) = &transition.changed.outcome else {
        let Some(spec) = &transition.ground.spec else { return };
        let kept = transition.changed.outcome == Outcome::Unchanged && transition.before == transition.now;
        if let Err(why) = spec.change(transition.before, transition.change)
            && !kept
            && !transition
                .change
                .rows()
                .iter()
                .any(|row| transition.ground.is_opaque(row))
        {
            notes.premise();
            notes.fail(
                "wrongly-accepted",
                Way::Claim,
                subject(),
                format!("refused: {why}"),
                "applied".to_owned(),
            );
        }
        return;
    };
    notes.premise();
    if let (Some(before), Some(now)) = (transition.held_before, &transition.changed.held) {
        let sorted = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<String>>();
        if sorted(before) != sorted(now) {
            notes.fail("claim", Way::Claim, subject(), list(before), list(now));
        }
    }
    let Some(seen) = transition.seen else { return };
    for (index, query) in seen.queries.iter().enumerate() {
        for (path, (before, now)) in seen.before.answers[index]
            .iter()
            .zip(&seen.after.answers[index])
            .enumerate()
        {
            let (before, now) = (before.clone().sorted(), now.clone().sorted());
            if before != now {
                let row = difference(&before, &now)
                    .1
                    .and_then(|candidate| transition.before.get(&candidate.id));
                let row = row.or(transition.change.rows().first());
                let way = row.map_or(Way::Nothing, |row| transition.ground.way(row, &query.model));
                let asked = Asked {
                    query,
                    path,
                    answer: &now,
                };
                notes.fail("changed", way, asked.about(row), long(&before), long(&now));
            }
        }
    }
    let listings = seen.before.listings.iter().zip(&seen.after.listings);
    for (viewer, (before, now)) in seen.viewers.iter().zip(listings) {
        if before != now {
            let subject = Subject {
                viewer: Some(viewer),
                ..subject()
            };
            notes.fail("changed", Way::Listing, subject, list(before), list(now));
        }
    }
    if seen.before.sizes != seen.after.sizes {
        let [before, now] = [seen.before, seen.after].map(|seen| sizes(&seen.sizes));
        notes.fail("changed", Way::Size, subject(), before, now);
    }
}
