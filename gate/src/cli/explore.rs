//! The flags of `routeproof explore`, and what they ask for together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use fleet::strategies::{self, STRATEGIES, Strategy};
use fleet::{Bounds, Checkpoint, ExploreOptions, Fleet, Hosts, Kind, Shape, poll2};

use super::format::Format;
use super::report::ReportArgs;
use super::router::parse_spec;
use crate::adapter::spec::Spec;
use crate::error::Error;
use crate::files::read_text;
use crate::foreign;

/// The largest file that lists hosts.
const HOSTS_BYTES_MAX: usize = 1 << 16;

/// The flags of `explore`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "a switch of the command line is a bool")]
pub struct ExploreArgs {
    /// The model to explore
    #[arg(long, value_enum, default_value_t = Model::Fleet)]
    pub model: Model,
    /// Number of replicas that follow the store [default: 2, or as many as there are strategies]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub replicas: Option<u8>,
    /// Most rows that the store can hold
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    pub rows: u8,
    /// Most times that each row can be written
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    pub versions: u8,
    /// Replicas crash and start again
    #[arg(long)]
    pub crash: bool,
    /// Strategies by which the replicas follow the store: one for all, or one each
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = parse_strategy)]
    pub strategy: Vec<Strategy>,
    /// Actions that happen, such as `create,update,read,apply` [default: all but lost and faulty reads and notifications]
    #[arg(long, value_name = "ACTION", value_delimiter = ',', value_parser = parse_kind)]
    pub actions: Vec<Kind>,
    /// Shapes of the names that rows can be asked for by
    #[arg(long, value_enum, value_name = "SHAPE", value_delimiter = ',', default_values_t = [ShapeName::Exact, ShapeName::Wildcard])]
    pub shapes: Vec<ShapeName>,
    /// Writes also go in through the replicas' own endpoints
    #[arg(long)]
    pub admin: bool,
    /// Also decide whether the replicas converge: needs the whole graph in memory
    #[arg(long)]
    pub converges: bool,
    /// Take states that differ only in the numbering of the replicas for one
    #[arg(long)]
    pub symmetry: bool,
    /// The engine that explores
    #[arg(long, value_enum, default_value_t = ExploreEngine::Timely)]
    pub engine: ExploreEngine,
    /// Number of workers in this process
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: u16,
    /// Share the search with other processes: a line `host:port` for each
    #[arg(long, value_name = "FILE", requires = "process")]
    pub hosts: Option<PathBuf>,
    /// Number of this process among the hosts, from 0
    #[arg(long, value_name = "I", requires = "hosts")]
    pub process: Option<usize>,
    /// Seconds to wait for the other processes to come
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "hosts", value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub wait: u64,
    /// Stop at the first violation
    #[arg(long)]
    pub first: bool,
    /// Cut the run at this many distinct states
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub states_max: Option<u64>,
    /// Cut the run at this many levels
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub depth_max: Option<u32>,
    /// Cut the run when the states of this process take more memory
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    pub memory_max: Option<u64>,
    /// Keep each level of the search in this directory
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// Go on from the levels in that directory
    #[arg(long, requires = "checkpoint")]
    pub resume: bool,
    /// Directory of the counterexamples, as traces, ITF and diagrams
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Print every strategy, alone and in an upgrade half rolled out, by every rule
    #[arg(long, conflicts_with_all = ["strategy", "hosts", "checkpoint", "first", "serve"])]
    pub table: bool,
    /// Carry out the counterexamples of the strategies on this fleet, and tell which it confirms; may be repeated
    #[arg(long, value_name = "SPEC", value_parser = parse_spec, requires = "table")]
    pub on: Vec<Spec>,
    /// Output format of the table: text or markdown
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "table")]
    pub format: Format,
    /// Open stateright's Explorer on this loopback port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), conflicts_with_all = ["hosts", "checkpoint", "converges", "report"])]
    pub serve: Option<u16>,
    /// Files of reports.
    #[command(flatten)]
    pub reports: ReportArgs,
}

/// A model of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// The base protocol: versions alone.
    Poll2,
    /// Names, teams and pattern tables, and a strategy a replica.
    Fleet,
}

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExploreEngine {
    /// stateright's checker, for a second opinion.
    Stateright,
    /// The level-synchronous engine over timely dataflow.
    Timely,
}

/// The shape of a name that a row is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShapeName {
    /// An exact name.
    Exact,
    /// A wildcard for every caller.
    Wildcard,
    /// A wildcard for one team.
    Team,
}

fn parse_strategy(text: &str) -> Result<Strategy, String> {
    strategies::named(text).ok_or_else(|| {
        let names = STRATEGIES.map(|strategy| format!("`{}`", strategy.name));
        format!("there is no strategy `{text}`; there are {}", names.join(", "))
    })
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    Kind::named(text).ok_or_else(|| {
        let names: Vec<String> = Kind::ALL.iter().map(|kind| format!("`{}`", kind.name())).collect();
        format!("there is no action `{text}`; there are {}", names.join(", "))
    })
}

/// The actions of a fleet unless they are chosen, in so far as the bounds allow them.
const USUAL: [Kind; 7] = [
    Kind::Create,
    Kind::Update,
    Kind::Delete,
    Kind::Rename,
    Kind::Read,
    Kind::Apply,
    Kind::Request,
];

