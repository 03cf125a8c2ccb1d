//! A path of a fleet as a trace, so that any router behind a fleet adapter can be asked to follow it.

use std::collections::{BTreeMap, VecDeque};

use model::{Pending, RuleId, closing};
use protocol::{
    Begin, Capability, Op, OpId, Place, Query, Question, RequestOp, Row, Step, StoreView, Trace, TraceFile, Via, World,
    Write, WriteOp,
};

use crate::actions::{Action, At, Kind, Shape};
use crate::cell::{Cell, Content, ROWS_MAX};
use crate::view::{self, QUERIES};

/// The team that a team's wildcard is of.
pub const TEAM: &str = "t1";
/// The beginning that every request of the model has.
pub(crate) const STEM: &str = "gpt-";
const EXACT: &str = "gpt-4o";
const MATCHED_BY_WILDCARDS_ONLY: &str = "gpt-5";

/// Returns the name that a row of this shape is asked for by.
pub fn name(shape: Shape) -> &'static str {
    match shape {
        Shape::Exact => EXACT,
        Shape::Wild => "gpt-*",
        Shape::Team => "gpt*",
    }
}

/// Returns the target of a row of this shape, which tells the shapes apart in an answer.
pub fn target(shape: Shape) -> &'static str {
    match shape {
        Shape::Exact => "openai/gpt-4o",
        Shape::Wild => "azure/gpt-*",
        Shape::Team => "bedrock/gpt*",
    }
}

/// The question that a request stands for.
pub fn question(query: view::ModelQuery) -> Query {
    let model = if query.exact { EXACT } else { MATCHED_BY_WILDCARDS_ONLY };
    Query::new(model, query.team.then_some(TEAM))
}

/// The trace of the path with these actions in a fleet of `replicas`, as a file: at the end of the path every replica is
/// asked everything, and the closing follows, by which it is judged whether the fleet settles.
pub fn trace(why: &str, rule: RuleId, actions: &[Action], replicas: u8, mended: Shape) -> TraceFile {
    let (mut trace, up) = path(actions, replicas, mended);
    for replica in up {
        trace.steps.extend(questions(replica));
    }
    TraceFile {
        rule: Some(rule.to_string()),
        ..TraceFile::new(why, closing(&trace, Pending::Dropped, &Capability::OF_FLEETS))
    }
}

/// The path with these actions in a fleet of `replicas`, and the replicas that are up at its end.
///
/// Each action has one fixed form: a read is a poll that is held behind its read, and the last part of its apply lets it go
/// on. The other parts are no steps: into how many parts an apply falls is for the router to show. `mended` is the shape that an update
/// gives to an invalid row.
pub fn path(actions: &[Action], replicas: u8, mended: Shape) -> (Trace, Vec<u8>) {
    let mut writer = TraceWriter {
        rows: BTreeMap::new(),
        up: (0..replicas).map(|replica| (replica, true)).collect(),
        held: BTreeMap::new(),
        begun: 0,
        under_way: BTreeMap::new(),
        mended,
        steps: Vec::new(),
    };
    for (place, action) in actions.iter().enumerate() {
        if action.kind != Kind::Apply || ends_apply(actions, place) {
            writer.step(*action);
        }
    }
    let up = writer
        .up
        .iter()
        .filter(|(_, up)| **up)
        .map(|(replica, _)| *replica)
        .collect();
    (Trace::of_fleet(replicas, writer.steps), up)
}

/// Returns whether the apply at that place is the last part of its read that the path applies.
fn ends_apply(actions: &[Action], place: usize) -> bool {
    let of_replica = |action: &&Action| action.at == actions[place].at;
    let mut later = actions[place + 1..].iter().filter(of_replica);
    let next = later.find(|action| matches!(action.kind, Kind::Apply | Kind::Read | Kind::StaleRead | Kind::Crash));
    next.is_none_or(|action| action.kind != Kind::Apply)
}

/// Everything that a replica is asked.
fn questions(replica: u8) -> impl Iterator<Item = Step> {
    let ask = move |query| Step::Ask(Some(replica), Question::Lookup(question(query)));
    QUERIES.into_iter().map(ask)
}

