//! The bytes of an input, and the trace that they are.
//!
//! ```text
//! byte 0      the version of this format: an input of another one is no input, since what it means is not known here
//! byte 1      the world
//! bytes 2-9   the swarm: a bit for each item of the universe, in the order in which the generator draws a part of it
//! bytes 10-11 from which the questions are drawn
//! then        steps of eight bytes each: verb, id, name, team, team's name, target, flags, tag
//! ```
//!
//! Steps have a fixed width, so that a changed byte changes one field of one step, and a cut, a copy or a move of whole
//! steps leaves the others what they are. All are absolute: no step means another thing because of those before it, but
//! for names of which no two may be the same: tags of versions, and polls that are held. Any bytes behind the header are
//! steps; what is left over is dropped.
//!
//! A list of rows is made of one [`STAGE`] a row and the [`REPLACE`] or [`CONSTRUCT`] that takes them. A fleet takes no
//! lists: there these three are no steps. Rows with a parameter bundle have no bytes: routers that run in this process have
//! no bundles. Of what a fleet can do these have bytes: writes of whole rows and deletions, polls to their end or held
//! after the read, starts, deliveries, lookups, and the events but for the order of rows, the second source and time.

use std::collections::BTreeMap;

use model::{Choices, Swarm};
use protocol::{
    Begin, Change, Level, Op, OpId, Place, Query, Question, Row, Step, StoreView, Trace, Via, World as Event, Write,
    WriteOp,
};

use crate::world::{WEIGHTS, World, worlds};

/// The version of this format.
pub(crate) const VERSION: u8 = 1;
/// The length of what stands before the steps.
pub(crate) const HEADER_BYTES: usize = 12;
/// The length of a step.
pub(crate) const STEP_BYTES: usize = 8;
/// The most steps that are read, so that the number of a version fits a byte.
pub const STEPS_MAX: usize = 255;
/// Number of replicas of a fleet.
pub(crate) const REPLICAS: u8 = 3;

/// The bytes of one step.
pub(crate) type Record = [u8; STEP_BYTES];

/// The places of the fields in a step.
const VERB: usize = 0;
const ID: usize = 1;
const NAME: usize = 2;
const TEAM: usize = 3;
const TEAM_NAME: usize = 4;
const TARGET: usize = 5;
const FLAGS: usize = 6;
const TAG: usize = 7;

/// The verb of a row that is inserted or updated.
pub(crate) const UPSERT: u8 = 0;
/// The verb of a row that is added.
pub(crate) const ADD: u8 = 1;
/// The verb of a deleted id.
pub(crate) const DELETE: u8 = 2;
/// The verb of a row of the next list.
pub(crate) const STAGE: u8 = 3;
/// The verb of a list that is loaded.
pub(crate) const REPLACE: u8 = 4;
/// The verb of the list that a router is constructed with; of a list that is loaded, if it does not come first.
pub(crate) const CONSTRUCT: u8 = 5;
/// The verb of a question.
pub(crate) const LOOKUP: u8 = 6;
const POLL: u8 = 7;
const POLL_READ: u8 = 8;
const POLL_APPLY: u8 = 9;
const STORE_FAILS: u8 = 10;
const STORE_WORKS: u8 = 11;
const CRASH: u8 = 12;
const START: u8 = 13;
const DELIVER: u8 = 14;
const DROP: u8 = 15;
const DUPLICATE: u8 = 16;
const DEFER: u8 = 17;
/// The first of the verbs of what the store shows, one for each of [`SHOWN`].
const STORE_SHOWS: u8 = 18;
const SHOWN: [StoreView; 4] = [
    StoreView::All,
    StoreView::BeforeLastWrite,
    StoreView::Nothing,
    StoreView::FirstRow,
];
const FLEET_VERBS: u8 = STORE_SHOWS + 4;

const VERB_BITS: u32 = 5;
const BLOCKED: u8 = 1;
const WEIGHT_SHIFT: u32 = 1;
const WRONG_SHIFT: u32 = 4;
const WRONG_NAME: u8 = 1;
const WRONG_TAG: u8 = 2;
const WRONG_TARGET: u8 = 3;
/// The row keeps its team's name though it has no team.
const LOOSE: u8 = 1 << 6;
/// The ending that makes a target one that must be refused.
const STARS: &str = "*****";

