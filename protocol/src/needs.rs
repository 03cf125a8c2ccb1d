//! The capabilities that a trace needs: what it does, and asks, of a router must be declared by it.

use std::collections::BTreeSet;

use crate::ask::Question;
use crate::op::{Op, RowOrder, Via, World, Write, WriteOp};
use crate::row::Row;
use crate::step::{Change, Step};
use crate::trace::{Level, Trace};
use crate::wire::Capability;

impl Trace {
    /// Returns the capabilities that a router or fleet must declare for the trace to be carried out on it.
    pub fn needs(&self) -> BTreeSet<Capability> {
        let of_steps = self.steps.iter().flat_map(|step| match step {
            Step::Change(change) => vec![of_change(change)],
            Step::Ask(_, question) => of_question(question).into_iter().collect(),
            Step::World(World::Wait(_)) if self.level == Level::Fleet => Vec::new(),
            Step::World(world) => vec![world.needs()],
            Step::Do(op) => of_op(op),
            Step::Begin(begin) => [of_op(&begin.act), vec![Capability::Hold]].concat(),
            Step::Finish(_) => vec![Capability::Hold],
        });
        let is_fleet = self.level == Level::Fleet;
        let of_setup = [
            (Capability::Fleet, is_fleet),
            (Capability::Config, self.setup.config.is_some()),
            (Capability::StoreOrder, self.setup.order != RowOrder::Insertion),
        ];
        of_steps
            .chain(self.rows().flat_map(of_row))
            .chain(needed(of_setup))
            .collect()
    }
}

impl World {
    /// The capability that a fleet, or for a `wait` a router, must declare for it to happen.
    pub fn needs(&self) -> Capability {
        match self {
            World::StoreFails(_) => Capability::StoreFails,
            World::StoreShows(_) => Capability::StoreShows,
            World::StoreOrder(_) => Capability::StoreOrder,
            World::Config(_) => Capability::Config,
            World::Crash(_) => Capability::Crash,
            World::Duplicate(_) | World::Drop(_) | World::Defer(_) => Capability::Notify,
            World::Wait(_) => Capability::Wait,
        }
    }
}

fn of_op(op: &Op) -> Vec<Capability> {
    match op {
        Op::Poll(_) => Vec::new(),
        Op::Start(_) => vec![Capability::Crash],
        Op::Deliver(_) => vec![Capability::Notify],
        Op::Request(_) => vec![Capability::Request],
        Op::Write(WriteOp { via, write }) => {
            let verb = match write {
                Write::Put(_) => Capability::Upsert,
                Write::Add(_) => Capability::Add,
                Write::Delete(_) => Capability::Delete,
                Write::Patch(_) => Capability::Patch,
            };
            needed([(verb, true), (Capability::Admin, *via != Via::Store)]).collect()
        }
    }
}

/// The capabilities that are needed, of these.
fn needed(of: impl IntoIterator<Item = (Capability, bool)>) -> impl Iterator<Item = Capability> {
    of.into_iter()
        .filter_map(|(capability, needed)| needed.then_some(capability))
}

fn of_change(change: &Change) -> Capability {
    match change {
        Change::Upsert(_) => Capability::Upsert,
        Change::Add(_) => Capability::Add,
        Change::Delete(_) => Capability::Delete,
        Change::Replace(_) => Capability::Replace,
    }
}

fn of_question(question: &Question) -> Option<Capability> {
    match question {
        Question::Lookup(query) => query.team.as_ref().map(|_| Capability::Teams),
        Question::Listing(_) => Some(Capability::Listing),
        Question::Claims => Some(Capability::Claims),
        Question::Holds => Some(Capability::Holds),
        Question::Sizes => Some(Capability::Sizes),
        Question::Store => Some(Capability::Fleet),
    }
}

fn of_row(row: &Row) -> impl Iterator<Item = Capability> {
    let names = [Some(&row.model_name), row.team_model_name.as_ref()];
    let needs = [
        (
            Capability::Patterns,
            names.into_iter().flatten().any(|name| name.contains('*')),
        ),
        (Capability::Teams, row.team.is_some()),
        (Capability::Blocked, row.blocked),
        (Capability::Weights, row.weight.is_some()),
    ];
    needed(needs)
}

