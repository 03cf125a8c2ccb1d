//! Failures put together by what caused them.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use protocol::Question;

use super::{CauseKey, Diagnosis, Harm};
use crate::failure::{Failure, Finding};

/// Failures that one fault explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The key that they share.
    pub key: CauseKey,
    /// The harm of the worst of them.
    pub harm: Harm,
    /// The failures, the witness first, by their places in the list that was grouped.
    pub members: Vec<Member>,
    /// Number of findings of all of them.
    pub hits: u64,
}

/// A failure of a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The place in the list that was grouped.
    pub place: usize,
    /// The diagnosis.
    pub diagnosis: Diagnosis,
    /// The harm that it does to requests.
    pub harm: Harm,
}

/// Groups failures by their causes: the worst first, and those that are to be checked last.
pub fn group(failures: &[(&Failure, Diagnosis)]) -> Vec<Cause> {
    let diagnoses: Vec<&Diagnosis> = failures.iter().map(|(_, diagnosis)| diagnosis).collect();
    let keys: Vec<&CauseKey> = diagnoses.iter().map(|one| joined(one, &diagnoses)).collect();
    let distinct: BTreeSet<&CauseKey> = keys.iter().copied().collect();
    let mut causes: Vec<Cause> = distinct
        .into_iter()
        .map(|key| {
            let places = (0..failures.len()).filter(|place| keys[*place] == key);
            cause(key, places, failures)
        })
        .collect();
    causes.sort_by_key(|cause| (cause.key.is_to_be_checked(), cause.harm, Reverse(cause.hits)));
    causes
}

/// The key that a failure goes by, once all are known: that of another cause where it is but a sign of that.
fn joined<'a>(diagnosis: &'a Diagnosis, all: &[&'a Diagnosis]) -> &'a CauseKey {
    let explains = |other: &&&Diagnosis| match &diagnosis.key {
        CauseKey::Growth { .. } => diagnosis.also.as_ref() == Some(&other.key),
        CauseKey::Unbuildable { .. } => {
            let refused = matches!(other.key, CauseKey::RefusedRow { .. } | CauseKey::RefusedList);
            refused && other.reason.is_some() && other.reason == diagnosis.reason
        }
        _ => false,
    };
    let other = all.iter().filter(explains).map(|other| &other.key).min();
    other.unwrap_or(&diagnosis.key)
}

/// The harm of a failure, as far as its diagnosis tells more than its finding.
fn harm(finding: &Finding, diagnosis: &Diagnosis) -> Harm {
    let rows = diagnosis.told.last().map(|told| told.rows.as_slice());
    let harm = Harm::beside(finding, rows);
    match (&finding.question, &diagnosis.key) {
        (Some(Question::Sizes), CauseKey::Applied { shows, .. }) => harm.min(Harm::of_wrong(*shows)),
        _ => harm,
    }
}

fn cause(key: &CauseKey, places: impl Iterator<Item = usize>, failures: &[(&Failure, Diagnosis)]) -> Cause {
    let mut members: Vec<Member> = places
        .map(|place| {
            let (failure, diagnosis) = &failures[place];
            Member {
                place,
                diagnosis: diagnosis.clone(),
                harm: harm(&failure.finding, diagnosis),
            }
        })
        .collect();
    members.sort_by_key(|member| {
        let (failure, _) = failures[member.place];
        let oracle = failure.finding.rule.rule().oracle;
        let steps = failure.run.trace.size();
        // A request that goes wrong says more than a claim.
        let is_lookup = matches!(failure.finding.question, Some(Question::Lookup(_)));
        (
            member.harm.effect,
            !is_lookup,
            member.harm,
            oracle,
            Reverse(failure.count),
            steps,
        )
    });
    let hits = members.iter().map(|member| failures[member.place].0.count).sum();
    Cause {
        key: key.clone(),
        harm: members
            .iter()
            .map(|member| member.harm)
            .min()
            .expect("a cause has a member"),
        members,
        hits,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Remains;
    use super::*;
    use crate::failure::{Allowed, Got};
    use crate::rules::RuleId;

    fn diagnosis(key: CauseKey, reason: Option<&str>) -> Diagnosis {
        let finding = Finding {
            rule: RuleId::HistoryFree,
            class: "unbuildable",
            tier: None,
            id: None,
            replica: None,
            extra: None,
            question: None,
            path: 0,
            after: 1,
            allowed: Allowed::Built,
            got: Got::Unbuildable("no".to_owned()),
        };
        Diagnosis {
            key,
            reason: reason.map(str::to_owned),
            ..Diagnosis::unexplained(&finding)
        }
    }

    #[test]
    fn a_table_that_cannot_be_built_is_a_sign_of_what_was_refused_for_the_same_reason() {
        let remains = Remains::Held;
        let verb = "upsert".to_owned();
        for refused in [CauseKey::RefusedRow { remains }, CauseKey::RefusedList] {
            for (of_refusal, of_table, is_sign) in [
                (Some("no room"), Some("no room"), true),
                (Some("no room"), Some("no such region"), false),
                (Some("no room"), None, false),
                (None, Some("no room"), false),
                (None, None, false),
            ] {
                let refused = diagnosis(refused.clone(), of_refusal);
                let unbuildable = CauseKey::Unbuildable {
                    verb: verb.clone(),
                    reason: of_table.unwrap_or_default().to_owned(),
                };
                let table = diagnosis(unbuildable, of_table);
                let other = diagnosis(CauseKey::AskedBefore, of_table);
                let joined = joined(&table, &[&other, &table, &refused]);
                let expected = if is_sign { &refused.key } else { &table.key };
                assert_eq!(joined, expected, "{of_refusal:?}, {of_table:?}");
            }
        }
    }
}