/// Returns the number of verbs for the steps of that level.
pub(crate) fn verbs(level: Level) -> u8 {
    match level {
        Level::Router => LOOKUP + 1,
        Level::Fleet => FLEET_VERBS,
    }
}

/// The part of an input before its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The number of the world.
    pub world: u8,
    /// The part of the universe that is used, as a mask gives it out.
    pub swarm: u64,
    /// The number from which the questions are drawn.
    pub asks: u16,
}

impl Header {
    /// Reads a header; `None` where the bytes are too few, or of another version.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = data.first_chunk()?;
        if bytes[0] != VERSION {
            return None;
        }
        Some(Self {
            world: bytes[1],
            swarm: u64::from_le_bytes(*bytes[2..].first_chunk()?),
            asks: u16::from_le_bytes(*bytes[10..].first_chunk()?),
        })
    }

    /// The bytes of the header.
    pub fn bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [VERSION; HEADER_BYTES];
        bytes[1] = self.world;
        bytes[2..10].copy_from_slice(&self.swarm.to_le_bytes());
        bytes[10..].copy_from_slice(&self.asks.to_le_bytes());
        bytes
    }

    /// The world.
    pub fn world(self) -> &'static World {
        let worlds = worlds();
        &worlds[usize::from(self.world) % worlds.len()]
    }

    /// The part of the world that is used.
    pub fn swarm(self) -> Swarm {
        Swarm::draw(&self.world().scope, &mut Mask(self.swarm))
    }
}

/// Gives the bits of a number as choices, one item a bit: a set bit takes the item. Where they are used up, all are set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask(pub u64);

impl Choices for Mask {
    fn below(&mut self, count: usize) -> usize {
        let bit = self.0 & 1 == 1;
        self.0 = self.0 >> 1 | 1 << (u64::BITS - 1);
        if bit { 0 } else { count.saturating_sub(1) }
    }
}

/// An input, decoded from its bytes.
#[derive(Clone, Debug)]
pub struct Input {
    /// The part before the steps.
    pub header: Header,
    /// The world.
    pub world: &'static World,
    /// The trace; the store of a fleet is empty before it.
    pub trace: Trace,
    /// Number of versions.
    pub versions: usize,
}

/// The trace that these bytes are; `None` where they are of another version, or no header.
pub fn decode(data: &[u8], level: Level) -> Option<Input> {
    let header = Header::parse(data)?;
    let (records, _) = data[HEADER_BYTES..].as_chunks();
    Some(decode_records(header, records, level))
}

/// The trace that these steps are.
pub(crate) fn decode_records(header: Header, records: &[Record], level: Level) -> Input {
    let mut decoder = Decoder {
        world: header.world(),
        swarm: header.swarm(),
        level,
        issued: BTreeMap::new(),
        polls: [0; REPLICAS as usize],
        staged: Vec::new(),
        initial: Vec::new(),
        steps: Vec::new(),
    };
    for &record in records.iter().take(STEPS_MAX) {
        decoder.step(record);
    }
    Input {
        header,
        world: decoder.world,
        trace: match level {
            Level::Router => Trace::of_router(decoder.initial, decoder.steps),
            Level::Fleet => Trace::of_fleet(REPLICAS, decoder.steps),
        },
        versions: decoder.issued.len(),
    }
}

struct Decoder {
    world: &'static World,
    swarm: Swarm,
    level: Level,
    /// The row of each tag that was given out.
    issued: BTreeMap<String, Row>,
    /// Number of polls of each replica that were begun and held.
    polls: [u8; REPLICAS as usize],
    staged: Vec<Row>,
    initial: Vec<Row>,
    steps: Vec<Step>,
}

