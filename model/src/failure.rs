//! One broken rule as data: the question, what the rule allows, what came, and what tells one failure from another.

use std::collections::BTreeMap;
use std::fmt;

use protocol::{Answer, Candidate, Change, Outcome, Question, QuestionKind, Refusal, Run, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::catalogue::RuleId;

/// The tier by which a query reached a row, or should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The exact name of a team's row.
    TeamExact,
    /// The exact name of a row without a team.
    Exact,
    /// A deployment id.
    Id,
    /// The pattern of a team's row.
    TeamPattern,
    /// The pattern of a row without a team.
    GlobalPattern,
}

impl Tier {
    /// Every tier, the first to match first.
    pub const ALL: [Self; 5] = [
        Self::TeamExact,
        Self::Exact,
        Self::Id,
        Self::TeamPattern,
        Self::GlobalPattern,
    ];

    /// The words for it in files and reports.
    pub const fn words(self) -> &'static str {
        match self {
            Self::TeamExact => "team exact",
            Self::Exact => "exact",
            Self::Id => "id",
            Self::TeamPattern => "team pattern",
            Self::GlobalPattern => "global pattern",
        }
    }
}

/// One broken rule, at one moment, in one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// The way in which it is broken, in a word of the rule's explanation.
    pub class: &'static str,
    /// The tier of the row that it is about, where it is about the answer to a lookup.
    pub tier: Option<Tier>,
    /// The deployment that it is about.
    pub id: Option<String>,
    /// The replica that showed it; none where there is only one router.
    pub replica: Option<u8>,
    /// The extra of that deployment's row.
    pub extra: Option<String>,
    /// The question whose answer breaks the rule. Claims are not asked for: each reply to a change has them.
    pub question: Option<Question>,
    /// The index of the dialect's path that answered.
    pub path: usize,
    /// Number of steps done by then.
    pub after: usize,
    /// The answer, names, ids or sizes that the rule allows.
    pub allowed: Allowed,
    /// The answer, names, ids or sizes that came.
    pub got: Got,
}

/// The answer, names, ids or sizes that a rule allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Allowed {
    /// The only answer that is allowed, or of several the one nearest to what came.
    Answer(Answer),
    /// Any answer but a failure.
    AnyAnswer,
    /// Of a deployment this version alone.
    Version(Version),
    /// Of a deployment this version or a newer one.
    AtLeast(Version),
    /// No row of that id, or of any id where there is none.
    NoRow(Option<String>),
    /// An answer with that entry at most once.
    Once(Version),
    /// A list with that id at most once.
    IdOnce(String),
    /// Rows of that team and rows without a team; where the team is absent, the latter alone.
    RowsOf(Option<String>),
    /// A listing without that name.
    NotNamed(String),
    /// The names that are allowed.
    Names(Vec<String>),
    /// The ids that are allowed.
    Ids(Vec<String>),
    /// The tags that are allowed in the router's own registry.
    Tags(Vec<String>),
    /// The number of entries that each structure is allowed.
    Sizes(BTreeMap<String, u64>),
    /// At most so many entries of that structure.
    AtMost(Size),
    /// At least so many entries of that structure.
    NoFewer(Size),
    /// One outcome of a change.
    Outcome(Outcome),
    /// A fresh router that can be built of the rows.
    Built,
    /// One of these cells of the store.
    OneOf(Vec<Cell>),
    /// A poll that ends well, as that of a fresh replica does.
    Polled,
}

/// The answer, names, ids or sizes that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Got {
    /// The answer that came.
    Answer(Answer),
    /// The answer that came, and the team whose row it has.
    OfTeam(Answer, String),
    /// The names that came.
    Names(Vec<String>),
    /// The ids that came.
    Ids(Vec<String>),
    /// The tags that came, in the router's own registry.
    Tags(Vec<String>),
    /// The number of entries of each structure.
    Sizes(BTreeMap<String, u64>),
    /// So many entries of that structure.
    Size(Size),
    /// The outcome of a change.
    Outcome(Outcome),
    /// No fresh router can be built of the rows, for the router's own reason.
    Unbuildable(String),
    /// A cell of the store.
    Cell(Cell),
    /// A poll that waits, or that failed for that reason.
    Poll(Option<String>),
}

