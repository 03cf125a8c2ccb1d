//! Routers on trial, opened by the text that names them: in this process, or as a program at the other end of a pipe.

pub(crate) mod builtin;
pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod embedded;
pub(crate) mod pins;
mod prisma;
pub(crate) mod process;
pub(crate) mod replicas;
pub(crate) mod several;
pub(crate) mod spec;
pub(crate) mod store;
pub(crate) mod supervisor;
pub(crate) mod tail;
mod tools;
pub(crate) mod venv;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use protocol::{AdapterFault, Capability, FaultKind, Level, RouterUnderTest, Stamped};

use self::cache::Cache;
use self::process::Launch;
use self::replicas::Replicas;
use self::several::Several;
use self::spec::{Release, Spec};
use self::store::Store;
use self::supervisor::{Supervisor, Waits};
use self::tools::Progress;
use self::venv::Part;

/// The settings that a router is opened with.
#[derive(Clone, Debug)]
pub struct AdapterSettings {
    /// The cache directory; none where neither the command line nor the environment names one.
    pub cache_dir: Option<PathBuf>,
    /// The `PATH` on which installers are looked for.
    pub path: Option<OsString>,
    /// The time that an adapter may take.
    pub waits: Waits,
    /// The number of processes of an adapter.
    pub jobs: NonZeroUsize,
    /// The store of a fleet of references.
    pub store: Store,
    /// True if each of its replicas is a process of its own.
    pub processes: bool,
    /// The path of this program, which such a process is started from.
    pub program: PathBuf,
}

/// Opens the router, or the fleet, that `spec` names.
///
/// # Errors
///
/// An adapter fault, also where there is nothing of that level under that name. No process is left behind then, and nothing
/// half-made in the cache.
pub(crate) fn open(
    spec: &Spec,
    level: Level,
    settings: &AdapterSettings,
    progress: Progress<'_>,
) -> Result<Box<dyn RouterUnderTest>, AdapterFault> {
    if let (Level::Router, Spec::LiteLlmServer(_)) = (level, spec) {
        // It takes minutes to install, and to start.
        return Err(another_level(spec, FLEET_ALONE));
    }
    let opened = match level {
        Level::Router => open_router(spec, settings, progress),
        Level::Fleet => open_fleet(spec, settings, progress),
    }?;
    match (level, opened.hello().can(Capability::Fleet)) {
        (Level::Router, true) => Err(another_level(spec, FLEET_ALONE)),
        (Level::Fleet, false) => Err(another_level(
            spec,
            "one router and no fleet: its adapter does not declare `fleet`; say `--level router`",
        )),
        _ => Ok(opened),
    }
}

const FLEET_ALONE: &str = "a fleet and no single router; say `--level fleet`";

fn another_level(spec: &Spec, what: &str) -> AdapterFault {
    AdapterFault::new(FaultKind::Missing, format!("`{spec}` is {what}"))
}

fn open_fleet(
    spec: &Spec,
    settings: &AdapterSettings,
    progress: Progress<'_>,
) -> Result<Box<dyn RouterUnderTest>, AdapterFault> {
    match spec {
        Spec::Reference => reference_fleet(settings),
        Spec::Faulty(name) => builtin::faulty_fleet(name).ok_or_else(|| not_built_in(spec)),
        Spec::Strategy(_) | Spec::Exec(_) | Spec::LiteLlmServer(_) => open_router(spec, settings, progress),
        Spec::LiteLlm(release) | Spec::LiteLlmProxy(release) => {
            let mut launch = prepared(release, Part::Proxy, settings, progress)?;
            launch.name = spec.to_string();
            launch.args.push("--fleet".into());
            progress(&format!("starting a fleet of litellm {release}"));
            start(launch, settings)
        }
    }
}

