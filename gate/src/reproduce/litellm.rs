//! The test of one cause in Python: plain calls of `litellm.Router`.

use std::fmt::Write as _;

use model::{Allowed, Got, RuleId, Table, applied_table, note_arrivals, rows_in_order};
use protocol::{Answer, Candidate, Change, Hello, Outcome, Query, Question, Refusal, Row, Step, quoted};
use serde_json::{Value, json};

use crate::document::CauseReport;
use crate::foreign::escaped;

/// The functions that a test is written in.
const HELPERS: &str = include_str!("helpers.py");

/// A file of Python that pytest collects: its one test fails where the cause is present. `None` where its finding is of a
/// kind that no plain call shows. `options` are those of the router's construction, as Python writes a dictionary.
pub(super) fn test_of(hello: &Hello, cause: &CauseReport, options: &str) -> Option<String> {
    let writer = Writer { hello, cause };
    let body = writer.body()?;
    let name = cause.id.replace('-', "_");
    let version = &hello.version;
    let [allowed, got] = cause.finding.words().map(|text| literal(&escaped(&text)));
    let (headline, rule, class) = (
        literal(&escaped(&cause.headline)),
        cause.finding.rule,
        &cause.finding.class,
    );
    let mut text = format!(
        "# /// script\n# dependencies = [\"litellm=={version}\"]\n# ///\n\
         \"\"\"{headline} ({rule}, {class}).\n\nFails on litellm {version}: run it with Python, or let pytest collect it.\n\
         allowed: {allowed}\ngot:     {got}\n\"\"\"\n\n{IMPORTS}\n\ndef test_{name}():\n"
    );
    for line in body {
        writeln!(text, "    {line}").expect("a string takes any text");
    }
    write!(text, "\n\nTEST = test_{name}\nOPTIONS = {options}\n\n{HELPERS}").expect("a string takes any text");
    Some(text)
}

const IMPORTS: &str = r#"import asyncio
import copy
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_ENVIRONMENT"] = "production"
import litellm
from litellm import Router
from litellm.types.router import Deployment
"#;

/// Writes the lines of one test.
struct Writer<'a> {
    hello: &'a Hello,
    cause: &'a CauseReport,
}

/// A question as an expression, of the router of that name.
type Asking = Box<dyn Fn(&str) -> String>;

