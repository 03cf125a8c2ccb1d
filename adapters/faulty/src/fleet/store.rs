//! A store with a fault of its own: it does not keep what it says that it has written.

use protocol::fleet::{Database, KeptRow, MemoryDatabase, Written};
use protocol::{Row, Write};

use super::faults::StoreChoices;

/// A database in memory that follows those choices.
#[derive(Clone, Debug)]
pub(super) struct FaultyDatabase {
    right: MemoryDatabase,
    choices: StoreChoices,
}

impl FaultyDatabase {
    pub(super) fn over(right: MemoryDatabase, choices: StoreChoices) -> Self {
        Self { right, choices }
    }

    /// The row as it was last written, if it is there.
    fn kept(&mut self, id: &str) -> Result<Option<Row>, String> {
        let now = self.right.revision()?;
        let kept = self.right.rows(now)?.into_iter().find(|kept| kept.row.id == id);
        Ok(kept.map(|kept| kept.row))
    }
}

impl Database for FaultyDatabase {
    fn set_up(&mut self, rows: &[Row]) -> Result<(), String> {
        self.right.set_up(rows)
    }

    fn revision(&mut self) -> Result<u64, String> {
        self.right.revision()
    }

    fn rows(&mut self, revision: u64) -> Result<Vec<KeptRow>, String> {
        self.right.rows(revision)
    }

    fn write(&mut self, write: &Write, only_if: Option<u64>) -> Result<Written, String> {
        let only_if = only_if.filter(|_| self.choices.checks_condition);
        let known = self.kept(write.id())?;
        match (write, known) {
            (Write::Delete(_), Some(row)) if !self.choices.makes_deletions => {
                self.right.write(&Write::Put(row), only_if)
            }
            (Write::Put(row), Some(known)) if !self.choices.keeps_other_fields && row.team == known.team => {
                let row = Row {
                    team: None,
                    team_model_name: None,
                    ..row.clone()
                };
                self.right.write(&Write::Put(row), only_if)
            }
            _ => self.right.write(write, only_if),
        }
    }
}
