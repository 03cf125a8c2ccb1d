//! Every text of a document made hostile, one at a time: no report for people may pass it on.

use std::time::Duration;

use clap::ValueEnum as _;
use model::{RuleId, RuleSet};
use protocol::Level;
use serde_json::Value;

use super::{Page, human, text};
use crate::adapter::builtin;
use crate::adapter::spec::Spec;
use crate::cli::Format;
use crate::commands::run::{Options, put_on_trial};
use crate::document::{
    CauseCell, Document, Interruption, JsonReport, MatrixCause, MatrixReport, ReleaseReport, ReleaseTrial,
    ReplayReport, RunReport, TraceReport, TraceStatus, TriedRelease,
};
use crate::skip::Skips;

/// Sets the title of a terminal, rings it, turns the direction of writing, and begins a line of its own.
const HOSTILE: &str = "x\u{1b}]0;owned\u{7}\u{202e}\nFORGED";

fn is_harmless(text: &str) -> bool {
    let steers = ["\u{1b}]", "\u{7}", "\u{202e}", "\nFORGED"];
    !steers.into_iter().any(|steered| text.contains(steered))
}

/// A run that found a planted fault, with what else a report of one can hold.
fn run() -> RunReport {
    let dir = tempfile::tempdir().unwrap();
    let fault = "upsert-keeps-global-pattern".to_owned();
    let mut router = builtin::faulty(&fault).unwrap();
    let options = Options {
        spec: Spec::Faulty(fault),
        level: Level::Router,
        replicas_max: 2,
        rules: RuleSet::of(Level::Router),
        budget: Some(Duration::from_secs(2)),
        effects_min: 1,
        seed: 7,
        traces_max: 10,
        out: dir.path().to_owned(),
        replay_words: Vec::new(),
        ask_again: Duration::ZERO,
        skips: Skips::parse("[[skip]]\nrule = \"claims\"\nreason = \"r\"").unwrap_or_default(),
    };
    let mut run = put_on_trial(&options, router.as_mut(), &mut |_| ()).unwrap();
    assert!(!run.causes.is_empty(), "the planted fault has a cause");
    run.causes[0].did = vec![Some("curl".to_owned())];
    run.interrupted = Some(Interruption::AdapterFault("it ended".to_owned()));
    run.failures.truncate(2);
    if let [first, .., last] = &mut run.failures[..] {
        first.excused = Some("a reason".to_owned());
        last.replay = None;
    }
    run
}

fn replay(run: &RunReport) -> ReplayReport {
    let trace = |status| TraceReport {
        file: "a.toml".to_owned(),
        status,
        reason: Some("another router".to_owned()),
        findings: vec![run.failures[0].finding.clone()],
    };
    ReplayReport {
        trial: Some(run.trial.clone()),
        traces: vec![trace(TraceStatus::Violates), trace(TraceStatus::Skipped)],
        interrupted: Some(Interruption::AdapterFault("it ended".to_owned())),
    }
}

fn matrix(run: &RunReport) -> MatrixReport {
    let cells = |last: CauseCell| vec![CauseCell::Shown { rule: RuleId::Current }, last];
    let causes = [
        CauseCell::Otherwise { number: 1 },
        CauseCell::NotCarriedOut {
            why: "no time".to_owned(),
        },
    ];
    let cause = |(number, cell): (usize, CauseCell)| MatrixCause {
        number,
        found_on: "1.0".to_owned(),
        witness: run.causes[0].clone(),
        cells: cells(cell),
    };
    let release = |version: &str, trial| ReleaseReport {
        version: version.to_owned(),
        spec: format!("exec:./a {version}"),
        trial,
    };
    let tried = TriedRelease {
        router: run.trial.clone(),
        kept: true,
        summary: run.summary(),
        searches: run.searches.clone(),
        rules: run.rules.clone(),
        report: "out/report.json".to_owned(),
        seconds: 1.0,
    };
    MatrixReport {
        router: "exec:./a {version}".to_owned(),
        made_by: "routeproof matrix".to_owned(),
        level: Level::Router,
        seed: 7,
        budget_seconds: None,
        releases: vec![
            release("1.0", ReleaseTrial::Tried(Box::new(tried))),
            release("2.0", ReleaseTrial::AdapterFault("it ended".to_owned())),
        ],
        causes: (1..).zip(causes).map(cause).collect(),
        interrupted: None,
    }
}

/// Every text for people that there is of a document.
fn texts(document: &Document) -> Vec<String> {
    let mut texts = Vec::new();
    for format in Format::value_variants() {
        for all in [false, true] {
            let page = Page {
                format: (*format).into(),
                columns: 80,
                all,
            };
            texts.push(text(document, page));
        }
    }
    if let Document::Run(run) = document {
        let explained = |columns| {
            run.causes
                .iter()
                .map(move |cause| human::cause::text(run, cause, columns))
        };
        texts.extend([40, 100].into_iter().flat_map(explained));
    }
    texts
}

/// The pointers to every text below `value`, and to every name of a field.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::String(_) => return found.push(at.to_owned()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), field)).collect(),
        _ => return,
    };
    for (name, child) in children {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        places(child, &at, found);
        if value.is_object() {
            found.push(format!("{at}#"));
        }
    }
}

/// Makes the text at that place hostile, or the name of the field where the place ends in `#`.
fn spoil(report: &mut Value, place: &str) {
    let Some(field) = place.strip_suffix('#') else {
        *report.pointer_mut(place).unwrap() = HOSTILE.into();
        return;
    };
    let (parent, name) = field.rsplit_once('/').unwrap();
    let fields = report.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    let value = fields.remove(&name.replace("~1", "/").replace("~0", "~")).unwrap();
    fields.insert(HOSTILE.to_owned(), value);
}

#[test]
fn no_text_of_a_document_reaches_a_page_as_it_is() {
    let run = run();
    let documents = [
        Document::Matrix(matrix(&run)),
        Document::Replay(replay(&run)),
        Document::Run(run),
    ];
    for document in documents {
        let report = serde_json::to_value(JsonReport::new(&document)).unwrap();
        let mut all = Vec::new();
        places(&report, "", &mut all);
        let (mut taken, mut let_through) = (0, Vec::new());
        for place in all {
            let mut spoilt = report.clone();
            spoil(&mut spoilt, &place);
            // The words of Routeproof's own enumerations cannot be others.
            let Ok(JsonReport { document, .. }) = serde_json::from_value(spoilt) else {
                continue;
            };
            taken += 1;
            if !texts(&document).iter().all(|text| is_harmless(text)) {
                let_through.push(place);
            }
        }
        assert_eq!(let_through, Vec::<String>::new());
        assert!(taken > 10, "{taken} texts were tried");
    }
}