impl Writer<'_> {
    /// The lines of the test.
    fn body(&self) -> Option<Vec<String>> {
        let mut lines = vec![format!("router = start({})", self.list(self.cause.initial()))];
        let steps = self.cause.steps();
        let last = steps.iter().rposition(|step| matches!(step, Step::Change(_)));
        let before = last.map(|last| self.asked_before(last));
        let verdict = self.verdict()?;
        for (place, step) in steps.iter().enumerate() {
            if Some(place) == before {
                lines.extend(verdict.before.iter().cloned());
            }
            match step {
                Step::Change(change) if Some(place) == last => {
                    lines.push(format!("said = {}", self.call("router", change)));
                }
                Step::Change(change) => lines.push(self.call("router", change)),
                Step::Ask(..) if Some(place) == before => {}
                Step::Ask(_, question) => lines.push(asking(question, None)?("router")),
                _ => return None,
            }
        }
        if last.is_none() {
            lines.extend(verdict.before);
        }
        lines.extend(verdict.after);
        Some(lines)
    }

    /// The place of the step at which what holds before the last change is noted: where the finding's own question is put
    /// before it, in the place of that.
    fn asked_before(&self, last: usize) -> usize {
        let own = self.cause.finding.asked.as_ref();
        let is_own = |step: &Step| matches!(step, Step::Ask(_, question) if Some(question) == own);
        let steps = &self.cause.steps()[..last];
        let behind = steps
            .iter()
            .rev()
            .take_while(|step| matches!(step, Step::Ask(..)))
            .count();
        let first = last - behind;
        let asked = steps[first..].iter().rposition(is_own).map(|place| first + place);
        asked
            .filter(|_| self.cause.finding.rule == RuleId::AtomicRefusal)
            .unwrap_or(last)
    }

    fn verdict(&self) -> Option<Verdict> {
        let finding = &self.cause.finding;
        match (&finding.got, &finding.allowed) {
            (Got::Unbuildable(_), _) => Some(self.buildable()),
            (Got::Outcome(_), allowed) => self.decided(allowed),
            (Got::Ids(got), allowed) => self.claimed(got, allowed),
            _ if finding.rule == RuleId::AtomicRefusal => self.unmoved(),
            _ if finding.rule == RuleId::HistoryFree => {
                let fresh = format!("fresh = start({})", self.list(&self.rows()));
                self.alike(vec![fresh], "fresh", "a router started with the same deployments")
            }
            _ if finding.rule == RuleId::OrderFree => {
                let mut rows = self.rows();
                let one = format!("router = start({})", self.list(&rows));
                rows.reverse();
                let other = format!("other = start({})", self.list(&rows));
                self.alike(vec![one, other], "other", "one started with them in another order")
            }
            (Got::Answer(answer) | Got::OfTeam(answer, _), allowed) => self.answered(answer, allowed),
            (Got::Names(_), Allowed::NotNamed(name)) => {
                let asked = self.asking()?("router");
                let name = python(&json!(name));
                Some(Verdict::of(
                    &asked,
                    &format!("{name} not in got"),
                    &format!("no {name}"),
                ))
            }
            (Got::Names(_), Allowed::Names(names)) => {
                let asked = self.asking()?("router");
                Some(Verdict::equal(&asked, &python(&json!(names))))
            }
            (Got::Size(got), Allowed::AtMost(size) | Allowed::NoFewer(size)) => {
                let relation = if got.entries > size.entries { "<=" } else { ">=" };
                let asked = format!("size(router, {})", python(&json!(got.structure)));
                let entries = size.entries;
                Some(Verdict::of(
                    &asked,
                    &format!("got {relation} {entries}"),
                    &format!("{relation} {entries}"),
                ))
            }
            _ => None,
        }
    }

    /// The question of the finding.
    fn asking(&self) -> Option<Asking> {
        asking(self.cause.finding.asked.as_ref()?, self.cause.finding.path.as_deref())
    }

    fn buildable(&self) -> Verdict {
        let mut rows = self.rows();
        let mut calls = vec![format!("refuses({})", self.list(&rows))];
        if self.cause.finding.rule == RuleId::OrderFree {
            rows.reverse();
            calls.push(format!("refuses({})", self.list(&rows)));
        }
        Verdict::of(&calls.join(" or "), "got is None", "a router of these deployments")
    }

    /// A change that was taken and should have been refused, or the other way round.
    fn decided(&self, allowed: &Allowed) -> Option<Verdict> {
        let Allowed::Outcome(allowed) = allowed else {
            return None;
        };
        let refused = "got.startswith(\"refused\")";
        if matches!(allowed, Outcome::Refused(_)) {
            return Some(Verdict::of("said", refused, "a refusal"));
        }
        if self.cause.finding.rule != RuleId::HistoryFree {
            return Some(Verdict::of(
                "said",
                &format!("not {refused}"),
                "the deployment is taken",
            ));
        }
        let last = self.cause.steps().iter().rev().find_map(Step::change)?;
        let steps = self.cause.steps();
        let before = self.rows_after(steps.iter().rposition(|step| step.change().is_some())?);
        let mut verdict = Verdict::of(
            "said",
            &format!("not {refused}"),
            "a router started with the deployments before it takes it",
        );
        let fresh = format!("fresh = start({})", self.list(&before));
        let taken = format!(
            "assert not {}.startswith(\"refused\")  # a fresh one takes it",
            self.call("fresh", last)
        );
        verdict.after.splice(0..0, [fresh, taken]);
        Some(verdict)
    }

    /// The verdict on the ids that the router claims to hold.
    fn claimed(&self, got: &[String], allowed: &Allowed) -> Option<Verdict> {
        if self.cause.finding.rule == RuleId::AtomicRefusal {
            return Some(Verdict::kept("ids(router)"));
        }
        match allowed {
            Allowed::IdOnce(id) => {
                let id = python(&json!(id));
                Some(Verdict::of(
                    "ids(router)",
                    &format!("got.count({id}) <= 1"),
                    &format!("{id} once"),
                ))
            }
            Allowed::Ids(due) => {
                let less = |these: &[String], those: &[String]| -> Vec<String> {
                    these.iter().filter(|id| !those.contains(id)).cloned().collect()
                };
                let (extra, missing) = (less(got, due), less(due, got));
                let [extra, missing] = [extra, missing].map(|ids| python(&json!(ids)));
                let holds = format!("not set(got) & set({extra}) and set({missing}) <= set(got)");
                Some(Verdict::of("ids(router)", &holds, &python(&json!(due))))
            }
            _ => None,
        }
    }

    /// A refused change that changed an answer.
    fn unmoved(&self) -> Option<Verdict> {
        match (&self.cause.finding.got, &self.cause.finding.allowed) {
            (Got::Sizes(got), Allowed::Sizes(allowed)) => {
                let differs = |(name, size): &(&String, &u64)| allowed.get(*name) != Some(*size);
                let (structure, _) = got.iter().find(differs)?;
                Some(Verdict::kept(&format!("size(router, {})", python(&json!(structure)))))
            }
            _ => Some(Verdict::kept(&self.asking()?("router"))),
        }
    }

    /// The answer is that of another router.
    fn alike(&self, before: Vec<String>, name: &str, what: &str) -> Option<Verdict> {
        let asking = self.asking()?;
        let mut verdict = Verdict::of(&asking("router"), "got == allowed", what);
        verdict.after.insert(0, format!("allowed = {}", asking(name)));
        verdict.after.splice(0..0, before);
        Some(verdict)
    }

    fn answered(&self, got: &Answer, allowed: &Allowed) -> Option<Verdict> {
        let asked = self.asking()?("router");
        let finding = &self.cause.finding;
        let of_another_team = |candidate: &Candidate, team: &Option<String>| {
            let row = self.row(&candidate.tag);
            row.is_some_and(|row| row.team.is_some() && row.team != *team)
        };
        let is_wrong = |candidate: &&Candidate| match allowed {
            Allowed::Version(version) => candidate.id == version.id && candidate.tag != version.tag,
            Allowed::NoRow(Some(id)) => candidate.id == *id,
            Allowed::RowsOf(team) => of_another_team(candidate, team),
            _ => false,
        };
        match allowed {
            Allowed::AnyAnswer => Some(Verdict::of(
                &asked,
                "not [one for one in got if one.startswith(\"failed: \")]",
                "an answer",
            )),
            Allowed::Answer(answer) => Some(Verdict::equal(&asked, &python(&json!(answer_texts(answer))))),
            Allowed::Once(version) => {
                let query = finding.query()?;
                let start = format!("{} {} ", version.id, version.tag);
                let offered = format!("offered(router, {})", arguments(query));
                let once = format!("sum(one.startswith({}) for one in got) <= 1", python(&json!(start)));
                Some(Verdict::of(&offered, &once, &format!("{start}once")))
            }
            _ => {
                let wrong = got.candidates().iter().find(is_wrong)?;
                let start = python(&json!(format!("{} {} ", wrong.id, wrong.tag)));
                let holds = format!("not [one for one in got if one.startswith({start})]");
                let [allowed, _] = finding.words();
                Some(Verdict::of(&asked, &holds, &allowed))
            }
        }
    }

    fn row(&self, tag: &str) -> Option<&Row> {
        self.cause.trace.trace.rows().find(|row| row.tag == tag)
    }

    /// The rows that the trace ends with, in the order of their arrival.
    fn rows(&self) -> Vec<Row> {
        self.rows_after(self.cause.steps().len())
    }

    /// The rows after so many steps, by the router's own word on each.
    fn rows_after(&self, count: usize) -> Vec<Row> {
        let (mut table, mut order) = (Table::new(), Vec::new());
        let construction = Change::Replace(self.cause.initial().to_vec());
        let steps = self.cause.steps().iter().take(count).map(Step::change);
        let outcomes = self.cause.told.iter().map(|told| told.outcome.clone());
        let mut outcomes = outcomes.chain(std::iter::repeat(None));
        for change in std::iter::once(Some(&construction)).chain(steps) {
            let outcome = outcomes.next().flatten().unwrap_or(Outcome::Applied);
            if let Some(change) = change {
                table = applied_table(&table, change, &outcome);
                note_arrivals(&mut order, change, &outcome, &table);
            }
        }
        rows_in_order(&order, &table)
    }

    fn call(&self, router: &str, change: &Change) -> String {
        match change {
            Change::Upsert(row) => format!("upsert({router}, {})", self.deployment(row)),
            Change::Add(row) => format!("add({router}, {})", self.deployment(row)),
            Change::Delete(id) => format!("delete({router}, {})", python(&json!(id))),
            Change::Replace(rows) => format!("replace({router}, {})", self.list(rows)),
        }
    }

    fn list(&self, rows: &[Row]) -> String {
        let rows: Vec<String> = rows.iter().map(|row| self.deployment(row)).collect();
        format!("[{}]", rows.join(", "))
    }

    fn deployment(&self, row: &Row) -> String {
        let mut parts: Vec<String> = [&row.id, &row.model_name, &row.model, &row.tag]
            .map(|text| python(&json!(text)))
            .to_vec();
        let mut more = |name: &str, value: Value| parts.push(format!("{name}={}", python(&value)));
        if let Some(weight) = row.weight {
            more("weight", json!(weight));
        }
        if let Some(team) = &row.team {
            more("team", json!(team));
        }
        if let Some(name) = &row.team_model_name {
            more("team_name", json!(name));
        }
        if row.blocked {
            more("blocked", json!(true));
        }
        let mut extras = self.hello.dialect.extras.iter();
        let params = extras
            .find(|extra| Some(&extra.name) == row.extra.as_ref())
            .and_then(|extra| extra.params.as_ref());
        for (name, field) in [("params", "litellm_params"), ("info", "model_info")] {
            if let Some(value) = params.map(|params| &params[field]).filter(|value| value.is_object()) {
                more(name, value.clone());
            }
        }
        format!("row({})", parts.join(", "))
    }
}

