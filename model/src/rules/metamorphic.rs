//! The rules that rest on a fresh router of the same kind.
use std::collections::{BTreeMap, BTreeSet};

use protocol::{Answer, Outcome, Query, Question, Shown};

use super::notes::{Asked, Notes, Subject, difference};
use crate::evidence::{Look, Moment, Transition};
use crate::failure::{Allowed, Got, Size};

pub(super) fn history_free(moment: &Moment, notes: &mut Notes) {
    if moment.after == 0 {
        return;
    }
    let built: Vec<Look> = moment.built().collect();
    match moment.fresh.first() {
        Some(Err(why)) if built.is_empty() => unbuildable(moment, why, notes),
        _ => compare(moment, &built, moment.look, notes),
    }
}

/// Notes a change that was refused, and that every fresh router of the same rows makes.
pub(super) fn refuses_alike(transition: &Transition, notes: &mut Notes) {
    let Outcome::Refused(why) = &transition.changed.outcome else {
        return;
    };
    let Some(taken) = transition.again.first() else { return };
    notes.premise();
    if transition
        .again
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Refused(_)))
    {
        return;
    }
    notes.fail(
        "refused",
        Subject::of(Question::Claims, transition.change.rows().first()),
        Allowed::Outcome(taken.clone()),
        Got::Outcome(Outcome::Refused(why.clone())),
    );
}

pub(super) fn order_free(moment: &Moment, notes: &mut Notes) {
    let Some(first) = moment.built().next() else { return };
    if moment.table.len() < 2 || moment.ground.dialect.ordered {
        return;
    }
    for other in moment.built().skip(1) {
        compare(moment, &[first], other, notes);
    }
    for why in moment.fresh.iter().filter_map(|fresh| fresh.as_ref().err()) {
        unbuildable(moment, why, notes);
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

/// Notes every answer and listing of `look` that none of `allowed` gives, where they were asked the same.
pub(super) fn compare(moment: &Moment, allowed: &[Look], look: Look, notes: &mut Notes) {
    for (place, question, shown) in look.iter() {
        let mut of_allowed = allowed.iter().flat_map(|other| other.all(place)).peekable();
        if of_allowed.peek().is_none() {
            continue;
        }
        match (question, shown) {
            (Question::Lookup(query), Shown::Answers(got)) => {
                let allowed: Vec<&[Answer]> = of_allowed.filter_map(answers_of).collect();
                for (path, got) in got.iter().enumerate() {
                    let allowed = allowed.iter().filter_map(|answers| answers.get(path));
                    notes.premise();
                    compare_answers(moment, query, path, (allowed, got), notes);
                }
            }
            (_, Shown::Names(got)) => {
                notes.premise();
                let allowed = of_allowed.filter_map(|shown| match shown {
                    Shown::Names(names) => Some(names.as_slice()),
                    _ => None,
                });
                compare_names(question, (allowed, got), notes);
            }
            _ => {}
        }
    }
}

fn answers_of(shown: &Shown) -> Option<&[Answer]> {
    match shown {
        Shown::Answers(answers) => Some(answers),
        _ => None,
    }
}

fn compare_names<'a>(
    question: &Question,
    (mut allowed, got): (impl Iterator<Item = &'a [String]>, &[String]),
    notes: &mut Notes,
) {
    let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<String>>();
    let got = set(got);
    let Some(nearest) = allowed.next().map(set) else { return };
    if nearest == got || allowed.any(|names| set(names) == got) {
        return;
    }
    let [nearest, got] = [nearest, got].map(|names| names.into_iter().collect());
    let subject = Subject::of(question.clone(), None);
    notes.fail("listing", subject, Allowed::Names(nearest), Got::Names(got));
}

fn compare_answers<'a>(
    moment: &Moment,
    query: &Query,
    path: usize,
    (mut allowed, got): (impl Iterator<Item = &'a Answer>, &Answer),
    notes: &mut Notes,
) {
    let Some(nearest) = allowed.next() else { return };
    let agrees = |one: &Answer| {
        let fail_both = matches!((one, got), (Answer::Failed(_), Answer::Failed(_)));
        fail_both || one == got || one.clone().sorted() == got.clone().sorted()
    };
    if agrees(nearest) || allowed.any(agrees) {
        return;
    }
    let got = got.clone().sorted();
    let nearest = nearest.clone().sorted();
    let (class, differing) = difference(&nearest, &got);
    let row = differing.and_then(|candidate| moment.version(candidate));
    let asked = Asked {
        query,
        path,
        answer: &got,
    };
    let subject = asked.about(moment.ground, row);
    let got = asked.got();
    notes.fail(class, subject, Allowed::Answer(nearest), got);
}

pub(super) fn bounded(moment: &Moment, notes: &mut Notes) {
    if moment.after == 0 {
        return;
    }
    let mut of_fresh: BTreeMap<&String, (u64, u64)> = BTreeMap::new();
    for (structure, &size) in moment.built().flat_map(Look::sizes).flatten() {
        let (least, most) = of_fresh.entry(structure).or_insert((size, size));
        (*least, *most) = (size.min(*least), size.max(*most));
    }
    let holds_rows = |structure: &String| moment.ground.dialect.holds_rows(structure);
    for (structure, &size) in moment
        .look
        .sizes()
        .flatten()
        .filter(|(structure, _)| holds_rows(structure))
    {
        let Some(&(least, most)) = of_fresh.get(structure) else {
            continue;
        };
        notes.premise();
        let entries = |entries| Size {
            structure: structure.clone(),
            entries,
        };
        let (class, allowed) = if size > most {
            ("grown", Allowed::AtMost(entries(most)))
        } else if size < least {
            ("shrunk", Allowed::NoFewer(entries(least)))
        } else {
            continue;
        };
        let subject = Subject::of(Question::Sizes, None);
        notes.fail(class, subject, allowed, Got::Size(entries(size)));
    }
}