struct TraceWriter {
    rows: BTreeMap<u8, Cell>,
    up: BTreeMap<u8, bool>,
    /// The poll of each replica that is held behind its read.
    held: BTreeMap<u8, OpId>,
    /// Number of operations begun.
    begun: usize,
    /// The rows of which a notification is under way to a replica, the oldest first.
    under_way: BTreeMap<u8, VecDeque<u8>>,
    mended: Shape,
    steps: Vec<Step>,
}

impl TraceWriter {
    fn step(&mut self, action: Action) {
        let replica = match action.at {
            At::Replica(replica) if !action.writes() => replica,
            _ => return self.write(action),
        };
        match action.kind {
            Kind::Read => self.begin_poll(replica),
            Kind::StaleRead => {
                self.world(World::StoreShows(StoreView::BeforeLastWrite));
                self.begin_poll(replica);
                self.world(World::StoreShows(StoreView::All));
            }
            Kind::Apply => self.steps.extend(self.held.remove(&replica).map(Step::Finish)),
            Kind::FailedPoll => self.poll_while(replica, World::StoreFails(true), World::StoreFails(false)),
            Kind::EmptyPoll => self.poll_showing(replica, StoreView::Nothing),
            Kind::PartialPoll => {
                let has_first = self.rows.get(&0).is_some_and(|cell| cell.content != Content::Absent);
                self.poll_showing(
                    replica,
                    if has_first {
                        StoreView::FirstRow
                    } else {
                        StoreView::Nothing
                    },
                );
            }
            Kind::Deliver | Kind::Duplicate | Kind::Drop => self.notice(action.kind, replica, action.row),
            Kind::Crash => {
                self.up.insert(replica, false);
                self.under_way.remove(&replica);
                self.held.remove(&replica);
                self.world(World::Crash(replica));
            }
            Kind::Start => {
                self.up.insert(replica, true);
                self.steps.push(Step::Do(Op::Start(replica)));
            }
            Kind::Miss => self.miss(replica),
            Kind::Request => self.steps.extend(questions(replica)),
            Kind::Create | Kind::Update | Kind::Delete | Kind::Rename | Kind::Block | Kind::Break => {
                unreachable!("writes were told apart")
            }
        }
    }

    fn world(&mut self, world: World) {
        self.steps.push(Step::World(world));
    }

    fn begin(&mut self, letter: char, act: Op) -> OpId {
        self.begun += 1;
        let begin = Begin::new(&format!("{letter}{}", self.begun), act, Place::AfterRead);
        let op = begin.op.clone();
        self.steps.push(Step::Begin(begin));
        op
    }

    fn begin_poll(&mut self, replica: u8) {
        let op = self.begin('p', Op::Poll(replica));
        self.held.insert(replica, op);
    }

    fn poll_while(&mut self, replica: u8, fault: World, mended: World) {
        self.world(fault);
        self.steps.push(Step::Do(Op::Poll(replica)));
        self.world(mended);
    }

    fn poll_showing(&mut self, replica: u8, view: StoreView) {
        self.poll_while(replica, World::StoreShows(view), World::StoreShows(StoreView::All));
    }

    /// A request that finds nothing, by the name of an exact row: it reads the store, and goes on.
    fn miss(&mut self, replica: u8) {
        let request = RequestOp {
            replica,
            model: EXACT.to_owned(),
            team: None,
        };
        let op = self.begin('m', Op::Request(request));
        self.steps.push(Step::Finish(op));
    }

    /// Delivers or loses the notification of `row`, after those before it have let it pass. A row that was written twice has
    /// two under way, of which the model knows one: a loss takes both.
    fn notice(&mut self, kind: Kind, replica: u8, row: u8) {
        let queue = self.under_way.entry(replica).or_default();
        while let Some(place) = queue.iter().position(|under_way| *under_way == row) {
            queue.rotate_left(place);
            let defer = Step::World(World::Defer(replica));
            self.steps.extend(std::iter::repeat_n(defer, place));
            if kind == Kind::Duplicate {
                self.steps.push(Step::World(World::Duplicate(replica)));
                return;
            }
            queue.pop_front();
            if kind == Kind::Deliver {
                self.steps.push(Step::Do(Op::Deliver(replica)));
                return;
            }
            self.steps.push(Step::World(World::Drop(replica)));
        }
    }

