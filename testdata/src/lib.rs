//! The examples of what a lookup means, for the tests of every implementation of it.
//!
//! The files below `testdata/semantics` hold the examples as rows of data: the rows of a table, perhaps a change to it,
//! and what must be answered then. [`examples`] reads them, and [`hold`] holds an implementation of one preset against
//! those of that preset. What is held is a [`Subject`].
//!
//! # Format
//!
//! A file names the `presets` that its examples belong to. An `example` has a `name`, which no other example of any
//! file has, and these:
//!
//! | field | meaning |
//! |---|---|
//! | `rows` | the rows of the table |
//! | `change` | a change to that table |
//! | `after` | the rows of the table after a change that must be taken |
//! | `refused` | for a change that must be refused, the field or id that the reason names |
//! | `asks` | lookups in the end, with their answers |
//! | `lists` | what callers are shown in the end |
//! | `picks` | how often each row is picked by draws that are spread evenly |
//!
//! An answer is `unknown_model`, `blocked`, `invalid`, or the candidates by id, as `d1=openai/gpt-4o@v1` with the
//! resolved model and the tag. Where presets of one file differ, the answer is a table by preset; where one preset
//! allows several answers, ` or ` stands between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use protocol::{Answer, Change, Query, Refusal, Row};
use serde::Deserialize;

/// The weight of a row that states none.
const WEIGHT_DEFAULT: u32 = 1;

/// An example.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The name, which no other example has.
    pub name: String,
    /// The rows of the table.
    #[serde(default)]
    pub rows: Vec<Row>,
    /// A change to that table.
    pub change: Option<Change>,
    /// The rows after a change that must be taken.
    pub after: Option<Vec<Row>>,
    /// The field or id that the reason names, for a change that must be refused.
    pub refused: Option<String>,
    /// Lookups, with their answers.
    #[serde(default)]
    pub asks: Vec<Ask>,
    /// Listings.
    #[serde(default)]
    pub lists: Vec<List>,
    /// Picks by weight.
    #[serde(default)]
    pub picks: Vec<Pick>,
    /// The file, below the directory of the examples.
    #[serde(skip)]
    pub file: String,
    /// The presets that the example belongs to.
    #[serde(skip)]
    pub presets: Vec<String>,
}

/// A lookup and its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The name that is asked for.
    pub model: String,
    /// The caller's team.
    pub team: Option<String>,
    /// The path of the router; no path in particular where it is absent.
    #[serde(default)]
    pub path: String,
    /// The answer.
    pub answer: Expected,
}

/// The text of an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Expected {
    /// The answer of every preset of the file.
    Same(String),
    /// The answer of each preset of the file.
    ByPreset(BTreeMap<String, String>),
}

/// A listing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The caller's team.
    pub team: Option<String>,
    /// The names that the caller is shown, sorted.
    pub names: Vec<String>,
}

/// Picks among the candidates of a lookup.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// The name that is asked for, by a caller without a team.
    pub model: String,
    /// The number of times that each id is picked, by as many draws as these numbers add up to.
    pub shares: BTreeMap<String, u64>,
}

/// A file of examples.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    presets: Vec<String>,
    example: Vec<Example>,
}

/// An implementation that is held against the examples.
pub trait Subject {
    /// Set if the implementation picks among candidates; one that does not is not asked to.
    const PICKS: bool = false;

    /// Becomes a fresh router of these rows.
    fn load(&mut self, rows: &[Row]);

    /// Carries out a change, and says whether it changed anything.
    ///
    /// # Errors
    ///
    /// The reason why the change was refused.
    fn change(&mut self, change: &Change) -> Result<bool, String>;

    /// Returns the rows that are held, in any order.
    fn rows(&self) -> Vec<Row>;

    /// Returns the answer on that path of the router; a specification returns every answer that it allows.
    fn lookup(&self, query: &Query, path: &str) -> Vec<Answer>;

    /// Returns the names that a caller of this team is shown.
    fn listing(&self, team: Option<&str>) -> Vec<String>;

    /// Returns the id that a draw picks; `None` where there is no candidate.
    fn pick(&self, query: &Query, draw: u64) -> Option<String> {
        let _ = (query, draw);
        None
    }
}

