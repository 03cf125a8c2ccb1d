//! Faults of lookups that have nothing to do with the shape of a pattern.

use protocol::{Answer, Refusal, Row};

use crate::steps::{Correct, Steps, Tier};
use crate::tables::{Entry, Tables};

pub(super) struct BlockedPatternsServed;

impl Steps for BlockedPatternsServed {
    const NAME: &'static str = "blocked-patterns-served";
    const SENTENCE: &'static str = "a blocked row goes on serving if it is reached by a wildcard";
    const SOURCE: &'static str = "BerriAI/litellm#41890";

    fn serves(row: &Row, tier: Tier) -> bool {
        matches!(tier, Tier::TeamPatterns | Tier::Patterns) || Correct::serves(row, tier)
    }
}

pub(super) struct BlockedIdsServed;

impl Steps for BlockedIdsServed {
    const NAME: &'static str = "blocked-ids-served";
    const SENTENCE: &'static str = "a blocked row goes on serving if it is asked for by its id";
    const SOURCE: &'static str = "BerriAI/litellm#27927: a paused deployment is still reached by its encoded id";

    fn serves(row: &Row, tier: Tier) -> bool {
        tier == Tier::Ids || Correct::serves(row, tier)
    }
}

pub(super) struct BlockedFallsThrough;

impl Steps for BlockedFallsThrough {
    const NAME: &'static str = "blocked-falls-through";
    const SENTENCE: &'static str = "if every row of a name is blocked, the next tier answers";
    const SOURCE: &'static str = "BerriAI/litellm#41890: when the filter removes every candidate, fall through";

    fn decides(answer: &Answer) -> bool {
        *answer != Answer::Refused(Refusal::Blocked)
    }
}

pub(super) struct IdIgnoresTeam;

impl Steps for IdIgnoresTeam {
    const NAME: &'static str = "id-ignores-team";
    const SENTENCE: &'static str = "a team's row serves anyone who asks for it by its id";
    const SOURCE: &'static str =
        "BerriAI/litellm#12049: teams are told apart on one path to a row and not on the others";

    fn sees(_row: &Row, _team: Option<&str>) -> bool {
        true
    }
}

pub(super) struct TeamlessSeesTeamNames;

impl Steps for TeamlessSeesTeamNames {
    const NAME: &'static str = "teamless-sees-team-names";
    const SENTENCE: &'static str = "a caller without a team is answered with the rows of every team";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0: a caller without a team sees all rows of a name";

    fn in_team<'t>(tables: &'t Tables, name: &str, team: Option<&str>) -> Option<Vec<&'t Row>> {
        if team.is_some() {
            return Correct::in_team(tables, name, team);
        }
        let positions = tables.by_team.values().filter_map(|names| names.get(name));
        let rows: Vec<&Row> = positions.flat_map(|positions| tables.at(positions)).collect();
        (!rows.is_empty()).then_some(rows)
    }
}

pub(super) struct ForeignTeamPatterns;

impl Steps for ForeignTeamPatterns {
    const NAME: &'static str = "foreign-team-patterns";
    const SENTENCE: &'static str = "a caller whose team has no wildcards is answered by those of another team";
    const SOURCE: &'static str = "BerriAI/litellm#37035: a team's row is resolved for a caller without a team";

    fn team_patterns<'t>(tables: &'t Tables, team: Option<&str>) -> Option<(&'t str, &'t [Entry])> {
        let foreign = || tables.team_patterns.iter().next();
        Correct::team_patterns(tables, team)
            .or_else(|| foreign().map(|(team, entries)| (team.as_str(), entries.as_slice())))
    }
}

pub(super) struct IdsFirst;

impl Steps for IdsFirst {
    const NAME: &'static str = "ids-first";
    const SENTENCE: &'static str = "a row whose id equals a model name takes all of its traffic";
    const SOURCE: &'static str = "measured on LiteLLM 1.85.0; BerriAI/litellm#35614";

    const TIERS: [Tier; 5] = [
        Tier::Ids,
        Tier::TeamNames,
        Tier::Names,
        Tier::TeamPatterns,
        Tier::Patterns,
    ];
}

pub(super) struct GlobalPatternsFirst;

impl Steps for GlobalPatternsFirst {
    const NAME: &'static str = "global-patterns-first";
    const SENTENCE: &'static str = "a global wildcard shadows the wildcards of a team";
    const SOURCE: &'static str = "measured on LiteLLM up to 1.107";

    const TIERS: [Tier; 5] = [
        Tier::TeamNames,
        Tier::Names,
        Tier::Ids,
        Tier::Patterns,
        Tier::TeamPatterns,
    ];
}

pub(super) struct ResolvedNameKept;

impl Steps for ResolvedNameKept {
    const NAME: &'static str = "resolved-name-kept";
    const SENTENCE: &'static str = "which pattern serves a name is remembered across changes";
    const SOURCE: &'static str = "apache/apisix#8119: the cache of matched routes outlives the routes";

    fn forget_patterns(_tables: &mut Tables) {}
}

pub(super) struct MissRemembered;

impl Steps for MissRemembered {
    const NAME: &'static str = "miss-remembered";
    const SENTENCE: &'static str = "a name that was unknown once stays unknown after a row for it has come";
    const SOURCE: &'static str = "Kong/kong#5397: a cached miss stays until its time is over";

    fn forget_misses(_tables: &mut Tables) {}
}
