//! Faults of inserting and updating a row.

use protocol::{Outcome, Row};

use crate::steps::{Cause, Correct, Steps, check_texts};
use crate::tables::Tables;

pub(super) struct UpsertKeepsGlobalPattern;

impl Steps for UpsertKeepsGlobalPattern {
    const NAME: &'static str = "upsert-keeps-global-pattern";
    const SENTENCE: &'static str = "an updated global wildcard leaves its former version in the pattern table";
    const SOURCE: &'static str = "BerriAI/litellm#29064";

    fn drop_pattern(tables: &mut Tables, row: &Row, cause: Cause<'_>) {
        if matches!(cause, Cause::Delete) {
            Correct::drop_pattern(tables, row, cause);
        }
    }
}

pub(super) struct UpsertKeepsTeamPattern;

impl Steps for UpsertKeepsTeamPattern {
    const NAME: &'static str = "upsert-keeps-team-pattern";
    const SENTENCE: &'static str =
        "an updated wildcard of a team leaves its former version in the team's pattern table";
    const SOURCE: &'static str = "BerriAI/litellm#29064";

    fn drop_team_pattern(tables: &mut Tables, team: &str, row: &Row, cause: Cause<'_>) {
        if matches!(cause, Cause::Delete) {
            Correct::drop_team_pattern(tables, team, row, cause);
        }
    }
}

pub(super) struct RenameIgnored;

impl Steps for RenameIgnored {
    const NAME: &'static str = "rename-ignored";
    const SENTENCE: &'static str = "an update that changes the model name is taken for no change";
    const SOURCE: &'static str = "BerriAI/litellm#22190";

    fn same(held: &Row, row: &Row) -> bool {
        held == row || held.model_name != row.model_name
    }
}

pub(super) struct RenameKeepsOldName;

impl Steps for RenameKeepsOldName {
    const NAME: &'static str = "rename-keeps-old-name";
    const SENTENCE: &'static str = "a renamed row is registered by its new name and stays registered by the old one";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0 to 1.100.0: after a rename the old name still answers";

    fn unregister(tables: &mut Tables, row: &Row, at: usize, cause: Cause<'_>) {
        match cause {
            Cause::Update(to) if to.team == row.team && to.asked_name() != row.asked_name() => {}
            Cause::Update(_) | Cause::Delete => Correct::unregister(tables, row, at, cause),
        }
    }
}

pub(super) struct TeamNameChangeIgnored;

impl Steps for TeamNameChangeIgnored {
    const NAME: &'static str = "team-name-change-ignored";
    const SENTENCE: &'static str = "an update that changes the name a team asks by is taken for no change";
    const SOURCE: &'static str = "BerriAI/litellm#22290: only the parameters are compared, and no name is one of them";

    fn same(held: &Row, row: &Row) -> bool {
        held == row || held.team_model_name != row.team_model_name
    }
}

pub(super) struct TeamChangeKeepsOldTeam;

impl Steps for TeamChangeKeepsOldTeam {
    const NAME: &'static str = "team-change-keeps-old-team";
    const SENTENCE: &'static str = "a row that moves to another team stays registered with the former one";
    const SOURCE: &'static str = "BerriAI/litellm#29225: rows moved across teams without evicting the old bucket";

    fn unregister(tables: &mut Tables, row: &Row, at: usize, cause: Cause<'_>) {
        match cause {
            Cause::Update(to) if to.team != row.team => {}
            Cause::Update(_) | Cause::Delete => Correct::unregister(tables, row, at, cause),
        }
    }
}

pub(super) struct TagChangeIgnored;

impl Steps for TagChangeIgnored {
    const NAME: &'static str = "tag-change-ignored";
    const SENTENCE: &'static str = "an update that changes nothing but the tag, as a key rotation does, is dropped";
    const SOURCE: &'static str = "BerriAI/litellm#35426: traffic goes on under the retired key";

    fn same(held: &Row, row: &Row) -> bool {
        let retagged = Row {
            tag: row.tag.clone(),
            ..held.clone()
        };
        retagged == *row
    }
}

pub(super) struct WeightChangeIgnored;

impl Steps for WeightChangeIgnored {
    const NAME: &'static str = "weight-change-ignored";
    const SENTENCE: &'static str = "an update that changes nothing but the weight is dropped, its tag with it";
    const SOURCE: &'static str = "blockcell-labs/blockcell#23: a changed weight takes effect after a restart";

    fn same(held: &Row, row: &Row) -> bool {
        let reweighted = Row {
            tag: row.tag.clone(),
            weight: row.weight,
            ..held.clone()
        };
        held == row || (held.weight != row.weight && reweighted == *row)
    }
}

pub(super) struct BlockIgnored;

