//! Notes: what a rule records of a piece of evidence, its premises and its findings.
use protocol::{Answer, Candidate, Query, Question, Row};

use super::{RuleId, Tally};
use crate::evidence::{Ground, Look};
use crate::failure::{Allowed, Finding, Got, Tier};

/// The notes that one rule takes of one piece of evidence.
pub(super) struct Notes {
    rule: RuleId,
    replica: Option<u8>,
    after: usize,
    premises: u64,
    findings: Vec<Finding>,
}

impl Notes {
    pub(super) fn new(rule: RuleId, replica: Option<u8>, after: usize) -> Self {
        Self {
            rule,
            replica,
            after,
            premises: 0,
            findings: Vec::new(),
        }
    }

    /// Sets the replica, and the number of steps done, that the following notes are about.
    pub(super) fn at(&mut self, replica: u8, after: usize) {
        self.replica = Some(replica);
        self.after = after;
    }

    /// Sets the number of steps done at which the store was looked at.
    pub(super) fn at_store(&mut self, after: usize) {
        self.replica = None;
        self.after = after;
    }

    /// Adds the notes of the one, of several ways to judge, that has the fewest findings.
    pub(super) fn best_of(&mut self, ways: impl IntoIterator<Item = Self>) {
        if let Some(best) = ways.into_iter().min_by_key(|notes| notes.findings.len()) {
            self.premises += best.premises;
            self.findings.extend(best.findings);
        }
    }

    /// Returns empty notes for the same rule, replica and number of steps.
    pub(super) fn blank(&self) -> Self {
        Self::new(self.rule, self.replica, self.after)
    }

    pub(super) fn premise(&mut self) {
        self.premises += 1;
    }

    pub(super) fn fail(&mut self, class: &'static str, subject: Subject, allowed: Allowed, got: Got) {
        let Subject {
            row,
            id,
            tier,
            question,
            path,
        } = subject;
        self.findings.push(Finding {
            rule: self.rule,
            class,
            tier,
            id: id.or_else(|| row.map(|row| row.id.clone())),
            replica: self.replica,
            extra: row.and_then(|row| row.extra.clone()),
            question,
            path,
            after: self.after,
            allowed,
            got,
        });
    }

    pub(super) fn close(self, tally: &mut Tally) {
        if self.premises > 0 {
            *tally.premises.entry(self.rule).or_default() += self.premises;
        }
        tally.findings.extend(self.findings);
    }
}

/// The row, the question and the path that a finding is about.
#[derive(Default)]
pub(super) struct Subject<'a> {
    pub(super) row: Option<&'a Row>,
    /// The id of the deployment, where it is not the id of the row.
    pub(super) id: Option<String>,
    pub(super) tier: Option<Tier>,
    pub(super) question: Option<Question>,
    pub(super) path: usize,
}

impl<'a> Subject<'a> {
    /// The subject that a question makes, with a row where there is one.
    pub(super) fn of(question: Question, row: Option<&'a Row>) -> Self {
        Self {
            row,
            question: Some(question),
            ..Self::default()
        }
    }
}

/// One answer of a moment.
pub(super) struct Asked<'a> {
    pub(super) query: &'a Query,
    pub(super) path: usize,
    pub(super) answer: &'a Answer,
}

impl Asked<'_> {
    /// Returns the subject of a finding on this answer, with a row where there is one.
    pub(super) fn about<'r>(&self, ground: &Ground, row: Option<&'r Row>) -> Subject<'r> {
        Subject {
            tier: row.map(|row| ground.tier(row, &self.query.model)),
            path: self.path,
            ..Subject::of(Question::Lookup(self.query.clone()), row)
        }
    }

    pub(super) fn got(&self) -> Got {
        Got::Answer(self.answer.clone())
    }
}

/// Returns every answer of a round, one for each lookup and path, with the number of its lookup among those of the round.
pub(super) fn answers(look: Look<'_>) -> impl Iterator<Item = (usize, Asked<'_>)> {
    look.lookups().enumerate().flat_map(|(number, (_, query, paths))| {
        let asked = move |(path, answer)| (number, Asked { query, path, answer });
        paths.iter().enumerate().map(asked)
    })
}

/// Returns the class of the difference between two answers, and a candidate that shows it.
pub(super) fn difference<'a>(one: &'a Answer, other: &'a Answer) -> (&'static str, Option<&'a Candidate>) {
    let count = |answer: &Answer, candidate: &Candidate| {
        let candidates = answer.candidates().iter();
        candidates.filter(|other| *other == candidate).count()
    };
    let more = |in_this: &'a Answer, than: &'a Answer| {
        let mut candidates = in_this.candidates().iter();
        candidates.find(|candidate| count(in_this, candidate) > count(than, candidate))
    };
    match (more(other, one), more(one, other)) {
        (Some(extra), None) => ("extra", Some(extra)),
        (None, Some(missing)) => ("missing", Some(missing)),
        (Some(extra), Some(_)) => ("other", Some(extra)),
        (None, None) => ("refusal", None),
    }
}
