//! A release of LiteLLM in a virtual environment of its own: made once, kept in the cache, and either whole or not
//! there.
//!
//! uv makes it where uv is found, otherwise Python's own `venv` and `pip`. For a router LiteLLM is installed without extras,
//! which it does not need; the replicas of a fleet need those of its proxy. Some releases pin packages to versions that no
//! registry serves, so that they cannot be installed as they are; then these pins alone are relaxed, see
//! [`pins`](super::pins).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use protocol::{AdapterFault, FaultKind};

use super::cache::{Cache, fault};
use super::embedded::{self, MODULE};
use super::pins::Relaxed;
use super::prisma;
use super::process::Launch;
use super::spec::Release;
use super::tools::{Failure, Progress, Tools};

const PACKAGE: &str = "litellm";
/// The minor versions of Python 3 that every release driven here can be installed on.
const PYTHON_MINORS: std::ops::RangeInclusive<u32> = 10..=13;
/// The names that such a Python goes by, best first.
const PYTHONS: [&str; 6] = [
    "python3",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python",
];
/// Free space below which an install is not begun; 1.109.1 takes 247 MB.
const FREE_BYTES_MIN: u64 = 300 << 20;
/// Written last: an environment without it is not whole.
const MARKER: &str = "routeproof-complete";

/// The part of LiteLLM that an environment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The router alone.
    Router,
    /// The proxy, with what its extra requires.
    Proxy,
    /// The complete server: the proxy, and the client of its database.
    Server,
}

impl Part {
    /// The name of its extra; empty where it needs none.
    fn extra(self) -> &'static str {
        match self {
            Self::Router => "",
            Self::Proxy | Self::Server => "proxy",
        }
    }
}

/// Makes what is missing, and returns the command that starts the adapter for `release`.
///
/// `path` is the `PATH` on which uv and Python are looked for.
///
/// # Errors
///
/// A fault of kind [`FaultKind::Missing`] that says what to do. Nothing is left half-made.
pub fn prepare_venv(
    release: &Release,
    part: Part,
    cache: &Cache,
    path: Option<&OsStr>,
    progress: Progress<'_>,
) -> Result<Launch, AdapterFault> {
    let packages = embedded::unpack(cache)?;
    if let Some(note) = note_on(release, &embedded::newest_with_preset()) {
        progress(&note);
    }
    let node_modules = match part {
        Part::Router | Part::Proxy => None,
        Part::Server => Some(prisma::node_modules(cache, path, progress)?),
    };
    let install = Install {
        release,
        part,
        cache,
        tools: Tools {
            dir: cache.root(),
            path,
        },
        progress,
        node_modules: node_modules.as_deref(),
    };
    let waiting = || progress(&format!("waiting for another process that installs litellm {release}"));
    let name = match part {
        Part::Router => format!("litellm-{release}"),
        Part::Proxy => format!("litellm-{release}-proxy"),
        Part::Server => format!("litellm-{release}-server"),
    };
    let venv = cache.once(&name, &is_whole, &waiting, &|dir| install.make(dir))?;
    Ok(Launch {
        name: format!("litellm=={release}"),
        program: python_of(&venv).into_os_string(),
        // `-s` hides the packages that the user has installed for every Python: they are no part of the trial.
        args: ["-s", "-m", MODULE].map(OsString::from).to_vec(),
        env: [("PYTHONPATH", packages.clone().into_os_string())]
            .into_iter()
            .chain(node_modules.map(|dir| (prisma::NODE_MODULES, dir.into_os_string())))
            .collect(),
        // Python finds modules in the current directory first, and that may well be a checkout of LiteLLM.
        dir: Some(packages),
    })
}

/// Returns the line to say of a release that is newer than the newest whose answers are known.
fn note_on(release: &Release, known: &Release) -> Option<String> {
    release.is_newer_than(known).then(|| {
        format!(
            "note: litellm {release} is newer than any release whose answers are known here ({known}); it is tried by the rules that need no preset"
        )
    })
}

fn python_of(venv: &Path) -> PathBuf {
    venv.join("bin").join("python")
}

fn is_whole(venv: &Path) -> bool {
    // The interpreter is a link, and breaks when the Python that it came from goes.
    venv.join(MARKER).is_file() && python_of(venv).is_file()
}

struct Install<'a> {
    release: &'a Release,
    part: Part,
    cache: &'a Cache,
    tools: Tools<'a>,
    progress: Progress<'a>,
    /// The packages of Node, where the part needs any.
    node_modules: Option<&'a Path>,
}

