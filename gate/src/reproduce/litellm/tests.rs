use model::{Size, Told, Version};
use protocol::{Trace, TraceFile};

use super::*;
use crate::adapter::builtin;
use crate::causes::tests::reported;

/// A cause whose witness has these rows and steps, and shows `got` where `allowed` is allowed.
fn cause(rows: Vec<Row>, steps: Vec<Step>, rule: RuleId, allowed: Allowed, got: Got) -> CauseReport {
    let mut cause = reported(&model::CauseKey::AskedBefore, &[]);
    let asked = Question::Lookup(Query::new("a", None));
    cause.trace = TraceFile::new("", Trace::of_router(rows, steps));
    cause.trace.trace.steps.push(Step::Ask(None, asked.clone()));
    cause.finding.asked = Some(asked);
    (cause.finding.rule, cause.finding.allowed, cause.finding.got) = (rule, allowed, got);
    cause
}

fn row(id: &str, name: &str, tag: &str) -> Row {
    Row::new(id, name, "openai/up", tag)
}

fn answer(candidates: &[(&str, &str)]) -> Answer {
    let candidates = candidates.iter().map(|(id, tag)| Candidate {
        id: (*id).to_owned(),
        model: "openai/up".to_owned(),
        tag: (*tag).to_owned(),
    });
    Answer::Candidates(candidates.collect())
}

fn body(cause: &CauseReport) -> Vec<String> {
    let router = builtin::reference();
    let writer = Writer {
        hello: router.hello(),
        cause,
    };
    writer.body().expect("a test can be written")
}

fn upsert(row: Row) -> Step {
    Step::Change(Change::Upsert(row))
}

/// A cause whose witness serves a row that was deleted.
pub(in crate::reproduce) fn cause_of_a_ghost() -> CauseReport {
    let steps = vec![
        upsert(row("d1", "a*", "v1")),
        Step::Change(Change::Delete("d1".to_owned())),
    ];
    let no_row = Allowed::NoRow(Some("d1".to_owned()));
    let got = Got::Answer(answer(&[("d1", "v1")]));
    cause(Vec::new(), steps, RuleId::Current, no_row, got)
}

#[test]
fn a_test_names_the_version_that_may_not_come() {
    let lines = body(&cause_of_a_ghost());
    assert_eq!(
        lines,
        [
            "router = start([])",
            "upsert(router, row(\"d1\", \"a*\", \"openai/up\", \"v1\"))",
            "said = delete(router, \"d1\")",
            "got = look(router, \"a\", None)",
            "assert not [one for one in got if one.startswith(\"d1 v1 \")], f\"got {got}, and allowed is no d1\"",
        ]
    );
}

#[test]
fn a_fresh_router_is_started_with_the_rows_that_were_accepted() {
    let steps = vec![upsert(row("d1", "a", "v1")), upsert(row("d1", "b", "v2"))];
    let other = Allowed::Answer(answer(&[("d1", "v1")]));
    let got = Got::Answer(answer(&[("d1", "v2")]));
    let mut cause = cause(vec![row("d2", "c", "v3")], steps, RuleId::HistoryFree, other, got);
    cause.told = [None, Some(Outcome::Applied), Some(Outcome::Refused("no".to_owned()))]
        .map(|outcome| Told {
            outcome,
            ..Told::default()
        })
        .to_vec();
    let lines = body(&cause);
    let fresh = "fresh = start([row(\"d2\", \"c\", \"openai/up\", \"v3\"), row(\"d1\", \"a\", \"openai/up\", \"v1\")])";
    assert_eq!(
        lines[3..6],
        [
            fresh,
            "allowed = look(fresh, \"a\", None)",
            "got = look(router, \"a\", None)"
        ]
    );
    assert!(lines[6].starts_with("assert got == allowed"), "{lines:?}");
    cause.finding.rule = RuleId::OrderFree;
    let lines = body(&cause);
    assert!(lines[3].starts_with("router = start([row(\"d2\"") && lines[4].starts_with("other = start([row(\"d1\""));
}

#[test]
fn a_refused_change_is_tested_by_the_answers_around_it() {
    let own = || Step::lookup(Query::new("a", None));
    let other = || Step::lookup(Query::new("b", None));
    let upserts = || [upsert(row("d1", "a", "v1")), upsert(row("d1", "a*", "v2"))];
    let before = |asked: Vec<Step>| {
        let [first, last] = upserts();
        let steps = [vec![first], asked, vec![last]].concat();
        let allowed = Allowed::Answer(answer(&[("d1", "v1")]));
        let got = Got::Answer(answer(&[]));
        body(&cause(Vec::new(), steps, RuleId::AtomicRefusal, allowed, got))[2..].to_vec()
    };
    let [kept, others] = ["allowed = look(router, \"a\", None)", "look(router, \"b\", None)"];
    assert_eq!(before(Vec::new())[0], kept);
    assert_eq!(before(vec![own(), other()])[..2], [kept, others]);
    assert_eq!(before(vec![other(), own()])[..2], [others, kept]);
    let lines = before(vec![own(), other()]);
    let asked = lines.iter().filter(|line| line.contains("look(router, \"a\"")).count();
    assert_eq!(asked, 2, "{lines:?}");
}

