//! The rules that rest on a fresh router of the same kind.
use std::collections::BTreeSet;

use protocol::{Answer, Observation};

use super::notes::{Asked, Notes, Subject, difference, list, long};
use crate::evidence::{Moment, Way};

pub(super) fn history_free(moment: &Moment, notes: &mut Notes) {
    if moment.after == 0 {
        return;
    }
    match moment.fresh.first() {
        None => {}
        Some(Ok(fresh)) => compare(moment, fresh, moment.seen, notes),
        Some(Err(why)) => {
            notes.premise();
            let subject = Subject {
                row: moment.table.values().next(),
                ..Subject::default()
            };
            notes.fail(
                "unbuildable",
                Way::Nothing,
                subject,
                "a fresh router of the rows".to_owned(),
                why.clone(),
            );
        }
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
            Ok(other) => compare(moment, first, other, notes),
            Err(why) => {
                notes.premise();
                let subject = Subject {
                    row: moment.table.values().next(),
                    ..Subject::default()
                };
                notes.fail(
                    "unbuildable",
                    Way::Nothing,
                    subject,
                    "a router of the rows".to_owned(),
                    why.clone(),
                );
            }
        }
    }
}

/// Notes every answer and listing in which `other` is not as `one` is.
fn compare(moment: &Moment, one: &Observation, other: &Observation, notes: &mut Notes) {
    for (index, query) in moment.queries.iter().enumerate() {
        for (path, (one, other)) in one.answers[index].iter().zip(&other.answers[index]).enumerate() {
            notes.premise();
            let (one, other) = (one.clone().sorted(), other.clone().sorted());
            if one == other || matches!((&one, &other), (Answer::Failed(_), Answer::Failed(_))) {
                continue;
            }
            let (class, differing) = difference(&one, &other);
            let row = differing.and_then(|candidate| moment.version(candidate));
            let way = row.map_or(Way::Nothing, |row| moment.ground.way(row, &query.model));
            let asked = Asked {
                query,
                path,
                answer: &other,
            };
            notes.fail(class, way, asked.about(row), long(&one), long(&other));
        }
    }
    for (viewer, (one, other)) in moment.viewers.iter().zip(one.listings.iter().zip(&other.listings)) {
        notes.premise();
        let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<String>>();
        if set(one) != set(other) {
            let subject = Subject {
                viewer: Some(viewer),
                ..Subject::default()
            };
            notes.fail("listing", Way::Listing, subject, list(&set(one)), list(&set(other)));
        }
    }
}

pub(super) fn bounded(moment: &Moment, notes: &mut Notes) {
    let Some(Ok(fresh)) = moment.fresh.first() else { return };
    if moment.after == 0 {
        return;
    }
    for (structure, &size) in &moment.seen.sizes {
        let Some(&of_fresh) = fresh.sizes.get(structure) else {
            continue;
        };
        notes.premise();
        if size > of_fresh {
            let allowed = format!("{structure}: at most {of_fresh}");
            notes.fail(
                "grown",
                Way::Size,
                Subject::default(),
                allowed,
                format!("{structure}: {size}"),
            );
        }
    }
}
