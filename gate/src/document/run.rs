//! The document of `run`.

use model::{Failure, Oracle, RuleId, SWEEP, Unjudged};
use protocol::{Hello, Row, Step, TraceFile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cause::before_question;
use super::{
    CauseReport, Counts, CoverageReport, Facts, FindingReport, Interruption, Summary, SuspectReport, TrialReport,
    Verdict,
};

/// A router on trial by every rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// The router.
    pub trial: TrialReport,
    /// The seed, which replays the run.
    pub seed: u32,
    /// The exhaustive explorations.
    pub explorations: Vec<ExplorationReport>,
    /// The reason why there is none; absent where it was explored.
    pub unexplored: Option<Unexplored>,
    /// The random searches.
    pub searches: Vec<SearchReport>,
    /// The coverage of the searches.
    pub coverage: Box<CoverageReport>,
    /// Every rule that was asked for.
    pub rules: Vec<RuleReport>,
    /// The parts of rules that were not judged, and why; whole rules are skipped.
    pub unjudged: Vec<Unjudged>,
    /// Every distinct failure, in the order of the rules.
    pub failures: Vec<FailureReport>,
    /// The number of changes in random traces that the router applied and that changed its table.
    pub effects: u64,
    /// The least number of them for a router to conform.
    pub effects_min: u64,
    /// The event that ended the run before its time, if one did.
    pub interrupted: Option<Interruption>,
    /// The traces that were under way when the adapter failed, if it did and they are known.
    pub suspect: Option<Box<SuspectReport>>,
    /// The causes of the failures that are not excused, the worst first; those that are to be checked last.
    pub causes: Vec<CauseReport>,
    /// The skips that excuse nothing.
    pub idle_skips: Vec<IdleSkip>,
    /// The time from the moment that the router was up.
    pub seconds: f64,
}

/// The least number of premises by which a rule is held.
pub(crate) const PREMISES_MIN: u64 = 10;

/// The reason why a router is not explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unexplored {
    /// The states of a fleet are too many.
    Fleet,
    /// A change shows only some time after it.
    Settles,
    /// An answer is one of several.
    Picks,
    /// A round of questions takes long.
    Slow,
    /// The run ended before it came to that.
    Ended,
}

impl Unexplored {
    /// The reason in words, behind "since".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Fleet => "it is a fleet, whose replicas and store have too many states",
            Self::Settles => "it settles only some time after a change (`settles`), and exploring never waits",
            Self::Picks => "an answer is one of several (`picks`), and exploring asks each question once",
            Self::Slow => "a round of questions takes long, and exploring asks thousands",
            Self::Ended => "the run ended before",
        }
    }
}

/// An exhaustive exploration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplorationReport {
    /// The universe.
    pub universe: String,
    /// Distinct states.
    pub states: usize,
    /// Changes carried out.
    pub transitions: u64,
    /// Answers judged.
    pub answers: u64,
    /// The number of changes on the shortest way to the farthest state.
    pub depth: usize,
    /// True if every change was carried out from every state; else it was cut.
    pub closed: bool,
    /// True if a state was the whole memory of the router, and not only what can be observed of it.
    pub whole_memory: bool,
    /// The time that it took.
    pub seconds: f64,
}

/// A random search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchReport {
    /// Traces of the sweep put on trial: they come before any that is drawn.
    pub swept: u32,
    /// Traces of the whole sweep; where more than were put on trial, the run ended within it.
    pub sweep: u32,
    /// Random traces put on trial.
    pub traces: u32,
    /// Changes carried out in them.
    pub changes: u64,
    /// Queries put.
    pub queries: u64,
    /// Findings that look new and were not told apart.
    pub uncounted: u64,
    /// True if the budget ended it.
    pub cut: bool,
    /// The time that it took, shrinking included.
    pub seconds: f64,
    /// The part of that time inside the router, as far as the adapter measures it.
    pub seconds_in_router: f64,
}

/// A rule of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleReport {
    /// The id of the rule.
    pub rule: RuleId,
    /// The statement of the rule.
    pub sentence: String,
    /// The kind of knowledge that it rests on.
    pub oracle: Oracle,
    /// The verdict on the rule.
    pub status: RuleStatus,
    /// The reason of a skip.
    pub reason: Option<String>,
    /// The number of times that it had something to check.
    pub premises: u64,
    /// The number of distinct ways in which it was broken, without those that are excused.
    pub failures: usize,
}

