//! The rules that rest on a fresh router of the same kind.
use std::collections::{BTreeMap, BTreeSet};

use protocol::{Answer, Query, Question, Shown};

use super::notes::{Asked, Notes, Subject, difference};
use crate::evidence::{Look, Moment};
use crate::failure::{Allowed, Got, Size};

pub(super) fn history_free(moment: &Moment, notes: &mut Notes) {
    if moment.after == 0 {
        return;
    }
    match moment.fresh.first() {
        None => {}
        Some(Ok(fresh)) => compare(moment, moment.look_of(fresh), moment.look, notes),
        Some(Err(why)) => unbuildable(moment, why, notes),
    }
}

pub(super) fn order_free(moment: &Moment, notes: &mut Notes) {
    let Some((Ok(first), others)) = moment.fresh.split_first() else {
        return;
    };
    if moment.table.len() < 2 {
        return;
    }
    for other in others {
        match other {
            Ok(other) => compare(moment, moment.look_of(first), moment.look_of(other), notes),
            Err(why) => unbuildable(moment, why, notes),
        }
    }
}

fn unbuildable(moment: &Moment, why: &str, notes: &mut Notes) {
    notes.premise();
    let subject = Subject {
        row: moment.table.values().next(),
        ..Subject::default()
    };
    notes.fail("unbuildable", subject, Allowed::Built, Got::Unbuildable(why.to_owned()));
}

/// Notes every answer and listing of `other` that differs from that of `one`.
pub(super) fn compare(moment: &Moment, one: Look, other: Look, notes: &mut Notes) {
    for (place, question, one) in one.iter() {
        match (question, one, other.get(place)) {
            (Question::Lookup(query), Shown::Answers(one), Some(Shown::Answers(other))) => {
                for (path, (one, other)) in one.iter().zip(other).enumerate() {
                    notes.premise();
                    compare_answers(moment, query, path, (one, other), notes);
                }
            }
            (_, Shown::Names(one), Some(Shown::Names(other))) => {
                notes.premise();
                let [one, other] = [one, other].map(|names| names.iter().cloned().collect::<BTreeSet<String>>());
                if one != other {
                    let [one, other] = [one, other].map(|names| names.into_iter().collect());
                    let subject = Subject::of(question.clone(), None);
                    notes.fail("listing", subject, Allowed::Names(one), Got::Names(other));
                }
            }
            _ => {}
        }
    }
}

fn compare_answers(moment: &Moment, query: &Query, path: usize, (one, other): (&Answer, &Answer), notes: &mut Notes) {
    let (one, other) = (one.clone().sorted(), other.clone().sorted());
    // The text of a failure is for people, and is not compared.
    if one == other || matches!((&one, &other), (Answer::Failed(_), Answer::Failed(_))) {
        return;
    }
    let (class, differing) = difference(&one, &other);
    let row = differing.and_then(|candidate| moment.version(candidate));
    let asked = Asked {
        query,
        path,
        answer: &other,
    };
    let subject = asked.about(moment.ground, row);
    let got = asked.got();
    notes.fail(class, subject, Allowed::Answer(one), got);
}

pub(super) fn bounded(moment: &Moment, notes: &mut Notes) {
    let Some(Ok(fresh)) = moment.fresh.first() else { return };
    if moment.after == 0 {
        return;
    }
    let of_fresh: BTreeMap<&String, u64> = moment
        .look_of(fresh)
        .sizes()
        .flatten()
        .map(|(structure, &size)| (structure, size))
        .collect();
    for (structure, &size) in moment.look.sizes().flatten() {
        let Some(&of_fresh) = of_fresh.get(structure) else {
            continue;
        };
        notes.premise();
        if size > of_fresh {
            let entries = |entries| Size {
                structure: structure.clone(),
                entries,
            };
            let subject = Subject::of(Question::Sizes, None);
            notes.fail(
                "grown",
                subject,
                Allowed::AtMost(entries(of_fresh)),
                Got::Size(entries(size)),
            );
        }
    }
}
