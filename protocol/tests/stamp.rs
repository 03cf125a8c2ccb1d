//! Tags are unique in a conversation, and nothing outside of it sees how.

use std::collections::BTreeMap;

use protocol::wire::{Dialect, PROTOCOL_VERSION};
use protocol::{
    AdapterFault, Answer, Candidate, Change, Changed, FaultKind, Hello, InProcess, Local, Outcome, Query, Question,
    Questions, RouterUnderTest, Row, Run, RunReply, Shown, Stamped, Step, Trace,
};

/// A router that answers everything with the rows that it holds, and may keep them from one run to the next.
#[derive(Default)]
struct Keeps {
    rows: Vec<Row>,
}

impl Local for Keeps {
    fn describe(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: "keeps".into(),
            version: "1".into(),
            capabilities: Vec::new(),
            dialect: Dialect::default(),
        }
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        self.rows.retain(|row| row.model_name == "kept");
        self.rows.extend_from_slice(initial);
        Changed::APPLIED
    }

    fn change(&mut self, change: &Change) -> Changed {
        let tags: Vec<&str> = change.rows().iter().map(|row| row.tag.as_str()).collect();
        Changed {
            outcome: Outcome::Refused(format!("no room for {}", tags.join(" "))),
            held: None,
        }
    }

    fn lookup(&self, _: &Query) -> Vec<Answer> {
        let candidate = |row: &Row| Candidate {
            id: row.id.clone(),
            model: row.model.clone(),
            tag: row.tag.clone(),
        };
        vec![Answer::Candidates(self.rows.iter().map(candidate).collect())]
    }

    fn holds(&self) -> BTreeMap<String, Vec<String>> {
        let tags = self.rows.iter().map(|row| row.tag.clone());
        [("rows".to_owned(), tags.collect())].into()
    }
}

fn run(name: &str, tag: &str) -> Run {
    let row = Row::new("d1", name, "up", tag);
    let steps = vec![
        Step::Change(Change::Upsert(row.clone())),
        Step::lookup(Query::new("a", None)),
    ];
    Run {
        trace: Trace::of_router(vec![row], steps),
        questions: Questions::at_end(vec![Question::Lookup(Query::new("a", None)), Question::Holds], 2),
    }
}

/// The tags that a reply shows, in its answers and in what is held, and the text of its refusal.
fn told(reply: &RunReply) -> (Vec<String>, String) {
    let mut tags = Vec::new();
    for shown in &reply.rounds[0][0].shown {
        match shown {
            Shown::Answers(answers) => tags.extend(answers[0].candidates().iter().map(|one| one.tag.clone())),
            Shown::Holds(holds) => tags.extend(holds["rows"].clone()),
            _ => {}
        }
    }
    (tags, serde_json::to_string(&reply.steps[0]).unwrap())
}

#[test]
fn a_reply_tells_the_tags_that_the_run_gave() {
    let mut router = Stamped::new(InProcess::new(Keeps::default()));
    let long = "x".repeat(300);
    let runs = ["v1", "v1", "x-r1", "", &long].map(|tag| run("a", tag));
    let replies = router.run(&runs).unwrap();
    for (reply, run) in replies.iter().zip(&runs) {
        let (tags, refusal) = told(reply);
        let tag = &run.trace.setup.rows[0].tag;
        assert_eq!(tags, [tag.as_str(), tag], "{tag}");
        assert!(refusal.contains(&format!("no room for {tag}\"")), "{refusal}");
    }
}

#[test]
fn each_run_is_given_tags_of_its_own() {
    struct Heard(Vec<String>, Hello);
    impl RouterUnderTest for Heard {
        fn hello(&self) -> &Hello {
            &self.1
        }
        fn run(&mut self, runs: &[Run]) -> Result<Vec<RunReply>, AdapterFault> {
            self.0
                .extend(runs.iter().flat_map(|run| run.trace.rows()).map(|row| row.tag.clone()));
            Err(AdapterFault::new(FaultKind::Refused, self.0.join(" ")))
        }
    }
    let mut router = Stamped::new(Heard(Vec::new(), Keeps::default().describe()));
    router.run(&[run("a", "v1"), run("a", "v1")]).unwrap_err();
    let heard = router.run(&[run("a", "v1")]).unwrap_err().message;
    assert_eq!(heard, "v1-r1 v1-r1 v1-r2 v1-r2 v1-r3 v1-r3");
}

#[test]
fn a_tag_of_an_earlier_run_is_named_as_one() {
    let mut router = Stamped::new(InProcess::new(Keeps::default()));
    router.run(&[run("kept", "v1")]).unwrap();
    let fault = router.run(&[run("a", "v1")]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Lied);
    let says = "the router was not fresh, or had not settled: an answer holds `d1` with the tag `v1` of an earlier run";
    assert!(fault.message.starts_with(says), "{fault}");
}
