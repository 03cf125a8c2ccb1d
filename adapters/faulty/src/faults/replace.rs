//! Faults of loading a whole list.

use protocol::{Outcome, Row};

use crate::pattern;
use crate::steps::{Correct, Steps};
use crate::tables::{Home, Tables, add_pattern, home};

pub(super) struct ReplaceKeepsGlobalPatterns;

impl Steps for ReplaceKeepsGlobalPatterns {
    const NAME: &'static str = "replace-keeps-global-patterns";
    const SENTENCE: &'static str = "loading a list keeps the global wildcards of the former one";
    const SOURCE: &'static str = "measured on LiteLLM 1.109.1: the same list loaded three times leaves three copies";

    fn clear_patterns(_tables: &mut Tables) {}
}

pub(super) struct ReplaceKeepsTeamPatterns;

impl Steps for ReplaceKeepsTeamPatterns {
    const NAME: &'static str = "replace-keeps-team-patterns";
    const SENTENCE: &'static str = "loading a list keeps the teams' wildcards of the former one";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0: `team_pattern_routers` is only ever added to";

    fn clear_team_patterns(_tables: &mut Tables) {}
}

pub(super) struct ReplaceKeepsExactIndex;

impl Steps for ReplaceKeepsExactIndex {
    const NAME: &'static str = "replace-keeps-exact-index";
    const SENTENCE: &'static str = "loading a list keeps the former positions in the index of names";
    const SOURCE: &'static str = "BerriAI/litellm#15451, where a whole list is loaded";

    fn clear_exact(_tables: &mut Tables) {}
}

pub(super) struct EmptyReplaceIgnored;

impl Steps for EmptyReplaceIgnored {
    const NAME: &'static str = "empty-replace-ignored";
    const SENTENCE: &'static str = "loading an empty list removes nothing";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0: an empty list deletes nothing";

    fn replace(tables: &mut Tables, rows: &[Row]) -> Outcome {
        if rows.is_empty() {
            return Outcome::Unchanged;
        }
        Correct::replace(tables, rows)
    }
}

pub(super) struct RefusedReplaceEmptiesTable;

impl Steps for RefusedReplaceEmptiesTable {
    const NAME: &'static str = "refused-replace-empties-table";
    const SENTENCE: &'static str = "a list that is refused has already taken the place of the rows";
    const SOURCE: &'static str = "BerriAI/litellm#7196: one failed read evicts all rows";

    fn refuse_list(tables: &mut Tables, _rows: &[Row]) {
        Correct::clear(tables);
    }
}

pub(super) struct RefusedReplaceLoadsTheRest;

impl Steps for RefusedReplaceLoadsTheRest {
    const NAME: &'static str = "refused-replace-loads-the-rest";
    const SENTENCE: &'static str = "a list with one invalid row is refused, and its other rows are loaded";
    const SOURCE: &'static str = "BerriAI/litellm#41502: an incomplete read is applied as far as it goes";

    fn refuse_list(tables: &mut Tables, rows: &[Row]) {
        Correct::clear(tables);
        for row in rows {
            Correct::upsert(tables, row);
        }
    }
}

pub(super) struct ReplaceTakesDoubleIds;

impl Steps for ReplaceTakesDoubleIds {
    const NAME: &'static str = "replace-takes-double-ids";
    const SENTENCE: &'static str = "a list may hold an id twice, and both of its rows are registered";
    const SOURCE: &'static str = "BerriAI/litellm#35614: ids that collide are accepted without complaint";

    fn check_list(rows: &[Row]) -> Result<(), String> {
        rows.iter().try_for_each(Correct::check)
    }
}

pub(super) struct SharedIdsKeepPatterns;

impl Steps for SharedIdsKeepPatterns {
    const NAME: &'static str = "shared-ids-keep-patterns";
    const SENTENCE: &'static str = "loading a list keeps the former global wildcards of ids that stand in both lists";
    const SOURCE: &'static str = "BerriAI/litellm#33649, for the ids that stand in both lists";

    fn replace(tables: &mut Tables, rows: &[Row]) -> Outcome {
        let former = tables.rows.clone();
        let outcome = Correct::replace(tables, rows);
        if matches!(outcome, Outcome::Refused(_)) {
            return outcome;
        }
        let is_kept =
            |row: &&Row| rows.iter().any(|new| new.id == row.id && new != *row) && home(row) == Home::Patterns;
        for row in former.iter().filter(is_kept) {
            add_pattern(&mut tables.patterns, row, pattern::compile(row.asked_name()));
        }
        outcome
    }
}
