//! Faults that the gate tells of misbehaving adapters, in this process.

use std::num::NonZeroUsize;
use std::time::Duration;

use gate::{AdapterSettings, Spec, Store, Waits, open_router};
use libtest_mimic::Trial;
use protocol::FaultKind::{self, Babbled, Exited, Hung, Lied, Mismatched, Missing, Refused};
use protocol::wire::BATCH_RUNS_MAX;
use protocol::{AdapterFault, Change, Query, Question, Questions, RouterUnderTest, Row, Run, Shown, Step, Trace};

use crate::{Misbehaving, trial};

/// Long enough for a busy machine, where a reply is expected.
const PATIENT: Duration = Duration::from_mins(2);
/// A wait for something that never comes.
const SHORT: Duration = Duration::from_millis(300);

#[rustfmt::skip]
const AT_HELLO: &[(&str, FaultKind, Duration, &str)] = &[
    ("exits", Exited, PATIENT, "ended (exit code 3) before it answered the hello"),
    ("exits", Exited, PATIENT, "  | ModuleNotFoundError: No module named 'litellm'"),
    ("closes-stdout", Exited, PATIENT, "closed its stdout before it answered the hello"),
    ("cut-line", Hung, SHORT, "did not answer the hello within 300ms"),
    ("hangs", Hung, SHORT, "did not answer the hello within 300ms and was ended; if it only is slow, allow more with `--hello-wait`"),
    ("hangs-deaf", Hung, SHORT, "did not answer the hello"),
    ("leaves-a-grandchild", Exited, PATIENT, "ended (exit code 0) before it answered the hello"),
    ("babbles", Babbled, PATIENT, "`Loading models...`; stdout is for replies alone"),
    ("babbles-on", Babbled, PATIENT, "`tick`; stdout is for replies alone"),
    ("one-gigabyte-line", Babbled, PATIENT, "wrote a line of more than 16777216 bytes (`xxx"),
    ("endless-line", Babbled, PATIENT, "wrote a line of more than 16777216 bytes (`xxx"),
    ("no-text", Babbled, PATIENT, "wrote what is no reply"),
    ("deep", Babbled, PATIENT, "wrote what is no reply"),
    ("old-protocol", Mismatched, PATIENT, "speaks protocol 0, and this build speaks 2"),
    ("nameless", Mismatched, PATIENT, "leaves its router's name empty"),
    ("control-characters", Mismatched, PATIENT, "has a control character in its router's version"),
    ("cannot-be-changed", Mismatched, PATIENT, "declares none of `upsert`, `add` and `replace`"),
    ("declares-twice", Mismatched, PATIENT, "declares one of its capabilities twice"),
    ("same-path-twice", Mismatched, PATIENT, "declares one of its paths twice"),
    ("too-many-paths", Mismatched, PATIENT, "declares 300 paths, and at most 256 are taken"),
    ("long-hello", Mismatched, PATIENT, "answered the hello with a line of 16777216 bytes, and at most 1048576 are taken"),
    ("long-why", Mismatched, PATIENT, "gives the `why` of an extra 4097 bytes, and at most 4096 are taken"),
    ("long-params", Mismatched, PATIENT, "gives the `params` of an extra 65537 bytes, and at most 65536 are taken"),
    ("long-characters", Mismatched, PATIENT, "gives the characters of its ids 4097 bytes"),
    ("refuses-the-hello", Refused, PATIENT, "could not serve a request: no protocol 2 here"),
    ("runs-for-hello", Mismatched, PATIENT, "gave another kind of reply to the hello"),
];

