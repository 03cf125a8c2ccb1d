//! The store of a fleet of references, by the text that names it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use adapter_reference::{PostgresDatabase, ReferenceReplica, SqliteDatabase, reference_fleet};
use protocol::RouterUnderTest;
use protocol::fleet::InProcessFleet;

/// The ways to write a store, for help texts.
pub(crate) const STORE_FORMS: &str = "`sqlite`, `sqlite:FILE`, `memory` or `postgres://USER@HOST/DATABASE`";

/// The store of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// `SQLite` in the memory of this process.
    Sqlite,
    /// `SQLite` in that file.
    SqliteFile(PathBuf),
    /// Plain memory.
    Memory,
    /// `PostgreSQL` at that address.
    Postgres(String),
}

impl Store {
    /// The fleet of references over this store.
    ///
    /// # Errors
    ///
    /// A sentence: the store cannot be opened or reached.
    pub(crate) fn fleet(&self) -> Result<Box<dyn RouterUnderTest>, String> {
        let empty = ReferenceReplica::default();
        match self {
            Self::Memory => Ok(Box::new(reference_fleet())),
            Self::Sqlite => SqliteDatabase::in_memory().map(|database| boxed(InProcessFleet::over(database, empty))),
            Self::SqliteFile(file) => {
                SqliteDatabase::open(file).map(|database| boxed(InProcessFleet::over(database, empty)))
            }
            Self::Postgres(address) => {
                PostgresDatabase::connect(address).map(|database| boxed(InProcessFleet::over(database, empty)))
            }
        }
    }
}

fn boxed(fleet: impl RouterUnderTest + 'static) -> Box<dyn RouterUnderTest> {
    Box::new(fleet)
}

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = match text {
            "sqlite" => Some(Self::Sqlite),
            "memory" => Some(Self::Memory),
            _ => None,
        };
        let file = text.strip_prefix("sqlite:").filter(|file| !file.is_empty());
        let is_postgres = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        known
            .or_else(|| Some(Self::SqliteFile(file?.into())))
            .or_else(|| is_postgres.then(|| Self::Postgres(text.to_owned())))
            .ok_or_else(|| format!("there is no store of that kind; write {STORE_FORMS}"))
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => write!(f, "sqlite"),
            Self::SqliteFile(file) => write!(f, "sqlite:{}", file.display()),
            Self::Memory => write!(f, "memory"),
            Self::Postgres(address) => write!(f, "{}", without_password(address)),
        }
    }
}

/// The address without what stands between the user's name and the `@`.
fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}@{host}")
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_by_its_kind_and_shown_without_its_password() {
        for (text, store, shown) in [
            ("sqlite", Store::Sqlite, "sqlite"),
            ("memory", Store::Memory, "memory"),
            (
                "sqlite:/tmp/a b",
                Store::SqliteFile("/tmp/a b".into()),
                "sqlite:/tmp/a b",
            ),
            (
                "postgres://me:pa@ss@h/d",
                Store::Postgres("postgres://me:pa@ss@h/d".into()),
                "postgres://me@h/d",
            ),
            (
                "postgresql://h/d",
                Store::Postgres("postgresql://h/d".into()),
                "postgresql://h/d",
            ),
        ] {
            let parsed: Store = text.parse().unwrap();
            assert_eq!((parsed.to_string().as_str(), &parsed), (shown, &store), "{text}");
        }
        for text in ["", "sqlite:", "redis://h", "Sqlite", "/tmp/file"] {
            let why = text.parse::<Store>().unwrap_err();
            assert!(why.contains("write `sqlite`"), "{text}: {why}");
        }
    }

    #[test]
    fn a_store_that_cannot_be_opened_is_told_with_its_name() {
        let why = Store::SqliteFile("/nowhere/rows".into())
            .fleet()
            .err()
            .expect("there is no such directory");
        assert!(why.starts_with("the database /nowhere/rows cannot be used"), "{why}");
        assert!(Store::Sqlite.fleet().is_ok() && Store::Memory.fleet().is_ok());
    }
}