/// The verdict on a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleStatus {
    /// Checked, and held.
    Pass,
    /// Broken.
    Fail,
    /// Not judged, for a reason.
    Skip,
    /// Had too little to check: fewer than 10 premises.
    Vacuous,
}

/// A distinct failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureReport {
    /// The finding of the shrunk trace.
    #[serde(flatten)]
    pub finding: FindingReport,
    /// The statement of its rule.
    pub sentence: String,
    /// The trace that it comes from.
    #[serde(flatten)]
    pub origin: OriginReport,
    /// The reason of the skip that excuses it.
    pub excused: Option<String>,
    /// The replays of its trace before it was told; absent where there was no time for any.
    pub confirmation: Option<Confirmation>,
    /// The time from the moment that the router was up until it was found.
    pub found_after_seconds: f64,
    /// The command that replays it.
    pub replay: Option<String>,
    /// The files that were written of it.
    pub files: Vec<String>,
    /// The shrunk trace, the question at its end.
    pub trace: TraceFile,
}

/// The replays of a failure's trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confirmation {
    /// The number of replays that showed the failure.
    pub shown: u32,
    /// The number of replays.
    pub replays: u32,
}

/// The trace that a failure comes from, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OriginReport {
    /// The verb of the last change that touched the row.
    pub last: String,
    /// The parameter bundle without which it does not fail.
    pub extra: Option<String>,
    /// The number of findings of this failure.
    pub count: u64,
    /// The number of the trace that first showed it.
    pub trace_number: u32,
    /// The universe of that trace.
    pub universe: String,
    /// The number of steps of that trace.
    pub steps: usize,
    /// True if it was made small.
    pub shrunk: bool,
    /// The rows and steps that are left.
    pub shrunk_steps: usize,
}

/// A skip that excuses nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IdleSkip {
    /// The rule that it names.
    pub rule: RuleId,
    /// The reason of the skip.
    pub reason: String,
}

impl RunReport {
    /// The numbers of rules by what became of them.
    pub fn counts(&self) -> Counts {
        let count = |status| self.rules.iter().filter(|rule| rule.status == status).count();
        Counts {
            passed: count(RuleStatus::Pass),
            failed: count(RuleStatus::Fail),
            skipped: count(RuleStatus::Skip),
            vacuous: count(RuleStatus::Vacuous),
        }
    }

    /// The verdict in words and numbers.
    pub fn summary(&self) -> Summary {
        Summary::new(Verdict::of(self.facts()), self.counts())
    }

    pub(super) fn facts(&self) -> Facts {
        let counts = self.counts();
        let ran = self.explorations.iter().any(|one| one.transitions > 0) || self.traces() > 0;
        Facts {
            violated: counts.failed > 0,
            fault: self.interrupted.as_ref().and_then(Interruption::fault),
            misuse: self.idle_skips.first().map(|skip| {
                let IdleSkip { rule, reason } = skip;
                format!("the skip of `{rule}` excuses nothing ({reason}); take it out")
            }),
            // A run that a signal ended says so, however little it did.
            judged: self.interrupted.is_some() || (ran && counts.skipped < self.rules.len()),
            open: self.open(counts),
        }
    }

    fn traces(&self) -> u32 {
        self.searches.iter().map(|search| search.traces).sum()
    }

    /// Returns the reason why the run is inconclusive, and what to raise, if it is.
    fn open(&self, counts: Counts) -> Option<String> {
        if let Some(why) = self.interrupted.as_ref().and_then(Interruption::signal) {
            return Some(why);
        }
        let flaky = self.failures.iter().filter(|failure| failure.is_flaky()).count();
        if flaky > 0 {
            return Some(format!(
                "{flaky} of the failures did not show again: see that the router has settled before it answers, picks \
                 nothing at random, and keeps nothing from one run to the next"
            ));
        }
        if let Some(SearchReport { swept, sweep, .. }) = self.searches.iter().find(|search| search.swept < search.sweep)
        {
            return Some(format!(
                "the budget ended within the sweep, after {swept} of {sweep} traces: raise `--budget`"
            ));
        }
        if self.effects < self.effects_min {
            let Self {
                effects, effects_min, ..
            } = self;
            return Some(format!(
                "{effects} changes with an effect were judged in random traces, and a pass takes {effects_min}: raise `--budget` \
                 or `--traces`, or lower `--changes-min`"
            ));
        }
        if let Some(what) = self.coverage.too_few() {
            return Some(format!("{what}: raise `--budget` or `--traces`"));
        }
        (counts.vacuous > 0)
            .then(|| "a rule had too little to check: raise `--budget`, or leave the rule out with `--rule`".to_owned())
    }
}

