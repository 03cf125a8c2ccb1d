//! The presets, by example: what each answers of the same rows. What the presets of LiteLLM say was measured on releases of
//! it.

use model::semantics::{PRESETS, Semantics};
use model::spec::{Spec, Table};
use protocol::{Answer, Change, Query, Refusal, Row};

/// The presets in the order of the columns below.
const COLUMNS: [&str; 5] = [
    "strict",
    "litellm-1.85",
    "litellm-1.87",
    "litellm-1.103",
    "litellm-1.108.4",
];

fn spec(preset: &str) -> Spec {
    Spec::new(Semantics::preset(preset).expect(preset), &["up/".to_owned()])
}

/// Reads `id name target [@team[:own]] [blocked]`; the tag is the id.
fn row(text: &str) -> Row {
    let mut words = text.split(' ');
    let mut next = || words.next().expect(text);
    let (id, name, target) = (next(), next(), next());
    let mut row = Row::new(id, name, target, id);
    for word in words {
        match word
            .strip_prefix('@')
            .map(|team| team.split_once(':').unwrap_or((team, "")))
        {
            Some((team, own)) => {
                row.team = Some(team.to_owned());
                row.team_model_name = Some(own.to_owned()).filter(|own| !own.is_empty());
            }
            None => row.blocked = word == "blocked",
        }
    }
    row
}

fn table(rows: &[&str]) -> Table {
    rows.iter()
        .map(|text| row(text))
        .map(|row| (row.id.clone(), row))
        .collect()
}

/// The answers that are allowed, as `id=target` or the refusal.
fn said(answers: &[Answer]) -> String {
    let of_one = |answer: &Answer| match answer {
        Answer::Candidates(found) => {
            let found: Vec<String> = found
                .iter()
                .map(|found| format!("{}={}", found.id, found.model))
                .collect();
            found.join("+")
        }
        Answer::Refused(Refusal::UnknownModel) => "unknown".to_owned(),
        Answer::Refused(Refusal::Blocked) => "blocked".to_owned(),
        Answer::Refused(Refusal::Invalid) => "invalid".to_owned(),
        Answer::Failed(why) => format!("failed: {why}"),
    };
    let mut said: Vec<String> = answers.iter().map(of_one).collect();
    said.sort();
    said.join(" or ")
}

#[test]
fn each_preset_has_a_name_and_a_sentence() {
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    assert_eq!(names, COLUMNS);
    let mut sentences: Vec<&str> = PRESETS.iter().map(|preset| preset.sentence).collect();
    sentences.sort_unstable();
    sentences.dedup();
    assert_eq!(sentences.len(), PRESETS.len());
    assert!(Semantics::preset("lax").is_none());
    for name in COLUMNS {
        assert_eq!(spec(name).semantics().name, name);
    }
}

/// What it shows; the rows; the model, the team and the path of the lookup; the answer of each preset.
type Lookup = (
    &'static str,
    &'static [&'static str],
    &'static str,
    Option<&'static str>,
    &'static str,
    [&'static str; 5],
);

