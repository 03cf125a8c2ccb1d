//! Follows a run through its reply, and builds the parts that a [`super::History`] is made of.

use std::borrow::Cow;
use std::collections::BTreeMap;

use protocol::{
    Begin, Changed, Moved, Now, Observation, Op, OpId, Query, Questions, Round, Row, Run, RunReply, Step, StepReply,
    StoreView, Trace, Via, World, Write, WriteOp,
};

use super::{Operation, Sight};

/// The most rows that the writes of a run may have made, patched in any order; if there are more, a tag does not tell
/// which row it stands for.
const PATCHED_MAX: usize = 256;

/// Versions of rows by tag, each with the number of the step from which on there may be one.
pub(super) type Versions = BTreeMap<String, Vec<(usize, Row)>>;

/// The lists of rows that the second source becomes.
pub(super) fn configs(trace: &Trace) -> impl Iterator<Item = &Vec<Row>> {
    trace.steps.iter().filter_map(|step| match step {
        Step::World(World::Config(config)) => config.rows.as_ref(),
        _ => None,
    })
}

/// Every operation, the rows of the set-up first.
pub(super) fn operations(trace: &Trace, reply: &RunReply) -> Vec<Operation> {
    let mut operations: Vec<Operation> = trace.setup.rows.iter().map(set_up).collect();
    let mut open: BTreeMap<OpId, usize> = BTreeMap::new();
    for (number, (step, reply)) in (1..).zip(trace.steps.iter().zip(&reply.steps)) {
        let StepReply::Moved(moved) = reply else { continue };
        let mut others = moved.as_slice();
        if let Some((id, act)) = begun(number, step) {
            let own = moved.first().filter(|moved| moved.op == id);
            others = &moved[usize::from(own.is_some())..];
            let now = own.map(|own| own.now.clone());
            let over = now.as_ref().is_some_and(Now::is_over);
            // Where there was no notification to duplicate, nothing has begun.
            if now.is_some() || !matches!(step, Step::World(_)) {
                let to = over.then_some(number);
                let from = number;
                operations.push(Operation { act, from, to, now });
                if !over {
                    open.insert(id, operations.len() - 1);
                }
            }
        }
        for Moved { op, now } in others {
            if let Some(&place) = open.get(op) {
                operations[place].now = Some(now.clone());
                if now.is_over() {
                    operations[place].to = Some(number);
                    open.remove(op);
                }
            }
        }
        if let Step::World(World::Crash(replica)) = step {
            // A crash ends the operations of its replica, also if the adapter does not report them as lost.
            open.retain(|_, place| {
                let operation = &mut operations[*place];
                let lost = operation.act.replica() == Some(*replica);
                if lost {
                    operation.to = Some(number);
                    operation.now = Some(Now::Lost);
                }
                !lost
            });
        }
    }
    operations
}

/// A row of the set-up as the write that it stands for.
pub(super) fn set_up(row: &Row) -> Operation {
    Operation {
        act: Op::Write(WriteOp {
            via: Via::Store,
            write: Write::Put(row.clone()),
        }),
        from: 0,
        to: Some(0),
        now: Some(Now::Changed(Changed::APPLIED)),
    }
}

/// The operation that a step begins, under its name.
pub(super) fn begun(number: usize, step: &Step) -> Option<(OpId, Op)> {
    match step {
        Step::Begin(Begin { op, act, .. }) => Some((op.clone(), act.clone())),
        Step::Do(act) => Some((OpId::of_step(number), act.clone())),
        Step::World(World::Duplicate(replica)) => Some((OpId::of_step(number), Op::Deliver(*replica))),
        Step::Change(_) | Step::Finish(_) | Step::World(_) | Step::Ask(..) => None,
    }
}

pub(super) fn requests(operations: &[Operation]) -> Vec<(usize, Query)> {
    let requests = operations
        .iter()
        .enumerate()
        .filter_map(|(place, operation)| match &operation.act {
            Op::Request(request) => Some((place, request.query())),
            _ => None,
        });
    requests.collect()
}

/// Returns for each tag every row that the writes may have made with it. Patches are applied in every order, also in
/// those that their intervals rule out: a version too many can only excuse an answer. None if there are too many.
pub(super) fn versions(operations: &[Operation], configured: &[&Row]) -> Option<Versions> {
    let writes = || operations.iter().filter(|operation| operation.may_have_written());
    let whole = writes().filter_map(|operation| Some((operation.from, operation.write()?.row()?.clone())));
    let patches = writes().filter_map(|operation| match operation.write()? {
        Write::Patch(patch) => Some((operation.from, patch)),
        _ => None,
    });
    let patches: Vec<_> = patches.collect();
    let mut rows: Vec<(usize, Row)> = configured.iter().map(|row| (0, Row::clone(row))).chain(whole).collect();
    let mut next = 0;
    while next < rows.len() {
        let (since, row) = rows[next].clone();
        for (from, patch) in patches.iter().filter(|(_, patch)| patch.id == row.id) {
            let mut patched = row.clone();
            patch.fields.apply_to(&mut patched);
            let since = since.max(*from);
            if !rows.iter().any(|(other, known)| *other <= since && *known == patched) {
                rows.push((since, patched));
            }
        }
        next += 1;
        if next > PATCHED_MAX {
            return None;
        }
    }
    let mut versions = Versions::new();
    for (since, row) in rows {
        versions.entry(row.tag.clone()).or_default().push((since, row));
    }
    Some(versions)
}

