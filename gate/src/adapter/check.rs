//! Checks that a reply answers what was asked: counts and kinds, never content, which is for the rules.

mod fleet;

use std::collections::BTreeSet;

use protocol::wire::{
    DID_BYTES_MAX, HELLO_ITEMS_MAX, LIST_ROWS_MAX, PARAMS_BYTES_MAX, PROTOCOL_VERSION, TEXT_BYTES_MAX,
};
use protocol::{
    Answer, Capability, Changed, Hello, Level, Observation, Question, Questions, Round, Run, RunReply,
    STALE_FOR_MS_MAX, Settles, Shown, Step, StepReply,
};

use fleet::Fleet;

/// Checks that a hello can be relied on.
///
/// # Errors
///
/// The reason, as the end of a sentence that begins with the adapter.
pub(crate) fn hello(hello: &Hello) -> Result<(), String> {
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
    list("structures", dialect.structures.keys())?;
    dialect.paths.iter().try_for_each(|path| text("a path", path))?;
    list("pattern shapes", dialect.pattern_shapes.iter())?;
    for (what, texts) in [("ids", &dialect.ids), ("names", &dialect.names)] {
        if let Some(texts) = texts {
            within(
                &format!("the characters of its {what}"),
                texts.chars.len(),
                TEXT_BYTES_MAX,
            )?;
        }
        let checked = texts.iter().try_for_each(protocol::Texts::check);
        checked.map_err(|why| format!("says in its dialect which `{what}` it takes, and {why}"))?;
    }
    if let Settles::Within { stale_for } = dialect.settles
        && !(1..=STALE_FOR_MS_MAX).contains(&stale_for)
    {
        return Err(format!(
            "settles within {stale_for} ms, and 1 to {STALE_FOR_MS_MAX} are taken"
        ));
    }
    let mut structures = dialect.structures.keys();
    structures.try_for_each(|structure| text("a structure", structure))?;
    for extra in &dialect.extras {
        text("an extra", &extra.name)?;
        extra
            .target
            .iter()
            .try_for_each(|target| text("an extra's target", target))?;
        within("the `why` of an extra", extra.why.len(), TEXT_BYTES_MAX)?;
        let params = extra.params.as_ref().map_or(0, |params| params.to_string().len());
        within("the `params` of an extra", params, PARAMS_BYTES_MAX)?;
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
    within(what, text.len(), TEXT_BYTES_MAX)?;
    if text.chars().any(char::is_control) {
        return Err(format!("has a control character in {what}"));
    }
    Ok(())
}

fn within(what: &str, bytes: usize, max: usize) -> Result<(), String> {
    if bytes > max {
        return Err(format!("gives {what} {bytes} bytes, and at most {max} are taken"));
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
pub(crate) fn replies(hello: &Hello, runs: &[Run], replies: &[RunReply]) -> Result<(), String> {
    count("runs", runs.len(), "replies", replies.len())?;
    for (index, (run, reply)) in runs.iter().zip(replies).enumerate() {
        reply_to(hello, run, reply).map_err(|what| format!("{what} (run {} of {})", index + 1, runs.len()))?;
    }
    Ok(())
}

fn reply_to(hello: &Hello, run: &Run, reply: &RunReply) -> Result<(), String> {
    let Run { trace, questions } = run;
    held(&reply.setup)?;
    count("steps", trace.steps.len(), "replies", reply.steps.len())?;
    count(
        "rounds",
        questions.rounds.len(),
        "lists of observations",
        reply.rounds.len(),
    )?;
    did(trace.steps.len(), &reply.did)?;
    let mut fleet = Fleet::new(trace.setup.replicas);
    let mut rounds = (1..).zip(questions.rounds.iter().zip(&reply.rounds)).peekable();
    for done in 0..=trace.steps.len() {
        while let Some((number, (round, seen))) = rounds.next_if(|(_, (round, _))| round.after as usize <= done) {
            let seen = match trace.level {
                Level::Router => one_router(hello, questions, round, seen),
                Level::Fleet => fleet.observed(hello, questions, round, seen),
            };
            seen.map_err(|what| format!("{what} in round {number}"))?;
        }
        if let (Some(step), Some(reply)) = (trace.steps.get(done), reply.steps.get(done)) {
            let number = done + 1;
            step_reply(hello, &mut fleet, number, step, reply).map_err(|what| format!("{what} at step {number}"))?;
        }
    }
    Ok(())
}

/// Checks what the adapter says that it did, where it says so.
fn did(steps: usize, did: &[Option<String>]) -> Result<(), String> {
    if !did.is_empty() {
        count("steps", steps, "texts of what it did", did.len())?;
    }
    let mut texts = did.iter().flatten();
    texts.try_for_each(|text| within("what it did in a step", text.len(), DID_BYTES_MAX))
}

fn step_reply<'a>(
    hello: &Hello,
    fleet: &mut Fleet<'a>,
    number: usize,
    step: &'a Step,
    reply: &StepReply,
) -> Result<(), String> {
    match (step, reply) {
        (Step::Change(_), StepReply::Changed(changed)) => {
            if hello.can(Capability::Claims) && changed.held.is_none() {
                return Err("declares `claims` and leaves out the ids that are held".to_owned());
            }
            held(changed)
        }
        (Step::Ask(_, question), StepReply::Shown(answer)) => shown(hello, question, answer),
        (Step::Do(_) | Step::Begin(_) | Step::Finish(_) | Step::World(_), StepReply::Moved(moved)) => {
            fleet.moved(hello, number, step, moved)
        }
        (_, reply) => Err(format!(
            "gave `{}`, which is the reply to another kind of step,",
            word(reply)
        )),
    }
}

fn word(reply: &StepReply) -> &'static str {
    match reply {
        StepReply::Changed(_) => "changed",
        StepReply::Shown(_) => "shown",
        StepReply::Moved(_) => "moved",
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

fn one_router(hello: &Hello, questions: &Questions, round: &Round, seen: &[Observation]) -> Result<(), String> {
    count("observations", 1, "observations", seen.len())?;
    if seen.iter().any(|seen| seen.replica.is_some()) {
        return Err("names a replica where there is no fleet".to_owned());
    }
    seen.iter()
        .try_for_each(|seen| observation_of(hello, questions, round, seen))
}

fn observation_of(hello: &Hello, questions: &Questions, round: &Round, seen: &Observation) -> Result<(), String> {
    count("questions", questions.of(round).count(), "answers", seen.shown.len())?;
    questions
        .of(round)
        .zip(&seen.shown)
        .try_for_each(|((_, question), answer)| shown(hello, question, answer))
}

fn shown(hello: &Hello, question: &Question, answer: &Shown) -> Result<(), String> {
    let rows = |what: &str, count: usize| match count {
        ..=LIST_ROWS_MAX => Ok(()),
        _ => Err(format!(
            "shows {count} {what}, and at most {LIST_ROWS_MAX} rows are ever given"
        )),
    };
    match (question, answer) {
        (Question::Lookup(_), Shown::Answers(answers)) => paths(hello, answers),
        (Question::Claims, Shown::Ids(ids)) => rows("ids", ids.len()),
        (Question::Store, Shown::Rows(shown)) => rows("rows", shown.len()),
        (Question::Holds, Shown::Holds(held)) => held.values().try_for_each(|tags| rows("tags", tags.len())),
        (Question::Listing(_), Shown::Names(_)) | (Question::Sizes, Shown::Sizes(_)) => Ok(()),
        (_, answer) => Err(format!(
            "gave `{}`, which is the answer to another kind of question,",
            kind(answer)
        )),
    }
}

fn kind(answer: &Shown) -> &'static str {
    match answer {
        Shown::Answers(_) => "answers",
        Shown::Names(_) => "names",
        Shown::Ids(_) => "ids",
        Shown::Holds(_) => "holds",
        Shown::Sizes(_) => "sizes",
        Shown::Rows(_) => "rows",
    }
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