impl Decoder {
    fn step(&mut self, record: Record) {
        let via = record[VERB] >> VERB_BITS;
        let replica = via.saturating_sub(1) % REPLICAS;
        let verb = (record[VERB] & ((1 << VERB_BITS) - 1)) % verbs(self.level);
        let step = match (verb, self.level) {
            (UPSERT, Level::Router) => Step::Change(Change::Upsert(self.row(record))),
            (ADD, Level::Router) => Step::Change(Change::Add(self.row(record))),
            (DELETE, Level::Router) => Step::Change(Change::Delete(self.id(record).to_owned())),
            (STAGE, Level::Router) => {
                let row = self.row(record);
                self.staged.push(row);
                return;
            }
            (CONSTRUCT, Level::Router) if self.steps.is_empty() && self.initial.is_empty() => {
                self.initial = std::mem::take(&mut self.staged);
                return;
            }
            (REPLACE | CONSTRUCT, Level::Router) => Step::Change(Change::Replace(std::mem::take(&mut self.staged))),
            (UPSERT, Level::Fleet) => write(via, Write::Put(self.row(record))),
            (ADD, Level::Fleet) => write(via, Write::Add(self.row(record))),
            (DELETE, Level::Fleet) => write(via, Write::Delete(self.id(record).to_owned())),
            (STAGE | REPLACE | CONSTRUCT, Level::Fleet) => return,
            (LOOKUP, level) => {
                let at = usize::from(u16::from_le_bytes([record[NAME], record[TEAM_NAME]]));
                let query = Query {
                    model: self.world.texts[at % self.world.texts.len()].clone(),
                    team: self.team(record).map(str::to_owned),
                };
                let replica = (level == Level::Fleet).then_some(replica);
                Step::Ask(replica, Question::Lookup(query))
            }
            (verb, _) => self.of_fleet(verb, replica),
        };
        self.steps.push(step);
    }

    /// The step of a fleet that is no write and no question.
    fn of_fleet(&mut self, verb: u8, replica: u8) -> Step {
        let event = match verb {
            POLL => return Step::Do(Op::Poll(replica)),
            POLL_READ => {
                let polls = &mut self.polls[usize::from(replica)];
                *polls += 1;
                let op = held_poll(replica, *polls);
                return Step::Begin(Begin::new(&op.0, Op::Poll(replica), Place::AfterRead));
            }
            POLL_APPLY => return Step::Finish(held_poll(replica, self.polls[usize::from(replica)])),
            START => return Step::Do(Op::Start(replica)),
            DELIVER => return Step::Do(Op::Deliver(replica)),
            STORE_FAILS => Event::StoreFails(true),
            STORE_WORKS => Event::StoreFails(false),
            shows @ STORE_SHOWS..FLEET_VERBS => Event::StoreShows(SHOWN[usize::from(shows - STORE_SHOWS)]),
            CRASH => Event::Crash(replica),
            DUPLICATE => Event::Duplicate(replica),
            DEFER => Event::Defer(replica),
            _ => Event::Drop(replica),
        };
        Step::World(event)
    }

    fn row(&mut self, record: Record) -> Row {
        let flags = record[FLAGS];
        let wrong = flags >> WRONG_SHIFT & 3;
        let name = if wrong == WRONG_NAME {
            ""
        } else {
            self.name(record[NAME])
        };
        let target = usize::from(record[TARGET]) % self.world.targets.len();
        let mut row = Row::new(self.id(record), name, &self.world.targets[target], "");
        row.team = self.team(record).map(str::to_owned);
        if row.team.is_some() || flags & LOOSE != 0 {
            let named = record[TEAM_NAME].checked_sub(1);
            row.team_model_name = named.map(|at| self.name(at).to_owned());
        }
        if wrong == WRONG_TARGET {
            row.model.push_str(STARS);
        }
        row.blocked = flags & BLOCKED != 0;
        row.weight = WEIGHTS[usize::from(flags >> WEIGHT_SHIFT) % WEIGHTS.len()];
        self.tag(usize::from(record[TAG]), wrong == WRONG_TAG, row)
    }

    /// The row with the tag of that number; with the first one that is free, where the number is 0 or that would give two
    /// versions one tag. Each write to a store makes a version, also one of a row that was there before.
    fn tag(&mut self, number: usize, wrong: bool, mut row: Row) -> Row {
        let end = if wrong { "\n" } else { "" };
        row.tag = format!("v{number}{end}");
        let is_taken = |issued: &Row| self.level == Level::Fleet || *issued != row;
        if number == 0 || self.issued.get(&row.tag).is_some_and(is_taken) {
            let mut tags = (1..=STEPS_MAX).map(|number| format!("v{number}{end}"));
            let free = tags.find(|tag| !self.issued.contains_key(tag));
            row.tag = free.expect("a step gives out one tag at the most");
        }
        self.issued.insert(row.tag.clone(), row.clone());
        row
    }