impl Install<'_> {
    fn make(&self, dir: &Path) -> Result<(), AdapterFault> {
        self.check_room(dir)?;
        let with_uv = self.tools.has("uv");
        let installer = if with_uv {
            "uv"
        } else {
            "venv and pip (uv is quicker, and was not found)"
        };
        (self.progress)(&format!(
            "installing litellm {} with {installer}, once, into {}",
            self.release,
            self.cache.root().display()
        ));
        if with_uv {
            self.with_uv(dir)?;
        } else {
            self.with_pip(dir)?;
        }
        if let Some(node_modules) = self.node_modules {
            prisma::generate(&self.tools, &python_of(dir), node_modules, dir)?;
        }
        let marker = dir.join(MARKER);
        std::fs::write(&marker, format!("litellm=={}\n", self.release)).map_err(|why| fault("write", &marker, &why))?;
        (self.progress)(&format!("litellm {} is installed", self.release));
        Ok(())
    }

    fn check_room(&self, dir: &Path) -> Result<(), AdapterFault> {
        // If the free space is not known, the install is tried.
        let Ok(room) = rustix::fs::statvfs(dir) else {
            return Ok(());
        };
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        if free >= FREE_BYTES_MIN {
            return Ok(());
        }
        let message = format!(
            "`{}` has {} MB free, and litellm {} takes about {}: make room, or name another directory with `--cache-dir`",
            self.cache.root().display(),
            free >> 20,
            self.release,
            FREE_BYTES_MIN >> 20,
        );
        Err(AdapterFault::new(FaultKind::Missing, message))
    }

    fn with_uv(&self, dir: &Path) -> Result<(), AdapterFault> {
        let pythons = format!(">=3.{},<3.{}", PYTHON_MINORS.start(), PYTHON_MINORS.end() + 1);
        let venv = [
            OsStr::new("venv"),
            "--quiet".as_ref(),
            "--allow-existing".as_ref(),
            "--python".as_ref(),
        ];
        self.step("uv", &[venv.as_slice(), &[pythons.as_ref(), dir.as_os_str()]].concat())?;
        let python = python_of(dir);
        let pip = ["pip", "install", "--quiet", "--python"].map(OsStr::new);
        let pip = [pip.as_slice(), &[python.as_os_str()]].concat();
        let wanted = self.wanted();
        let mut relaxed = Relaxed::default();
        let mut overrides: Option<PathBuf> = None;
        loop {
            let overriding = overrides
                .iter()
                .flat_map(|path| ["--override".as_ref(), path.as_os_str()]);
            let args: Vec<&OsStr> = pip
                .iter()
                .copied()
                .chain(overriding)
                .chain(wanted.iter().map(OsStr::new))
                .collect();
            let Err(failure) = self.tool("uv", &args) else {
                return Ok(());
            };
            overrides = Some(self.overrides(dir, &mut relaxed, failure)?);
        }
    }

    fn with_pip(&self, dir: &Path) -> Result<(), AdapterFault> {
        let python = self.python()?;
        self.step(python, &["-m".as_ref(), "venv".as_ref(), dir.as_os_str()])?;
        let python = python_of(dir);
        let python = python
            .to_str()
            .expect("a cache directory that pip can use has a name in UTF-8");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"].map(OsStr::new);
        let wanted = self.wanted();
        let wanted: Vec<&OsStr> = wanted.iter().map(OsStr::new).collect();
        let Err(failure) = self.tool(python, &[pip.as_slice(), &wanted].concat()) else {
            return Ok(());
        };
        let mut relaxed = Relaxed::default();
        let mut overrides = self.overrides(dir, &mut relaxed, failure)?;
        // pip cannot override pins: LiteLLM is installed alone first, and then all that it requires, with relaxed pins.
        self.step(
            python,
            &[pip.as_slice(), &["--no-deps".as_ref()], &wanted[..1]].concat(),
        )?;
        let requirements = dir.join("requirements.txt");
        loop {
            let relaxing = [
                "-c".as_ref(),
                RELAX.as_ref(),
                overrides.as_ref(),
                self.part.extra().as_ref(),
                requirements.as_os_str(),
            ];
            self.step(python, &[relaxing.as_slice(), &wanted[1..]].concat())?;
            let required = ["--requirement".as_ref(), requirements.as_os_str()];
            let Err(failure) = self.tool(python, &[pip.as_slice(), &required].concat()) else {
                return Ok(());
            };
            overrides = self.overrides(dir, &mut relaxed, failure)?;
        }
    }

    /// The packages to install, LiteLLM first.
    fn wanted(&self) -> Vec<String> {
        let release = self.release;
        match self.part {
            Part::Router => vec![format!("{PACKAGE}=={release}")],
            Part::Proxy => vec![format!("{PACKAGE}[{}]=={release}", self.part.extra())],
            Part::Server => vec![
                format!("{PACKAGE}[{}]=={release}", self.part.extra()),
                prisma::CLIENT.to_owned(),
            ],
        }
    }

    /// Relaxes the pin to which the failure points, and writes all that are relaxed by now.
    fn overrides(&self, dir: &Path, relaxed: &mut Relaxed, failure: Failure) -> Result<PathBuf, AdapterFault> {
        let what = match &failure {
            Failure::Failed { lines, .. } => relaxed.relax(lines, PACKAGE),
            Failure::NotFound => None,
        };
        let Some(what) = what else {
            return Err(self.fault(failure));
        };
        (self.progress)(&what);
        let path = dir.join("overrides.txt");
        std::fs::write(&path, relaxed.requirements()).map_err(|why| fault("write", &path, &why))?;
        Ok(path)
    }

    /// A Python that is neither too old nor too new.
    fn python(&self) -> Result<&'static str, AdapterFault> {
        let mut seen = Vec::new();
        for name in PYTHONS {
            let version = "import sys; print('%d.%d' % sys.version_info[:2])";
            let Ok(lines) = self.tool(name, &["-c".as_ref(), version.as_ref()]) else {
                continue;
            };
            let version = lines.last().cloned().unwrap_or_default();
            let minor = version.strip_prefix("3.").and_then(|minor| minor.parse().ok());
            if minor.is_some_and(|minor: u32| PYTHON_MINORS.contains(&minor)) {
                return Ok(name);
            }
            seen.push(format!("`{name}` is {version}"));
        }
        let range = format!("3.{} to 3.{}", PYTHON_MINORS.start(), PYTHON_MINORS.end());
        let message = if seen.is_empty() {
            format!(
                "litellm needs Python, and neither uv nor `python3` was found on `PATH`; install uv, or Python {range}"
            )
        } else {
            format!(
                "litellm needs Python {range}, and {}; install such a Python, or uv",
                seen.join(", ")
            )
        };
        Err(AdapterFault::new(FaultKind::Missing, message))
    }

    fn step(&self, program: &str, args: &[&OsStr]) -> Result<(), AdapterFault> {
        self.tool(program, args)
            .map(|_| ())
            .map_err(|failure| self.fault(failure))
    }

    fn tool(&self, program: &str, args: &[&OsStr]) -> Result<Vec<String>, Failure> {
        self.tools.run(program, args)
    }

    fn fault(&self, failure: Failure) -> AdapterFault {
        let (how, lines) = match failure {
            Failure::NotFound => (
                "an installer that was there a moment ago is gone".to_owned(),
                Vec::new(),
            ),
            Failure::Failed { how, lines } => (how, lines),
        };
        AdapterFault {
            kind: FaultKind::Missing,
            message: format!(
                "litellm {} cannot be installed ({how}): {}",
                self.release,
                advice(&lines)
            ),
            last_lines: lines,
        }
    }
}

