//! The orders in which rows may stand in a router that was given them one change at a time.

use std::collections::BTreeSet;

use protocol::{Change, Outcome, Row};

use crate::spec::Table;

/// Keeps `order`, the ids of a table in the order in which they arrived, in step with a change that led to `now`.
pub fn note_arrivals(order: &mut Vec<String>, change: &Change, outcome: &Outcome, now: &Table) {
    if matches!(change, Change::Replace(_)) && !matches!(outcome, Outcome::Refused(_)) {
        order.clear();
    }
    order.retain(|id| now.contains_key(id));
    let mut known: BTreeSet<&str> = order.iter().map(String::as_str).collect();
    let brought = change.rows().iter().map(|row| &row.id);
    let new = brought.filter(|id| now.contains_key(*id) && known.insert(id.as_str()));
    let new: Vec<String> = new.cloned().collect();
    order.extend(new);
}

/// The orders in which the ids of a table may stand in a router that was given its rows one change at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrivals {
    /// The ids in the order in which they arrived: an update keeps its place.
    arrived: Vec<String>,
    /// The ids in the order of their last change: an update goes to the end.
    updated: Vec<String>,
}

/// The most rows of which every order is tried.
pub(crate) const EVERY_ORDER_ROWS_MAX: usize = 5;

impl Arrivals {
    /// Keeps both orders in step with a change that led to `now`.
    pub(crate) fn follow(&mut self, change: &Change, outcome: &Outcome, now: &Table) {
        note_arrivals(&mut self.arrived, change, outcome, now);
        if !matches!(outcome, Outcome::Refused(_)) {
            let changed: BTreeSet<&String> = change.rows().iter().map(|row| &row.id).collect();
            self.updated.retain(|id| !changed.contains(id));
        }
        note_arrivals(&mut self.updated, change, outcome, now);
    }

    /// The rows of the table as they arrived, and where there are several the other way round.
    pub(crate) fn two_orders(&self, table: &Table) -> Vec<Vec<Row>> {
        both_ways(rows_in_order(&self.arrived, table))
    }

    /// The rows of the table in each order that a router may keep by a plain policy: as they arrived or were last updated,
    /// from either end; and then, if there are at most `every_max` of them, in every order. The first is that of arrival.
    pub(crate) fn orders(&self, table: &Table, every_max: usize) -> Vec<Vec<Row>> {
        let mut orders = self.two_orders(table);
        orders.extend(both_ways(rows_in_order(&self.updated, table)));
        if table.len() <= every_max.min(EVERY_ORDER_ROWS_MAX) {
            orders.extend(every_order(&orders[0]));
        }
        let mut seen = BTreeSet::new();
        orders.retain(|rows| seen.insert(rows.clone()));
        orders
    }
}

fn both_ways(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let back: Vec<Row> = rows.iter().rev().cloned().collect();
    if rows.len() > 1 { vec![rows, back] } else { vec![rows] }
}

fn every_order(rows: &[Row]) -> Vec<Vec<Row>> {
    let Some((first, rest)) = rows.split_first() else {
        return vec![Vec::new()];
    };
    let with_first = |rest: Vec<Row>| {
        (0..=rest.len()).map(move |place| {
            let mut rows = rest.clone();
            rows.insert(place, first.clone());
            rows
        })
    };
    every_order(rest).into_iter().flat_map(with_first).collect()
}

/// The rows of a table in that order.
pub fn rows_in_order(order: &[String], table: &Table) -> Vec<Row> {
    order.iter().filter_map(|id| table.get(id).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::applied_table;

    fn row(id: &str, name: &str, tag: &str) -> Row {
        Row::new(id, name, "up/m", tag)
    }

    fn refused() -> Outcome {
        Outcome::Refused("no".to_owned())
    }

    #[test]
    fn rows_stand_in_the_order_of_their_arrival() {
        let mut now = Table::new();
        let mut order = Vec::new();
        let mut step = |change: &Change, outcome: &Outcome| {
            now = applied_table(&now, change, outcome);
            note_arrivals(&mut order, change, outcome, &now);
            rows_in_order(&order, &now)
                .into_iter()
                .map(|row| row.tag)
                .collect::<Vec<_>>()
        };
        let upsert = |id: &str, tag: &str| Change::Upsert(row(id, "m", tag));
        assert_eq!(step(&upsert("d2", "v1"), &Outcome::Applied), ["v1"]);
        assert_eq!(step(&upsert("d1", "v2"), &Outcome::Applied), ["v1", "v2"]);
        assert_eq!(step(&upsert("d3", "v3"), &refused()), ["v1", "v2"]);
        assert_eq!(
            step(&upsert("d2", "v4"), &Outcome::Applied),
            ["v4", "v2"],
            "an update keeps its place"
        );
        assert_eq!(step(&Change::Delete("d2".into()), &Outcome::Applied), ["v2"]);
        assert_eq!(
            step(&upsert("d2", "v5"), &Outcome::Applied),
            ["v2", "v5"],
            "and a deletion gives it up"
        );
        let turned = Change::Replace(vec![row("d2", "m", "v6"), row("d1", "m", "v7")]);
        assert_eq!(step(&turned, &refused()), ["v2", "v5"]);
        assert_eq!(step(&turned, &Outcome::Applied), ["v6", "v7"]);
    }

    #[test]
    fn the_orders_of_a_table_are_those_of_plain_policies_and_of_few_rows_every_one() {
        let (mut now, mut arrivals) = (Table::new(), Arrivals::default());
        let mut step = |change: Change, outcome: &Outcome| {
            now = applied_table(&now, &change, outcome);
            arrivals.follow(&change, outcome, &now);
            let tags = |rows: Vec<Row>| rows.iter().map(|row| row.tag.as_str()).collect::<Vec<_>>().join(" ");
            let orders = |most| {
                arrivals
                    .orders(&now, most)
                    .into_iter()
                    .map(tags)
                    .collect::<Vec<String>>()
            };
            (orders(0), orders(3).len(), orders(9).len())
        };
        let upsert = |id: &str, tag: &str| Change::Upsert(row(id, "m", tag));
        assert_eq!(
            step(upsert("d1", "v1"), &Outcome::Applied),
            (vec!["v1".to_owned()], 1, 1)
        );
        step(upsert("d2", "v2"), &Outcome::Applied);
        step(upsert("d3", "v3"), &Outcome::Applied);
        let refused = step(upsert("d1", "v4"), &refused());
        assert_eq!(refused, (vec!["v1 v2 v3".to_owned(), "v3 v2 v1".to_owned()], 6, 6));
        let policies = ["v4 v2 v3", "v3 v2 v4", "v2 v3 v4", "v4 v3 v2"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(step(upsert("d1", "v4"), &Outcome::Applied), (policies, 6, 6));
        step(upsert("d4", "v5"), &Outcome::Applied);
        assert_eq!(step(upsert("d5", "v6"), &Outcome::Applied).2, 120);
        assert_eq!(
            step(upsert("d6", "v7"), &Outcome::Applied).2,
            4,
            "six rows have too many"
        );
    }
}
