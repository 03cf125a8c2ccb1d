//! Causes of a fleet, replayed on another fleet of the same release that is nearer to what people run: complete servers.

use std::collections::BTreeSet;
use std::time::Duration;

use model::{Got, Judge, RuleSet, fleet_run, trial};
use protocol::{
    AdapterFault, Answer, Capability, Hello, Level, RouterUnderTest, Run, RunReply, Shown, Step, StepReply,
};

use crate::adapter::spec::{Release, Spec};
use crate::adapter::venv::Part;
use crate::adapter::{AdapterSettings, open, prepared};
use crate::clock::Clock;
use crate::commands::replay::{not_judged, unfit};
use crate::document::{CauseReport, RunReport, Served, ServedReport};
use crate::error::Error;
use crate::foreign;
use crate::guard::{finish_on_signal, stopped};
use crate::output::progress;

/// The time after which no further cause is replayed on complete servers, all of it beyond the budget.
const SERVED_TIME_MAX: Duration = Duration::from_mins(15);

/// The complete servers of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Servers(Release);

impl Servers {
    /// The servers of the release whose fleet is on trial.
    ///
    /// # Errors
    ///
    /// There are none: it is no fleet of LiteLLM.
    pub(super) fn of(level: Level, spec: &Spec) -> Result<Self, Error> {
        match (level, spec) {
            (Level::Fleet, Spec::LiteLlm(release) | Spec::LiteLlmProxy(release)) => Ok(Self(release.clone())),
            _ => Err(Error::Usage(format!(
                "`--confirm` replays the causes of a fleet of LiteLLM on complete servers of its release, and there are none \
                 of `{spec}` at this level; leave it out, or say `--level fleet --router litellm==VERSION`"
            ))),
        }
    }

    /// Installs them.
    ///
    /// # Errors
    ///
    /// A fault that says what is missing.
    pub(super) fn install(&self, settings: &AdapterSettings) -> Result<(), AdapterFault> {
        prepared(&self.0, Part::Server, settings, &progress).map(|_| ())
    }

    /// Replays the causes of a report on them. What was found stands whatever becomes of that.
    pub(super) fn confirm(&self, settings: &AdapterSettings, report: &mut RunReport) {
        let spec = Spec::LiteLlmServer(self.0.clone());
        let name = spec.to_string();
        if report.interrupted.is_some() {
            return tell_of_all(&mut report.causes, &name, "the run ended before its time");
        }
        let _finishing = finish_on_signal();
        match open(&spec, Level::Fleet, settings, &progress) {
            Ok(mut opened) => {
                let causes = &mut report.causes;
                replay_on(opened.as_mut(), &name, causes, SERVED_TIME_MAX, &mut |line| {
                    progress(line);
                });
            }
            Err(fault) => tell_of_all(&mut report.causes, &name, &fault.message),
        }
    }
}

/// Replays each cause on `servers`, which go by the name `spec`, the worst first, for that long.
fn replay_on(
    servers: &mut dyn RouterUnderTest,
    spec: &str,
    causes: &mut [CauseReport],
    time_max: Duration,
    progress: &mut dyn FnMut(&str),
) {
    let clock = Clock::start();
    for cause in causes {
        let outcome = if clock.elapsed() >= time_max || stopped().is_some() {
            let why = "the time for it was up".to_owned();
            Served::NotReplayed { why }
        } else {
            progress(&format!("replaying {} on {spec}", foreign::escaped(&cause.id)));
            replayed(servers, cause)
        };
        tell(cause, spec, outcome);
    }
}

/// Says of each cause that it was not replayed, and why.
fn tell_of_all(causes: &mut [CauseReport], spec: &str, why: &str) {
    for cause in causes {
        tell(cause, spec, Served::NotReplayed { why: why.to_owned() });
    }
}

fn tell(cause: &mut CauseReport, spec: &str, outcome: Served) {
    let spec = spec.to_owned();
    cause.served = Some(ServedReport { spec, outcome });
}

fn replayed(servers: &mut dyn RouterUnderTest, cause: &CauseReport) -> Served {
    if let Some(lacks) = lacking(cause, servers.hello()) {
        return Served::NotDrivable { lacks };
    }
    outcome(servers, cause).unwrap_or_else(|why| Served::NotReplayed { why })
}

