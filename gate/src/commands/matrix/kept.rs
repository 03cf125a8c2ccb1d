//! The files that an earlier call has kept of a release: whole or not at all, with the settings that they were made with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::{CauseKey, RuleId};
use protocol::Level;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::commands::run::Options;
use crate::document::{Document, JsonReport, RunReport};
use crate::files::{read_text, write_whole};
use crate::report::{LAST, REPORT_BYTES_MAX, json};

/// The file that says which trial the report beside it is of.
const TRIAL: &str = "trial.kept";
/// The file of what became of traces that were found on other releases.
const REPLAYS: &str = "replays.kept";
/// The largest of both.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// Everything that a trial depends on, but for the router itself, which its name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    routeproof: String,
    litellm_adapter: String,
    router: String,
    level: Level,
    replicas_max: u8,
    rules: Vec<RuleId>,
    budget_ms: Option<u128>,
    seed: u32,
    traces_max: u32,
    effects_min: u64,
    ask_again_ms: u128,
    jobs: usize,
}

impl Settings {
    /// The settings of a trial that has so many processes of its adapter.
    pub(super) fn of(options: &Options, jobs: usize) -> Self {
        Self {
            routeproof: env!("CARGO_PKG_VERSION").to_owned(),
            litellm_adapter: env!("ROUTEPROOF_LITELLM_HASH").to_owned(),
            router: options.spec.to_string(),
            level: options.level,
            replicas_max: options.replicas_max,
            rules: options.rules.iter().collect(),
            budget_ms: options.budget.map(|budget| budget.as_millis()),
            seed: options.seed,
            traces_max: options.traces_max,
            effects_min: options.effects_min,
            ask_again_ms: options.ask_again.as_millis(),
            jobs,
        }
    }
}

/// The trace of a cause, once it was carried out on another release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Replayed {
    /// No failure.
    Holds,
    /// A broken rule.
    Breaks {
        /// The key of what it shows here.
        key: Box<CauseKey>,
        /// The key of what else its guilty step left behind.
        also: Option<Box<CauseKey>>,
    },
    /// Nothing said of this release, for that reason.
    Unfit(String),
    /// The adapter failed meanwhile, in words.
    Failed(String),
}

/// The traces that were carried out on a release, each by its name.
pub(super) type Replays = BTreeMap<String, Replayed>;

/// The file of a release as it was found.
#[derive(Debug)]
pub(super) enum Kept<T> {
    /// No file.
    Nothing,
    /// A file of a call with other settings.
    OfOtherSettings,
    /// A file that is not as it was written, in words.
    Damaged(String),
    /// The content, as it was written.
    Whole(T),
}

/// The content of a file, with the settings that it was made with.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    settings: Settings,
    content: T,
}

/// The directory of a release.
#[derive(Clone, Debug)]
pub(super) struct Drawer {
    dir: PathBuf,
    settings: Settings,
}

impl Drawer {
    /// The directory, for trials with these settings.
    pub(super) fn new(dir: PathBuf, settings: Settings) -> Self {
        Self { dir, settings }
    }

    /// The path of the report of the trial.
    pub(super) fn report(&self) -> PathBuf {
        self.dir.join(LAST)
    }

    /// The trial that is kept: its file has the digest of the report beside it.
    pub(super) fn trial(&self) -> Kept<Box<RunReport>> {
        let digest = match self.kept::<String>(TRIAL) {
            Kept::Whole(digest) => digest,
            Kept::Nothing => return Kept::Nothing,
            Kept::OfOtherSettings => return Kept::OfOtherSettings,
            Kept::Damaged(why) => return Kept::Damaged(why),
        };
        let report = read_text(&self.report(), REPORT_BYTES_MAX).and_then(|text| {
            if sha256(&text) != digest {
                return Err(format!("`{LAST}` is not as it was written"));
            }
            run_of(&text)
        });
        report.map_or_else(Kept::Damaged, |run| Kept::Whole(Box::new(run)))
    }

    /// Forgets what is kept: a trial that is about to begin writes over its files.
    ///
    /// # Errors
    ///
    /// An error of the file system.
    pub(super) fn clear(&self) -> io::Result<()> {
        for name in [TRIAL, REPLAYS] {
            match fs::remove_file(self.dir.join(name)) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Writes the report of a trial, and keeps it if the trial came to its end.
    ///
    /// # Errors
    ///
    /// An error of the file system.
    pub(super) fn keep_trial(&self, run: &RunReport) -> io::Result<()> {
        let report = json::text(&Document::Run(run.clone()));
        write_whole(&self.report(), &report)?;
        if run.interrupted.is_some() {
            return Ok(());
        }
        // Behind the report: a call that is killed in between has kept nothing.
        self.keep(TRIAL, sha256(&report))
    }

    /// The traces of other releases that were carried out on this one.
    pub(super) fn replays(&self) -> Kept<Replays> {
        self.kept(REPLAYS)
    }

    /// Keeps them.
    ///
    /// # Errors
    ///
    /// An error of the file system.
    pub(super) fn keep_replays(&self, replays: &Replays) -> io::Result<()> {
        self.keep(REPLAYS, replays)
    }

    fn keep(&self, name: &str, content: impl Serialize) -> io::Result<()> {
        let settings = self.settings.clone();
        seal(&self.dir.join(name), &Sealed { settings, content })
    }

    fn kept<T: DeserializeOwned>(&self, name: &str) -> Kept<T> {
        match unseal::<Sealed<T>>(&self.dir.join(name)) {
            Ok(Some(file)) if file.settings == self.settings => Kept::Whole(file.content),
            Ok(Some(_)) => Kept::OfOtherSettings,
            Ok(None) => Kept::Nothing,
            Err(why) => Kept::Damaged(why),
        }
    }
}

fn run_of(text: &str) -> Result<RunReport, String> {
    let report: JsonReport = serde_json::from_str(text).map_err(|why| format!("`{LAST}` is no report: {why}"))?;
    match report.document.into_owned() {
        Document::Run(run) => Ok(run),
        _ => Err(format!("`{LAST}` is of another command")),
    }
}

/// Writes `content` behind a line with its digest.
fn seal(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(content).expect("settings and replays are plain data");
    write_whole(path, &format!("{}\n{text}", sha256(&text)))
}

/// Reads what [`seal`] wrote; nothing where there is no file.
///
/// # Errors
///
/// A sentence on the damage.
fn unseal<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    if !path.exists() {
        return Ok(None);
    }
    let content = read_text(path, KEPT_BYTES_MAX).and_then(|text| {
        let whole = text
            .split_once('\n')
            .filter(|(digest, content)| *digest == sha256(content));
        let (_, content) = whole.ok_or("it is not as it was written")?;
        serde_json::from_str(content).map_err(|why| why.to_string())
    });
    let name = path.file_name().unwrap_or_default().display();
    content.map(Some).map_err(|why| format!("`{name}`: {why}"))
}

/// The SHA-256 digest of a text, in hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        write!(digits, "{byte:02x}").expect("a string takes any text");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_as_it_was_written_or_told_to_be_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.kept");
        let read = || unseal::<Vec<String>>(&path);
        assert_eq!(read(), Ok(None));
        let content = vec!["one".to_owned(), "two".to_owned()];
        seal(&path, &content).unwrap();
        assert_eq!(read(), Ok(Some(content)));
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [
            text.replace("one", "own"),
            text[..text.len() - 3].to_owned(),
            String::new(),
            "x\n[]".to_owned(),
        ] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(read(), Err("`a.kept`: it is not as it was written".to_owned()));
        }
    }
}
