//! The closing of a fleet's schedule, written into it, and the run that is judged.
//!
//! The rules of a fleet look at nothing but the steps and the replies: that a replica heals can be judged wherever it has
//! polled once, undisturbed, and another one was started afresh on the same store. The closing makes sure of that.

use std::collections::BTreeSet;

use protocol::{
    Begin, Capability, Op, OpId, Query, Question, Questions, RowOrder, Run, Step, StoreView, Trace, Via, World, WriteOp,
};

use crate::generate::with_listings;

/// The fate, in the closing, of notifications that are still under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// The notifications are lost. That takes no step: one that is never delivered is lost.
    Dropped,
    /// The notifications reach their replicas, the oldest first.
    Delivered,
}

/// Returns the trace with its closing. Faults and views of the store are turned off, held operations are finished in
/// the order in which they began, notifications meet their fate, and replicas that are down are started. Two rounds of
/// polls follow. Then the last replica is started afresh and polled once, and that a second time with the store's rows
/// in another order. Steps that the fleet has no capability for are left out.
#[must_use]
pub fn closing(trace: &Trace, pending: Pending, can: &[Capability]) -> Trace {
    let can = |capability| can.contains(&capability);
    let mut steps = trace.steps.clone();
    let replicas = 0..trace.setup.replicas;
    steps.extend(can(Capability::StoreFails).then_some(Step::World(World::StoreFails(false))));
    steps.extend(can(Capability::StoreShows).then_some(Step::World(World::StoreShows(StoreView::All))));
    steps.extend(unfinished(trace).into_iter().map(Step::Finish));
    if pending == Pending::Delivered && can(Capability::Notify) {
        steps.extend(replicas.clone().flat_map(|replica| deliveries(trace, replica)));
    }
    let down = replicas.clone().filter(|replica| is_down(trace, *replica));
    steps.extend(down.map(|replica| Step::Do(Op::Start(replica))));
    for _ in 0..2 {
        steps.extend(replicas.clone().map(|replica| Step::Do(Op::Poll(replica))));
    }
    let Some(last) = replicas.last().filter(|_| can(Capability::Crash)) else {
        return Trace { steps, ..trace.clone() };
    };
    let ordered = [RowOrder::Insertion, RowOrder::LastUpdate].map(|order| Some(Step::World(World::StoreOrder(order))));
    let orders = if can(Capability::StoreOrder) {
        &ordered[..]
    } else {
        &[None]
    };
    for order in orders {
        steps.extend(order.clone());
        steps.extend([
            Step::World(World::Crash(last)),
            Step::Do(Op::Start(last)),
            Step::Do(Op::Poll(last)),
        ]);
    }
    Trace { steps, ..trace.clone() }
}

/// The names of operations that are begun and not finished, in the order in which they begin.
fn unfinished(trace: &Trace) -> Vec<OpId> {
    let mut names: Vec<OpId> = Vec::new();
    for step in &trace.steps {
        match step {
            Step::Begin(Begin { op, .. }) if !names.contains(op) => names.push(op.clone()),
            Step::Finish(op) => names.retain(|other| other != op),
            _ => {}
        }
    }
    names
}

/// Returns one delivery for each notification that the replica may have got: one a write, but for its own.
fn deliveries(trace: &Trace, replica: u8) -> Vec<Step> {
    let elsewhere = |op: &&WriteOp| op.via != Via::Replica(replica);
    let writes = trace.steps.iter().filter_map(Step::write).filter(elsewhere);
    vec![Step::Do(Op::Deliver(replica)); writes.count()]
}

fn is_down(trace: &Trace, replica: u8) -> bool {
    let crash = Step::World(World::Crash(replica));
    let last = trace.steps.iter().rev().find_map(|step| match step {
        step if *step == crash => Some(true),
        step => (step.op() == Some(&Op::Start(replica))).then_some(false),
    });
    last == Some(true)
}

/// The run by which a fleet is judged: the trace with its closing, asked by [`fleet_run`].
pub fn closed_run(trace: &Trace, queries: Vec<Query>, pending: Pending, can: &[Capability]) -> Run {
    fleet_run(closing(trace, pending, can), queries, can)
}

/// Returns the run of a trace that asks these queries before its first step and after each, and with them all other
/// questions that the rules have for a fleet of these capabilities.
pub fn fleet_run(trace: Trace, queries: Vec<Query>, can: &[Capability]) -> Run {
    let teams: BTreeSet<Option<String>> = queries.iter().map(|query| query.team.clone()).chain([None]).collect();
    let mut asked = with_listings(queries, teams, |capability| can.contains(&capability));
    let more = [
        (Capability::Claims, Question::Claims),
        (Capability::Holds, Question::Holds),
        (Capability::Sizes, Question::Sizes),
        (Capability::Fleet, Question::Store),
    ];
    let more = more.into_iter().filter(|(capability, _)| can.contains(capability));
    asked.extend(more.map(|(_, question)| question));
    let steps = trace.steps.len();
    Run {
        trace,
        questions: Questions::after_each(asked, steps),
    }
}
