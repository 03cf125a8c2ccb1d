//! Schedules of a fleet, drawn from a source of choices: writes, polls and everything else that can happen, held and let go
//! in any order.

use protocol::{
    Begin, Capability, Change, Op, OpId, Place, Query, RequestOp, Row, RowOrder, Run, Step, StoreView, Trace, Via,
    World, Write, WriteOp,
};

use crate::choices::{Choices, pick};
use crate::closing::{Pending, closed_run};
use crate::generate::{CROWDED_PERCENT, Generator, Swarm, crowd_rows};
use crate::raised::raised_queries;
use crate::spec::Table;
use crate::universe::Scope;

/// The kinds of steps of a schedule, each with its weight.
const KINDS: [(StepKind, usize); 13] = [
    (StepKind::Write, 10),
    (StepKind::Spoil, 2),
    (StepKind::Patch, 4),
    (StepKind::Poll, 8),
    (StepKind::Begin, 8),
    (StepKind::Finish, 7),
    (StepKind::Deliver, 4),
    (StepKind::Notification, 2),
    (StepKind::Fault, 3),
    (StepKind::Mend, 2),
    (StepKind::Crash, 2),
    (StepKind::Start, 2),
    (StepKind::Request, 1),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepKind {
    Write,
    /// A row that must be refused gets into the store.
    Spoil,
    Patch,
    Poll,
    Begin,
    Finish,
    Deliver,
    /// Something happens to a notification under way.
    Notification,
    /// Reads of the store fail, show too little, or come in another order.
    Fault,
    Mend,
    Crash,
    Start,
    Request,
}

/// Draws a schedule of so many replicas, and the lookups that its rows raise.
pub fn schedule(scope: &Scope, replicas: u8, choices: &mut dyn Choices) -> (Trace, Vec<Query>) {
    // No write to a store replaces all of its rows by a list.
    let mut scope = scope.clone();
    scope
        .capabilities
        .retain(|capability| *capability != Capability::Replace);
    let crowd = choices.percent(CROWDED_PERCENT).then(|| match choices.below(4) {
        0 => scope.crowd.len(),
        _ => crowd_rows(&scope, choices),
    });
    let swarm = match crowd {
        Some(rows) => Swarm::crowd(&scope, rows),
        None => Swarm::draw(&scope, choices),
    };
    let mut drawing = Drawing {
        scope: &scope,
        kinds: kinds(&scope, choices),
        generator: Generator::new(&scope, &swarm, choices, Table::new(), 0),
        replicas,
        begun: Vec::new(),
        names: 0,
        faulty: false,
    };
    let rows = match crowd {
        Some(rows) => (0..rows).map(|_| drawing.generator.plain_row()).collect(),
        None => drawing.generator.initial(),
    };
    // A replica that never polled has little to lose.
    let polled = (0..replicas).filter(|_| drawing.choices().percent(60));
    let mut steps: Vec<Step> = polled.map(|replica| Step::Do(Op::Poll(replica))).collect();
    let count = 1 + drawing.choices().below(scope.universe.steps_max as usize);
    steps.extend((0..count).map(|_| drawing.step()));
    let mut trace = Trace::of_fleet(replicas, steps);
    trace.setup.rows = rows;
    let given: Vec<Row> = given(&trace);
    let queries = raised_queries(&scope, &given.iter().collect::<Vec<_>>(), choices);
    (trace, queries)
}

/// Draws a schedule of two replicas, or of more up to `replicas_max`, and returns its run with the closing.
pub fn closed_schedule(scope: &Scope, replicas_max: u8, choices: &mut dyn Choices) -> Run {
    let more = usize::from(replicas_max.saturating_sub(2));
    let replicas = u8::try_from(2 + choices.below(more + 1)).unwrap_or(2).min(replicas_max);
    let (trace, queries) = schedule(scope, replicas, choices);
    let pending = if choices.percent(50) {
        Pending::Dropped
    } else {
        Pending::Delivered
    };
    closed_run(&trace, queries, pending, &scope.capabilities)
}

/// The kinds that one schedule uses: writes, and of the others that the fleet can do each with three chances in four.
fn kinds(scope: &Scope, choices: &mut dyn Choices) -> Vec<StepKind> {
    let mut kinds = Vec::new();
    for (kind, weight) in KINDS {
        if kind == StepKind::Write || (choices.percent(75) && kind.is_possible(scope)) {
            kinds.extend(std::iter::repeat_n(kind, weight));
        }
    }
    kinds
}

impl StepKind {
    fn is_possible(self, scope: &Scope) -> bool {
        match self {
            Self::Write | Self::Poll => true,
            Self::Spoil => scope.malformed && scope.can(Capability::Upsert),
            Self::Patch => scope.can(Capability::Patch),
            Self::Begin | Self::Finish => scope.can(Capability::Hold),
            Self::Deliver | Self::Notification => scope.can(Capability::Notify),
            Self::Fault | Self::Mend => !faults(scope).is_empty(),
            Self::Crash | Self::Start => scope.can(Capability::Crash),
            Self::Request => scope.can(Capability::Request),
        }
    }
}

/// The faults of a store that the fleet can have.
fn faults(scope: &Scope) -> Vec<World> {
    let faults = [
        World::StoreFails(true),
        World::StoreFails(true),
        World::StoreShows(StoreView::Nothing),
        World::StoreShows(StoreView::FirstRow),
        World::StoreShows(StoreView::BeforeLastWrite),
        World::StoreOrder(RowOrder::LastUpdate),
        World::StoreOrder(RowOrder::Shuffled(0)),
    ];
    faults.into_iter().filter(|world| scope.can(world.needs())).collect()
}

/// Every row that a schedule brings, patched rows included.
fn given(trace: &Trace) -> Vec<Row> {
    let mut rows: Vec<Row> = trace.rows().cloned().collect();
    for op in trace.steps.iter().filter_map(Step::write) {
        if let Write::Patch(patch) = &op.write {
            let patched = rows.iter().filter(|row| row.id == patch.id).cloned().map(|mut row| {
                patch.fields.apply_to(&mut row);
                row
            });
            let patched: Vec<Row> = patched.collect();
            rows.extend(patched.into_iter().last());
        }
    }
    rows
}

/// A schedule being drawn.
struct Drawing<'a> {
    scope: &'a Scope,
    kinds: Vec<StepKind>,
    generator: Generator<'a>,
    replicas: u8,
    /// The names of operations that were begun and not finished.
    begun: Vec<OpId>,
    /// The number of names given out.
    names: usize,
    /// True if reads of the store fail or show too little at this point of the schedule.
    faulty: bool,
}

