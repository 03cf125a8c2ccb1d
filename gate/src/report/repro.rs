//! A stand-alone reproduction in the router's own language: plain calls, nothing of ours.

use std::fmt::Write as _;

use model::{Oracle, RuleId, Table, applied_table, note_arrivals, rows_in_order};
use protocol::{Change, Hello, Outcome, Query, Question, Row, Step, Trace};
use serde_json::{Value, json};

use crate::document::FailureReport;

/// A file name's ending and the script, for a router whose language is known.
pub(crate) fn script(hello: &Hello, failure: &FailureReport) -> Option<(&'static str, String)> {
    let options = match hello.router.as_str() {
        "litellm" => "",
        "litellm-proxy" => ", ignore_invalid_deployments=True",
        _ => return None,
    };
    Some(("py", litellm(hello, failure, options)))
}

/// `options` are what the router is constructed with behind its rows.
fn litellm(hello: &Hello, failure: &FailureReport, options: &str) -> String {
    let finding = &failure.finding;
    let [allowed, got] = finding.words();
    let version = &hello.version;
    let mut text = format!(
        "# /// script\n# dependencies = [\"litellm=={version}\"]\n# ///\n\
         \"\"\"{}: {} ({})\n\nallowed: {}\ngot:     {}\n\"\"\"\n{LITELLM_HEAD}",
        finding.rule,
        failure.sentence,
        finding.class,
        literal(&allowed),
        literal(&got),
    );
    let mut line = |line: &str| writeln!(text, "    {line}").expect("a string takes any text");
    let construct = |rows: &[Row]| {
        let rows: Vec<String> = rows.iter().map(|row| python(&deployment(hello, row))).collect();
        format!("router = Router(model_list=[{}]{options})", rows.join(", "))
    };
    line(&construct(failure.initial()));
    for step in failure.steps() {
        match step {
            Step::Change(change) => line(&call(hello, change)),
            Step::Ask(_, Question::Lookup(query)) => line(&ask(query)),
            // The trace is of one router, and other questions than lookups change nothing in it.
            _ => {}
        }
    }
    line("print(\"held:\", router.get_model_ids())");
    if let Some(query) = finding.query() {
        line(&ask(query));
    }
    if let Some(Question::Listing(team)) = &finding.asked {
        line(&format!(
            "print(\"listed:\", router.get_model_names(team_id={}))",
            python(&json!(team))
        ));
    }
    if finding.rule.rule().oracle == Oracle::Metamorphic
        && let Some(query) = finding.query()
    {
        let mut rows = last_rows(&failure.trace.trace);
        if finding.rule == RuleId::OrderFree {
            rows.reverse();
        }
        line("print(\"a fresh router of these rows:\")");
        line(&construct(&rows));
        line(&ask(query));
    }
    text.push_str("\n\nasyncio.run(main())\n");
    text
}

const LITELLM_HEAD: &str = r#"import asyncio
import os
from collections import Counter

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_ENVIRONMENT"] = "production"
from litellm import Router
from litellm.types.router import Deployment

PICKS = 200  # a stale half of the candidates does not hide from that many


def attempt(what, call):
    try:
        print(what, "->", "None" if call() is None else "done")
    except Exception as why:
        print(what, "-> refused:", why)


async def ask(router, model, team):
    def request():
        metadata = {"user_api_key_team_id": team} if team else {}
        messages = [{"role": "user", "content": "hello"}]
        return {"model": model, "messages": messages, "request_kwargs": {"metadata": metadata}}

    seen = {"sync": Counter(), "async": Counter()}
    for path in [*seen] * PICKS:
        try:
            if path == "sync":
                picked = router.get_available_deployment(**request())
            else:
                picked = await router.async_get_available_deployment(**request())
            params = picked["litellm_params"]
            seen[path][f"{params['api_key']} -> {params['model']}"] += 1
        except Exception as why:
            seen[path][f"{type(why).__name__}: {str(why)[:120]}"] += 1
    print(f"lookup {model!r} by {team!r}, by tag and upstream model:")
    for path, counts in seen.items():
        print(f"  {path}: {dict(counts)}")


async def main():
"#;

/// The rows that the trace ends with, in the order of their arrival.
fn last_rows(trace: &Trace) -> Vec<Row> {
    let changes = trace.steps.iter().filter_map(Step::change).cloned();
    let mut table = Table::new();
    let mut order = Vec::new();
    for change in std::iter::once(Change::Replace(trace.setup.rows.clone())).chain(changes) {
        table = applied_table(&table, &change, &Outcome::Applied);
        note_arrivals(&mut order, &change, &Outcome::Applied, &table);
    }
    rows_in_order(&order, &table)
}

fn call(hello: &Hello, change: &Change) -> String {
    match change {
        Change::Upsert(row) => {
            let what = format!("upsert {} {}", row.id, row.tag);
            attempt(
                &what,
                &format!(
                    "router.upsert_deployment(Deployment(**{}))",
                    python(&deployment(hello, row))
                ),
            )
        }
        Change::Add(row) => {
            let what = format!("add {} {}", row.id, row.tag);
            attempt(
                &what,
                &format!(
                    "router.add_deployment(Deployment(**{}))",
                    python(&deployment(hello, row))
                ),
            )
        }
        Change::Delete(id) => attempt(
            &format!("delete {id}"),
            &format!("router.delete_deployment(id={})", python(&json!(id))),
        ),
        Change::Replace(rows) => {
            let rows: Vec<String> = rows.iter().map(|row| python(&deployment(hello, row))).collect();
            attempt("replace", &format!("router.set_model_list([{}])", rows.join(", ")))
        }
    }
}

fn attempt(what: &str, call: &str) -> String {
    format!("attempt({}, lambda: {call})", python(&json!(what)))
}

fn ask(query: &Query) -> String {
    format!(
        "await ask(router, {}, {})",
        python(&json!(query.model)),
        python(&json!(query.team))
    )
}

fn deployment(hello: &Hello, row: &Row) -> Value {
    let mut params = json!({"model": row.model, "api_key": row.tag});
    let mut info = json!({"id": row.id, "db_model": true});
    if let Some(weight) = row.weight {
        params["weight"] = json!(weight);
    }
    if let Some(team) = &row.team {
        info["team_id"] = json!(team);
    }
    if let Some(name) = &row.team_model_name {
        info["team_public_model_name"] = json!(name);
    }
    if row.blocked {
        info["blocked"] = json!(true);
    }
    let extra = hello
        .dialect
        .extras
        .iter()
        .find(|extra| Some(&extra.name) == row.extra.as_ref());
    if let Some(more) = extra.and_then(|extra| extra.params.as_ref()) {
        merge(&mut params, &more["litellm_params"]);
        merge(&mut info, &more["model_info"]);
    }
    json!({"model_name": row.model_name, "litellm_params": params, "model_info": info})
}

fn merge(into: &mut Value, more: &Value) {
    if let (Some(into), Some(more)) = (into.as_object_mut(), more.as_object()) {
        into.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// A value as Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
        Value::Number(number) => number.to_string(),
        // A JSON string is a Python string.
        Value::String(_) => value.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| format!("{}: {}", json!(key), python(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Text inside a Python docstring.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace("\"\"\"", "'''")
}