/// The first word that the trace of a cause, the question that shows it, or the rule that it breaks needs and these servers do
/// not declare; or another reason for which they cannot be driven.
fn lacking(cause: &CauseReport, hello: &Hello) -> Option<String> {
    let mut trace = cause.trace.trace.clone();
    trace
        .steps
        .extend(cause.finding.asked.clone().map(|asked| Step::Ask(None, asked)));
    let needs = trace.needs();
    let rule = cause.finding.rule.rule();
    let missing = needs
        .into_iter()
        .chain(rule.needs.iter().copied())
        .find(|need| !hello.can(*need));
    let missing = missing.map(Capability::word);
    missing
        .or_else(|| unfit(&cause.trace, hello))
        .or_else(|| not_judged(cause.finding.rule, hello))
}

fn outcome(servers: &mut dyn RouterUnderTest, cause: &CauseReport) -> Result<Served, String> {
    let rule = cause.finding.rule;
    let hello = servers.hello().clone();
    let judge = Judge::new(&hello, RuleSet::only(rule)).map_err(|why| why.to_string())?;
    let mut heard = Heard {
        servers,
        steps: Vec::new(),
    };
    // What shows the cause is asked after each step, and nothing else but what the trace itself asks: a chat takes long.
    let asked = cause.finding.query().cloned().into_iter().collect();
    let run = fleet_run(cause.trace.trace.clone(), asked, &hello.capabilities);
    let judged = trial(&mut heard, &judge, &[run]).map_err(|fault| fault.message)?;
    let mut findings = judged.iter().flat_map(|judged| &judged.tally.findings);
    if findings.any(|finding| finding.class == cause.finding.class) {
        return Ok(Served::Confirmed);
    }
    let came = came(cause, &heard.steps);
    Ok(
        if comes_twice(Some(&cause.finding.got)) && !comes_twice(came.as_ref()) {
            let lacks = "how often a deployment is there, which a chat does not show".to_owned();
            Served::NotDrivable { lacks }
        } else {
            Served::NotConfirmed { came }
        },
    )
}

/// Returns whether a candidate is there more than once. Complete servers answer with those that chats came to, each once.
fn comes_twice(got: Option<&Got>) -> bool {
    let Some(Got::Answer(Answer::Candidates(candidates))) = got else {
        return false;
    };
    candidates.iter().collect::<BTreeSet<_>>().len() < candidates.len()
}

/// The answer to the last question of the trace that is the one which shows the cause.
fn came(cause: &CauseReport, replies: &[StepReply]) -> Option<Got> {
    let asked = cause.finding.asked.as_ref()?;
    let steps = cause.trace.trace.steps.iter().zip(replies);
    let shows = |(step, reply): (&Step, &StepReply)| match reply {
        StepReply::Shown(shown) if step.question() == Some(asked) => got(shown),
        _ => None,
    };
    steps.rev().find_map(shows)
}

fn got(shown: &Shown) -> Option<Got> {
    match shown {
        Shown::Answers(answers) => answers.first().cloned().map(Got::Answer),
        Shown::Names(names) => Some(Got::Names(names.clone())),
        Shown::Ids(ids) => Some(Got::Ids(ids.clone())),
        Shown::Sizes(sizes) => Some(Got::Sizes(sizes.clone())),
        Shown::Holds(_) | Shown::Rows(_) => None,
    }
}

/// Servers whose last replies are kept.
struct Heard<'a> {
    servers: &'a mut dyn RouterUnderTest,
    steps: Vec<StepReply>,
}

impl RouterUnderTest for Heard<'_> {
    fn hello(&self) -> &Hello {
        self.servers.hello()
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let replies = self.servers.run(runs)?;
        self.steps = replies.first().map_or_else(Vec::new, |reply| reply.steps.clone());
        Ok(replies)
    }
}

#[cfg(test)]
mod tests {
    use model::{Allowed, CauseKey, RuleId};
    use protocol::{Candidate, Query, Question, TraceFile};

    use super::*;
    use crate::adapter::builtin;
    use crate::adapter::store::Store;
    use crate::causes::tests::reported;

    const TRACE: &str = r#"
        version = 2
        why = "a wildcard that becomes a name stays behind"
        rule = "current"
        level = "fleet"
        replicas = 1
        [[steps]]
        write = { via = "store", write = { add = { id = "d1", model_name = "gpt-*", model = "azure/gpt-*", tag = "d1-v1" } } }
        [[steps]]
        poll = 0
        [[steps]]
        write = { via = "store", write = { put = { id = "d1", model_name = "gpt-4o", model = "openai/gpt-4o", tag = "d1-v2" } } }
        [[steps]]
        poll = 0
        [[steps]]
        lookup = { model = "gpt-5", replica = 0 }
    "#;

