//! Changes to an input, a step at a time.
//!
//! A mutator that knows steps reaches most faults in a tenth of the executions that one of bytes takes. What it inserts is
//! drawn by the generator of the random engine, for the rows that are there at that place: so most ids are live, and half
//! of the upserts change one field. An input without a step becomes a trace of the generator's.

use model::semantics::STRICT;
use model::{Choices, Generator, Seeded, Spec, Table, router_changes};
use protocol::{Change, Level, Rows, Step, Trace};

use crate::codec::{
    ADD, HEADER_BYTES, Header, Input, LOOKUP, REPLICAS, Record, STEP_BYTES, STEPS_MAX, UPSERT, decode_records, encode,
    encode_change, encode_write, verbs, via,
};
use crate::world::worlds;
use crate::writes::{change_of, writes};

/// Percentage of inputs that are changed as bytes and not as steps.
const PLAIN_PERCENT: usize = 4;
/// Percentage of inputs that a trace of the generator's replaces.
const DRAWN_PERCENT: usize = 80;
/// Percentage of libFuzzer's proposals to splice two inputs, made every other time, that are followed; otherwise one is
/// changed.
const SPLICED_PERCENT: usize = 25;
/// Percentage of the steps inserted into a trace of one router that are lookups: what a router was asked it may remember.
const ASKED_PERCENT: usize = 20;
/// The most changes to one input at a time.
const CHANGES_MAX: usize = 4;
/// The numbers of the worlds that a drawn trace is of, each as often as it is drawn. Big (2) finds most, mid (1) the
/// faults that easily confused texts show, and overlapping patterns (3) those of ties. One time more any world is
/// drawn.
const DRAWN_WORLDS: [u8; 9] = [2, 2, 2, 2, 2, 2, 1, 0, 3];

/// An input as the mutator sees it.
struct Program {
    header: Header,
    records: Vec<Record>,
}

/// Changes the input in `data[..size]` and returns its new size, of at most `data.len()`. `plain` changes it as bytes.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    seed: u32,
    level: Level,
    plain: impl FnOnce(&mut [u8], usize) -> usize,
) -> usize {
    let choices = &mut Seeded::new(seed, 0);
    let room = data.len().saturating_sub(HEADER_BYTES) / STEP_BYTES;
    if room == 0 || choices.percent(PLAIN_PERCENT) {
        return plain(data, size);
    }
    let drawn = choices.percent(DRAWN_PERCENT);
    let kept = Program::parse(&data[..size]).filter(|program| !program.records.is_empty() && !drawn);
    let mut program = match kept {
        None => Program::drawn(level, choices),
        Some(mut program) => {
            for _ in 0..=choices.below(CHANGES_MAX) {
                program.change(level, choices);
            }
            program
        }
    };
    program.records.truncate(room.min(STEPS_MAX));
    program.write(data)
}

/// Writes the first steps of one input followed by the last steps of another to `out`, and returns the size: 0 where it
/// does not.
pub fn splice(one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    let choices = &mut Seeded::new(seed, 1);
    if !choices.percent(SPLICED_PERCENT) {
        return 0;
    }
    let (Some(mut one), Some(other)) = (Program::parse(one), Program::parse(other)) else {
        return 0;
    };
    one.records.truncate(choices.below(one.records.len() + 1));
    if one.header.world == other.header.world {
        // The steps of the other one go on naming the texts that they named.
        one.header.swarm |= other.header.swarm;
    }
    let from = choices.below(other.records.len() + 1);
    one.records.extend(&other.records[from..]);
    let room = out.len().saturating_sub(HEADER_BYTES) / STEP_BYTES;
    one.records.truncate(room.min(STEPS_MAX));
    if room == 0 { 0 } else { one.write(out) }
}

impl Program {
    fn parse(data: &[u8]) -> Option<Self> {
        let header = Header::parse(data)?;
        let (records, _) = data[HEADER_BYTES..].as_chunks();
        let records = records.iter().copied().take(STEPS_MAX).collect();
        Some(Self { header, records })
    }

    fn write(&self, out: &mut [u8]) -> usize {
        let bytes = [&self.header.bytes()[..], self.records.as_flattened()].concat();
        out[..bytes.len()].copy_from_slice(&bytes);
        bytes.len()
    }

    /// A trace of the generator's.
    fn drawn(level: Level, choices: &mut dyn Choices) -> Self {
        let number = |choices: &mut dyn Choices, bits: u32| choices.below(1 << bits);
        let any = |choices: &mut dyn Choices| u8::try_from(choices.below(worlds().len())).expect("worlds are few");
        let world = DRAWN_WORLDS.get(choices.below(DRAWN_WORLDS.len() + 1)).copied();
        let header = Header {
            world: world.unwrap_or_else(|| any(choices)),
            swarm: (number(choices, 32) as u64) << 32 | number(choices, 32) as u64,
            asks: u16::try_from(number(choices, 16)).expect("it has 16 bits"),
        };
        let (initial, steps) = router_changes(&header.world().scope, &header.swarm(), choices);
        let trace = Trace::of_router(initial, steps);
        match level {
            Level::Router => {
                let bytes = encode(header, &trace).expect("what a world draws is of the world");
                Self::parse(&bytes).expect("these are a header and steps")
            }
            Level::Fleet => Self::spread(header, &trace, choices),
        }
    }

    /// Sends the changes through any replica, and puts other steps of a fleet between them.
    fn spread(header: Header, trace: &Trace, choices: &mut dyn Choices) -> Self {
        let construction = Change::Replace(trace.setup.rows.clone());
        let changes = trace.steps.iter().filter_map(Step::change);
        let (mut store, mut records) = (Rows::new(), Vec::new());
        for change in std::iter::once(&construction).chain(changes) {
            for write in writes(&store, change) {
                let record = encode_write(header.world(), through(choices), &write);
                records.push(record.expect("what a world draws is of the world"));
                for _ in 0..choices.below(4) {
                    records.push(of_fleet(choices));
                }
            }
            change.apply_to(&mut store);
        }
        Self { header, records }
    }

