//! The rules that rest on the preset's exact answer.
use std::collections::BTreeSet;

use protocol::{Answer, Candidate, Change, Outcome, Question, Row};

use super::notes::{Asked, Notes, Subject, answers};
use crate::evidence::{Moment, Prediction, Transition};
use crate::failure::{Allowed, Got};
use crate::spec::is_visible;

pub(super) fn complete(moment: &Moment, notes: &mut Notes) {
    for (number, asked) in answers(moment.look) {
        if let Answer::Failed(_) = asked.answer {
            notes.premise();
            let mut rows = moment.issued.values();
            let row = rows.find(|row| moment.ground.reaches(row, &asked.query.model).is_some());
            notes.fail(
                "failed",
                asked.about(moment.ground, row),
                Allowed::AnyAnswer,
                asked.got(),
            );
            continue;
        }
        let Some(prediction) = predicted(moment, number, &asked) else {
            continue;
        };
        notes.premise();
        let is_current = |candidate: &Candidate| {
            moment
                .table
                .get(&candidate.id)
                .is_some_and(|row| row.tag == candidate.tag)
        };
        // An old version may have taken the place of a row: that is a finding of `current`.
        if prediction.came_true() || !asked.answer.candidates().iter().all(is_current) {
            continue;
        }
        let allowed = prediction.answers();
        let Some(closest) = closest(&allowed, asked.answer) else {
            continue;
        };
        let (class, row) = match (closest, asked.answer) {
            (Answer::Candidates(_), Answer::Refused(_)) => ("refused", first_missing(moment, closest, &[])),
            (Answer::Candidates(_), Answer::Candidates(got)) => ("missing", first_missing(moment, closest, got)),
            (Answer::Refused(_), Answer::Refused(_)) => ("refusal-kind", None),
            _ => continue,
        };
        if class == "missing" && row.is_none() {
            continue;
        }
        let allowed = Allowed::Answer(closest.clone());
        notes.fail(class, asked.about(moment.ground, row), allowed, asked.got());
    }
}

/// Returns what the preset allows as the answer, where there is one and it speaks of this query.
fn predicted<'m, 'a>(moment: &'m Moment<'a>, number: usize, asked: &Asked) -> Option<Prediction<'m, 'a>> {
    if matches!(asked.answer, Answer::Failed(_)) || moment.is_opaque(asked.query) {
        return None;
    }
    moment.prediction(number, asked.path)
}

/// The allowed answer that is nearest to what came.
fn closest<'a>(allowed: &'a [Answer], got: &Answer) -> Option<&'a Answer> {
    let shared = |answer: &&Answer| {
        let candidates = answer.candidates().iter();
        candidates
            .filter(|candidate| got.candidates().contains(candidate))
            .count()
    };
    allowed.iter().max_by_key(shared)
}

fn first_missing<'a>(moment: &'a Moment, allowed: &Answer, got: &[Candidate]) -> Option<&'a Row> {
    let mut missing = allowed.candidates().iter();
    let missing = missing.find(|candidate| !got.iter().any(|other| other.id == candidate.id))?;
    moment.table.get(&missing.id)
}

pub(super) fn takes_what_is_valid(transition: &Transition, notes: &mut Notes) {
    let refused = match &transition.changed.outcome {
        Outcome::Refused(why) => Some(why),
        Outcome::Applied | Outcome::Unchanged => None,
    };
    if let Some(held) = &transition.changed.held
        && refused.is_none()
    {
        notes.premise();
        let claimed: BTreeSet<&String> = held.iter().collect();
        let touched = transition.change.rows().iter().map(|row| &row.id);
        let expected: BTreeSet<&String> = touched.chain(transition.held_before.into_iter().flatten()).collect();
        for (id, row) in transition.now {
            if expected.contains(id) && !claimed.contains(id) {
                let due = transition.now.keys().cloned().collect();
                let subject = Subject::of(Question::Claims, Some(row));
                notes.fail("not-held", subject, Allowed::Ids(due), Got::Ids(held.clone()));
            }
        }
    }
    let Some(spec) = transition.ground.spec() else { return };
    if transition
        .change
        .rows()
        .iter()
        .any(|row| transition.ground.is_opaque(row))
    {
        return;
    }
    // To delete an unknown id may be refused or change nothing: neither loses a row.
    let deletes_nothing = matches!(transition.change, Change::Delete(id) if !transition.before.contains_key(id));
    let open = deletes_nothing || spec.leaves_open(transition.change);
    if spec.check_change(transition.before, transition.change).is_ok() && !open {
        notes.premise();
        if let Some(why) = refused {
            notes.fail(
                "wrongly-refused",
                Subject::of(Question::Claims, transition.change.rows().first()),
                Allowed::Outcome(Outcome::Applied),
                Got::Outcome(Outcome::Refused(why.clone())),
            );
        }
    }
}

pub(super) fn resolved(moment: &Moment, notes: &mut Notes) {
    for (number, asked) in answers(moment.look) {
        let Some(prediction) = predicted(moment, number, &asked) else {
            continue;
        };
        let allowed = if prediction.came_true() {
            Vec::new()
        } else {
            prediction.answers()
        };
        let closest = closest(&allowed, asked.answer);
        for candidate in asked.answer.candidates() {
            let Some(row) = moment.table.get(&candidate.id).filter(|row| row.tag == candidate.tag) else {
                continue;
            };
            // Such candidates are findings of `not-blocked` and `scoped`.
            if row.blocked || !is_visible(row, asked.query.team.as_deref()) {
                continue;
            }
            notes.premise();
            let Some(closest) = closest else { continue };
            let prescribed = closest.candidates().iter().find(|other| other.id == candidate.id);
            let class = match prescribed {
                Some(prescribed) if prescribed.model == candidate.model => continue,
                Some(_) => "wrong-model",
                None => "not-eligible",
            };
            let allowed = Allowed::Answer(closest.clone());
            notes.fail(class, asked.about(moment.ground, Some(row)), allowed, asked.got());
        }
    }
}

pub(super) fn listing(moment: &Moment, notes: &mut Notes) {
    for (_, viewer, shown) in moment.look.listings() {
        if moment.has_opaque_row() {
            continue;
        }
        let Some(allowed) = moment.listing(viewer.as_deref()) else {
            return;
        };
        notes.premise();
        if shown.iter().eq(allowed.iter()) {
            continue;
        }
        let shown: BTreeSet<String> = shown.iter().cloned().collect();
        let (class, name) = match (shown.difference(&allowed).next(), allowed.difference(&shown).next()) {
            (Some(name), _) => ("shown", name),
            (None, Some(name)) => ("hidden", name),
            (None, None) => continue,
        };
        let row = moment.issued.values().find(|row| row.asked_name() == name);
        let subject = Subject::of(Question::Listing(viewer.clone()), row);
        let (allowed, got) = (
            Allowed::Names(allowed.iter().cloned().collect()),
            Got::Names(shown.iter().cloned().collect()),
        );
        notes.fail(class, subject, allowed, got);
    }
}
