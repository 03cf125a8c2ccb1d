//! The programs that an install runs, each to its end and within a bound.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::LAST_WORDS_WAIT;
use super::tail::KeptTail;
use crate::guard::{Ended, Group};

/// The longest that one step of an install may take.
const STEP_WAIT: Duration = Duration::from_mins(20);

/// Prints a line of progress.
pub(crate) type Progress<'a> = &'a dyn Fn(&str);

/// The reason why a step of an install came to nothing.
pub(super) enum Failure {
    /// No such program.
    NotFound,
    /// A program that failed.
    Failed {
        /// The way.
        how: String,
        /// The last lines that it wrote.
        lines: Vec<String>,
    },
}

/// The programs of an install, by the place where they are looked for and the one where they run.
#[derive(Clone, Copy)]
pub(super) struct Tools<'a> {
    /// The directory in which they run: the current one may be that of a project, whose settings would change an install.
    pub dir: &'a Path,
    /// The `PATH` on which they are looked for.
    pub path: Option<&'a OsStr>,
}

impl Tools<'_> {
    /// Runs a program to its end and returns the last lines that it wrote.
    pub(super) fn run(&self, program: &str, args: &[&OsStr]) -> Result<Vec<String>, Failure> {
        self.run_with(program, args, &[])
    }

    /// Runs a program with these variables set.
    pub(super) fn run_with(
        &self,
        program: &str,
        args: &[&OsStr],
        variables: &[(&str, OsString)],
    ) -> Result<Vec<String>, Failure> {
        let mut command = Command::new(program);
        command.args(args);
        command
            .current_dir(self.dir)
            .env_remove("PYTHONPATH")
            .env_remove("PYTHONHOME");
        if let Some(path) = self.path {
            command.env("PATH", path);
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let mut group = Group::spawn(command, Stdio::null(), |_| ()).map_err(|_| Failure::NotFound)?;
        let (Some(stdout), Some(stderr)) = (group.child().stdout.take(), group.child().stderr.take()) else {
            unreachable!("both streams were asked for as pipes");
        };
        let kept = KeptTail::of(vec![Box::new(stdout), Box::new(stderr)]);
        let ended = group.ends_within(STEP_WAIT);
        // Processes that it left running are killed now, so that the streams end.
        drop(group);
        let lines = kept.lines(LAST_WORDS_WAIT);
        let how = match ended {
            Some(Ended::Code(0)) => return Ok(lines),
            Some(how) => how.to_string(),
            None => format!("no end within {} minutes", STEP_WAIT.as_secs() / 60),
        };
        let step = args
            .iter()
            .map(|arg| arg.to_string_lossy())
            .find(|arg| !arg.starts_with('-'));
        let how = format!("`{program} {}`: {how}", step.unwrap_or_default());
        Err(Failure::Failed { how, lines })
    }

    /// Returns whether there is a program of that name.
    pub(super) fn has(&self, program: &str) -> bool {
        self.run(program, &["--version".as_ref()]).is_ok()
    }
}
