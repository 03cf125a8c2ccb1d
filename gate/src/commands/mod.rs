//! One verb a file. A command says how it ended; only `main` ends the process.

pub(crate) mod adapter;
pub(crate) mod explain;
pub(crate) mod explore;
pub(crate) mod faults;
pub(crate) mod matrix;
pub(crate) mod replay;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod shell;

use std::path::PathBuf;

use protocol::AdapterFault;

use crate::adapter::AdapterSettings;
use crate::cli::{Cli, Command, Environment, ExploreArgs, Format};
use crate::document::{Document, Interruption};
use crate::error::Error;
use crate::exit::Exit;
use crate::guard::stopped;
use crate::out::hold;
use crate::output::{print, progress};
use crate::report::{self, Page, publish};

/// Carries out what the command line asks for.
///
/// # Errors
///
/// See [`Error`].
pub fn dispatch(cli: &Cli, environment: &Environment) -> Result<Exit, Error> {
    let settings = cli.global.settings(environment);
    let page = |format: Format| Page {
        format: format.into(),
        columns: environment.columns(),
        all: false,
    };
    match &cli.command {
        Command::Run(args) => {
            let page = Page {
                all: args.all,
                ..page(Format::Text)
            };
            // What `explain` reads is always there.
            let mut reports = args.reports.report.clone();
            reports.push(args.out.join(report::LAST));
            // Until the reports are written.
            let _held = hold(&args.out)?;
            judged(&reports, Some(page), || run::run(args, &settings))
        }
        Command::Matrix(args) => {
            let page = Page {
                format: args.format,
                ..page(Format::Text)
            };
            let mut reports = args.reports.report.clone();
            reports.push(args.out.join(report::LAST));
            let _held = hold(&args.out)?;
            judged(&reports, Some(page), || matrix::run(args, &settings))
        }
        Command::Replay(args) => judged(&args.reports.report, Some(page(Format::Text)), || {
            replay::run(args, &settings)
        }),
        Command::Faults(args) => judged(&args.reports.report, Some(page(args.format)), || faults::run(args)),
        Command::Explore(args) => explored(args, &settings, page(args.format)),
        Command::Rules { format } => print(&match format {
            Format::Text => rules::text(),
            Format::Markdown => rules::rules_markdown(),
        }),
        Command::Explain { what, report } => print(&explain::text(what, report, environment.columns())?),
        Command::Adapter(args) => adapter::serve(args, &settings),
        Command::Completions { shell } => shell::completions(*shell),
        Command::Man => shell::man(),
    }
}

fn explored(args: &ExploreArgs, settings: &AdapterSettings, page: Page) -> Result<Exit, Error> {
    if let Some(port) = args.serve {
        return explore::serve(args, port);
    }
    if !args.is_first_process() {
        return judged(&args.reports.report, None, || explore::run(args, settings));
    }
    let _held = hold(&args.out)?;
    judged(&args.reports.report, Some(page), || explore::run(args, settings))
}

/// The event behind a fault of the adapter: a signal kills it as well.
fn interruption(fault: &AdapterFault) -> Interruption {
    if let Some(signal) = stopped() {
        return Interruption::Signal(signal);
    }
    progress(&fault.to_string());
    Interruption::AdapterFault(fault.to_string())
}

/// Carries out a command that judges, and reports its document: on stdout only where a page is given.
fn judged(
    reports: &[PathBuf],
    page: Option<Page>,
    judge: impl FnOnce() -> Result<Document, Error>,
) -> Result<Exit, Error> {
    report::check(reports)?;
    publish(&judge()?, reports, page)
}