    fn id(&self, record: Record) -> &'static str {
        within(self.world.scope.universe.ids, self.swarm.ids(), record[ID]).expect("a universe has ids")
    }

    fn name(&self, at: u8) -> &'static str {
        within(&self.world.names, self.swarm.names(), at).expect("a universe has names")
    }

    fn team(&self, record: Record) -> Option<&'static str> {
        let at = record[TEAM].checked_sub(1)?;
        within(self.world.scope.universe.teams, self.swarm.teams(), at)
    }
}

/// The item of that number, or where it is not in the part, one that is.
fn within(all: &[&'static str], part: &[&'static str], at: u8) -> Option<&'static str> {
    let at = usize::from(at);
    let item = *all.get(at % all.len().max(1))?;
    if part.contains(&item) {
        return Some(item);
    }
    part.get(at % part.len().max(1)).copied()
}

/// A write through a replica, counted from 1, or through none.
fn write(via: u8, write: Write) -> Step {
    let via = via
        .checked_sub(1)
        .map_or(Via::Store, |via| Via::Replica(via % REPLICAS));
    Step::Do(Op::Write(WriteOp { via, write }))
}

/// The name of the poll of that replica which is begun and held as the one of that number, from 1.
fn held_poll(replica: u8, number: u8) -> OpId {
    OpId(format!("{replica}.{number}"))
}

/// The bytes of a trace: `decode` gives back the very same. `None` where a text is none of the world or of its part, a
/// row has a parameter bundle, a step or a set-up has no bytes, or there are too many steps or versions.
pub fn encode(header: Header, trace: &Trace) -> Option<Vec<u8>> {
    let mut records = Vec::new();
    let encoder = Encoder { world: header.world() };
    if !trace.setup.rows.is_empty() {
        encoder.list(&trace.setup.rows, CONSTRUCT, &mut records)?;
    }
    for step in &trace.steps {
        encoder.step(step, &mut records)?;
    }
    let same = decode_records(header, &records, trace.level).trace == *trace;
    same.then(|| [&header.bytes()[..], records.as_flattened()].concat())
}

/// The steps of one change.
pub(crate) fn encode_change(world: &'static World, change: &Change) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    Encoder { world }.change(change, &mut records)?;
    Some(records)
}

/// The step of one write, through a replica, counted from 1, or through none.
pub(crate) fn encode_write(world: &'static World, through: u8, write: &Write) -> Option<Record> {
    Encoder { world }.write(through, write)
}

struct Encoder {
    world: &'static World,
}

impl Encoder {
    fn step(&self, step: &Step, records: &mut Vec<Record>) -> Option<()> {
        let (verb, replica) = match step {
            Step::Change(change) => return self.change(change, records),
            Step::Ask(replica, question) => {
                records.push(self.lookup(*replica, question.query()?)?);
                return Some(());
            }
            Step::Do(Op::Write(WriteOp { via, write })) => {
                let through = match via {
                    Via::Store => 0,
                    Via::Replica(replica) => replica.saturating_add(1),
                };
                records.push(self.write(through, write)?);
                return Some(());
            }
            Step::Do(Op::Poll(replica)) => (POLL, *replica),
            Step::Do(Op::Start(replica)) => (START, *replica),
            Step::Do(Op::Deliver(replica)) => (DELIVER, *replica),
            Step::Begin(Begin {
                act: Op::Poll(replica), ..
            }) => (POLL_READ, *replica),
            Step::Finish(op) => (POLL_APPLY, op.0.split('.').next()?.parse().ok()?),
            Step::Do(Op::Request(_)) | Step::Begin(_) => return None,
            Step::World(event) => match event {
                Event::StoreFails(true) => (STORE_FAILS, 0),
                Event::StoreFails(false) => (STORE_WORKS, 0),
                Event::StoreShows(shown) => {
                    let (_, verb) = SHOWN.iter().zip(STORE_SHOWS..).find(|(one, _)| *one == shown)?;
                    (verb, 0)
                }
                Event::Crash(replica) => (CRASH, *replica),
                Event::Drop(replica) => (DROP, *replica),
                Event::Duplicate(replica) => (DUPLICATE, *replica),
                Event::Defer(replica) => (DEFER, *replica),
                Event::StoreOrder(_) | Event::Config(_) | Event::Wait(_) => return None,
            },
        };
        let mut record = Record::default();
        record[VERB] = verb | via(replica.saturating_add(1));
        records.push(record);
        Some(())
    }

