//! The outlook of a run: if it is going to come to a verdict, and when it may stop.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Hunt, RuleId, left_to_router, unjudged};
use protocol::{Hello, Level};

use super::{Options, coverage_of};
use crate::document::PREMISES_MIN;

/// The least time of the search of a run without a budget.
const UNBOUNDED_MIN: Duration = Duration::from_secs(10);
/// The most time of a run without a budget.
const UNBOUNDED_MAX: Duration = Duration::from_mins(10);
/// The time after which the speed of a search is known well enough.
const ADVICE_AFTER: Duration = Duration::from_secs(3);

/// The work that a random search needs to do for a verdict, and the time that it has.
pub(super) struct Outlook {
    budget: Option<Duration>,
    effects_min: u64,
    /// The number of traces of the sweep, which is done whole.
    sweep: usize,
    /// The rules that this router can be judged by.
    rules: Vec<RuleId>,
    hello: Hello,
    level: Level,
    begun: Duration,
    /// The moment at which the first random traces were done: what the sweep changes does not count.
    drawing_since: Option<Duration>,
    advised: bool,
}

impl Outlook {
    /// The outlook of a search that begins at that moment, with so many traces to sweep.
    pub(super) fn new(options: &Options, hello: &Hello, sweep: usize, begun: Duration) -> Self {
        let unjudged = unjudged(hello, &options.rules);
        let is_judged = |id: &RuleId| !unjudged.iter().any(|one| one.whole && one.rule == *id);
        let rules = options.rules.iter().filter(is_judged);
        Self {
            budget: options.budget,
            effects_min: options.effects_min,
            sweep,
            rules: rules.collect(),
            hello: hello.clone(),
            level: options.level,
            begun,
            drawing_since: None,
            advised: false,
        }
    }

    /// The moment at which the search ends. Without a budget that is once there is enough for a verdict.
    pub(super) fn until(&self, so_far: &Hunt, before: &BTreeMap<RuleId, u64>) -> Duration {
        self.budget.unwrap_or_else(|| {
            let premises = |id: &RuleId| {
                let of = |counted: &BTreeMap<RuleId, u64>| counted.get(id).copied().unwrap_or(0);
                of(before) + of(&so_far.premises)
            };
            let swept = so_far.work.swept as usize >= self.sweep;
            let covered = coverage_of(self.level, &so_far.coverage, &self.hello)
                .too_few()
                .is_none();
            let enough = swept && covered && so_far.work.effects >= self.effects_min;
            let judged = |id: &RuleId| match premises(id) {
                0 => left_to_router(*id, &self.hello).is_some(),
                premises => premises >= PREMISES_MIN,
            };
            if enough && self.rules.iter().all(judged) {
                self.begun + UNBOUNDED_MIN
            } else {
                UNBOUNDED_MAX
            }
        })
    }

    /// A line on whether the budget is enough, once it can be told: if it is not, with what would be.
    pub(super) fn advice(&mut self, so_far: &Hunt, now: Duration) -> Option<String> {
        let budget = self.budget?;
        if so_far.work.traces == 0 {
            return None;
        }
        let begun = *self.drawing_since.get_or_insert(now);
        let spent = now.saturating_sub(begun);
        if self.advised || spent < ADVICE_AFTER {
            return None;
        }
        self.advised = true;
        let (effects, wanted) = (so_far.work.effects.max(1), self.effects_min);
        let left = budget.saturating_sub(begun);
        let expected = u128::from(effects) * left.as_millis() / spent.as_millis().max(1);
        if expected >= u128::from(wanted) {
            return None;
        }
        let needed = spent.as_secs() * wanted / effects;
        let seconds = begun.as_secs() + needed.max(1);
        Some(format!(
            "this budget is enough for about {expected} of the {wanted} changes that a pass takes: `--budget {seconds}s` would do",
        ))
    }
}

#[cfg(test)]
mod tests {
    use model::{LookedUp, Tier};
    use protocol::Capability;

    use super::*;
    use crate::adapter::builtin;

    fn outlook(budget: Option<Duration>) -> Outlook {
        Outlook {
            budget,
            effects_min: 500,
            sweep: 50,
            rules: vec![RuleId::Current],
            hello: Hello {
                capabilities: vec![Capability::Upsert],
                ..builtin::reference().hello().clone()
            },
            level: Level::Router,
            begun: Duration::ZERO,
            drawing_since: None,
            advised: false,
        }
    }

    fn hunt(swept: u32, effects: u64, premises: u64) -> Hunt {
        let mut hunt = Hunt::default();
        (hunt.work.swept, hunt.work.traces, hunt.work.effects) = (swept, 1, effects);
        hunt.premises.insert(RuleId::Current, premises);
        for before in [true, false] {
            let (verb, tier) = ("upsert", Tier::Exact);
            hunt.coverage.lookups.insert(LookedUp { verb, tier, before }, 9);
        }
        hunt
    }

    #[test]
    fn without_a_budget_a_search_goes_on_until_there_is_enough_for_a_verdict() {
        for (swept, effects, premises, enough) in [
            (50, 500, PREMISES_MIN, true),
            (49, 500, PREMISES_MIN, false),
            (50, 499, PREMISES_MIN, false),
            (50, 500, PREMISES_MIN - 1, false),
        ] {
            let until = outlook(None).until(&hunt(swept, effects, premises), &BTreeMap::new());
            assert_eq!(until, if enough { UNBOUNDED_MIN } else { UNBOUNDED_MAX });
        }
        let later = Outlook {
            begun: Duration::from_mins(1),
            ..outlook(None)
        };
        let until = later.until(&hunt(50, 500, PREMISES_MIN), &BTreeMap::new());
        assert_eq!(
            until,
            later.begun + UNBOUNDED_MIN,
            "what came before takes none of its time"
        );
        let before = BTreeMap::from([(RuleId::Current, 1)]);
        let until = outlook(None).until(&hunt(50, 500, PREMISES_MIN - 1), &before);
        assert_eq!(until, UNBOUNDED_MIN, "what exploring checked counts");
        let mut unasked = hunt(50, 500, PREMISES_MIN);
        unasked.coverage.lookups.clear();
        let until = outlook(None).until(&unasked, &BTreeMap::new());
        assert_eq!(until, UNBOUNDED_MAX, "each tier has to be asked for");
        let minute = Duration::from_mins(1);
        assert_eq!(outlook(Some(minute)).until(&hunt(0, 0, 0), &BTreeMap::new()), minute);
    }

    #[test]
    fn a_budget_that_is_too_short_is_told_once_with_one_that_would_do() {
        let ten_seconds = Some(Duration::from_secs(10));
        let mut short = outlook(ten_seconds);
        let mut swept = hunt(7, 0, 0);
        swept.work.traces = 0;
        assert_eq!(short.advice(&swept, Duration::ZERO), None, "nothing is drawn yet");
        for seconds in [0, 2] {
            let so_far = hunt(0, 5, 0);
            assert_eq!(
                short.advice(&so_far, Duration::from_secs(seconds)),
                None,
                "too early to tell"
            );
        }
        let advice = short
            .advice(&hunt(0, 50, 0), Duration::from_secs(4))
            .expect("it is too short");
        assert!(
            advice.contains("about 125 of the 500") && advice.contains("--budget 40s"),
            "{advice}"
        );
        assert_eq!(
            short.advice(&hunt(0, 50, 0), Duration::from_secs(5)),
            None,
            "once is enough"
        );
        let mut enough = outlook(ten_seconds);
        for seconds in [0, 4] {
            assert_eq!(enough.advice(&hunt(0, 500, 0), Duration::from_secs(seconds)), None);
        }
    }
}
