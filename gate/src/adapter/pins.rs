//! The pins of a package that no registry serves, read from what an installer writes, and what is put in their place.
//!
//! A release of LiteLLM may pin packages to versions that the registry at hand does not have, so that it cannot be
//! installed as it is. Such a pin is relaxed to any version of its package, and where there is no version at all, the
//! package is left out.

/// The most packages whose pins may be relaxed in one install: more than a release has ever needed.
const PACKAGES_MAX: usize = 16;

/// The words of uv and pip in front of the name of a package of which they cannot have the wanted versions. uv begins
/// both sentences and clauses with them, hence no `b` or `B`.
const BEFORE_THE_NAME: [&str; 5] = [
    "ecause only the following versions of ",
    "ecause only ",
    "ecause there is no version of ",
    "ecause there are no versions of ",
    "No matching distribution found for ",
];
/// The words of uv behind the name of a package that the registry does not know.
const BEHIND_THE_NAME: &str = " was not found in the package registry";

/// The pins that are relaxed for one install.
#[derive(Debug, Default)]
pub(crate) struct Relaxed(Vec<Pin>);

#[derive(Debug)]
struct Pin {
    package: String,
    left_out: bool,
}

impl Relaxed {
    /// Relaxes the pin to which the failed install of `wanted` points, by one step more than before. Says what was done;
    /// `None` where the failure points to no pin, or nothing is left to be done about it.
    pub(crate) fn relax(&mut self, lines: &[String], wanted: &str) -> Option<String> {
        let package = unserved(&lines.join("\n"), wanted)?;
        if let Some(pin) = self.0.iter_mut().find(|pin| pin.package == package) {
            let done = !std::mem::replace(&mut pin.left_out, true);
            return done.then(|| format!("there is no {package} to be had at all; installing without it"));
        }
        if self.0.len() == PACKAGES_MAX {
            return None;
        }
        let what = format!("the versions of {package} that it pins cannot be had; installing with any version of it");
        self.0.push(Pin {
            package,
            left_out: false,
        });
        Some(what)
    }

    /// The requirements to put in the place of the pins, one a line.
    pub(crate) fn requirements(&self) -> String {
        // No platform is called `never`, so that requirement never applies.
        let marker = |pin: &Pin| if pin.left_out { " ; sys_platform == 'never'" } else { "" };
        let lines = self.0.iter().map(|pin| format!("{}{}\n", pin.package, marker(pin)));
        lines.collect()
    }
}

/// The first package other than `wanted` of which `text` says that the wanted versions cannot be had.
fn unserved(text: &str, wanted: &str) -> Option<String> {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let before = BEFORE_THE_NAME.iter().flat_map(|words| {
        let found = text.match_indices(words);
        found.map(|(at, words)| {
            let rest = &text[at + words.len()..];
            (at, rest.split(|c| !is_of_a_name(c)).next().unwrap_or_default())
        })
    });
    let behind = text.match_indices(BEHIND_THE_NAME).map(|(at, _)| {
        let name = text[..at].rsplit(|c| !is_of_a_name(c)).next();
        (at, name.unwrap_or_default())
    });
    let names = before.chain(behind);
    let names = names.filter(|(_, name)| !name.is_empty() && *name != wanted && *name != "the");
    let first = names.min_by_key(|(at, _)| *at);
    first.map(|(_, name)| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_failure_names_the_package_whose_pin_is_not_served() {
        #[rustfmt::skip]
        let rows = [
            ("  cause: Because only certifi<=2026.10.18 is available and litellm==1.0 depends on certifi>=2099, we can conclude that litellm==1.0 cannot be used.\n And because only litellm==1.0 is available and you require litellm, we can conclude that your requirements are unsatisfiable.", Some("certifi")),
            ("  cause: Because only the following versions of certifi are available:", Some("certifi")),
            ("  cause: Because there is no version of litellm-proxy-extras==0.7.1 and litellm==1.0 depends on litellm-proxy-extras==0.7.1, we can", Some("litellm-proxy-extras")),
            ("  cause: Because there are no versions of idna and litellm==1.0 depends on idna, we can", Some("idna")),
            ("  cause: Because litellm-proxy was not found in the package registry and litellm==1.0 depends on litellm-proxy==1.0, we can", Some("litellm-proxy")),
            ("ERROR: No matching distribution found for Zope.Event>=9; python_version > \"3\"", Some("zope.event")),
            ("  cause: Because there is no version of litellm==1.85.99 and you require litellm==1.85.99, we can", None),
            ("ERROR: No matching distribution found for litellm==1.85.99", None),
            ("  cause: Because only litellm==1.0 is available and litellm==1.0 depends on sniffio<0.5 and sniffio>=1, which are incompatible, we can", None),
            ("error: Failed to fetch: http://127.0.0.1:9/simple/litellm/", None),
        ];
        for (text, package) in rows {
            assert_eq!(unserved(text, "litellm").as_deref(), package, "{text}");
        }
    }

    #[test]
    fn a_pin_is_relaxed_then_left_out_and_then_a_failure_stands() {
        let mut relaxed = Relaxed::default();
        let certifi = lines("Because only certifi<=1 is available and litellm depends on certifi>=2");
        let proxy = lines("Because litellm-proxy was not found in the package registry and");
        assert!(relaxed.relax(&certifi, "litellm").unwrap().contains("any version"));
        assert!(relaxed.relax(&proxy, "litellm").unwrap().contains("any version"));
        assert!(relaxed.relax(&proxy, "litellm").unwrap().contains("without it"));
        assert_eq!(
            relaxed.requirements(),
            "certifi\nlitellm-proxy ; sys_platform == 'never'\n"
        );
        assert_eq!(relaxed.relax(&proxy, "litellm"), None);
        assert_eq!(relaxed.relax(&lines("out of memory"), "litellm"), None);
    }

    #[test]
    fn the_relaxed_pins_are_bounded() {
        let mut relaxed = Relaxed::default();
        let failures = (0..=PACKAGES_MAX).map(|n| lines(&format!("No matching distribution found for p{n}==1")));
        let done: Vec<bool> = failures
            .map(|failure| relaxed.relax(&failure, "litellm").is_some())
            .collect();
        assert_eq!(done.iter().filter(|done| **done).count(), PACKAGES_MAX);
        assert!(!done[PACKAGES_MAX]);
    }
}
