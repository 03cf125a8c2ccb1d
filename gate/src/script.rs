//! The trace of a cause as a script for the shell, of what the adapter says that it did.

use protocol::Step;

use crate::document::CauseReport;
use crate::foreign::escaped;

/// Returns the script of the witness of a cause; none where the adapter does not say of each step what it did, or says it in
/// a text that cannot stand in a line as it is.
pub(crate) fn script(cause: &CauseReport) -> Option<String> {
    let steps = &cause.trace.trace.steps;
    if steps.is_empty() || cause.did.len() != steps.len() || !cause.initial().is_empty() {
        return None;
    }
    let mut lines = vec![
        "#!/bin/sh".to_owned(),
        format!("# {}: {}", escaped(&cause.id), escaped(&cause.headline)),
        "# Each step as the adapter says that it does it, on a router that has just been started.".to_owned(),
    ];
    for (number, (step, did)) in (1..).zip(steps.iter().zip(&cause.did)) {
        let did = did.as_ref().filter(|did| escaped(did) == **did)?;
        lines.push(format!("\n# {number} {}", what(step)));
        lines.push(did.clone());
    }
    lines.push(String::new());
    Some(lines.join("\n"))
}

/// The kind of a step, in one word of ours.
fn what(step: &Step) -> &'static str {
    match step {
        Step::Change(change) => change.verb(),
        Step::Ask(_, question) => question.kind().word(),
        Step::World(_) => "wait",
        Step::Do(_) | Step::Begin(_) | Step::Finish(_) => "step of a fleet",
    }
}

#[cfg(test)]
mod tests {
    use model::CauseKey;
    use protocol::{Change, Query, Row, Trace, TraceFile};

    use super::*;
    use crate::causes::tests::reported;

    fn cause(did: &[Option<&str>]) -> CauseReport {
        let steps = vec![
            Step::Change(Change::Delete("d1".to_owned())),
            Step::lookup(Query::new("a", None)),
        ];
        CauseReport {
            trace: TraceFile::new("", Trace::of_router(Vec::new(), steps)),
            did: did.iter().map(|did| did.map(str::to_owned)).collect(),
            ..reported(&CauseKey::AskedBefore, &[])
        }
    }

    #[test]
    fn a_script_has_each_step_as_the_adapter_did_it() {
        let mut cause = cause(&[Some("curl -X DELETE rows/d1"), Some("curl 'route?model=a'")]);
        let told = script(&cause).expect("each step is told");
        let (start, steps) = told.split_once("\n\n").expect("the steps stand behind the head");
        assert!(start.starts_with("#!/bin/sh\n# cause-1: "), "{start}");
        assert_eq!(
            steps,
            "# 1 delete\ncurl -X DELETE rows/d1\n\n# 2 lookup\ncurl 'route?model=a'\n"
        );
        cause.trace.trace.setup.rows.push(Row::new("d1", "a", "up", "v1"));
        assert_eq!(script(&cause), None, "the rows to start with are not told");
    }

    #[test]
    fn there_is_no_script_where_a_step_is_not_told_or_told_in_a_text_that_misleads() {
        for did in [
            &[][..],
            &[Some("one"), None],
            &[Some("one\nrm -r /"), Some("two")],
            &[Some("one"), Some("two \u{1b}[2J")],
            &[Some("one"), Some("two \u{202e}")],
        ] {
            assert_eq!(script(&cause(did)), None, "{did:?}");
        }
    }
}
