//! The parts of a complete LiteLLM server that Python does not have: a database, Node, Prisma's packages for it, and the
//! database client that Prisma generates from the schema of a release.
//!
//! Prisma's own query engine is a download that no package registry has. Its packages bring the same engine along as
//! WebAssembly, which a small program of the adapter's drives.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use protocol::{AdapterFault, FaultKind};

use super::cache::{Cache, fault};
use super::tools::{Failure, Progress, Tools};

/// The variable by which the adapter finds the packages of Node.
pub(super) const NODE_MODULES: &str = "ROUTEPROOF_NODE_MODULES";
/// The client of which LiteLLM is made, by the name and version of its Python package.
pub(super) const CLIENT: &str = "prisma==0.15.0";
/// The packages of Node, at the version that the client is made for.
const PACKAGES: [&str; 4] = [
    "prisma@5.17.0",
    "@prisma/client@5.17.0",
    "@prisma/adapter-pg@5.17.0",
    "pg@8",
];
/// The name of their directory in the cache.
const NAME: &str = "prisma-5.17.0";
/// The directory of Debian's programs of the database server, which are on no `PATH`.
const POSTGRES: &str = "/usr/lib/postgresql";
/// Written last: a directory without it is not whole.
const MARKER: &str = "routeproof-complete";

/// Returns the directory of the packages of Node, which are installed if they are not there yet.
///
/// # Errors
///
/// A fault that names the programs that are missing, or says why the packages cannot be installed.
pub(super) fn node_modules(
    cache: &Cache,
    path: Option<&OsStr>,
    progress: Progress<'_>,
) -> Result<PathBuf, AdapterFault> {
    let tools = Tools {
        dir: cache.root(),
        path,
    };
    check_programs(&tools, Path::new(POSTGRES))?;
    let waiting = || progress("waiting for another process that installs Prisma's packages");
    let dir = cache.once(NAME, &|dir| dir.join(MARKER).is_file(), &waiting, &|dir| {
        progress("installing Prisma's packages for Node with npm, once");
        install(&tools, dir)
    })?;
    Ok(dir.join("node_modules"))
}

fn check_programs(tools: &Tools<'_>, postgres: &Path) -> Result<(), AdapterFault> {
    let has_postgres = postgres.is_dir() || tools.has("postgres");
    let missing: Vec<&str> = [
        ("postgresql", has_postgres),
        ("nodejs", tools.has("node")),
        ("npm", tools.has("npm")),
    ]
    .into_iter()
    .filter_map(|(package, is_there)| (!is_there).then_some(package))
    .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(" ");
    let message = format!(
        "a complete server of LiteLLM needs PostgreSQL, Node and npm, and these are not here: {missing}; install them, on \
         Debian by `apt-get install {missing}`"
    );
    Err(AdapterFault::new(FaultKind::Missing, message))
}

fn install(tools: &Tools<'_>, dir: &Path) -> Result<(), AdapterFault> {
    let manifest = dir.join("package.json");
    // Without a manifest npm would look for one in the directories above.
    std::fs::write(&manifest, "{}\n").map_err(|why| fault("write", &manifest, &why))?;
    let flags = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"].map(OsStr::new);
    let packages = PACKAGES.map(OsStr::new);
    let args = [flags.as_slice(), &[dir.as_os_str()], &packages].concat();
    tools
        .run("npm", &args)
        .map_err(|failure| told("Prisma's packages for Node cannot be installed", failure))?;
    let marker = dir.join(MARKER);
    std::fs::write(&marker, PACKAGES.join("\n")).map_err(|why| fault("write", &marker, &why))
}

/// Generates the database client of a release into its environment.
pub(super) fn generate(tools: &Tools<'_>, python: &Path, node_modules: &Path, dir: &Path) -> Result<(), AdapterFault> {
    let cannot = |failure| told("the database client of LiteLLM cannot be generated", failure);
    let schema = dir.join("schema.prisma");
    let program = python.to_string_lossy().into_owned();
    tools
        .run(&program, &["-c".as_ref(), WRITE_SCHEMA.as_ref(), schema.as_os_str()])
        .map_err(cannot)?;
    let node = tools
        .run("node", &["-p".as_ref(), "process.execPath".as_ref()])
        .map_err(cannot)?;
    let node = node.last().map(OsString::from).unwrap_or_default();
    // The generator is a program of the environment, and would be looked for elsewhere.
    let bin = python.parent().unwrap_or(dir).to_owned();
    let elsewhere = std::env::split_paths(tools.path.unwrap_or_default()).collect::<Vec<_>>();
    let path = std::env::join_paths([bin].into_iter().chain(elsewhere)).unwrap_or_default();
    // Any program that tells its version does for the engines, none of which is run to generate a client.
    let variables = [
        ("PATH", path),
        ("PRISMA_QUERY_ENGINE_BINARY", node.clone()),
        ("PRISMA_QUERY_ENGINE_LIBRARY", node.clone()),
        ("PRISMA_SCHEMA_ENGINE_BINARY", node),
        ("PRISMA_HIDE_UPDATE_MESSAGE", "1".into()),
        ("CHECKPOINT_DISABLE", "1".into()),
    ];
    let prisma = node_modules.join("prisma/build/index.js");
    let args = [
        prisma.as_os_str(),
        "generate".as_ref(),
        "--schema".as_ref(),
        schema.as_os_str(),
    ];
    tools.run_with("node", &args, &variables).map_err(cannot)?;
    Ok(())
}

/// Writes the schema of the release beside it to a file, for the machine at hand alone.
const WRITE_SCHEMA: &str = r#"
import importlib.util, pathlib, re, sys
package = pathlib.Path(importlib.util.find_spec("litellm").origin).parent
schema = (package / "proxy" / "schema.prisma").read_text()
pathlib.Path(sys.argv[1]).write_text(re.sub(r"binaryTargets\s*=.*", 'binaryTargets = ["native"]', schema))
"#;

fn told(what: &str, failure: Failure) -> AdapterFault {
    let (how, lines) = match failure {
        Failure::NotFound => ("a program that was there a moment ago is gone".to_owned(), Vec::new()),
        Failure::Failed { how, lines } => (how, lines),
    };
    AdapterFault {
        kind: FaultKind::Missing,
        message: format!("{what} ({how}): the last lines say why"),
        last_lines: lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_as_debian_names_it() {
        let nowhere = tempfile::tempdir().unwrap();
        let tools = Tools {
            dir: nowhere.path(),
            path: Some(nowhere.path().as_os_str()),
        };
        let fault = check_programs(&tools, &nowhere.path().join("none")).unwrap_err();
        assert!(
            fault
                .message
                .ends_with("on Debian by `apt-get install postgresql nodejs npm`"),
            "{fault}"
        );
        let fault = check_programs(&tools, nowhere.path()).unwrap_err();
        assert!(fault.message.ends_with("`apt-get install nodejs npm`"), "{fault}");
    }
}
