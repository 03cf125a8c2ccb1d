//! Installs that cannot be: a clear fault, exit code 5, and nothing half-made. uv and Python are stand-ins that write what
//! the real ones write; the full disk is a real one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use gate::{Cache, Launch, Part, Release, prepare_venv};
use libtest_mimic::Trial;
use protocol::AdapterFault;
use rustix::process::{Pid, Signal, kill_process};

use crate::gate_process::routeproof;
use crate::{Misbehaving, trial};

/// Stand-ins for uv or Python, the release, and what the gate says.
#[rustfmt::skip]
const REFUSED: &[(&str, &str, &str)] = &[
    ("no-such-directory", "1.85.0", "neither uv nor `python3` was found on `PATH`; install uv, or Python 3.10 to 3.13"),
    ("old-python", "1.85.0", "litellm needs Python 3.10 to 3.13, and `python3` is 3.8; install such a Python, or uv"),
    ("uv-offline", "1.86.0", "the package registry cannot be reached: go online"),
    ("uv-refused", "1.86.0", "the package registry cannot be reached: go online"),
    ("uv-unknown", "1.85.99", "the package registry has no such release"),
    ("uv-full", "1.85.0", "the disk is full: make room, or name another directory with `--cache-dir`"),
    ("pip-offline", "1.86.0", "the package registry cannot be reached: go online"),
    ("pip-unknown", "1.85.99", "the package registry has no such release"),
    ("no-venv", "1.85.0", "this Python cannot make virtual environments: install uv, or the `venv` of this Python"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let refused = REFUSED
        .iter()
        .map(|&(tools, release, words)| trial(format!("install_{tools}"), move || refused(tools, release, words)));
    // Where no file system can be mounted, the trial says that it was not run.
    let full = trial("a_full_disk", full_disk).with_ignored_flag(!can_mount());
    let single = [
        trial("install_once_with_uv_and_relaxed_pins", || installed("uv-pin")),
        trial("install_once_with_pip_and_relaxed_pins", || installed("pip-pin")),
        trial("install_of_a_server", server_installed),
        trial("install_of_a_server_without_a_network", || {
            server_refused("server-offline", "Prisma's packages for Node cannot be installed", &[]);
        }),
        trial("install_of_a_server_whose_client_cannot_be_made", || {
            let words = "the database client of LiteLLM cannot be generated";
            server_refused("server-no-client", words, &["prisma-5.17.0"]);
        }),
        trial("install_ended_by_a_signal", ended_by_a_signal),
        trial("install_ends_with_a_gate_that_is_killed", killed_outright),
        trial("a_cache_that_is_a_file", cache_is_a_file),
        trial("no_cache_directory", no_cache_directory),
    ];
    refused.chain(single).chain([full]).collect()
}

fn tools(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/adapter/tools")
        .join(name)
}

/// Returns what is in the cache directory but for locks and the unpacked adapter.
fn left_in(cache: &Path) -> Vec<String> {
    let names = fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| {
            Path::new(name).extension().is_none_or(|extension| extension != "lock")
                && !name.starts_with("adapter-litellm-")
        })
        .collect()
}

fn refused(tools_name: &str, release: &str, words: &str) {
    let cache = tempfile::tempdir().unwrap();
    let output = routeproof(cache.path())
        .env("PATH", tools(tools_name))
        .args(["adapter", &format!("litellm=={release}")])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{tools_name}: {stderr}");
    assert!(stderr.contains(words), "{tools_name}: {stderr}");
    assert!(output.stdout.is_empty(), "{tools_name}: stdout is for the protocol");
    assert_eq!(
        left_in(&cache.path().join("routeproof")),
        Vec::<String>::new(),
        "{tools_name}"
    );
}

fn installed(tools_name: &str) {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let release = Release::parse("1.109.1").unwrap();
    let prepare = |tools: &Path| prepare_venv(&release, Part::Router, &cache, Some(tools.as_os_str()), &|_| ());
    let launch = prepare(&tools(tools_name)).unwrap();
    assert!(Path::new(&launch.program).is_file());
    assert_eq!(left_in(root.path()), ["litellm-1.109.1"]);
    let again = prepare(&tools("no-such-directory")).unwrap();
    assert_eq!(
        again.program, launch.program,
        "the second time there is nothing to install"
    );
}

