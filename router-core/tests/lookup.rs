//! What a lookup means: examples as rows of data, and random tables against a naive oracle.

#[path = "common/oracle.rs"]
mod oracle;

use std::hash::BuildHasher;

use oracle::{Found, oracle};
use proptest::prelude::*;
use router_core::{Query, Refusal, Row, TEXT_BYTES_MAX, Table};

/// What a lookup gives, in a form that is easy to write and to compare.
fn ask(table: &Table, model: &str, team: Option<&str>) -> Found {
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

/// A row from one line: `id name target [team=TEAM] [as=NAME] [blocked]`; its tag is the id behind a `#`.
fn row(line: &str, use_row: &mut dyn FnMut(Row<'_>)) {
    let mut words = line.split(' ');
    let mut word = || words.next().expect("a row starts with an id, a name and a target");
    let (id, model_name, model) = (word(), word(), word());
    let tag = format!("#{id}");
    let mut row = Row {
        id,
        model_name,
        model,
        tag: &tag,
        ..Row::default()
    };
    for word in words {
        match word.split_once('=') {
            Some(("team", team)) => row.team = Some(team),
            Some(("as", name)) => row.team_model_name = Some(name),
            None if word == "blocked" => row.blocked = true,
            _ => panic!("`{word}` is no part of a row"),
        }
    }
    use_row(row);
}

fn table(lines: &[&str]) -> Table {
    let mut table = Table::default();
    for line in lines {
        row(line, &mut |row| {
            assert_eq!(table.upsert(row), Ok(None), "the row `{line}`");
        });
    }
    table
}

/// Name of the example, rows, query (`model` or `model@team`), answer (`id:model` by id, or a refusal).
type Example = (&'static str, &'static [&'static str], &'static str, &'static str);

const EXAMPLES: &[Example] = &[
    ("empty table", &[], "a", "unknown_model"),
    ("exact", &["1 a x"], "a", "1:x"),
    ("exact is whole", &["1 a x"], "ab", "unknown_model"),
    ("exact is case sensitive", &["1 a x"], "A", "unknown_model"),
    ("all rows of a name", &["2 a x", "1 a y"], "a", "1:y 2:x"),
    ("blocked is no candidate", &["1 a x blocked", "2 a y"], "a", "2:y"),
    ("all blocked", &["1 a x blocked"], "a", "blocked"),
    (
        "blocked does not fall through to the id",
        &["1 a x blocked", "a b y"],
        "a",
        "blocked",
    ),
    (
        "blocked does not fall through to a pattern",
        &["1 a x blocked", "2 * y"],
        "a",
        "blocked",
    ),
    (
        "blocked team row does not fall through to the global one",
        &["1 a x team=t blocked", "2 a y"],
        "a@t",
        "blocked",
    ),
    (
        "blocked pattern does not fall through to a wider one",
        &["1 ab* x blocked", "2 a* y"],
        "abc",
        "blocked",
    ),
    ("team before global", &["1 a x", "2 a y team=t"], "a@t", "2:y"),
    (
        "a team's row is not for another team",
        &["1 a x team=t"],
        "a@u",
        "unknown_model",
    ),
    (
        "a team's row is not for a caller without one",
        &["1 a x team=t"],
        "a",
        "unknown_model",
    ),
    ("a team's row by its own name", &["1 a x team=t as=b"], "b@t", "1:x"),
    (
        "a team's row is not asked for by its model name",
        &["1 a x team=t as=b"],
        "a@t",
        "unknown_model",
    ),
    ("global exact before the id", &["a b x", "2 a y"], "a", "2:y"),
    ("the id of a visible row", &["1 a x"], "1", "1:x"),
    (
        "the id of another team's row",
        &["1 a x team=t"],
        "1@u",
        "unknown_model",
    ),
    ("the id of the own team's row", &["1 a x team=t"], "1@t", "1:x"),
    ("the id of a blocked row", &["1 a x blocked", "2 * y"], "1", "blocked"),
    (
        "the id of an invisible row falls through",
        &["1 a x team=t", "2 * y"],
        "1",
        "2:y",
    ),
    ("the id before patterns", &["ab b x", "2 a* y"], "ab", "ab:x"),
    ("the id of a pattern row has no captures", &["1 a* x*"], "1", "1:x*"),
    (
        "an id that looks like a pattern is no pattern",
        &["a* b x"],
        "ab",
        "unknown_model",
    ),
    ("an id that looks like a pattern is found", &["a* b x"], "a*", "a*:x"),
    (
        "an id before the pattern of the same text",
        &["a* b x", "2 a* y"],
        "a*",
        "a*:x",
    ),
    (
        "team patterns before global ones",
        &["1 abc* x", "2 * y team=t"],
        "abcd@t",
        "2:y",
    ),
    (
        "global exact before team patterns",
        &["1 abc x", "2 * y team=t"],
        "abc@t",
        "1:x",
    ),
    (
        "global patterns for a team",
        &["1 a* x", "2 b* y team=t"],
        "abc@t",
        "1:x",
    ),
    (
        "a team's pattern by its own name",
        &["1 zz x* team=t as=a*"],
        "ab@t",
        "1:xb",
    ),
    ("prefix", &["1 openai/* openai/*"], "openai/gpt-4o", "1:openai/gpt-4o"),
    ("prefix alone", &["1 openai/* openai/*"], "openai/", "1:openai/"),
    (
        "prefix is anchored",
        &["1 openai/* openai/*"],
        "xopenai/gpt",
        "unknown_model",
    ),
    ("suffix", &["1 *-mini x/*"], "gpt-4o-mini", "1:x/gpt-4o"),
    ("suffix is anchored", &["1 a*c x"], "abcd", "unknown_model"),
    (
        "prefix and suffix do not overlap",
        &["1 aba*ba x"],
        "aba",
        "unknown_model",
    ),
    ("prefix and suffix may touch", &["1 ab*ba x/*"], "abba", "1:x/"),
    (
        "infix",
        &["1 *meta.llama3* b/*llama3*"],
        "eu.meta.llama3-70b",
        "1:b/eu.llama3-70b",
    ),
    ("star alone", &["1 * *"], "anything", "1:anything"),
    ("a pattern's text matches itself", &["1 a*c x/*"], "a*c", "1:x/*"),
    (
        "regex metacharacters are literal",
        &["1 a.c* x"],
        "abcd",
        "unknown_model",
    ),
    (
        "regex metacharacters match themselves",
        &["1 (a|[b.+?^$\\* x/*"],
        "(a|[b.+?^$\\z",
        "1:x/z",
    ),
    (
        "the first capture is the longest",
        &["1 *-* x/*/*"],
        "a-b-c",
        "1:x/a-b/c",
    ),
    ("the first of two stars takes all", &["1 ** x/*/*"], "ab", "1:x/ab/"),
    (
        "the last literal must be at the end",
        &["1 *a*b x/*/*"],
        "aabab",
        "1:x/aab/",
    ),
    ("overlapping occurrences", &["1 *aa* x/*/*"], "aaaa", "1:x/aa/"),
    ("three stars", &["1 a*b*c*d x/*/*/*"], "a1b2b3c4d", "1:x/1b2/3/4"),
    ("unicode captures", &["1 é*ü x/*"], "é→日本ü", "1:x/→日本"),
    (
        "a star does not split a character",
        &["1 *\u{a9}* x"],
        "é",
        "unknown_model",
    ),
    ("captures in order, also of `**`", &["1 a**b x/*-*"], "a12b", "1:x/12-"),
    ("most literals", &["1 a* x", "2 ab* y", "3 *c z"], "abc", "2:y"),
    (
        "literals are characters, not bytes",
        &["1 éé* x", "2 *abc y"],
        "ééabc",
        "2:y",
    ),
    ("fewest stars", &["1 a*b* x", "2 ab* y"], "ab", "2:y"),
    (
        "fewest stars before the order of texts",
        &["1 *a*c x", "2 a*c y"],
        "aac",
        "2:y",
    ),
    ("lexicographic", &["1 a*c x", "2 *bc y"], "abc", "2:y"),
    ("a group of one pattern", &["1 a* x*", "2 a* y/*"], "ab", "1:xb 2:y/b"),
    ("no answer for a control character", &["1 * x"], "a\u{7f}", "invalid"),
    (
        "no answer for a wide control character",
        &["1 * x"],
        "a\u{85}",
        "invalid",
    ),
    ("no answer for an empty name", &["1 * x"], "", "invalid"),
    ("no answer for an empty team", &["1 a x"], "a@", "invalid"),
    (
        "no answer for a team with a control character",
        &["1 a x"],
        "a@\t",
        "invalid",
    ),
];

#[test]
fn examples() {
    for (name, rows, query, expected) in EXAMPLES {
        let table = table(rows);
        let (model, team) = query
            .split_once('@')
            .map_or((*query, None), |(model, team)| (model, Some(team)));
        let got = match ask(&table, model, team) {
            Ok(candidates) => candidates
                .iter()
                .map(|(id, model, _)| format!("{id}:{model}"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(got, *expected, "{name}");
        assert_eq!(
            ask(&table, model, team),
            oracle(table.rows().map(|row| row.row()), model, team),
            "{name}: oracle"
        );
    }
}

#[test]
fn names_of_examples_are_unique() {
    let mut names: Vec<_> = EXAMPLES.iter().map(|(name, ..)| name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), EXAMPLES.len());
}

#[test]
fn an_overlong_query_is_invalid() {
    let table = table(&["1 * x"]);
    let longest = "a".repeat(TEXT_BYTES_MAX);
    assert!(ask(&table, &longest, None).is_ok());
    assert_eq!(ask(&table, &format!("{longest}a"), None), Err(Refusal::Invalid));
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

#[test]
fn listing() {
    let table = table(&[
        "1 a x",
        "2 b x blocked",
        "3 c* x",
        "4 d x team=t",
        "5 zz x team=t as=e*",
        "6 f x team=u",
        "7 g* x team=u",
        "8 zz x team=t as=a",
        "c* q x blocked team=t",
        "9 a x team=v blocked",
    ]);
    assert_eq!(table.visible_names(None), ["a", "c*"]);
    assert_eq!(
        table.visible_names(Some("t")),
        ["a", "d", "e*"],
        "the id `c*` shadows the pattern's text for its team"
    );
    assert_eq!(table.visible_names(Some("u")), ["a", "c*", "f", "g*"]);
    assert_eq!(
        table.visible_names(Some("v")),
        ["c*"],
        "a blocked row of the team shadows the global name"
    );
    assert_eq!(table.visible_names(Some("")), [""; 0], "an invalid caller sees nothing");
}

#[test]
fn a_pattern_stays_until_its_last_row_goes() {
    // No part tells these patterns apart: they are tried one by one.
    let all = ["1 *b* x", "2 *b* y", "3 *b** z"];
    let best = |lines| ask(&table(lines), "abc", None);
    let mut shrinking = table(&all);
    assert_eq!(ask(&shrinking, "abc", None), best(&all[..2]));
    for (left, deleted) in [(&all[1..], "1"), (&all[2..], "2"), (&[], "3")] {
        assert!(shrinking.delete(deleted).is_some(), "{deleted} was held");
        assert_eq!(ask(&shrinking, "abc", None), best(left), "without {deleted}");
    }
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
struct Change {
    id: &'static str,
    names: [&'static str; 2],
    target: usize,
    version: u32,
    team: Option<&'static str>,
    own_name: bool,
    blocked: bool,
    delete: bool,
}

impl Change {
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
    ) -> Change {
        let [own_name, blocked, delete] = flags;
        Change { id, names: [one, other], target, version, team, own_name, blocked, delete }
    }
}

proptest! {
    /// Every lookup of every query by every team is what the naive oracle says, and so is the listing.
    #[test]
    fn lookups_equal_the_oracle(changes in prop::collection::vec(change(), 1..24)) {
        let mut table = Table::default();
        for change in changes {
            change.apply(&mut table);
        }
        let rows: Vec<_> = table.rows().map(|row| row.row()).collect();
        for team in TEAMS {
            for model in QUERIES.iter().chain(NAMES) {
                let expected = oracle(rows.iter().copied(), model, *team);
                prop_assert_eq!(ask(&table, model, *team), expected, "{} by {:?}", model, team);
            }
            prop_assert_eq!(table.visible_names(*team), oracle::listing(&rows, *team));
        }
        for (part, size) in table.sizes() {
            prop_assert!(size <= 3 * table.len(), "{} entries of {}", size, part);
        }
    }

    /// Patterns that share prefixes, suffixes and literals in between, in every combination.
    #[test]
    fn patterns_equal_the_oracle(
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
        for query in &queries {
            prop_assert_eq!(ask(&table, query, None), oracle(kept.clone(), query, None), "{}", query);
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
