//! The capabilities that a trace needs: what it does, and asks, of a router must be declared by it.

use std::collections::BTreeSet;

use crate::ask::Question;
use crate::op::World;
use crate::row::Row;
use crate::step::{Change, Step};
use crate::trace::{Level, Trace};
use crate::wire::Capability;

impl Trace {
    /// Returns the capabilities that a router must declare for the trace to be carried out on it. Those of a fleet are not
    /// named one by one: its writes go to the store.
    pub fn needs(&self) -> BTreeSet<Capability> {
        if self.level == Level::Fleet {
            return [Capability::Fleet].into();
        }
        let of_steps = self.steps.iter().filter_map(|step| match step {
            Step::Change(change) => Some(of_change(change)),
            Step::Ask(_, question) => of_question(question),
            Step::World(World::Wait(_)) => Some(Capability::Wait),
            Step::Do(_) | Step::Begin(_) | Step::Finish(_) | Step::World(_) => None,
        });
        of_steps.chain(self.rows().flat_map(of_row)).collect()
    }
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
    needs
        .into_iter()
        .filter_map(|(capability, needed)| needed.then_some(capability))
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
}
