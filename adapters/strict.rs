//! The strict semantics, as simply as they can be said, for the tests of every router here that follows them: each
//! includes this file. `model` states them for the trials; an adapter must not import it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use protocol::{Answer, Candidate, Change, Changed, Local, Outcome, Query, Refusal, Row};
use serde::Deserialize;

/// How many random traces a test tries.
const TRACES: u64 = 80;
/// How long a random trace is.
const TRACE_STEPS: usize = 30;
/// The longest text of a row or query, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples {
    example: Vec<Example>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    name: String,
    rows: Vec<Row>,
    asks: Vec<Ask>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    model: String,
    team: Option<String>,
    answer: String,
}

/// Holds the examples against a router, loaded as a list and row by row in both orders, and against [`Naive`].
pub(crate) fn examples<R: Local + Default>() {
    let examples: Examples = toml::from_str(include_str!("strict.toml")).expect("the examples are well formed");
    let names: BTreeSet<&str> = examples.example.iter().map(|example| example.name.as_str()).collect();
    assert_eq!(names.len(), examples.example.len(), "names are unique");
    for Example { name, rows, asks } in &examples.example {
        let mut loaded = R::default();
        loaded.reset(rows);
        let (mut upward, mut downward) = (R::default(), R::default());
        for (one, other) in rows.iter().zip(rows.iter().rev()) {
            upward.change(&Change::Upsert(one.clone()));
            downward.change(&Change::Upsert(other.clone()));
        }
        let mut naive = Naive::default();
        naive.change(&Change::Replace(rows.clone()));
        for ask in asks {
            let query = Query::new(&ask.model, ask.team.as_deref());
            assert_eq!(
                text(naive.lookup(&query)),
                ask.answer,
                "{name}: the naive table, {query:?}"
            );
            for router in [&loaded, &upward, &downward] {
                assert_eq!(text(router.lookup(&query).remove(0)), ask.answer, "{name}: {query:?}");
            }
        }
    }
}

fn text(answer: Answer) -> String {
    match answer.sorted() {
        Answer::Candidates(candidates) => {
            let texts: Vec<String> = candidates
                .iter()
                .map(|candidate| format!("{}={}@{}", candidate.id, candidate.model, candidate.tag))
                .collect();
            texts.join(" ")
        }
        Answer::Refused(Refusal::UnknownModel) => "unknown_model".to_owned(),
        Answer::Refused(Refusal::Blocked) => "blocked".to_owned(),
        Answer::Refused(Refusal::Invalid) => "invalid".to_owned(),
        Answer::Failed(why) => format!("failed: {why}"),
    }
}

/// Holds a router against [`Naive`] on random traces, and says where it first differs: in a reply, in what it claims to
/// hold, or after a step in a lookup, in a listing, or in its sizes, which are to be those of a fresh router.
pub(crate) fn difference<R: Local + Clone + Default + Eq>() -> Option<String> {
    (1..=TRACES).find_map(|seed| {
        let (mut router, mut naive) = (R::default(), Naive::default());
        router.reset(&[]);
        let trace = trace(seed);
        trace.iter().enumerate().find_map(|(at, change)| {
            let wrong = wrong_reply(&mut router, &mut naive, change).or_else(|| wrong_state(&router, &naive))?;
            Some(format!("{wrong}, seed {seed}, after {:#?}", &trace[..=at]))
        })
    })
}

/// The changes of a random trace.
pub(crate) fn trace(seed: u64) -> Vec<Change> {
    let mut random = Random(seed);
    (0..TRACE_STEPS).map(|version| random.change(version)).collect()
}

