//! The failures that the engines of a run have found so far: each failure is written to its files as soon as it is known.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use model::{Coverage, Failure, Hunt, RuleId, Signature, add_premises};
use protocol::Hello;

use super::Options;
use crate::document::{FailureReport, FindingReport, OriginReport};
use crate::files::{Place, Shelf};

/// The distinct failures of all engines, with their files.
pub(super) struct Found<'a> {
    options: &'a Options,
    hello: &'a Hello,
    shelf: Shelf,
    entries: BTreeMap<Signature, Entry>,
    /// The number of premises of each rule.
    pub(super) premises: BTreeMap<RuleId, u64>,
    /// The number of changes with an effect that were judged in traces.
    pub(super) effects: u64,
    /// The coverage of the searches.
    pub(super) coverage: Coverage,
}

struct Entry {
    /// The smallest that is known.
    failure: Failure,
    /// The number of findings of hunts that have ended.
    count: u64,
    /// The time from the moment that the router was up until it was found.
    after: Duration,
    place: Place,
    report: FailureReport,
}

impl<'a> Found<'a> {
    /// Nothing yet, with a directory to write to.
    pub(super) fn new(options: &'a Options, hello: &'a Hello) -> Self {
        Self {
            options,
            hello,
            shelf: Shelf::new(&options.out, &options.replay_words),
            entries: BTreeMap::new(),
            premises: BTreeMap::new(),
            effects: 0,
            coverage: Coverage::default(),
        }
    }

    /// Keeps and writes each failure of a hunt that is new, or smaller than it was; says a line of each new one.
    pub(super) fn take_all(&mut self, so_far: &Hunt, now: Duration, progress: &mut dyn FnMut(&str)) {
        for failure in so_far.failures.values() {
            self.take(failure, now, progress);
        }
    }

    fn take(&mut self, failure: &Failure, now: Duration, progress: &mut dyn FnMut(&str)) {
        match self.entries.get(&failure.signature) {
            Some(known) if known.failure.rank() <= failure.rank() => {}
            Some(known) => {
                let (count, after, place) = (known.count, known.after, known.place);
                self.write(failure.clone(), count, after, place);
            }
            None => {
                let place = self.shelf.place(failure.finding.rule);
                self.write(failure.clone(), 0, now, place);
                let finding = FindingReport::new(&failure.finding, self.hello);
                let provenance = OriginReport::new(failure).provenance(&finding);
                let seconds = now.as_secs_f64();
                let rule = finding.rule;
                progress(&format!(
                    "found {rule}: {provenance}, {seconds:.1}s after the router was up"
                ));
            }
        }
    }

    fn write(&mut self, failure: Failure, count: u64, after: Duration, place: Place) {
        let mut report = FailureReport::new(&failure, self.hello, self.options.seed, after.as_secs_f64());
        self.shelf.put(place, &self.options.spec, &mut report);
        let entry = Entry {
            failure,
            count,
            after,
            place,
            report,
        };
        self.entries.insert(entry.failure.signature.clone(), entry);
    }

    /// Puts a failure in the place of what it was before it was made small.
    pub(super) fn replace(&mut self, before: &Signature, small: Failure, now: Duration) {
        let Some(entry) = self.entries.remove(before) else {
            return;
        };
        if let Some(known) = self.entries.get_mut(&small.signature) {
            known.count += small.count;
            self.shelf.remove(&entry.report);
            self.take(&small, now, &mut |_| {});
        } else {
            let count = entry.count + small.count;
            self.write(small, count, entry.after, entry.place);
        }
    }

    /// Removes a failure that does not stand, and its files.
    pub(super) fn remove(&mut self, signature: &Signature) {
        if let Some(entry) = self.entries.remove(signature) {
            self.shelf.remove(&entry.report);
        }
    }

    /// Adds what a hunt that has ended says of how often each rule had something to check and each failure was seen.
    pub(super) fn count(&mut self, hunt: &Hunt) {
        add_premises(&mut self.premises, hunt.premises.clone());
        self.effects += hunt.work.effects;
        for failure in hunt.failures.values() {
            if let Some(entry) = self.entries.get_mut(&failure.signature) {
                entry.count += failure.count;
            }
        }
    }

    /// Returns all failures with their reports, in the order of the rules and the most frequent first, and the shelf.
    pub(super) fn into_reports(self) -> (Vec<(Failure, FailureReport)>, Shelf) {
        let skips = &self.options.skips;
        let reports = self.entries.into_values().map(|entry| {
            let mut report = entry.report;
            report.origin.count = entry.count.max(entry.failure.count);
            report.excused = skips.excuse(&report).map(str::to_owned);
            (entry.failure, report)
        });
        let mut reports: Vec<(Failure, FailureReport)> = reports.collect();
        reports.sort_by_key(|(_, report)| (report.finding.rule, Reverse(report.origin.count)));
        (reports, self.shelf)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use model::RuleSet;
    use protocol::Level;

    use super::*;
    use crate::adapter::builtin;
    use crate::adapter::spec::Spec;
    use crate::causes::tests::failure;
    use crate::skip::Skips;

    fn options(out: &Path) -> Options {
        Options {
            spec: Spec::Reference,
            level: Level::Router,
            replicas_max: 2,
            rules: RuleSet::of(Level::Router),
            budget: None,
            effects_min: 0,
            seed: 1,
            traces_max: 0,
            out: out.to_owned(),
            replay_words: Vec::new(),
            ask_again: Duration::ZERO,
            skips: Skips::default(),
        }
    }

    #[test]
    fn failures_that_differ_in_any_part_of_their_signature_are_all_told() {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path());
        let router = builtin::reference();
        let mut found = Found::new(&options, router.hello());
        let like = |signature: Signature| Failure {
            signature,
            ..failure("stale", 1)
        };
        let signature = failure("stale", 1).signature;
        let mut hunt = Hunt::default();
        for other in [
            signature.clone(),
            failure("ghost", 1).signature,
            Signature {
                structure: Some("names".to_owned()),
                ..signature.clone()
            },
            Signature {
                last: "delete",
                ..signature.clone()
            },
            Signature {
                extra: Some("region".to_owned()),
                ..signature.clone()
            },
            Signature {
                extra: Some("region-eu".to_owned()),
                ..signature
            },
        ] {
            hunt.keep(like(other));
        }
        found.take_all(&hunt, Duration::ZERO, &mut |_| {});
        let (reports, _) = found.into_reports();
        let told: BTreeSet<&Signature> = reports.iter().map(|(failure, _)| &failure.signature).collect();
        assert_eq!((told.len(), reports.len()), (6, 6));
    }

    #[test]
    fn a_failure_that_turns_out_to_be_another_is_counted_with_it_and_leaves_no_files() {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path());
        let router = builtin::reference();
        let mut found = Found::new(&options, router.hello());
        let (one, other) = (failure("ghost", 3), failure("stale", 2));
        let mut hunt = Hunt::default();
        hunt.keep(one.clone());
        hunt.keep(other.clone());
        found.take_all(&hunt, Duration::ZERO, &mut |_| {});
        let files = || std::fs::read_dir(dir.path()).unwrap().count();
        let of_two = files();
        found.replace(&one.signature, failure("stale", 3), Duration::ZERO);
        assert_eq!(files(), of_two / 2);
        let mut searched = Hunt::default();
        searched.keep(other);
        found.count(&searched);
        let (reports, _) = found.into_reports();
        let counts: Vec<u64> = reports.iter().map(|(_, report)| report.origin.count).collect();
        assert_eq!(counts, [5]);
    }
}
