//! The flags of every command, and what comes from the environment.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::adapter::AdapterSettings;
use crate::adapter::store::Store;
use crate::adapter::supervisor::Waits;

/// The flags of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Directory of virtual environments [default: `routeproof` in `$XDG_CACHE_HOME` or in `~/.cache`]
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Seconds that an adapter may take for one reply
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub wait: u64,
    /// Seconds that an adapter may take to start and say hello
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub hello_wait: u64,
}

/// The variables that the gate reads, beside those that libraries read for it (`NO_COLOR`, `CLICOLOR`, `TERM`).
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// The path of this program, which leads to it even where a build has replaced its file.
    pub program: PathBuf,
    /// `COLUMNS`: the width of the terminal, where the shell exports it.
    pub columns: Option<OsString>,
}

fn this_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        return "/proc/self/exe".into();
    }
    // Without one nothing is started from it, and that is told then.
    std::env::current_exe().unwrap_or_default()
}

/// The columns of a page whose width is not known.
const COLUMNS_DEFAULT: usize = 80;
/// The fewest columns that a report is written for.
const COLUMNS_MIN: usize = 30;

impl Environment {
    /// Reads the variables of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the edge: `main` calls it once")]
    pub fn of_this_process() -> Self {
        Self {
            cache_home: std::env::var_os("XDG_CACHE_HOME"),
            home: std::env::var_os("HOME"),
            path: std::env::var_os("PATH"),
            program: this_program(),
            columns: std::env::var_os("COLUMNS"),
        }
    }

    /// The number of columns to write for.
    pub fn columns(&self) -> usize {
        let stated = self
            .columns
            .as_ref()
            .and_then(|text| text.to_str()?.parse::<usize>().ok());
        stated.map_or(COLUMNS_DEFAULT, |columns| columns.max(COLUMNS_MIN))
    }
}

impl Global {
    /// The settings that a router is opened with.
    pub fn settings(&self, environment: &Environment) -> AdapterSettings {
        AdapterSettings {
            cache_dir: self.cache_dir.clone().or_else(|| default_cache(environment)),
            path: environment.path.clone(),
            waits: Waits {
                hello: Duration::from_secs(self.hello_wait),
                reply: Duration::from_secs(self.wait),
            },
            jobs: NonZeroUsize::MIN,
            store: Store::Sqlite,
            processes: false,
            program: environment.program.clone(),
        }
    }
}

/// Returns the cache directory by the XDG rules, by which a relative path counts as none.
fn default_cache(environment: &Environment) -> Option<PathBuf> {
    let absolute = |text: &OsString| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    let cache = environment.cache_home.as_ref().and_then(absolute);
    let cache = cache.or_else(|| Some(environment.home.as_ref().and_then(absolute)?.join(".cache")));
    Some(cache?.join("routeproof"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_cache_is() {
        let environment = |cache_home: &str, home: &str| Environment {
            cache_home: Some(cache_home.into()),
            home: Some(home.into()),
            path: None,
            program: PathBuf::new(),
            columns: None,
        };
        #[rustfmt::skip]
        let rows = [
            ("/c", "/h", Some("/c/routeproof")),
            ("", "/h", Some("/h/.cache/routeproof")),
            ("relative", "/h", Some("/h/.cache/routeproof")),
            ("", "", None),
        ];
        for (cache_home, home, expected) in rows {
            assert_eq!(
                default_cache(&environment(cache_home, home)),
                expected.map(PathBuf::from)
            );
        }
    }
}
