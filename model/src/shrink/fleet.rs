//! The part of shrinking that is of schedules: holds, ways of a write, faults of the store and replicas go one by one.

use protocol::{
    AdapterFault, Begin, Op, Patch, Place, Question, RowOrder, Run, Step, StoreView, Trace, Via, World, Write, WriteOp,
};

use super::{Shrinker, minimal};
use crate::failure::Finding;
use crate::rules::Oracle;

/// The run of a schedule with the lookup that shows a finding among its steps, where it showed, behind the others of `asked`.
/// Whoever carries it out asks each replica all of them after each step.
pub(super) fn asked_where_found(trace: &Trace, finding: &Finding, asked: &[Question]) -> Run {
    let mut trace = trace.clone();
    if let (Some(replica), Some(question @ Question::Lookup(_))) = (finding.replica, &finding.question) {
        let at = finding.after.min(trace.steps.len());
        let others = asked
            .iter()
            .filter(|other| *other != question && other.query().is_some());
        let all = others.chain([question]);
        trace
            .steps
            .splice(at..at, all.map(|question| Step::Ask(Some(replica), question.clone())));
    }
    Run {
        trace,
        ..Run::default()
    }
}

/// Returns the schedules to begin with, most likely first, each with what to ask: the lookup that shows the finding, then
/// all that was asked. What is behind the finding is cut off, unless the rule rests on a fresh replica that comes up there.
pub(super) fn first_traces(run: &Run, finding: &Finding) -> Vec<(Trace, Vec<Question>)> {
    let among_steps: Vec<Question> = run.trace.steps.iter().filter_map(Step::question).cloned().collect();
    let trace = without_questions(run.trace.clone());
    let alone: Vec<Question> = finding.question.iter().cloned().collect();
    let all = [&run.questions.asked[..], &among_steps].concat();
    let rests_on_fresh = finding.rule.rule().oracle == Oracle::Metamorphic;
    let up_to_it = Trace {
        steps: run.trace.steps[..finding.after.min(run.trace.steps.len())].to_vec(),
        ..trace.clone()
    };
    let up_to_it = (!rests_on_fresh).then(|| (without_questions(up_to_it), alone.clone()));
    let whole = [(trace.clone(), alone), (trace, all)];
    up_to_it.into_iter().chain(whole).collect()
}

fn without_questions(mut trace: Trace) -> Trace {
    trace.steps.retain(|step| step.question().is_none());
    trace
}

/// The text of that kind that a patch brings: a tag for `v`, a team for `t`.
pub(super) fn patched<'t>(step: &'t mut Step, letter: &str) -> Option<&'t mut String> {
    let (Step::Do(op) | Step::Begin(Begin { act: op, .. })) = step else {
        return None;
    };
    match op {
        Op::Write(WriteOp {
            write: Write::Patch(Patch { fields, .. }),
            ..
        }) => match letter {
            "v" => fields.tag.as_mut(),
            "t" => fields.team.as_mut(),
            _ => None,
        },
        _ => None,
    }
}

/// Renames the row that a delete or a patch is about.
pub(super) fn rename_id(op: &mut Op, rename: &dyn Fn(&mut String)) {
    if let Op::Write(WriteOp { write, .. }) = op {
        match write {
            Write::Delete(id) | Write::Patch(Patch { id, .. }) => rename(id),
            Write::Put(_) | Write::Add(_) => {}
        }
    }
}

impl Shrinker<'_> {
    /// Takes out the lookups without which the schedule still fails: one answer may be held against that to another lookup.
    pub(super) fn ask_less(&mut self) -> Result<(), AdapterFault> {
        let (best, _) = self.smallest();
        let (trace, asked) = (best.trace.clone(), best.questions.asked.clone());
        let lookups: Vec<Question> = asked
            .into_iter()
            .filter(|question| question.query().is_some())
            .collect();
        if lookups.len() > 1 {
            minimal(lookups, |lookups| self.attempt(trace.clone(), lookups.to_vec()))?;
        }
        Ok(())
    }

    /// Replaces each step of a schedule by the plainest one with which it still fails, and takes out replicas.
    pub(super) fn simplify_schedule(&mut self) -> Result<(), AdapterFault> {
        for index in 0..self.best().steps.len() {
            for plainer in plainer(&self.best().steps[index]) {
                let mut trace = self.best();
                trace.steps[index] = plainer;
                if self.attempt_trace(trace)? {
                    break;
                }
            }
        }
        for replica in (0..self.best().setup.replicas).rev() {
            if let Some(trace) = without(&self.best(), replica) {
                self.attempt_trace(trace)?;
            }
        }
        Ok(())
    }
}

