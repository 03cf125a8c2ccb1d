//! The rules of a fleet: of its whole history, or of one replica beside a fresh one.
use std::collections::{BTreeMap, BTreeSet};

use protocol::{Candidate, Now, Op, Outcome, Question, Row, Step, StoreView, Write};

use super::absolute::Unmoved;
use super::metamorphic::compare;
use super::notes::{Asked, Notes, Subject};
use crate::evidence::fleet::{History, Operation, Served};
use crate::evidence::{Around, Ground, Moment};
use crate::failure::{Allowed, Got, Version};
use crate::spec::Table;

/// The tags of a row, each with the numbers of steps after which a replica answered with it.
type Tags<'h> = BTreeMap<&'h str, BTreeSet<usize>>;

pub(super) fn monotonic(history: &History, ground: &Ground, notes: &mut Notes) {
    for replica in 0..history.trace.setup.replicas {
        let mut served: Vec<(Served, &Candidate)> = candidates(history, replica).collect();
        served.sort_by_key(|(served, _)| served.after);
        let mut known: BTreeMap<(usize, &str), Tags> = BTreeMap::new();
        // Nothing moves between the answers of one rest, so none of them is the earlier one.
        for at_once in served.chunk_by(|(one, _), (other, _)| history.rest(one.after) == history.rest(other.after)) {
            for (now, candidate) in at_once {
                let life = history.life(replica, now.from);
                let earlier = known.get(&(life, candidate.id.as_str()));
                notes.at(replica, now.after);
                not_back(history, ground, (now, candidate), earlier, notes);
            }
            for (now, candidate) in at_once {
                let life = history.life(replica, now.after);
                let tags = known.entry((life, &candidate.id)).or_default();
                tags.entry(&candidate.tag).or_default().insert(now.after);
            }
        }
    }
}

fn not_back<'h>(
    history: &History,
    ground: &Ground,
    (now, candidate): (&Served, &Candidate),
    earlier: Option<&'h Tags<'h>>,
    notes: &mut Notes,
) {
    // The latest time counts: a write may give its row a tag that the row has had before.
    let last_seen =
        |(tag, times): (&'h &'h str, &BTreeSet<usize>)| times.range(..=now.from).next_back().map(|seen| (*tag, *seen));
    let earlier: Vec<(&str, usize)> = earlier.into_iter().flatten().filter_map(last_seen).collect();
    if earlier.is_empty() {
        return;
    }
    notes.premise();
    let newer = earlier
        .into_iter()
        .find(|newer| goes_back(history, candidate, *newer, now.from));
    if let Some((newer, _)) = newer {
        let subject = about(history, ground, now, candidate);
        let allowed = at_least(&candidate.id, newer);
        notes.fail("back", subject, allowed, Got::Answer(now.answer.clone()));
    }
}

/// Returns true if, by that step, an acknowledged write of the tag `newer` had replaced the version that is served: a write
/// that had begun when the replica answered with that tag.
fn goes_back(history: &History, served: &Candidate, (newer, seen): (&str, usize), by: usize) -> bool {
    let Candidate { id, tag, .. } = served;
    let mut writes = history.writes(id).filter(|write| {
        let known = write.is_acknowledged() && write.to.is_some_and(|to| to <= by);
        known && write.from <= seen && write.tag() == Some(newer)
    });
    tag != newer && writes.any(|write| history.is_replaced(id, tag, write))
}

/// Every candidate that a replica has answered with, of rows that come from the store alone.
fn candidates<'h>(history: &'h History, replica: u8) -> impl Iterator<Item = (Served<'h>, &'h Candidate)> {
    let candidates = history
        .served(replica)
        .flat_map(|served| served.answer.candidates().iter().map(move |one| (served, one)));
    candidates.filter(|(_, candidate)| !history.configured.contains(candidate.id.as_str()))
}

/// Returns the subject of a finding on one candidate of an answer.
fn about<'h>(history: &'h History, ground: &Ground, served: &Served, candidate: &Candidate) -> Subject<'h> {
    let asked = Asked {
        query: served.query,
        path: served.path,
        answer: served.answer,
    };
    Subject {
        id: Some(candidate.id.clone()),
        ..asked.about(ground, history.issued.get(&candidate.tag))
    }
}

fn at_least(id: &str, tag: &str) -> Allowed {
    Allowed::AtLeast(Version {
        id: id.to_owned(),
        tag: tag.to_owned(),
    })
}

