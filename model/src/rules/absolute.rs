//! The rules that rest on rows and tags alone.
use std::collections::{BTreeMap, BTreeSet};

use protocol::{Answer, Outcome, Query, Question, Row, Shown};

use super::notes::{Asked, Notes, Subject, answers, difference};
use crate::evidence::{Around, Ground, Moment, Transition};
use crate::failure::{Allowed, Got, Version};
use crate::spec::{Table, is_visible};

pub(super) fn current(moment: &Moment, notes: &mut Notes) {
    for (_, asked) in answers(moment.look) {
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
            // The current version is right where the question reaches it, and no version of the row elsewhere.
            let reached = row.filter(|row| {
                let asked = &asked.query.model;
                !row.blocked && (moment.ground.reaches(row, asked).is_some() || row.model == *asked)
            });
            let no_row = || Allowed::NoRow(Some(candidate.id.clone()));
            let allowed = reached.map_or_else(no_row, |row| Allowed::Version(version_of(row)));
            let subject = Subject {
                id: Some(candidate.id.clone()),
                ..asked.about(moment.ground, version)
            };
            notes.fail(class, subject, allowed, asked.got());
        }
    }
}

fn version_of(row: &Row) -> Version {
    Version {
        id: row.id.clone(),
        tag: row.tag.clone(),
    }
}

pub(super) fn claims_no_ghost(transition: &Transition, notes: &mut Notes) {
    let Some(held) = &transition.changed.held else { return };
    for id in held {
        notes.premise();
        if transition.now.contains_key(id) {
            continue;
        }
        let already =
            !transition.before.contains_key(id) && transition.held_before.is_some_and(|before| before.contains(id));
        if !already {
            let subject = Subject {
                id: Some(id.clone()),
                ..Subject::of(Question::Claims, transition.before.get(id))
            };
            let due = transition.now.keys().cloned().collect();
            notes.fail("claims-ghost", subject, Allowed::Ids(due), Got::Ids(held.clone()));
        }
    }
}