/// Steps that do less than this one, plainest first.
fn plainer(step: &Step) -> Vec<Step> {
    match step {
        Step::Do(op) => plainer_ops(op).into_iter().map(Step::Do).collect(),
        Step::Begin(begin) => {
            let first = Begin {
                nth: 1,
                ..begin.clone()
            };
            let early = Begin {
                until: match begin.until {
                    Place::AfterRead => Place::BeforeRead,
                    Place::AfterWrite => Place::BeforeWrite,
                    until => until,
                },
                ..first.clone()
            };
            let of_act = |act| Step::Begin(Begin { act, ..begin.clone() });
            let acts = plainer_ops(&begin.act).into_iter().map(of_act);
            let begun = [early, first].into_iter().filter(|plainer| plainer != begin);
            std::iter::once(Step::Do(begin.act.clone()))
                .chain(begun.map(Step::Begin))
                .chain(acts)
                .collect()
        }
        Step::World(World::StoreShows(StoreView::FirstRow)) => vec![Step::World(World::StoreShows(StoreView::Nothing))],
        Step::World(World::StoreOrder(RowOrder::Shuffled(_))) => {
            vec![Step::World(World::StoreOrder(RowOrder::LastUpdate))]
        }
        Step::World(World::Duplicate(replica)) => vec![Step::Do(Op::Deliver(*replica))],
        Step::Change(_) | Step::Finish(_) | Step::World(_) | Step::Ask(..) => Vec::new(),
    }
}

fn plainer_ops(op: &Op) -> Vec<Op> {
    let Op::Write(WriteOp { via, write }) = op else {
        return Vec::new();
    };
    let writes = match write {
        Write::Add(row) => vec![Write::Put(row.clone())],
        Write::Patch(patch) => fewer_fields(patch).into_iter().map(Write::Patch).collect(),
        Write::Put(_) | Write::Delete(_) => Vec::new(),
    };
    let straight = (*via != Via::Store).then(|| WriteOp {
        via: Via::Store,
        write: write.clone(),
    });
    let others = writes.into_iter().map(|write| WriteOp { via: *via, write });
    straight.into_iter().chain(others).map(Op::Write).collect()
}

/// The patches that set one field less.
fn fewer_fields(patch: &Patch) -> Vec<Patch> {
    let fields = &patch.fields;
    let mut fewer = vec![fields.clone(); 8];
    fewer[0].extra = None;
    fewer[1].weight = None;
    fewer[2].blocked = None;
    fewer[3].team_model_name = None;
    fewer[4].team = None;
    fewer[5].model = None;
    fewer[6].model_name = None;
    fewer[7].tag = None;
    let is_less = |less: &protocol::Fields| less != fields && *less != protocol::Fields::default();
    let patches = fewer.into_iter().filter(is_less);
    patches
        .map(|fields| Patch {
            id: patch.id.clone(),
            fields,
        })
        .collect()
}

/// The schedule without the steps at that replica, in a fleet of one replica less; nothing where it is the only one.
fn without(trace: &Trace, gone: u8) -> Option<Trace> {
    let mut fewer = trace.clone();
    fewer.setup.replicas = fewer.setup.replicas.checked_sub(1).filter(|replicas| *replicas > 0)?;
    fewer.steps = trace.steps.iter().filter_map(|step| step_without(step, gone)).collect();
    Some(fewer)
}

fn step_without(step: &Step, gone: u8) -> Option<Step> {
    let mut step = step.clone();
    let replica = match &mut step {
        Step::Do(op) | Step::Begin(Begin { act: op, .. }) => match op {
            Op::Write(WriteOp { via: Via::Store, .. }) => None,
            Op::Write(WriteOp {
                via: Via::Replica(replica),
                ..
            })
            | Op::Poll(replica)
            | Op::Start(replica)
            | Op::Deliver(replica) => Some(replica),
            Op::Request(request) => Some(&mut request.replica),
        },
        Step::World(world) => match world {
            World::Crash(replica) | World::Duplicate(replica) | World::Drop(replica) | World::Defer(replica) => {
                Some(replica)
            }
            _ => None,
        },
        Step::Ask(Some(replica), _) => Some(replica),
        Step::Ask(None, _) | Step::Change(_) | Step::Finish(_) => None,
    };
    if let Some(replica) = replica {
        if *replica == gone {
            return None;
        }
        *replica -= u8::from(*replica > gone);
    }
    Some(step)
}