/// The number of expectations that an implementation was held against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// The number of examples of each file.
    pub examples: BTreeMap<String, usize>,
    /// The number of changes.
    pub changes: usize,
    /// The number of lookups.
    pub lookups: usize,
    /// The number of listings.
    pub listings: usize,
    /// The number of sets of picks.
    pub picks: usize,
}

impl Ran {
    /// Asserts that examples of several files and of each kind were held; of picks, those of a subject that picks alone.
    ///
    /// # Panics
    ///
    /// A kind of expectation has no example, or too much of it was held.
    pub fn assert_whole<S: Subject>(&self) {
        let Self {
            examples,
            changes,
            lookups,
            listings,
            picks,
        } = self;
        assert!(
            examples.len() > 1 && examples.values().all(|count| *count > 0),
            "{self:?}"
        );
        assert!(*changes > 0 && *lookups > 0 && *listings > 0, "{self:?}");
        assert_eq!(*picks > 0, S::PICKS, "{self:?}");
    }
}

/// The directory of the examples.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("semantics")
}

/// Reads every file of examples below the directory.
///
/// # Errors
///
/// The first file, in the order of their paths, that cannot be read, has an unknown field or no example, or an example
/// that expects nothing, contradicts itself or has the name of an earlier one.
pub fn examples(directory: &Path) -> Result<Vec<Example>, String> {
    let mut examples: Vec<Example> = Vec::new();
    let mut names = BTreeSet::new();
    for path in files(directory)? {
        let file = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
        let text = fs::read_to_string(&path).map_err(|why| format!("{file}: {why}"))?;
        for example in parse(&file, &text)? {
            if !names.insert(example.name.clone()) {
                return Err(format!("{file}: there are two examples `{}`", example.name));
            }
            examples.push(example);
        }
    }
    Ok(examples)
}

/// The TOML files below a directory, sorted.
fn files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |why| format!("{}: {why}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn parse(file: &str, text: &str) -> Result<Vec<Example>, String> {
    let File { presets, example } = toml::from_str(text).map_err(|why| format!("{file}: {why}"))?;
    if presets.is_empty() || example.is_empty() {
        return Err(format!("{file}: there is no preset or no example"));
    }
    let owned = |example: Example| Example {
        file: file.to_owned(),
        presets: presets.clone(),
        ..example
    };
    let examples: Vec<Example> = example.into_iter().map(owned).collect();
    for example in &examples {
        example
            .check()
            .map_err(|why| format!("{file}: `{}` {why}", example.name))?;
    }
    Ok(examples)
}