#[test]
fn lookups() {
    const GLOBAL_AND_TEAM: &[&str] = &["d1 a* up/g", "d2 z up/t @t1:a*"];
    const ID_OR_NAME: &[&str] = &["m n up/a", "d2 m up/b"];
    const TEAMS: &[&str] = &["d1 m up/m @t1:pub"];
    #[rustfmt::skip]
    let rows: &[Lookup] = &[
        ("an exact name", &["d1 m up/m"], "m", None, "", ["d1=up/m"; 5]),
        ("all rows of one name", &["d1 m up/1", "d2 m up/2"], "m", None, "", ["d1=up/1+d2=up/2"; 5]),
        ("a name before a pattern", &["d1 m up/m", "d2 m* up/p"], "m", None, "", ["d1=up/m"; 5]),
        ("a pattern for all else", &["d1 m up/m", "d2 m* up/p"], "m2", None, "", ["d2=up/p"; 5]),
        ("an id", &["d1 m up/m"], "d1", None, "", ["d1=up/m"; 5]),
        ("an id that is a name", ID_OR_NAME, "m", None, "", ["d2=up/b", "m=up/a", "m=up/a", "d2=up/b", "d2=up/b"]),
        ("nothing", &[], "m", None, "", ["unknown"; 5]),
        ("an upstream target", &["d1 m up/x"], "up/x", None, "", ["unknown", "d1=up/x", "d1=up/x", "d1=up/x", "d1=up/x"]),
        ("a team's pattern beside a global one", GLOBAL_AND_TEAM, "ab", Some("t1"), "", ["d2=up/t", "d1=up/g", "d1=up/g", "d1=up/g", "d2=up/t"]),
        ("the global one for others", GLOBAL_AND_TEAM, "ab", Some("t2"), "", ["d1=up/g"; 5]),
        ("a team's own name", TEAMS, "pub", Some("t1"), "", ["d1=up/m"; 5]),
        ("a team's own name by another team", TEAMS, "pub", Some("t2"), "", ["unknown"; 5]),
        ("a team's own name by nobody", TEAMS, "pub", None, "", ["unknown"; 5]),
        ("the model name of a team's row by nobody", TEAMS, "m", None, "", ["unknown", "d1=up/m", "d1=up/m", "d1=up/m", "d1=up/m"]),
        ("the model name of a team's row by another team", TEAMS, "m", Some("t2"), "", ["unknown"; 5]),
        ("another team's id", TEAMS, "d1", Some("t2"), "sync", ["unknown", "d1=up/m", "d1=up/m", "d1=up/m", "d1=up/m"]),
        ("another team's id on a path that checks", TEAMS, "d1", Some("t2"), "async", ["unknown", "blocked", "blocked", "blocked", "blocked"]),
        ("its own id on that path", TEAMS, "d1", Some("t1"), "async", ["d1=up/m"; 5]),
        ("a blocked row", &["d1 m up/m blocked"], "m", None, "", ["blocked", "d1=up/m", "blocked", "blocked", "blocked"]),
        ("a blocked row beside an open one", &["d1 m up/1 blocked", "d2 m up/2"], "m", None, "", ["d2=up/2", "d1=up/1+d2=up/2", "d2=up/2", "d2=up/2", "d2=up/2"]),
        ("a blocked row does not fall through", &["d1 m up/1 blocked", "d2 * up/2"], "m", None, "", ["blocked", "d1=up/1", "blocked", "blocked", "blocked"]),
        ("behind the last literal", &["d1 a*c up/x"], "abcd", None, "", ["unknown", "d1=up/x", "d1=up/x", "d1=up/x", "d1=up/x"]),
        ("one capture", &["d1 a/* up/*"], "a/b", None, "", ["d1=up/b"; 5]),
        ("two captures", &["d1 a*b* up/*-*"], "axby", None, "", ["d1=up/x-y"; 5]),
        ("a star in what was captured", &["d1 a*b* up/*-*"], "a*by", None, "", ["d1=up/*-y", "d1=up/y-*", "d1=up/y-*", "d1=up/y-*", "d1=up/y-*"]),
        ("most literals", &["d1 a* up/1", "d2 ab* up/2", "d3 * up/3"], "abc", None, "", ["d2=up/2"; 5]),
        ("a tie", &["d1 a* up/1", "d2 *b up/2"], "ab", None, "", ["d2=up/2", "d1=up/1 or d2=up/2", "d1=up/1 or d2=up/2", "d1=up/1 or d2=up/2", "d1=up/1 or d2=up/2"]),
        ("a provider in front", &["d1 up/* up/*"], "m", None, "", ["unknown", "d1=up/m or unknown", "d1=up/m or unknown", "d1=up/m or unknown", "d1=up/m or unknown"]),
        ("a provider in front of a provider", &["d1 up/up/* up/*"], "up/m", None, "", ["unknown", "d1=up/m", "d1=up/m", "d1=up/m", "d1=up/m"]),
        ("a pattern's own text", &["d1 a* up/g", "d2 z up/t @t1:*"], "a*", Some("t1"), "", ["d2=up/t", "d1=up/g", "d1=up/g", "d1=up/g", "d1=up/g"]),
        ("an empty text", &["d1 m up/m"], "", None, "", ["invalid", "unknown", "unknown", "unknown", "unknown"]),
        ("an empty team", &["d1 m up/m"], "m", Some(""), "", ["invalid", "d1=up/m", "d1=up/m", "d1=up/m", "d1=up/m"]),
    ];
    for (what, rows, model, team, path, expected) in rows {
        for (preset, expected) in COLUMNS.iter().zip(expected) {
            let answers = spec(preset).lookup(&table(rows), &Query::new(model, *team), path);
            assert_eq!(said(&answers), *expected, "{what}, {preset}");
        }
    }
}