    fn write(&mut self, action: Action) {
        let Cell { version, content } = self.rows.get(&action.row).copied().unwrap_or_default();
        let content = match (action.kind, content) {
            (Kind::Delete, _) => Content::Absent,
            (Kind::Break, _) => Content::Invalid,
            (Kind::Rename, Content::Blocked(_)) => Content::Blocked(action.shape),
            (Kind::Create | Kind::Rename, _) => Content::Row(action.shape),
            (Kind::Block, Content::Blocked(shape)) => Content::Row(shape),
            (Kind::Block, content) => content.shape().map_or(content, Content::Blocked),
            (_, Content::Invalid) => Content::Row(self.mended),
            (_, content) => content,
        };
        let cell = Cell {
            version: version + 1,
            content,
        };
        self.rows.insert(action.row, cell);
        let write = match row(action.row, cell) {
            Some(row) if action.kind == Kind::Create => Write::Add(row),
            Some(row) => Write::Put(row),
            None => Write::Delete(id(action.row)),
        };
        let via = match action.at {
            At::Store => Via::Store,
            At::Replica(replica) => Via::Replica(replica),
        };
        for (replica, up) in &self.up {
            let queue = self.under_way.entry(*replica).or_default();
            if *up && via != Via::Replica(*replica) {
                queue.push_back(action.row);
            }
        }
        self.steps.push(Step::Do(Op::Write(WriteOp { via, write })));
    }
}

/// The id of a row.
pub fn id(row: u8) -> String {
    format!("d{}", row + 1)
}

/// The tag of a row in one version.
pub fn tag(row: u8, version: u8) -> String {
    format!("{}-v{version}", id(row))
}

/// The number of the row with this id, where it is one of the model's.
pub(crate) fn number(of: &str) -> Option<u8> {
    (0..)
        .zip(0..ROWS_MAX)
        .map(|(number, _)| number)
        .find(|number| id(*number) == of)
}

/// The number and the cell of a row, where it is one of the model's.
pub(crate) fn row_of(found: &Row) -> Option<(u8, Cell)> {
    let number = number(&found.id)?;
    let version = found.tag.strip_prefix(&format!("{}-v", found.id))?.parse().ok()?;
    let contents = Shape::ALL
        .into_iter()
        .flat_map(|shape| [Content::Row(shape), Content::Blocked(shape)]);
    let mut cells = contents
        .chain([Content::Invalid])
        .map(|content| Cell { version, content });
    let cell = cells.find(|cell| row(number, *cell).as_ref() == Some(found))?;
    Some((number, cell))
}

