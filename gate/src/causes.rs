//! The causes of the failures of a run: diagnosed on the router itself, and known ones told from new ones.

use std::time::Duration;

use model::{Cause, CauseKey, Diagnosis, Failure, Judge, Lasts, Member, diagnose, group, lasts, run_asking};
use protocol::{AdapterFault, RouterUnderTest, Trace};

use crate::adapter::spec::Spec;
use crate::clock::Clock;
use crate::document::{CauseReport, FailureReport, FormReport, KnownReport, headline};
use crate::files::Shelf;
use crate::guard::stopped;
use crate::known;
use crate::script::script;

/// The longest time that the diagnoses of a run may take, beside the budget of the search.
pub(crate) const DIAGNOSES_TIME_MAX: Duration = Duration::from_mins(1);

/// The part of that time, as a divisor, that the known issues may take.
const KNOWN_SHARE: u32 = 2;

/// The most causes whose witness is asked for again: each takes up to twice the time that is waited.
const ASKED_AGAIN_MAX: usize = 12;
/// The least time for the waits of a run.
const WAITING_MIN: Duration = Duration::from_secs(10);

/// The time that the waits of a run may take, beside the budget of the search: a fifth of that.
pub(crate) fn waiting_max(budget: Option<Duration>) -> Duration {
    (budget.unwrap_or_default() / 5).max(WAITING_MIN)
}

/// The router whose failures are looked into, and how.
pub(crate) struct Diagnosing<'a> {
    /// The router.
    pub router: &'a mut dyn RouterUnderTest,
    /// The text that names it.
    pub spec: &'a Spec,
    /// The judge of the run.
    pub judge: &'a Judge,
    /// The longest time that it may take; what is left is grouped by what it broke.
    pub time_max: Duration,
    /// The time after which the witness of a cause is asked for again.
    pub ask_again: Duration,
    /// The longest time that all waits together may take: nothing else happens meanwhile.
    pub waiting_max: Duration,
    /// Lines of progress.
    pub progress: &'a mut dyn FnMut(&str),
}

impl Diagnosing<'_> {
    /// Groups failures by their causes, and writes the witness of each. Each failure stands beside its report.
    pub(crate) fn causes_of(&mut self, failures: &[(&Failure, FailureReport)], shelf: &mut Shelf) -> Vec<CauseReport> {
        if failures.is_empty() {
            return Vec::new();
        }
        let clock = Clock::start();
        // First of all: a known issue must not be told as new for want of time.
        let known = if self.is_in_time(clock) {
            let time_max = self.time_max / KNOWN_SHARE;
            let go_on = || clock.elapsed() < time_max && stopped().is_none();
            let keys = known::keys(self.router, self.judge, &go_on);
            keys.unwrap_or_else(|fault| self.told(&fault, Vec::new()))
        } else {
            Vec::new()
        };
        let diagnosed: Vec<(&Failure, Diagnosis)> = failures
            .iter()
            .map(|(failure, _)| (*failure, self.diagnosis(failure, clock)))
            .collect();
        let causes = group(&diagnosed);
        let runs: usize = diagnosed.iter().map(|(_, one)| one.runs).sum();
        let (count, seconds) = (failures.len(), clock.elapsed().as_secs_f64());
        (self.progress)(&format!("diagnosed {count} failures in {runs} runs, {seconds:.1} s"));
        let mut reports = Vec::with_capacity(causes.len());
        let waits = Clock::start();
        for (cause, number) in causes.iter().zip(1..) {
            let (witness, of_witness) = &failures[cause.members[0].place];
            let mut report = report(cause, number, failures, &known);
            // A wait that is begun is waited for.
            let there_is_time = waits.elapsed() + self.ask_again <= self.waiting_max && self.is_in_time(clock);
            if number <= ASKED_AGAIN_MAX && there_is_time {
                report.lasts = self.lasts(witness);
            }
            report.did = self.did(&report.trace.trace);
            write(&mut report, of_witness.clone(), shelf, self.spec);
            reports.push(report);
        }
        reports
    }

    /// The diagnosis of a failure; where the adapter fails, or time is up, one that explains nothing: a failure is told
    /// whatever becomes of its cause.
    fn diagnosis(&mut self, failure: &Failure, clock: Clock) -> Diagnosis {
        let unexplained = Diagnosis::unexplained(&failure.finding);
        if !self.is_in_time(clock) {
            // A schedule explains itself.
            return Diagnosis::without_a_run(failure).unwrap_or(unexplained);
        }
        diagnose(self.router, self.judge, failure).unwrap_or_else(|fault| self.told(&fault, unexplained))
    }

    fn is_in_time(&self, clock: Clock) -> bool {
        clock.elapsed() < self.time_max && stopped().is_none()
    }

    /// Returns how long a failure lasts, where the router can tell.
    fn lasts(&mut self, witness: &Failure) -> Option<Lasts> {
        let wait = u32::try_from(self.ask_again.as_millis()).unwrap_or(u32::MAX);
        lasts(self.router, self.judge, witness, wait).unwrap_or_else(|fault| self.told(&fault, None))
    }

    /// Returns what the adapter does for each step of a trace, where it says so.
    fn did(&mut self, trace: &Trace) -> Vec<Option<String>> {
        let run = run_asking(trace.clone(), Vec::new(), false);
        let reply = self.router.run(std::slice::from_ref(&run));
        let did = reply.map(|replies| replies.into_iter().flat_map(|reply| reply.did).collect());
        did.unwrap_or_else(|fault| self.told(&fault, Vec::new()))
    }

    fn told<T>(&mut self, fault: &AdapterFault, instead: T) -> T {
        (self.progress)(&format!("a cause could not be looked for: {fault}"));
        instead
    }
}

