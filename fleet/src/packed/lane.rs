//! One packed replica: what each step does to its list and its pattern tables, and what it answers.

use crate::actions::Shape;
use crate::cell::{COPIES_MAX, Cell, Cells, Content, ROWS_MAX, VERSIONS_MAX};
use crate::packed::state::Lane;
use crate::strategies::{After, EmptyRead, Notices, Patterns, Strategy};
use crate::view::{ModelCandidate, ModelQuery, QUERIES, View, agrees, read, tables};

/// A packed replica that is up.
#[derive(Clone, Copy)]
pub(crate) struct LaneView<'a> {
    pub(crate) lane: &'a Lane,
    pub(crate) strategy: &'a Strategy,
    /// Number of rows.
    pub(crate) rows: usize,
}

impl PartialEq for LaneView<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.lane == other.lane
    }
}

impl View for LaneView<'_> {
    fn strategy(&self) -> &Strategy {
        self.strategy
    }

    fn cells(&self) -> Cells {
        self.lane.cells()
    }

    fn reading(&self) -> Cells {
        self.lane.rows.map(|row| row.read)
    }

    fn answered(&self, row: usize) -> u8 {
        self.lane.rows[row].answered
    }

    fn acked(&self, row: usize) -> u8 {
        self.lane.rows[row].acked
    }

    fn lists(&self, shape: Shape) -> bool {
        if self.strategy.sticky_names {
            self.lane.has_served(shape)
        } else {
            let rows = &self.lane.rows;
            rows.iter().any(|row| row.cell.content == Content::Row(shape))
        }
    }

    fn entries(&self) -> u8 {
        let rows = self.lane.rows.iter();
        rows.flat_map(|row| row.copies.as_flattened()).sum()
    }

    fn candidates(&self, query: ModelQuery, visit: impl FnMut(ModelCandidate)) {
        self.lane.candidates(self.strategy, query, visit);
    }

    fn holds_like(&self, other: &Self, row: usize) -> bool {
        let (row, other) = (&self.lane.rows[row], &other.lane.rows[row]);
        row.cell == other.cell && row.copies == other.copies
    }

    fn heals(&self, store: &Cells) -> bool {
        let mut lane = *self.lane;
        while lane.phase > 0 {
            lane.apply_held(self.strategy, self.rows);
        }
        lane.apply(self.strategy, &Lane::reads(self.strategy, store));
        let healed = LaneView { lane: &lane, ..*self };
        agrees(&healed, store)
    }
}

impl Lane {
    /// The rows of the replica's list.
    pub fn cells(&self) -> Cells {
        self.rows.map(|row| row.cell)
    }

    /// Returns whether the name of this shape was ever served; only where names are sticky.
    pub(crate) fn has_served(&self, shape: Shape) -> bool {
        self.names >> shape as u8 & 1 == 1
    }

    /// The candidates that the replica answers `query` with.
    pub fn candidates(&self, strategy: &Strategy, query: ModelQuery, mut visit: impl FnMut(ModelCandidate)) {
        let is_exact = |cell: &Cell| cell.content.shape() == Some(Shape::Exact);
        let known = if strategy.sticky_names {
            self.has_served(Shape::Exact)
        } else {
            self.rows.iter().any(|row| is_exact(&row.cell))
        };
        let hidden = |cell: &Cell| strategy.filters_blocked && matches!(cell.content, Content::Blocked(_));
        if query.exact && known {
            for (row, held) in (0..).zip(&self.rows) {
                if is_exact(&held.cell) && !hidden(&held.cell) {
                    visit(ModelCandidate {
                        row,
                        version: held.cell.version,
                        copies: 1,
                        table: Shape::Exact,
                    });
                }
            }
            return;
        }
        for table in tables(strategy.team_first, query.team || !strategy.checks_team)
            .into_iter()
            .flatten()
        {
            let mut matched = false;
            for (row, held) in (0..).zip(&self.rows) {
                for (version, copies) in (0..)
                    .zip(&held.copies[table as usize - 1])
                    .filter(|(_, copies)| **copies > 0)
                {
                    matched = true;
                    if !(version == held.cell.version && hidden(&held.cell)) {
                        visit(ModelCandidate {
                            row,
                            version,
                            copies: *copies,
                            table,
                        });
                    }
                }
            }
            if matched {
                return;
            }
        }
    }

    /// Returns the rows as a read brings them to this replica: only revisions tell of the rows that are gone.
    pub fn reads(strategy: &Strategy, cells: &Cells) -> Cells {
        cells.map(|cell| read(strategy, cell))
    }

