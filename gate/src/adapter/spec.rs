//! The text that names a router on trial, such as `litellm==1.109.1`, and how it is read.

use std::fmt;
use std::path::Path;

use protocol::wire::TEXT_BYTES_MAX;

use super::builtin;

/// The forms of the text that names a router.
pub(crate) const FORMS: &str = "`reference`, `faulty:NAME`, `strategy:NAME`, `litellm==VERSION`, `litellm-proxy==VERSION`, \
     `litellm-server==VERSION` or `exec:COMMAND`";

/// The router to put on trial, as `--router` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// `router-core`, in this process.
    Reference,
    /// The router with the named planted fault, in this process.
    Faulty(String),
    /// The fleet whose replicas follow the named strategy of the model, in this process.
    Strategy(String),
    /// A release of LiteLLM, in a virtual environment that the gate makes.
    LiteLlm(Release),
    /// A release of LiteLLM as well, constructed as LiteLLM's proxy does it: such a router leaves out a deployment that
    /// it cannot take, where LiteLLM's own default refuses it.
    LiteLlmProxy(Release),
    /// Complete servers of a release of LiteLLM over one database: a fleet, and no single router.
    LiteLlmServer(Release),
    /// Any program that speaks the protocol: its name and arguments.
    Exec(Vec<String>),
}

impl Spec {
    /// Returns whether the name stands for a router and for a fleet of its replicas as well.
    pub(crate) fn names_both_levels(&self) -> bool {
        match self {
            Self::Reference | Self::LiteLlm(_) | Self::LiteLlmProxy(_) => true,
            Self::Faulty(name) => builtin::is_of_routers(name),
            Self::Strategy(_) | Self::LiteLlmServer(_) | Self::Exec(_) => false,
        }
    }

    /// Reads `text`. `faults` are the names that `faulty:` knows, and `strategies` those of `strategy:`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong and what was perhaps meant.
    pub fn parse(text: &str, faults: &[&str], strategies: &[&str]) -> Result<Self, SpecError> {
        if text.len() > TEXT_BYTES_MAX {
            let what =
                format!("a router is named in at most {TEXT_BYTES_MAX} bytes; put a longer command into a script");
            return Err(SpecError(what));
        }
        if let Some(command) = text.strip_prefix("exec:") {
            return exec(command);
        }
        if let Some(name) = text.strip_prefix("faulty:") {
            return named("fault", "faulty", name, faults).map(Self::Faulty);
        }
        if let Some(name) = text.strip_prefix("strategy:") {
            return named("strategy", "strategy", name, strategies).map(Self::Strategy);
        }
        if let Some(version) = text.strip_prefix("litellm==") {
            return Release::parse(version).map(Self::LiteLlm);
        }
        if let Some(version) = text.strip_prefix("litellm-proxy==") {
            return Release::parse(version).map(Self::LiteLlmProxy);
        }
        if let Some(version) = text.strip_prefix("litellm-server==") {
            return Release::parse(version).map(Self::LiteLlmServer);
        }
        match text {
            "reference" => Ok(Self::Reference),
            "litellm" | "litellm-proxy" | "litellm-server" => Err(SpecError(format!(
                "`{text}` names no release; name one exactly: `{text}==1.109.1`"
            ))),
            "faulty" => Err(SpecError(
                "`faulty` names no fault; `routeproof faults` lists them: `faulty:NAME`".to_owned(),
            )),
            "strategy" => Err(SpecError(format!(
                "`strategy` names no strategy; there are {}: `strategy:NAME`",
                strategies.join(", ")
            ))),
            _ => Err(unknown(text)),
        }
    }
}

impl Spec {
    /// The release of LiteLLM that it names, if it does.
    pub(crate) fn release(&self) -> Option<&Release> {
        match self {
            Self::LiteLlm(release) | Self::LiteLlmProxy(release) | Self::LiteLlmServer(release) => Some(release),
            _ => None,
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference => f.write_str("reference"),
            Self::Faulty(name) => write!(f, "faulty:{name}"),
            Self::Strategy(name) => write!(f, "strategy:{name}"),
            Self::LiteLlm(release) => write!(f, "litellm=={release}"),
            Self::LiteLlmProxy(release) => write!(f, "litellm-proxy=={release}"),
            Self::LiteLlmServer(release) => write!(f, "litellm-server=={release}"),
            Self::Exec(words) => write!(f, "exec:{}", command_line(words)),
        }
    }
}