#[rustfmt::skip]
const AT_RUNS: &[(&str, FaultKind, Duration, &str)] = &[
    ("dies-mid-batch", Exited, PATIENT, "ended (exit code 139) before it answered a message of 1 runs, in the middle of a line"),
    ("dies-mid-batch", Exited, PATIENT, "  | Segmentation fault"),
    ("stops-reading", Hung, SHORT, "did not answer a message of 1 runs within 300ms and was ended; if it only is slow, allow more with `--wait`"),
    ("wrong-id", Mismatched, PATIENT, "answered request 7 where request 2 was open"),
    ("hello-for-runs", Mismatched, PATIENT, "gave another kind of reply to a message of 1 runs"),
    ("unknown-field", Babbled, PATIENT, "unknown field `time`"),
    ("long-error", Refused, PATIENT, "could not serve a request: xxxx"),
    ("too-many-runs", Mismatched, PATIENT, "was asked for 1 runs and gave 2 replies"),
    ("too-few-runs", Mismatched, PATIENT, "was asked for 1 runs and gave 0 replies"),
    ("too-few-steps", Mismatched, PATIENT, "was asked for 1 steps and gave 0 replies (run 1 of 1)"),
    ("wrong-step-reply", Mismatched, PATIENT, "gave `shown`, which is the reply to another kind of step, at step 1"),
    ("moved-router", Mismatched, PATIENT, "gave `moved`, which is the reply to another kind of step, at step 1"),
    ("no-claim", Mismatched, PATIENT, "declares `claims` and leaves out the ids that are held at step 1"),
    ("did-too-often", Mismatched, PATIENT, "was asked for 1 steps and gave 2 texts of what it did (run 1 of 1)"),
    ("did-too-much", Mismatched, PATIENT, "gives what it did in a step 4097 bytes, and at most 4096 are taken"),
    ("too-few-rounds", Mismatched, PATIENT, "was asked for 1 rounds and gave 0 lists of observations"),
    ("too-few-observations", Mismatched, PATIENT, "was asked for 1 observations and gave 0 observations in round 1"),
    ("too-many-observations", Mismatched, PATIENT, "was asked for 1 observations and gave 2 observations in round 1"),
    ("too-few-answers", Mismatched, PATIENT, "was asked for 3 questions and gave 0 answers in round 1"),
    ("too-few-paths", Mismatched, PATIENT, "was asked for 2 paths and gave 1 answers in round 1"),
    ("empty-candidates", Mismatched, PATIENT, "gave an empty list of candidates"),
    ("another-kind-of-answer", Mismatched, PATIENT, "gave `ids`, which is the answer to another kind of question, in round 1"),
    ("too-many-ids", Mismatched, PATIENT, "shows 10001 ids, and at most 10000 rows are ever given in round 1"),
    ("a-replica", Mismatched, PATIENT, "names a replica where there is no fleet"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let hello = AT_HELLO.iter().enumerate().map(|(row, &(kind, fault, wait, words))| {
        trial(format!("hello_{row:02}_{kind}"), move || {
            at_hello(kind, fault, wait, words);
        })
    });
    let runs = AT_RUNS.iter().enumerate().map(|(row, &(kind, fault, wait, words))| {
        trial(format!("runs_{row:02}_{kind}"), move || {
            at_runs(kind, fault, wait, words);
        })
    });
    let single = [
        trial("missing", missing),
        trial("not_executable", not_executable),
        trial("well_behaved", well_behaved),
        trial("a_router_that_settles_takes_no_time_of_its_adapter", settles),
        trial("a_daemon_ends_with_the_adapter", daemon),
        trial("floods_stderr", floods_stderr),
        trial("a_large_message_to_one_that_does_not_read", does_not_read),
        trial("a_reply_and_then_the_end", a_reply_and_then_the_end),
        trial("another_hello_the_second_time", another_hello),
        trial("a_new_process_after_a_fault", a_new_process_after_a_fault),
        trial("several_processes_answer_as_one", several_processes),
        trial("another_hello_in_the_second_process", another_hello_beside),
        trial("a_fault_of_one_of_several_processes", a_fault_beside),
    ];
    hello.chain(runs).chain(single).collect()
}

fn settings(hello: Duration, reply: Duration) -> AdapterSettings {
    AdapterSettings {
        cache_dir: None,
        path: None,
        waits: Waits { hello, reply },
        jobs: NonZeroUsize::MIN,
        store: Store::Sqlite,
        processes: false,
        program: env!("CARGO_BIN_EXE_routeproof").into(),
    }
}

fn start(spec: &str, hello: Duration, reply: Duration) -> Result<Box<dyn RouterUnderTest>, AdapterFault> {
    let spec = Spec::parse(spec, &[], &[]).unwrap();
    open_router(&spec, &settings(hello, reply), &|_| ())
}

fn run() -> Run {
    let upsert = Change::Upsert(Row::new("d1", "m", "up/m", "v1"));
    let asked = vec![
        Question::Lookup(Query::new("m", None)),
        Question::Listing(None),
        Question::Claims,
    ];
    Run {
        trace: Trace::of_router(Vec::new(), vec![Step::Change(upsert)]),
        questions: Questions::at_end(asked, 1),
    }
}

fn expect(name: &str, fault: &AdapterFault, kind: FaultKind, words: &str) {
    let text = fault.to_string();
    assert_eq!(fault.kind, kind, "{name}: {text}");
    assert!(text.contains(words), "{name}: `{text}` does not say `{words}`");
    assert!(text.len() < 20_000, "{name}: the message has {} bytes", text.len());
    assert!(!text.contains('\u{1b}'), "{name}: the message steers the terminal");
}

fn at_hello(kind: &str, fault: FaultKind, wait: Duration, words: &str) {
    let adapter = Misbehaving::new(kind);
    let Err(error) = start(&adapter.spec(), wait, PATIENT) else {
        panic!("`{kind}` was taken for an adapter");
    };
    expect(kind, &error, fault, words);
    adapter.is_gone();
}

fn at_runs(kind: &str, fault: FaultKind, wait: Duration, words: &str) {
    let adapter = Misbehaving::new(kind);
    let mut router = start(&adapter.spec(), PATIENT, wait).unwrap();
    let error = router.run(&[run()]).expect_err(kind);
    expect(kind, &error, fault, words);
    if fault == Refused {
        drop(router);
    }
    adapter.is_gone();
}

fn missing() {
    let error = start("exec:./no-such-adapter --flag", PATIENT, PATIENT).err().unwrap();
    expect("missing", &error, Missing, "there is no such program; give its path");
}

fn not_executable() {
    let error = start("exec:/dev/null", PATIENT, PATIENT).err().unwrap();
    expect(
        "not executable",
        &error,
        Missing,
        "it may not be executed; `chmod +x` it",
    );
}

fn well_behaved() {
    let adapter = Misbehaving::new("well");
    let mut router = start(&adapter.spec(), PATIENT, PATIENT).unwrap();
    assert_eq!(router.hello().router, "plain");
    assert_eq!(router.run(&[]).unwrap(), []);
    let replies = router.run(&vec![run(); BATCH_RUNS_MAX * 2 + 1]).unwrap();
    assert_eq!(replies.len(), BATCH_RUNS_MAX * 2 + 1);
    for reply in replies {
        let Shown::Answers(answers) = &reply.rounds[0][0].shown[0] else {
            panic!("a lookup is answered: {reply:?}");
        };
        assert_eq!(answers[1].candidates()[0].tag, "v1");
    }
    drop(router);
    adapter.is_gone();
}

fn settles() {
    let adapter = Misbehaving::new("well");
    // Longer than the adapter may take, and not as long as both together.
    let (reply, settling) = (Duration::from_secs(2), Duration::from_millis(2_500));
    let mut router = start(&adapter.spec(), PATIENT, reply).unwrap();
    let mut run = run();
    run.questions.rounds[0].wait = u32::try_from(settling.as_millis()).unwrap();
    assert_eq!(router.run(&[run]).unwrap().len(), 1);
    drop(router);
    adapter.is_gone();
}

fn daemon() {
    let adapter = Misbehaving::new("leaves-a-daemon");
    let mut router = start(&adapter.spec(), PATIENT, PATIENT).unwrap();
    assert_eq!(router.run(&[run()]).unwrap().len(), 1);
    drop(router);
    adapter.is_gone();
}

fn floods_stderr() {
    let adapter = Misbehaving::new("floods-stderr");
    let mut router = start(&adapter.spec(), PATIENT, PATIENT).unwrap();
    assert_eq!(router.run(&[run()]).unwrap().len(), 1);
    drop(router);
    adapter.is_gone();
}

fn does_not_read() {
    let adapter = Misbehaving::new("stops-reading-after-hello");
    let mut router = start(&adapter.spec(), PATIENT, SHORT).unwrap();
    let question = Question::Lookup(Query::new(&"x".repeat(4000), None));
    let large = Run {
        questions: Questions::at_end(vec![question; 1000], 1),
        ..run()
    };
    let error = router.run(&[large]).unwrap_err();
    expect("does not read", &error, Hung, "did not answer a message of 1 runs");
    adapter.is_gone();
}

fn a_reply_and_then_the_end() {
    let adapter = Misbehaving::new("answers-then-exits");
    let mut router = start(&adapter.spec(), PATIENT, PATIENT).unwrap();
    assert_eq!(router.run(&[run()]).unwrap().len(), 1);
    let error = router.run(&[run()]).unwrap_err();
    expect("the end", &error, Exited, "before it answered a message of 1 runs");
    assert_eq!(
        router.run(&[run()]).unwrap().len(),
        1,
        "a new process serves the next run"
    );
    drop(router);
    adapter.is_gone();
}

fn another_hello() {
    let adapter = Misbehaving::new("another-hello");
    let mut router = start(&adapter.spec(), PATIENT, PATIENT).unwrap();
    assert_eq!(router.run(&[run()]).unwrap().len(), 1);
    let error = router.run(&[run()]).unwrap_err();
    expect("the first has ended", &error, Exited, "before it answered");
    let error = router.run(&[run()]).unwrap_err();
    expect(
        "the second says otherwise",
        &error,
        Lied,
        "said another hello when it was started again",
    );
    adapter.is_gone();
}

fn a_new_process_after_a_fault() {
    let adapter = Misbehaving::new("dies-mid-batch");
    let mut router = start(&adapter.spec(), PATIENT, PATIENT).unwrap();
    for _ in 0..3 {
        let error = router.run(&[run()]).unwrap_err();
        expect("dies mid-batch", &error, Exited, "exit code 139");
        adapter.is_gone();
    }
}

fn start_several(adapter: &Misbehaving, jobs: usize) -> Result<Box<dyn RouterUnderTest>, AdapterFault> {
    let settings = AdapterSettings {
        jobs: NonZeroUsize::new(jobs).unwrap(),
        ..settings(PATIENT, PATIENT)
    };
    open_router(&Spec::parse(&adapter.spec(), &[], &[]).unwrap(), &settings, &|_| ())
}

fn several_processes() {
    let adapter = Misbehaving::new("well");
    let mut one = start(&adapter.spec(), PATIENT, PATIENT).unwrap();
    let tagged = |number: usize| {
        let upsert = Change::Upsert(Row::new("d1", "m", "up/m", &format!("v{number}")));
        Run {
            trace: Trace::of_router(Vec::new(), vec![Step::Change(upsert)]),
            ..run()
        }
    };
    let runs: Vec<Run> = (0..50).map(tagged).collect();
    for jobs in [2, 3] {
        let mut several = start_several(&adapter, jobs).unwrap();
        assert_eq!(several.hello(), one.hello());
        for count in [0, 1, 2, 3, 7, 50] {
            assert_eq!(several.run(&runs[..count]), one.run(&runs[..count]), "{count} runs");
        }
    }
    drop(one);
    adapter.is_gone();
}

fn another_hello_beside() {
    let adapter = Misbehaving::new("another-hello");
    let error = start_several(&adapter, 2).err().expect("the hellos differ");
    expect(
        "beside",
        &error,
        Lied,
        "said one hello in one process and another in the next",
    );
    adapter.is_gone();
}

fn a_fault_beside() {
    let adapter = Misbehaving::new("answers-then-exits");
    let mut several = start_several(&adapter, 2).unwrap();
    let runs = [run(), run()];
    assert_eq!(several.run(&runs[..1]).unwrap().len(), 1);
    // The first process has ended, and the second has not been asked before.
    let error = several.run(&runs).unwrap_err();
    expect(
        "the first has ended",
        &error,
        Exited,
        "before it answered a message of 1 runs",
    );
    drop(several);
    adapter.is_gone();
}