impl Drawing<'_> {
    fn choices(&mut self) -> &mut dyn Choices {
        self.generator.choices()
    }

    fn step(&mut self) -> Step {
        let kind = self.kind();
        self.faulty = (self.faulty || kind == StepKind::Fault) && kind != StepKind::Mend;
        match kind {
            StepKind::Begin => self.begin(),
            StepKind::Finish => self.finish(),
            StepKind::Notification => {
                let replica = self.replica();
                let worlds = [World::Duplicate(replica), World::Drop(replica), World::Defer(replica)];
                self.world(&worlds)
            }
            StepKind::Fault => self.fault(),
            StepKind::Mend => Step::World(if self.scope.can(Capability::StoreShows) {
                World::StoreShows(StoreView::All)
            } else {
                World::StoreFails(false)
            }),
            StepKind::Crash => Step::World(World::Crash(self.replica())),
            StepKind::Write
            | StepKind::Spoil
            | StepKind::Patch
            | StepKind::Poll
            | StepKind::Deliver
            | StepKind::Start
            | StepKind::Request => Step::Do(self.op(kind)),
        }
    }

    /// Draws the kind of the next step. A fault that no poll meets shows nothing, and neither does a held operation
    /// that nothing overtakes: so a poll is likely in the one case, and a write in the other.
    fn kind(&mut self) -> StepKind {
        if self.faulty && self.choices().percent(30) {
            return StepKind::Poll;
        }
        if !self.begun.is_empty() && self.choices().percent(40) {
            return if self.choices().percent(50) {
                StepKind::Write
            } else {
                StepKind::Finish
            };
        }
        let kinds = std::mem::take(&mut self.kinds);
        let kind = pick(&kinds, self.choices());
        self.kinds = kinds;
        kind.unwrap_or(StepKind::Write)
    }

    fn fault(&mut self) -> Step {
        let faults = faults(self.scope);
        match self.world(&faults) {
            Step::World(World::StoreOrder(RowOrder::Shuffled(_))) => {
                let number = u32::try_from(self.choices().below(4)).unwrap_or(0);
                Step::World(World::StoreOrder(RowOrder::Shuffled(number)))
            }
            fault => fault,
        }
    }

    fn world(&mut self, worlds: &[World]) -> Step {
        let world = pick(worlds, self.choices());
        Step::World(world.unwrap_or(World::StoreFails(false)))
    }

    fn replica(&mut self) -> u8 {
        let replicas = usize::from(self.replicas);
        u8::try_from(self.choices().below(replicas)).unwrap_or(0)
    }

    /// Draws an operation of that kind; a poll if it is not the kind of an operation.
    fn op(&mut self, kind: StepKind) -> Op {
        let replica = self.replica();
        match kind {
            StepKind::Write => {
                let write = match self.generator.change() {
                    Change::Upsert(row) => Write::Put(row),
                    Change::Add(row) => Write::Add(row),
                    Change::Delete(id) => Write::Delete(id),
                    Change::Replace(_) => unreachable!("the scope has no `replace`"),
                };
                self.write(replica, write)
            }
            StepKind::Spoil => Op::Write(WriteOp {
                via: Via::Store,
                write: Write::Put(self.generator.spoiled()),
            }),
            StepKind::Patch => {
                let write = Write::Patch(self.generator.patch());
                self.write(replica, write)
            }
            StepKind::Deliver => Op::Deliver(replica),
            StepKind::Start => Op::Start(replica),
            StepKind::Request => {
                let (model, team) = self.generator.asked();
                Op::Request(RequestOp { replica, model, team })
            }
            _ => Op::Poll(replica),
        }
    }

    fn write(&mut self, replica: u8, write: Write) -> Op {
        let via = if self.choices().percent(40) || !self.scope.can(Capability::Admin) {
            Via::Store
        } else {
            Via::Replica(replica)
        };
        Op::Write(WriteOp { via, write })
    }

    /// Begins an operation that is held at any point, one time in eight at a second access of that kind.
    fn begin(&mut self) -> Step {
        let kinds = [
            StepKind::Poll,
            StepKind::Poll,
            StepKind::Poll,
            StepKind::Write,
            StepKind::Write,
            StepKind::Patch,
            StepKind::Patch,
            StepKind::Deliver,
            StepKind::Request,
            StepKind::Start,
        ];
        let possible: Vec<StepKind> = kinds.into_iter().filter(|kind| kind.is_possible(self.scope)).collect();
        let kind = pick(&possible, self.choices()).unwrap_or(StepKind::Poll);
        let act = self.op(kind);
        let places = [
            Place::BeforeRead,
            Place::AfterRead,
            Place::BeforeWrite,
            Place::AfterWrite,
        ];
        // Most operations read alone or write alone: the other half of the places would hold nothing.
        let places = match kind {
            StepKind::Write => &places[2..],
            StepKind::Patch => &places[..],
            _ => &places[..2],
        };
        let until = pick(places, self.choices()).unwrap_or(Place::BeforeRead);
        let nth = if self.choices().percent(12) { 2 } else { 1 };
        self.names += 1;
        let op = OpId(format!("o{}", self.names));
        self.begun.push(op.clone());
        Step::Begin(Begin { op, act, until, nth })
    }

    fn finish(&mut self) -> Step {
        if self.begun.is_empty() {
            return self.begin();
        }
        let begun = self.begun.len();
        let place = self.choices().below(begun);
        Step::Finish(self.begun.remove(place))
    }
}