    /// A cause of a fleet that is shown by the last step of the trace.
    fn cause() -> CauseReport {
        let extras = BTreeSet::new();
        let mut cause = reported(&CauseKey::LeftOut { extras }, &[]);
        cause.trace = TraceFile::parse(TRACE).unwrap();
        cause.finding.rule = RuleId::Current;
        cause.finding.class = "stale".to_owned();
        cause.finding.asked = Some(Question::Lookup(Query::new("gpt-5", None)));
        cause.finding.allowed = Allowed::NoRow(Some("d1".to_owned()));
        cause
    }

    fn outcome_on(servers: &mut dyn RouterUnderTest, cause: CauseReport, time_max: Duration) -> Served {
        let mut causes = [cause];
        replay_on(servers, "servers==1", &mut causes, time_max, &mut |_| ());
        let [cause] = causes;
        let served = cause.served.unwrap();
        assert_eq!(served.spec, "servers==1");
        served.outcome
    }

    fn faulty() -> Box<dyn RouterUnderTest> {
        builtin::strategy("litellm-1.85").unwrap()
    }

    #[test]
    fn a_cause_is_confirmed_where_the_same_rule_is_broken_in_the_same_way() {
        let time_max = Duration::from_mins(1);
        assert_eq!(outcome_on(faulty().as_mut(), cause(), time_max), Served::Confirmed);
        let mut other = cause();
        other.finding.class = "ghost".to_owned();
        let outcome = outcome_on(faulty().as_mut(), other, time_max);
        assert!(
            matches!(
                outcome,
                Served::NotConfirmed {
                    came: Some(Got::Answer(_))
                }
            ),
            "{outcome:?}"
        );
    }

    #[test]
    fn what_came_instead_is_told_of_a_cause_that_is_not_confirmed() {
        let mut reference = Store::Sqlite.fleet().unwrap();
        let came = match outcome_on(reference.as_mut(), cause(), Duration::from_mins(1)) {
            Served::NotConfirmed {
                came: Some(Got::Answer(came)),
            } => came,
            other => panic!("{other:?}"),
        };
        assert!(matches!(came, Answer::Refused(_)), "{came:?}");
    }

    #[test]
    fn the_word_that_servers_lack_is_told() {
        struct Lacking(Hello);
        impl RouterUnderTest for Lacking {
            fn hello(&self) -> &Hello {
                &self.0
            }
            fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
                panic!("{} runs of what cannot be carried out", runs.len());
            }
        }
        let fleet = faulty();
        for word in [Capability::Upsert, Capability::Patterns, Capability::Listing] {
            let mut hello = fleet.hello().clone();
            hello.capabilities.retain(|declared| *declared != word);
            let mut cause = cause();
            if word == Capability::Listing {
                cause.finding.asked = Some(Question::Listing(None));
            }
            let outcome = outcome_on(&mut Lacking(hello), cause, Duration::from_mins(1));
            let lacks = word.word();
            assert_eq!(outcome, Served::NotDrivable { lacks });
        }
    }

    #[test]
    fn a_deployment_that_comes_twice_shows_on_no_server() {
        let candidate = || Candidate {
            id: "d1".to_owned(),
            model: "azure/gpt-5".to_owned(),
            tag: "d1-v1".to_owned(),
        };
        let mut cause = cause();
        cause.finding.class = "twice".to_owned();
        cause.finding.got = Got::Answer(Answer::Candidates(vec![candidate(), candidate()]));
        let outcome = outcome_on(faulty().as_mut(), cause, Duration::from_mins(1));
        assert!(matches!(outcome, Served::NotDrivable { .. }), "{outcome:?}");
    }

    #[test]
    fn nothing_is_replayed_once_the_time_is_up_or_the_servers_do_not_come_up() {
        let outcome = outcome_on(faulty().as_mut(), cause(), Duration::ZERO);
        assert!(matches!(outcome, Served::NotReplayed { .. }), "{outcome:?}");
        let mut causes = [cause()];
        tell_of_all(&mut causes, "servers==1", "no room");
        let why = "no room".to_owned();
        assert_eq!(causes[0].served.as_ref().unwrap().outcome, Served::NotReplayed { why });
    }
}