#[test]
fn targets_that_do_not_fit_their_names_are_filled_leniently_or_refused() {
    let asks = |preset: &str, row: &str, model: &str| {
        let answers = spec(preset).lookup(&table(&[row]), &Query::new(model, None), "");
        said(&answers)
    };
    assert_eq!(asks("litellm-1.85", "d1 a*b* up/*", "axby"), "d1=axby");
    assert_eq!(asks("litellm-1.85", "d1 a* up/*-*", "ax"), "d1=up/x-*");
    for text in [
        "d1 a*b* up/*",
        "d1 a* up/*-*",
        "d1 a up/*",
        "d1 a up/a @t1:b*c*",
        "d1 a* up/* @t1:b",
    ] {
        let change = Change::Upsert(row(text));
        let refused = spec("strict").change(&Table::new(), &change).err();
        // A target without a wildcard fits any name.
        assert_eq!(refused.is_some(), text != "d1 a up/a @t1:b*c*", "{text}: {refused:?}");
        assert!(spec("litellm-1.108.4").change(&Table::new(), &change).is_ok(), "{text}");
    }
}

#[test]
fn listings() {
    let rows = table(&["d1 m up/m blocked", "d2 n up/n", "d3 x up/x @t1:pub", "d4 y up/y @t1"]);
    let listed = |preset: &str, team| {
        spec(preset)
            .listing(&rows, team)
            .into_iter()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(listed("strict", None), "n");
    assert_eq!(listed("strict", Some("t1")), "n pub y");
    assert_eq!(listed("strict", Some("t2")), "n");
    for preset in &COLUMNS[1..] {
        assert_eq!(listed(preset, None), "m n");
        assert_eq!(listed(preset, Some("t1")), "m n pub");
    }
}

#[test]
fn changes() {
    let held = table(&["d1 m up/1"]);
    let texts = |table: &Table| {
        table
            .values()
            .map(|row| format!("{} {}", row.id, row.model))
            .collect::<Vec<_>>()
    };
    let (new, other) = (row("d1 m up/2"), row("d2 m up/3"));
    #[rustfmt::skip]
    let rows: [(Change, Result<&[&str], &str>); 7] = [
        (Change::Upsert(new.clone()), Ok(&["d1 up/2"])),
        (Change::Add(new.clone()), Err("the id `d1` exists")),
        (Change::Add(other.clone()), Ok(&["d1 up/1", "d2 up/3"])),
        (Change::Delete("d1".into()), Ok(&[])),
        (Change::Delete("d2".into()), Ok(&["d1 up/1"])),
        (Change::Replace(vec![other.clone()]), Ok(&["d2 up/3"])),
        (Change::Replace(vec![new, other.clone(), other]), Err("the id `d2` comes twice")),
    ];
    for (change, expected) in rows {
        for preset in COLUMNS {
            let changed = spec(preset).change(&held, &change).map(|table| texts(&table));
            let expected = expected.map(|rows| rows.iter().map(ToString::to_string).collect());
            assert_eq!(changed, expected.map_err(str::to_owned), "{change:?}, {preset}");
        }
    }
}

#[test]
fn texts_that_the_strict_preset_refuses_are_left_open_by_the_others() {
    let plain = row("d1 m up/m");
    let long = |bytes: usize| Row {
        tag: "x".repeat(bytes),
        ..plain.clone()
    };
    #[rustfmt::skip]
    let rows = [
        (plain.clone(), None),
        (long(1_024), None),
        (long(1_025), Some("`tag`")),
        (Row { model_name: "a\tb".into(), ..plain.clone() }, Some("`model_name`")),
        (Row { id: String::new(), ..plain.clone() }, Some("`id`")),
        (Row { model: "\u{7f}".into(), ..plain.clone() }, Some("`model`")),
        (Row { team: Some(String::new()), ..plain.clone() }, Some("`team`")),
        (Row { team: Some("t1".into()), team_model_name: Some(String::new()), ..plain.clone() }, Some("`team_model_name`")),
    ];
    for (row, field) in rows {
        let change = Change::Upsert(row);
        let refused = spec("strict").change(&Table::new(), &change).err();
        assert_eq!(refused.is_some(), field.is_some(), "{change:?}: {refused:?}");
        assert!(
            refused.is_none_or(|why| why.starts_with(field.unwrap_or_default())),
            "{change:?}"
        );
        assert!(!spec("strict").leaves_open(&change));
        assert!(spec("litellm-1.85").change(&Table::new(), &change).is_ok());
        assert_eq!(spec("litellm-1.85").leaves_open(&change), field.is_some(), "{change:?}");
    }
    let teamless = Row {
        team_model_name: Some("pub".into()),
        ..plain
    };
    let change = Change::Upsert(teamless);
    assert_eq!(
        spec("strict").change(&Table::new(), &change),
        Err("`team_model_name` needs a `team`".to_owned())
    );
    assert!(spec("litellm-1.85").change(&Table::new(), &change).is_ok());
}
