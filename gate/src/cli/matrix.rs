//! The flags of `routeproof matrix`, and the releases that they name.

use std::path::PathBuf;

use clap::Args;

use super::format::PageFormat;
use super::report::ReportArgs;
use super::router::parse_spec;
use super::trial::TrialArgs;
use crate::adapter::spec::{Spec, command_line};
use crate::error::Error;
use crate::foreign;

/// The part of a router's text that the name of a release takes the place of.
const PLACEHOLDER: &str = "{version}";
/// The most releases of one matrix.
const RELEASES_MAX: usize = 64;
/// The longest name of a release, in characters: it heads a column, and names a directory.
const RELEASE_CHARS_MAX: usize = 40;

/// The flags of `matrix`.
#[derive(Clone, Debug, Args)]
pub struct MatrixArgs {
    /// The router without its release, such as `litellm` or `litellm-proxy`; or a text in which `{version}` stands for it,
    /// such as `exec:./adapter --release {version}`
    #[arg(long, value_name = "ROUTER")]
    pub router: String,
    /// The releases, in the order of the columns
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', required = true)]
    pub versions: Vec<String>,
    /// Level, rules and bounds.
    #[command(flatten)]
    pub trial: TrialArgs,
    /// Random seed of each release
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u32,
    /// Try each release anew, whatever an earlier call has kept
    #[arg(long)]
    pub fresh: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = PageFormat::Text)]
    pub format: PageFormat,
    /// Files of reports.
    #[command(flatten)]
    pub reports: ReportArgs,
    /// Directory in which what is known of each release is kept, for a later call
    #[arg(long, value_name = "DIR", default_value = "out/matrix")]
    pub out: PathBuf,
}

/// A release of the router: its name, and the router that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The name, which can be that of a directory.
    pub version: String,
    /// The router.
    pub spec: Spec,
}

impl MatrixArgs {
    /// The command that makes the same matrix, but for what is written where.
    pub(crate) fn command(&self) -> String {
        let Self {
            router,
            versions,
            trial,
            seed,
            ..
        } = self;
        let router = command_line(std::slice::from_ref(router));
        let mut words = trial.words();
        words.extend(["--seed".to_owned(), seed.to_string()]);
        // The name of a release needs no quotes.
        format!(
            "routeproof matrix --router {router} --versions {} {}",
            versions.join(","),
            command_line(&words)
        )
    }

    /// The releases that are asked for.
    ///
    /// # Errors
    ///
    /// A usage error: one of them is no release, or is named twice, or the router has no place for it.
    pub(crate) fn releases(&self) -> Result<Vec<Named>, Error> {
        let Self { router, versions, .. } = self;
        if versions.len() > RELEASES_MAX {
            return Err(usage(format!(
                "{} releases are more than {RELEASES_MAX}",
                versions.len()
            )));
        }
        let mut releases: Vec<Named> = Vec::with_capacity(versions.len());
        for version in versions {
            let shown = foreign::brief(version);
            if !can_be_a_directory(version) {
                return Err(usage(format!(
                    "`--versions`: `{shown}` is no name of a release: write at most {RELEASE_CHARS_MAX} letters, digits, `.`, \
                     `-`, `+` and `_`, a letter or digit first"
                )));
            }
            if releases.iter().any(|one| one.version == *version) {
                return Err(usage(format!("`--versions` names `{shown}` twice")));
            }
            releases.push(Named {
                version: version.clone(),
                spec: spec_of(router, version).map_err(usage)?,
            });
        }
        Ok(releases)
    }
}

