//! Tests of causes in the router's own language: plain calls, nothing of ours, run before they are offered.

mod attempt;
mod litellm;

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::Hello;

use self::attempt::attempt;
use crate::adapter::process::Launch;
use crate::adapter::spec::Release;
use crate::document::{CauseReport, ReproductionReport, TestResult, TestRun};
use crate::files::write_whole;
use crate::foreign;
use crate::guard::stopped;

/// The longest time that the tests of all causes may take on one release, beside the budget of the search.
const ATTEMPTS_TIME_MAX: Duration = Duration::from_mins(2);

/// A release of the router, ready to run tests on.
pub(crate) struct Bench {
    /// The release.
    pub release: Release,
    /// The command that starts an adapter on it; its interpreter runs the tests.
    pub launch: Launch,
}

/// Writes a test for each cause into that directory, and runs it on the release on trial, where it has to fail, and on the
/// one that is said to be mended. A test that does not fail on the release on trial is not offered.
pub(crate) fn offer(
    causes: &mut [CauseReport],
    hello: &Hello,
    dir: &Path,
    (at_hand, fixed): (&Bench, Option<&Bench>),
    progress: &mut dyn FnMut(&str),
) {
    let written: Vec<(usize, PathBuf)> = causes
        .iter()
        .enumerate()
        .filter_map(|(place, cause)| Some((place, written(hello, cause, dir, progress)?)))
        .collect();
    let files: Vec<PathBuf> = written.iter().map(|(_, file)| file.clone()).collect();
    if files.is_empty() || stopped().is_some() {
        return;
    }
    let mut runs: Vec<Vec<TestRun>> = vec![Vec::new(); files.len()];
    for bench in std::iter::once(at_hand).chain(fixed) {
        progress(&format!("running {} tests on litellm {}", files.len(), bench.release));
        let results = attempt(&bench.launch, &files, ATTEMPTS_TIME_MAX);
        for (runs, (result, line)) in runs.iter_mut().zip(results) {
            let version = bench.release.to_string();
            runs.push(TestRun { version, result, line });
        }
    }
    for ((place, file), runs) in written.into_iter().zip(runs) {
        let cause = &mut causes[place];
        if runs.first().is_some_and(|run| run.result == TestResult::Fails) {
            let file = file.display().to_string();
            cause.files.push(file.clone());
            cause.reproduction = Some(ReproductionReport { file, runs });
        } else {
            let shown = runs
                .first()
                .map_or_else(String::new, |run| format!("{} {}", run.result, run.line));
            progress(&format!(
                "the test of {} is not offered: it {}",
                cause.id,
                shown.trim_end()
            ));
            // What cannot be removed is named by no report.
            let _ = std::fs::remove_file(&file);
        }
    }
}

/// The file with the test of a cause, once it is written.
fn written(hello: &Hello, cause: &CauseReport, dir: &Path, progress: &mut dyn FnMut(&str)) -> Option<PathBuf> {
    let options = match hello.router.as_str() {
        "litellm" => "{}",
        "litellm-proxy" => "{\"ignore_invalid_deployments\": True}",
        _ => return None,
    };
    let text = litellm::test_of(hello, cause, options)?;
    let file = dir.join(format!("test_{}.py", cause.id.replace('-', "_")));
    match write_whole(&file, &text) {
        Ok(()) => Some(file),
        Err(why) => {
            progress(&format!("{} cannot be written: {why}", foreign::path(&file)));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::attempt::tests::python;
    use super::litellm::tests::cause_of_a_ghost;
    use super::*;
    use crate::adapter::builtin;

    /// A release on which the tests of the causes, in their order, come to these results.
    fn bench(dir: &Path, release: &str, results: &[&str]) -> Bench {
        let mut script = String::new();
        for result in results {
            let said = format!(r#"{{"file":"%s","result":"{result}","line":""}}"#);
            writeln!(script, "printf '{said}\\n' \"$1\"; shift").unwrap();
        }
        Bench {
            release: Release::parse(release).unwrap(),
            launch: python(&dir.join(release), &script),
        }
    }

    #[test]
    fn a_test_is_offered_that_fails_on_the_release_on_trial_whatever_it_does_on_another() {
        let dir = tempfile::tempdir().unwrap();
        let hello = Hello {
            router: "litellm".to_owned(),
            ..builtin::reference().hello().clone()
        };
        let mut causes = [1, 2, 3, 4].map(|number| CauseReport {
            id: format!("cause-{number}"),
            ..cause_of_a_ghost()
        });
        let at_hand = bench(dir.path(), "1.85.0", &["fails", "passes", "fails", "broken"]);
        let other = bench(dir.path(), "1.110.2", &["passes", "fails", "fails", "fails"]);
        offer(&mut causes, &hello, dir.path(), (&at_hand, Some(&other)), &mut |_| {});
        let results = causes.each_ref().map(|cause| {
            let offered = cause.reproduction.iter();
            offered
                .flat_map(|offered| &offered.runs)
                .map(|run| run.result)
                .collect::<Vec<_>>()
        });
        let [fails, passes] = [TestResult::Fails, TestResult::Passes];
        assert_eq!(results, [vec![fails, passes], vec![], vec![fails, fails], vec![]]);
        let is_there = [1, 2, 3, 4].map(|number| dir.path().join(format!("test_cause_{number}.py")).exists());
        assert_eq!(is_there, [true, false, true, false]);
    }
}
