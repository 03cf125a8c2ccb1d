//! Faults of what the router says of itself: its listing and its claims.

use protocol::{Answer, Query, Refusal, Row};

use crate::steps::{Correct, Steps};
use crate::tables::{GLOBAL, Tables};

pub(super) struct ListingKeepsOldNames;

impl Steps for ListingKeepsOldNames {
    const NAME: &'static str = "listing-keeps-old-names";
    const SENTENCE: &'static str = "a name that no row has any more is listed as long as a wildcard answers for it";
    const SOURCE: &'static str = "kevinhermawan/Ollamac#48: deleted models are still shown";

    fn drop_shown(_tables: &mut Tables, _row: &Row) {}
}

pub(super) struct ListingShowsBlocked;

impl Steps for ListingShowsBlocked {
    const NAME: &'static str = "listing-shows-blocked";
    const SENTENCE: &'static str = "a name of which every row is blocked is listed";
    const SOURCE: &'static str = "Vivswan/litellm-vscode-chat#182: paused models stay in the list that is offered";

    fn is_shown(tables: &Tables, name: &str, team: Option<&str>) -> bool {
        Correct::is_shown(tables, name, team)
            || Correct::lookup(tables, &Query::new(name, team)) == Answer::Refused(Refusal::Blocked)
    }
}

pub(super) struct ListingLeaksTeams;

impl Steps for ListingLeaksTeams {
    const NAME: &'static str = "listing-leaks-teams";
    const SENTENCE: &'static str = "every caller is shown the names of every team";
    const SOURCE: &'static str = "BerriAI/litellm#39867: names are granted beyond the team that can use them";

    fn listing(tables: &Tables, _team: Option<&str>) -> Vec<String> {
        let teams = tables.shown.keys().map(String::as_str);
        let callers = teams.map(|scope| (scope != GLOBAL).then_some(scope));
        let mut names: Vec<String> = callers.flat_map(|team| Correct::listing(tables, team)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

pub(super) struct NewNamesUnlisted;

impl Steps for NewNamesUnlisted {
    const NAME: &'static str = "new-names-unlisted";
    const SENTENCE: &'static str = "a name that an upsert brings is served, and listed only once a list is loaded";
    const SOURCE: &'static str = "the converse of kevinhermawan/Ollamac#48: the listing is made when a list is loaded";

    fn upsert_new(tables: &mut Tables, row: &Row) {
        let shown = tables.shown.clone();
        Correct::upsert_new(tables, row);
        tables.shown = shown;
    }
}

pub(super) struct ListingOmitsTeamNames;

impl Steps for ListingOmitsTeamNames {
    const NAME: &'static str = "listing-omits-team-names";
    const SENTENCE: &'static str = "a team is not shown the names of its own that it is served by";
    const SOURCE: &'static str = "BerriAI/litellm#30983: the listing is made without the caller's team";

    fn is_shown(tables: &Tables, name: &str, _team: Option<&str>) -> bool {
        Correct::is_shown(tables, name, None)
    }
}

pub(super) struct ClaimsOmitBlocked;

impl Steps for ClaimsOmitBlocked {
    const NAME: &'static str = "claims-omit-blocked";
    const SENTENCE: &'static str = "a blocked row is held, and not claimed to be";
    const SOURCE: &'static str =
        "the converse of Vivswan/litellm-vscode-chat#182: a pause hides the row from its admins";

    fn held(tables: &Tables) -> Vec<String> {
        let unblocked = |id: &&String| {
            Correct::position(tables, id)
                .and_then(|at| tables.rows.get(at))
                .is_none_or(|row| !row.blocked)
        };
        Correct::held(tables).iter().filter(unblocked).cloned().collect()
    }
}