    /// Takes in one row: present, gone or invalid.
    pub fn take(&mut self, strategy: &Strategy, row: usize, cell: Cell) {
        let held = self.rows[row].cell;
        if strategy.refuses_older && cell.version <= held.version {
            return;
        }
        match cell.content {
            Content::Absent => {
                self.rows[row].cell = if strategy.refuses_older { cell } else { Cell::default() };
                if held.content != Content::Absent {
                    self.drop_entries(strategy.on_delete, row, 0);
                }
            }
            Content::Invalid if strategy.refusal_keeps => {}
            Content::Invalid => {
                self.rows[row].cell = Cell::default();
                if held.content != Content::Absent {
                    self.drop_entries(strategy.on_update, row, 0);
                }
            }
            Content::Row(_) | Content::Blocked(_) if held == cell => {}
            Content::Row(shape) | Content::Blocked(shape) => {
                self.rows[row].cell = cell;
                if strategy.sticky_names {
                    self.names |= 1 << shape as u8;
                }
                if held.content != Content::Absent {
                    self.drop_entries(strategy.on_update, row, cell.version);
                }
                let retagged = strategy.on_update == Patterns::Retagged && held.content.shape() == Some(shape);
                if !retagged {
                    self.add_entry(row, cell.version, shape);
                }
            }
        }
    }

    /// Adds an entry of this version to the table of a wildcard's shape.
    fn add_entry(&mut self, row: usize, version: u8, shape: Shape) {
        if shape != Shape::Exact {
            let copies = &mut self.rows[row].copies[shape as usize - 1][usize::from(version)];
            *copies = (*copies + 1).min(COPIES_MAX);
        }
    }

    fn drop_entries(&mut self, how: Patterns, row: usize, version: u8) {
        match how {
            Patterns::Kept => {}
            Patterns::RemovedById => self.rows[row].copies = Default::default(),
            Patterns::Retagged => {
                for table in &mut self.rows[row].copies {
                    let copies = table.iter().sum::<u8>().min(COPIES_MAX);
                    *table = [0; VERSIONS_MAX + 1];
                    table[usize::from(version)] = copies;
                }
            }
            Patterns::Rebuilt => {
                for other in 0..ROWS_MAX {
                    self.rows[other].copies = Default::default();
                    let cell = self.rows[other].cell;
                    // The row itself gets its entry as it is added.
                    if let Some(shape) = cell.content.shape().filter(|_| other != row) {
                        self.add_entry(other, cell.version, shape);
                    }
                }
            }
        }
    }

    /// Applies one part of a read: part 0 deletes what is gone, part `i` takes in row `i - 1`.
    pub fn apply_part(&mut self, strategy: &Strategy, part: usize, read: &Cells) {
        let Some(row) = part.checked_sub(1) else {
            let empty = read.iter().all(|cell| cell.content == Content::Absent);
            if empty && strategy.empty_read == EmptyRead::DeletesNothing {
                return;
            }
            for (row, cell) in read
                .iter()
                .enumerate()
                .filter(|(_, cell)| cell.content == Content::Absent)
            {
                self.take(strategy, row, *cell);
            }
            return;
        };
        if read[row].content != Content::Absent {
            self.take(strategy, row, read[row]);
        }
    }

    /// Applies a whole read, or refuses it whole.
    pub fn apply(&mut self, strategy: &Strategy, read: &Cells) {
        if strategy.refuses_invalid_reads && read.iter().any(|cell| cell.content == Content::Invalid) {
            return;
        }
        for part in 0..=ROWS_MAX {
            self.apply_part(strategy, part, read);
        }
    }

    /// Applies the next part of the read that the replica holds, or all of it where that is one step.
    pub fn apply_held(&mut self, strategy: &Strategy, rows: usize) {
        let read = self.rows.map(|row| row.read);
        let next = usize::from(self.phase) - 1;
        if strategy.atomic_apply {
            self.apply(strategy, &read);
        } else {
            self.apply_part(strategy, next, &read);
        }
        if strategy.atomic_apply || next == rows {
            self.phase = 0;
            for row in &mut self.rows {
                row.read = Cell::default();
            }
        } else {
            self.phase += 1;
        }
    }

    /// Looks up `row`, because a notification or a miss told the replica to.
    pub fn look(&mut self, strategy: &Strategy, row: usize, store: &Cells) {
        let read = Self::reads(strategy, store);
        match strategy.notices {
            Notices::Polled => self.apply(strategy, &read),
            Notices::Ignored | Notices::RowRead => self.take(strategy, row, read[row]),
        }
    }

    /// Reacts as `after` says to a write to `row` through the replica's own endpoint; `store` has that write already.
    pub fn after_write(&mut self, strategy: &Strategy, after: After, row: usize, store: &Cells) {
        let read = Self::reads(strategy, store);
        match after {
            After::Nothing => {}
            After::Row => self.take(strategy, row, read[row]),
            After::Poll => self.apply(strategy, &read),
            After::DropAndPoll => {
                for row in 0..ROWS_MAX {
                    if self.rows[row].cell.content != Content::Absent {
                        self.rows[row].cell = Cell::default();
                        self.drop_entries(strategy.on_delete, row, 0);
                    }
                }
                self.apply(strategy, &read);
            }
        }
    }

    /// The newest version of `row` in any answer; 0 if there is none.
    pub fn newest(&self, strategy: &Strategy, row: usize) -> u8 {
        let mut newest = 0;
        for query in QUERIES {
            self.candidates(strategy, query, |candidate| {
                if usize::from(candidate.row) == row {
                    newest = newest.max(candidate.version);
                }
            });
        }
        newest
    }
}