impl Example {
    /// Refuses an example that could not fail, or that says two things at once.
    fn check(&self) -> Result<(), &'static str> {
        let ids: BTreeSet<&str> = self.rows.iter().map(|row| row.id.as_str()).collect();
        if ids.len() != self.rows.len() {
            return Err("has two rows of one id");
        }
        let outcomes = usize::from(self.after.is_some()) + usize::from(self.refused.is_some());
        if outcomes != usize::from(self.change.is_some()) {
            return Err("wants one of `after` and `refused` for a change, and none without");
        }
        if self.change.is_none() && self.asks.is_empty() && self.lists.is_empty() && self.picks.is_empty() {
            return Err("expects nothing");
        }
        let presets: BTreeSet<&String> = self.presets.iter().collect();
        let misses = |ask: &Ask| matches!(&ask.answer, Expected::ByPreset(answers) if answers.keys().collect::<BTreeSet<_>>() != presets);
        if self.asks.iter().any(misses) {
            return Err("wants one answer for each preset of the file");
        }
        if self.picks.iter().any(|pick| pick.shares.values().sum::<u64>() == 0) {
            return Err("picks nothing");
        }
        Ok(())
    }

    /// Holds an implementation of the preset against the example.
    ///
    /// The rows come as a list, and one by one in both orders: the answer is a function of the rows alone.
    ///
    /// # Errors
    ///
    /// The first difference.
    pub fn hold<S: Subject>(&self, preset: &str, fresh: impl Fn() -> S, ran: &mut Ran) -> Result<(), String> {
        let one_by_one = |rows: Vec<&Row>| {
            let mut subject = fresh();
            for row in rows {
                subject.change(&Change::Upsert(row.clone()))?;
            }
            Ok(subject)
        };
        let mut loaded = fresh();
        loaded.load(&self.rows);
        let tables: [Result<S, String>; 3] = [
            Ok(loaded),
            one_by_one(self.rows.iter().collect()),
            one_by_one(self.rows.iter().rev().collect()),
        ];
        for (subject, how) in tables
            .into_iter()
            .zip(["loaded", "put in order", "put in reverse order"])
        {
            let outcome = subject.and_then(|mut subject| self.hold_one(preset, &mut subject, ran));
            outcome.map_err(|why| format!("{}: {}, {preset}, {how}: {why}", self.file, self.name))?;
        }
        Ok(())
    }

    fn hold_one<S: Subject>(&self, preset: &str, subject: &mut S, ran: &mut Ran) -> Result<(), String> {
        same("rows", &table(&subject.rows()), &table(&self.rows))?;
        if let Some(change) = &self.change {
            ran.changes += 1;
            self.hold_change(subject, change)?;
        }
        for ask in &self.asks {
            ran.lookups += 1;
            let query = Query::new(&ask.model, ask.team.as_deref());
            let expected = match &ask.answer {
                Expected::Same(answer) => answer,
                Expected::ByPreset(answers) => &answers[preset],
            };
            let mut answers: Vec<String> = subject.lookup(&query, &ask.path).into_iter().map(answer_text).collect();
            answers.sort();
            same(&format!("{query:?}"), &answers.join(" or "), expected)?;
        }
        for List { team, names } in &self.lists {
            ran.listings += 1;
            same(
                &format!("the listing for {team:?}"),
                &subject.listing(team.as_deref()),
                names,
            )?;
        }
        for Pick { model, shares } in self.picks.iter().filter(|_| S::PICKS) {
            ran.picks += 1;
            same(&format!("picks of `{model}`"), &picked(subject, model, shares), shares)?;
        }
        Ok(())
    }

    fn hold_change(&self, subject: &mut impl Subject, change: &Change) -> Result<(), String> {
        let outcome = subject.change(change);
        let rows = match (&self.refused, &outcome) {
            (Some(named), Err(why)) if why.contains(&format!("`{named}`")) => &self.rows,
            (None, Ok(_)) => self.after.as_ref().unwrap_or(&self.rows),
            _ => return Err(format!("{change:?} gave {outcome:?}")),
        };
        same("rows after the change", &table(&subject.rows()), &table(rows))?;
        let changes = outcome.unwrap_or(false);
        same("whether it changed", &changes, &(table(rows) != table(&self.rows)))
    }
}

/// Holds an implementation of a preset against every example of it.
///
/// # Errors
///
/// The examples cannot be read; or all that differ, each with its first difference.
pub fn hold<S: Subject>(preset: &str, fresh: impl Fn() -> S) -> Result<Ran, String> {
    let mut ran = Ran::default();
    let mut wrong = Vec::new();
    for example in examples(&directory())? {
        if example.presets.iter().any(|name| name == preset) {
            *ran.examples.entry(example.file.clone()).or_default() += 1;
            wrong.extend(example.hold(preset, &fresh, &mut ran).err());
        }
    }
    if wrong.is_empty() {
        Ok(ran)
    } else {
        Err(wrong.join("\n"))
    }
}

fn same<T: PartialEq + Debug + ?Sized>(what: &str, got: &T, expected: &T) -> Result<(), String> {
    if got == expected {
        Ok(())
    } else {
        Err(format!("{what}: got {got:?}, expected {expected:?}"))
    }
}

/// Sorts rows, each with a weight.
fn table(rows: &[Row]) -> Vec<Row> {
    let weighed = |row: &Row| Row {
        weight: row.weight.or(Some(WEIGHT_DEFAULT)),
        ..row.clone()
    };
    let mut rows: Vec<Row> = rows.iter().map(weighed).collect();
    rows.sort();
    rows
}

