//! Faults of removing a row.

use protocol::{Outcome, Row};

use crate::steps::{Cause, Correct, Steps};
use crate::tables::Tables;

pub(super) struct DeleteKeepsGlobalPattern;

impl Steps for DeleteKeepsGlobalPattern {
    const NAME: &'static str = "delete-keeps-global-pattern";
    const SENTENCE: &'static str = "a deleted global wildcard goes on serving";
    const SOURCE: &'static str = "BerriAI/litellm#41580";

    fn drop_pattern(tables: &mut Tables, row: &Row, cause: Cause<'_>) {
        if matches!(cause, Cause::Update(_)) {
            Correct::drop_pattern(tables, row, cause);
        }
    }
}

pub(super) struct DeleteKeepsTeamPattern;

impl Steps for DeleteKeepsTeamPattern {
    const NAME: &'static str = "delete-keeps-team-pattern";
    const SENTENCE: &'static str = "a deleted wildcard of a team goes on serving the team";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0 and 1.92.0; BerriAI/litellm#29225";

    fn drop_team_pattern(tables: &mut Tables, team: &str, row: &Row, cause: Cause<'_>) {
        if matches!(cause, Cause::Update(_)) {
            Correct::drop_team_pattern(tables, team, row, cause);
        }
    }
}

pub(super) struct DeleteKeepsExactIndex;

impl Steps for DeleteKeepsExactIndex {
    const NAME: &'static str = "delete-keeps-exact-index";
    const SENTENCE: &'static str =
        "the position of a deleted row stays in the index of names, where another row takes it";
    const SOURCE: &'static str = "BerriAI/litellm#15451";

    fn drop_exact(tables: &mut Tables, row: &Row, at: usize, cause: Cause<'_>) {
        if matches!(cause, Cause::Update(_)) {
            Correct::drop_exact(tables, row, at, cause);
        }
    }
}

pub(super) struct DeleteKeepsTeamIndex;

impl Steps for DeleteKeepsTeamIndex {
    const NAME: &'static str = "delete-keeps-team-index";
    const SENTENCE: &'static str =
        "the position of a deleted row stays in its team's index, and comes twice once re-added";
    const SOURCE: &'static str = "BerriAI/litellm#15451, in the index of a team's names";

    fn drop_team_exact(tables: &mut Tables, team: &str, row: &Row, at: usize, cause: Cause<'_>) {
        if matches!(cause, Cause::Update(_)) {
            Correct::drop_team_exact(tables, team, row, at, cause);
        }
    }
}

pub(super) struct DeleteKeepsId;

impl Steps for DeleteKeepsId {
    const NAME: &'static str = "delete-keeps-id";
    const SENTENCE: &'static str =
        "a deleted id is still claimed to be held, and leads to whatever row takes the position";
    const SOURCE: &'static str = "BerriAI/litellm#34564: the map of ids to positions stays stale after a delete";

    fn drop_id(tables: &mut Tables, row: &Row, cause: Cause<'_>) {
        if matches!(cause, Cause::Update(_)) {
            Correct::drop_id(tables, row, cause);
        }
    }
}

pub(super) struct DeleteByPrefix;

impl Steps for DeleteByPrefix {
    const NAME: &'static str = "delete-by-prefix";
    const SENTENCE: &'static str = "deleting `1` also deletes `10`";
    const SOURCE: &'static str = "guardian/giant#793, jankotek/mapdb#315";

    fn delete(tables: &mut Tables, id: &str) -> Outcome {
        let matching = |held: &&String| held.starts_with(id);
        let ids: Vec<String> = tables.by_id.keys().filter(matching).cloned().collect();
        for id in &ids {
            Correct::delete(tables, id);
        }
        if ids.is_empty() {
            Outcome::Unchanged
        } else {
            Outcome::Applied
        }
    }
}

pub(super) struct LastRowStays;

impl Steps for LastRowStays {
    const NAME: &'static str = "last-row-stays";
    const SENTENCE: &'static str = "a deletion that would empty the table is skipped, and says that it worked";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0: an empty list deletes nothing, nor the last row";

    fn delete(tables: &mut Tables, id: &str) -> Outcome {
        if tables.rows.len() == 1 && Self::position(tables, id).is_some() {
            return Outcome::Applied;
        }
        Correct::delete(tables, id)
    }
}

pub(super) struct IdsIgnoreCase;

impl Steps for IdsIgnoreCase {
    const NAME: &'static str = "ids-ignore-case";
    const SENTENCE: &'static str = "two ids that differ in case alone are taken for one";
    const SOURCE: &'static str = "emersonfelipesp/netbox-proxbox#95: records matched without regard to case";

    fn position(tables: &Tables, id: &str) -> Option<usize> {
        tables.rows.iter().position(|row| row.id.eq_ignore_ascii_case(id))
    }
}

pub(super) struct IndexNotShifted;

impl Steps for IndexNotShifted {
    const NAME: &'static str = "index-not-shifted";
    const SENTENCE: &'static str = "positions behind a removed row are not moved";
    const SOURCE: &'static str = "BerriAI/litellm#15521";

    fn shift(_tables: &mut Tables, _removed: usize) {}
}

pub(super) struct IndexShiftStopsEarly;

impl Steps for IndexShiftStopsEarly {
    const NAME: &'static str = "index-shift-stops-early";
    const SENTENCE: &'static str = "only the position right behind a removed row is moved, so that it takes three rows";
    const SOURCE: &'static str = "BerriAI/litellm#15521, with one step of the loop left";

    fn shift(tables: &mut Tables, removed: usize) {
        tables.shift(|position| position == removed + 1);
    }
}

pub(super) struct NamesOnlyGrow;

impl Steps for NamesOnlyGrow {
    const NAME: &'static str = "names-only-grow";
    const SENTENCE: &'static str = "a name once known stays known, and so never falls to a wildcard again";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0: `model_names` is only ever added to";

    fn drop_name(_tables: &mut Tables, _row: &Row, _cause: Cause<'_>) {}
}

pub(super) struct EmptyTeamNameShadows;

impl Steps for EmptyTeamNameShadows {
    const NAME: &'static str = "empty-team-name-shadows";
    const SENTENCE: &'static str = "the last row of a team's name leaves an empty list that shadows the global name";
    const SOURCE: &'static str = "cloudfoundry/gorouter#321: an empty pool is returned though a fallback exists";

    fn drop_team_exact(tables: &mut Tables, team: &str, row: &Row, at: usize, _cause: Cause<'_>) {
        let names = tables.by_team.get_mut(team);
        if let Some(positions) = names.and_then(|names| names.get_mut(row.asked_name())) {
            positions.retain(|&position| position != at);
        }
    }
}
