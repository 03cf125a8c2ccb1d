//! The rule on replicas that are busy: operations under way take nothing away from callers.

use std::collections::BTreeSet;

use protocol::{Answer, Op, Query, Question, Row, Shown, Step, StoreView, World, Write};

use super::absolute::Unmoved;
use super::notes::{Asked, Notes};
use crate::evidence::fleet::{History, Operation, Sight};
use crate::evidence::{Around, Ground, Look};
use crate::failure::{Allowed, Got, Version};
use crate::spec::Table;

/// A stretch of moments at which a replica has operations under way.
struct Spell {
    replica: u8,
    /// The number of steps done before it.
    before: usize,
    /// The number of the step of its last whole poll before that; 0 where it has not polled since the fleet was set up.
    polled: usize,
}

/// Notes each answer that differs while operations are under way from what it was before they began, though no row that
/// changed can touch it, and each row that is gone meanwhile although nothing but its tag was changed.
pub(super) fn undisturbed(history: &History, ground: &Ground, notes: &mut Notes) {
    if ground.dialect.picks || history.has_second_source() {
        return;
    }
    for replica in 0..history.trace.setup.replicas {
        let mut spell: Option<Spell> = None;
        for after in 1..=history.trace.steps.len() {
            let busy = history.under_way(Some(replica), after).any(|one| one.to != Some(after));
            if !busy {
                spell = None;
                continue;
            }
            let known = spell.take().or_else(|| begun(history, replica, after - 1));
            spell = known.filter(|_| is_calm(history, replica, after));
            if let Some(spell) = &spell {
                notes.at(replica, after);
                look_again(history, ground, spell, after, notes);
            }
        }
    }
}

/// The spell that begins after so many steps; none where the replica has come up since the set-up and not polled.
fn begun(history: &History, replica: u8, before: usize) -> Option<Spell> {
    let life = history.life(replica, before);
    let polled = history.operations.iter().rev().find(|one| {
        let whole = one.act == Op::Poll(replica) && history.is_alone(one) && one.from <= before;
        let shown = history.shows(one.from) == Some(StoreView::All);
        whole && shown && one.now == Some(protocol::Now::Done) && history.life(replica, one.from) == life
    });
    let polled = polled.map(|poll| poll.from).or_else(|| (life == 0).then_some(0))?;
    Some(Spell {
        replica,
        before,
        polled,
    })
}

/// Returns whether the step leaves the replica up and the store as it should be.
fn is_calm(history: &History, replica: u8, step: usize) -> bool {
    let stays = history.life(replica, step) == history.life(replica, step - 1);
    let is_order = matches!(history.trace.steps[step - 1], Step::World(World::StoreOrder(_)));
    stays && !is_order && history.shows(step) == Some(StoreView::All)
}

fn look_again(history: &History, ground: &Ground, spell: &Spell, after: usize, notes: &mut Notes) {
    let changed: Vec<&Operation> = history
        .operations
        .iter()
        .filter(|one| one.write().is_some() && one.from <= after && one.to.is_none_or(|to| to >= spell.polled))
        .filter(|one| one.from > 0)
        .collect();
    let versions = versions_of(history, &changed);
    let empty = Table::new();
    let unmoved = Unmoved {
        ground,
        rows: history.store(spell.before).unwrap_or(&empty),
        row: None,
    };
    let now: Vec<&Sight> = history.sights_at(spell.replica, after).collect();
    for sight in now {
        for (question, query, is) in lookups(sight.look()) {
            let Some(was) = history.answer_at(spell.replica, spell.before, question) else {
                continue;
            };
            // Whether a replica reads the store when it comes up is its own affair: what it serves, it has read.
            let serves = |shown: &Shown| matches!(shown, Shown::Answers(answers) if answers.iter().all(has_rows));
            if spell.polled == 0 && !serves(was) {
                continue;
            }
            notes.premise();
            // A router may answer by what no rule knows, such as the name of the upstream model: what a changed row was answered
            // with, it touches.
            let answered = versions
                .iter()
                .any(|row| [was, is].iter().any(|shown| has_row(shown, &row.id)));
            if !answered && !versions.iter().any(|row| touches(ground, row, query)) {
                let around = Around {
                    question,
                    before: was,
                    now: is,
                };
                unmoved.judge(&around, notes);
            } else if let (Shown::Answers(was), Shown::Answers(is)) = (was, is) {
                stays(history, ground, (query, was, is), &changed, notes);
            }
        }
    }
}

