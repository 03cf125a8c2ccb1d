//! One run of a fleet: carries out its steps, one access to the store at a time.

use std::collections::VecDeque;

use super::database::Database;
use super::store::Store;
use super::{Act, Given, LocalReplica, Notification, Want, Written};
use crate::ask::{Question, Questions, Round};
use crate::local::MidRun;
use crate::op::{Begin, Op, OpId, Place, Point, Via, World, Write, WriteOp};
use crate::run::{Changed, Moved, Now, Observation, Outcome, Shown, StepReply};
use crate::step::Step;
use crate::trace::Setup;

/// The most operations that are held or waiting at one replica, or straight at the store, when another one is begun.
pub const HELD_MAX: usize = 8;
/// The most reads, and the most writes, of one operation.
pub const ACCESSES_MAX: u8 = 200;

/// A replica, while it is up, and the notifications under way to it.
struct Node<R> {
    up: Option<R>,
    notified: VecDeque<Notification>,
}

/// The state of an operation between two accesses to the store.
enum Task<T> {
    /// An operation of a replica.
    OfReplica(T),
    /// A write straight into the store.
    Straight(Write),
    /// Nothing: it ended as it began.
    Ended,
}

/// The next thing to do for an operation.
enum Next {
    /// Let it go on with this result.
    Give(Given),
    /// Carry out this access, before which it was held.
    Get(Want),
}

/// An operation under way.
struct Operation<T> {
    id: OpId,
    replica: Option<u8>,
    task: Task<T>,
    next: Next,
    /// The point where it is held; none once it was let go.
    until: Option<Point>,
    reads: u8,
    writes: u8,
    now: Now,
    /// The state in the last reply that named it; none before the first.
    told: Option<Now>,
}

impl<T> Operation<T> {
    /// Holds the operation if it is to be held there.
    fn holds_at(&mut self, place: Place, nth: u8) -> bool {
        let point = Point { place, nth };
        let holds = self.until == Some(point);
        if holds {
            self.now = Now::Held(point);
        }
        holds
    }
}

/// A fleet in the middle of a run.
pub(super) struct Kernel<'a, R: LocalReplica> {
    empty: &'a R,
    store: Store<'a>,
    nodes: Vec<Node<R>>,
    /// Every operation under way, in the order in which they began.
    operations: Vec<Operation<R::Task>>,
}

impl<'a, R: LocalReplica> Kernel<'a, R> {
    /// A fleet whose replicas have all come up. Operations that their start leaves under way have the name of step 0,
    /// which no step has.
    pub(super) fn set_up(empty: &'a R, database: &'a mut dyn Database, setup: &Setup) -> Self {
        let node = |_| Node {
            up: None,
            notified: VecDeque::new(),
        };
        let mut kernel = Self {
            empty,
            store: Store::set_up(database, setup),
            nodes: (0..setup.replicas).map(node).collect(),
            operations: Vec::new(),
        };
        for replica in 0..setup.replicas {
            kernel.begin(OpId::of_step(0), &Op::Start(replica), None);
            kernel.tell(None);
        }
        kernel
    }

    /// The reason why the database itself failed, if it did.
    pub(super) fn into_trouble(self) -> Option<String> {
        self.store.into_trouble()
    }

    fn ask(&mut self, replica: Option<u8>, question: &Question) -> StepReply {
        match self.shown(replica, question) {
            Some(shown) => StepReply::Shown(shown),
            None => StepReply::Moved(Vec::new()),
        }
    }

    /// The answer to a question; none by a replica that is down.
    fn shown(&mut self, replica: Option<u8>, question: &Question) -> Option<Shown> {
        if *question == Question::Store {
            return Some(Shown::Rows(self.store.rows()));
        }
        let node = self.nodes.get(usize::from(replica?))?;
        node.up.as_ref().map(|replica| replica.ask(question))
    }

    /// The place of an operation under that name among those under way.
    fn under_way(&self, id: &OpId) -> Option<usize> {
        self.operations.iter().position(|operation| operation.id == *id)
    }

