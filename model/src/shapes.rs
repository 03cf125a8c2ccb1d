//! The fixed list of short schedules that the search of a fleet begins with: every operation held at each of its points, while
//! another one on the same row runs elsewhere.
//!
//! Races are a matter of two operations and one row. A schedule that is drawn holds an operation at a point now and then; all
//! pairs are so few that each is met before anything is drawn.

use protocol::{
    Begin, Capability, Fields, Op, OpId, Patch, Place, Row, RowOrder, Run, Step, StoreView, Trace, Via, World, Write,
    WriteOp,
};

use crate::choices::Seeded;
use crate::closing::{Pending, closed_run};
use crate::raised::raised_queries;
use crate::sweep::Swept;
use crate::universe::Scope;

/// The replica at which the operation is held.
const HERE: u8 = 0;
/// The other replica.
const THERE: u8 = 1;
/// The name of the held operation.
const HELD: &str = "a";
/// The version that a write brings which passes the held operation.
const PASSING: usize = 4;

/// An operation on the only row, or on all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Poll,
    Put,
    Patch,
    Delete,
    Add,
    Deliver,
    Request,
}

const DEEDS: [Deed; 7] = [
    Deed::Poll,
    Deed::Put,
    Deed::Patch,
    Deed::Delete,
    Deed::Add,
    Deed::Deliver,
    Deed::Request,
];

impl Deed {
    fn is_possible(self, scope: &Scope) -> bool {
        match self {
            Self::Poll => true,
            Self::Put => scope.can(Capability::Upsert),
            Self::Delete => scope.can(Capability::Delete),
            Self::Add => scope.can(Capability::Add) || scope.can(Capability::Upsert),
            Self::Patch => scope.can(Capability::Patch),
            Self::Deliver => scope.can(Capability::Notify),
            Self::Request => scope.can(Capability::Request),
        }
    }

    fn writes(self) -> bool {
        matches!(self, Self::Put | Self::Patch | Self::Delete | Self::Add)
    }

    /// The points at which it may touch the store.
    fn places(self) -> &'static [Place] {
        match self {
            Self::Poll | Self::Deliver | Self::Request => &[Place::BeforeRead, Place::AfterRead],
            Self::Put | Self::Patch | Self::Delete | Self::Add => &[
                Place::BeforeRead,
                Place::AfterRead,
                Place::BeforeWrite,
                Place::AfterWrite,
            ],
        }
    }
}

/// The row of a schedule and its versions.
#[derive(Clone, Copy)]
struct Teller<'a> {
    scope: &'a Scope,
    name: &'static str,
    team: Option<&'static str>,
    /// The name of a row that nothing happens to, in schedules that have one.
    bystander: Option<&'static str>,
}