impl ExploreArgs {
    /// The base protocol that is asked for.
    pub fn poll2(&self) -> Result<poll2::Poll2, Error> {
        let fleet_only = [
            (!self.strategy.is_empty(), "--strategy"),
            (!self.actions.is_empty(), "--actions"),
            (self.admin, "--admin"),
        ];
        if let Some((_, flag)) = fleet_only.into_iter().find(|(given, _)| *given) {
            return Err(Error::Usage(format!(
                "`{flag}` needs `--model fleet`: `poll2` has versions alone"
            )));
        }
        let bounds = poll2::Poll2Bounds {
            replicas: self.replicas.unwrap_or(2),
            rows: self.rows,
            versions: self.versions,
            crash: self.crash,
        };
        poll2::Poll2::new(bounds).map_err(usage)
    }

    /// The fleet that is asked for.
    pub fn fleet(&self) -> Result<Fleet, Error> {
        let bounds = self.bounds(self.strategies()?)?;
        // Actions that were asked for by name must be able to happen: they are refused if not.
        let bounds = if self.actions.is_empty() {
            bounds.possible()
        } else {
            bounds
        };
        Fleet::new(bounds).map_err(usage)
    }

    /// The bounds of a fleet of these replicas.
    pub fn bounds(&self, strategies: Vec<Strategy>) -> Result<Bounds, Error> {
        Ok(Bounds {
            rows: self.rows,
            versions: self.versions,
            strategies,
            kinds: self.kinds(),
            shapes: self.shapes()?,
            admin: self.admin,
        })
    }

    fn strategies(&self) -> Result<Vec<Strategy>, Error> {
        let given = self.strategy.len();
        let replicas = self.replicas.map_or(given.max(2), usize::from);
        match self.strategy[..] {
            [] => Ok(vec![strategies::REFERENCE; replicas]),
            [one] if self.replicas.is_some() => Ok(vec![one; replicas]),
            [one] => Ok(vec![one; 2]),
            _ if given == replicas => Ok(self.strategy.clone()),
            _ => Err(Error::Usage(format!(
                "{given} strategies do not fit {replicas} replicas: give one for all, or one each"
            ))),
        }
    }

    /// Returns the actions that can happen.
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = if self.actions.is_empty() {
            USUAL.to_vec()
        } else {
            self.actions.clone()
        };
        if self.crash {
            kinds.extend([Kind::Crash, Kind::Start]);
        }
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Returns the shapes of names that rows can be asked for by.
    pub fn shapes(&self) -> Result<Vec<Shape>, Error> {
        let mut shapes = Vec::new();
        for name in &self.shapes {
            let shape = match name {
                ShapeName::Exact => Shape::Exact,
                ShapeName::Wildcard => Shape::Wild,
                ShapeName::Team => Shape::Team,
            };
            if shapes.contains(&shape) {
                return Err(Error::Usage("`--shapes` names one twice".to_owned()));
            }
            shapes.push(shape);
        }
        Ok(shapes)
    }

    /// Returns the options of the engine for scale.
    pub fn options(&self) -> Result<ExploreOptions, Error> {
        let hosts = match (&self.hosts, self.process) {
            (Some(file), Some(process)) => Some(Hosts {
                addresses: addresses(file)?,
                process,
                wait: Duration::from_secs(self.wait),
            }),
            _ => None,
        };
        Ok(ExploreOptions {
            symmetric: self.symmetry,
            threads: usize::from(self.threads),
            hosts,
            stop_at_violation: self.first,
            states_max: self.states_max,
            depth_max: self.depth_max,
            memory_max: self.memory_max.map(|mib| mib << 20),
            checkpoint: self.checkpoint.clone().map(|dir| Checkpoint {
                dir,
                resume: self.resume,
            }),
        })
    }

    /// Returns true if this process is the one of several that reports.
    pub fn is_first_process(&self) -> bool {
        self.process.is_none_or(|process| process == 0)
    }

    /// Refuses what stateright's checker cannot do.
    pub fn check_stateright(&self) -> Result<(), Error> {
        let timely_only = [
            (self.hosts.is_some(), "--hosts"),
            (self.checkpoint.is_some(), "--checkpoint"),
            (self.memory_max.is_some(), "--memory-max"),
            (self.depth_max.is_some(), "--depth-max"),
            (self.first, "--first"),
        ];
        match timely_only.into_iter().find(|(given, _)| *given) {
            Some((_, flag)) => Err(Error::Usage(format!("`{flag}` needs `--engine timely`"))),
            None => Ok(()),
        }
    }
}

fn usage(why: impl std::fmt::Display) -> Error {
    Error::Usage(why.to_string())
}

fn addresses(file: &Path) -> Result<Vec<String>, Error> {
    let name = foreign::path(file);
    let text =
        read_text(file, HOSTS_BYTES_MAX).map_err(|why| usage(format!("cannot read the hosts in `{name}`: {why}")))?;
    let mut addresses = Vec::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line): &(u32, _)| !line.trim().is_empty())
    {
        let line = line.trim();
        let port = line
            .rsplit_once(':')
            .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        if port.is_none() {
            return Err(usage(format!(
                "line {number} of `{name}` is `{}`, and not `host:port`",
                foreign::clean(line, foreign::BRIEF_MAX)
            )));
        }
        addresses.push(line.to_owned());
    }
    Ok(addresses)
}