/// The lines of a test around its last change.
struct Verdict {
    before: Vec<String>,
    after: Vec<String>,
}

impl Verdict {
    /// Demands something of `got`, which is what the expression gives.
    fn of(expression: &str, holds: &str, allowed: &str) -> Self {
        let message = format!(
            "{{got}}, and allowed is {}",
            allowed.replace('{', "{{").replace('}', "}}")
        );
        Self {
            before: Vec::new(),
            after: vec![
                format!("got = {expression}"),
                format!("assert {holds}, f{}", python(&json!(format!("got {message}")))),
            ],
        }
    }

    /// Demands that the expression gives that value.
    fn equal(expression: &str, value: &str) -> Self {
        let mut verdict = Self::of(expression, "got == allowed", "another answer");
        verdict.after.insert(0, format!("allowed = {value}"));
        verdict.after.truncate(2);
        verdict
            .after
            .push("assert got == allowed, f\"got {got}, and allowed is {allowed}\"".to_owned());
        verdict
    }

    /// Demands that the last change leaves alone what the expression gives.
    fn kept(expression: &str) -> Self {
        Self {
            before: vec![format!("allowed = {expression}")],
            after: vec![
                format!("got = {expression}"),
                "assert got == allowed, f\"a refused change ({said}) turned {allowed} into {got}\"".to_owned(),
            ],
        }
    }
}