pub(super) fn rests(trace: &Trace) -> Vec<usize> {
    let mut rests = vec![0];
    for (after, step) in (1..).zip(&trace.steps) {
        rests.push(if matches!(step, Step::Ask(..)) {
            rests[after - 1]
        } else {
            after
        });
    }
    rests
}

pub(super) fn lives(trace: &Trace, replica: u8) -> Vec<usize> {
    let mut lives = vec![0];
    let mut is_up = true;
    for (after, step) in (1..).zip(&trace.steps) {
        // To start what is up changes nothing, and neither does a crash of what is down.
        let crashes = is_up && *step == Step::World(World::Crash(replica));
        let begins = !is_up && step.op() == Some(&Op::Start(replica));
        is_up = (is_up || begins) && !crashes;
        lives.push(lives[after - 1] + usize::from(crashes || begins));
    }
    lives
}

pub(super) fn views(trace: &Trace) -> Vec<Option<StoreView>> {
    let (mut fails, mut view) = (false, StoreView::All);
    let mut views = vec![Some(view)];
    for step in &trace.steps {
        match step {
            Step::World(World::StoreFails(now)) => fails = *now,
            Step::World(World::StoreShows(now)) => (fails, view) = (false, *now),
            _ => {}
        }
        views.push((!fails).then_some(view));
    }
    views
}

pub(super) fn eras(trace: &Trace, operations: &[Operation]) -> Vec<usize> {
    let mut eras = vec![0];
    for (number, step) in (1..).zip(&trace.steps) {
        let mut writes = operations.iter().filter(|operation| operation.may_have_written());
        let changes = matches!(step, Step::World(World::Config(_))) || writes.any(|write| write.is_under_way(number));
        eras.push(eras[number - 1] + usize::from(changes));
    }
    eras
}

pub(super) fn polls(
    trace: &Trace,
    operations: &[Operation],
    (eras, views): (&[usize], &[Option<StoreView>]),
    replica: u8,
) -> Vec<usize> {
    let mut polls = vec![0];
    for (number, step) in (1..).zip(&trace.steps) {
        let at = operations
            .iter()
            .filter(|operation| operation.act.replica() == Some(replica));
        let at: Vec<_> = at.filter(|operation| operation.is_under_way(number)).collect();
        let before = polls[number - 1];
        let stands_still = eras[number] == eras[number - 1] && *step != Step::World(World::Crash(replica));
        polls.push(match at.as_slice() {
            _ if !stands_still => 0,
            [] => before,
            [poll] if poll.act == Op::Poll(replica) && poll.is_within(number) => {
                let whole = poll.now == Some(Now::Done) && views[number] == Some(StoreView::All);
                if whole { before + 1 } else { 0 }
            }
            _ => 0,
        });
    }
    polls
}

/// The answers of the replicas, in order: those of rounds, and of the questions among the steps.
pub(super) fn sights<'a>(run: &'a Run, reply: &'a RunReply) -> Vec<Sight<'a>> {
    let rounds = run.questions.rounds.iter().zip(&reply.rounds);
    let seen = rounds.flat_map(|(round, seen)| {
        seen.iter().filter_map(|seen| {
            Some(Sight {
                replica: seen.replica?,
                after: round.after as usize,
                questions: Cow::Borrowed(&run.questions),
                round: round.clone(),
                seen: Cow::Borrowed(seen),
            })
        })
    });
    let steps = (1..).zip(run.trace.steps.iter().zip(&reply.steps));
    let asked = steps.filter_map(|(after, (step, reply))| match (step, reply) {
        (Step::Ask(Some(replica), question), StepReply::Shown(shown)) => Some(Sight {
            replica: *replica,
            after,
            questions: Cow::Owned(Questions {
                asked: vec![question.clone()],
                rounds: Vec::new(),
            }),
            round: Round::all(u32::try_from(after).unwrap_or(u32::MAX)),
            seen: Cow::Owned(Observation {
                replica: Some(*replica),
                shown: vec![shown.clone()],
            }),
        }),
        _ => None,
    });
    let mut sights: Vec<Sight> = seen.chain(asked).collect();
    sights.sort_by_key(|sight| sight.after);
    sights
}