/// Returns `words` as a person would type them into a shell.
pub(crate) fn command_line(words: &[String]) -> String {
    let quoted = |word: &String| shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), Into::into);
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn exec(command: &str) -> Result<Spec, SpecError> {
    let words = shlex::split(command).ok_or_else(|| {
        SpecError(format!(
            "`{command}` has an open quote or ends in a backslash; close it"
        ))
    })?;
    if words.first().is_none_or(String::is_empty) {
        let what = "`exec:` wants a command, such as `exec:python my_adapter.py`";
        return Err(SpecError(what.to_owned()));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(SpecError(
            "a command cannot hold a NUL character; leave it out".to_owned(),
        ));
    }
    Ok(Spec::Exec(words))
}

/// Returns `name` if something built in has it; the error names what was perhaps meant.
fn named(what: &str, prefix: &str, name: &str, names: &[&str]) -> Result<String, SpecError> {
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    let hint = match (nearest(name, names), prefix) {
        (Some(near), _) => format!("did you mean `{prefix}:{near}`?"),
        (None, "faulty") => "`routeproof faults` lists them".to_owned(),
        (None, _) => format!("there are {}", names.join(", ")),
    };
    Err(SpecError(format!("there is no {what} `{name}`; {hint}")))
}

/// The words that a router's name begins with.
const ROUTERS: [&str; 7] = [
    "reference",
    "faulty",
    "strategy",
    "litellm",
    "litellm-proxy",
    "litellm-server",
    "exec",
];

fn unknown(text: &str) -> SpecError {
    let (head, rest) = text
        .find(|c: char| !c.is_alphanumeric() && c != '-')
        .map_or((text, ""), |at| text.split_at(at));
    let value = rest.trim_start_matches([':', '=', '@', ' ', '~', '>', '<']);
    let hint = match nearest(&head.to_lowercase(), &ROUTERS) {
        Some("reference") => Some("reference".to_owned()),
        Some(word @ ("litellm" | "litellm-proxy" | "litellm-server")) if !value.is_empty() => {
            Some(format!("{word}=={value}"))
        }
        Some(word @ ("faulty" | "strategy" | "exec")) if !value.is_empty() => Some(format!("{word}:{value}")),
        _ if Path::new(text).components().count() > 1 => Some(format!("exec:{text}")),
        _ => None,
    };
    SpecError(match hint {
        Some(hint) => format!("`{text}` names no router; did you mean `{hint}`? (a router is {FORMS})"),
        None => format!("`{text}` names no router; write {FORMS}"),
    })
}

/// Returns the word of which `text` is most likely a misspelling.
fn nearest<'a>(text: &str, words: &[&'a str]) -> Option<&'a str> {
    const LIKENESS_MIN: f64 = 0.8;
    words
        .iter()
        .map(|word| (strsim::jaro_winkler(text, word), *word))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}

/// A release of LiteLLM that the adapter drives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release(String);

/// The oldest release that the adapter drives.
const OLDEST: [u32; 3] = [1, 85, 0];

