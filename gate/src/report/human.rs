//! The report for a person. Its text is not a stable interface.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use model::search::Failure;
use protocol::{Change, Query, Row, Step};

use super::{Reporter, grouped};
use crate::event::{Event, Exploration, Reported, Ruling, Searched, Status, Summary};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = AnsiColor::BrightBlack.on_default();

/// Rows shown of one list.
const ROWS_SHOWN_MAX: usize = 6;
/// Characters shown of one answer.
const TEXT_SHOWN_MAX: usize = 400;

/// Writes the report to `out`; styles are for `out` to strip where they do not belong.
#[derive(Debug)]
pub struct Human<W> {
    out: W,
    traces: u32,
}

impl<W: Write> Human<W> {
    /// A reporter that writes there.
    pub fn new(out: W) -> Self {
        Self { out, traces: 0 }
    }

    fn rule(&mut self, ruling: &Ruling) -> io::Result<()> {
        let id = ruling.rule.id;
        let premises = grouped(ruling.premises);
        match &ruling.status {
            Status::Pass => writeln!(self.out, "  {GOOD}pass{GOOD:#}  {id:<15} {premises:>13} premises"),
            Status::Fail(1) => writeln!(
                self.out,
                "  {BAD}FAIL{BAD:#}  {id:<15} {premises:>13} premises   1 distinct failure"
            ),
            Status::Fail(ways) => {
                writeln!(
                    self.out,
                    "  {BAD}FAIL{BAD:#}  {id:<15} {premises:>13} premises   {ways} distinct failures"
                )
            }
            Status::Skip(reason) => writeln!(self.out, "  {DIM}skip{DIM:#}  {id:<15} {reason}"),
            Status::Vacuous => writeln!(self.out, "  {BAD}void{BAD:#}  {id:<15} never had anything to check"),
        }
    }

    fn failure(&mut self, reported: &Reported) -> io::Result<()> {
        let Failure {
            finding, case, count, ..
        } = &reported.failure;
        if let Some(reason) = &reported.excused {
            let class = finding.class;
            return writeln!(self.out, "{DIM}skip {} ({class}){DIM:#}: {reason}", reported.rule.id);
        }
        writeln!(self.out, "---")?;
        writeln!(
            self.out,
            "{BAD}FAIL {}{BAD:#}: {}",
            reported.rule.id, reported.rule.sentence
        )?;
        writeln!(
            self.out,
            "  {DIM}{}; {} alike{DIM:#}",
            provenance(&reported.failure),
            grouped(*count)
        )?;
        let mut number = 0;
        for row in &case.initial {
            writeln!(self.out, "  {:>3}  construct with {}", "", row_text(row))?;
        }
        for step in &case.steps {
            number += 1;
            writeln!(self.out, "  {number:>3}  {}", step_text(step))?;
        }
        let asked = match (&finding.query, &finding.viewer) {
            (Some(query), _) => query_text(query),
            (None, Some(viewer)) => format!("listing{}", by(viewer.as_deref())),
            (None, None) => finding.way.words().to_owned(),
        };
        let path = reported
            .path
            .as_ref()
            .map_or_else(String::new, |path| format!(" ({path})"));
        let allowed = clipped(&finding.allowed);
        let got = clipped(&finding.got);
        writeln!(
            self.out,
            "  {:>3}  {asked}{path}    allowed: {allowed}    got: {BAD}{got}{BAD:#}",
            ""
        )?;
        for file in &reported.files {
            writeln!(self.out, "  {DIM}wrote {file}{DIM:#}")?;
        }
        match &reported.replay {
            Some(replay) => writeln!(self.out, "  replay: {replay}"),
            None => writeln!(
                self.out,
                "  the trace, which could not be written to a file:\n{}",
                reported.trace.to_toml()
            ),
        }
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        let style = if summary.exit.code() == 0 { GOOD } else { BAD };
        writeln!(self.out, "---")?;
        if let Some(why) = &summary.why {
            writeln!(self.out, "{why}")?;
        }
        let mut parts = vec![
            format!("{} failed", summary.failed),
            format!("{} passed", summary.passed),
        ];
        if summary.skipped > 0 {
            parts.push(format!("{} skipped", summary.skipped));
        }
        if summary.vacuous > 0 {
            parts.push(format!("{} void", summary.vacuous));
        }
        let took = summary.took.as_secs_f64();
        writeln!(
            self.out,
            "{style}{}{style:#}: {} in {took:.1}s",
            summary.exit.name(),
            parts.join(", ")
        )
    }
}

