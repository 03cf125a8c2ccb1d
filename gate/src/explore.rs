//! The exhaustive engine of a router: over its whole memory where it is in this process, else over what is observed.

use adapter_faulty::{Fault, Trial, Visit, with};
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
        Spec::Reference => explore::<Reference>(judge, scope, limits, go_on),
        Spec::Faulty(name) => {
            let visitor = Exploring {
                judge,
                scope,
                limits,
                go_on,
            };
            with(name, visitor).expect("a parsed spec names a fault that there is")
        }
        Spec::Strategy(_) | Spec::LiteLlm(_) | Spec::LiteLlmProxy(_) | Spec::Exec(_) => {
            explore_observed(router, judge, scope, limits, go_on)
        }
    }
}

struct Exploring<'a> {
    judge: &'a Judge,
    scope: &'a Scope,
    limits: ExhaustLimits,
    go_on: &'a mut GoOn<'a>,
}

impl Visit for Exploring<'_> {
    type Output = Result<Hunt, Interrupted>;

    fn visit<R: Trial>(self, _fault: &'static Fault) -> Self::Output {
        explore::<R>(self.judge, self.scope, self.limits, self.go_on)
    }
}
