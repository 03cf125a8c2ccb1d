//! What a rule notes of a piece of evidence, and the words it has for it.
use std::collections::BTreeMap;

use protocol::{Answer, Candidate, Query, Refusal, Row};

use super::{Finding, Rule, Tally};
use crate::evidence::{Moment, Way};

/// What one rule notes of one piece of evidence.
pub(super) struct Notes {
    rule: &'static Rule,
    after: usize,
    premises: u64,
    findings: Vec<Finding>,
}

impl Notes {
    pub(super) fn new(rule: &'static Rule, after: usize) -> Self {
        Self {
            rule,
            after,
            premises: 0,
            findings: Vec::new(),
        }
    }

    pub(super) fn premise(&mut self) {
        self.premises += 1;
    }

    pub(super) fn fail(&mut self, class: &'static str, way: Way, subject: Subject, allowed: String, got: String) {
        let Subject {
            row,
            id,
            query,
            viewer,
            path,
        } = subject;
        self.findings.push(Finding {
            rule: self.rule.id,
            class,
            way,
            id: id.or_else(|| row.map(|row| row.id.clone())),
            extra: row.and_then(|row| row.extra.clone()),
            query: query.cloned(),
            viewer: viewer.cloned(),
            path,
            after: self.after,
            allowed,
            got,
        });
    }

    pub(super) fn close(self, tally: &mut Tally) {
        if self.premises > 0 {
            *tally.premises.entry(self.rule.id).or_default() += self.premises;
        }
        tally.findings.extend(self.findings);
    }
}

/// What a finding is about.
#[derive(Default)]
pub(super) struct Subject<'a> {
    pub(super) row: Option<&'a Row>,
    pub(super) id: Option<String>,
    pub(super) query: Option<&'a Query>,
    pub(super) viewer: Option<&'a Option<String>>,
    pub(super) path: usize,
}

/// One answer of a moment.
pub(super) struct Asked<'a> {
    pub(super) query: &'a Query,
    pub(super) path: usize,
    pub(super) answer: &'a Answer,
}

impl<'a> Asked<'a> {
    pub(super) fn about(&self, row: Option<&'a Row>) -> Subject<'a> {
        Subject {
            row,
            id: None,
            query: Some(self.query),
            viewer: None,
            path: self.path,
        }
    }
}

pub(super) fn answers<'a>(moment: &'a Moment) -> impl Iterator<Item = Asked<'a>> {
    moment
        .queries
        .iter()
        .zip(&moment.seen.answers)
        .flat_map(|(query, paths)| {
            let asked = move |(path, answer)| Asked { query, path, answer };
            paths.iter().enumerate().map(asked)
        })
}

/// In which way two answers differ, and a candidate that shows it.
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

/// An answer in a report: ids and tags.
pub(super) fn short(answer: &Answer) -> String {
    say(answer, |candidate| format!("{} {}", candidate.id, candidate.tag))
}

/// An answer in a report: ids, tags and upstream models.
pub(super) fn long(answer: &Answer) -> String {
    say(answer, |candidate| {
        format!("{} {} -> {}", candidate.id, candidate.tag, candidate.model)
    })
}

pub(super) fn say(answer: &Answer, word: impl Fn(&Candidate) -> String) -> String {
    match answer {
        Answer::Candidates(candidates) => {
            let mut words: Vec<String> = candidates.iter().map(word).collect();
            words.sort_unstable();
            list(&words)
        }
        Answer::Refused(Refusal::UnknownModel) => "refused: unknown model".to_owned(),
        Answer::Refused(Refusal::Blocked) => "refused: blocked".to_owned(),
        Answer::Refused(Refusal::Invalid) => "refused: invalid".to_owned(),
        Answer::Failed(text) => format!("failed: {text}"),
    }
}

pub(super) fn sizes(sizes: &BTreeMap<String, u64>) -> String {
    list(
        sizes
            .iter()
            .map(|(structure, size)| format!("{structure}: {size}"))
            .collect::<Vec<_>>()
            .iter(),
    )
}

pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let texts: Vec<&str> = texts.into_iter().map(String::as_str).collect();
    if texts.is_empty() {
        "none".to_owned()
    } else {
        texts.join(", ")
    }
}
