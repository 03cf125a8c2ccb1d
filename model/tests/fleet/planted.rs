//! A replica with a planted fault, which may be other than its like in what it says or reads.

use adapter_faulty::{FleetReplica, find_fleet};
use protocol::fleet::{Act, Given, LocalReplica, Want};
use protocol::{Answer, Candidate, Capability, Hello, Query, Question, Shown};

#[derive(Clone, Debug)]
pub(crate) struct Planted {
    replica: FleetReplica,
    /// True if it says what its structures hold, and which of them is its registry.
    tells: bool,
    /// True if it answers by the target of a row as well, which no preset knows of.
    by_target: bool,
    /// The row that no poll ever loads, not even where it comes up.
    never_loads: Option<&'static str>,
}

impl Planted {
    /// Returns a replica with that fault of a fleet.
    pub(crate) fn new(fault: &str) -> Self {
        let fault = find_fleet(fault).unwrap_or_else(|| panic!("there is no fault `{fault}`"));
        Self {
            replica: FleetReplica::new(fault),
            tells: true,
            by_target: false,
            never_loads: None,
        }
    }

    /// Returns a replica that does not say what its structures hold.
    pub(crate) fn silent(fault: &str) -> Self {
        Self {
            tells: false,
            ..Self::new(fault)
        }
    }

    /// Returns a replica without a fault that answers by the targets of rows too.
    pub(crate) fn answering_by_target() -> Self {
        Self {
            by_target: true,
            ..Self::new("none")
        }
    }

    /// Returns a replica that never loads that row.
    pub(crate) fn never_loading(id: &'static str) -> Self {
        Self {
            never_loads: Some(id),
            ..Self::new("none")
        }
    }

    fn by_target(&self, query: &Query) -> Option<Answer> {
        let rows = self.replica.rows().iter();
        let row = rows.clone().find(|row| self.by_target && row.model == query.model)?;
        let (id, model, tag) = (row.id.clone(), row.model.clone(), row.tag.clone());
        Some(Answer::Candidates(vec![Candidate { id, model, tag }]))
    }
}

impl LocalReplica for Planted {
    type Task = <FleetReplica as LocalReplica>::Task;

    fn describe(&self) -> Hello {
        let mut hello = self.replica.describe();
        if !self.tells {
            hello.capabilities.retain(|capability| *capability != Capability::Holds);
            hello.dialect.registry = None;
        }
        hello
    }

    fn begin(&mut self, act: Act) -> Self::Task {
        self.replica.begin(act)
    }

    fn proceed(&mut self, task: &mut Self::Task, mut given: Given) -> Want {
        if let (Given::All(Ok(reading)), Some(never)) = (&mut given, self.never_loads) {
            let count = reading.rows.len();
            reading.rows.retain(|row| row.id != never);
            reading.count -= count - reading.rows.len();
        }
        self.replica.proceed(task, given)
    }

    fn ask(&self, question: &Question) -> Shown {
        match question {
            Question::Lookup(query) => self
                .by_target(query)
                .map_or_else(|| self.replica.ask(question), |answer| Shown::Answers(vec![answer])),
            _ => self.replica.ask(question),
        }
    }
}
