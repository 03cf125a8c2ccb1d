//! Checks that the reply of a fleet fits the run: it speaks only of operations under way, and asks only replicas that
//! may be up.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use protocol::{Hello, Moved, Now, Observation, Op, OpId, Point, Questions, Round, Step, World};

use super::{held, observation_of, paths};

/// The state of a replica, as far as the steps tell: one that is down cannot be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Up {
    Yes,
    No,
    /// Started again, which may have failed.
    Perhaps,
}

/// The replicas and the operations of a fleet, as the steps so far leave them; replies are checked against both.
pub(super) struct Fleet<'a> {
    replicas: Vec<Up>,
    /// The operations under way, by name.
    under_way: BTreeMap<OpId, UnderWay<'a>>,
}

/// An operation under way.
struct UnderWay<'a> {
    op: Cow<'a, Op>,
    /// The point where it is to be held, until it is let go.
    until: Option<Point>,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(replicas: u8) -> Self {
        Self {
            replicas: vec![Up::Yes; replicas.into()],
            under_way: BTreeMap::new(),
        }
    }

    /// Checks the reply to the step of that number, from 1.
    pub(super) fn moved(
        &mut self,
        hello: &Hello,
        number: usize,
        step: &'a Step,
        moved: &[Moved],
    ) -> Result<(), String> {
        self.note(step);
        let own = match step {
            Step::Do(op) => Some((OpId::of_step(number), op, None)),
            Step::Begin(begin) => Some((begin.op.clone(), &begin.act, Some(begin.point()))),
            _ => None,
        };
        if let Step::Finish(name) = step
            && let Some(operation) = self.under_way.get_mut(name)
        {
            operation.until = None;
        }
        let mut moved = moved;
        if let Some((name, op, until)) = own {
            let Some(first) = moved.first().filter(|first| first.op == name) else {
                return Err(format!("does not say first what became of the operation `{name}`"));
            };
            match self.under_way.entry(name) {
                Entry::Vacant(free) => {
                    let op = Cow::Borrowed(op);
                    free.insert(UnderWay { op, until });
                }
                Entry::Occupied(_) if matches!(first.now, Now::Failed(_)) => moved = &moved[1..],
                Entry::Occupied(taken) => {
                    let name = taken.key();
                    return Err(format!(
                        "begins an operation `{name}` while one of that name is under way"
                    ));
                }
            }
        }
        // There may be no notification to duplicate: then nothing has begun.
        if let Step::World(World::Duplicate(replica)) = step {
            self.under_way.insert(
                OpId::of_step(number),
                UnderWay {
                    op: Cow::Owned(Op::Deliver(*replica)),
                    until: None,
                },
            );
        }
        let mut named = BTreeSet::new();
        for Moved { op: name, now: state } in moved {
            if !named.insert(name) {
                return Err(format!("names the operation `{name}` twice"));
            }
            let Some(UnderWay { op, until }) = self.under_way.get(name) else {
                return Err(format!("names the operation `{name}`, which is not under way,"));
            };
            now(hello, op, state)?;
            if let Now::Held(point) = state
                && *until != Some(*point)
            {
                let due = until.map_or_else(|| "nowhere".to_owned(), |until| format!("only {}", where_held(until)));
                return Err(format!(
                    "holds the operation `{name}` {}, and it is to be held {due},",
                    where_held(*point)
                ));
            }
            if state.is_over() {
                self.under_way.remove(name);
            }
        }
        Ok(())
    }

    /// Takes in what the step may do, before its reply.
    fn note(&mut self, step: &'a Step) {
        let (replica, up) = match (step, step.op()) {
            (Step::World(World::Crash(replica)), _) => (replica, Up::No),
            (_, Some(Op::Start(replica))) => (replica, Up::Perhaps),
            _ => return,
        };
        if let Some(known) = self.replicas.get_mut(usize::from(*replica)) {
            *known = up;
        }
    }

    /// Checks that a round has one observation of each replica that is up, and that each fits the questions.
    pub(super) fn observed(
        &self,
        hello: &Hello,
        questions: &Questions,
        round: &Round,
        seen: &[Observation],
    ) -> Result<(), String> {
        let mut asked = BTreeSet::new();
        for observation in seen {
            let Some(replica) = observation.replica else {
                return Err("does not say which replica it asked".to_owned());
            };
            match self.replicas.get(usize::from(replica)) {
                None => {
                    let replicas = self.replicas.len();
                    return Err(format!(
                        "asked replica {replica} of {replicas}, which are numbered from 0,"
                    ));
                }
                Some(Up::No) => return Err(format!("asked replica {replica}, which is down,")),
                Some(Up::Yes | Up::Perhaps) => {}
            }
            if !asked.insert(replica) {
                return Err(format!("asked replica {replica} twice"));
            }
            observation_of(hello, questions, round, observation)?;
        }
        let left_out = (0..)
            .zip(&self.replicas)
            .find(|(replica, up)| **up == Up::Yes && !asked.contains(replica));
        left_out.map_or(Ok(()), |(replica, _)| {
            Err(format!("did not ask replica {replica}, which is up,"))
        })
    }
}

