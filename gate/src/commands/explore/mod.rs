//! `routeproof explore`: every interleaving of a small fleet.

mod diagram;
mod print;
mod table;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::fleet::actions::{Action, Shape};
use model::fleet::explore::{ExploreError, explore};
use model::fleet::fair::{Convergence, Converging, Fairness, STATES_MAX, converges};
use model::fleet::machine::{Machine, Packed};
use model::fleet::report::Report;
use model::fleet::{Violation, checker, trace};

use crate::cli::{Engine, ExploreArgs, Model};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{ended, progress};

/// Explores, prints the report, and writes the counterexamples.
///
/// # Errors
///
/// If the flags contradict each other, if the search cannot be carried out, or if nothing can be written.
pub fn run(args: &ExploreArgs) -> Result<Exit, Error> {
    if args.table && (args.model == Model::Poll2 || args.engine == Engine::Stateright) {
        return Err(Error::Usage(
            "`--table` is of `--model fleet` by `--engine timely`".to_owned(),
        ));
    }
    match args.model {
        Model::Fleet if args.table => table::run(args),
        Model::Poll2 => run_model(args, &args.poll2()?, Shape::Exact),
        Model::Fleet => {
            let fleet = args.fleet()?;
            let mended = fleet.bounds().shapes[0];
            run_model(args, &fleet, mended)
        }
    }
}

/// What an exploration came to.
struct Explored<'a, M: Machine> {
    machine: &'a M,
    report: Report<M::State>,
    convergence: Option<Convergence<M::State>>,
    took: Duration,
}

fn run_model<M: Converging + Packed>(args: &ExploreArgs, machine: &M, mended: Shape) -> Result<Exit, Error> {
    if args.engine == Engine::Stateright || args.serve.is_some() {
        args.check_stateright()?;
    }
    if let Some(port) = args.serve {
        progress(&format!(
            "the Explorer is at http://127.0.0.1:{port}; end it with Ctrl-C"
        ));
        let served = checker::serve(machine, args.symmetry, port);
        return served
            .map(|()| Exit::Conforms)
            .map_err(|why| Error::Usage(format!("cannot serve at 127.0.0.1:{port}: {why}; take another port")));
    }
    let started = now();
    let report = match args.engine {
        Engine::Stateright => checker::check(
            machine,
            checker::Options {
                symmetric: args.symmetry,
                threads: usize::from(args.threads),
                states_max: args.states_max,
            },
        ),
        Engine::Timely => explore(machine, &args.options()?, on_progress(started)).map_err(failure)?,
    };
    let took = started.elapsed();
    let convergence = if args.converges {
        Some(converges(machine, Fairness::Weak, STATES_MAX).map_err(|why| Error::Usage(why.to_string()))?)
    } else {
        None
    };
    if args.process.is_some_and(|process| process > 0) {
        progress("the first process prints the report");
        return Ok(exit(machine, &report, convergence.as_ref()));
    }
    let explored = Explored {
        machine,
        report,
        convergence,
        took,
    };
    let files = write_counterexamples(args, &explored, mended)?;
    let printed = print::report(&explored, &files);
    ended(
        exit(machine, &explored.report, explored.convergence.as_ref()),
        [printed.map_err(Error::Output)],
    )
}

/// A violation outweighs a limit: it is there, whatever lies beyond.
fn exit<M: Machine>(machine: &M, report: &Report<M::State>, convergence: Option<&Convergence<M::State>>) -> Exit {
    let stuck = convergence.is_some_and(|convergence| convergence.stuck.is_some());
    if !report.violations.is_empty() || stuck {
        Exit::Violation
    } else if report.ended != model::fleet::Ended::Exhausted
        || !report.dead(machine).is_empty()
        || !unjudged(machine, report).is_empty()
    {
        Exit::Inconclusive
    } else {
        Exit::Conforms
    }
}

/// The rules that never had anything to check, although an action that could have given them something was chosen.
fn unjudged<M: Machine>(machine: &M, report: &Report<M::State>) -> Vec<&'static str> {
    let mut vacuous = report.vacuous(machine);
    vacuous.retain(|rule| print::needs(rule).is_none_or(|needed| machine.kinds().contains(&needed)));
    // Own writes are no kind of their own: without them the rule is not asked for.
    vacuous.retain(|rule| *rule != "read-your-writes");
    vacuous
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the edge: a report says how long it took"
)]
fn now() -> Instant {
    Instant::now()
}

/// How many levels pass without a word while they are quick.
const QUIET: Duration = Duration::from_secs(2);

fn on_progress(started: Instant) -> model::fleet::explore::OnProgress {
    Arc::new(move |at| {
        let took = started.elapsed();
        if took < QUIET {
            return;
        }
        progress(&format!(
            "depth {}, {} states ({} new), {:.1} M/s, {} MiB",
            at.depth,
            at.distinct,
            at.frontier,
            print::millions(at.distinct) / took.as_secs_f64(),
            at.bytes >> 20,
        ));
    })
}

fn failure(error: ExploreError) -> Error {
    match error {
        ExploreError::PeerLeft | ExploreError::Panicked | ExploreError::Network(_) | ExploreError::Absent { .. } => {
            Error::Search(error)
        }
        _ => Error::Usage(error.to_string()),
    }
}

/// Writes each counterexample as a diagram, as a trace and as ITF; names the files.
fn write_counterexamples<M: Machine>(
    args: &ExploreArgs,
    explored: &Explored<'_, M>,
    mended: Shape,
) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    let stuck = explored
        .convergence
        .as_ref()
        .and_then(|convergence| convergence.stuck.as_ref());
    let stuck = stuck.map(|stuck| Violation {
        rule: "converges",
        path: stuck.path.clone(),
    });
    for violation in explored.report.violations.iter().chain(&stuck) {
        fs::create_dir_all(&args.out).map_err(|why| cannot_write(&args.out, &why))?;
        let mut put = |ending: &str, text: &str| {
            let path = args.out.join(format!("{}.{ending}", violation.rule));
            fs::write(&path, text).map_err(|why| cannot_write(&path, &why))?;
            files.push(path.display().to_string());
            Ok::<(), Error>(())
        };
        put("svg", &diagram::svg(explored.machine, violation))?;
        let actions: Vec<Action> = violation.path.iter().map(|(action, _)| *action).collect();
        let replicas = explored.machine.lanes(&explored.machine.initial()).len() - 1;
        let replicas = u8::try_from(replicas).expect("replicas are few");
        let why = format!("a shortest counterexample of {}", explored.machine.identity());
        let trace = trace::trace(&why, violation.rule, &actions, replicas, mended);
        put("toml", &trace.to_toml())?;
        put("itf.json", &format!("{:#}\n", trace.to_itf()))?;
    }
    Ok(files)
}

fn cannot_write(path: &Path, why: &std::io::Error) -> Error {
    Error::Usage(format!("cannot write `{}`: {why}", path.display()))
}