/// The router that `version` of `router` is.
fn spec_of(router: &str, version: &str) -> Result<Spec, String> {
    if router.contains(PLACEHOLDER) {
        return parse_spec(&router.replace(PLACEHOLDER, version));
    }
    let shown = foreign::brief(router);
    if router.starts_with("exec:") {
        return Err(format!(
            "`--router {shown}` is the same command for each release: write `{PLACEHOLDER}` where the release belongs, as in \
             `exec:./adapter --release {PLACEHOLDER}`"
        ));
    }
    if let Some((name, _)) = router.split_once("==") {
        let name = foreign::brief(name);
        return Err(format!(
            "`--router {shown}` names one release: write `--router {name}`, and the releases behind `--versions`"
        ));
    }
    if parse_spec(router).is_ok() {
        return Err(format!(
            "`--router {shown}` has no releases: name a router that has, or write `{PLACEHOLDER}` where the release belongs"
        ));
    }
    parse_spec(&format!("{router}=={version}"))
}

fn can_be_a_directory(version: &str) -> bool {
    let is_taken = |letter: char| letter.is_ascii_alphanumeric() || ".-+_".contains(letter);
    version.starts_with(|first: char| first.is_ascii_alphanumeric())
        && version.chars().all(is_taken)
        && version.len() <= RELEASE_CHARS_MAX
}

fn usage(why: String) -> Error {
    Error::Usage(why)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    fn releases(router: &str, versions: &str) -> Result<Vec<String>, String> {
        let words = ["routeproof", "matrix", "--router", router, "--versions", versions];
        let Command::Matrix(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("another command")
        };
        let named = args.releases().map_err(|why| why.to_string())?;
        Ok(named
            .iter()
            .map(|one| format!("{}: {}", one.version, one.spec))
            .collect())
    }

    #[test]
    fn a_release_is_put_where_its_router_has_a_place_for_it() {
        for (router, versions, expected) in [
            (
                "litellm",
                "1.85.0,1.110.2",
                ["1.85.0: litellm==1.85.0", "1.110.2: litellm==1.110.2"],
            ),
            (
                "litellm-proxy",
                "1.85.0,1.86.0",
                ["1.85.0: litellm-proxy==1.85.0", "1.86.0: litellm-proxy==1.86.0"],
            ),
            (
                "exec:./a {version} --as {version}",
                "v1,v2",
                ["v1: exec:./a v1 --as v1", "v2: exec:./a v2 --as v2"],
            ),
            (
                "faulty:{version}",
                "none,ties-by-insertion",
                ["none: faulty:none", "ties-by-insertion: faulty:ties-by-insertion"],
            ),
        ] {
            assert_eq!(releases(router, versions).unwrap(), expected, "{router}");
        }
    }

    #[test]
    fn the_command_of_a_matrix_makes_it_again() {
        let given = "routeproof matrix --router 'exec:./a {version}' --versions v1,v2 --level fleet --replicas 2 \
                     --rule '*-free' --rule '!order-free' --budget 1500ms --changes-min 7 --jobs 2 --traces 9 --ask-again 3s \
                     --seed 5";
        let parsed = |text: &str| match Cli::try_parse_from(shlex::split(text).unwrap()).unwrap().command {
            Command::Matrix(args) => args,
            _ => panic!("another command"),
        };
        assert_eq!(parsed(given).command(), given);
        let plain = "routeproof matrix --router litellm --versions 1.85.0 --seed 1";
        assert_eq!(
            parsed("routeproof matrix --router litellm --versions 1.85.0").command(),
            plain
        );
    }

    #[test]
    fn a_matrix_that_cannot_be_is_refused_with_what_to_write() {
        for (router, versions, expected) in [
            ("exec:./a", "1,2", "write `{version}` where the release belongs"),
            ("reference", "1,2", "has no releases"),
            (
                "litellm==1.85.0",
                "1.86.0",
                "names one release: write `--router litellm`",
            ),
            ("litellm", "1.107.0", "reported compromised"),
            ("litellm", "1.85.0,1.85.0", "names `1.85.0` twice"),
            ("exec:./a {version}", "../x", "is no name of a release"),
            ("exec:./a {version}", "", "is no name of a release"),
            ("litelm", "1.85.0", "did you mean `litellm==1.85.0`?"),
        ] {
            let why = releases(router, versions).unwrap_err();
            assert!(why.contains(expected), "{router} {versions}: {why}");
        }
    }
}