    fn begin_held(&mut self, begin: &Begin) -> usize {
        let replica = begin.act.replica();
        let at_replica = self.operations.iter().filter(|other| other.replica == replica);
        let why = if self.under_way(&begin.op).is_some() {
            format!(
                "an operation `{}` is under way; finish it, or choose another name",
                begin.op
            )
        } else if at_replica.count() >= HELD_MAX {
            format!("at most {HELD_MAX} operations are held at a replica; finish one first")
        } else {
            return self.begin(begin.op.clone(), &begin.act, Some(begin.point()));
        };
        self.ended(begin.op.clone(), Now::Failed(why))
    }

    /// Begins an operation, carries it out as far as it goes, and returns its place.
    fn begin(&mut self, id: OpId, op: &Op, until: Option<Point>) -> usize {
        let (replica, act) = match op {
            Op::Write(WriteOp { via: Via::Store, write }) => {
                let task = Task::Straight(write.clone());
                return self.launch(id, None, task, until);
            }
            Op::Write(WriteOp {
                via: Via::Replica(replica),
                write,
            }) => (*replica, Act::Write(write.clone())),
            Op::Poll(replica) => (*replica, Act::Poll),
            Op::Start(replica) => (*replica, Act::Start),
            Op::Deliver(replica) => match self.oldest(*replica, Keep::No) {
                Some(notification) => (*replica, Act::Notified(notification)),
                None => return self.ended(id, Now::Done),
            },
            Op::Request(request) => (request.replica, Act::Request(request.query())),
        };
        self.begin_at(id, replica, act, until)
    }

    fn begin_at(&mut self, id: OpId, replica: u8, act: Act, until: Option<Point>) -> usize {
        let Some(node) = self.nodes.get_mut(usize::from(replica)) else {
            return self.ended(id, Now::Failed(format!("there is no replica {replica}")));
        };
        if act == Act::Start {
            if node.up.is_some() {
                return self.ended(id, Now::Done);
            }
            node.up = Some(self.empty.clone());
        }
        match &mut node.up {
            Some(up) => {
                let task = Task::OfReplica(up.begin(act));
                self.launch(id, Some(replica), task, until)
            }
            None => self.ended(id, Now::Failed(format!("replica {replica} is down; start it first"))),
        }
    }

    /// An operation that ends as it begins.
    fn ended(&mut self, id: OpId, now: Now) -> usize {
        let place = self.push(id, None, Task::Ended, None);
        self.operations[place].now = now;
        place
    }

    fn launch(&mut self, id: OpId, replica: Option<u8>, task: Task<R::Task>, until: Option<Point>) -> usize {
        let place = self.push(id, replica, task, until);
        self.go_on(place);
        place
    }

    fn push(&mut self, id: OpId, replica: Option<u8>, task: Task<R::Task>, until: Option<Point>) -> usize {
        self.operations.push(Operation {
            id,
            replica,
            task,
            next: Next::Give(Given::Begun),
            until,
            reads: 0,
            writes: 0,
            now: Now::Waiting(None),
            told: None,
        });
        self.operations.len() - 1
    }

    /// Lets a held operation go on to its end. One that waits goes on when it is woken, and is no longer held on its
    /// way.
    fn finish(&mut self, id: &OpId) -> Option<usize> {
        let place = self.under_way(id)?;
        self.operations[place].until = None;
        if matches!(self.operations[place].now, Now::Held(_)) {
            self.go_on(place);
        }
        Some(place)
    }

    /// Carries out what happens to the fleet at once, and returns the place of the operation that it starts.
    fn befall(&mut self, number: usize, world: &World) -> Option<usize> {
        match world {
            World::StoreFails(fails) => self.store.sight.fails = *fails,
            World::StoreShows(view) => {
                self.store.sight.view = *view;
                self.store.sight.fails = false;
            }
            World::StoreOrder(order) => self.store.sight.order = *order,
            World::Config(config) => self.store.sight.config.clone_from(&config.rows),
            World::Crash(replica) => self.crash(*replica),
            World::Duplicate(replica) => {
                let notification = self.oldest(*replica, Keep::Oldest)?;
                let act = Act::Notified(notification);
                return Some(self.begin_at(OpId::of_step(number), *replica, act, None));
            }
            World::Drop(replica) => drop(self.oldest(*replica, Keep::No)),
            World::Defer(replica) => drop(self.oldest(*replica, Keep::Newest)),
            // No replica of this process looks at a clock.
            World::Wait(_) => {}
        }
        None
    }