/// The point in words, such as `after-read 1`.
fn where_held(point: Point) -> String {
    format!("at `{}` {}", point.place.word(), point.nth)
}

/// Refuses a state that the operation cannot be in.
fn now(hello: &Hello, op: &Op, state: &Now) -> Result<(), String> {
    match (op, state) {
        (Op::Write(_), Now::Changed(changed)) => held(changed),
        (Op::Request(_), Now::Answered(answers)) => paths(hello, answers),
        (Op::Poll(_) | Op::Start(_) | Op::Deliver(_), Now::Done)
        | (_, Now::Failed(_) | Now::Held(_) | Now::Waiting(_) | Now::Lost) => Ok(()),
        (_, Now::Changed(_) | Now::Answered(_) | Now::Done) => Err(format!(
            "gave the end of another kind of operation to a `{}`",
            op.verb()
        )),
    }
}

#[cfg(test)]
mod tests {
    use protocol::wire::PROTOCOL_VERSION;
    use protocol::{Capability, Dialect, Run, RunReply};
    use serde_json::{Value, json};

    use super::super::replies;
    use super::*;

    fn hello() -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: "fleet".into(),
            version: "1".into(),
            capabilities: vec![Capability::Upsert, Capability::Fleet],
            dialect: Dialect::default(),
        }
    }

    /// Returns the complaint about a fleet of two replicas that replies to these steps in this way and is asked after
    /// the last of them; empty if there is none.
    fn said(steps: &Value, moved: &Value, seen: &Value) -> String {
        let trace = json!({"level": "fleet", "setup": {"replicas": 2}, "steps": steps});
        let after = steps.as_array().unwrap().len();
        let questions = json!({"asked": ["claims"], "rounds": [{"after": after}]});
        let run: Run = serde_json::from_value(json!({"trace": trace, "questions": questions})).unwrap();
        let told: Vec<Value> = moved
            .as_array()
            .unwrap()
            .iter()
            .map(|moved| json!({"moved": moved}))
            .collect();
        let reply = json!({"setup": {"outcome": "applied"}, "steps": told, "rounds": [seen]});
        let reply: RunReply = serde_json::from_value(reply).unwrap();
        replies(&hello(), &[run], &[reply]).err().unwrap_or_default()
    }

    fn all_up() -> Value {
        json!([{"replica": 1, "shown": [{"ids": []}]}, {"replica": 0, "shown": [{"ids": ["d1"]}]}])
    }

    #[test]
    fn a_reply_speaks_of_what_is_under_way() {
        let poll = |op: &str| json!({"begin": {"op": op, "act": {"poll": 0}, "until": "after-read"}});
        let held = json!({"held": {"place": "after-read"}});
        let write = json!({"write": {"via": "store", "write": {"delete": "d1"}}});
        let applied = json!({"changed": {"outcome": "applied"}});
        let request = json!({"request": {"replica": 0, "model": "m"}});
        #[rustfmt::skip]
        let rows = [
            (json!([{"poll": 0}]), json!([[{"op": "#1", "now": "done"}]]), ""),
            (json!([write]), json!([[{"op": "#1", "now": applied}]]), ""),
            (json!([request]), json!([[{"op": "#1", "now": {"answered": [{"refused": "blocked"}]}}]]), ""),
            (json!([{"poll": 0}]), json!([[{"op": "#1", "now": {"failed": "timeout"}}]]), ""),
            (json!([poll("a"), {"finish": "a"}]), json!([[{"op": "a", "now": held}], [{"op": "a", "now": "done"}]]), ""),
            (json!([poll("a"), {"crash": 0}, {"start": 0}]), json!([[{"op": "a", "now": held}], [{"op": "a", "now": "lost"}], [{"op": "#3", "now": "done"}]]), ""),
            (json!([poll("a"), write, {"finish": "a"}]), json!([[{"op": "a", "now": held}], [{"op": "#2", "now": {"waiting": "a"}}], [{"op": "a", "now": "done"}, {"op": "#2", "now": applied}]]), ""),
            (json!([poll("a"), {"finish": "a"}, poll("a")]), json!([[{"op": "a", "now": "done"}], [], [{"op": "a", "now": held}]]), ""),
            (json!([{"wait": 1}]), json!([[]]), ""),
            (json!([{"duplicate": 0}]), json!([[{"op": "#1", "now": "done"}]]), ""),
            (json!([{"duplicate": 0}]), json!([[]]), ""),
            (json!([{"defer": 0}]), json!([[{"op": "#1", "now": "done"}]]), "names the operation `#1`, which is not under way, at step 1"),
            (json!([{"poll": 0}]), json!([[]]), "does not say first what became of the operation `#1` at step 1"),
            (json!([{"poll": 0}]), json!([[{"op": "#2", "now": "done"}]]), "does not say first what became of the operation `#1` at step 1"),
            (json!([poll("a")]), json!([[{"op": "#1", "now": held}]]), "does not say first what became of the operation `a` at step 1"),
            (json!([{"wait": 1}]), json!([[{"op": "b", "now": "done"}]]), "names the operation `b`, which is not under way, at step 1"),
            (json!([{"finish": "a"}, poll("a")]), json!([[{"op": "a", "now": "done"}], [{"op": "a", "now": held}]]), "names the operation `a`, which is not under way, at step 1"),
            (json!([{"poll": 0}, {"wait": 1}]), json!([[{"op": "#1", "now": "done"}], [{"op": "#1", "now": "done"}]]), "names the operation `#1`, which is not under way, at step 2"),
            (json!([poll("a"), {"finish": "a"}]), json!([[{"op": "a", "now": held}, {"op": "a", "now": held}], []]), "names the operation `a` twice at step 1"),
            (json!([write]), json!([[{"op": "#1", "now": "done"}]]), "gave the end of another kind of operation to a `write` at step 1"),
            (json!([{"poll": 0}]), json!([[{"op": "#1", "now": applied}]]), "gave the end of another kind of operation to a `poll` at step 1"),
            (json!([request]), json!([[{"op": "#1", "now": {"answered": []}}]]), "was asked for 1 paths and gave 0 answers at step 1"),
            (json!([poll("a")]), json!([[{"op": "a", "now": {"held": {"place": "after-read", "nth": 0}}}]]), "holds the operation `a` at `after-read` 0, and it is to be held only at `after-read` 1, at step 1"),
            (json!([poll("a")]), json!([[{"op": "a", "now": {"held": {"place": "before-read"}}}]]), "holds the operation `a` at `before-read` 1, and it is to be held only at `after-read` 1, at step 1"),
            (json!([{"poll": 0}]), json!([[{"op": "#1", "now": held}]]), "holds the operation `#1` at `after-read` 1, and it is to be held nowhere, at step 1"),
            (json!([poll("a"), {"finish": "a"}]), json!([[{"op": "a", "now": held}], [{"op": "a", "now": held}]]), "holds the operation `a` at `after-read` 1, and it is to be held nowhere, at step 2"),
            (json!([poll("a"), poll("a"), {"finish": "a"}]), json!([[{"op": "a", "now": held}], [{"op": "a", "now": {"failed": "there is one"}}], [{"op": "a", "now": "done"}]]), ""),
            (json!([poll("a"), poll("a")]), json!([[{"op": "a", "now": held}], [{"op": "a", "now": "done"}]]), "begins an operation `a` while one of that name is under way at step 2"),
        ];
        for (steps, moved, expected) in rows {
            let said = said(&steps, &moved, &all_up());
            assert!(
                said == expected || (!expected.is_empty() && said.starts_with(expected)),
                "{steps} {moved}: `{said}`, not `{expected}`"
            );
        }
    }

    #[test]
    fn a_round_asks_each_replica_that_is_up() {
        let seen = |replica: u8| json!({"replica": replica, "shown": [{"ids": []}]});
        let (crash, start) = (json!({"crash": 1}), json!({"start": 1}));
        #[rustfmt::skip]
        let rows = [
            (vec![], json!([seen(0), seen(1)]), ""),
            (vec![&crash], json!([seen(0)]), ""),
            (vec![&crash, &start], json!([seen(0), seen(1)]), ""),
            (vec![&crash, &start], json!([seen(0)]), ""),
            (vec![], json!([seen(0)]), "did not ask replica 1, which is up, in round 1"),
            (vec![&start], json!([seen(1)]), "did not ask replica 0, which is up, in round 1"),
            (vec![&crash], json!([seen(0), seen(1)]), "asked replica 1, which is down, in round 1"),
            (vec![], json!([seen(0), seen(1), seen(1)]), "asked replica 1 twice in round 1"),
            (vec![], json!([seen(0), seen(2)]), "asked replica 2 of 2, which are numbered from 0, in round 1"),
            (vec![], json!([{"shown": []}]), "does not say which replica it asked in round 1"),
            (vec![], json!([seen(0), {"replica": 1, "shown": []}]), "was asked for 1 questions and gave 0 answers in round 1"),
        ];
        for (steps, seen, expected) in rows {
            let moved = (1..).zip(&steps).map(|(number, step)| {
                if **step == start {
                    json!([{"op": format!("#{number}"), "now": "done"}])
                } else {
                    json!([])
                }
            });
            let said = said(&json!(steps), &moved.collect(), &seen);
            assert!(
                said == expected || (!expected.is_empty() && said.starts_with(expected)),
                "{steps:?} {seen}: `{said}`, not `{expected}`"
            );
        }
    }
}