/// Writes an answer as the examples do; a failure, which no example expects, begins with a word that no answer is.
pub fn answer_text(answer: Answer) -> String {
    match answer.sorted() {
        Answer::Candidates(candidates) => {
            let texts: Vec<String> = candidates
                .iter()
                .map(|candidate| format!("{}={}@{}", candidate.id, candidate.model, candidate.tag))
                .collect();
            texts.join(" ")
        }
        Answer::Refused(Refusal::UnknownModel) => "unknown_model".to_owned(),
        Answer::Refused(Refusal::Blocked) => "blocked".to_owned(),
        Answer::Refused(Refusal::Invalid) => "invalid".to_owned(),
        Answer::Failed(why) => format!("failed: {why}"),
    }
}

/// Counts what an even spread of draws picks, as many as the shares add up to.
fn picked(subject: &impl Subject, model: &str, shares: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let query = Query::new(model, None);
    let draws: u64 = shares.values().sum();
    let mut counts: BTreeMap<String, u64> = shares.keys().map(|id| (id.clone(), 0)).collect();
    for draw in 0..draws {
        let id = subject.pick(&query, draw * (u64::MAX / draws + 1));
        *counts.entry(id.unwrap_or_default()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: &str = r#"
        presets = ["strict"]
        [[example]]
        name = "one"
        asks = [{ model = "m", answer = "unknown_model" }]
    "#;

    #[test]
    fn a_file_that_says_nothing_or_too_much_is_refused() {
        assert_eq!(parse("f", FINE).map(|examples| examples.len()), Ok(1));
        let refused = [
            ("", "missing field `presets`"),
            (r#"presets = ["strict"]"#, "missing field `example`"),
            ("presets = []\nexample = []", "no preset or no example"),
            ("presets = [\"strict\"]\nexample = []", "no preset or no example"),
        ];
        for (text, why) in refused {
            let refusal = parse("f", text).expect_err(why);
            assert!(refusal.starts_with("f: ") && refusal.contains(why), "{refusal}");
        }
        for (from, to, why) in [
            ("name =", "nmae =", "unknown field `nmae`"),
            ("model =", "modle =", "unknown field `modle`"),
            ("presets =", "extra = 1\npresets =", "unknown field `extra`"),
            ("asks =", "lists =", "unknown field `answer`"),
            (
                "asks = [{ model = \"m\", answer = \"unknown_model\" }]",
                "",
                "expects nothing",
            ),
            (
                "asks =",
                "refused = \"id\"\nasks =",
                "one of `after` and `refused` for a change",
            ),
            (
                "asks =",
                "change.delete = \"d1\"\nasks =",
                "one of `after` and `refused` for a change",
            ),
            (
                "\"unknown_model\"",
                "{ lax = \"blocked\" }",
                "one answer for each preset",
            ),
            (
                "asks =",
                "picks = [{ model = \"m\", shares = {} }]\nasks =",
                "picks nothing",
            ),
        ] {
            let text = FINE.replace(from, to);
            let refusal = parse("f", &text).expect_err(why);
            assert!(refusal.contains(why), "{refusal}");
        }
        let row = r#"{ id = "d1", model_name = "m", model = "x", tag = "v" }"#;
        let twice = FINE.replace("asks =", &format!("rows = [{row}, {row}]\nasks ="));
        assert!(parse("f", &twice).is_err_and(|why| why.contains("two rows of one id")));
    }

    #[test]
    fn two_examples_of_one_name_are_refused() {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        for file in ["a.toml", "b.toml"] {
            fs::write(directory.path().join(file), FINE).expect("there is room for a file");
        }
        let refusal = examples(directory.path()).expect_err("the names are the same");
        assert_eq!(refusal, "b.toml: there are two examples `one`");
    }

    #[test]
    fn every_file_below_the_directory_is_read() {
        let read: BTreeSet<String> = examples(&directory())
            .expect("the examples are well formed")
            .into_iter()
            .map(|example| example.file)
            .collect();
        let mut there = BTreeSet::new();
        for folder in ["", "strict"] {
            for entry in fs::read_dir(directory().join(folder)).expect("the directory is there") {
                let entry = entry.expect("the directory can be read");
                let name = Path::new(folder).join(entry.file_name());
                if entry.file_type().expect("it is there").is_file() {
                    there.insert(name.display().to_string());
                }
            }
        }
        assert_eq!(read, there);
    }
}