impl OriginReport {
    /// The origin of a failure.
    pub fn new(failure: &Failure) -> Self {
        Self {
            last: failure.signature.last.to_owned(),
            extra: failure.signature.extra.clone(),
            count: failure.count,
            trace_number: failure.origin.trace,
            universe: failure.origin.universe.to_owned(),
            steps: failure.origin.steps,
            shrunk: failure.shrunk,
            shrunk_steps: failure.run.trace.size(),
        }
    }

    /// Trace, length, place and last step, in words.
    pub fn provenance(&self, finding: &FindingReport) -> String {
        let Self {
            universe,
            trace_number: number,
            shrunk_steps: steps,
            ..
        } = self;
        let from = match (universe.as_str(), self.shrunk) {
            ("exhaustive", _) => format!("exhaustive search, {steps} steps"),
            (SWEEP, true) => format!("sweep, trace {number}, {} steps shrunk to {steps}", self.steps),
            (SWEEP, false) => format!("sweep, trace {number}, {steps} steps, not shrunk"),
            (_, true) => format!("trace {number} ({universe}), {} steps shrunk to {steps}", self.steps),
            (_, false) => format!("trace {number} ({universe}), {steps} steps, not shrunk"),
        };
        let extra = self
            .extra
            .as_ref()
            .map_or_else(String::new, |extra| format!(", with `{extra}`"));
        let (class, place) = (&finding.class, finding.place());
        format!("{from}: {class}, {place}, after {}{extra}", self.last)
    }
}

impl FailureReport {
    /// A failure of the router that said `hello`, before anything is written of it.
    pub fn new(failure: &Failure, hello: &Hello, seed: u32, found_after_seconds: f64) -> Self {
        let finding = FindingReport::new(&failure.finding, hello);
        let origin = OriginReport::new(failure);
        let why = format!("{}: {}", finding.rule, origin.provenance(&finding));
        let trace = TraceFile {
            router: Some(hello.router.clone()),
            rule: Some(finding.rule.to_string()),
            seed: Some(seed),
            ..TraceFile::new(&why, failure.run.asking())
        };
        Self {
            finding,
            sentence: failure.finding.rule.rule().sentence.to_owned(),
            origin,
            excused: None,
            confirmation: None,
            found_after_seconds,
            replay: None,
            files: Vec::new(),
            trace,
        }
    }

    /// Returns whether it was carried out again and never showed.
    pub fn is_flaky(&self) -> bool {
        self.confirmation.is_some_and(|confirmation| confirmation.shown == 0)
    }

    /// Returns whether it speaks against the router: it is not excused, and no replay denies it.
    pub fn counts(&self) -> bool {
        self.excused.is_none() && !self.is_flaky()
    }

    /// The steps of the trace before the question that shows the failure.
    pub fn steps(&self) -> &[Step] {
        before_question(&self.trace, &self.finding)
    }

    /// The rows that the router is constructed with.
    pub fn initial(&self) -> &[Row] {
        &self.trace.trace.setup.rows
    }
}

#[cfg(test)]
mod tests {
    use model::{Coverage, LookedUp, Tier};
    use protocol::{Capability, Level};

    use super::*;
    use crate::adapter::builtin;
    use crate::document::Document;
    use crate::document::coverage::LOOKUPS_MIN;
    use crate::exit::Exit;

    fn rule(status: RuleStatus) -> RuleReport {
        RuleReport {
            rule: RuleId::Current,
            sentence: String::new(),
            oracle: Oracle::Absolute,
            status,
            reason: None,
            premises: 0,
            failures: usize::from(status == RuleStatus::Fail),
        }
    }

