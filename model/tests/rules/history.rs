//! Histories written by hand, and what a rule says of them.

use model::{Beside, Finding, FindingKind, Fresh, Judge, RuleId, RuleSet, Tally, Tracked};
use protocol::wire::PROTOCOL_VERSION;
use protocol::{
    Answer, Candidate, Change, Changed, Dialect, Extra, Hello, Observation, Outcome, Query, Question, Questions,
    Refusal, Row, Run, RunReply, Shown, Step, StepReply, Trace,
};

/// A history: changes and what the router said of them, then one question and what it got.
pub(crate) struct History {
    pub(crate) changes: Vec<(Change, Outcome, &'static [&'static str])>,
    pub(crate) query: Query,
    pub(crate) answer: Answer,
    /// The answer of a second path, `async`, of a router of the preset `litellm-1.85`.
    pub(crate) second: Option<Answer>,
    /// The observation before the last change.
    pub(crate) before: Option<Observation>,
    pub(crate) listing: &'static [&'static str],
    pub(crate) sizes: &'static [(&'static str, u64)],
    pub(crate) fresh: Vec<Fresh>,
    /// The replies of fresh routers of the rows before the last change to that change.
    pub(crate) again: Vec<Outcome>,
}

impl History {
    pub(crate) fn of(changes: Vec<(Change, Outcome, &'static [&'static str])>, query: Query, answer: Answer) -> Self {
        Self {
            changes,
            query,
            answer,
            second: None,
            before: None,
            listing: &[],
            sizes: &[],
            fresh: Vec::new(),
            again: Vec::new(),
        }
    }

    fn seen(&self) -> Observation {
        let mut seen = observation(self.answer.clone(), self.listing, self.sizes);
        if let Some(Shown::Answers(answers)) = seen.shown.first_mut() {
            answers.extend(self.second.clone());
        }
        seen
    }

    pub(crate) fn judge(&self, rule: &str) -> Tally {
        let last = u32::try_from(self.changes.len()).unwrap();
        let steps = self.changes.iter().map(|(change, ..)| Step::Change(change.clone()));
        let run = Run {
            trace: Trace::of_router(Vec::new(), steps.collect()),
            questions: Questions::at(
                vec![
                    Question::Lookup(self.query.clone()),
                    Question::Listing(self.query.team.clone()),
                    Question::Sizes,
                ],
                if self.before.is_some() {
                    last - 1..=last
                } else {
                    last..=last
                },
            ),
        };
        let changed = |(_, outcome, held): &(Change, Outcome, &[&str])| {
            StepReply::Changed(Changed {
                outcome: outcome.clone(),
                held: Some(held.iter().map(ToString::to_string).collect()),
            })
        };
        let reply = RunReply {
            setup: Changed {
                outcome: Outcome::Applied,
                held: Some(Vec::new()),
            },
            steps: self.changes.iter().map(changed).collect(),
            rounds: self
                .before
                .iter()
                .cloned()
                .chain([self.seen()])
                .map(|seen| vec![seen])
                .collect(),
            did: Vec::new(),
            router_ns: None,
        };
        let (preset, paths) = match self.second {
            Some(_) => ("litellm-1.85", vec!["sync".into(), "async".into()]),
            None => ("strict", Vec::new()),
        };
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            router: "history".into(),
            version: "1".into(),
            capabilities: Vec::new(),
            dialect: Dialect {
                semantics: Some(preset.into()),
                extras: vec![opaque(), several()],
                paths,
                ..Dialect::default()
            },
        };
        let judge = Judge::new(&hello, RuleSet::only(id(rule))).unwrap();
        let beside = Beside {
            at_end: self.fresh.clone(),
            refused: [(self.changes.len(), self.again.clone())].into(),
        };
        judge.judge(&run, &reply, &Tracked::new(&run, &reply).unwrap(), &beside)
    }

    pub(crate) fn passes(&self, rule: &str) {
        let tally = self.judge(rule);
        assert_eq!(tally.findings, [], "{rule}");
        assert!(
            tally.premises.get(&id(rule)).copied() > Some(0),
            "{rule} had nothing to check"
        );
    }

    /// Fails in that class, and in that place, with a finding that says this: whom it is about, what was asked, after how many changes, and what was allowed
    /// and came.
    #[track_caller]
    pub(crate) fn fails(&self, rule: &str, class: &str, place: &str, says: &str) {
        let tally = self.judge(rule);
        let mut of_kind = tally
            .findings
            .iter()
            .filter(|finding| (finding.class, FindingKind::of(finding).place()) == (class, place));
        let found = of_kind
            .next()
            .unwrap_or_else(|| panic!("{rule}: no ({class}, {place}) in {:?}", tally.findings));

        assert_eq!(said(found), says, "{rule} {class}");
        assert!(
            tally.premises.get(&id(rule)).copied() > Some(0),
            "{rule} counts no premise of its failure"
        );
    }
}