/// A write that a replica has acknowledged.
struct Acknowledged<'h> {
    write: &'h Operation,
    /// The row that it is about.
    id: &'h str,
    replica: u8,
    /// The number of the step in which it was acknowledged.
    at: usize,
    /// The number of times that the replica had crashed or started by then.
    life: usize,
    /// The versions of the row that the replica may serve from then on.
    due: Allowed,
}

pub(super) fn read_your_writes(history: &History, ground: &Ground, notes: &mut Notes) {
    for write in &history.operations {
        if let Some(acknowledged) = acknowledged(history, ground, write) {
            serves_no_older(history, ground, &acknowledged, notes);
            still_holds(history, ground, &acknowledged, notes);
        }
    }
}

/// Returns the acknowledgement of a write by a replica. There is none of a write that the preset must refuse, of a row
/// that the second source has as well, or of a write during which the replica crashed or started.
fn acknowledged<'h>(history: &History, ground: &Ground, write: &'h Operation) -> Option<Acknowledged<'h>> {
    let (replica, change, at) = (write.act.replica()?, write.write()?, write.to?);
    let id = change.id();
    let must_refuse = change.row().is_some_and(|row| ground.must_refuse(row).is_some());
    if !write.is_acknowledged() || must_refuse || history.configured.contains(id) {
        return None;
    }
    let before = history.writes(id).filter(|other| other.ended_before(write));
    let kept = before.filter_map(Operation::tag).last();
    let due = match (change, write.tag().or(kept)) {
        (Write::Delete(_), _) | (_, None) => Allowed::NoRow(Some(id.to_owned())),
        (_, Some(tag)) => at_least(id, tag),
    };
    let life = history.life(replica, at);
    (history.life(replica, write.from) == life).then_some(Acknowledged {
        write,
        id,
        replica,
        at,
        life,
        due,
    })
}

fn serves_no_older(history: &History, ground: &Ground, acknowledged: &Acknowledged, notes: &mut Notes) {
    let Acknowledged { write, id, replica, .. } = *acknowledged;
    let mut older: BTreeMap<&str, bool> = BTreeMap::new();
    for (served, candidate) in candidates(history, replica) {
        let since = served.from >= acknowledged.at && history.life(replica, served.after) == acknowledged.life;
        if !since || candidate.id != id {
            continue;
        }
        notes.at(replica, served.after);
        notes.premise();
        let tag = candidate.tag.as_str();
        if *older.entry(tag).or_insert_with(|| history.is_older(id, tag, write)) {
            let subject = about(history, ground, &served, candidate);
            notes.fail(
                "older",
                subject,
                acknowledged.due.clone(),
                Got::Answer(served.answer.clone()),
            );
        }
    }
}

/// Notes each moment at which the written row is no longer held, although no other write can have removed it.
fn still_holds(history: &History, ground: &Ground, acknowledged: &Acknowledged, notes: &mut Notes) {
    let Acknowledged { write, id, replica, .. } = *acknowledged;
    if matches!(write.write(), Some(Write::Delete(_))) {
        return;
    }
    let others = history
        .writes(id)
        .filter(|other| *other != write && !other.ended_before(write));
    let excused_from = others.map(|other| other.from).min().unwrap_or(usize::MAX);
    for sight in history.sights.iter().filter(|sight| sight.replica == replica) {
        let since = (acknowledged.at..excused_from).contains(&sight.after);
        let Some((question, ids)) = sight.ids(history, ground).filter(|_| since) else {
            continue;
        };
        if history.life(replica, sight.after) != acknowledged.life {
            continue;
        }
        notes.at(replica, sight.after);
        notes.premise();
        if !ids.contains(&id) {
            let row = write.tag().and_then(|tag| history.issued.get(tag));
            let subject = Subject {
                id: Some(id.to_owned()),
                ..Subject::of(question, row)
            };
            notes.fail("lost", subject, acknowledged.due.clone(), owned(&ids));
        }
    }
}

fn owned(ids: &[&str]) -> Got {
    Got::Ids(ids.iter().map(ToString::to_string).collect())
}

pub(super) fn claims_each_once(history: &History, ground: &Ground, notes: &mut Notes) {
    for sight in &history.sights {
        let Some((question, ids)) = sight.ids(history, ground) else {
            continue;
        };
        let mut seen = BTreeSet::new();
        let is_several = |id: &str| {
            let mut versions = history.issued.values().filter(|row| row.id == id);
            versions.any(|row| ground.is_several(row))
        };
        if let Some(twice) = ids.iter().find(|id| !seen.insert(**id) && !is_several(id)) {
            notes.at(sight.replica, sight.after);
            let subject = Subject {
                id: Some((*twice).to_owned()),
                ..Subject::of(question, None)
            };
            notes.premise();
            notes.fail(
                "claimed-twice",
                subject,
                Allowed::IdOnce((*twice).to_owned()),
                owned(&ids),
            );
        }
    }
}

