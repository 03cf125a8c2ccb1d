//! The meaning of a lookup: the examples of the strict semantics, and random tables beside the specification.

use std::hash::BuildHasher;

use model::Spec;
use model::semantics::STRICT;
use proptest::prelude::*;
use protocol::{Answer, Candidate, Rows};
use router_core::{Id, LoadError, Query, Refusal, Row, RowError, TEXT_BYTES_MAX, Table};
use testdata::{Ran, Subject};

/// The candidates as id, resolved model and tag, ordered by id; or the refusal.
type Asked = Result<Vec<(String, String, String)>, Refusal>;

/// Looks a name up, and holds the parts of the answer against each other.
fn ask(table: &Table, model: &str, team: Option<&str>) -> Asked {
    let answer = table.lookup(Query { model, team });
    if let Some(refusal) = answer.refusal() {
        assert_eq!(answer.candidates().len(), 0, "a refusal has no candidates");
        assert!(answer.pick(0).is_none(), "a refusal has nothing to pick");
        return Err(refusal);
    }
    let candidates: Vec<_> = answer
        .candidates()
        .map(|candidate| {
            (
                candidate.id().to_string(),
                candidate.model().to_string(),
                candidate.tag().to_string(),
            )
        })
        .collect();
    assert_eq!(
        answer.candidates().len(),
        candidates.len(),
        "the candidates know their number"
    );
    assert!(candidates.is_sorted(), "candidates are ordered by id");
    for draw in [0, 1 << 32, u64::MAX] {
        let picked = answer.pick(draw).expect("an answer with candidates gives a pick");
        assert!(
            candidates.iter().any(|(id, ..)| picked.id().as_str() == id),
            "a pick is a candidate"
        );
    }
    Ok(candidates)
}

/// The row in the words of this crate.
fn core_row(row: &protocol::Row) -> Row<'_> {
    Row {
        id: &row.id,
        model_name: &row.model_name,
        model: &row.model,
        tag: &row.tag,
        team: row.team.as_deref(),
        team_model_name: row.team_model_name.as_deref(),
        blocked: row.blocked,
        weight: row.weight.unwrap_or(Row::default().weight),
    }
}

/// The row in the words of the specification.
fn stated(row: Row<'_>) -> protocol::Row {
    protocol::Row {
        team: row.team.map(str::to_owned),
        team_model_name: row.team_model_name.map(str::to_owned),
        blocked: row.blocked,
        weight: Some(row.weight),
        ..protocol::Row::new(row.id, row.model_name, row.model, row.tag)
    }
}

/// A table held against the examples.
struct HeldTable(Table);

impl HeldTable {
    fn put(&mut self, row: &protocol::Row) -> Result<bool, RowError> {
        let row = core_row(row).parse()?;
        Ok(self.0.put(&row).as_ref() != Some(&row))
    }

    fn replace(&mut self, rows: &[protocol::Row]) -> Result<bool, LoadError> {
        let before = self.0.clone();
        self.0.load(rows.iter().map(core_row))?;
        Ok(self.0 != before)
    }
}

impl Subject for HeldTable {
    const PICKS: bool = true;

    fn load(&mut self, rows: &[protocol::Row]) {
        self.replace(rows).expect("the rows are valid");
    }

    fn change(&mut self, change: &protocol::Change) -> Result<bool, String> {
        match change {
            // A table has no word for it.
            protocol::Change::Add(row) if Id::parse(&row.id).is_ok_and(|id| self.0.row(id).is_some()) => {
                Err(format!("`{}` is held", row.id))
            }
            protocol::Change::Add(row) | protocol::Change::Upsert(row) => self.put(row).map_err(|why| why.to_string()),
            protocol::Change::Delete(id) => Ok(self.0.delete(id).is_some()),
            protocol::Change::Replace(rows) => self.replace(rows).map_err(|why| why.to_string()),
        }
    }

    fn rows(&self) -> Vec<protocol::Row> {
        self.0.rows().map(|row| stated(row.row())).collect()
    }

    fn lookup(&self, query: &protocol::Query, _: &str) -> Vec<Answer> {
        let candidate = |(id, model, tag)| Candidate { id, model, tag };
        vec![match ask(&self.0, &query.model, query.team.as_deref()) {
            Ok(candidates) => Answer::Candidates(candidates.into_iter().map(candidate).collect()),
            Err(Refusal::UnknownModel) => Answer::Refused(protocol::Refusal::UnknownModel),
            Err(Refusal::Blocked) => Answer::Refused(protocol::Refusal::Blocked),
            Err(Refusal::Invalid) => Answer::Refused(protocol::Refusal::Invalid),
        }]
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        self.0.visible_names(team).into_iter().map(str::to_owned).collect()
    }

