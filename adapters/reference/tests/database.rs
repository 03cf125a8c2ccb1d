//! The databases beside each other: each keeps the rows of one history with the same revisions, also as of the write before.

use std::path::Path;

use adapter_reference::{PostgresDatabase, SqliteDatabase};
use protocol::fleet::{Database, KeptRow, MemoryDatabase};
use protocol::{Fields, Patch, Row, Write};

/// Where a `PostgreSQL` server can be reached, as `.ci/run` says.
const ADDRESS: &str = "ROUTEPROOF_POSTGRES";

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says where a server is")]
fn address() -> Option<String> {
    std::env::var(ADDRESS).ok()
}

fn history() -> Vec<(Write, Option<u64>)> {
    let row = |id: &str, tag: &str| Row::new(id, "a*", "openai/*", tag);
    let patch = |id: &str, tag: &str| {
        let fields = Fields {
            tag: Some(tag.to_owned()),
            ..Fields::default()
        };
        Write::Patch(Patch {
            id: id.to_owned(),
            fields,
        })
    };
    vec![
        (Write::Put(row("d2", "v1")), None),
        (Write::Put(row("d1", "v2")), None),
        (Write::Add(row("d1", "v3")), None),
        (Write::Add(row("d3", "v4")), None),
        (patch("d2", "v5"), None),
        (patch("d9", "v6"), None),
        (patch("d1", "v7"), Some(4)),
        (patch("d1", "v8"), Some(3)),
        (Write::Delete("d3".to_owned()), None),
        (Write::Delete("d3".to_owned()), None),
        (Write::Put(row("d3", "v9")), None),
    ]
}

/// Everything that can be seen of a database after the set-up and after each write of the history.
fn seen(database: &mut dyn Database) -> Vec<(u64, Vec<KeptRow>, Vec<KeptRow>)> {
    let look = |database: &mut dyn Database| {
        let now = database.revision().unwrap();
        let sorted = |mut rows: Vec<KeptRow>| {
            rows.sort_by(|one, other| one.row.id.cmp(&other.row.id));
            rows
        };
        let before = database.rows(now.saturating_sub(1)).unwrap();
        (now, sorted(database.rows(now).unwrap()), sorted(before))
    };
    // What an earlier run left is gone.
    database.set_up(&[Row::new("d7", "x", "up", "v0")]).unwrap();
    database.set_up(&[Row::new("d1", "a", "up", "v0")]).unwrap();
    let mut seen = vec![look(database)];
    for (write, only_if) in history() {
        let before = database.revision().unwrap();
        let written = database.write(&write, only_if).unwrap();
        assert_eq!(written.revision, before + u64::from(written.made), "{write:?}");
        seen.push(look(database));
    }
    seen
}

#[test]
fn each_database_keeps_the_same_history() {
    let expected = seen(&mut MemoryDatabase::default());
    assert_eq!(expected.len(), 12);
    let (revision, last, before) = expected.last().unwrap();
    let tags = |rows: &[KeptRow]| rows.iter().map(|kept| kept.row.tag.clone()).collect::<Vec<_>>();
    assert_eq!(
        (*revision, tags(last), tags(before)),
        (
            8,
            vec!["v8".into(), "v5".into(), "v9".into()],
            vec!["v8".into(), "v5".into()]
        )
    );
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        seen(&mut SqliteDatabase::open(&dir.path().join("rows")).unwrap()),
        expected
    );
    assert_eq!(seen(&mut SqliteDatabase::in_memory().unwrap()), expected);
    if let Some(address) = address() {
        assert_eq!(seen(&mut PostgresDatabase::connect(&address).unwrap()), expected);
        let (mut shared, _) = PostgresDatabase::share(&address).unwrap();
        assert_eq!(seen(&mut shared), expected);
    }
}

/// Asserts that one connection reads what another one writes.
fn is_shared(one: &mut dyn Database, other: &mut dyn Database) {
    one.set_up(&[Row::new("d1", "a", "up", "v0")]).unwrap();
    let written = other.write(&Write::Put(Row::new("d2", "b", "up", "v1")), None).unwrap();
    assert!(written.made && written.revision == 2);
    for revision in [1, 2] {
        let rows = one.rows(revision).unwrap();
        assert_eq!(rows.len() as u64, revision);
        assert_eq!(other.rows(revision).unwrap(), rows);
    }
}

#[test]
fn several_connections_share_the_rows_of_a_fleet() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rows");
    let open = || SqliteDatabase::open(&file).unwrap();
    is_shared(&mut open(), &mut open());
    let Some(address) = address() else { return };
    let (mut one, schema) = PostgresDatabase::share(&address).unwrap();
    is_shared(&mut one, &mut PostgresDatabase::join(&address, &schema).unwrap());
    let (mut other, another) = PostgresDatabase::share(&address).unwrap();
    other.set_up(&[]).unwrap();
    assert_ne!(another, schema);
    assert_eq!(one.revision().unwrap(), 2, "another fleet has tables of its own");
    drop(one);
    let gone = PostgresDatabase::join(&address, &schema).unwrap().revision();
    assert!(gone.is_err(), "the schema goes with its connection");
}

#[test]
fn what_cannot_be_opened_is_said_with_its_name() {
    let why = SqliteDatabase::open(Path::new("/nowhere/rows")).unwrap_err();
    assert!(why.starts_with("the database /nowhere/rows cannot be used: "), "{why}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("text");
    std::fs::write(
        &file,
        "this is no database, and longer than the header of one would be: 0123456789 0123456789",
    )
    .unwrap();
    let why = SqliteDatabase::open(&file).unwrap_err();
    assert!(why.contains("not a database"), "{why}");
    let why = PostgresDatabase::connect("postgres://nobody@127.0.0.1:1/none").unwrap_err();
    assert!(
        why.starts_with("the database cannot be reached: ") && why.contains("refused"),
        "{why}"
    );
    let why = PostgresDatabase::connect("postgres://[").unwrap_err();
    assert!(why.starts_with("the database cannot be reached: "), "{why}");
}

#[test]
fn a_locked_database_fails_and_is_not_waited_for_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rows");
    let mut database = SqliteDatabase::open(&file).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("begin exclusive").unwrap();
    let why = database.set_up(&[]).unwrap_err();
    assert!(why.contains("locked"), "{why}");
}