fn wrong_reply<R: Local>(router: &mut R, naive: &mut Naive, change: &Change) -> Option<String> {
    let Changed { outcome, held } = router.change(change);
    let said = match &outcome {
        Outcome::Applied => Said::Applied,
        Outcome::Unchanged => Said::Unchanged,
        Outcome::Refused(why) if why.is_empty() => return Some("a refusal without a reason".to_owned()),
        Outcome::Refused(_) => Said::Refused,
    };
    let allowed = naive.change(change);
    if said != allowed {
        return Some(format!("replied {outcome:?}, allowed {allowed:?}"));
    }
    let mut held = held.expect("claims are declared");
    held.sort_unstable();
    let allowed: Vec<String> = naive.0.keys().cloned().collect();
    (held != allowed).then(|| format!("claims {held:?}, allowed {allowed:?}"))
}

fn wrong_state<R: Local + Clone + Default + Eq>(router: &R, naive: &Naive) -> Option<String> {
    for team in TEAMS {
        for model in QUERIES {
            let query = Query::new(model, team);
            let answers: Vec<Answer> = router.lookup(&query).into_iter().map(Answer::sorted).collect();
            let allowed = [naive.lookup(&query).sorted()];
            if answers != allowed {
                return Some(format!("{query:?} got {answers:?}, allowed {allowed:?}"));
            }
        }
        let (names, allowed) = (router.listing(team), naive.listing(team));
        if names != allowed {
            return Some(format!("lists {names:?} to {team:?}, allowed {allowed:?}"));
        }
    }
    let mut fresh = R::default();
    fresh.reset(&naive.0.values().cloned().collect::<Vec<_>>());
    let (sizes, allowed) = (router.sizes(), fresh.sizes());
    if sizes != allowed {
        return Some(format!("sizes {sizes:?}, a fresh router has {allowed:?}"));
    }
    (router.clone() != *router).then(|| "a clone differs from what it was cloned from".to_owned())
}

/// What a router said, without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Applied,
    Unchanged,
    Refused,
}

/// The rows by id, and nothing else.
#[derive(Default)]
struct Naive(BTreeMap<String, Row>);

impl Naive {
    fn change(&mut self, change: &Change) -> Said {
        let rows: Vec<Row> = change.rows().iter().map(taken).collect();
        let valid = rows.iter().all(is_valid);
        let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let mut table = self.0.clone();
        match change {
            Change::Add(row) if self.0.contains_key(&row.id) => return Said::Refused,
            Change::Delete(id) => drop(table.remove(id)),
            Change::Replace(_) => table.clear(),
            Change::Add(_) | Change::Upsert(_) => {}
        }
        if !valid || ids.len() < rows.len() {
            return Said::Refused;
        }
        table.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
        if table == self.0 {
            return Said::Unchanged;
        }
        self.0 = table;
        Said::Applied
    }

    fn lookup(&self, query: &Query) -> Answer {
        let (name, team) = (query.model.as_str(), query.team.as_deref());
        if !is_text(name) || team.is_some_and(|team| !is_text(team)) {
            return Answer::Refused(Refusal::Invalid);
        }
        let by_id = self.0.get(name).filter(|row| is_visible(row, team));
        let by_name = [
            team.map_or_else(Vec::new, |team| self.named(Some(team), name)),
            self.named(None, name),
            by_id.into_iter().collect(),
        ];
        let by_pattern = [
            team.map_or_else(Vec::new, |team| self.matched(Some(team), name)),
            self.matched(None, name),
        ];
        let plain = |row: &Row| row.model.clone();
        let filled = |row: &Row| fill(row, name);
        first(&by_name, plain)
            .or_else(|| first(&by_pattern, filled))
            .unwrap_or(Answer::Refused(Refusal::UnknownModel))
    }

    /// The owner's rows that go by this exact name.
    fn named(&self, owner: Option<&str>, name: &str) -> Vec<&Row> {
        let rows = self.0.values().filter(|row| row.team.as_deref() == owner);
        rows.filter(|row| row.asked_name() == name && !name.contains('*'))
            .collect()
    }