    fn run(rules: &[RuleStatus], closed: bool, transitions: u64, traces: u32) -> RunReport {
        RunReport {
            unjudged: Vec::new(),
            trial: TrialReport {
                level: Level::Router,
                spec: "reference".to_owned(),
                router: "reference".to_owned(),
                version: "1".to_owned(),
                protocol: 1,
                semantics: None,
            },
            seed: 1,
            explorations: vec![ExplorationReport {
                universe: "tiny".to_owned(),
                states: 1,
                transitions,
                answers: 0,
                depth: 0,
                closed,
                whole_memory: true,
                seconds: 0.0,
            }],
            unexplored: None,
            coverage: Box::default(),
            searches: vec![SearchReport {
                swept: 0,
                sweep: 0,
                traces,
                changes: 0,
                queries: 0,
                uncounted: 0,
                cut: true,
                seconds: 0.0,
                seconds_in_router: 0.0,
            }],
            rules: rules.iter().copied().map(rule).collect(),
            effects: 3 * u64::from(traces),
            effects_min: 20,
            interrupted: None,
            suspect: None,
            failures: Vec::new(),
            causes: Vec::new(),
            idle_skips: Vec::new(),
            seconds: 0.0,
        }
    }

    #[test]
    fn nothing_passes_that_was_not_tried() {
        use RuleStatus::{Fail, Pass, Skip, Vacuous};
        #[rustfmt::skip]
        let rows: &[(&[RuleStatus], bool, u64, u32, Exit)] = &[
            (&[Pass, Skip], true, 9, 9, Exit::Conforms),
            (&[Pass], true, 9, 0, Exit::Inconclusive),
            (&[Pass], false, 9, 7, Exit::Conforms),
            (&[Pass], false, 9, 6, Exit::Inconclusive),
            (&[Pass, Vacuous], true, 9, 9, Exit::Inconclusive),
            (&[Vacuous], true, 0, 0, Exit::NothingRan),
            (&[Skip, Skip], true, 9, 9, Exit::NothingRan),
            (&[Fail, Vacuous], false, 9, 0, Exit::Violation),
        ];
        for (rules, closed, transitions, traces, expected) in rows {
            let run = run(rules, *closed, *transitions, *traces);
            let verdict = Document::Run(run).verdict();
            assert_eq!(verdict.exit, *expected, "{rules:?}, closed {closed}, {traces} traces");
        }
    }

    #[test]
    fn nothing_passes_of_which_too_little_was_looked_up() {
        for (lookups, expected) in [(LOOKUPS_MIN - 1, Exit::Inconclusive), (LOOKUPS_MIN, Exit::Conforms)] {
            let mut hello = builtin::reference().hello().clone();
            hello.capabilities = vec![Capability::Upsert];
            let mut coverage = Coverage::default();
            for before in [true, false] {
                let (verb, tier) = ("upsert", Tier::Exact);
                coverage.lookups.insert(LookedUp { verb, tier, before }, lookups);
            }
            let mut run = run(&[RuleStatus::Pass], true, 9, 9);
            *run.coverage = CoverageReport::new(&coverage, &hello);
            assert_eq!(Document::Run(run).verdict().exit, expected, "{lookups}");
        }
    }

    #[test]
    fn what_ended_a_run_before_its_time_hides_no_violation_and_passes_nothing() {
        use RuleStatus::{Fail, Pass, Skip};
        let died = || Interruption::AdapterFault("it ended".to_owned());
        for (status, interrupted, expected) in [
            (Pass, died(), Exit::AdapterFault),
            (Skip, died(), Exit::AdapterFault),
            (Fail, died(), Exit::Violation),
            (Pass, Interruption::Signal(2), Exit::Inconclusive),
            (Fail, Interruption::Signal(2), Exit::Violation),
            (Skip, Interruption::Signal(2), Exit::Inconclusive),
        ] {
            let mut run = run(&[status], true, 9, 9);
            run.interrupted = Some(interrupted);
            assert_eq!(Document::Run(run).verdict().exit, expected, "{status:?}");
        }
    }

    #[test]
    fn an_idle_skip_spoils_a_pass_and_hides_no_violation() {
        for (status, expected) in [(RuleStatus::Pass, Exit::Usage), (RuleStatus::Fail, Exit::Violation)] {
            let mut run = run(&[status], true, 9, 9);
            run.idle_skips.push(IdleSkip {
                rule: RuleId::Listing,
                reason: "planted".to_owned(),
            });
            assert_eq!(Document::Run(run).verdict().exit, expected);
        }
    }
}
