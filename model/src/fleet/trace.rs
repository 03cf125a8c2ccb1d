//! A path of a fleet as a trace, so that any router behind a fleet adapter can be asked to follow it.

use std::collections::{BTreeMap, VecDeque};

use protocol::{Change, FleetStep, Query, Row, Step, Trace, Via, Write};

use super::actions::{Action, At, Kind, Shape};
use super::state::Content;

/// A step of a path that a trace has no words for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a trace has no step for `{0}`")]
pub struct Unwritable(pub String);

const EXACT: &str = "gpt-4o";
const WILDCARD: &str = "gpt-*";
const MATCHED_BY_WILDCARDS_ONLY: &str = "gpt-5";
const TEAM: &str = "t1";

/// The trace of the path with these actions in a fleet of `replicas`. At its end every replica is asked everything.
///
/// `mended` is the shape that an update gives to an invalid row. The parts of an apply are one step: into how many parts it
/// falls is for the router to show.
///
/// # Errors
///
/// If an action has no step: a trace's store fails whole, and its notifications arrive in order.
pub fn trace(why: &str, rule: &str, actions: &[Action], replicas: u8, mended: Shape) -> Result<Trace, Unwritable> {
    let mut writer = Writer {
        rows: BTreeMap::new(),
        up: (0..replicas).map(|replica| (replica, true)).collect(),
        applying: BTreeMap::new(),
        under_way: BTreeMap::new(),
        mended,
        steps: Vec::new(),
    };
    for action in actions {
        writer.step(*action)?;
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
    Ok(trace)
}

struct Writer {
    rows: BTreeMap<u8, (u8, Content)>,
    up: BTreeMap<u8, bool>,
    /// The replicas in the middle of an apply.
    applying: BTreeMap<u8, bool>,
    /// The rows of which a notification is under way to a replica, the oldest first.
    under_way: BTreeMap<u8, VecDeque<u8>>,
    mended: Shape,
    steps: Vec<Step>,
}

impl Writer {
    fn step(&mut self, action: Action) -> Result<(), Unwritable> {
        if action.writes() {
            self.write(action);
            return Ok(());
        }
        let At::Replica(replica) = action.at else {
            return Err(Unwritable(action.to_string()));
        };
        let steps = match action.kind {
            Kind::Read => {
                self.applying.insert(replica, false);
                vec![FleetStep::PollRead(replica)]
            }
            Kind::Apply => {
                let goes_on = self.applying.insert(replica, true) == Some(true);
                if goes_on {
                    Vec::new()
                } else {
                    vec![FleetStep::PollApply(replica)]
                }
            }
            Kind::FailedPoll => vec![
                FleetStep::StoreFails(true),
                FleetStep::Poll(replica),
                FleetStep::StoreFails(false),
            ],
            Kind::Deliver | Kind::Drop => {
                if self.under_way.entry(replica).or_default().pop_front() != Some(action.row) {
                    return Err(Unwritable(format!("{action}, before an older one")));
                }
                let deliver = action.kind == Kind::Deliver;
                vec![if deliver {
                    FleetStep::Deliver(replica)
                } else {
                    FleetStep::Drop(replica)
                }]
            }
            Kind::Crash => {
                self.up.insert(replica, false);
                self.under_way.remove(&replica);
                vec![FleetStep::Crash(replica)]
            }
            Kind::Start => {
                self.up.insert(replica, true);
                vec![FleetStep::Start(replica)]
            }
            Kind::Request | Kind::Miss => {
                self.ask(replica);
                Vec::new()
            }
            _ => return Err(Unwritable(action.to_string())),
        };
        self.steps.extend(steps.into_iter().map(Step::Fleet));
        Ok(())
    }

    fn write(&mut self, action: Action) {
        let (version, content) = self.rows.get(&action.row).copied().unwrap_or_default();
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
        self.rows.insert(action.row, (version + 1, content));
        let change = match row(action.row, version + 1, content) {
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
        for model in [EXACT, MATCHED_BY_WILDCARDS_ONLY] {
            for team in [None, Some(TEAM)] {
                let mut query = Query::new(model, team);
                query.replica = Some(replica);
                self.steps.push(Step::Lookup(query));
            }
        }
    }
}

fn id(row: u8) -> String {
    format!("d{}", row + 1)
}

fn row(number: u8, version: u8, content: Content) -> Option<Row> {
    let id = id(number);
    let tag = format!("{id}-v{version}");
    let row = |name: &str, target: &str| Row::new(&id, name, target, &tag);
    let mut row = match content {
        Content::Absent => return None,
        // More wildcards in the target than in the name.
        Content::Invalid => row(EXACT, "openai/*"),
        Content::Row(Shape::Exact) | Content::Blocked(Shape::Exact) => row(EXACT, "openai/gpt-4o"),
        Content::Row(_) | Content::Blocked(_) => row(WILDCARD, "openai/gpt-*"),
    };
    if content.shape() == Some(Shape::Team) {
        row.team = Some(TEAM.to_owned());
        row.team_model_name = Some(WILDCARD.to_owned());
    }
    row.blocked = matches!(content, Content::Blocked(_));
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(actions: &[Action]) -> Result<String, Unwritable> {
        trace("why", "current", actions, 2, Shape::Exact).map(|trace| trace.to_toml())
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
        let toml = written(&actions).expect("it can be written");
        let trace = Trace::parse(&toml).expect("it reads back");
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
    fn what_a_trace_cannot_say_is_refused() {
        let stale = [Action::new(Kind::StaleRead, At::Replica(0), 0)];
        assert!(written(&stale).is_err());
        let overtaking = [
            Action::new(Kind::Create, At::Store, 0),
            Action::new(Kind::Create, At::Store, 1),
            Action::new(Kind::Deliver, At::Replica(0), 1),
        ];
        let why = written(&overtaking).expect_err("the older one comes first");
        assert_eq!(
            why.to_string(),
            "a trace has no step for `deliver d2 at r1, before an older one`"
        );
    }
}
