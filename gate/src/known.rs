//! The known issues of routers: traces that this program carries with it, diagnosed on the router at hand.

use model::{CauseKey, Diagnosis, Judge};
use protocol::{AdapterFault, Hello, RouterUnderTest, Trace, TraceFile};

use crate::commands::replay::{KeptTrace, diagnosed, unfit};
use crate::document::KnownReport;

/// Every trace of a known issue: its path, and its text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/known.rs"));

/// Returns the key that each known issue of this router has on it, of as many as `go_on` allows; one whose trace holds has
/// none.
///
/// # Errors
///
/// Those of the router under test.
pub(crate) fn keys(
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    go_on: &dyn Fn() -> bool,
) -> Result<Vec<(KnownReport, CauseKey)>, AdapterFault> {
    let hello = router.hello().clone();
    let mut keys = Vec::new();
    for (path, kept) in files().take_while(|_| go_on()) {
        if !is_of(&kept, &hello) {
            continue;
        }
        if let Some(Diagnosis { key, .. }) = diagnosed(&kept, judge, router)? {
            let file = &kept.file;
            let name = name_of(path);
            keys.push((
                KnownReport {
                    issue: issue_of(&name),
                    name,
                    affected: file.affected.clone(),
                    expected: file.affects(&hello.version).unwrap_or(false),
                },
                key,
            ));
        }
    }
    Ok(keys)
}

/// Returns the traces that are known of the router that said `hello`, as far as this release can be put through them.
pub(crate) fn known(hello: &Hello) -> Vec<Trace> {
    let of_this_router = files().filter(|(_, kept)| is_of(kept, hello));
    of_this_router.map(|(_, kept)| kept.file.trace).collect()
}

fn is_of(kept: &KeptTrace, hello: &Hello) -> bool {
    let of_this_router = kept.file.router.as_deref() == Some(&hello.router);
    of_this_router && unfit(&kept.file, hello).is_none()
}

/// The traces, each with its path.
///
/// # Panics
///
/// On a file that is no trace; a test reads them all.
fn files() -> impl Iterator<Item = (&'static str, KeptTrace)> {
    FILES.iter().map(|(path, text)| {
        let file = TraceFile::parse(text).unwrap_or_else(|why| panic!("{path}: {why}"));
        let rule = file
            .rule
            .as_deref()
            .map(|rule| rule.parse().expect("a known issue is of a rule"));
        (*path, KeptTrace { file, rule })
    })
}

fn name_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.trim_end_matches(".toml").to_owned()
}

/// The number that a name begins with, as people write issues.
fn issue_of(name: &str) -> Option<String> {
    let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("#{digits}"))
}

#[cfg(test)]
mod tests {
    use adapter_faulty::find;
    use model::RuleSet;
    use model::Wrong;
    use protocol::Level;
    use protocol::wire::{Dialect, PROTOCOL_VERSION};
    use protocol::{Capability, Change, Run, RunReply, Step};

    use super::*;

    /// A router under the name of another.
    struct Named {
        hello: Hello,
        router: Box<dyn RouterUnderTest + Send>,
    }

    impl RouterUnderTest for Named {
        fn hello(&self) -> &Hello {
            &self.hello
        }

        fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
            self.router.run(runs)
        }
    }

    #[test]
    fn a_known_issue_has_a_key_where_it_shows_and_none_where_it_does_not() {
        let router = find("upsert-keeps-global-pattern").unwrap().router();
        let mut hello = router.hello().clone();
        (hello.router, hello.version) = ("litellm".to_owned(), "1.85.0".to_owned());
        let judge = Judge::new(&hello, RuleSet::of(Level::Router)).unwrap();
        let mut named = Named { hello, router };
        let keys = keys(&mut named, &judge, &|| true).unwrap();
        let of = |name: &str| keys.iter().find(|(known, _)| known.name == name);
        let (known, key) = of("29064-global").expect("it shows on this router");
        assert_eq!((known.issue.as_deref(), known.expected), (Some("#29064"), true));
        let expected = CauseKey::Applied {
            verb: "upsert".to_owned(),
            shows: Wrong::Kept,
            structures: ["patterns".to_owned()].into(),
            extras: [].into(),
        };
        assert_eq!(*key, expected);
        assert!(of("29064-team").is_none() && of("41580-delete").is_none());
        assert_eq!(super::keys(&mut named, &judge, &|| false).unwrap(), []);
    }

    #[test]
    fn every_known_issue_is_a_trace_of_a_rule() {
        let files: Vec<_> = files().collect();
        assert!(files.len() >= 39, "{} traces", files.len());
        for (path, kept) in &files {
            assert!(kept.rule.is_some() && kept.file.router.is_some(), "{path}");
        }
    }

    #[test]
    fn a_router_gets_its_own_traces_as_far_as_it_can_be_put_through_them() {
        let hello = |router: &str, capabilities: &[Capability]| Hello {
            protocol: PROTOCOL_VERSION,
            router: router.to_owned(),
            version: "1.85.0".to_owned(),
            capabilities: capabilities.to_vec(),
            dialect: Dialect::default(),
        };
        let (few, all) = (
            [Capability::Upsert, Capability::Delete, Capability::Patterns],
            [
                Capability::Upsert,
                Capability::Delete,
                Capability::Patterns,
                Capability::Replace,
            ],
        );
        let [all, few] = [&all[..], &few].map(|capabilities| known(&hello("litellm", capabilities)));
        assert!(
            few.len() > 5 && all.len() > few.len(),
            "{} and {}",
            few.len(),
            all.len()
        );
        let replaced = |trace: &Trace| {
            let mut steps = trace.steps.iter();
            steps.any(|step| matches!(step, Step::Change(Change::Replace(_))))
        };
        assert!(all.iter().any(replaced) && !few.iter().any(replaced));
        let extras = |trace: &Trace| trace.rows().any(|row| row.extra.is_some());
        assert!(!all.iter().any(extras), "this dialect has no extra");
        assert_eq!(known(&hello("reference", &[Capability::Upsert])), []);
    }

    #[test]
    fn an_issue_is_named_by_its_number() {
        let name = name_of("litellm/29064-team.toml");
        assert_eq!(
            (name.as_str(), issue_of(&name)),
            ("29064-team", Some("#29064".to_owned()))
        );
        assert_eq!(issue_of("tie-by-order"), None);
    }
}