pub(super) fn fails_safe(history: &History, ground: &Ground, notes: &mut Notes) {
    for poll in &history.operations {
        let Op::Poll(replica) = poll.act else { continue };
        let before = poll.from.saturating_sub(1);
        let stored = history.store(before).map(Table::len);
        let falls_short = match history.shows(poll.from) {
            None => true,
            Some(StoreView::Nothing) => stored > Some(0),
            Some(StoreView::FirstRow) => stored > Some(1),
            Some(StoreView::All | StoreView::BeforeLastWrite) => false,
        };
        // A poll reads the second source as well, and may rightly change what comes from there.
        if falls_short && history.is_alone(poll) && !history.has_second_source() {
            notes.at(replica, poll.from);
            answers_alike(history, ground, poll, notes);
        }
    }
}

pub(super) fn refuses_atomically(history: &History, ground: &Ground, notes: &mut Notes) {
    for operation in &history.operations {
        let Some(replica) = operation.act.replica() else {
            continue;
        };
        notes.at(replica, operation.to.unwrap_or(operation.from));
        let outcome = match &operation.now {
            Some(Now::Changed(changed)) => Some(&changed.outcome),
            _ => None,
        };
        match (&operation.act, outcome) {
            (Op::Write(_), Some(Outcome::Refused(_))) if history.is_alone(operation) => {
                answers_alike(history, ground, operation, notes);
            }
            (Op::Write(write), Some(Outcome::Applied)) => {
                let row = write.write.row();
                if let Some(why) = row.and_then(|row| ground.must_refuse(row)) {
                    notes.premise();
                    let allowed = Allowed::Outcome(Outcome::Refused(why));
                    let subject = Subject::of(Question::Claims, row);
                    notes.fail("wrongly-accepted", subject, allowed, Got::Outcome(Outcome::Applied));
                }
            }
            (Op::Poll(_) | Op::Deliver(_), _) if history.is_alone(operation) => {
                keeps_what_it_must_refuse(history, ground, (operation, replica), notes);
            }
            _ => {}
        }
    }
}

/// Notes each row that must be refused and of which a poll or a notification has changed what the replica holds, while
/// the store worked and stood still.
fn keeps_what_it_must_refuse(history: &History, ground: &Ground, (poll, replica): (&Operation, u8), notes: &mut Notes) {
    let (before, after) = (poll.from - 1, poll.from);
    let is_whole = history.shows(after) == Some(StoreView::All) && history.stands_still(before, after);
    let registry = |after| history.registry(ground, replica, after);
    let (Some(store), Some(was), Some(is)) = (history.store(before), registry(before), registry(after)) else {
        return;
    };
    let of_row = |tags: &[String], id: &str| {
        let mut tags = tags.to_vec();
        tags.retain(|tag| history.id_of(tag) == Some(id));
        tags.sort_unstable();
        tags
    };
    let invalid = store
        .values()
        .filter(|row| is_whole && ground.must_refuse(row).is_some());
    for row in invalid.filter(|row| !history.configured.contains(row.id.as_str())) {
        notes.premise();
        let (was, is) = (of_row(was, &row.id), of_row(is, &row.id));
        if was != is {
            let subject = Subject::of(Question::Holds, Some(row));
            notes.fail("changed", subject, Allowed::Tags(was), Got::Tags(is));
        }
    }
}

/// Notes each answer of a replica that differs before and after an operation of one step.
fn answers_alike(history: &History, ground: &Ground, operation: &Operation, notes: &mut Notes) {
    let Some(replica) = operation.act.replica() else { return };
    let (before, after) = (operation.from - 1, operation.from);
    let empty = Table::new();
    let unmoved = Unmoved {
        ground,
        rows: history.store(before).unwrap_or(&empty),
        row: operation.write().and_then(Write::row),
    };
    let mut compared = false;
    for sight in history.sights_at(replica, before) {
        for (_, question, before) in sight.look().iter() {
            let counts = matches!(question, Question::Lookup(_) | Question::Listing(_) | Question::Claims);
            if let Some(now) = history.answer_at(replica, after, question).filter(|_| counts) {
                if !std::mem::replace(&mut compared, true) {
                    notes.premise();
                }
                unmoved.judge(&Around { question, before, now }, notes);
            }
        }
    }
}