    fn pick(&self, query: &protocol::Query, draw: u64) -> Option<String> {
        let query = Query {
            model: &query.model,
            team: query.team.as_deref(),
        };
        let picked = self.0.lookup(query).pick(draw)?;
        Some(picked.id().to_string())
    }
}

#[test]
fn a_table_answers_the_examples() {
    let ran = testdata::hold(STRICT.name, || HeldTable(Table::default()))
        .unwrap_or_else(|differences| panic!("{differences}"));
    println!("{ran:?}");
    ran.assert_whole::<HeldTable>();
}

#[test]
fn a_wrong_share_of_the_picks_fails() {
    let examples = testdata::examples(&testdata::directory()).expect("the examples are well formed");
    let mut tried = 0;
    for mut example in examples {
        for at in 0..example.picks.len() {
            example.picks[at].shares.insert("wrong".to_owned(), 1);
            let held = example.hold(STRICT.name, || HeldTable(Table::default()), &mut Ran::default());
            assert!(held.is_err(), "{}", example.name);
            tried += 1;
        }
    }
    assert!(tried > 0, "no example has picks");
}

/// The specification of the same rows.
struct Specified(Rows);

thread_local! {
    /// A single specification for all cases, so that each pattern is compiled once.
    static STRICTLY: Spec = Spec::new(&STRICT, &[]);
}

impl Specified {
    fn of<'a>(rows: impl IntoIterator<Item = Row<'a>>) -> Self {
        let rows = rows.into_iter().map(|row| (row.id.to_owned(), stated(row)));
        Self(rows.collect())
    }

    fn ask(&self, model: &str, team: Option<&str>) -> Asked {
        let query = protocol::Query::new(model, team);
        let mut answers = STRICTLY.with(|spec| spec.lookup(&self.0, &query, ""));
        assert_eq!(answers.len(), 1, "the strict semantics leave no choice");
        match answers.remove(0) {
            Answer::Candidates(candidates) => {
                let parts = |candidate: Candidate| (candidate.id, candidate.model, candidate.tag);
                Ok(candidates.into_iter().map(parts).collect())
            }
            Answer::Refused(protocol::Refusal::UnknownModel) => Err(Refusal::UnknownModel),
            Answer::Refused(protocol::Refusal::Blocked) => Err(Refusal::Blocked),
            Answer::Refused(protocol::Refusal::Invalid) => Err(Refusal::Invalid),
            Answer::Failed(why) => panic!("the specification failed: {why}"),
        }
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        STRICTLY.with(|spec| spec.listing(&self.0, team)).into_iter().collect()
    }
}

#[test]
fn the_deepest_indexes_fit_the_stack() {
    let names: Vec<String> = (1..TEXT_BYTES_MAX)
        .map(|length| format!("{}*", "a".repeat(length)))
        .collect();
    let more = names
        .iter()
        .map(|name| format!("*{}", name.trim_end_matches('*')))
        .collect::<Vec<_>>();
    let rows = names.iter().chain(&more);
    let rows = rows.map(|name| Row {
        id: name,
        model_name: name,
        model: "x",
        tag: "v",
        ..Row::default()
    });
    let table = Table::of(rows).expect("the rows are valid");
    let copy = table.clone();
    assert!(copy == table, "a copy is equal");
    let query = "a".repeat(TEXT_BYTES_MAX);
    let answer = copy.lookup(Query {
        model: &query,
        team: None,
    });
    assert_eq!(
        answer.pick(0).expect("the longest pattern answers").id().as_str().len(),
        TEXT_BYTES_MAX
    );
}

/// Texts that collide on purpose: ids that are names, names that are patterns' texts, prefixes of one another.
const NAMES: &[&str] = &[
    "a", "A", "ab", "abc", "é", "1", "10", "*", "**", "a*", "a*c", "*c", "*b*", "*a*b*", "é*", "a.c*", "aa*a",
];
const QUERIES: &[&str] = &[
    "a", "ab", "abc", "abbc", "aba", "aaa", "aa", "é", "éa", "1", "10", "*", "a*", "a*c", "**", "axc", "a.cx", "", "\n",
];
const TEAMS: &[Option<&str>] = &[None, Some("t"), Some("u")];