impl Steps for BlockIgnored {
    const NAME: &'static str = "block-ignored";
    const SENTENCE: &'static str = "an update that blocks a row is taken for no change";
    const SOURCE: &'static str = "BerriAI/litellm#41580: a pause takes effect at the next restart";

    fn same(held: &Row, row: &Row) -> bool {
        held == row || (row.blocked && !held.blocked)
    }
}

pub(super) struct UnblockIgnored;

impl Steps for UnblockIgnored {
    const NAME: &'static str = "unblock-ignored";
    const SENTENCE: &'static str = "an update that unblocks a row is taken for no change";
    const SOURCE: &'static str = "the converse of BerriAI/litellm#41580: a pause that is not lifted before a restart";

    fn same(held: &Row, row: &Row) -> bool {
        held == row || (held.blocked && !row.blocked)
    }
}

pub(super) struct NewRowDropped;

impl Steps for NewRowDropped {
    const NAME: &'static str = "new-row-dropped";
    const SENTENCE: &'static str = "an upsert of a row whose id is new does nothing, and says that it worked";
    const SOURCE: &'static str = "BerriAI/litellm#35577";

    fn upsert_new(_tables: &mut Tables, _row: &Row) {}
}

pub(super) struct AddOverwrites;

impl Steps for AddOverwrites {
    const NAME: &'static str = "add-overwrites";
    const SENTENCE: &'static str = "adding a row whose id is held replaces the row that is held";
    const SOURCE: &'static str = "Esri/geotrigger-editor#189: creating what exists overwrites it and reports success";

    fn add(tables: &mut Tables, row: &Row) -> Outcome {
        Correct::upsert(tables, row)
    }
}

pub(super) struct RefusedUpdateHalfRegisters;

impl Steps for RefusedUpdateHalfRegisters {
    const NAME: &'static str = "refused-update-half-registers";
    const SENTENCE: &'static str = "a refused row stays in the list and in the index of ids";
    const SOURCE: &'static str =
        "BerriAI/litellm#34564: an exception between the list and its indexes leaves them apart";

    fn refuse_row(tables: &mut Tables, row: &Row) {
        tables.by_id.insert(row.id.clone(), tables.rows.len());
        tables.rows.push(row.clone());
    }
}

pub(super) struct RefusedUpdateLosesOldRow;

impl Steps for RefusedUpdateLosesOldRow {
    const NAME: &'static str = "refused-update-loses-old-row";
    const SENTENCE: &'static str = "an update removes the old row before it refuses the new one";
    const SOURCE: &'static str = "BerriAI/litellm#33168: a patched row is delisted at once and for good";

    fn refuse_row(tables: &mut Tables, row: &Row) {
        Correct::delete(tables, &row.id);
    }
}

pub(super) struct RefusalSwallowed;

impl Steps for RefusalSwallowed {
    const NAME: &'static str = "refusal-swallowed";
    const SENTENCE: &'static str = "a refused change is reported as applied";
    const SOURCE: &'static str =
        "BerriAI/litellm#34564: the error of an upsert is swallowed below the visible log level";

    fn refusal(_why: String) -> Outcome {
        Outcome::Applied
    }
}

pub(super) struct RefusalFreezes;

impl Steps for RefusalFreezes {
    const NAME: &'static str = "refusal-freezes";
    const SENTENCE: &'static str =
        "after a row or a list was refused no change is carried out, though each is said to be";
    const SOURCE: &'static str = "BerriAI/litellm#34564: an exception ends the task that carries out changes";

    fn refuse_row(tables: &mut Tables, _row: &Row) {
        tables.frozen = true;
    }

    fn refuse_list(tables: &mut Tables, _rows: &[Row]) {
        tables.frozen = true;
    }

    fn insert(tables: &mut Tables, row: &Row) {
        if !tables.frozen {
            Correct::insert(tables, row);
        }
    }

    fn remove(tables: &mut Tables, id: &str, cause: Cause<'_>) -> bool {
        tables.frozen || Correct::remove(tables, id, cause)
    }

    fn clear(tables: &mut Tables) {
        if !tables.frozen {
            Correct::clear(tables);
        }
    }
}

pub(super) struct MismatchedWildcardsTaken;

impl Steps for MismatchedWildcardsTaken {
    const NAME: &'static str = "mismatched-wildcards-taken";
    const SENTENCE: &'static str = "a target whose wildcards do not fit those of the name is taken";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0: spare wildcards stay in the upstream model";

    fn check(row: &Row) -> Result<(), String> {
        check_texts(row)
    }
}

pub(super) struct TargetsOnlyGrow;

impl Steps for TargetsOnlyGrow {
    const NAME: &'static str = "targets-only-grow";
    const SENTENCE: &'static str = "the list of upstream targets is appended to by every update and never shrinks";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0 and 1.109.1: `deployment_names` is append only";

    fn drop_target(_tables: &mut Tables, _row: &Row, _cause: Cause<'_>) {}
}
