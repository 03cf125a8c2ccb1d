//! Changes of one router as writes to the store of a fleet, and back.

use protocol::{Change, Rows, Write};

/// The writes that leave in a store of these rows what the change leaves in a table of them; a store takes no list.
pub(crate) fn writes(rows: &Rows, change: &Change) -> Vec<Write> {
    match change {
        Change::Upsert(row) => vec![Write::Put(row.clone())],
        Change::Add(row) => vec![Write::Add(row.clone())],
        Change::Delete(id) => vec![Write::Delete(id.clone())],
        Change::Replace(list) => {
            let gone = rows.keys().filter(|id| list.iter().all(|row| row.id != **id));
            gone.map(|id| Write::Delete(id.clone()))
                .chain(list.iter().cloned().map(Write::Put))
                .collect()
        }
    }
}

/// The change of one router that a write is; a patch is none.
pub(crate) fn change_of(write: &Write) -> Option<Change> {
    match write {
        Write::Put(row) => Some(Change::Upsert(row.clone())),
        Write::Add(row) => Some(Change::Add(row.clone())),
        Write::Delete(id) => Some(Change::Delete(id.clone())),
        Write::Patch(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use protocol::Row;

    use super::*;

    #[test]
    fn writes_leave_in_a_store_what_a_change_leaves_in_a_table() {
        let row = |id: &str, tag: &str| Row::new(id, "m", "m", tag);
        let before: Rows = [row("a", "1"), row("b", "2")].map(|row| (row.id.clone(), row)).into();
        let changes = [
            Change::Upsert(row("a", "3")),
            Change::Upsert(row("c", "3")),
            Change::Add(row("a", "3")),
            Change::Add(row("c", "3")),
            Change::Delete("a".into()),
            Change::Delete("c".into()),
            Change::Replace(vec![row("c", "3"), row("a", "4")]),
            Change::Replace(vec![row("c", "3"), row("c", "4")]),
            Change::Replace(Vec::new()),
        ];
        for change in changes {
            let (mut table, mut store) = (before.clone(), before.clone());
            change.apply_to(&mut table);
            for write in writes(&before, &change) {
                write.apply_to(&mut store);
            }
            assert_eq!(store, table, "{change:?}");
        }
    }
}