/// One field of one row in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The row.
    pub id: String,
    /// The field by its name in trace files, or `exists`.
    pub field: String,
    /// The value in JSON.
    pub value: String,
}

/// One version of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The deployment's id.
    pub id: String,
    /// The tag of the version.
    pub tag: String,
}

/// The number of entries of a derived structure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// The router's own name of the structure.
    pub structure: String,
    /// Number of entries.
    pub entries: u64,
}

impl Finding {
    /// Returns what the rule allows and what came, a line each.
    pub fn words(&self) -> [String; 2] {
        finding_words(self.rule, &self.allowed, &self.got)
    }

    /// The derived structure that it is about, where it is about one.
    pub fn structure(&self) -> Option<&str> {
        match &self.got {
            Got::Size(size) => Some(&size.structure),
            _ => None,
        }
    }
}

/// Returns what a rule allows and what came, a line each.
pub fn finding_words(rule: RuleId, allowed: &Allowed, got: &Got) -> [String; 2] {
    // Upstream models are told where two answers are compared whole.
    let whole = matches!(allowed, Allowed::Answer(_)) && rule != RuleId::Complete;
    let got = match got {
        Got::Answer(Answer::Failed(why)) if *allowed == Allowed::AnyAnswer => why.clone(),
        Got::Answer(answer) => answer_text(answer, whole),
        Got::OfTeam(answer, team) => format!("{} of team {team}", answer_text(answer, whole)),
        Got::Names(texts) | Got::Ids(texts) | Got::Tags(texts) => list(texts),
        Got::Sizes(sizes) => sizes_text(sizes),
        Got::Size(Size { structure, entries }) => format!("{structure}: {entries}"),
        Got::Outcome(outcome) => outcome_text(outcome),
        Got::Unbuildable(why) => why.clone(),
        Got::Cell(cell) => cell.to_string(),
        Got::Poll(None) => "a poll that waits for ever".to_owned(),
        Got::Poll(Some(why)) => format!("a poll that fails: {why}"),
    };
    [allowed_text(allowed, whole), got]
}

fn allowed_text(allowed: &Allowed, whole: bool) -> String {
    match allowed {
        Allowed::Answer(answer) => answer_text(answer, whole),
        Allowed::AnyAnswer => "an answer".to_owned(),
        Allowed::Version(version) => version.to_string(),
        Allowed::AtLeast(version) => format!("{version} or newer"),
        Allowed::NoRow(None) => "none".to_owned(),
        Allowed::NoRow(Some(id)) => format!("no {id}"),
        Allowed::Once(version) => format!("{version} once"),
        Allowed::IdOnce(id) => format!("{id} once"),
        Allowed::RowsOf(None) => "rows without a team".to_owned(),
        Allowed::RowsOf(Some(team)) => format!("rows of team {team} or of none"),
        Allowed::NotNamed(name) => format!("no `{name}`"),
        Allowed::Names(texts) | Allowed::Ids(texts) | Allowed::Tags(texts) => list(texts),
        Allowed::Sizes(sizes) => sizes_text(sizes),
        Allowed::AtMost(Size { structure, entries }) => format!("{structure}: at most {entries}"),
        Allowed::NoFewer(Size { structure, entries }) => format!("{structure}: at least {entries}"),
        Allowed::Outcome(outcome) => outcome_text(outcome),
        Allowed::Built => "a fresh router of the rows".to_owned(),
        Allowed::OneOf(cells) => cells.iter().map(Cell::to_string).collect::<Vec<_>>().join(" or "),
        Allowed::Polled => "a poll that ends well, as that of a fresh replica".to_owned(),
    }
}

/// An answer in a line: ids and tags, and upstream models if `whole`.
fn answer_text(answer: &Answer, whole: bool) -> String {
    let word = |candidate: &Candidate| {
        let Candidate { id, tag, model } = candidate;
        if whole {
            format!("{id} {tag} -> {model}")
        } else {
            format!("{id} {tag}")
        }
    };
    match answer {
        Answer::Candidates(candidates) => {
            let mut words: Vec<String> = candidates.iter().map(word).collect();
            words.sort_unstable();
            list(words)
        }
        Answer::Refused(Refusal::UnknownModel) => "refused: unknown model".to_owned(),
        Answer::Refused(Refusal::Blocked) => "refused: blocked".to_owned(),
        Answer::Refused(Refusal::Invalid) => "refused: invalid".to_owned(),
        Answer::Failed(text) => format!("failed: {text}"),
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.tag)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, field, value } = self;
        write!(f, "{id}: {field} = {value}")
    }
}

fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::Unchanged => "unchanged".to_owned(),
        Outcome::Refused(why) => format!("refused: {why}"),
    }
}

fn sizes_text(sizes: &BTreeMap<String, u64>) -> String {
    list(sizes.iter().map(|(structure, size)| format!("{structure}: {size}")))
}

fn list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<T> = texts.into_iter().collect();
    if texts.is_empty() {
        return "none".to_owned();
    }
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    texts.join(", ")
}

/// The part of a finding that must stay the same while a trace shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingKind {
    /// The rule.
    pub rule: RuleId,
    /// The failure class.
    pub class: &'static str,
    /// The kind of question.
    pub question: Option<QuestionKind>,
    /// The tier of the row.
    pub tier: Option<Tier>,
}

impl FindingKind {
    /// The kind of a finding.
    pub fn of(finding: &Finding) -> Self {
        Self {
            rule: finding.rule,
            class: finding.class,
            question: finding.question.as_ref().map(Question::kind),
            tier: finding.tier,
        }
    }

    /// The tier, or the kind of question that has none, in the words of reports.
    pub fn place(&self) -> &'static str {
        finding_place(self.question, self.tier)
    }
}

/// The tier, or the kind of question that has none, in the words of reports.
pub fn finding_place(question: Option<QuestionKind>, tier: Option<Tier>) -> &'static str {
    match (tier, question) {
        (Some(tier), _) => tier.words(),
        (None, Some(QuestionKind::Lookup) | None) => "no tier",
        (None, Some(question)) => question.word(),
    }
}

/// The part of a failure that tells it apart from others: each signature is reported once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// The rule, the failure class, the kind of question and the tier.
    pub kind: FindingKind,
    /// The derived structure, where it is about one.
    pub structure: Option<String>,
    /// The verb of the last change that touched the row.
    pub last: &'static str,
    /// The parameter bundle without which it does not fail.
    pub extra: Option<String>,
}

impl Signature {
    /// The signature of a finding behind these steps.
    pub fn of(finding: &Finding, steps: &[Step]) -> Self {
        let last_about = |id: Option<&str>| {
            steps.iter().rev().find_map(|step| {
                let (verb, is_about) = match (step.change(), step.write()) {
                    (Some(change), _) => (change.verb(), id.is_none_or(|id| touches(change, id))),
                    (None, Some(op)) => (op.write.verb(), id.is_none_or(|id| op.write.id() == id)),
                    (None, None) => return None,
                };
                is_about.then_some(verb)
            })
        };
        let touching = finding.id.as_deref().and_then(|id| last_about(Some(id)));
        Self {
            kind: FindingKind::of(finding),
            structure: finding.structure().map(str::to_owned),
            last: touching.or_else(|| last_about(None)).unwrap_or("construction"),
            extra: finding.extra.clone(),
        }
    }
}

/// Returns whether a change is about the row of that id.
pub(crate) fn touches(change: &Change, id: &str) -> bool {
    match change {
        Change::Upsert(row) | Change::Add(row) => row.id == id,
        Change::Delete(deleted) => deleted == id,
        Change::Replace(_) => true,
    }
}

/// One distinct failure.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The signature that tells it apart from others.
    pub signature: Signature,
    /// The finding that the trace shows.
    pub finding: Finding,
    /// The trace, made small, with the question that shows the failure.
    pub run: Run,
    /// The trace that first showed it.
    pub origin: Origin,
    /// Number of findings of this failure, this one included.
    pub count: u64,
    /// True if it was made small: not where the search was stopped before, or it did not show again.
    pub shrunk: bool,
}

impl Failure {
    /// The place among failures with the same signature, the one to keep first: made small before not, then fewer steps.
    pub fn rank(&self) -> (bool, usize) {
        (!self.shrunk, self.run.trace.size())
    }
}

/// The trace that first showed a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The universe from which it was drawn, or the engine.
    pub universe: &'static str,
    /// The number of the trace.
    pub trace: u32,
    /// Number of its steps.
    pub steps: usize,
}