impl Capability {
    /// The word for it in a hello.
    pub fn word(self) -> String {
        let value = serde_json::to_value(self).ok();
        let word = value.as_ref().and_then(serde_json::Value::as_str);
        word.unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Query;
    use crate::op::{Begin, ConfigFile, Fields, OpId, Patch, Place, StoreView};
    use crate::trace::Setup;

    #[test]
    fn a_trace_needs_what_its_rows_changes_and_questions_use() {
        use Capability::{
            Add, Blocked, Claims, Delete, Fleet, Holds, Listing, Patterns, Replace, Sizes, Teams, Upsert, Wait, Weights,
        };
        let plain = Row::new("d1", "a", "up", "v1");
        let of_row = |row: Row| Trace::of_router(vec![row], Vec::new());
        let of_step = |step: Step| Trace::of_router(Vec::new(), vec![step]);
        let team = Row {
            team: Some("t1".into()),
            team_model_name: Some("b*".into()),
            ..plain.clone()
        };
        let ask = |question| of_step(Step::Ask(None, question));
        #[rustfmt::skip]
        let rows: Vec<(Trace, &[Capability])> = vec![
            (of_row(plain.clone()), &[]),
            (of_row(Row::new("d1", "a*", "up", "v1")), &[Patterns]),
            (of_row(team), &[Patterns, Teams]),
            (of_row(Row { blocked: true, ..plain.clone() }), &[Blocked]),
            (of_row(Row { weight: Some(2), ..plain.clone() }), &[Weights]),
            (of_step(Step::Change(Change::Upsert(plain.clone()))), &[Upsert]),
            (of_step(Step::Change(Change::Add(plain.clone()))), &[Add]),
            (of_step(Step::Change(Change::Delete("d1".into()))), &[Delete]),
            (of_step(Step::Change(Change::Replace(vec![Row::new("d1", "*", "up", "v1")]))), &[Replace, Patterns]),
            (ask(Question::Lookup(Query::new("a", None))), &[]),
            (ask(Question::Lookup(Query::new("a", Some("t1")))), &[Teams]),
            (ask(Question::Listing(None)), &[Listing]),
            (ask(Question::Claims), &[Claims]),
            (ask(Question::Holds), &[Holds]),
            (ask(Question::Sizes), &[Sizes]),
            (ask(Question::Store), &[Fleet]),
            (of_step(Step::World(World::Wait(1))), &[Wait]),
            (Trace::of_fleet(2, Vec::new()), &[Fleet]),
        ];
        for (trace, needs) in rows {
            assert_eq!(trace.needs(), needs.iter().copied().collect(), "{trace:?}");
        }
        assert_eq!(
            (Capability::Ids.word(), Upsert.word()),
            ("ids".to_owned(), "upsert".to_owned())
        );
    }

    #[test]
    fn a_schedule_needs_what_its_steps_and_its_set_up_use() {
        use Capability::{
            Add, Admin, Config, Crash, Delete, Fleet, Hold, Notify, Patterns, StoreFails, StoreOrder, StoreShows,
            Upsert,
        };
        let of_fleet = |step| Trace::of_fleet(2, vec![step]);
        let of_setup = |setup| Trace {
            setup,
            ..Trace::of_fleet(2, Vec::new())
        };
        let write = |via, write| Op::Write(WriteOp { via, write });
        let fields = Fields::default();
        let patch = || {
            write(
                Via::Store,
                Write::Patch(Patch {
                    id: "d1".into(),
                    fields: fields.clone(),
                }),
            )
        };
        #[rustfmt::skip]
        let rows: Vec<(Trace, &[Capability])> = vec![
            (of_fleet(Step::Do(Op::Poll(0))), &[Fleet]),
            (of_fleet(Step::Do(Op::Start(0))), &[Fleet, Crash]),
            (of_fleet(Step::Do(Op::Deliver(0))), &[Fleet, Notify]),
            (of_fleet(Step::Do(write(Via::Store, Write::Delete("d1".into())))), &[Fleet, Delete]),
            (of_fleet(Step::Do(write(Via::Store, Write::Add(Row::new("d1", "a", "up", "v1"))))), &[Fleet, Add]),
            (of_fleet(Step::Do(write(Via::Replica(1), Write::Put(Row::new("d1", "a*", "up", "v1"))))), &[Fleet, Upsert, Admin, Patterns]),
            (of_fleet(Step::Begin(Begin::new("a", patch(), Place::AfterRead))), &[Fleet, Capability::Patch, Hold]),
            (of_fleet(Step::Finish(OpId("a".into()))), &[Fleet, Hold]),
            (of_fleet(Step::World(World::StoreFails(true))), &[Fleet, StoreFails]),
            (of_fleet(Step::World(World::StoreShows(StoreView::All))), &[Fleet, StoreShows]),
            (of_fleet(Step::World(World::StoreOrder(RowOrder::Insertion))), &[Fleet, StoreOrder]),
            (of_fleet(Step::World(World::Config(ConfigFile::default()))), &[Fleet, Config]),
            (of_fleet(Step::World(World::Crash(0))), &[Fleet, Crash]),
            (of_fleet(Step::World(World::Defer(0))), &[Fleet, Notify]),
            (of_fleet(Step::World(World::Wait(1))), &[Fleet]),
            (of_setup(Setup { config: Some(Vec::new()), ..Setup::default() }), &[Fleet, Config]),
            (of_setup(Setup { order: RowOrder::LastUpdate, ..Setup::default() }), &[Fleet, StoreOrder]),
        ];
        for (trace, needs) in rows {
            assert_eq!(trace.needs(), needs.iter().copied().collect(), "{trace:?}");
        }
    }
}