fn report(
    cause: &Cause,
    number: usize,
    failures: &[(&Failure, FailureReport)],
    known: &[(KnownReport, CauseKey)],
) -> CauseReport {
    let members: Vec<&FailureReport> = cause.members.iter().map(|member| &failures[member.place].1).collect();
    let Member { diagnosis, .. } = &cause.members[0];
    let first = members
        .iter()
        .min_by(|one, other| one.found_after_seconds.total_cmp(&other.found_after_seconds));
    let first = first.expect("a cause has a member");
    let mut issues: Vec<KnownReport> = known
        .iter()
        .filter(|(_, key)| *key == cause.key)
        .map(|(issue, _)| issue.clone())
        .collect();
    // Issues that can be looked up come first.
    issues.sort_by_key(|issue| (issue.issue.is_none(), issue.name.clone()));
    CauseReport {
        id: format!("cause-{number}"),
        headline: headline(&cause.key),
        key: cause.key.clone(),
        harm: cause.harm,
        to_check: cause.key.is_to_be_checked(),
        known: issues,
        failures: members.len(),
        hits: cause.hits,
        forms: forms(&members),
        finding: members[0].finding.clone(),
        guilty: diagnosis.guilty,
        structures: diagnosis.keeping.clone(),
        told: diagnosis.told.clone(),
        did: Vec::new(),
        lasts: None,
        trace_number: first.origin.trace_number,
        found_after_seconds: first.found_after_seconds,
        replay: None,
        reproduction: None,
        served: None,
        files: Vec::new(),
        trace: members[0].trace.clone(),
    }
}

/// The ways in which a cause showed, the commonest first.
fn forms(members: &[&FailureReport]) -> Vec<FormReport> {
    let mut forms: Vec<FormReport> = Vec::new();
    for member in members {
        let (finding, hits) = (&member.finding, member.origin.count);
        let same = forms
            .iter_mut()
            .find(|form| form.rule == finding.rule && form.class == finding.class);
        match same {
            Some(form) => {
                form.failures += 1;
                form.hits += hits;
            }
            None => forms.push(FormReport {
                rule: finding.rule,
                class: finding.class.clone(),
                failures: 1,
                hits,
            }),
        }
    }
    forms.sort_by_key(|form| (std::cmp::Reverse(form.hits), form.rule));
    forms
}

