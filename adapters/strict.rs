//! The strict semantics for the tests of the adapters that claim them: the examples, and random traces beside the
//! specification. Each such test includes this file.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use model::semantics::STRICT;
use model::{Spec, Table};
use protocol::{Answer, Change, Changed, Local, Outcome, Query, Row};
use testdata::Subject;

/// The number of random traces that a test tries.
const TRACES: u64 = 80;
/// The length of a random trace.
const TRACE_STEPS: usize = 30;

/// A router that shows the rows that it holds.
pub(crate) trait Rows: Local + Default {
    /// Returns the rows, in any order.
    fn rows(&self) -> Vec<Row>;
}

/// A router held against the examples.
struct Held<R>(R);

impl<R: Rows> Subject for Held<R> {
    fn load(&mut self, rows: &[Row]) {
        self.0.reset(rows);
    }

    fn change(&mut self, change: &Change) -> Result<bool, String> {
        match self.0.change(change).outcome {
            Outcome::Applied => Ok(true),
            Outcome::Unchanged => Ok(false),
            Outcome::Refused(why) => Err(why),
        }
    }

    fn rows(&self) -> Vec<Row> {
        self.0.rows()
    }

    fn lookup(&self, query: &Query, _: &str) -> Vec<Answer> {
        self.0.lookup(query)
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        self.0.listing(team)
    }
}

/// Holds a router against every example of the strict semantics, but for those of picks, which no adapter tells.
pub(crate) fn examples<R: Rows>() {
    let ran = testdata::hold(STRICT.name, || Held(R::default())).unwrap_or_else(|differences| panic!("{differences}"));
    println!("{ran:?}");
    ran.assert_whole::<Held<R>>();
}

/// A moment of a random trace: a change, and what the specification says of it and after it.
struct Moment {
    change: Change,
    /// True if the table changes; nothing if the change must be refused.
    changes: Option<bool>,
    table: Table,
    /// The answers to each of [`QUERIES`] by each of [`TEAMS`].
    answers: Vec<Answer>,
    listings: Vec<Vec<String>>,
}

/// Holds a router against the specification on random traces, and says where it first differs: in a reply, in what it
/// claims to hold, or after a step in a lookup, in a listing, or in its sizes, which are to be those of a fresh router.
pub(crate) fn difference<R: Local + Clone + Eq>(fresh: &R) -> Option<String> {
    (1..=TRACES).find_map(|seed| {
        let mut router = fresh.clone();
        router.reset(&[]);
        moments(seed).iter().enumerate().find_map(|(at, moment)| {
            let wrong = wrong_reply(&mut router, moment).or_else(|| wrong_state(&router, fresh, moment))?;
            Some(format!("{wrong}, seed {seed}, after {:#?}", &trace(seed)[..=at]))
        })
    })
}

/// The moments of a random trace. The specification is slow, and is asked once for all routers.
fn moments(seed: u64) -> &'static [Moment] {
    static TOLD: LazyLock<Mutex<BTreeMap<u64, &'static [Moment]>>> = LazyLock::new(Mutex::default);
    let mut told = TOLD.lock().expect("nobody panics with the lock");
    told.entry(seed).or_insert_with(|| Vec::leak(tell(seed)))
}

fn tell(seed: u64) -> Vec<Moment> {
    let spec = Spec::new(&STRICT, &[]);
    let mut table = Table::new();
    let moment = |change: Change| {
        let after = spec.change(&table, &taken(&change));
        let changes = after.as_ref().ok().map(|after| *after != table);
        table = after.unwrap_or_else(|_| std::mem::take(&mut table));
        let queries = TEAMS
            .iter()
            .flat_map(|team| QUERIES.map(|model| Query::new(model, *team)));
        let answer = |query| spec.lookup(&table, &query, "").remove(0);
        let listing = |team: Option<&str>| spec.listing(&table, team).into_iter().collect();
        Moment {
            change,
            changes,
            answers: queries.map(answer).collect(),
            listings: TEAMS.map(listing).into(),
            table: table.clone(),
        }
    };
    trace(seed).into_iter().map(moment).collect()
}

/// The changes of a random trace.
pub(crate) fn trace(seed: u64) -> Vec<Change> {
    let mut random = Random(seed);
    (0..TRACE_STEPS).map(|version| random.change(version)).collect()
}

fn wrong_reply<R: Local>(router: &mut R, moment: &Moment) -> Option<String> {
    let Changed { outcome, held } = router.change(&moment.change);
    let changes = match &outcome {
        Outcome::Applied => Some(true),
        Outcome::Unchanged => Some(false),
        Outcome::Refused(why) if why.is_empty() => return Some("a refusal without a reason".to_owned()),
        Outcome::Refused(_) => None,
    };
    if changes != moment.changes {
        return Some(format!(
            "replied {outcome:?}, and whether it changes is {:?}",
            moment.changes
        ));
    }
    let claims = [held.expect("claims are declared"), router.claims()];
    claims.into_iter().find_map(|mut ids| {
        ids.sort_unstable();
        let allowed = moment.table.keys();
        (!ids.iter().eq(allowed.clone())).then(|| format!("claims {ids:?}, allowed {allowed:?}"))
    })
}