fn prepare_server(cache: &Cache, tools_name: &str) -> Result<Launch, AdapterFault> {
    let release = Release::parse("1.109.1").unwrap();
    prepare_venv(
        &release,
        Part::Server,
        cache,
        Some(tools(tools_name).as_os_str()),
        &|_| (),
    )
}

fn server_installed() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let launch = prepare_server(&cache, "server").unwrap();
    let mut left = left_in(root.path());
    left.sort();
    assert_eq!(left, ["litellm-1.109.1-server", "prisma-5.17.0"]);
    let modules = launch.env.iter().find(|(name, _)| *name == "ROUTEPROOF_NODE_MODULES");
    assert!(Path::new(&modules.unwrap().1).join("prisma").is_dir());
    // Tools that cannot install anything: the second time there is nothing to install.
    prepare_server(&cache, "server-offline").unwrap();
}

/// A server that cannot be installed, with what of it is whole and stays.
fn server_refused(tools_name: &str, words: &str, whole: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let fault = prepare_server(&cache, tools_name).unwrap_err();
    assert!(fault.message.contains(words), "{fault}");
    assert!(!fault.last_lines.is_empty(), "{fault}");
    assert_eq!(left_in(root.path()), whole);
}

/// A gate under way to install with an installer that never comes to an end.
fn installing(installer: &Misbehaving, cache: &Path) -> Child {
    let mut gate = routeproof(cache);
    gate.env("PATH", tools("uv-hangs"))
        .env("ROUTEPROOF_TEST_PROGRAM", std::env::current_exe().unwrap())
        .env("ROUTEPROOF_TEST_ALIVE", &installer.alive)
        .args(["adapter", "litellm==1.85.0"]);
    installer.up_after(|| gate.spawn().unwrap())
}

fn killed_outright() {
    let cache = tempfile::tempdir().unwrap();
    let installer = Misbehaving::new("hangs");
    let mut child = installing(&installer, cache.path());
    child.kill().unwrap();
    child.wait().unwrap();
    installer.is_gone();
}

fn ended_by_a_signal() {
    let cache = tempfile::tempdir().unwrap();
    let installer = Misbehaving::new("hangs");
    let mut child = installing(&installer, cache.path());
    assert_eq!(left_in(&cache.path().join("routeproof")), ["litellm-1.85.0.half-made"]);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait().unwrap();
    installer.is_gone();
    assert_eq!(left_in(&cache.path().join("routeproof")), Vec::<String>::new());
}

fn cache_is_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let arguments = ["adapter", "litellm==1.85.0", "--cache-dir"];
    let output = routeproof(file.path())
        .args(arguments)
        .arg(file.path().join("cache"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("a file stands where a directory must be"), "{stderr}");
}

fn no_cache_directory() {
    let nowhere = Path::new("");
    let output = routeproof(nowhere)
        .args(["adapter", "litellm==1.85.0"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(
        stderr.contains("there is no cache directory, since `HOME` is not set"),
        "{stderr}"
    );
}

/// Runs `script` where it can mount what nobody else sees.
fn in_own_mounts(script: &str, argument: &Path) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(argument)
        .stdin(Stdio::null());
    command
}

fn can_mount() -> bool {
    let Ok(dir) = tempfile::tempdir() else { return false };
    let output = in_own_mounts("mount -t tmpfs -o size=16k tmpfs \"$1\"", dir.path()).output();
    output.is_ok_and(|output| output.status.success())
}

fn full_disk() {
    #[rustfmt::skip]
    let rows = [
        ("16k", "No space left on device (os error 28)): the disk is full: make room, or name another directory"),
        ("8m", " MB free, and litellm 1.85.0 takes about 300: make room, or name another directory"),
    ];
    for (size, words) in rows {
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "mount -t tmpfs -o size={size} tmpfs \"$1\" && \"$2\" adapter litellm==1.85.0 --cache-dir \"$1\"; code=$?; ls -A \"$1\"; exit $code"
        );
        let output = in_own_mounts(&script, dir.path())
            .arg(env!("CARGO_BIN_EXE_routeproof"))
            .output()
            .unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(output.status.code(), Some(5), "{size}: {stderr}");
        assert!(stderr.contains(words), "{size}: {stderr}");
        assert!(!stdout.contains("half-made"), "{size}: {stdout}");
    }
}
