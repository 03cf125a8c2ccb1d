//! The known issues of routers: traces that this program carries with it, diagnosed on the router at hand.

use model::cause::{CauseKey, diagnose};
use model::failure::{Failure, Origin, Signature};
use model::shrink::about;
use model::trial::{Judge, trial};
use protocol::{AdapterFault, Level, RouterUnderTest, TraceFile};

use crate::commands::replay::{Kept, to_run, unfit};
use crate::document::KnownReport;

/// Every trace of a known issue: its path, and its text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/known.rs"));

/// Returns the key that each known issue of this router has on it; one whose trace holds has none.
///
/// # Errors
///
/// Those of the router under test.
pub fn keys(router: &mut dyn RouterUnderTest, judge: &Judge) -> Result<Vec<(KnownReport, CauseKey)>, AdapterFault> {
    let hello = router.hello().clone();
    let mut keys = Vec::new();
    for (path, kept) in files() {
        let of_this_router = kept.file.router.as_deref() == Some(&hello.router);
        if !of_this_router || kept.file.trace.level == Level::Fleet || unfit(&kept.file, &hello).is_some() {
            continue;
        }
        if let Some(key) = key(router, judge, &kept)? {
            let file = &kept.file;
            let name = name_of(path);
            keys.push((
                KnownReport {
                    issue: issue_of(&name),
                    name,
                    affected: file.affected.clone(),
                    expected: file.affects(&hello.version).unwrap_or(false),
                },
                key,
            ));
        }
    }
    Ok(keys)
}

/// The traces, each with its path.
///
/// # Panics
///
/// On a file that is no trace; a test reads them all.
fn files() -> impl Iterator<Item = (&'static str, Kept)> {
    FILES.iter().map(|(path, text)| {
        let file = TraceFile::parse(text).unwrap_or_else(|why| panic!("{path}: {why}"));
        let rule = file
            .rule
            .as_deref()
            .map(|rule| rule.parse().expect("a known issue is of a rule"));
        (*path, Kept { file, rule })
    })
}

fn key(router: &mut dyn RouterUnderTest, judge: &Judge, kept: &Kept) -> Result<Option<CauseKey>, AdapterFault> {
    let Some(rule) = kept.rule else { return Ok(None) };
    let run = to_run(kept, router.hello());
    let judged = trial(router, &judge.of_rule(rule), std::slice::from_ref(&run))?;
    let Some(finding) = judged.into_iter().flat_map(|judged| judged.tally.findings).next() else {
        return Ok(None);
    };
    let run = about(&run, &finding);
    let failure = Failure {
        signature: Signature::of(&finding, &run.trace.steps),
        origin: Origin {
            universe: "known",
            trace: 0,
            steps: run.trace.steps.len(),
        },
        finding,
        run,
        count: 1,
        // Whoever wrote it made it small.
        shrunk: true,
    };
    Ok(Some(diagnose(router, judge, &failure)?.key))
}

fn name_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.trim_end_matches(".toml").to_owned()
}

/// The number that a name begins with, as people write issues.
fn issue_of(name: &str) -> Option<String> {
    let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("#{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_issue_is_a_trace_of_a_rule() {
        let files: Vec<_> = files().collect();
        assert!(files.len() >= 39, "{} traces", files.len());
        for (path, kept) in &files {
            assert!(kept.rule.is_some() && kept.file.router.is_some(), "{path}");
        }
    }

    #[test]
    fn an_issue_is_named_by_its_number() {
        let name = name_of("litellm/29064-team.toml");
        assert_eq!(
            (name.as_str(), issue_of(&name)),
            ("29064-team", Some("#29064".to_owned()))
        );
        assert_eq!(issue_of("tie-by-order"), None);
    }
}