    fn lookup(&self, replica: Option<u8>, query: &Query) -> Option<Record> {
        let [low, high] = u16::try_from(position(&self.world.texts, &query.model)?)
            .ok()?
            .to_le_bytes();
        let mut record = Record::default();
        record[VERB] = LOOKUP | via(replica.map_or(0, |replica| replica.saturating_add(1)));
        (record[NAME], record[TEAM_NAME]) = (low, high);
        record[TEAM] = self.team(query.team.as_ref())?;
        Some(record)
    }

    fn change(&self, change: &Change, records: &mut Vec<Record>) -> Option<()> {
        let record = match change {
            Change::Upsert(row) => self.row(UPSERT, row)?,
            Change::Add(row) => self.row(ADD, row)?,
            Change::Delete(id) => self.delete(0, id)?,
            Change::Replace(rows) => return self.list(rows, REPLACE, records),
        };
        records.push(record);
        Some(())
    }

    fn write(&self, through: u8, write: &Write) -> Option<Record> {
        match write {
            Write::Put(row) => self.row(UPSERT | via(through), row),
            Write::Add(row) => self.row(ADD | via(through), row),
            Write::Delete(id) => self.delete(through, id),
            Write::Patch(_) => None,
        }
    }

    fn delete(&self, through: u8, id: &str) -> Option<Record> {
        let mut record = Record::default();
        record[VERB] = DELETE | via(through);
        record[ID] = self.id(id)?;
        Some(record)
    }

    fn list(&self, rows: &[Row], verb: u8, records: &mut Vec<Record>) -> Option<()> {
        for row in rows {
            records.push(self.row(STAGE, row)?);
        }
        let mut record = Record::default();
        record[VERB] = verb;
        records.push(record);
        Some(())
    }

    fn row(&self, verb: u8, row: &Row) -> Option<Record> {
        if row.extra.is_some() {
            return None;
        }
        let number = row.tag.strip_prefix('v')?.trim_end_matches('\n').parse().ok()?;
        let plain = row.model.strip_suffix(STARS);
        let wrong = match (row.model_name.is_empty(), row.tag.ends_with('\n'), plain.is_some()) {
            (true, _, _) => WRONG_NAME,
            (_, true, _) => WRONG_TAG,
            (_, _, true) => WRONG_TARGET,
            _ => 0,
        };
        let loose = if row.team.is_none() && row.team_model_name.is_some() {
            LOOSE
        } else {
            0
        };
        let weight = WEIGHTS.iter().position(|weight| *weight == row.weight)?;
        let name = |name: &str| u8::try_from(self.world.position(name)?).ok();
        let team_name = match &row.team_model_name {
            Some(text) => name(text)?.checked_add(1)?,
            None => 0,
        };
        let target = if wrong == WRONG_TARGET { plain? } else { &row.model };
        Some([
            verb,
            self.id(&row.id)?,
            if wrong == WRONG_NAME { 0 } else { name(&row.model_name)? },
            self.team(row.team.as_ref())?,
            team_name,
            u8::try_from(position(&self.world.targets, target)?).ok()?,
            u8::from(row.blocked) | u8::try_from(weight).ok()? << WEIGHT_SHIFT | wrong << WRONG_SHIFT | loose,
            number,
        ])
    }

    fn id(&self, id: &str) -> Option<u8> {
        let at = self.world.scope.universe.ids.iter().position(|item| *item == id)?;
        u8::try_from(at).ok()
    }

    fn team(&self, team: Option<&String>) -> Option<u8> {
        let Some(team) = team else { return Some(0) };
        let at = self.world.scope.universe.teams.iter().position(|item| item == team)?;
        u8::try_from(at + 1).ok()
    }
}

fn position(items: &[String], text: &str) -> Option<usize> {
    items.iter().position(|item| item == text)
}

/// The bits of a step's first byte that say through which replica: 0 is none.
pub(crate) fn via(through: u8) -> u8 {
    through << VERB_BITS
}
