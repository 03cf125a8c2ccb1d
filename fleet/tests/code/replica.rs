//! `router-core`'s replica in the fleet over any replica, so that the code itself is in the states that a checker explores.
//!
//! It translates and decides nothing: the rows of the model become readings and changes, the answers become candidates.
//! The revision of a store is the number of its writes, which is the sum of its rows' versions.

use std::collections::BTreeMap;

use adapter_reference::core_row;
use fleet::generic::{Read, Replica, Table};
use fleet::strategies::{After, Strategy};
use fleet::trace::{TEAM, id, name, question, row, tag, target};
use fleet::{COPIES_MAX, Cell, Content, ModelCandidate, ModelQuery, ROWS_MAX, Shape, VERSIONS_MAX};
use router_core::{Change, Deployment, Reading, Revision, Store, StoreError};

/// `router-core`'s replica, its router and its tables, as a replica of the model's fleet.
///
/// Equality and hash are the replica's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CoreReplica {
    replica: router_core::Replica,
}

impl Replica for CoreReplica {
    fn start(_strategy: &Strategy) -> Self {
        Self::default()
    }

    // The replica itself decides how it reacts to a write, and not the strategy.
    fn wrote(&mut self, _after: After, _rows: u8, row: u8, store: &Table) {
        let change = match fleet::trace::row(row, store[&row]) {
            None => Change::Delete(id(row).into()),
            Some(row) => match core_row(&row).parse() {
                Ok(row) => Change::Put(row),
                // A row that does not parse is refused before it gets to the replica.
                Err(_) => return,
            },
        };
        let written = self.replica.write(&mut Shown(&Read::Whole(store.clone())), change);
        written.expect("the store has made the change");
    }

    fn look(&mut self, _rows: u8, _row: u8, store: &Table) {
        self.poll(&Read::Whole(store.clone()));
    }

    fn parts(&self, _rows: u8) -> u8 {
        1
    }

    fn apply(&mut self, _part: u8, read: &Read) {
        match read {
            // The reading was made some time ago and held since: it is applied even if the store has changed.
            Read::Whole(_) => {
                if let Ok(reading) = Shown(read).read() {
                    self.replica.apply(reading);
                }
            }
            Read::Faulty { .. } | Read::Failed => self.poll(read),
        }
    }

    fn claims(&self) -> Table {
        let snapshot = self.replica.router().snapshot();
        snapshot.table().rows().map(claim).collect()
    }

    fn answer(&self, query: ModelQuery) -> Vec<ModelCandidate> {
        let asked = question(query);
        let snapshot = self.replica.router().snapshot();
        let answer = snapshot.table().lookup(router_core::Query {
            model: &asked.model,
            team: asked.team.as_deref(),
        });
        let mut copies = BTreeMap::new();
        for candidate in answer.candidates() {
            let (row, version) = row_version(candidate.id().as_str(), candidate.tag().as_str());
            let table = resolved_by(&candidate.model().to_string(), &asked.model);
            *copies.entry((row, version, table)).or_insert(0) += 1;
        }
        let candidates = copies
            .into_iter()
            .map(|((row, version, table), copies)| ModelCandidate {
                row,
                version,
                copies: COPIES_MAX.min(copies),
                table,
            });
        let mut candidates: Vec<ModelCandidate> = candidates.collect();
        candidates.sort_unstable();
        candidates
    }

    fn lists(&self, shape: Shape) -> bool {
        let team = (shape == Shape::Team).then_some(TEAM);
        let snapshot = self.replica.router().snapshot();
        snapshot.table().visible_names(team).contains(&name(shape))
    }

    fn entries(&self) -> u8 {
        let snapshot = self.replica.router().snapshot();
        let sizes = snapshot.table().sizes();
        let by_pattern = sizes.iter().find(|(part, _)| *part == "rows by pattern");
        let (_, entries) = by_pattern.expect("the table counts its rows by pattern");
        u8::try_from(*entries).expect("rows are few")
    }
}

impl CoreReplica {
    /// Polls a store that shows this. A refusal is not looked at: the rules judge the rows that it leaves.
    fn poll(&mut self, read: &Read) {
        drop(self.replica.poll(&mut Shown(read)));
    }
}

/// A store that shows one read.
struct Shown<'a>(&'a Read);

/// The store failed.
#[derive(Debug)]
struct Failed;

impl Store for Shown<'_> {
    type Error = Failed;

    fn revision(&mut self) -> Result<Revision, Failed> {
        match self.0 {
            Read::Whole(whole) | Read::Faulty { whole, .. } => Ok(revision(whole)),
            Read::Failed => Err(Failed),
        }
    }

    fn read(&mut self) -> Result<Reading, StoreError<Failed>> {
        let revision = self.revision().map_err(StoreError::Failed)?;
        let (got, whole) = match self.0 {
            Read::Whole(whole) => (whole, whole),
            Read::Faulty { got, whole } => (got, whole),
            Read::Failed => return Err(StoreError::Failed(Failed)),
        };
        let rows = |table: &Table| -> Vec<protocol::Row> {
            let rows = table.iter().filter_map(|(number, cell)| row(*number, *cell));
            rows.collect()
        };
        Ok(Reading::of(
            revision,
            rows(whole).len(),
            rows(got).iter().map(core_row),
        )?)
    }

    // The model has made the change already.
    fn write(&mut self, _change: &Change) -> Result<Revision, Failed> {
        self.revision()
    }
}

fn revision(table: &Table) -> Revision {
    Revision(table.values().map(|cell| u64::from(cell.version)).sum())
}

/// The row that a deployment says it is.
fn claim(deployment: &Deployment) -> (u8, Cell) {
    let (row, version) = row_version(deployment.id().as_str(), deployment.tag().as_str());
    let asked = deployment.asked().as_str();
    let of_shape = |shape: &Shape| name(*shape) == asked && (*shape == Shape::Team) == deployment.team().is_some();
    let shape = Shape::ALL.into_iter().find(of_shape);
    let shape = shape.unwrap_or_else(|| panic!("no row of the model is asked for by `{asked}`"));
    let content = if deployment.blocked() {
        Content::Blocked(shape)
    } else {
        Content::Row(shape)
    };
    (row, Cell { version, content })
}

/// The number and the version that an id and a tag stand for.
fn row_version(id_text: &str, tag_text: &str) -> (u8, u8) {
    let small = |count: usize| u8::try_from(count).expect("rows and versions are few");
    let all = (0..small(ROWS_MAX)).flat_map(|row| (1..=small(VERSIONS_MAX)).map(move |version| (row, version)));
    let mut known = all.filter(|(row, version)| id(*row) == id_text && tag(*row, *version) == tag_text);
    let known = known.next();
    known.unwrap_or_else(|| panic!("no row of the model has the id `{id_text}` and the tag `{tag_text}`"))
}

/// The shape whose target `model` is, with what a wildcard matched in its place.
fn resolved_by(model: &str, asked: &str) -> Shape {
    let leads_to = |shape: &Shape| {
        let (name, target) = (name(*shape), target(*shape));
        match (name.strip_suffix('*'), target.strip_suffix('*')) {
            (Some(name), Some(target)) => asked
                .strip_prefix(name)
                .zip(model.strip_prefix(target))
                .is_some_and(|(a, b)| a == b),
            _ => model == target,
        }
    };
    let shape = Shape::ALL.into_iter().find(leads_to);
    shape.unwrap_or_else(|| panic!("no row of the model leads from `{asked}` to `{model}`"))
}
