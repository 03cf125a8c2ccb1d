//! The exhaustive engine of a router: over its whole memory where it is in this process, else over what is observed.

use adapter_faulty::{Router, find};
use adapter_reference::Reference;
use model::universe::Scope;
use model::{ExhaustLimits, GoOn, Hunt, Interrupted, Judge, explore, explore_observed};
use protocol::RouterUnderTest;

use crate::adapter::spec::Spec;

/// Explores the router that `spec` names, and that is open as `router`.
///
/// # Errors
///
/// A fault of the router under test, with what was found before.
pub(crate) fn explore_any(
    spec: &Spec,
    router: &mut dyn RouterUnderTest,
    judge: &Judge,
    scope: &Scope,
    limits: ExhaustLimits,
    go_on: &mut GoOn,
) -> Result<Hunt, Interrupted> {
    match spec {
        Spec::Reference => explore(Reference::default(), judge, scope, limits, go_on),
        Spec::Faulty(name) => {
            let fault = find(name).expect("a parsed spec names a fault that there is");
            explore(Router::new(fault), judge, scope, limits, go_on)
        }
        Spec::Strategy(_) | Spec::LiteLlm(_) | Spec::LiteLlmProxy(_) | Spec::LiteLlmServer(_) | Spec::Exec(_) => {
            explore_observed(router, judge, scope, limits, go_on)
        }
    }
}