fn wrong_state<R: Local + Clone + Eq>(router: &R, fresh: &R, moment: &Moment) -> Option<String> {
    let mut allowed = moment.answers.iter();
    for (team, listing) in TEAMS.into_iter().zip(&moment.listings) {
        for model in QUERIES {
            let query = Query::new(model, team);
            let answers: Vec<Answer> = router.lookup(&query).into_iter().map(Answer::sorted).collect();
            let allowed = allowed.next().expect("each query has an answer");
            if answers != std::slice::from_ref(allowed) {
                return Some(format!("{query:?} got {answers:?}, allowed {allowed:?}"));
            }
        }
        let names = router.listing(team);
        if names != *listing {
            return Some(format!("lists {names:?} to {team:?}, allowed {listing:?}"));
        }
    }
    let mut fresh = fresh.clone();
    fresh.reset(&moment.table.values().cloned().collect::<Vec<_>>());
    let (sizes, allowed) = (router.sizes(), fresh.sizes());
    if sizes != allowed {
        return Some(format!("sizes {sizes:?}, a fresh router has {allowed:?}"));
    }
    (router.clone() != *router).then(|| "a clone differs from what it was cloned from".to_owned())
}

/// The change as both routers take it: rows always have a weight.
fn taken(change: &Change) -> Change {
    let weighed = |row: &Row| Row {
        weight: row.weight.or(Some(1)),
        ..row.clone()
    };
    match change {
        Change::Upsert(row) => Change::Upsert(weighed(row)),
        Change::Add(row) => Change::Add(weighed(row)),
        Change::Delete(id) => Change::Delete(id.clone()),
        Change::Replace(rows) => Change::Replace(rows.iter().map(weighed).collect()),
    }
}

/// The callers of a random trace: one without a team, two teams, and one whose team is no valid text.
pub(crate) const TEAMS: [Option<&str>; 4] = [None, Some("blue"), Some("red"), Some("")];

const IDS: [&str; 8] = ["d1", "D1", "d10", "d2", "m1", "a/*", "d3", "d4"];
const NAMES: [&str; 17] = [
    "m1", "m1", "m2", "d1", "a/b", "a/*", "a/*", "a/b*", "*", "m*", "*-*", "a.*", "a.c*", "a*c", "*bc", "**b*", "ü*",
];
const TARGETS: [&str; 6] = ["x", "y", "x/*", "x/*", "p/*/q/*", "x.y/z"];

/// The names that are asked for after each change of a random trace: its names, its ids, and near misses of both.
pub(crate) const QUERIES: [&str; 33] = [
    "m1", "m2", "m3", "m", "M1", "a/b", "a/*", "a/bc", "a/", "a", "*", "**", "m*", "d1", "D1", "d10", "d2", "d3", "d",
    "a-b-c", "-", "*-*", "a.c", "a.bc", "abc", "abcd", "ac", "a.c*", "üb", "b", "", "a\nb", "a/b*",
];

/// A small generator of its own, so that a seed means the same trace for ever. Source: xorshift64*, Vigna 2016.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).expect("31 bits fit") % bound
    }

    fn of(&mut self, texts: &[&str]) -> String {
        texts[self.below(texts.len())].to_owned()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn change(&mut self, version: usize) -> Change {
        match self.below(10) {
            0..6 => Change::Upsert(self.row(version)),
            6 => Change::Add(self.row(version)),
            7 | 8 => Change::Delete(self.of(&IDS)),
            _ => {
                let rows = self.below(5);
                Change::Replace((0..rows).map(|_| self.row(version)).collect())
            }
        }
    }

    fn row(&mut self, version: usize) -> Row {
        let (id, name) = (self.of(&IDS), self.of(&NAMES));
        let mut row = Row::new(&id, &name, &self.of(&TARGETS), &format!("v{version}"));
        if self.one_in(3) {
            row.team = Some(self.of(&["blue", "red"]));
            row.team_model_name = self.one_in(2).then(|| self.of(&NAMES));
        }
        row.blocked = self.one_in(5);
        row.weight = self.one_in(3).then(|| u32::from(self.one_in(2)));
        if self.one_in(20) {
            row.team_model_name = Some("m1".to_owned());
        }
        if self.one_in(20) {
            row.model_name = self.of(&["", "a\nb"]);
        }
        if self.one_in(4) {
            "v".clone_into(&mut row.tag);
        }
        row
    }
}