/// Writes the witness of a cause under the cause's own name.
fn write(report: &mut CauseReport, mut witness: FailureReport, shelf: &mut Shelf, spec: &Spec) {
    (witness.files, witness.replay) = (Vec::new(), None);
    shelf.put_as(&report.id, spec, &mut witness);
    (report.files, report.replay) = (witness.files, witness.replay);
    if let Some(script) = script(report) {
        report.files.extend(shelf.put_script(&report.id, &script));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use model::{Allowed, Finding, Got, Harm, Origin, RuleId, Signature};
    use protocol::{Query, Question, Questions, Run, Trace};

    use super::*;
    use crate::adapter::builtin;

    /// A failure of that class, found so many times.
    pub(crate) fn failure(class: &'static str, count: u64) -> Failure {
        let asked = Question::Lookup(Query::new("a", None));
        let run = Run {
            trace: Trace::of_router(Vec::new(), Vec::new()),
            questions: Questions::at(vec![asked.clone()], [0]),
        };
        let finding = Finding {
            rule: RuleId::Current,
            class,
            tier: None,
            id: None,
            replica: None,
            extra: None,
            question: Some(asked),
            path: 0,
            after: 0,
            allowed: Allowed::NoRow(None),
            got: Got::Ids(Vec::new()),
        };
        Failure {
            signature: Signature::of(&finding, &[]),
            origin: Origin {
                universe: "tiny",
                trace: 0,
                steps: 0,
            },
            finding,
            run,
            count,
            shrunk: true,
        }
    }

    /// The report of a cause with that key, beside these known issues, each with its key.
    pub(crate) fn reported(key: &CauseKey, known: &[(KnownReport, CauseKey)]) -> CauseReport {
        let failure = failure("stale", 1);
        let router = builtin::reference();
        let of_failure = FailureReport::new(&failure, router.hello(), 1, 0.0);
        let harm = Harm::of(&failure.finding);
        let member = Member {
            place: 0,
            diagnosis: Diagnosis::unexplained(&failure.finding),
            harm,
        };
        let cause = Cause {
            key: key.clone(),
            harm,
            members: vec![member],
            hits: 1,
        };
        report(&cause, 1, &[(&failure, of_failure)], known)
    }

    fn issue(name: &str, issue: Option<&str>) -> KnownReport {
        KnownReport {
            name: name.to_owned(),
            issue: issue.map(str::to_owned),
            affected: None,
            expected: false,
        }
    }

    #[test]
    fn the_known_issues_of_a_cause_are_those_with_its_key_and_numbered_ones_come_first() {
        let key = CauseKey::RefusedList;
        let known = [
            (issue("a-list", None), key.clone()),
            (issue("2-list", Some("#2")), key.clone()),
            (issue("0-other", Some("#0")), CauseKey::AskedBefore),
            (issue("1-list", Some("#1")), key.clone()),
        ];
        let report = reported(&key, &known);
        let names: Vec<&str> = report.known.iter().map(|known| known.name.as_str()).collect();
        assert_eq!(names, ["1-list", "2-list", "a-list"]);
    }

    #[test]
    fn the_forms_of_a_cause_are_told_apart_by_rule_and_class_and_the_commonest_comes_first() {
        let router = builtin::reference();
        let report = |class, count| FailureReport::new(&failure(class, count), router.hello(), 1, 0.0);
        let mut scoped = report("stale", 4);
        scoped.finding.rule = RuleId::Scoped;
        let members = [report("stale", 1), report("ghost", 3), scoped, report("stale", 1)];
        let forms = forms(&members.each_ref());
        let told: Vec<(RuleId, &str, usize, u64)> = forms
            .iter()
            .map(|form| (form.rule, form.class.as_str(), form.failures, form.hits))
            .collect();
        let expected = [
            (RuleId::Scoped, "stale", 1, 4),
            (RuleId::Current, "ghost", 1, 3),
            (RuleId::Current, "stale", 2, 2),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_cause_is_new_that_is_neither_known_nor_to_be_checked() {
        let to_check = CauseKey::LeftOut {
            extras: BTreeSet::new(),
        };
        let known = [(issue("1-list", Some("#1")), CauseKey::RefusedList)];
        assert!(reported(&CauseKey::AskedBefore, &known).is_new());
        assert!(!reported(&CauseKey::RefusedList, &known).is_new());
        assert!(!reported(&to_check, &known).is_new());
    }
}
