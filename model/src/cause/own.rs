//! The question of a failure, and what was answered to it at a stage.

use std::collections::BTreeSet;

use protocol::{Answer, Question, Shown};

use super::stage::{Face, Stage};
use crate::failure::{Allowed, Finding, Got};
use crate::rules::RuleId;

/// The question of a failure. Where it is put to a router, it is the first.
#[derive(Clone, Debug)]
pub(super) enum Own {
    /// A lookup on that path.
    Lookup(usize),
    /// A listing.
    Listing,
    /// The size of that structure.
    Size(String),
    /// The number of times that this id is claimed, or all claims.
    Claims(Option<String>),
    /// True if a fresh router can be built.
    Built,
}

/// The answer to the question of a failure, so that two compare as they should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Answer(Answer),
    Names(BTreeSet<String>),
    Size(u64),
    Claims(Vec<String>),
}

impl Own {
    pub(super) fn of(finding: &Finding) -> Self {
        match (&finding.question, &finding.got) {
            (_, Got::Unbuildable(_)) | (None, _) => Self::Built,
            (Some(Question::Lookup(_)), _) => Self::Lookup(finding.path),
            (Some(Question::Listing(_)), _) => Self::Listing,
            (Some(Question::Sizes), _) => Self::Size(structure(finding)),
            (Some(Question::Claims | Question::Holds | Question::Store), _) => {
                // A refused change may have moved any claim, and not that of its own row alone.
                Self::Claims(finding.id.clone().filter(|_| finding.rule != RuleId::AtomicRefusal))
            }
        }
    }

    /// The answer of a router; none where it did not show one.
    fn said(&self, face: &Face) -> Option<Said> {
        match (self, face.shown.first()) {
            (Self::Lookup(path), Some(Shown::Answers(answers))) => answers.get(*path).cloned().map(said_answer),
            (Self::Listing, Some(Shown::Names(names))) => Some(Said::Names(names.iter().cloned().collect())),
            (Self::Size(structure), Some(Shown::Sizes(sizes))) => sizes.get(structure).copied().map(Said::Size),
            (Self::Claims(id), _) => {
                let mut held = face.held.clone()?;
                held.retain(|held| id.as_ref().is_none_or(|id| held == id));
                held.sort_unstable();
                Some(Said::Claims(held))
            }
            _ => None,
        }
    }

    /// Returns whether no fresh router of the rows gives the answer of this one.
    pub(super) fn differs(&self, stage: &Stage) -> bool {
        if matches!(self, Self::Built) {
            return stage.unbuildable().is_some();
        }
        let here = self.said(&stage.here);
        let as_here = |fresh: &Result<Face, String>| fresh.as_ref().is_ok_and(|fresh| self.said(fresh) == here);
        !stage.fresh.is_empty() && here.is_some() && !stage.fresh.iter().any(as_here)
    }

    /// Returns whether fresh routers of the rows answer differently, by the order in which they were given them.
    pub(super) fn depends_on_order(&self, stage: &Stage) -> bool {
        let mut said = stage.fresh.iter().flatten().map(|fresh| self.said(fresh));
        let first = said.next();
        first.is_some_and(|first| said.any(|other| other != first))
    }

    /// Returns whether the answer at a stage is the one that a failure reports.
    pub(super) fn is_as_reported(&self, stage: &Stage, got: &Got) -> bool {
        let here = self.said(&stage.here);
        let reported = match got {
            Got::Answer(answer) | Got::OfTeam(answer, _) => Said::Answer(answer.clone()),
            Got::Names(names) => Said::Names(names.iter().cloned().collect()),
            // The other questions change nothing, and are not answered from what was asked before.
            _ => return true,
        };
        let reported = match reported {
            Said::Answer(answer) => said_answer(answer),
            other => other,
        };
        here == Some(reported)
    }
}

/// The structure that a finding about sizes is about: the first that is not as it should be.
fn structure(finding: &Finding) -> String {
    match (&finding.allowed, &finding.got) {
        (_, Got::Size(size)) => size.structure.clone(),
        (Allowed::Sizes(allowed), Got::Sizes(got)) => {
            let moved = got.iter().find(|(name, size)| allowed.get(*name) != Some(size));
            moved.map_or_else(String::new, |(name, _)| name.clone())
        }
        _ => String::new(),
    }
}

/// The answer as it compares: of a failure the text says nothing.
fn said_answer(answer: Answer) -> Said {
    Said::Answer(match answer.sorted() {
        Answer::Failed(_) => Answer::Failed(String::new()),
        other => other,
    })
}
