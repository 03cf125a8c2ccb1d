//! One verb a file. A command says how it ended; only `main` ends the process.

pub mod adapter;
pub mod explain;
pub mod explore;
pub mod replay;
pub mod rules;
pub mod run;
pub mod shell;

use std::fs;
use std::io;

use model::fleet::explore::ExploreError;
use model::pattern::Patterns;
use model::rules::RuleSet;
use model::trial::UnknownPreset;
use protocol::AdapterFault;

use crate::adapter::open;
use crate::cli::{Cli, Command, Environment, Format, ReplayArgs, RunArgs};
use crate::clock::seed_of_the_moment;
use crate::event::Event;
use crate::exit::Exit;
use crate::files::write_whole;
use crate::kill::{self, Fuzzed};
use crate::output::{ended, print, progress, write_stdout};
use crate::report::Reporter;
use crate::report::human::Human;
use crate::report::json::Json;
use crate::skip::Skips;

/// Why a command came to no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line, a file or a name in it is wrong.
    #[error("{0}")]
    Usage(String),
    /// The adapter is to blame.
    #[error(transparent)]
    Adapter(#[from] AdapterFault),
    /// The adapter claims semantics that there are none of.
    #[error(transparent)]
    Preset(#[from] UnknownPreset),
    /// The processes of a search lost each other.
    #[error(transparent)]
    Search(ExploreError),
    /// What was to be written could not be.
    #[error("cannot write to stdout ({0}); see that it is open and has room")]
    Output(#[from] io::Error),
}

impl Error {
    /// The exit code that says it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Adapter(_) | Self::Preset(_) => Exit::AdapterFault,
            Self::Search(_) => Exit::Inconclusive,
            Self::Usage(_) | Self::Output(_) => Exit::Usage,
        }
    }
}

/// Carries out what the command line asks for.
///
/// # Errors
///
/// See [`Error`].
pub fn dispatch(cli: &Cli, environment: &Environment) -> Result<Exit, Error> {
    let settings = cli.global.settings(environment);
    match &cli.command {
        Command::Run(args) => put_on_trial(args, &settings),
        Command::Replay(args) => replay_traces(args, &settings),
        Command::Faults { format, fuzzed } => {
            let fuzzed = fuzzed.as_deref().map(Fuzzed::read).transpose();
            let fuzzed = fuzzed.map_err(|why| Error::Usage(why.to_string()))?;
            let table = kill::table(fuzzed.as_ref(), &mut |line| progress(line))?;
            let printed = write_stdout(&match format {
                Format::Text => table.text(),
                Format::Markdown => table.markdown(),
            });
            ended(table.exit(), printed)
        }
        Command::Explore(args) => explore::run(args),
        Command::Rules { format } => print(&match format {
            Format::Text => rules::text(),
            Format::Markdown => rules::markdown(),
        }),
        Command::Explain { rule } => print(&explain::text(rule)?),
        Command::Adapter(args) => adapter::serve(args, &settings),
        Command::Completions { shell } => shell::completions(*shell),
        Command::Man => shell::man(),
    }
}

fn put_on_trial(args: &RunArgs, settings: &crate::adapter::Settings) -> Result<Exit, Error> {
    let rules = chosen_rules(&args.rule)?;
    let skips = match &args.skips {
        None => Skips::default(),
        Some(path) => fs::read_to_string(path)
            .map_err(|why| why.to_string())
            .and_then(|text| Skips::parse(&text))
            .map_err(|why| Error::Usage(format!("{}: {why}", path.display())))?,
    };
    if let Some(path) = args
        .report
        .iter()
        .find(|path| path.extension().is_none_or(|ending| ending != "json"))
    {
        let what = format!("{}: a report ends in `.json`", path.display());
        return Err(Error::Usage(what));
    }
    let options = run::Options {
        spec: args.router.clone(),
        rules,
        budget: args.budget,
        seed: args.seed.unwrap_or_else(seed_of_the_moment),
        traces_max: args.traces,
        out: args.out.clone(),
        skips,
    };
    progress(&format!("seed {}", options.seed));
    let mut router = open(&options.spec, settings, &progress)?;
    let mut human = Human::new(anstream::stdout());
    let mut json = Vec::new();
    let mut gathering = Json::new(&mut json);
    // A report that nobody reads any longer is no reason to stop: the verdict and the files are still to come.
    let mut printed = Ok(());
    let exit = run::run(
        &options,
        router.as_mut(),
        &mut |line| progress(line),
        &mut |event: &Event| {
            if printed.is_ok() {
                printed = human.event(event);
            }
            gathering.event(event)
        },
    )?;
    drop(gathering);
    for path in &args.report {
        let text = String::from_utf8_lossy(&json);
        write_whole(path, &text).map_err(|why| Error::Usage(format!("{}: {why}", path.display())))?;
    }
    ended(exit, printed)
}

/// The rules that match one of the patterns, or all where none is given, less those that a `!` leaves out.
fn chosen_rules(globs: &[String]) -> Result<RuleSet, Error> {
    let patterns = Patterns::default();
    for glob in globs {
        let glob = glob.strip_prefix('!').unwrap_or(glob);
        if !model::rules::RULES.iter().any(|rule| patterns.matches(glob, rule.id)) {
            return Err(Error::Usage(format!(
                "no rule matches `{glob}`; `routeproof rules` lists them"
            )));
        }
    }
    let (left_out, wanted): (Vec<&String>, Vec<&String>) = globs.iter().partition(|glob| glob.starts_with('!'));
    let rules = RuleSet::matching(|id| {
        let named = |glob: &&String| patterns.matches(glob.trim_start_matches('!'), id);
        (wanted.is_empty() || wanted.iter().any(named)) && !left_out.iter().any(named)
    });
    if rules.iter().next().is_none() {
        return Err(Error::Usage("every rule is left out; leave one in".to_owned()));
    }
    Ok(rules)
}

fn replay_traces(args: &ReplayArgs, settings: &crate::adapter::Settings) -> Result<Exit, Error> {
    let files = replay::files(&args.traces)?;
    if files.is_empty() {
        progress(&format!("there is no trace in {}", args.traces.display()));
        return Ok(Exit::NothingRan);
    }
    // A file that cannot be read is told before anything is tried.
    for file in &files {
        replay::read(file)?;
    }
    let mut router = open(&args.router, settings, &progress)?;
    let replayed = replay::replay(files, router.as_mut())?;
    let printed = write_stdout(&replay::text(&replayed));
    ended(replay::conclude(&replayed), printed)
}
