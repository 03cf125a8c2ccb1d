//! Refusals, which name the field and change nothing, and the other operations of a table.

use std::hash::BuildHasher as _;

use router_core::{Field, Id, LoadError, Problem, Query, Row, TEXT_BYTES_MAX, Table};

const VALID: Row<'_> = Row {
    id: "d1",
    model_name: "a*",
    model: "x*",
    tag: "v1",
    team: Some("t"),
    team_model_name: Some("b*"),
    blocked: false,
    weight: 1,
};

fn long() -> &'static str {
    "é".repeat(TEXT_BYTES_MAX / 2).leak()
}

/// The valid row with another text in one field.
fn with(field: Field, text: &str) -> Row<'_> {
    let mut row = VALID;
    match field {
        Field::Id => row.id = text,
        Field::ModelName => row.model_name = text,
        Field::Model => row.model = text,
        Field::Tag => row.tag = text,
        Field::Team => row.team = Some(text),
        Field::TeamModelName => row.team_model_name = Some(text),
    }
    row
}

const FIELDS: [Field; 6] = [
    Field::Id,
    Field::ModelName,
    Field::Model,
    Field::Tag,
    Field::Team,
    Field::TeamModelName,
];

/// The texts that no field may hold, the problem of each, and the message behind the name of the field.
const BAD_TEXTS: &[(&str, Problem, &str)] = &[
    ("", Problem::Empty, "is empty: give it a text or leave the row out"),
    (
        "\0",
        Problem::ControlCharacter { at: 0 },
        "holds a control character at byte 0: remove it",
    ),
    (
        "a\n",
        Problem::ControlCharacter { at: 1 },
        "holds a control character at byte 1: remove it",
    ),
    (
        "é\u{1f}b",
        Problem::ControlCharacter { at: 2 },
        "holds a control character at byte 2: remove it",
    ),
    (
        "a\u{7f}",
        Problem::ControlCharacter { at: 1 },
        "holds a control character at byte 1: remove it",
    ),
    (
        "a\u{80}",
        Problem::ControlCharacter { at: 1 },
        "holds a control character at byte 1: remove it",
    ),
    (
        "a\u{9f}",
        Problem::ControlCharacter { at: 1 },
        "holds a control character at byte 1: remove it",
    ),
];