fn id(rule: &str) -> RuleId {
    rule.parse().unwrap()
}

pub(crate) fn said(finding: &Finding) -> String {
    let Finding {
        id,
        extra,
        question,
        path,
        after,
        ..
    } = finding;
    let by = |team: &Option<String>| team.clone().unwrap_or_else(|| "anyone".to_owned());
    let asked = match question {
        Some(Question::Lookup(Query { model, team })) => format!(" asked {model} by {}", by(team)),
        Some(Question::Listing(team)) => format!(" listed to {}", by(team)),
        _ => String::new(),
    };
    let [allowed, got] = finding.words();
    let id = id.as_deref().unwrap_or("no row");
    let extra = extra
        .as_ref()
        .map_or_else(String::new, |extra| format!(" with {extra}"));
    format!("{id}{extra}{asked} on path {path} after {after}: {allowed}; {got}")
}

pub(crate) fn observation(answer: Answer, listing: &[&str], sizes: &[(&str, u64)]) -> Observation {
    let names = listing.iter().map(ToString::to_string).collect();
    let sizes = sizes.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
    Observation {
        replica: None,
        shown: vec![Shown::Answers(vec![answer]), Shown::Names(names), Shown::Sizes(sizes)],
    }
}

pub(crate) fn row(id: &str, name: &str, tag: &str) -> Row {
    Row::new(id, name, if name.contains('*') { "up/*" } else { "up" }, tag)
}

pub(crate) fn team_row(id: &str, name: &str, tag: &str, team: &str) -> Row {
    Row {
        team: Some(team.to_owned()),
        ..row(id, name, tag)
    }
}

pub(crate) fn upsert(row: Row) -> (Change, Outcome, &'static [&'static str]) {
    (Change::Upsert(row), Outcome::Applied, &["d1"])
}

pub(crate) fn candidates(candidates: &[(&str, &str, &str)]) -> Answer {
    let candidate = |(id, model, tag): &(&str, &str, &str)| Candidate {
        id: (*id).to_owned(),
        model: (*model).to_owned(),
        tag: (*tag).to_owned(),
    };
    Answer::Candidates(candidates.iter().map(candidate).collect())
}

pub(crate) fn unknown() -> Answer {
    Answer::Refused(Refusal::UnknownModel)
}

/// A wildcard that was updated once: version 2 is current.
pub(crate) fn updated(answer: Answer) -> History {
    let changes = vec![upsert(row("d1", "a*", "v1")), upsert(row("d1", "a*", "v2"))];
    History::of(changes, Query::new("ax", None), answer)
}

/// A parameter bundle that the preset says nothing of.
pub(crate) fn opaque() -> Extra {
    Extra {
        name: "auto".to_owned(),
        why: "a router within the router".to_owned(),
        target: None,
        plain: false,
        copies: false,
        params: None,
    }
}

/// A parameter bundle whose rows are meant to be several deployments of one id.
pub(crate) fn several() -> Extra {
    Extra {
        name: "several".to_owned(),
        copies: true,
        ..opaque()
    }
}