    fn crash(&mut self, replica: u8) {
        if let Some(node) = self.nodes.get_mut(usize::from(replica)) {
            node.up = None;
            node.notified.clear();
        }
        let lost = self
            .operations
            .iter_mut()
            .filter(|other| other.replica == Some(replica));
        lost.for_each(|operation| operation.now = Now::Lost);
    }

    /// Returns the oldest notification under way to that replica; `keep` says what becomes of it.
    fn oldest(&mut self, replica: u8, keep: Keep) -> Option<Notification> {
        let notified = &mut self.nodes.get_mut(usize::from(replica))?.notified;
        let oldest = notified.pop_front()?;
        match keep {
            Keep::No => {}
            Keep::Oldest => notified.push_front(oldest.clone()),
            Keep::Newest => notified.push_back(oldest.clone()),
        }
        Some(oldest)
    }

    /// Carries an operation on, and then those that waited, as long as one of them moves.
    fn go_on(&mut self, place: usize) {
        self.advance(place);
        let replica = self.operations[place].replica;
        let mut movers = vec![place];
        while let Some(mover) = movers.pop().filter(|_| replica.is_some()) {
            for other in 0..self.operations.len() {
                let operation = &self.operations[other];
                let waits = operation.replica == replica && matches!(operation.now, Now::Waiting(_));
                if waits && other != mover && self.advance(other) {
                    movers.push(other);
                }
            }
        }
    }

    /// Carries an operation on until it ends, waits or is held. Says whether it moved: it did more than to wait again.
    fn advance(&mut self, place: usize) -> bool {
        let mut moved = false;
        loop {
            // If it waits now, it is woken next time.
            let next = std::mem::replace(&mut self.operations[place].next, Next::Give(Given::Woken));
            let want = match next {
                Next::Get(want) => want,
                Next::Give(given) => self.proceed(place, given),
            };
            match want {
                Want::Wait => {
                    self.operations[place].now = Now::Waiting(None);
                    return moved;
                }
                Want::End(now) => {
                    self.operations[place].now = now;
                    return true;
                }
                want => {
                    moved = true;
                    if !self.access(place, want) {
                        return true;
                    }
                }
            }
        }
    }

    fn proceed(&mut self, place: usize, given: Given) -> Want {
        let operation = &mut self.operations[place];
        match &mut operation.task {
            Task::Straight(write) => straight(write, given),
            Task::Ended => unreachable!("what has ended does not go on"),
            Task::OfReplica(task) => {
                let node = operation
                    .replica
                    .and_then(|replica| self.nodes.get_mut(usize::from(replica)));
                let up = node.and_then(|node| node.up.as_mut());
                up.expect("a crash drops the operations of its replica")
                    .proceed(task, given)
            }
        }
    }

    /// Carries out one access to the store; false where the operation is held before or after it, or has made too many.
    fn access(&mut self, place: usize, want: Want) -> bool {
        let operation = &mut self.operations[place];
        let writes = matches!(want, Want::Write { .. });
        let (count, before, after) = if writes {
            (operation.writes, Place::BeforeWrite, Place::AfterWrite)
        } else {
            (operation.reads, Place::BeforeRead, Place::AfterRead)
        };
        if count == ACCESSES_MAX {
            let why = format!("it made {ACCESSES_MAX} accesses of one kind, and one more is not carried out");
            operation.now = Now::Failed(why);
            return false;
        }
        let nth = count + 1;
        if operation.holds_at(before, nth) {
            operation.next = Next::Get(want);
            return false;
        }
        *(if writes {
            &mut operation.writes
        } else {
            &mut operation.reads
        }) = nth;
        let replica = operation.replica;
        let given = self.carry_out(replica, &want);
        let operation = &mut self.operations[place];
        operation.next = Next::Give(given);
        !operation.holds_at(after, nth)
    }

    /// Reads or writes the store for an operation of that replica, or straight.
    fn carry_out(&mut self, replica: Option<u8>, want: &Want) -> Given {
        let given = match (want, replica) {
            (Want::Write { write, only_if }, None) => Given::Wrote(self.store.write(write, *only_if)),
            (_, None) => self.store.reach(want),
            (_, Some(replica)) => self.reach(replica, want),
        };
        if let (Want::Write { write, .. }, Given::Wrote(Ok(written))) = (want, &given) {
            self.notify(write, *written, replica);
        }
        given
    }