/// The name, the team's own name, the target, and how many wildcards the name that is asked for and the target have.
type BadWildcards = (&'static str, Option<&'static str>, &'static str, (usize, usize));

const BAD_WILDCARDS: &[BadWildcards] = &[
    ("a", None, "x*", (0, 1)),
    ("a*", None, "**", (1, 2)),
    ("a**", None, "x*", (2, 1)),
    ("a*", Some("b"), "x*", (0, 1)),
    ("a*", Some("**"), "x*", (2, 1)),
];

/// Rows that must be refused, the field at fault, what is wrong with it, and the message.
fn invalid_rows() -> Vec<(Row<'static>, Field, Problem, String)> {
    let mut rows = Vec::new();
    for field in FIELDS {
        for &(text, problem, message) in BAD_TEXTS {
            rows.push((with(field, text), field, problem, format!("`{field}` {message}")));
        }
        let bytes = TEXT_BYTES_MAX + 1;
        let message = format!("`{field}` has 1025 bytes: shorten it to 1024 at most");
        rows.push((
            with(field, format!("{}a", long()).leak()),
            field,
            Problem::TooLong { bytes },
            message,
        ));
    }
    for &(model_name, team_model_name, model, (name, target)) in BAD_WILDCARDS {
        let row = Row {
            model_name,
            team_model_name,
            model,
            ..VALID
        };
        let message =
            format!("`model` has {target} `*` and the name that is asked for has {name}: use as many, or none");
        rows.push((row, Field::Model, Problem::Wildcards { name, target }, message));
    }
    let message = "`team_model_name` is set in a row without a team: set `team` or remove it".to_owned();
    rows.push((
        Row { team: None, ..VALID },
        Field::TeamModelName,
        Problem::WithoutTeam,
        message,
    ));
    rows
}

#[test]
fn invalid_rows_name_their_field_and_change_nothing() {
    let mut table = Table::of([Row { tag: "v0", ..VALID }]).expect("the row is valid");
    let before = table.clone();
    for (row, field, problem, message) in invalid_rows() {
        let error = table.upsert(row).expect_err(&message);
        assert_eq!(
            (error.field, error.problem, error.to_string()),
            (field, problem, message),
            "{row:?}"
        );
        assert_eq!(table, before, "{row:?}");

        let fine = Row { id: "d0", ..VALID };
        let expected = LoadError::Row {
            position: 1,
            id: row.id.to_owned(),
            error,
        };
        assert_eq!(table.load([fine, row]), Err(expected), "{row:?}");
        assert_eq!(table, before, "{row:?}");
    }
}

#[test]
fn duplicate_ids_refuse_the_load() {
    let mut table = Table::of([VALID]).expect("the row is valid");
    let before = table.clone();
    let twice = Row { id: "d2", ..VALID };
    let error = table.load([twice, VALID, twice]).expect_err("the id stands twice");
    assert_eq!(
        error,
        LoadError::DuplicateId {
            position: 2,
            id: "d2".to_owned()
        }
    );
    assert_eq!(
        error.to_string(),
        "row 2: `id` `d2` stands in an earlier row too: give each row an id of its own"
    );
    assert_eq!(table, before);
}

#[test]
fn the_longest_texts_are_valid() {
    let row = Row {
        id: long(),
        model_name: long(),
        model: long(),
        tag: long(),
        team: Some(long()),
        team_model_name: Some(long()),
        ..VALID
    };
    assert_eq!(row.parse().expect("the row is valid").row(), row);
}

#[test]
fn a_row_is_held_as_it_was_given() {
    let rows = [
        VALID,
        Row {
            id: "d2",
            team: None,
            team_model_name: None,
            weight: 0,
            ..VALID
        },
        Row {
            id: "d3",
            team_model_name: None,
            blocked: true,
            weight: u32::MAX,
            ..VALID
        },
    ];
    let table = Table::of(rows).expect("the rows are valid");
    for row in rows {
        let id = Id::parse(row.id).expect("the id is valid");
        assert_eq!(table.row(id).expect("the row is held").row(), row);
    }
    assert_eq!(table.len(), 3);
    assert!(!table.is_empty());
}

#[test]
fn replace_returns_what_was_there() {
    let mut table = Table::default();
    let first = VALID.parse().expect("the row is valid");
    let second = Row { tag: "v2", ..VALID }.parse().expect("the row is valid");
    assert_eq!(table.replace(first.id(), Some(first.clone())), None);
    assert_eq!(table.replace(first.id(), Some(second.clone())), Some(first.clone()));
    assert_eq!(table.replace(first.id(), None), Some(second));
    assert_eq!(table.replace(first.id(), None), None);
    assert_eq!(table.delete("no\nid"), None);
    assert!(table.is_empty());
}

#[test]
#[should_panic(expected = "a row takes the place of its own id only")]
fn a_row_cannot_take_the_place_of_another() {
    let row = VALID.parse().expect("the row is valid");
    Table::default().replace(Id::parse("other").expect("the id is valid"), Some(row));
}

#[test]
fn the_last_draw_picks_the_last_candidate() {
    let row = |id| Row {
        id,
        model_name: "a",
        model: "x",
        tag: "v",
        weight: u32::MAX,
        ..Row::default()
    };
    let table = Table::of([row("d1"), row("d2"), row("d3")]).expect("the rows are valid");
    let answer = table.lookup(Query { model: "a", team: None });
    assert_eq!(answer.pick(u64::MAX).expect("there are candidates").id().as_str(), "d3");
    assert_eq!(answer.pick(0).expect("there are candidates").id().as_str(), "d1");
}

#[test]
fn one_tag_tells_tables_apart() {
    let hash = |table: &Table| foldhash::fast::FixedState::default().hash_one(table);
    let exact = |tag| {
        Table::of([Row {
            id: "d2",
            model_name: "a",
            model: "x",
            tag,
            ..Row::default()
        }])
        .expect("it is valid")
    };
    assert_ne!(exact("v1"), exact("v2"));
    assert_ne!(hash(&exact("v1")), hash(&exact("v2")));
}

#[test]
fn the_debug_format_shows_the_rows() {
    let table = Table::of([Row { blocked: true, ..VALID }]).expect("the row is valid");
    let shown = format!("{table:?}");
    assert!(
        shown.contains(r#""d1" "a*" -> "x*" tag "v1" team "t" as "b*" blocked weight 1"#),
        "{shown}"
    );
    let deployment = table.rows().next().expect("there is a row");
    let texts = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        deployment.id(),
        deployment.model_name(),
        deployment.model(),
        deployment.tag(),
        deployment.team()
    );
    assert_eq!(texts, r#""d1" "a*" "x*" "v1" Some("t")"#);
}

#[test]
fn a_load_leaves_nothing_of_what_was_there() {
    let mut table = Table::of([VALID]).expect("the row is valid");
    let row = Row { id: "d2", ..VALID };
    table.load([row]).expect("the row is valid");
    assert_eq!(table, Table::of([row]).expect("the row is valid"));
    table.load([]).expect("there is nothing to refuse");
    assert_eq!(table, Table::default());
}
