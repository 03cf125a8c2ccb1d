//! Sets of rules, and what they come to.

use model::{RuleId, RuleSet, Tally};
use protocol::Level;

#[test]
fn a_set_of_rules_says_whether_it_needs_fresh_routers() {
    assert!(RuleSet::of(Level::Router).needs_fresh());
    let absolute = |id| id == RuleId::Current || id == RuleId::Complete;
    assert!(!RuleSet::matching(Level::Router, absolute).needs_fresh());
}

#[test]
fn tallies_add_up() {
    use RuleId::{Complete, Current, Listing};
    let tally = |premises: &[(RuleId, u64)]| Tally {
        premises: premises.iter().copied().collect(),
        findings: Vec::new(),
    };
    let mut both = tally(&[(Current, 2), (Complete, 3)]);
    both.absorb(tally(&[(Current, 5), (Listing, 1)]));
    assert_eq!(both, tally(&[(Complete, 3), (Current, 7), (Listing, 1)]));
}