impl Teller<'_> {
    /// The version of that number of the row.
    fn row(&self, version: usize) -> Row {
        let id = self.scope.universe.ids[0];
        let row = row_of(self.scope, id, self.name, version);
        match self.team {
            None => row,
            Some(team) => Row {
                model_name: format!("{team}-{id}"),
                team: Some(team.to_owned()),
                team_model_name: Some(self.name.to_owned()),
                ..row
            },
        }
    }

    /// The operation at that replica, which brings the version of that number if it brings one.
    fn op(&self, deed: Deed, replica: u8, version: usize) -> Op {
        let row = self.row(version);
        let write = match deed {
            Deed::Poll => return Op::Poll(replica),
            Deed::Deliver => return Op::Deliver(replica),
            Deed::Request => {
                return Op::Request(protocol::RequestOp {
                    replica,
                    model: self.name.replace('*', "x"),
                    team: self.team.map(str::to_owned),
                });
            }
            Deed::Add if self.scope.can(Capability::Add) => Write::Add(row),
            Deed::Put | Deed::Add => Write::Put(row),
            Deed::Delete => Write::Delete(row.id),
            Deed::Patch => Write::Patch(Patch {
                fields: self.patched(&row, version),
                id: row.id,
            }),
        };
        let via = if self.scope.can(Capability::Admin) {
            Via::Replica(replica)
        } else {
            Via::Store
        };
        Op::Write(WriteOp { via, write })
    }

    /// The field that a patch brings: the tag, and of the one that passes another its target alone. Of two patches of one field
    /// either may win, and of two fields both must stay.
    fn patched(&self, row: &Row, version: usize) -> Fields {
        if version == PASSING {
            // Versions have the first of the targets.
            let other = self.scope.targets(&self.scope.target_prefixes[0], self.name).pop();
            return Fields {
                model: other,
                ..Fields::default()
            };
        }
        Fields {
            tag: Some(row.tag.clone()),
            ..Fields::default()
        }
    }

    /// The plainest way in which the row can be changed.
    fn change(&self) -> Deed {
        let ways = [Deed::Put, Deed::Patch, Deed::Delete];
        ways.into_iter()
            .find(|deed| deed.is_possible(self.scope))
            .unwrap_or(Deed::Poll)
    }

    /// The schedule of two replicas that hold the row, and of these steps; what an addition is to bring is not there before.
    fn trace(&self, adds: bool, steps: Vec<Step>) -> Trace {
        let bystander = self.bystander.zip(self.scope.universe.ids.get(1));
        let bystander = bystander.map(|(name, id)| row_of(self.scope, id, name, 0));
        let rows = bystander.into_iter().chain((!adds).then(|| self.row(1)));
        polled_first(rows.collect(), steps)
    }

    /// One write and a poll elsewhere, for each way of writing.
    fn plain(&self) -> Vec<Trace> {
        let writes = DEEDS
            .into_iter()
            .filter(|deed| deed.writes() && deed.is_possible(self.scope));
        let of = |deed: Deed| {
            let steps = vec![Step::Do(self.op(deed, HERE, 2)), Step::Do(Op::Poll(THERE))];
            self.trace(deed == Deed::Add, steps)
        };
        writes.map(of).collect()
    }

    /// One operation held at each of its points, while each other one runs, at the same replica and at the other.
    fn held(&self) -> Vec<Trace> {
        let possible = || DEEDS.into_iter().filter(|deed| deed.is_possible(self.scope));
        let mut traces = Vec::new();
        for held in possible().filter(|_| self.scope.can(Capability::Hold)) {
            for place in held.places() {
                for passing in possible().filter(|deed| *deed != Deed::Deliver) {
                    for replica in [HERE, THERE] {
                        // Two that only read do nothing to each other.
                        if held.writes() || passing.writes() {
                            traces.push(self.passed(held, *place, passing, replica));
                        }
                    }
                }
            }
        }
        traces
    }

    fn passed(&self, held: Deed, place: Place, passing: Deed, replica: u8) -> Trace {
        let mut steps = Vec::new();
        if held == Deed::Deliver {
            steps.push(Step::Do(self.op(self.change(), THERE, 2)));
        }
        steps.push(Step::Begin(Begin::new(HELD, self.op(held, HERE, 3), place)));
        steps.push(Step::Do(self.op(passing, replica, PASSING)));
        steps.push(Step::Finish(OpId(HELD.to_owned())));
        self.trace(held == Deed::Add || passing == Deed::Add, steps)
    }

    /// Each operation while the store misbehaves in each way, and once it works again.
    fn faulty(&self) -> Vec<Trace> {
        let works = World::StoreFails(false);
        let shows_all = World::StoreShows(StoreView::All);
        let worlds = [
            (World::StoreFails(true), &works),
            (World::StoreShows(StoreView::Nothing), &shows_all),
            (World::StoreShows(StoreView::FirstRow), &shows_all),
            (World::StoreShows(StoreView::BeforeLastWrite), &shows_all),
            (
                World::StoreOrder(RowOrder::LastUpdate),
                &World::StoreOrder(RowOrder::Insertion),
            ),
        ];
        let worlds = worlds.iter().filter(|(world, _)| self.scope.can(world.needs()));
        let deeds = || DEEDS.into_iter().filter(|deed| deed.is_possible(self.scope));
        let of = |(world, mended): &(World, &World)| {
            let (world, mended) = (Step::World(world.clone()), Step::World((*mended).clone()));
            let around = move |adds: bool, during: Vec<Step>| {
                let before = vec![Step::Do(self.op(self.change(), THERE, 2)), world.clone()];
                let after = vec![mended.clone(), Step::Do(Op::Poll(HERE))];
                self.trace(adds, [before, during, after].concat())
            };
            let restart = vec![Step::World(World::Crash(HERE)), Step::Do(Op::Start(HERE))];
            let restarts = self.scope.can(Capability::Crash).then(|| around(false, restart));
            let deeds = deeds().map(move |deed| around(deed == Deed::Add, vec![Step::Do(self.op(deed, HERE, 3))]));
            restarts.into_iter().chain(deeds)
        };
        worlds.flat_map(of).collect()
    }
}