#[derive(Clone, Debug)]
struct RowChange {
    id: &'static str,
    names: [&'static str; 2],
    target: usize,
    version: u32,
    team: Option<&'static str>,
    own_name: bool,
    blocked: bool,
    delete: bool,
}

impl RowChange {
    /// Makes the change, on a row that is always valid.
    fn apply(&self, table: &mut Table) {
        if self.delete {
            table.delete(self.id);
            return;
        }
        let own_name = self.own_name && self.team.is_some();
        let asked = self.names[usize::from(own_name)];
        let stars = if self.target == 0 {
            0
        } else {
            asked.matches('*').count()
        };
        let target = format!("x{}", "/*".repeat(stars));
        let tag = format!("v{}", self.version);
        let row = Row {
            id: self.id,
            model_name: self.names[0],
            model: &target,
            tag: &tag,
            team: self.team,
            team_model_name: own_name.then_some(self.names[1]),
            blocked: self.blocked,
            weight: self.version % 3,
        };
        table.upsert(row).expect("the row is valid");
    }
}

prop_compose! {
    fn change()(
        id in prop::sample::select(vec!["1", "10", "a", "ab", "a*", "*"]),
        one in prop::sample::select(NAMES),
        other in prop::sample::select(NAMES),
        target in 0..3_usize,
        version in 0..100_u32,
        team in prop::sample::select(TEAMS),
        flags in prop::array::uniform3(prop::bool::weighted(0.25)),
    ) -> RowChange {
        let [own_name, blocked, delete] = flags;
        RowChange { id, names: [one, other], target, version, team, own_name, blocked, delete }
    }
}

proptest! {
    /// Compares the lookup of every query by every team, and every listing, with the specification.
    #[test]
    fn lookups_are_those_of_the_specification(changes in prop::collection::vec(change(), 1..24)) {
        let mut table = Table::default();
        for change in changes {
            change.apply(&mut table);
        }
        let specified = Specified::of(table.rows().map(|row| row.row()));
        for team in TEAMS {
            for model in QUERIES.iter().chain(NAMES) {
                prop_assert_eq!(ask(&table, model, *team), specified.ask(model, *team), "{} by {:?}", model, team);
            }
            prop_assert_eq!(table.visible_names(*team), specified.listing(*team));
        }
        for (part, size) in table.sizes() {
            prop_assert!(size <= 3 * table.len(), "{} entries of {}", size, part);
        }
    }

    /// Patterns that share prefixes, suffixes and literals in between, in every combination.
    #[test]
    fn patterns_are_those_of_the_specification(
        patterns in prop::collection::btree_set("[aab*]{0,3}[*][ab*é]{0,3}", 1..32),
        queries in prop::collection::vec("[aab*é]{1,8}", 16),
        changed in prop::collection::vec(0..3_u8, 32),
    ) {
        let mut table = Table::default();
        let patterns: Vec<_> = patterns.iter().zip(&changed).collect();
        let row = |pattern, tag| Row { id: pattern, model_name: pattern, model: "x", tag, ..Row::default() };
        for (pattern, _) in &patterns {
            table.upsert(row(pattern, "v1")).expect("the row is valid");
        }
        for (pattern, change) in &patterns {
            match change {
                0 => drop(table.delete(pattern)),
                1 => drop(table.upsert(row(pattern, "v2")).expect("the row is valid")),
                _ => {}
            }
        }
        let kept = patterns.iter().filter(|(_, change)| **change > 0);
        let kept = kept.map(|(pattern, change)| row(pattern, if **change == 1 { "v2" } else { "v1" }));
        let specified = Specified::of(kept.clone());
        for query in &queries {
            prop_assert_eq!(ask(&table, query, None), specified.ask(query, None), "{}", query);
        }
        prop_assert_eq!(&table, &Table::of(kept).expect("the rows are valid"));
    }

    /// A table is a function of its rows: history and order leave no trace in any index.
    #[test]
    fn a_table_is_a_function_of_its_rows(changes in prop::collection::vec(change(), 1..24), seed in any::<u64>()) {
        let mut table = Table::default();
        for change in &changes {
            change.apply(&mut table);
        }
        let mut rows: Vec<_> = table.rows().cloned().collect();
        rows.sort_by_key(|row| foldhash::fast::FixedState::with_seed(seed).hash_one(row));
        let fresh = Table::of(rows.iter().map(|row| row.row())).expect("the rows are valid");
        prop_assert_eq!(&fresh, &table);
        prop_assert_eq!(fixed_hash(&fresh), fixed_hash(&table));
        prop_assert_eq!(format!("{fresh:?}"), format!("{table:?}"));
        for row in &rows {
            table.delete(row.id().as_str());
        }
        prop_assert_eq!(&table, &Table::default(), "an emptied table is as good as new");
    }
}

fn fixed_hash(table: &Table) -> u64 {
    foldhash::fast::FixedState::default().hash_one(table)
}
