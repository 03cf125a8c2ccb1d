//! The harm that a failure does to requests, from the worst to none.

use protocol::{Answer, Candidate, Outcome, Question};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Wrong;
use crate::failure::{Allowed, Finding, Got, Version};
use crate::rules::RuleId;
use crate::rules::catalogue::Effect;

/// The harm that a failure does to requests. The least value is the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Harm {
    /// The effect on requests.
    pub effect: Effect,
    /// The kind of wrong behind it.
    pub kind: HarmKind,
}

/// The kind of wrong behind an effect, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HarmKind {
    /// A row of another team.
    OtherTeam,
    /// A row that was deleted or blocked, or an old version.
    Outdated,
    /// A refused change that changed something.
    Refusal,
    /// A row that does not go by what was asked, or a wrong upstream model.
    Target,
    /// A row that is missing or was not taken, or a lookup that broke.
    Missing,
    /// A row that comes more than once.
    Copy,
    /// An answer that depends on former changes, or on the order of the rows.
    History,
    /// A listing, a claim or the size of a structure.
    Listing,
}

impl Harm {
    /// The harm of a finding that came with these current rows, where they are known: whatever the rule, a version that is
    /// none of them should not be served.
    pub(super) fn beside(finding: &Finding, rows: Option<&[Version]>) -> Self {
        let harm = Self::of(finding);
        let (Some(rows), Got::Answer(answer), RuleId::HistoryFree) = (rows, &finding.got, finding.rule) else {
            return harm;
        };
        let is_current = |candidate: &Candidate| {
            let mut rows = rows.iter();
            rows.any(|row| row.id == candidate.id && row.tag == candidate.tag)
        };
        if answer.candidates().iter().all(is_current) {
            return harm;
        }
        harm.min(Self {
            effect: Effect::WrongDeployment,
            kind: HarmKind::Outdated,
        })
    }

    /// The harm of what an accepted change left behind, whatever it was seen by.
    pub(super) fn of_wrong(shows: Wrong) -> Self {
        let (effect, kind) = match shows {
            Wrong::Kept | Wrong::New | Wrong::Ignored => (Effect::WrongDeployment, HarmKind::Outdated),
            Wrong::Hides | Wrong::Breaks => (Effect::Fails, HarmKind::Missing),
        };
        Self { effect, kind }
    }

    /// The harm of a finding.
    pub fn of(finding: &Finding) -> Self {
        let kind = kind(finding);
        Self {
            effect: effect(finding, kind),
            kind,
        }
    }
}

fn kind(finding: &Finding) -> HarmKind {
    match finding.rule {
        RuleId::Scoped => HarmKind::OtherTeam,
        RuleId::Current
        | RuleId::NotBlocked
        | RuleId::Monotonic
        | RuleId::ReadYourWrites
        | RuleId::KeepsWrites
        | RuleId::NoFuture => HarmKind::Outdated,
        RuleId::AtomicRefusal | RuleId::FailsSafe => HarmKind::Refusal,
        RuleId::Resolved => HarmKind::Target,
        RuleId::Complete | RuleId::Undisturbed => HarmKind::Missing,
        RuleId::NoDuplicate => HarmKind::Copy,
        RuleId::HistoryFree | RuleId::OrderFree | RuleId::Heals | RuleId::Converges => HarmKind::History,
        RuleId::Listing | RuleId::Bounded => HarmKind::Listing,
    }
}

/// Returns what becomes of requests, by the answer: the same rule is broken by an answer too many and by one too few.
fn effect(finding: &Finding, kind: HarmKind) -> Effect {
    let asks_for_no_answer = !matches!(finding.question, Some(Question::Lookup(_)));
    match (&finding.allowed, &finding.got) {
        (Allowed::Built | Allowed::Outcome(Outcome::Applied), _) => Effect::Fails,
        (Allowed::OneOf(_), _) => finding.rule.rule().effect,
        _ if asks_for_no_answer => Effect::NoRequest,
        (Allowed::Answer(Answer::Refused(_)), Got::Answer(Answer::Refused(_))) => Effect::NoRequest,
        (Allowed::AnyAnswer, _) => Effect::Fails,
        (Allowed::Answer(allowed), Got::Answer(got))
            if got.candidates().is_empty() && !allowed.candidates().is_empty() =>
        {
            Effect::Fails
        }
        (Allowed::Answer(allowed), Got::Answer(got)) if kind == HarmKind::Refusal => {
            let is_new = |candidate| !allowed.candidates().contains(candidate);
            if got.candidates().iter().any(is_new) {
                Effect::WrongDeployment
            } else {
                Effect::Fails
            }
        }
        _ => finding.rule.rule().effect,
    }
}