/// The version of that number of a row.
fn row_of(scope: &Scope, id: &str, name: &str, version: usize) -> Row {
    let prefixes = &scope.target_prefixes;
    let target = scope.targets(&prefixes[version % prefixes.len()], name).swap_remove(0);
    Row::new(id, name, &target, &format!("v{version}"))
}

/// The schedule of two replicas over these rows, which both poll before these steps.
fn polled_first(rows: Vec<Row>, steps: Vec<Step>) -> Trace {
    let polls = [HERE, THERE].map(|replica| Step::Do(Op::Poll(replica)));
    let mut trace = Trace::of_fleet(2, polls.into_iter().chain(steps).collect());
    trace.setup.rows = rows;
    trace
}

/// The schedule of a store with many rows, the last of which changes while the one before it goes: what reads the store in
/// pages, or has room for so many rows, shows by these. Nothing where ids are too few.
fn crowded(scope: &Scope) -> Option<Trace> {
    let universe = &scope.universe;
    let names: Vec<&str> = universe.names.iter().chain(universe.patterns).copied().collect();
    let row = |version: usize, number: usize| {
        let name = names[number % names.len()];
        Row {
            tag: format!("v{version}-{number}"),
            ..row_of(scope, scope.crowd[number], name, version)
        }
    };
    let last = scope.crowd.len().checked_sub(1).filter(|last| *last > 1)?;
    let writes = [
        (Capability::Upsert, Write::Put(row(2, last))),
        (Capability::Delete, Write::Delete(scope.crowd[last - 1].to_owned())),
    ];
    let possible = writes.into_iter().filter(|(needed, _)| scope.can(*needed));
    let steps = possible.map(|(_, write)| Step::Do(Op::Write(WriteOp { via: Via::Store, write })));
    let steps = steps.collect();
    Some(polled_first((0..=last).map(|number| row(1, number)).collect(), steps))
}

/// The runs of the sweep of a fleet, in order: first the schedules that are known of it, then each write without a race by each
/// tier, then races and faults of the store, whose rows go by each tier in turn, half of them beside another row, and last a
/// crowded store, which takes a slow fleet as long as dozens of the others.
pub fn fleet_sweep(scope: &Scope, known: &[Trace]) -> Vec<Swept> {
    let universe = &scope.universe;
    let (name, pattern) = (universe.names.first(), universe.patterns.first());
    let team = universe.teams.first().copied();
    let of = |name: Option<&&'static str>, team| {
        name.map(|name| Teller {
            scope,
            name,
            team,
            bystander: None,
        })
    };
    let tellers = [
        of(pattern, None),
        of(name, None),
        team.and_then(|team| of(pattern, Some(team))),
        team.and_then(|team| of(name, Some(team))),
    ];
    let tellers: Vec<Teller> = tellers.into_iter().flatten().collect();
    let plain = tellers.iter().flat_map(Teller::plain);
    // The row beside one with a name has a pattern, and the other way round, where the universe has both.
    let beside = tellers.iter().filter_map(|teller| {
        let other = [name, pattern]
            .into_iter()
            .flatten()
            .find(|other| **other != teller.name);
        other.map(|other| Teller {
            bystander: Some(other),
            ..*teller
        })
    });
    let turns: Vec<Teller> = beside.chain(tellers.iter().copied()).collect();
    let all: Vec<Vec<Trace>> = turns
        .iter()
        .map(|teller| [teller.held(), teller.faulty()].concat())
        .collect();
    let count = all.first().map_or(0, Vec::len);
    // One further at each round, so that no operation always has the row of the same tier.
    let turn = |number: usize| (number + number / all.len()) % all.len();
    let by_turns = (0..count).map(|number| all[turn(number)][number].clone());
    let traces = known.iter().cloned().chain(plain).chain(by_turns).chain(crowded(scope));
    traces
        .enumerate()
        .map(|(number, trace)| Swept {
            run: closed(scope, number, &trace),
            is_small: number < known.len(),
        })
        .collect()
}

fn closed(scope: &Scope, number: usize, trace: &Trace) -> Run {
    let rows: Vec<&Row> = trace.rows().collect();
    let queries = raised_queries(scope, &rows, &mut Seeded::new(0, 0));
    let pending = if number.is_multiple_of(2) {
        Pending::Dropped
    } else {
        Pending::Delivered
    };
    closed_run(trace, queries, pending, &scope.capabilities)
}