/// The row of this number in one version; nothing where it is absent.
pub fn row(number: u8, cell: Cell) -> Option<Row> {
    let (id, tag) = (id(number), tag(number, cell.version));
    let shape = match cell.content {
        Content::Absent => return None,
        // More wildcards in the target than in the name.
        Content::Invalid => return Some(Row::new(&id, EXACT, "openai/*", &tag)),
        Content::Row(shape) | Content::Blocked(shape) => shape,
    };
    let mut row = Row::new(&id, name(shape), target(shape), &tag);
    if shape == Shape::Team {
        row.team = Some(TEAM.to_owned());
        row.team_model_name = Some(name(shape).to_owned());
    }
    row.blocked = matches!(cell.content, Content::Blocked(_));
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(actions: &[Action]) -> TraceFile {
        let file = trace("why", RuleId::Current, actions, 2, Shape::Exact);
        assert_eq!(TraceFile::parse(&file.to_toml()).as_ref(), Ok(&file), "it reads back");
        file
    }

    /// The steps of a trace that neither write nor ask.
    fn fleet_steps(actions: &[Action]) -> Vec<Step> {
        let steps = path(actions, 2, Shape::Exact).0.steps.into_iter();
        steps
            .filter(|step| step.write().is_none() && !matches!(step, Step::Ask(..)))
            .collect()
    }

    #[test]
    fn a_path_becomes_a_trace_that_reads_back() {
        let at = At::Replica(1);
        let actions = [
            Action::new(Kind::Create, At::Store, 0).shaped(Shape::Team),
            Action::new(Kind::Block, At::Store, 0),
            Action::new(Kind::Deliver, At::Replica(0), 0),
            Action::new(Kind::Read, at, 0),
            Action::new(Kind::Apply, at, 0),
            Action::new(Kind::Apply, at, 0),
            Action::new(Kind::FailedPoll, at, 0),
            Action::new(Kind::Break, at, 0),
            Action::new(Kind::Delete, At::Store, 0),
            Action::new(Kind::Crash, at, 0),
        ];
        let file = written(&actions);
        let count = |wanted: fn(&Step) -> bool| file.trace.steps.iter().filter(|step| wanted(step)).count();
        assert_eq!(count(|step| matches!(step, Step::Finish(_))), 1, "an apply is one step");
        assert_eq!(
            count(|step| matches!(step, Step::Ask(..))),
            4,
            "only r1 is up at its end"
        );
        let toml = file.to_toml();
        assert!(toml.contains("d1-v2") && toml.contains("blocked = true"), "{toml}");
    }

    #[test]
    fn a_read_that_shows_too_little_shows_all_again_afterwards() {
        let held = Step::Begin(Begin::new("p1", Op::Poll(0), Place::AfterRead));
        let polled = Step::Do(Op::Poll(0));
        for (kind, view, step) in [
            (Kind::StaleRead, StoreView::BeforeLastWrite, held),
            (Kind::EmptyPoll, StoreView::Nothing, polled.clone()),
            (Kind::PartialPoll, StoreView::FirstRow, polled),
        ] {
            let rows = [0, 1].map(|row| Action::new(Kind::Create, At::Store, row));
            let steps = fleet_steps(&[rows[0], rows[1], Action::new(kind, At::Replica(0), 0)]);
            let shows = |view| Step::World(World::StoreShows(view));
            assert_eq!(steps, [shows(view), step, shows(StoreView::All)]);
        }
    }

    #[test]
    fn a_miss_is_a_request_that_is_held_behind_its_read() {
        let steps = fleet_steps(&[Action::new(Kind::Miss, At::Replica(1), 0)]);
        let [Step::Begin(begin), Step::Finish(op)] = &steps[..] else {
            panic!("{steps:?}");
        };
        assert_eq!((&begin.op, begin.until), (op, Place::AfterRead));
        assert_eq!((begin.act.verb(), begin.act.replica()), ("request", Some(1)));
    }

    #[test]
    fn a_notification_that_overtakes_lets_the_older_ones_pass() {
        let created = |row| Action::new(Kind::Create, At::Store, row);
        let at = |kind, row| Action::new(kind, At::Replica(0), row);
        let steps = fleet_steps(&[
            created(0),
            created(1),
            at(Kind::Duplicate, 1),
            at(Kind::Deliver, 1),
            at(Kind::Drop, 0),
        ]);
        let expected = [
            Step::World(World::Defer(0)),
            Step::World(World::Duplicate(0)),
            Step::Do(Op::Deliver(0)),
            Step::World(World::Drop(0)),
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_crash_loses_the_notifications_of_its_replica_alone() {
        let created = |row| Action::new(Kind::Create, At::Store, row);
        let crashed = |kind| Action::new(kind, At::Replica(1), 0);
        let delivered = |replica| {
            let deliver = Action::new(Kind::Deliver, At::Replica(replica), 1);
            let up_again = [crashed(Kind::Crash), crashed(Kind::Start)];
            let steps = fleet_steps(&[created(0), up_again[0], up_again[1], created(1), deliver]);
            steps[up_again.len()..].to_vec()
        };
        let deliver = |replica| Step::Do(Op::Deliver(replica));
        assert_eq!(
            delivered(0),
            [Step::World(World::Defer(0)), deliver(0)],
            "two are under way"
        );
        assert_eq!(delivered(1), [deliver(1)], "the first one is lost");
    }

    #[test]
    fn a_loss_takes_every_notification_of_a_row() {
        let steps = fleet_steps(&[
            Action::new(Kind::Create, At::Store, 0),
            Action::new(Kind::Update, At::Store, 0),
            Action::new(Kind::Drop, At::Replica(0), 0),
        ]);
        assert_eq!(steps, vec![Step::World(World::Drop(0)); 2]);
    }
}