impl<W: Write> Reporter for Human<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Begin { spec, hello, seed } => {
                let version = env!("CARGO_PKG_VERSION");
                let router = format!("{} {}", hello.router, hello.version);
                writeln!(
                    self.out,
                    "routeproof {version}  {router} (protocol {}, {spec})  seed {seed}",
                    hello.protocol
                )
            }
            Event::Explored(exploration) => writeln!(self.out, "  {}", exploration_text(exploration)),
            Event::Searched(searched) => {
                self.traces = searched.traces;
                writeln!(self.out, "  {}", searched_text(searched))
            }
            Event::Rule(ruling) => self.rule(ruling),
            Event::Failure(reported) => self.failure(reported),
            Event::End(summary) => self.end(summary),
        }?;
        self.out.flush()
    }
}

fn exploration_text(exploration: &Exploration) -> String {
    let Exploration {
        universe, depth, took, ..
    } = exploration;
    let states = grouped(exploration.states as u64);
    let transitions = grouped(exploration.transitions);
    let answers = grouped(exploration.answers);
    let verdict = if exploration.closed {
        "closed"
    } else {
        "CUT, not exhausted"
    };
    let memory = if exploration.whole_memory {
        ""
    } else {
        " as far as can be observed"
    };
    let took = took.as_secs_f64();
    format!(
        "every trace of the {universe} universe{memory}: {verdict}: {states} states, {transitions} transitions, depth \
         {depth}, {answers} answers  {took:.1}s"
    )
}

fn searched_text(searched: &Searched) -> String {
    let cut = if searched.cut {
        " (to the end of the budget)"
    } else {
        ""
    };
    let uncounted = match searched.uncounted {
        0 => String::new(),
        more => format!(", {} more findings not told apart", grouped(more)),
    };
    format!(
        "random traces{cut}: {} traces, {} changes, {} queries{uncounted}  {:.1}s",
        grouped(searched.traces.into()),
        grouped(searched.changes),
        grouped(searched.answers),
        searched.took.as_secs_f64()
    )
}

/// Where a failure comes from: trace, length, kind of path and last step.
pub fn provenance(failure: &Failure) -> String {
    let steps = failure.case.size();
    let from = match (failure.universe, failure.shrunk) {
        ("exhaustive", _) => format!("exhaustive search, {steps} steps"),
        (universe, true) => {
            format!(
                "trace {} ({universe}), {} steps shrunk to {steps}",
                failure.trace, failure.steps
            )
        }
        (universe, false) => format!("trace {} ({universe}), {steps} steps, not shrunk", failure.trace),
    };
    let extra = failure
        .signature
        .extra
        .as_ref()
        .map_or_else(String::new, |extra| format!(", with `{extra}`"));
    let kind = &failure.signature.kind;
    format!(
        "{from}: {}, {}, after {}{extra}",
        kind.class,
        kind.way.words(),
        failure.signature.last
    )
}

/// One step, for a person.
pub fn step_text(step: &Step) -> String {
    match step {
        Step::Change(Change::Upsert(row)) => format!("upsert {}", row_text(row)),
        Step::Change(Change::Add(row)) => format!("add {}", row_text(row)),
        Step::Change(Change::Delete(id)) => format!("delete {id}"),
        Step::Change(Change::Replace(rows)) => {
            let shown: Vec<String> = rows.iter().take(ROWS_SHOWN_MAX).map(row_text).collect();
            let more = rows.len().saturating_sub(ROWS_SHOWN_MAX);
            let more = if more > 0 {
                format!("; and {more} more")
            } else {
                String::new()
            };
            format!("replace with [{}{more}]", shown.join("; "))
        }
        Step::Lookup(query) => query_text(query),
        Step::Fleet(step) => format!("{step:?}"),
    }
}

fn row_text(row: &Row) -> String {
    let mut text = format!("{} {} -> {}   tag {}", row.id, row.model_name, row.model, row.tag);
    let mut add = |word: &str, value: &str| write!(text, "  {word} {value}").expect("a string takes any text");
    if let Some(team) = &row.team {
        add("team", team);
    }
    if let Some(name) = &row.team_model_name {
        add("as", name);
    }
    if row.blocked {
        add("blocked", "");
    }
    if let Some(weight) = row.weight {
        add("weight", &weight.to_string());
    }
    if let Some(extra) = &row.extra {
        add("extra", extra);
    }
    text.trim_end().to_owned()
}

fn query_text(query: &Query) -> String {
    format!("lookup {}{}", query.model, by(query.team.as_deref()))
}

fn by(team: Option<&str>) -> String {
    team.map_or_else(String::new, |team| format!(" by team {team}"))
}

fn clipped(text: &str) -> String {
    if text.chars().count() <= TEXT_SHOWN_MAX {
        return text.to_owned();
    }
    let head: String = text.chars().take(TEXT_SHOWN_MAX).collect();
    format!("{head}...")
}
