//! A path of a fleet as a trace, so that any router behind a fleet adapter can be asked to follow it.

use std::collections::{BTreeMap, VecDeque};

use protocol::{Change, FleetStep, Query, Row, Shown, Step, Trace, Via, Write};

use crate::actions::{Action, At, Kind, Shape};
use crate::cell::{Cell, Content};
use crate::view::{self, QUERIES};

/// The team that a team's wildcard is of.
pub const TEAM: &str = "t1";
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
pub fn question(query: view::Query) -> Query {
    let model = if query.exact { EXACT } else { MATCHED_BY_WILDCARDS_ONLY };
    Query::new(model, query.team.then_some(TEAM))
}

/// The trace of the path with these actions in a fleet of `replicas`. At its end every replica is asked everything.
///
/// `mended` is the shape that an update gives to an invalid row. The parts of an apply are one step: into how many parts it
/// falls is for the router to show.
pub fn trace(why: &str, rule: &str, actions: &[Action], replicas: u8, mended: Shape) -> Trace {
    let mut writer = TraceWriter {
        rows: BTreeMap::new(),
        up: (0..replicas).map(|replica| (replica, true)).collect(),
        applying: BTreeMap::new(),
        under_way: BTreeMap::new(),
        mended,
        steps: Vec::new(),
    };
    for action in actions {
        writer.step(*action);
    }
    let up: Vec<u8> = writer
        .up
        .iter()
        .filter(|(_, up)| **up)
        .map(|(replica, _)| *replica)
        .collect();
    for replica in up {
        writer.ask(replica);
    }
    let mut trace = Trace::new(why, Vec::new(), writer.steps);
    trace.rule = Some(rule.to_owned());
    trace
}

struct TraceWriter {
    rows: BTreeMap<u8, Cell>,
    up: BTreeMap<u8, bool>,
    /// The replicas in the middle of an apply.
    applying: BTreeMap<u8, bool>,
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
        let mut steps = Vec::new();
        match action.kind {
            Kind::Read | Kind::StaleRead => {
                self.applying.insert(replica, false);
                let stale = (action.kind == Kind::StaleRead).then_some(Shown::BeforeLastWrite);
                steps.extend(showing(stale, FleetStep::PollRead(replica)));
            }
            Kind::Apply => {
                let goes_on = self.applying.insert(replica, true) == Some(true);
                steps.extend((!goes_on).then_some(FleetStep::PollApply(replica)));
            }
            Kind::FailedPoll => steps.extend([
                FleetStep::StoreFails(true),
                FleetStep::Poll(replica),
                FleetStep::StoreFails(false),
            ]),
            Kind::EmptyPoll => steps.extend(showing(Some(Shown::Nothing), FleetStep::Poll(replica))),
            Kind::PartialPoll => {
                let has_first = self.rows.get(&0).is_some_and(|cell| cell.content != Content::Absent);
                let shown = if has_first { Shown::FirstRow } else { Shown::Nothing };
                steps.extend(showing(Some(shown), FleetStep::Poll(replica)));
            }
            Kind::Deliver | Kind::Duplicate | Kind::Drop => steps = self.notice(action.kind, replica, action.row),
            Kind::Crash => {
                self.up.insert(replica, false);
                self.under_way.remove(&replica);
                steps.push(FleetStep::Crash(replica));
            }
            Kind::Start => {
                self.up.insert(replica, true);
                steps.push(FleetStep::Start(replica));
            }
            Kind::Request | Kind::Miss => self.ask(replica),
            Kind::Create | Kind::Update | Kind::Delete | Kind::Rename | Kind::Block | Kind::Break => {
                unreachable!("writes were told apart")
            }
        }
        self.steps.extend(steps.into_iter().map(Step::Fleet));
    }

    /// Returns the steps that deliver or lose the notification of `row`, after those before it have let it pass.
    fn notice(&mut self, kind: Kind, replica: u8, row: u8) -> Vec<FleetStep> {
        let queue = self.under_way.entry(replica).or_default();
        let place = queue.iter().position(|under_way| *under_way == row);
        let place = place.expect("only a notification that is under way arrives or is lost");
        queue.rotate_left(place);
        let mut steps = vec![FleetStep::Defer(replica); place];
        steps.push(match kind {
            Kind::Deliver => FleetStep::Deliver(replica),
            Kind::Duplicate => FleetStep::Duplicate(replica),
            _ => FleetStep::Drop(replica),
        });
        if kind != Kind::Duplicate {
            queue.pop_front();
        }
        steps
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
        let change = match row(action.row, cell) {
            Some(row) => Change::Upsert(row),
            None => Change::Delete(id(action.row)),
        };
        let via = match action.at {
            At::Store => Via::Store,
            At::Replica(replica) => Via::Replica(replica),
        };
        for (replica, up) in &self.up {
            let queue = self.under_way.entry(*replica).or_default();
            if *up && via != Via::Replica(*replica) && !queue.contains(&action.row) {
                queue.push_back(action.row);
            }
        }
        self.steps.push(Step::Fleet(FleetStep::Write(Write { via, change })));
    }

    fn ask(&mut self, replica: u8) {
        for query in QUERIES {
            let mut query = question(query);
            query.replica = Some(replica);
            self.steps.push(Step::Lookup(query));
        }
    }
}

/// A step while reads of the store show something else than all of it.
fn showing(shown: Option<Shown>, step: FleetStep) -> Vec<FleetStep> {
    match shown {
        None => vec![step],
        Some(shown) => vec![FleetStep::StoreShows(shown), step, FleetStep::StoreShows(Shown::All)],
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

    fn written(actions: &[Action]) -> Trace {
        let trace = trace("why", "current", actions, 2, Shape::Exact);
        assert_eq!(Trace::parse(&trace.to_toml()).as_ref(), Ok(&trace), "it reads back");
        trace
    }

    fn fleet_steps(actions: &[Action]) -> Vec<FleetStep> {
        let steps = written(actions).steps.into_iter();
        steps
            .filter_map(|step| match step {
                Step::Fleet(step) => (!matches!(step, FleetStep::Write(_))).then_some(step),
                Step::Change(_) | Step::Lookup(_) => None,
            })
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
        let trace = written(&actions);
        let toml = trace.to_toml();
        let verbs: Vec<String> = trace.steps.iter().map(|step| format!("{step:?}")).collect();
        assert_eq!(verbs.iter().filter(|verb| verb.contains("PollApply")).count(), 1);
        assert_eq!(
            verbs.iter().filter(|verb| verb.contains("Lookup")).count(),
            4,
            "only r1 is up"
        );
        assert!(toml.contains("d1-v2") && toml.contains("blocked = true"), "{toml}");
    }

    #[test]
    fn a_read_that_shows_too_little_shows_all_again_afterwards() {
        for (kind, shown, step) in [
            (Kind::StaleRead, Shown::BeforeLastWrite, FleetStep::PollRead(0)),
            (Kind::EmptyPoll, Shown::Nothing, FleetStep::Poll(0)),
            (Kind::PartialPoll, Shown::FirstRow, FleetStep::Poll(0)),
        ] {
            let rows = [0, 1].map(|row| Action::new(Kind::Create, At::Store, row));
            let steps = fleet_steps(&[rows[0], rows[1], Action::new(kind, At::Replica(0), 0)]);
            let shows = FleetStep::StoreShows;
            assert_eq!(steps, [shows(shown), step, shows(Shown::All)]);
        }
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
            FleetStep::Defer(0),
            FleetStep::Duplicate(0),
            FleetStep::Deliver(0),
            FleetStep::Drop(0),
        ];
        assert_eq!(steps, expected);
    }
}