    /// Carries out an access of a replica: through its own connection, where it has one.
    fn reach(&mut self, replica: u8, want: &Want) -> Given {
        let node = self.nodes.get_mut(usize::from(replica));
        let up = node.and_then(|node| node.up.as_mut());
        let reached = up.and_then(|up| up.reach(want, &self.store.sight));
        reached.unwrap_or_else(|| self.store.reach(want))
    }

    /// Sends a notification of a write that was made to every replica that is up, except the one through which it went.
    fn notify(&mut self, write: &Write, written: Written, but: Option<u8>) {
        for (replica, node) in (0..).zip(&mut self.nodes) {
            if written.made && node.up.is_some() && Some(replica) != but {
                node.notified.push_back(Notification {
                    id: write.id().to_owned(),
                    revision: written.revision,
                });
            }
        }
    }

    /// Returns the operations whose state changed, that of the step first, and forgets those that are over.
    fn tell(&mut self, first: Option<usize>) -> Vec<Moved> {
        let others = (0..self.operations.len()).filter(|place| Some(*place) != first);
        let places: Vec<usize> = first.into_iter().chain(others).collect();
        let mut told = Vec::new();
        for place in places {
            let operation = &mut self.operations[place];
            if operation.told.as_ref() != Some(&operation.now) {
                operation.told = Some(operation.now.clone());
                told.push(Moved {
                    op: operation.id.clone(),
                    now: operation.now.clone(),
                });
            }
        }
        self.operations.retain(|operation| !operation.now.is_over());
        told
    }
}

impl<R: LocalReplica> MidRun for Kernel<'_, R> {
    /// Carries out the step until nothing moves.
    fn step(&mut self, number: usize, step: &Step) -> StepReply {
        let first = match step {
            Step::Do(op) => Some(self.begin(OpId::of_step(number), op, None)),
            Step::Begin(begin) => Some(self.begin_held(begin)),
            Step::Finish(id) => self.finish(id),
            Step::World(world) => self.befall(number, world),
            Step::Ask(replica, question) => return self.ask(*replica, question),
            // A trace of a fleet has none.
            Step::Change(_) => None,
        };
        StepReply::Moved(self.tell(first))
    }

    /// Nothing happens in a fleet in this process but by the steps of its schedule.
    fn wait(&mut self, _millis: u32) {}

    fn observe(&mut self, questions: &Questions, round: &Round) -> Vec<Observation> {
        let asked: Vec<&Question> = questions.of(round).map(|(_, question)| question).collect();
        let of_replicas: Vec<&Question> = asked.iter().copied().filter(|one| **one != Question::Store).collect();
        let mut observed = Vec::new();
        for (replica, node) in (0..).zip(&self.nodes) {
            let Some(up) = &node.up else { continue };
            let mut shown = up.ask_all(&of_replicas).into_iter();
            let shown = asked.iter().filter_map(|question| match question {
                Question::Store => Some(Shown::Rows(self.store.rows())),
                _ => shown.next(),
            });
            observed.push(Observation {
                replica: Some(replica),
                shown: shown.collect(),
            });
        }
        observed
    }
}

/// The fate of a notification that was looked at.
#[derive(Clone, Copy)]
enum Keep {
    /// No longer under way.
    No,
    /// Still the oldest under way.
    Oldest,
    /// The newest under way from now on.
    Newest,
}

/// Takes the next step of a write straight into the store: the write, and then its outcome.
fn straight(write: &Write, given: Given) -> Want {
    let Given::Wrote(wrote) = given else {
        return Want::Write {
            write: write.clone(),
            only_if: None,
        };
    };
    let outcome = match (wrote, write) {
        (Ok(Written { made: true, .. }), _) => Outcome::Applied,
        (_, Write::Add(row)) => Outcome::Refused(format!("the id `{}` exists", row.id)),
        _ => Outcome::Unchanged,
    };
    Want::End(Now::Changed(Changed { outcome, held: None }))
}