impl Release {
    /// Reads `1.85.0`, `1.96.0rc1`, `1.90.1.post1`.
    ///
    /// # Errors
    ///
    /// A sentence that says why there will be no trial of that release.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let numbers = numbers(text).ok_or_else(|| {
            SpecError(format!(
                "`{text}` is no exact release of litellm; write it in full: `litellm==1.109.1`"
            ))
        })?;
        if matches!(numbers, [1, 107, _] | [1, 82, 7 | 8]) {
            return Err(SpecError(format!(
                "litellm {text} is refused: 1.82.7, 1.82.8 and every 1.107 were reported compromised; take another release"
            )));
        }
        if numbers < OLDEST {
            return Err(SpecError(format!(
                "litellm {text} is older than the adapter drives; take 1.85.0 or newer"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns true if this release is newer than `other`, by the three numbers of each: a suffix such as `rc1` is
    /// ignored.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        numbers(&self.0) > numbers(&other.0)
    }

    /// The release as its maker writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn numbers(text: &str) -> Option<[u32; 3]> {
    // The text becomes a part of file names and of an installer's arguments.
    if !text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    let mut parts = text.splitn(3, '.');
    let (major, minor, patch) = (parts.next()?, parts.next()?, parts.next()?);
    let end = patch.find(|c: char| !c.is_ascii_digit()).unwrap_or(patch.len());
    let suffix_ok = !patch[end..].ends_with('.') && !text.contains("..");
    suffix_ok.then_some([major.parse().ok()?, minor.parse().ok()?, patch[..end].parse().ok()?])
}

/// The reason why a text names no router, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(String);

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTS: &[&str] = &["keeps-global-pattern", "tie-by-insertion"];
    const STRATEGIES: &[&str] = &["reference", "litellm-1.85"];

    #[test]
    fn what_names_a_router() {
        let release = |text: &str| Spec::LiteLlm(Release(text.to_owned()));
        let words = |words: &[&str]| Spec::Exec(words.iter().map(ToString::to_string).collect());
        #[rustfmt::skip]
        let rows = [
            ("reference", Spec::Reference),
            ("faulty:tie-by-insertion", Spec::Faulty("tie-by-insertion".to_owned())),
            ("strategy:litellm-1.85", Spec::Strategy("litellm-1.85".to_owned())),
            ("litellm==1.85.0", release("1.85.0")),
            ("litellm==1.96.0rc1", release("1.96.0rc1")),
            ("litellm==1.90.1.post1", release("1.90.1.post1")),
            ("litellm==1.109.1", release("1.109.1")),
            ("litellm-proxy==1.109.1", Spec::LiteLlmProxy(Release("1.109.1".to_owned()))),
            ("litellm-server==1.109.1", Spec::LiteLlmServer(Release("1.109.1".to_owned()))),
            ("exec:./adapter", words(&["./adapter"])),
            ("exec:python -c 'a b' \"c d\"", words(&["python", "-c", "a b", "c d"])),
        ];
        for (text, spec) in rows {
            assert_eq!(Spec::parse(text, FAULTS, STRATEGIES), Ok(spec.clone()), "{text}");
            assert_eq!(
                Spec::parse(&spec.to_string(), FAULTS, STRATEGIES),
                Ok(spec),
                "{text}, there and back"
            );
        }
    }

    #[test]
    fn releases_are_compared_by_their_numbers() {
        let newer = |a: &str, b: &str| Release::parse(a).unwrap().is_newer_than(&Release::parse(b).unwrap());
        assert!(newer("1.110.0", "1.109.3") && newer("2.0.0", "1.110.0") && newer("1.110.0rc1", "1.109.3"));
        assert!(!newer("1.109.3", "1.109.3") && !newer("1.99.0", "1.109.3") && !newer("1.109.3.post1", "1.109.3"));
    }

    #[test]
    fn what_does_not() {
        #[rustfmt::skip]
        let rows = [
            ("", "names no router; write `reference`, `faulty:NAME`, `strategy:NAME`, `litellm==VERSION`, `litellm-proxy==VERSION`, `litellm-server==VERSION` or `exec:COMMAND`"),
            ("nginx", "`nginx` names no router; write"),
            ("referense", "did you mean `reference`?"),
            ("LiteLLM==1.85.0", "did you mean `litellm==1.85.0`?"),
            ("litelm==1.85.0", "did you mean `litellm==1.85.0`?"),
            ("litellm=1.85.0", "did you mean `litellm==1.85.0`?"),
            ("litellm>=1.85.0", "did you mean `litellm==1.85.0`?"),
            ("litellm", "`litellm` names no release; name one exactly"),
            ("litellm-proxy", "`litellm-proxy` names no release; name one exactly: `litellm-proxy==1.109.1`"),
            ("litellm-server", "`litellm-server` names no release; name one exactly: `litellm-server==1.109.1`"),
            ("litellm-server==1.107.3", "reported compromised"),
            ("litellm-servers==1.85.0", "did you mean `litellm-server==1.85.0`?"),
            ("litellm-proxy=1.85.0", "did you mean `litellm-proxy==1.85.0`?"),
            ("litellm-proxy==1.82.7", "reported compromised"),
            ("litellm==", "`` is no exact release"),
            ("litellm==1.85", "`1.85` is no exact release"),
            ("litellm==1.85.*", "`1.85.*` is no exact release"),
            ("litellm==1.85.0.", "is no exact release"),
            ("litellm==1.85.0 --index-url x", "is no exact release"),
            ("litellm==../x", "is no exact release"),
            ("litellm==1.82.7", "1.82.7, 1.82.8 and every 1.107 were reported compromised"),
            ("litellm==1.82.8", "reported compromised"),
            ("litellm==1.107.0rc1", "reported compromised"),
            ("litellm==1.84.10", "older than the adapter drives; take 1.85.0 or newer"),
            ("faulty", "`faulty` names no fault"),
            ("faulty:", "there is no fault ``; `routeproof faults` lists them"),
            ("faulty:tie-by-insertoin", "did you mean `faulty:tie-by-insertion`?"),
            ("strategy", "`strategy` names no strategy; there are reference, litellm-1.85: `strategy:NAME`"),
            ("strategy:zzz", "there is no strategy `zzz`; there are reference, litellm-1.85"),
            ("strategy:litellm-1.86", "did you mean `strategy:litellm-1.85`?"),
            ("strategie:litellm-1.85", "did you mean `strategy:litellm-1.85`?"),
            ("exec:", "`exec:` wants a command"),
            ("exec:''", "`exec:` wants a command"),
            ("exec:a 'b", "has an open quote"),
            ("./my adapter", "did you mean `exec:./my adapter`?"),
        ];
        for (text, expected) in rows {
            let error = Spec::parse(text, FAULTS, STRATEGIES).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: `{error}` does not say `{expected}`");
        }
    }
}
