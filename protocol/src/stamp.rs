//! Tags that are unique in a whole conversation.
//!
//! Every run draws its tags anew, so that `v1` of one run is `v1` of the next as well: an answer that a router kept from an
//! earlier run, because it was not fresh or had not settled, would pass as current. So tags are stamped with the number of
//! their run on the way out, and the stamp is taken off in replies: traces, files and reports know nothing of it.

use crate::answer::{Answer, Candidate};
use crate::op::{Begin, Op, Write};
use crate::router::{AdapterFault, FaultKind, RouterUnderTest};
use crate::run::{Now, Outcome, Run, RunReply, Shown, StepReply};
use crate::step::Step;
use crate::wire::Hello;

/// The part of a stamp before the number of the run.
const STAMP: &str = "-r";
/// The longest tag that is stamped, in bytes: a longer one is there to try a limit, which a stamp would cross.
const STAMPED_BYTES_MAX: usize = 256;

/// A router on trial of which each run is given tags that no earlier run had.
#[derive(Debug)]
pub struct Stamped<R> {
    router: R,
    /// The number of runs so far.
    runs: u64,
}

impl<R: RouterUnderTest> Stamped<R> {
    /// Stamps what `router` is given from now on.
    pub fn new(router: R) -> Self {
        Self { router, runs: 0 }
    }
}

impl<R: RouterUnderTest> RouterUnderTest for Stamped<R> {
    fn hello(&self) -> &Hello {
        self.router.hello()
    }

    fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
        let first = self.runs + 1;
        self.runs += runs.len() as u64;
        let stamps: Vec<Stamp> = (first..).take(runs.len()).map(Stamp::new).collect();
        let stamped: Vec<Run> = stamps.iter().zip(runs).map(|(stamp, run)| stamp.put_on(run)).collect();
        let replies = self.router.run(&stamped)?;
        let taken_off = stamps.iter().zip(replies).map(|(stamp, mut reply)| {
            stamp.take_off(&mut reply)?;
            Ok(reply)
        });
        taken_off.collect()
    }
}

/// The stamp of one run.
struct Stamp {
    number: u64,
    text: String,
}

impl Stamp {
    fn new(number: u64) -> Self {
        Self {
            number,
            text: format!("{STAMP}{number}"),
        }
    }

    /// The run with the stamp on each of its tags.
    fn put_on(&self, run: &Run) -> Run {
        let mut run = run.clone();
        let stamp = |tag: &mut String| {
            // An empty tag is there to be refused.
            if (1..=STAMPED_BYTES_MAX).contains(&tag.len()) {
                tag.push_str(&self.text);
            }
        };
        run.trace.rows_mut().for_each(|row| stamp(&mut row.tag));
        for step in &mut run.trace.steps {
            if let Step::Do(op) | Step::Begin(Begin { act: op, .. }) = step
                && let Op::Write(op) = op
                && let Write::Patch(patch) = &mut op.write
            {
                patch.fields.tag.iter_mut().for_each(stamp);
            }
        }
        run
    }

    /// Takes the stamp off every tag of a reply, and out of its texts.
    ///
    /// # Errors
    ///
    /// A tag of an earlier run.
    fn take_off(&self, reply: &mut RunReply) -> Result<(), AdapterFault> {
        self.of_outcome(&mut reply.setup.outcome);
        reply.did.iter_mut().flatten().for_each(|did| self.of_text(did));
        for step in &mut reply.steps {
            match step {
                StepReply::Changed(changed) => self.of_outcome(&mut changed.outcome),
                StepReply::Shown(shown) => self.of_shown(shown)?,
                StepReply::Moved(moved) => moved
                    .iter_mut()
                    .try_for_each(|moved| self.of_operation(&mut moved.now))?,
            }
        }
        let mut rounds = reply.rounds.iter_mut().flatten();
        rounds.try_for_each(|seen| seen.shown.iter_mut().try_for_each(|shown| self.of_shown(shown)))
    }

    fn of_operation(&self, now: &mut Now) -> Result<(), AdapterFault> {
        match now {
            Now::Changed(changed) => self.of_outcome(&mut changed.outcome),
            Now::Answered(answers) => return answers.iter_mut().try_for_each(|answer| self.of_answer(answer)),
            Now::Failed(why) => self.of_text(why),
            Now::Done | Now::Held(_) | Now::Waiting(_) | Now::Lost => {}
        }
        Ok(())
    }

    fn of_shown(&self, shown: &mut Shown) -> Result<(), AdapterFault> {
        match shown {
            Shown::Answers(answers) => answers.iter_mut().try_for_each(|answer| self.of_answer(answer)),
            Shown::Holds(holds) => holds.iter_mut().try_for_each(|(structure, tags)| {
                let what = || format!("`{structure}` holds a row");
                tags.iter_mut().try_for_each(|tag| self.of_tag(tag, what))
            }),
            Shown::Rows(rows) => rows.iter_mut().try_for_each(|row| {
                let what = || format!("the store holds `{}`", row.id);
                self.of_tag(&mut row.tag, what)
            }),
            Shown::Names(_) | Shown::Ids(_) | Shown::Sizes(_) => Ok(()),
        }
    }

    fn of_answer(&self, answer: &mut Answer) -> Result<(), AdapterFault> {
        match answer {
            Answer::Candidates(candidates) => candidates.iter_mut().try_for_each(|Candidate { id, tag, .. }| {
                let what = || format!("an answer holds `{id}`");
                self.of_tag(tag, what)
            }),
            Answer::Failed(why) => {
                self.of_text(why);
                Ok(())
            }
            Answer::Refused(_) => Ok(()),
        }
    }

    fn of_outcome(&self, outcome: &mut Outcome) {
        if let Outcome::Refused(why) = outcome {
            self.of_text(why);
        }
    }

    fn of_text(&self, text: &mut String) {
        if text.contains(&self.text) {
            *text = text.replace(&self.text, "");
        }
    }

    fn of_tag(&self, tag: &mut String, what: impl Fn() -> String) -> Result<(), AdapterFault> {
        if let Some(own) = tag.strip_suffix(&self.text) {
            *tag = own.to_owned();
            return Ok(());
        }
        let of_run = tag
            .rsplit_once(STAMP)
            .and_then(|(own, number)| Some((own, number.parse::<u64>().ok()?)));
        match of_run {
            Some((own, number)) if (1..self.number).contains(&number) => {
                let message = format!(
                    "the router was not fresh, or had not settled: {} with the tag `{own}` of an earlier run; start each \
                     run from a router that remembers nothing, or say with `settles` how long an answer may be out of date",
                    what()
                );
                Err(AdapterFault::new(FaultKind::Lied, message))
            }
            // What was never given is told from the rows of the run.
            _ => Ok(()),
        }
    }
}
