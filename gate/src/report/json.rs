//! The report for a program: one JSON document. Its fields are a stable interface.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Reporter;
use crate::event::{Event, Exploration, Reported, Ruling, Searched, Status, Summary};

/// Gathers the events and writes one document at the end.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
    head: Value,
    explorations: Vec<Value>,
    searches: Vec<Value>,
    rules: Vec<Value>,
    failures: Vec<Value>,
}

impl<W: Write> Json<W> {
    /// A reporter that writes there.
    pub fn new(out: W) -> Self {
        Self {
            out,
            head: Value::Null,
            explorations: Vec::new(),
            searches: Vec::new(),
            rules: Vec::new(),
            failures: Vec::new(),
        }
    }

    fn write(&mut self, summary: &Summary) -> io::Result<()> {
        let document = json!({
            "format": 1,
            "trial": self.head,
            "explorations": self.explorations,
            "searches": self.searches,
            "rules": self.rules,
            "failures": self.failures,
            "summary": {
                "verdict": summary.exit.name(),
                "exit_code": summary.exit.code(),
                "why": summary.why,
                "passed": summary.passed,
                "failed": summary.failed,
                "skipped": summary.skipped,
                "vacuous": summary.vacuous,
                "distinct_failures": summary.failures,
                "seconds": summary.took.as_secs_f64(),
            },
        });
        serde_json::to_writer_pretty(&mut self.out, &document)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

impl<W: Write> Reporter for Json<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Begin { spec, hello, seed } => {
                self.head = json!({
                    "routeproof": env!("CARGO_PKG_VERSION"),
                    "spec": spec,
                    "router": hello.router,
                    "version": hello.version,
                    "protocol": hello.protocol,
                    "semantics": hello.dialect.semantics,
                    "seed": seed,
                });
            }
            Event::Explored(exploration) => self.explorations.push(exploration_value(exploration)),
            Event::Searched(searched) => self.searches.push(searched_value(searched)),
            Event::Rule(ruling) => self.rules.push(ruling_value(ruling)),
            Event::Failure(reported) => self.failures.push(failure_value(reported)),
            Event::End(summary) => return self.write(summary),
        }
        Ok(())
    }
}

fn exploration_value(exploration: &Exploration) -> Value {
    json!({
        "universe": exploration.universe,
        "states": exploration.states,
        "transitions": exploration.transitions,
        "answers": exploration.answers,
        "depth": exploration.depth,
        "closed": exploration.closed,
        "whole_memory": exploration.whole_memory,
        "seconds": exploration.took.as_secs_f64(),
    })
}

fn searched_value(searched: &Searched) -> Value {
    json!({
        "traces": searched.traces,
        "changes": searched.changes,
        "queries": searched.answers,
        "uncounted": searched.uncounted,
        "cut": searched.cut,
        "seconds": searched.took.as_secs_f64(),
        "seconds_in_router": searched.in_router.as_secs_f64(),
    })
}

fn ruling_value(ruling: &Ruling) -> Value {
    let (status, reason) = match &ruling.status {
        Status::Pass => ("pass", None),
        Status::Fail(_) => ("fail", None),
        Status::Skip(reason) => ("skip", Some(reason)),
        Status::Vacuous => ("vacuous", None),
    };
    json!({
        "rule": ruling.rule.id,
        "sentence": ruling.rule.sentence,
        "oracle": ruling.rule.oracle.word(),
        "status": status,
        "reason": reason,
        "premises": ruling.premises,
    })
}

fn failure_value(reported: &Reported) -> Value {
    let failure = &reported.failure;
    let finding = &failure.finding;
    json!({
        "rule": finding.rule,
        "class": finding.class,
        "way": finding.way.words(),
        "last": failure.signature.last,
        "extra": failure.signature.extra,
        "count": failure.count,
        "excused": reported.excused,
        "trace_number": failure.trace,
        "universe": failure.universe,
        "steps": failure.steps,
        "shrunk": failure.shrunk,
        "shrunk_steps": failure.case.size(),
        "query": finding.query,
        "path": reported.path,
        "allowed": finding.allowed,
        "got": finding.got,
        "found_after_seconds": reported.found_after.as_secs_f64(),
        "replay": reported.replay,
        "files": reported.files,
        "trace": reported.trace,
    })
}
