//! The packed fleet's parts for a person.

use crate::actions::Shape;
use crate::cell::{Cells, Content};
use crate::packed::Lane;
use crate::strategies::Strategy;

/// Returns the rows and entries that a replica holds, as text.
pub(crate) fn lane(lane: &Lane, strategy: &Strategy) -> String {
    if lane.down {
        return "down".to_owned();
    }
    let mut parts = vec![format!("holds {}", cells(&lane.cells()))];
    for (shape, word) in [(Shape::Wild, "wildcards"), (Shape::Team, "team's wildcards")] {
        let entries = entries(lane, shape);
        if !entries.is_empty() {
            parts.push(format!("{word} {}", entries.join(", ")));
        }
    }
    if lane.phase > 0 {
        parts.push(format!("read {}", cells(&lane.rows.map(|row| row.read))));
    }
    if strategy.sticky_names && lane.names > 0 {
        let names = Shape::ALL.into_iter().filter(|shape| lane.has_served(*shape));
        let names: Vec<&str> = names.map(name).collect();
        parts.push(format!("names {}", names.join(", ")));
    }
    parts.join("; ")
}

fn entries(lane: &Lane, table: Shape) -> Vec<String> {
    let mut entries = Vec::new();
    for (row, held) in (1_u8..).zip(&lane.rows) {
        for (version, copies) in held.copies[table as usize - 1].into_iter().enumerate() {
            match copies {
                0 => {}
                1 => entries.push(format!("d{row} v{version}")),
                _ => entries.push(format!("d{row} v{version} twice")),
            }
        }
    }
    entries
}

/// The rows that are there, each with its version and what it is.
pub(crate) fn cells(cells: &Cells) -> String {
    let mut texts = Vec::new();
    for (row, cell) in cells.iter().enumerate() {
        let what = match cell.content {
            Content::Absent => continue,
            Content::Row(shape) => name(shape).to_owned(),
            Content::Blocked(shape) => format!("{}, blocked", name(shape)),
            Content::Invalid => "invalid".to_owned(),
        };
        texts.push(format!("d{} v{} ({what})", row + 1, cell.version));
    }
    if texts.is_empty() {
        "nothing".to_owned()
    } else {
        texts.join(", ")
    }
}

fn name(shape: Shape) -> &'static str {
    match shape {
        Shape::Exact => "exact",
        Shape::Wild => "wildcard",
        Shape::Team => "team's wildcard",
    }
}