    fn change(&mut self, level: Level, choices: &mut dyn Choices) {
        let length = self.records.len();
        let at = choices.below(length);
        match choices.below(16) {
            0..=1 => self.edit(at, level, choices),
            2..=3 => {
                let count = 1 + choices.below(length.div_ceil(4));
                self.records.drain(at..(at + count).min(length));
            }
            4..=5 if length > 0 => {
                let mut record = self.records[at];
                if choices.percent(50) {
                    // The same row in another version.
                    record[STEP_BYTES - 1] = 0;
                }
                self.records.insert(choices.below(length + 1), record);
            }
            6..=7 if length > 0 => self.records.swap(at, choices.below(length)),
            8..=9 if length > 0 => {
                let value = u8::try_from(choices.below(256)).expect("it is below 256");
                self.records[at][choices.below(STEP_BYTES)] = value;
            }
            10 => match choices.below(3) {
                0 => self.header.swarm ^= 1 << choices.below(u64::BITS as usize),
                1 => self.header.asks ^= 1 << choices.below(u16::BITS as usize),
                _ => self.header.world = u8::try_from(choices.below(worlds().len())).expect("worlds are few"),
            },
            _ => self.insert(level, choices),
        }
    }

    /// Inserts a change that the generator draws for the rows that are there by then; perhaps a lookup, or another step of a
    /// fleet.
    fn insert(&mut self, level: Level, choices: &mut dyn Choices) {
        let at = choices.below(self.records.len() + 1);
        if level == Level::Fleet && choices.percent(60) {
            self.records.insert(at, of_fleet(choices));
            return;
        }
        if level == Level::Router && choices.percent(ASKED_PERCENT) {
            self.records.insert(at, lookup(choices));
            return;
        }
        let before = decode_records(self.header, &self.records[..at], level);
        let swarm = self.header.swarm();
        let (scope, table) = (&before.world.scope, table_after(&before));
        let change = Generator::new(scope, &swarm, choices, table.clone(), before.versions).change();
        self.put(at..at, &change, (level, &table), choices);
    }

    /// Changes one field of the row of a step.
    fn edit(&mut self, at: usize, level: Level, choices: &mut dyn Choices) {
        let up_to = decode_records(self.header, &self.records[..(at + 1).min(self.records.len())], level);
        let Some(Change::Upsert(row) | Change::Add(row)) = up_to.trace.steps.last().and_then(asked_for) else {
            return;
        };
        let verb = self.records[at][0] % (1 << 5) % verbs(level);
        if !matches!(verb, UPSERT | ADD) {
            return;
        }
        let swarm = self.header.swarm();
        let (scope, table) = (&up_to.world.scope, table_after(&up_to));
        let edited = Generator::new(scope, &swarm, choices, table.clone(), up_to.versions).edited(row);
        let change = if verb == ADD {
            Change::Add(edited)
        } else {
            Change::Upsert(edited)
        };
        self.put(at..at + 1, &change, (level, &table), choices);
    }

    /// Puts a change, for a table of these rows, in the place of steps.
    fn put(
        &mut self,
        place: std::ops::Range<usize>,
        change: &Change,
        (level, table): (Level, &Table),
        choices: &mut dyn Choices,
    ) {
        let world = self.header.world();
        let records: Option<Vec<Record>> = match level {
            Level::Router => encode_change(world, change),
            Level::Fleet => {
                let through = through(choices);
                let writes = writes(table, change);
                writes.iter().map(|write| encode_write(world, through, write)).collect()
            }
        };
        // A trace of more versions than a byte counts takes no more of them.
        if let Some(records) = records {
            self.records.splice(place, records);
        }
    }
}

/// The rows that the strict semantics leave after these steps.
fn table_after(input: &Input) -> Table {
    let spec = Spec::new(&STRICT, &[]);
    let initial = Change::Replace(input.trace.setup.rows.clone());
    let steps = input.trace.steps.iter().filter_map(asked_for);
    std::iter::once(initial)
        .chain(steps)
        .fold(Table::new(), |table, change| {
            spec.change(&table, &change).unwrap_or(table)
        })
}

/// The change that a step asks for, of a router or of a store.
fn asked_for(step: &Step) -> Option<Change> {
    match (step.change(), step.write()) {
        (Some(change), _) => Some(change.clone()),
        (None, Some(op)) => change_of(&op.write),
        (None, None) => None,
    }
}

/// A lookup of any text of the world, by any caller.
fn lookup(choices: &mut dyn Choices) -> Record {
    let mut record = Record::default();
    for byte in &mut record {
        *byte = u8::try_from(choices.below(256)).expect("it is below 256");
    }
    record[0] = LOOKUP;
    record
}

/// A step of a fleet that is no write.
fn of_fleet(choices: &mut dyn Choices) -> Record {
    let count = usize::from(verbs(Level::Fleet) - LOOKUP - 1);
    let verb = LOOKUP + 1 + u8::try_from(choices.below(count)).expect("verbs are few");
    let mut record = Record::default();
    record[0] = verb | via(1 + u8::try_from(choices.below(REPLICAS.into())).expect("replicas are few"));
    record
}

/// The bits that send a write through a replica or, one time in two, straight to the store.
fn through(choices: &mut dyn Choices) -> u8 {
    if choices.percent(50) {
        return 0;
    }
    via(1 + u8::try_from(choices.below(REPLICAS.into())).expect("replicas are few"))
}
