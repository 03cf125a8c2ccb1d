//! Checks that a reply answers what was asked: counts and kinds, never content, which is for the rules.

use std::collections::BTreeSet;

use protocol::wire::{HELLO_ITEMS_MAX, LIST_ROWS_MAX, PROTOCOL_VERSION, REPLICAS_MAX, TEXT_BYTES_MAX};
use protocol::{Answer, Capability, Changed, FleetStep, Hello, Observation, Run, RunReply, Step, StepReply};

/// Checks that a hello can be relied on.
///
/// # Errors
///
/// The reason, as the end of a sentence that begins with the adapter.
pub fn hello(hello: &Hello) -> Result<(), String> {
    if hello.protocol != PROTOCOL_VERSION {
        return Err(format!(
            "speaks protocol {}, and this build speaks {PROTOCOL_VERSION}; update the older side",
            hello.protocol
        ));
    }
    text("its router's name", &hello.router)?;
    text("its router's version", &hello.version)?;
    let dialect = &hello.dialect;
    dialect
        .semantics
        .iter()
        .try_for_each(|name| text("its semantics", name))?;
    list("capabilities", hello.capabilities.iter())?;
    list("paths", dialect.paths.iter())?;
    list("extras", dialect.extras.iter().map(|extra| &extra.name))?;
    list("target prefixes", dialect.target_prefixes.iter())?;
    dialect.paths.iter().try_for_each(|path| text("a path", path))?;
    for extra in &dialect.extras {
        text("an extra", &extra.name)?;
        extra
            .target
            .iter()
            .try_for_each(|target| text("an extra's target", target))?;
    }
    let changes = [Capability::Upsert, Capability::Add, Capability::Replace];
    if !changes.iter().any(|change| hello.can(*change)) {
        return Err(
            "declares none of `upsert`, `add` and `replace`, so that no row could ever reach its router".to_owned(),
        );
    }
    Ok(())
}

fn text(what: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("leaves {what} empty"));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!(
            "gives {what} {} bytes, and at most {TEXT_BYTES_MAX} are taken",
            text.len()
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("has a control character in {what}"));
    }
    Ok(())
}

fn list<T: Ord>(what: &str, items: impl ExactSizeIterator<Item = T>) -> Result<(), String> {
    let count = items.len();
    if count > HELLO_ITEMS_MAX {
        return Err(format!(
            "declares {count} {what}, and at most {HELLO_ITEMS_MAX} are taken"
        ));
    }
    if items.collect::<BTreeSet<_>>().len() < count {
        return Err(format!("declares one of its {what} twice"));
    }
    Ok(())
}

/// Checks that `replies` are replies to `runs`, by a router that said `hello`.
///
/// # Errors
///
/// The reason, as the end of a sentence that begins with the adapter.
pub fn replies(hello: &Hello, runs: &[Run], replies: &[RunReply]) -> Result<(), String> {
    count("runs", runs.len(), "replies", replies.len())?;
    for (index, (run, reply)) in runs.iter().zip(replies).enumerate() {
        reply_to(hello, run, reply).map_err(|what| format!("{what} (run {} of {})", index + 1, runs.len()))?;
    }
    Ok(())
}

fn reply_to(hello: &Hello, run: &Run, reply: &RunReply) -> Result<(), String> {
    held(&reply.initial)?;
    count("steps", run.steps.len(), "replies", reply.steps.len())?;
    for (index, (step, reply)) in run.steps.iter().zip(&reply.steps).enumerate() {
        step_reply(hello, step, reply).map_err(|what| format!("{what} at step {}", index + 1))?;
    }
    if run.replicas == 0 {
        count(
            "moments to observe",
            run.observe.len(),
            "observations",
            reply.observations.len(),
        )?;
    } else {
        let most = run.observe.len() * usize::from(run.replicas.min(REPLICAS_MAX));
        if reply.observations.len() > most {
            return Err(format!(
                "was asked for at most {most} observations of its replicas and gave {}",
                reply.observations.len()
            ));
        }
    }
    for (index, seen) in reply.observations.iter().enumerate() {
        observation(hello, run, seen).map_err(|what| format!("{what} in observation {}", index + 1))?;
    }
    Ok(())
}

fn step_reply(hello: &Hello, step: &Step, reply: &StepReply) -> Result<(), String> {
    match (step, reply) {
        (Step::Change(_) | Step::Fleet(FleetStep::Write(_)), StepReply::Changed(changed)) => {
            if hello.can(Capability::Claims) && changed.held.is_none() {
                return Err("declares `claims` and leaves out the ids that are held".to_owned());
            }
            held(changed)
        }
        (Step::Lookup(_), StepReply::Answered(answers)) => paths(hello, answers),
        (Step::Fleet(step), StepReply::Did(_)) if !matches!(step, FleetStep::Write(_)) => Ok(()),
        (_, reply) => Err(format!(
            "gave `{}`, which is the reply to another kind of step,",
            word(reply)
        )),
    }
}

fn word(reply: &StepReply) -> &'static str {
    match reply {
        StepReply::Changed(_) => "changed",
        StepReply::Answered(_) => "answered",
        StepReply::Did(_) => "did",
    }
}

fn held(changed: &Changed) -> Result<(), String> {
    match &changed.held {
        Some(ids) if ids.len() > LIST_ROWS_MAX => Err(format!(
            "claims to hold {} ids, and at most {LIST_ROWS_MAX} rows are ever given",
            ids.len()
        )),
        _ => Ok(()),
    }
}

fn observation(hello: &Hello, run: &Run, seen: &Observation) -> Result<(), String> {
    match (run.replicas, seen.replica) {
        (0, Some(_)) => return Err("names a replica where there is no fleet".to_owned()),
        (1.., None) => return Err("does not say which replica it asked".to_owned()),
        (replicas @ 1.., Some(replica)) if replica >= replicas => {
            return Err(format!(
                "asked replica {replica} of {replicas}, which are numbered from 0"
            ));
        }
        _ => {}
    }
    count("queries", run.queries.len(), "lists of answers", seen.answers.len())?;
    seen.answers.iter().try_for_each(|answers| paths(hello, answers))?;
    let viewers = if hello.can(Capability::Listing) {
        run.viewers.len()
    } else {
        0
    };
    count("listings", viewers, "listings", seen.listings.len())?;
    if !hello.can(Capability::Sizes) && !seen.sizes.is_empty() {
        return Err("gives `sizes` without declaring them".to_owned());
    }
    Ok(())
}

fn paths(hello: &Hello, answers: &[Answer]) -> Result<(), String> {
    count("paths", hello.dialect.path_count(), "answers", answers.len())?;
    if answers
        .iter()
        .any(|answer| matches!(answer, Answer::Candidates(list) if list.is_empty()))
    {
        return Err("gave an empty list of candidates, where a refusal says which kind".to_owned());
    }
    Ok(())
}

fn count(asked: &str, wanted: usize, given: &str, got: usize) -> Result<(), String> {
    if wanted == got {
        return Ok(());
    }
    Err(format!("was asked for {wanted} {asked} and gave {got} {given}"))
}
