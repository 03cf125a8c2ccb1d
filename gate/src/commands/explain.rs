//! `routeproof explain`: one rule, for a maintainer who sees it broken for the first time, or one cause of a run.

use std::path::Path;

use model::RuleId;

use crate::document::{Document, JsonReport};
use crate::error::Error;
use crate::files::read_text;
use crate::foreign;
use crate::report::{REPORT_BYTES_MAX, human};

/// The prefix of the names of causes; no rule has a name with it.
const CAUSE: &str = "cause-";

/// Everything that is known of a rule, or of a cause that the report at `path` holds.
///
/// # Errors
///
/// A usage error where there is no such rule or cause, or no such report.
pub(crate) fn text(name: &str, path: &Path, columns: usize) -> Result<String, Error> {
    if name.starts_with(CAUSE) {
        return cause(name, path, columns);
    }
    rule(name)
}

fn cause(name: &str, path: &Path, columns: usize) -> Result<String, Error> {
    let usage = |why: String| Error::Usage(format!("{}: {why}", foreign::path(path)));
    let text = read_text(path, REPORT_BYTES_MAX).map_err(|why| {
        usage(format!(
            "{why}; run `routeproof run` first, or name its report with `--report`"
        ))
    })?;
    let report: JsonReport = serde_json::from_str(&text).map_err(|why| usage(format!("this is no report: {why}")))?;
    let Document::Run(run) = report.document.as_ref() else {
        return Err(usage("only a report of `run` has causes".to_owned()));
    };
    let Some(cause) = run.causes.iter().find(|cause| cause.id == name) else {
        let why = match run.causes.len() {
            0 => "it holds no causes".to_owned(),
            last => format!("there is no `{name}`; there are {CAUSE}1 to {CAUSE}{last}"),
        };
        return Err(usage(why));
    };
    Ok(human::cause::text(run, cause, columns))
}

fn rule(name: &str) -> Result<String, Error> {
    let Ok(id) = name.parse::<RuleId>() else {
        let names = RuleId::ALL.map(RuleId::name).join(", ");
        return Err(Error::Usage(format!(
            "there is no rule `{name}`; there are {names}; a cause is named as `{CAUSE}1`"
        )));
    };
    let rule = id.rule();
    let needs = if rule.needs.is_empty() {
        String::new()
    } else {
        let needs: Vec<String> = rule
            .needs
            .iter()
            .map(|need| format!("{need:?}").to_lowercase())
            .collect();
        format!("\nneeds: {}\n", needs.join(", "))
    };
    Ok(format!(
        "{}: {}\n\n{}\n\noracle: {}\none premise: {}\n{needs}",
        rule.id,
        rule.sentence,
        rule.explanation,
        rule.oracle.word(),
        rule.premise
    ))
}
