//! `routeproof explore`: every interleaving of a small fleet.

mod diagram;
mod on;
mod table;
mod told;

use std::sync::Arc;
use std::time::Duration;

use fleet::{
    Action, CheckOptions, Converging, Fairness, Machine, Packed, STATES_MAX, Shape, Violation, check, converges,
    explore, trace,
};
use model::RuleId;

use self::told::fleet_report;
use crate::adapter::AdapterSettings;
use crate::cli::{ExploreArgs, ExploreEngine, Model};
use crate::clock::Clock;
use crate::document::{Document, ExploreReport, FleetReport};
use crate::error::Error;
use crate::exit::Exit;
use crate::files::write_whole;
use crate::foreign;
use crate::output::progress;

/// Explores, and writes the counterexamples.
///
/// # Errors
///
/// If the flags contradict each other, if the search cannot be carried out, or if nothing can be written.
pub(crate) fn run(args: &ExploreArgs, settings: &AdapterSettings) -> Result<Document, Error> {
    if args.table && (args.model == Model::Poll2 || args.engine == ExploreEngine::Stateright) {
        return Err(Error::Usage(
            "`--table` is of `--model fleet` by `--engine timely`".to_owned(),
        ));
    }
    let mut on = Vec::new();
    let fleets = match args.model {
        Model::Fleet if args.table => {
            let columns = table::columns(args)?;
            for spec in &args.on {
                on.push(on::carried_out(spec, &columns, settings)?);
            }
            columns.into_iter().map(|column| column.report).collect()
        }
        Model::Poll2 => vec![run_model(args, &args.poll2()?, Shape::Exact)?],
        Model::Fleet => {
            let fleet = args.fleet()?;
            let mended = fleet.bounds().shapes[0];
            vec![run_model(args, &fleet, mended)?]
        }
    };
    Ok(Document::Explore(ExploreReport {
        table: args.table,
        fleets,
        on,
    }))
}

/// Serves stateright's Explorer until the process is ended.
///
/// # Errors
///
/// If the flags contradict each other, or the port cannot be had.
pub(crate) fn serve(args: &ExploreArgs, port: u16) -> Result<Exit, Error> {
    args.check_stateright()?;
    match args.model {
        Model::Poll2 => serve_model(args, &args.poll2()?, port),
        Model::Fleet => serve_model(args, &args.fleet()?, port),
    }
}

fn serve_model<M: Converging + Packed>(args: &ExploreArgs, machine: &M, port: u16) -> Result<Exit, Error> {
    progress(&format!(
        "the Explorer is at http://127.0.0.1:{port}; end it with Ctrl-C"
    ));
    let served = fleet::serve(machine, args.symmetry, port);
    served
        .map(|()| Exit::Conforms)
        .map_err(|why| Error::Usage(format!("cannot serve at 127.0.0.1:{port}: {why}; take another port")))
}

fn run_model<M: Converging + Packed>(args: &ExploreArgs, machine: &M, mended: Shape) -> Result<FleetReport, Error> {
    if args.engine == ExploreEngine::Stateright {
        args.check_stateright()?;
    }
    let (mut told, violations) = explored(args, machine, on_progress(Clock::start()))?;
    if args.is_first_process() {
        told.files = write_counterexamples(args, machine, &violations, mended)?;
    } else {
        progress("the first process prints the report");
    }
    Ok(told)
}

/// The report of an exploration, before anything is written of it, and a way to each broken rule.
type Explored<S> = (FleetReport, Vec<Violation<S>>);

/// Explores a machine by the engine that the flags name.
fn explored<M: Converging + Packed>(
    args: &ExploreArgs,
    machine: &M,
    on_progress: fleet::OnProgress,
) -> Result<Explored<M::State>, Error> {
    let started = Clock::start();
    let report = match args.engine {
        ExploreEngine::Stateright => check(
            machine,
            CheckOptions {
                symmetric: args.symmetry,
                threads: usize::from(args.threads),
                states_max: args.states_max,
            },
        ),
        ExploreEngine::Timely => explore(machine, &args.options()?, on_progress)?,
    };
    let took = started.elapsed();
    let convergence = if args.converges {
        Some(converges(machine, Fairness::Weak, STATES_MAX).map_err(|why| Error::Usage(why.to_string()))?)
    } else {
        None
    };
    let told = fleet_report(machine, &report, convergence.as_ref(), took);
    let stuck = convergence.and_then(|convergence| convergence.stuck);
    let stuck = stuck.map(|stuck| Violation {
        rule: RuleId::Converges,
        path: stuck.path,
    });
    Ok((told, report.violations.into_iter().chain(stuck).collect()))
}

/// The time without a line of progress at the start.
const QUIET: Duration = Duration::from_secs(2);

fn on_progress(started: Clock) -> fleet::OnProgress {
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
            rate(at.distinct, took),
            at.bytes >> 20,
        ));
    })
}

/// Millions a second.
#[expect(clippy::cast_precision_loss, reason = "for a person")]
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / 1e6 / took.as_secs_f64()
}

/// Writes each counterexample as a diagram, as a trace and as ITF; names the files.
fn write_counterexamples<M: Machine>(
    args: &ExploreArgs,
    machine: &M,
    violations: &[Violation<M::State>],
    mended: Shape,
) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    for violation in violations {
        let mut put = |ending: &str, text: &str| {
            let path = args.out.join(format!("{}.{ending}", violation.rule));
            write_whole(&path, text)
                .map_err(|why| Error::Usage(format!("cannot write {}: {why}", foreign::path(&path))))?;
            files.push(path.display().to_string());
            Ok::<(), Error>(())
        };
        put("svg", &diagram::svg(machine, violation))?;
        let actions: Vec<Action> = violation.path.iter().map(|(action, _)| *action).collect();
        let replicas = machine.lanes(&machine.initial()).len() - 1;
        let replicas = u8::try_from(replicas).expect("replicas are few");
        let why = format!("a shortest counterexample of {}", machine.identity());
        let trace = trace::trace(&why, violation.rule, &actions, replicas, mended);
        put("toml", &trace.to_toml())?;
        put("itf.json", &format!("{:#}\n", trace.to_itf()))?;
    }
    Ok(files)
}