/// The fleet of references over the store that is asked for.
fn reference_fleet(settings: &AdapterSettings) -> Result<Box<dyn RouterUnderTest>, AdapterFault> {
    let store = &settings.store;
    let fleet = if settings.processes {
        let replicas = Replicas {
            program: settings.program.clone(),
            wait: settings.waits.reply,
        };
        replicas.over(store)
    } else {
        store.fleet()
    };
    fleet.map_err(|why| AdapterFault::new(FaultKind::Missing, format!("`--store {store}`: {why}")))
}

/// Opens what `spec` names where no level is asked for: a router, or what is only there as a fleet.
///
/// # Errors
///
/// An [`AdapterFault`] with a line that says what was not there, did not start, or did not answer.
pub fn open_router(
    spec: &Spec,
    settings: &AdapterSettings,
    progress: Progress<'_>,
) -> Result<Box<dyn RouterUnderTest>, AdapterFault> {
    match spec {
        Spec::Reference => Ok(builtin::reference()),
        Spec::Faulty(name) => builtin::faulty(name).ok_or_else(|| not_built_in(spec)),
        Spec::Strategy(name) => builtin::strategy(name).ok_or_else(|| not_built_in(spec)),
        Spec::LiteLlm(release) | Spec::LiteLlmProxy(release) => {
            let mut launch = prepared(release, Part::Router, settings, progress)?;
            if matches!(spec, Spec::LiteLlmProxy(_)) {
                launch.name = spec.to_string();
                launch.args.push("--ignore-invalid".into());
            }
            progress(&format!("starting litellm {release}"));
            start(launch, settings)
        }
        Spec::LiteLlmServer(release) => {
            let mut launch = prepared(release, Part::Server, settings, progress)?;
            launch.name = spec.to_string();
            launch.args.push("--server".into());
            progress(&format!("starting complete servers of litellm {release}"));
            let waits = settings.waits.at_least(SERVER_WAITS);
            start(
                launch,
                &AdapterSettings {
                    waits,
                    ..settings.clone()
                },
            )
        }
        Spec::Exec(words) => start(exec(spec, words), settings),
    }
}

/// The least time that complete servers are given: they load a database, and each start, chat and write is a real one.
const SERVER_WAITS: Waits = Waits {
    hello: Duration::from_mins(5),
    reply: Duration::from_mins(10),
};

/// Returns the command that starts an adapter on that part of a release of LiteLLM, once it is installed.
///
/// # Errors
///
/// An adapter fault, and nothing half-made in the cache.
pub(crate) fn prepared(
    release: &Release,
    part: Part,
    settings: &AdapterSettings,
    progress: Progress<'_>,
) -> Result<Launch, AdapterFault> {
    let root = settings.cache_dir.as_ref().ok_or_else(|| {
        let message = "there is no cache directory, since `HOME` is not set; name one with `--cache-dir`";
        AdapterFault::new(FaultKind::Missing, message)
    })?;
    venv::prepare_venv(release, part, &Cache::open(root)?, settings.path.as_deref(), progress)
}

/// Starts the processes of an adapter. Of a router in this process a fresh value is a fresh router; of one behind a pipe only
/// its tags tell.
fn start(launch: Launch, settings: &AdapterSettings) -> Result<Box<dyn RouterUnderTest>, AdapterFault> {
    Ok(if settings.jobs == NonZeroUsize::MIN {
        Box::new(Stamped::new(Supervisor::start(launch, settings.waits)?))
    } else {
        Box::new(Stamped::new(Several::start(&launch, settings.waits, settings.jobs)?))
    })
}

fn not_built_in(spec: &Spec) -> AdapterFault {
    let message = format!("this build has no router `{spec}`; `routeproof --version` says which build it is");
    AdapterFault::new(FaultKind::Missing, message)
}

fn exec(spec: &Spec, words: &[String]) -> Launch {
    let (program, args) = words.split_first().expect("a parsed command has at least one word");
    Launch {
        name: spec.to_string(),
        program: program.into(),
        args: args.iter().map(Into::into).collect(),
        env: Vec::new(),
        dir: None,
    }
}