    /// The owner's rows of the best pattern that the name matches.
    fn matched(&self, owner: Option<&str>, name: &str) -> Vec<&Row> {
        let rows = self.0.values().filter(|row| row.team.as_deref() == owner);
        let rows: Vec<&Row> = rows
            .filter(|row| row.asked_name().contains('*') && captures(&chars(row.asked_name()), &chars(name)).is_some())
            .collect();
        let best = rows.iter().map(|row| row.asked_name()).min_by_key(|&pattern| {
            let stars = stars(pattern);
            (Reverse(pattern.chars().count() - stars), stars, pattern.to_owned())
        });
        rows.into_iter().filter(|row| Some(row.asked_name()) == best).collect()
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        let visible = self.0.values().filter(|row| is_visible(row, team));
        let names: BTreeSet<&str> = visible.map(Row::asked_name).collect();
        let answered = |name: &&str| !self.lookup(&Query::new(name, team)).candidates().is_empty();
        names.into_iter().filter(answered).map(str::to_owned).collect()
    }
}

/// What the first tier that knows the name answers.
fn first(tiers: &[Vec<&Row>], resolve: impl Fn(&Row) -> String) -> Option<Answer> {
    let rows = tiers.iter().find(|rows| !rows.is_empty())?;
    let candidate = |row: &&Row| Candidate {
        id: row.id.clone(),
        model: resolve(row),
        tag: row.tag.clone(),
    };
    let candidates: Vec<Candidate> = rows.iter().filter(|row| !row.blocked).map(candidate).collect();
    Some(if candidates.is_empty() {
        Answer::Refused(Refusal::Blocked)
    } else {
        Answer::Candidates(candidates)
    })
}

/// The row as both routers take it: with a weight always, and without bundles, of which they have none.
fn taken(row: &Row) -> Row {
    Row {
        weight: row.weight.or(Some(1)),
        extra: None,
        ..row.clone()
    }
}

fn is_visible(row: &Row, team: Option<&str>) -> bool {
    row.team.is_none() || row.team.as_deref() == team
}

fn is_valid(row: &Row) -> bool {
    let texts = [&row.id, &row.model_name, &row.model, &row.tag];
    let texts = texts.into_iter().chain(&row.team).chain(&row.team_model_name);
    let target = stars(&row.model);
    texts.into_iter().all(|text| is_text(text))
        && (row.team.is_some() || row.team_model_name.is_none())
        && (target == 0 || target == stars(row.asked_name()))
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control)
}

fn stars(text: &str) -> usize {
    text.matches('*').count()
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// The first way to match in the order in which `(.*)` tries them.
fn captures(pattern: &[char], name: &[char]) -> Option<Vec<String>> {
    match pattern.split_first() {
        None => name.is_empty().then(Vec::new),
        Some(('*', rest)) => (0..=name.len()).rev().find_map(|end| {
            let mut captured = captures(rest, &name[end..])?;
            captured.insert(0, name[..end].iter().collect());
            Some(captured)
        }),
        Some((literal, rest)) => {
            let (found, left) = name.split_first()?;
            captures(rest, left).filter(|_| found == literal)
        }
    }
}

fn fill(row: &Row, name: &str) -> String {
    let captures = captures(&chars(row.asked_name()), &chars(name)).expect("the row was matched");
    let mut captures = captures.iter();
    let piece = |character: char| match character {
        '*' => captures.next().expect("the row is valid").clone(),
        literal => literal.to_string(),
    };
    row.model.chars().map(piece).collect()
}

/// Who asks it: a caller without a team, two teams, and one that is no team.
pub(crate) const TEAMS: [Option<&str>; 4] = [None, Some("blue"), Some("red"), Some("")];

const IDS: [&str; 8] = ["d1", "D1", "d10", "d2", "m1", "a/*", "d3", "d4"];
const NAMES: [&str; 17] = [
    "m1", "m1", "m2", "d1", "a/b", "a/*", "a/*", "a/b*", "*", "m*", "*-*", "a.*", "a.c*", "a*c", "*bc", "**b*", "ü*",
];
const TARGETS: [&str; 6] = ["x", "y", "x/*", "x/*", "p/*/q/*", "x.y/z"];

/// What is asked after each change of a random trace: its names, its ids, and near misses of both.
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