/// The last line of the test of a cause after one upsert.
fn demand(rule: RuleId, allowed: Allowed, got: Got) -> String {
    let steps = vec![upsert(row("d1", "a", "v1"))];
    let mut lines = body(&cause(Vec::new(), steps, rule, allowed, got));
    lines.pop().expect("there are lines")
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_finding_about_names_ids_or_sizes_has_the_demand_that_it_breaks() {
    use RuleId::{AtomicRefusal, Bounded, Complete, Listing, NoDuplicate, Scoped};
    let size = |entries| Size {
        structure: "names".to_owned(),
        entries,
    };
    let (a, d1, twice, none) = (names(&["a"]), names(&["d1"]), names(&["d1", "d1"]), Vec::new());
    let not_a = Allowed::NotNamed("a".to_owned());
    let rows: Vec<(RuleId, Allowed, Got, &str)> = vec![
        (Bounded, Allowed::AtMost(size(1)), Got::Size(size(2)), "assert got <= 1"),
        (
            Bounded,
            Allowed::NoFewer(size(2)),
            Got::Size(size(1)),
            "assert got >= 2",
        ),
        (
            Listing,
            Allowed::Names(a.clone()),
            Got::Names(none.clone()),
            "assert got == allowed",
        ),
        (Scoped, not_a, Got::Names(a), "assert \"a\" not in got"),
        (
            NoDuplicate,
            Allowed::IdOnce("d1".to_owned()),
            Got::Ids(twice),
            "assert got.count(\"d1\") <= 1",
        ),
        (
            Complete,
            Allowed::Ids(d1.clone()),
            Got::Ids(none.clone()),
            "assert not set(got) & set([]) and set([\"d1\"])",
        ),
        (
            AtomicRefusal,
            Allowed::Ids(d1),
            Got::Ids(none),
            "assert got == allowed, f\"a refused change",
        ),
    ];
    for (rule, allowed, got, expected) in rows {
        let line = demand(rule, allowed, got);
        assert!(line.starts_with(expected), "{rule}: {line}");
    }
}

#[test]
fn a_finding_about_an_answer_or_a_decision_has_the_demand_that_it_breaks() {
    use RuleId::{AtomicRefusal, Complete, HistoryFree, NoDuplicate};
    let version = Version {
        id: "d1".to_owned(),
        tag: "v1".to_owned(),
    };
    let refused = || Outcome::Refused("no".to_owned());
    let twice = Got::Answer(answer(&[("d1", "v1"), ("d1", "v1")]));
    let blocked = Got::Answer(Answer::Refused(Refusal::Blocked));
    let failed = Got::Answer(Answer::Failed("E: x".to_owned()));
    let taken = || Allowed::Outcome(Outcome::Applied);
    let rows: Vec<(RuleId, Allowed, Got, &str)> = vec![
        (
            NoDuplicate,
            Allowed::Once(version),
            twice,
            "assert sum(one.startswith(\"d1 v1 \")",
        ),
        (
            Complete,
            Allowed::AnyAnswer,
            failed,
            "assert not [one for one in got if one.startswith(\"failed: \")]",
        ),
        (
            Complete,
            Allowed::Answer(answer(&[("d1", "v1")])),
            blocked,
            "assert got == allowed",
        ),
        (
            AtomicRefusal,
            Allowed::Outcome(refused()),
            Got::Outcome(Outcome::Applied),
            "assert got.startswith(\"refused\")",
        ),
        (
            Complete,
            taken(),
            Got::Outcome(refused()),
            "assert not got.startswith(\"refused\")",
        ),
        (
            HistoryFree,
            taken(),
            Got::Outcome(refused()),
            "assert not got.startswith(\"refused\")",
        ),
        (
            HistoryFree,
            Allowed::Built,
            Got::Unbuildable("no".to_owned()),
            "assert got is None",
        ),
    ];
    for (rule, allowed, got, expected) in rows {
        let line = demand(rule, allowed, got);
        assert!(line.starts_with(expected), "{rule}: {line}");
    }
}

#[test]
fn a_file_is_named_and_ended_as_a_test_that_can_be_run_alone() {
    let no_row = Allowed::NoRow(Some("d1".to_owned()));
    let got = Got::Answer(answer(&[("d1", "v1")]));
    let cause = cause(
        vec![row("d1", "a\"\"\"\\", "v1")],
        Vec::new(),
        RuleId::Current,
        no_row,
        got,
    );
    let text = test_of(builtin::reference().hello(), &cause, "{}").expect("a test can be written");
    assert!(
        text.contains("\ndef test_cause_1():\n    router = start([row("),
        "{text}"
    );
    assert!(text.contains("\nTEST = test_cause_1\nOPTIONS = {}\n") && text.ends_with("    TEST()\n"));
    assert!(
        text.contains("\"a\\\"\\\"\\\"\\\\\""),
        "a text is quoted as Python reads it"
    );
}