/// A question as an expression; `None` where no plain call asks it.
fn asking(question: &Question, path: Option<&str>) -> Option<Asking> {
    let (function, arguments) = match question {
        Question::Lookup(query) => {
            let path = path.map_or_else(String::new, |path| format!(", path={}", python(&json!(path))));
            ("look", format!(", {}{path}", arguments(query)))
        }
        Question::Listing(team) => ("names", format!(", {}", python(&json!(team)))),
        Question::Claims => ("ids", String::new()),
        _ => return None,
    };
    Some(Box::new(move |router| format!("{function}({router}{arguments})")))
}

/// The name that is asked for and the team that asks, as arguments.
fn arguments(query: &Query) -> String {
    format!("{}, {}", python(&json!(query.model)), python(&json!(query.team)))
}

/// The answer as the function `look` gives it.
fn answer_texts(answer: &Answer) -> Vec<String> {
    let mut texts: Vec<String> = match answer {
        Answer::Candidates(candidates) => candidates
            .iter()
            .map(|Candidate { id, tag, model }| format!("{id} {tag} -> {model}"))
            .collect(),
        Answer::Refused(Refusal::UnknownModel) => vec!["refused: unknown model".to_owned()],
        Answer::Refused(Refusal::Blocked) => vec!["refused: blocked".to_owned()],
        Answer::Refused(Refusal::Invalid) => vec!["refused: invalid".to_owned()],
        Answer::Failed(why) => vec![format!("failed: {}", why.split(':').next().unwrap_or_default())],
    };
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// A value as Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| format!("{}: {}", quoted(key), python(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Text inside a Python docstring.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace("\"\"\"", "'''")
}

#[cfg(test)]
pub(super) mod tests;