pub(super) fn no_duplicate(moment: &Moment, notes: &mut Notes) {
    for (_, asked) in answers(moment.look) {
        let mut seen = BTreeSet::new();
        for candidate in asked.answer.candidates() {
            if seen.is_empty() {
                notes.premise();
            }
            if !seen.insert((&candidate.id, &candidate.tag)) {
                let version = moment.version(candidate);
                if version.is_some_and(|row| moment.ground.is_several(row)) {
                    continue;
                }
                let allowed = Allowed::Once(Version {
                    id: candidate.id.clone(),
                    tag: candidate.tag.clone(),
                });
                notes.fail("twice", asked.about(moment.ground, version), allowed, asked.got());
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
        if seen.insert(id) {
            continue;
        }
        let before = transition.held_before.unwrap_or_default();
        let doubled_before = before.iter().filter(|other| *other == id).count() > 1;
        let row = transition.now.get(id);
        let is_several = row.is_some_and(|row| transition.ground.is_several(row));
        if !doubled_before && !is_several {
            let subject = Subject {
                id: Some(id.clone()),
                ..Subject::of(Question::Claims, transition.now.get(id))
            };
            notes.fail(
                "claimed-twice",
                subject,
                Allowed::IdOnce(id.clone()),
                Got::Ids(held.clone()),
            );
        }
    }
}

pub(super) fn scoped(moment: &Moment, notes: &mut Notes) {
    for (number, asked) in answers(moment.look) {
        let team = &asked.query.team;
        let foreign = |row: &Row| !is_visible(row, team.as_deref());
        if moment.reaches_foreign(number) {
            notes.premise();
        }
        for candidate in asked.answer.candidates() {
            let Some(row) = moment.version(candidate) else { continue };
            if !foreign(row) || !moment.versions(candidate).all(foreign) {
                continue;
            }
            let got = Got::OfTeam(asked.answer.clone(), row.team.clone().unwrap_or_default());
            let subject = asked.about(moment.ground, Some(row));
            notes.fail("other-team", subject, Allowed::RowsOf(team.clone()), got);
        }
    }
    for (_, viewer, listing) in moment.look.listings() {
        let team = viewer.as_deref();
        for name in listing {
            let mut named = moment.reach.named(name);
            let Some(row) = named.next() else { continue };
            let is_hidden = |row: &Row| !is_visible(row, team);
            if is_hidden(row) && named.all(is_hidden) && !is_shown_in_another_case(moment, name, team) {
                let subject = Subject::of(Question::Listing(viewer.clone()), Some(row));
                let got = Got::Names(listing.to_vec());
                notes.fail("listed", subject, Allowed::NotNamed(name.clone()), got);
            }
        }
    }
}

/// Returns whether that name is one of a visible row, but for the case of its letters, which a router may change in what it
/// shows.
fn is_shown_in_another_case(moment: &Moment, name: &str, team: Option<&str>) -> bool {
    let name = name.to_lowercase();
    let mut given = moment.issued.values().chain(moment.variants);
    given.any(|row| is_visible(row, team) && row.asked_name().to_lowercase() == name)
}

pub(super) fn not_blocked(moment: &Moment, notes: &mut Notes) {
    for (number, asked) in answers(moment.look) {
        let is_reached = |row: &Row| moment.ground.reaches(row, &asked.query.model).is_some();
        if moment.reached(number).any(|row| row.blocked && is_reached(row)) {
            notes.premise();
        }
        for candidate in asked.answer.candidates() {
            let Some(row) = moment.table.get(&candidate.id).filter(|row| row.blocked) else {
                continue;
            };
            let allowed = Allowed::NoRow(Some(row.id.clone()));
            notes.fail("blocked", asked.about(moment.ground, Some(row)), allowed, asked.got());
        }
    }
}

pub(super) fn atomic_refusal(transition: &Transition, notes: &mut Notes) {
    let Outcome::Refused(_) = &transition.changed.outcome else {
        return refuses_what_it_must(transition, notes);
    };
    notes.premise();
    let first = transition.change.rows().first();
    if let (Some(before), Some(now)) = (transition.held_before, &transition.changed.held)
        && sorted(before) != sorted(now)
    {
        let (allowed, got) = (Allowed::Ids(before.to_vec()), Got::Ids(now.clone()));
        notes.fail("claim", Subject::of(Question::Claims, first), allowed, got);
    }
    let unmoved = Unmoved {
        ground: transition.ground,
        rows: transition.before,
        row: first,
    };
    for around in &transition.seen {
        unmoved.judge(around, notes);
    }
}

/// Notes a change that was taken and that the preset must refuse.
fn refuses_what_it_must(transition: &Transition, notes: &mut Notes) {
    let Some(spec) = transition.ground.spec() else { return };
    let kept = transition.changed.outcome == Outcome::Unchanged && transition.before == transition.now;
    let rows = transition.change.rows();
    if let Err(why) = spec.check_change(transition.before, transition.change)
        && !kept
        && !rows.iter().any(|row| transition.ground.is_opaque(row))
    {
        notes.premise();
        notes.fail(
            "wrongly-accepted",
            Subject::of(Question::Claims, rows.first()),
            Allowed::Outcome(Outcome::Refused(why.clone())),
            Got::Outcome(Outcome::Applied),
        );
    }
}

/// Something that must not change what a router shows.
pub(super) struct Unmoved<'a> {
    pub(super) ground: &'a Ground,
    /// The rows that were there before.
    pub(super) rows: &'a Table,
    /// The row that it is about, where it is about one.
    pub(super) row: Option<&'a Row>,
}

impl Unmoved<'_> {
    /// Notes where the answer to a question is no longer what it was.
    pub(super) fn judge(&self, around: &Around, notes: &mut Notes) {
        let subject = || Subject::of(around.question.clone(), self.row);
        match (around.question, around.before, around.now) {
            (Question::Lookup(query), Shown::Answers(was), Shown::Answers(is)) => {
                self.judge_answers(query, was, is, notes);
            }
            (_, Shown::Names(was), Shown::Names(is)) if was != is => {
                let (allowed, got) = (Allowed::Names(was.clone()), Got::Names(is.clone()));
                notes.fail("changed", subject(), allowed, got);
            }
            (_, Shown::Ids(was), Shown::Ids(is)) if sorted(was) != sorted(is) => {
                let (allowed, got) = (Allowed::Ids(was.clone()), Got::Ids(is.clone()));
                notes.fail("changed", subject(), allowed, got);
            }
            (_, Shown::Sizes(was), Shown::Sizes(is)) => {
                let [was, is] = [was, is].map(|sizes| self.of_rows(sizes));
                if was != is {
                    notes.fail("changed", subject(), Allowed::Sizes(was), Got::Sizes(is));
                }
            }
            _ => {}
        }
    }

    /// The sizes of the structures that hold rows: a cache may be emptied at any time, and a log grow.
    fn of_rows(&self, sizes: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let mut sizes = sizes.clone();
        sizes.retain(|structure, _| self.ground.dialect.holds_rows(structure));
        sizes
    }

    /// Notes each path on which the answer to a query is no longer what it was.
    fn judge_answers(&self, query: &Query, was: &[Answer], is: &[Answer], notes: &mut Notes) {
        if self.ground.dialect.picks {
            return;
        }
        for (path, (was, is)) in was.iter().zip(is).enumerate() {
            let (was, is) = (was.clone().sorted(), is.clone().sorted());
            if was == is {
                continue;
            }
            let row = difference(&was, &is)
                .1
                .and_then(|candidate| self.rows.get(&candidate.id));
            let asked = Asked {
                query,
                path,
                answer: &is,
            };
            let subject = asked.about(self.ground, row.or(self.row));
            notes.fail("changed", subject, Allowed::Answer(was), asked.got());
        }
    }
}

fn sorted(ids: &[String]) -> BTreeSet<&String> {
    ids.iter().collect()
}
