//! The counterexamples of the model on a real fleet: what the model says breaks, and whether it breaks there.

use fleet::trace;
use model::{Judge, RuleSet};
use protocol::{Level, RouterUnderTest};

use super::table::{Column, Path};
use crate::adapter::spec::Spec;
use crate::adapter::{AdapterSettings, open};
use crate::commands::replay::{KeptTrace, judged, shows_nothing};
use crate::document::{ModelledOn, ModelledOutcome};
use crate::error::Error;
use crate::output::progress;

/// Carries out each counterexample of the strategies on the fleet that `spec` names.
///
/// # Errors
///
/// If the fleet cannot be opened, or does not answer.
pub(super) fn carried_out(spec: &Spec, columns: &[Column], settings: &AdapterSettings) -> Result<ModelledOn, Error> {
    let mut router = open(spec, Level::Fleet, settings, &progress)?;
    progress(&format!("carrying out counterexamples on {spec}"));
    let mut counterexamples = Vec::new();
    for column in columns {
        let Some(strategy) = column.strategy else { continue };
        for path in &column.counterexamples {
            let (confirmed, reason) = match confirms(router.as_mut(), column, path)? {
                Ok(confirmed) => (Some(confirmed), None),
                Err(reason) => (None, Some(reason)),
            };
            counterexamples.push(ModelledOutcome {
                strategy: strategy.to_owned(),
                rule: path.rule,
                confirmed,
                reason,
            });
        }
    }
    Ok(ModelledOn {
        router: spec.to_string(),
        counterexamples,
    })
}

/// Returns whether the fleet breaks the rule of a counterexample, or why it cannot be carried out there.
fn confirms(router: &mut dyn RouterUnderTest, column: &Column, path: &Path) -> Result<Result<bool, String>, Error> {
    let why = format!("a counterexample of {}", column.report.identity);
    let file = trace::trace(&why, path.rule, &path.actions, column.replicas, column.mended);
    let kept = KeptTrace {
        file,
        rule: Some(path.rule),
    };
    if let Some(reason) = shows_nothing(&kept, router.hello()) {
        return Ok(Err(reason));
    }
    let judge = Judge::new(router.hello(), RuleSet::only(path.rule))?;
    let findings = judged(&kept, &judge, router)?.findings;
    Ok(Ok(!findings.is_empty()))
}
