//! The text of a replay.

use std::fmt::{self, Write};

use super::steps::asked_text;
use crate::document::{Counts, ReplayReport, TraceReport, TraceStatus, Verdict};
use crate::foreign::{BRIEF_MAX, SHOWN_MAX, clean, clean_lines, escaped};

/// Writes a line for each trace, and what was found first of one that breaks its rule.
pub(super) fn write(out: &mut impl Write, replay: &ReplayReport, verdict: &Verdict) -> fmt::Result {
    for trace in &replay.traces {
        writeln!(out, "  {}: {}", escaped(&trace.file), words(trace))?;
        if let Some(finding) = trace.findings.first() {
            let (rule, class, asked) = (finding.rule, clean(&finding.class, BRIEF_MAX), asked_text(finding));
            let [allowed, got] = finding.words().map(|text| clean(&text, SHOWN_MAX));
            writeln!(out, "      {rule} {class}: {asked}    allowed: {allowed}    got: {got}")?;
        }
    }
    if let Some(why) = &verdict.why {
        writeln!(out, "{}", clean_lines(why))?;
    }
    let Counts {
        passed,
        failed,
        skipped,
        ..
    } = replay.counts();
    let name = verdict.exit.name();
    writeln!(out, "{name}: {passed} as documented, {failed} not, {skipped} skipped")
}

fn words(trace: &TraceReport) -> String {
    match trace.status {
        TraceStatus::Holds => "holds".to_owned(),
        TraceStatus::Reproduced => "reproduced, as documented".to_owned(),
        TraceStatus::Violates => "VIOLATES, and is not documented to".to_owned(),
        TraceStatus::NotReproduced => "NOT REPRODUCED, and is documented to be".to_owned(),
        TraceStatus::Skipped => {
            let reason = trace.reason.as_deref().unwrap_or_default();
            format!("skipped: {}", clean(reason, SHOWN_MAX))
        }
    }
}