fn has_row(shown: &Shown, id: &str) -> bool {
    let has = |answer: &Answer| answer.candidates().iter().any(|one| one.id == id);
    matches!(shown, Shown::Answers(answers) if answers.iter().any(has))
}

fn has_rows(answer: &Answer) -> bool {
    !answer.candidates().is_empty()
}

fn lookups(look: Look<'_>) -> impl Iterator<Item = (&Question, &Query, &Shown)> {
    look.iter()
        .filter_map(|(_, question, shown)| Some((question, question.query()?, shown)))
}

/// Every version that the rows which these writes are about may have.
fn versions_of<'h>(history: &'h History, changed: &[&Operation]) -> Vec<&'h Row> {
    let ids: BTreeSet<&str> = changed.iter().filter_map(|one| Some(one.write()?.id())).collect();
    let all = history.issued.values().chain(&history.variants);
    all.filter(|row| ids.contains(row.id.as_str())).collect()
}

/// Returns whether a row can be among what a query is answered with, or stand before it.
fn touches(ground: &Ground, row: &Row, query: &Query) -> bool {
    let names = [Some(&row.model_name), row.team_model_name.as_ref()];
    let by_name = |name: &&String| **name == query.model || ground.patterns.matches(name, &query.model);
    row.id == query.model || names.into_iter().flatten().any(|name| by_name(&name))
}

/// Notes each row that was answered with before and is not now, although every write since gave it a new tag and nothing else.
fn stays(
    history: &History,
    ground: &Ground,
    (query, was, is): (&Query, &[Answer], &[Answer]),
    changed: &[&Operation],
    notes: &mut Notes,
) {
    for (path, (was, is)) in was.iter().zip(is).enumerate() {
        for before in was.candidates() {
            let Some(row) = history.issued.get(&before.tag) else {
                continue;
            };
            let about = |one: &&&Operation| one.write().is_some_and(|write| write.id() == before.id);
            let all_keep = changed.iter().filter(about).all(|one| keeps_all_but_the_tag(one, row));
            // Another row that changed may stand before it.
            let others = changed.iter().filter(|one| !about(one)).copied().collect::<Vec<_>>();
            let shadowed = versions_of(history, &others)
                .iter()
                .any(|other| touches(ground, other, query));
            let is_there = is.candidates().iter().any(|candidate| candidate.id == before.id);
            if all_keep && !shadowed && !is_there {
                let asked = Asked {
                    query,
                    path,
                    answer: is,
                };
                let version = Version {
                    id: before.id.clone(),
                    tag: before.tag.clone(),
                };
                notes.fail(
                    "gone",
                    asked.about(ground, Some(row)),
                    Allowed::AtLeast(version),
                    Got::Answer(is.clone()),
                );
            }
        }
    }
}

/// Returns whether a write leaves everything of the row as it is but its tag.
fn keeps_all_but_the_tag(one: &Operation, row: &Row) -> bool {
    let same = |other: &Row| {
        let tag = row.tag.clone();
        Row { tag, ..other.clone() } == *row
    };
    match one.write() {
        Some(Write::Put(other)) => same(other),
        Some(Write::Patch(patch)) => {
            let mut other = row.clone();
            patch.fields.apply_to(&mut other);
            same(&other)
        }
        Some(Write::Add(_) | Write::Delete(_)) | None => false,
    }
}
