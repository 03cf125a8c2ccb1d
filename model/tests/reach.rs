//! The kept answers of the specification, and the index by which they are found, held against the specification itself.

use adapter_reference::Reference;
use model::semantics::{PRESETS, STRICT, Semantics};
use model::universe::{Scope, UNIVERSES};
use model::{
    Cadence, Expected, Judge, KeptSpec, KeyedRow, Reach, RuleId, RuleSet, Seeded, Spec, Table, generate, trial,
};
use protocol::{
    Answer, Change, InProcess, Level, Local, Query, Question, Questions, RouterUnderTest, Row, Run, Step, Trace,
};

/// The traces that are drawn for each preset.
const TRACES: u32 = 9;
/// The rows of the longest list that the wire takes.
const ROWS: usize = 10_000;

fn kept(preset: &'static Semantics) -> KeptSpec {
    KeptSpec::new(Spec::new(preset, &["openai/".to_owned(), "azure/".to_owned()]))
}

/// Returns the number of candidates that both give.
fn same(kept: &KeptSpec, reach: &Reach, (table, query, path): (&Table, &Query, &str)) -> usize {
    let held = reach.held(table);
    assert!(held.are_versions(), "{table:?}");
    let found = reach.find(query);
    let rows: Vec<KeyedRow> = reach.reached(&found, &held).collect();
    let expected = kept.expected(&found, path, &rows);
    let itself = kept.spec().lookup(table, query, path);
    let agree = |(expected, itself): (&Expected, &Answer)| expected.agrees(itself, &rows);
    assert_eq!(expected.len(), itself.len(), "{query:?} on {table:?}");
    assert!(
        expected.iter().zip(&itself).all(agree),
        "{}: {query:?} on {table:?}: {itself:?}, and kept is {expected:?}",
        kept.spec().semantics().name
    );
    for (expected, itself) in expected.iter().zip(&itself) {
        for changed in changed(itself) {
            assert!(!expected.agrees(&changed, &rows), "{changed:?} is not {itself:?}");
        }
    }
    itself.iter().map(|answer| answer.candidates().len()).sum()
}

/// Answers that are not that one.
fn changed(answer: &Answer) -> Vec<Answer> {
    let Answer::Candidates(candidates) = answer else {
        return vec![Answer::Candidates(Vec::new())];
    };
    let with = |change: fn(&mut protocol::Candidate)| {
        let mut candidates = candidates.clone();
        change(&mut candidates[0]);
        Answer::Candidates(candidates)
    };
    let twice = [&candidates[..1], candidates].concat();
    vec![
        with(|candidate| candidate.tag.push('x')),
        with(|candidate| candidate.model.push('x')),
        with(|candidate| candidate.id.push('x')),
        Answer::Candidates(candidates[1..].to_vec()),
        Answer::Candidates(twice),
    ]
}

#[test]
fn what_is_kept_is_what_the_specification_answers_about_every_row() {
    let hello = Reference::default().describe();
    for preset in PRESETS {
        let kept = kept(preset);
        let mut candidates = 0;
        for number in 0..TRACES {
            let scope = Scope::new(UNIVERSES[number as usize % UNIVERSES.len()], &hello);
            let Run { trace, questions } = generate(&scope, &mut Seeded::new(7, number), Cadence::AtTheEnd);
            let reach = Reach::new(Some(&kept), trace.rows());
            let mut table = Table::new();
            let construction = Step::Change(Change::Replace(trace.setup.rows.clone()));
            for step in std::iter::once(&construction).chain(&trace.steps) {
                // As if nothing were refused: the specification answers from rows that it must refuse as well.
                step.apply_to(&mut table);
                for query in questions.queries() {
                    for path in ["", "sync", "async"] {
                        candidates += same(&kept, &reach, (&table, query, path));
                    }
                }
            }
        }
        assert!(candidates > 500, "{}: {candidates} candidates", preset.name);
    }
}

/// Rows of many patterns of several shapes, with what they share and what they do not at either end.
fn crowd(count: usize) -> Vec<Row> {
    let pattern = |number: usize| match number % 5 {
        0 => format!("team-{number}/*"),
        1 => format!("*-{number}"),
        2 => format!("team/*-{number}-*"),
        3 => format!("*{number}*"),
        _ => "*".to_owned(),
    };
    let row = |number: usize| {
        let name = pattern(number);
        Row::new(&format!("d{number}"), &name, "openai/up", &format!("v{number}"))
    };
    (0..count).map(row).collect()
}

#[test]
fn of_many_patterns_a_text_finds_those_that_match_it() {
    let (kept, rows) = (kept(&STRICT), crowd(400));
    let table: Table = rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
    let reach = Reach::new(Some(&kept), rows.iter());
    let texts = [
        "team-10/x",
        "a-11",
        "team/x-12-y",
        "é13é",
        "team-10/a-11",
        "d14",
        "nothing",
        "*",
        "",
    ];
    for text in texts {
        same(&kept, &reach, (&table, &Query::new(text, None), ""));
    }
    let found = reach.find(&Query::new("team-10/x", None));
    // The row itself, those of `*` and those of a single digit in the middle, and not the hundreds of others.
    assert!(reach.rows(&found).any(|row| row.id == "d10"));
    assert!(
        (80..100).contains(&reach.rows(&found).count()),
        "{}",
        reach.rows(&found).count()
    );
}

#[test]
fn a_row_that_is_no_version_is_left_to_the_specification() {
    let (kept, rows) = (kept(&STRICT), crowd(2));
    let reach = Reach::new(Some(&kept), rows.iter());
    let mut table: Table = rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
    assert!(reach.held(&table).are_versions());
    if let Some(row) = table.get_mut("d1") {
        row.blocked = true;
    }
    assert!(!reach.held(&table).are_versions());
}

/// A judgement takes minutes here where some part of it looks at each row for each other row.
#[test]
fn a_list_of_ten_thousand_patterns_is_judged() {
    let row = |number: usize| {
        let name = format!("team-{number}/*");
        Row::new(&format!("d{number}"), &name, "openai/*", &format!("v{number}"))
    };
    let rows: Vec<Row> = (0..ROWS).map(row).collect();
    let mut asked = vec![Question::Listing(None), Question::Sizes];
    asked.extend((0..16).map(|number| Question::Lookup(Query::new(&format!("team-{number}/x"), None))));
    let run = Run {
        trace: Trace::of_router(Vec::new(), vec![Step::Change(Change::Replace(rows))]),
        questions: Questions::after_each(asked, 1),
    };
    let mut router = InProcess::new(Reference::default());
    let judge = Judge::new(router.hello(), RuleSet::of(Level::Router)).expect("the preset is known");
    let judged = trial(&mut router, &judge, &[run]).expect("the reference serves");
    let tally = &judged[0].tally;
    assert_eq!(tally.findings, Vec::new());
    let premises = |rule: RuleId| tally.premises.get(&rule).copied().unwrap_or(0);
    assert_eq!(premises(RuleId::Listing), 2);
    assert_eq!(premises(RuleId::Resolved), 16);
    assert!(premises(RuleId::Current) > ROWS as u64, "each claim is one");
}