/// Writes what LiteLLM and its extra of that name require to a file, with the pins of the first file in the place of its
/// own, and what else is named behind that.
const RELAX: &str = r#"
import importlib.metadata, re, sys
name = lambda line: re.match(r"[\w.-]+", line)[0].lower()
relaxed = {name(line): line.strip() for line in open(sys.argv[1])}
with open(sys.argv[3], "w") as out:
    for line in importlib.metadata.requires("litellm") or ():
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        if extra is None or extra[1] == sys.argv[2]:
            print(relaxed.get(name(line), line.partition(";")[0] if extra else line), file=out)
    print(*sys.argv[4:], sep="\n", file=out)
"#;

/// Advice to the user, by the words of an installer. The first row that fits is taken: offline, pip also says that
/// there is no such release, and only the row of the network is then right.
#[rustfmt::skip]
const ADVICE: [(&[&str], &str); 4] = [
    (&["No space left on device", "os error 28", "Disk quota exceeded"],
     "the disk is full: make room, or name another directory with `--cache-dir`"),
    (&["dns error", "error sending request", "tcp connect error", "NewConnectionError", "Name or service not known",
       "Temporary failure in name resolution", "Network is unreachable", "Connection refused", "Failed to fetch",
       "network was disabled", "(from versions: none)"],
     "the package registry cannot be reached: go online, or point uv or pip at a registry that can be reached"),
    (&["there is no version of litellm==", "No matching distribution found for litellm=="],
     "the package registry has no such release; `pip index versions litellm` lists those there are"),
    (&["ensurepip", "No module named venv", "No module named pip"],
     "this Python cannot make virtual environments: install uv, or the `venv` of this Python (`python3-venv` on Debian)"),
];

fn advice_row(text: &str) -> Option<&'static (&'static [&'static str], &'static str)> {
    ADVICE
        .iter()
        .find(|(needles, _)| needles.iter().any(|needle| text.contains(needle)))
}

fn advice(lines: &[String]) -> &'static str {
    advice_row(&lines.join("\n")).map_or("the last lines say why", |(_, advice)| advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_newer_than_the_newest_known_is_noted_in_one_line() {
        let release = |text| Release::parse(text).unwrap();
        let note = note_on(&release("1.110.0"), &release("1.109.3")).unwrap();
        assert!(
            note.starts_with("note: litellm 1.110.0 is newer than any release whose answers are known here (1.109.3)")
        );
        assert!(note.contains("rules that need no preset") && !note.contains('\n'));
        for known in ["1.110.0", "1.110.1"] {
            assert_eq!(note_on(&release("1.110.0"), &release(known)), None);
        }
    }
}
