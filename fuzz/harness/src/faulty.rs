//! A router with a planted fault, judged by every rule: how many operations a fuzzer takes to find the fault.

use adapter_faulty::find;
use model::{Cadence, Judge, Seeded, drawn_run};
use protocol::{Level, RouterUnderTest};

use crate::codec::decode;
use crate::failure::{judge_of, judged};
use crate::{Body, Ran, TargetSettings, Work};

/// The target.
pub(crate) struct Faulty {
    router: Box<dyn RouterUnderTest + Send>,
    judge: Judge,
}

impl Faulty {
    /// The target for the fault that the settings name.
    ///
    /// # Errors
    ///
    /// There is no such fault.
    pub(crate) fn body(settings: &TargetSettings) -> Result<Box<dyn Body>, String> {
        let name = &settings.fault;
        let fault = find(name).ok_or_else(|| {
            format!("there is no fault `{name}`; `routeproof faults` lists them, and `none` is the router without one")
        })?;
        let router = fault.router();
        Ok(Box::new(Self {
            judge: judge_of(router.hello(), Level::Router),
            router,
        }))
    }
}

impl Body for Faulty {
    fn run(&mut self, data: &[u8]) -> Ran {
        let Some(input) = decode(data, Level::Router) else {
            return Ok(None);
        };
        let choices = &mut Seeded::new(input.header.asks.into(), 0);
        let scope = &input.world.scope;
        let run = drawn_run(
            scope,
            input.trace.setup.rows,
            input.trace.steps,
            choices,
            Cadence::Drawn,
        );
        if let Some(mut failure) = judged(self.router.as_mut(), &self.judge, &run) {
            if let Some(trace) = &mut failure.trace {
                trace.router = Some(self.router.hello().router.clone());
            }
            return Err(failure);
        }
        Ok(Some(Work {
            steps: run.trace.steps.len() as u64,
            lookups: (run.questions.rounds.len() * run.questions.queries().count()) as u64,
        }))
    }
}
