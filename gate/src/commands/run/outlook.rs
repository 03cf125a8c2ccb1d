//! Whether a run is going to come to a verdict, and when it may stop.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Hunt, RuleId, unjudged};
use protocol::Hello;

use super::Options;
use crate::document::PREMISES_MIN;

/// The least time of a run without a budget.
const UNBOUNDED_MIN: Duration = Duration::from_secs(10);
/// The most time of a run without a budget.
const UNBOUNDED_MAX: Duration = Duration::from_mins(10);
/// The time after which the speed of a search is known well enough.
const ADVICE_AFTER: Duration = Duration::from_secs(3);

/// What a random search needs to do for a verdict, and the time that it has.
pub(super) struct Outlook {
    budget: Option<Duration>,
    effects_min: u64,
    /// The rules that this router can be judged by.
    rules: Vec<RuleId>,
    begun: Duration,
    advised: bool,
}

impl Outlook {
    /// The outlook of a search that begins at that moment.
    pub(super) fn new(options: &Options, hello: &Hello, begun: Duration) -> Self {
        let unjudged = unjudged(hello, &options.rules);
        let is_judged = |id: &RuleId| !unjudged.iter().any(|one| one.whole && one.rule == *id);
        let rules = options.rules.iter().filter(is_judged);
        Self {
            budget: options.budget,
            effects_min: options.effects_min,
            rules: rules.collect(),
            begun,
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
            let enough = so_far.work.effects >= self.effects_min;
            if enough && self.rules.iter().all(|id| premises(id) >= PREMISES_MIN) {
                UNBOUNDED_MIN
            } else {
                UNBOUNDED_MAX
            }
        })
    }

    /// A line on whether the budget is enough, once it can be told: if it is not, with what would be.
    pub(super) fn advice(&mut self, so_far: &Hunt, now: Duration) -> Option<String> {
        let (budget, spent) = (self.budget?, now.saturating_sub(self.begun));
        if self.advised || spent < ADVICE_AFTER {
            return None;
        }
        self.advised = true;
        let (effects, wanted) = (so_far.work.effects.max(1), self.effects_min);
        let left = budget.saturating_sub(self.begun);
        let expected = u128::from(effects) * left.as_millis() / spent.as_millis().max(1);
        if expected >= u128::from(wanted) {
            return None;
        }
        let needed = spent.as_secs() * wanted / effects;
        let seconds = self.begun.as_secs() + needed.max(1);
        Some(format!(
            "this budget is enough for about {expected} of the {wanted} changes that a pass takes: `--budget {seconds}s` would do",
        ))
    }
}