pub(super) fn follows_the_store(history: &History, ground: &Ground, notes: &mut Notes) {
    holds_the_store(history, ground, notes);
    polls_get_through(history, notes);
}

/// Notes each row of the store that a replica does not say that it holds, and each that it holds and the store does not have,
/// once it has polled twice while the store stood still. A fresh replica may lack the same rows.
fn holds_the_store(history: &History, ground: &Ground, notes: &mut Notes) {
    for sight in &history.sights {
        let polled_twice = history.polls(sight.replica, sight.after) > 1;
        let Some(store) = history.store(sight.after).filter(|_| polled_twice) else {
            continue;
        };
        // Of a row that may be refused the router decides, and of a table with one of them too.
        let may_be_refused = |row: &Row| ground.may_refuse(row) || history.configured.contains(row.id.as_str());
        let Some((question, ids)) = sight
            .ids(history, ground)
            .filter(|_| !store.values().any(may_be_refused))
        else {
            continue;
        };
        notes.at(sight.replica, sight.after);
        notes.premise();
        let about = |id: &str, row| Subject {
            id: Some(id.to_owned()),
            ..Subject::of(question.clone(), row)
        };
        // A row that serves nobody need not be held.
        let missing = |row: &&Row| !row.blocked && !ids.contains(&row.id.as_str());
        if let Some(row) = store.values().find(missing) {
            let due = at_least(&row.id, &row.tag);
            notes.fail("not-loaded", about(&row.id, Some(row)), due, owned(&ids));
        }
        let gone = |id: &&&str| !store.contains_key(**id) && !history.configured.contains(**id);
        if let Some(id) = ids.iter().find(gone) {
            let none = Allowed::NoRow(Some((*id).to_owned()));
            notes.fail("not-removed", about(id, None), none, owned(&ids));
        }
    }
}

/// Notes each poll that waits or fails although the store works, right behind another one that did, where a replica that came
/// up afresh got its poll through: such a replica answers from what it read long ago.
fn polls_get_through(history: &History, notes: &mut Notes) {
    for replica in 0..history.trace.setup.replicas {
        let mut in_a_row: Vec<&Operation> = Vec::new();
        for number in 1..=history.trace.steps.len() {
            let at: Vec<&Operation> = history.under_way(Some(replica), number).collect();
            let is_disturbed = !at.iter().all(|poll| is_whole_poll(history, poll)) || !history.is_up(replica, number);
            let works = history.shows(number) == Some(StoreView::All) && history.stands_still(number - 1, number);
            if is_disturbed || !works {
                in_a_row.clear();
                continue;
            }
            let Some(begun) = at.into_iter().find(|poll| poll.from == number) else {
                continue;
            };
            in_a_row.push(begun);
            let [.., before, last] = in_a_row.as_slice() else {
                continue;
            };
            if !history.another_came_up(replica, number) {
                continue;
            }
            notes.at(replica, number);
            notes.premise();
            if let Some(got) = not_through(before).and(not_through(last)) {
                notes.fail("not-polled", Subject::default(), Allowed::Polled, got);
            }
        }
    }
}

/// Returns whether it is a poll that one step carries out as a whole.
fn is_whole_poll(history: &History, poll: &Operation) -> bool {
    matches!(poll.act, Op::Poll(_)) && matches!(history.trace.steps.get(poll.from - 1), Some(Step::Do(_)))
}

/// Returns what came of a poll that did not end well in its step.
fn not_through(poll: &Operation) -> Option<Got> {
    match &poll.now {
        Some(Now::Failed(why)) => Some(Got::Poll(Some(why.clone()))),
        Some(Now::Waiting(_)) => Some(Got::Poll(None)),
        _ => None,
    }
}

pub(super) fn heals(moment: &Moment, notes: &mut Notes) {
    if moment.polls == 1 {
        answers_as_fresh(moment, notes);
    }
}

pub(super) fn converges(moment: &Moment, notes: &mut Notes) {
    if moment.polls > 1 {
        answers_as_fresh(moment, notes);
    }
}

/// Notes each answer that differs from that of a fresh replica. Each fresh replica had the rows in another order, so
/// the one from which the fewest answers differ counts.
fn answers_as_fresh(moment: &Moment, notes: &mut Notes) {
    let ways = moment.built().map(|fresh| {
        let mut way = notes.blank();
        compare(moment, &[fresh], moment.look, &mut way);
        way
    });
    let ways: Vec<Notes> = ways.collect();
    notes.best_of(ways);
}
