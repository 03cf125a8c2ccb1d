//! The specification held against the examples of every preset, which it judges routers by.

use std::collections::BTreeSet;

use model::semantics::{PRESETS, STRICT, Semantics};
use model::{Spec, Table};
use protocol::{Answer, Change, Query, Row};
use testdata::{Example, Expected, Ran, Subject};

fn spec(preset: &str) -> Spec {
    Spec::new(Semantics::preset(preset).expect(preset), &["up/".to_owned()])
}

/// The specification of one preset, with a table.
struct Specified {
    spec: Spec,
    table: Table,
}

impl Specified {
    fn of(preset: &str) -> Self {
        Self {
            spec: spec(preset),
            table: Table::new(),
        }
    }
}

impl Subject for Specified {
    fn load(&mut self, rows: &[Row]) {
        self.change(&Change::Replace(rows.to_vec()))
            .expect("the rows are valid");
    }

    fn change(&mut self, change: &Change) -> Result<bool, String> {
        let table = self.spec.change(&self.table, change)?;
        let changed = table != self.table;
        self.table = table;
        Ok(changed)
    }

    fn rows(&self) -> Vec<Row> {
        self.table.values().cloned().collect()
    }

    fn lookup(&self, query: &Query, path: &str) -> Vec<Answer> {
        self.spec.lookup(&self.table, query, path)
    }

    fn listing(&self, team: Option<&str>) -> Vec<String> {
        self.spec.listing(&self.table, team).into_iter().collect()
    }
}

fn examples() -> Vec<Example> {
    testdata::examples(&testdata::directory()).expect("the examples are well formed")
}

#[test]
fn the_specification_answers_the_examples_of_every_preset() {
    for preset in PRESETS {
        let ran = testdata::hold(preset.name, || Specified::of(preset.name));
        let ran = ran.unwrap_or_else(|differences| panic!("{differences}"));
        println!("{}: {ran:?}", preset.name);
        assert!(
            ran.examples.values().sum::<usize>() > 0,
            "{} has no examples",
            preset.name
        );
        assert!(ran.changes > 0 && ran.lookups > 0 && ran.listings > 0, "{ran:?}");
        assert_eq!(
            ran.picks, 0,
            "the specification leaves the choice among candidates open"
        );
    }
}

#[test]
fn every_example_belongs_to_a_preset_that_there_is() {
    let named: BTreeSet<String> = examples().into_iter().flat_map(|example| example.presets).collect();
    let presets: BTreeSet<String> = PRESETS.iter().map(|preset| preset.name.to_owned()).collect();
    assert_eq!(named, presets);
}

/// Makes each expectation of an example wrong in turn, but for picks, which the specification leaves open.
fn spoiled(example: &Example) -> Vec<Example> {
    let mut wrong = Vec::new();
    let mut spoil = |change: &mut dyn FnMut(&mut Example)| {
        let mut example = example.clone();
        change(&mut example);
        wrong.push(example);
    };
    for at in 0..example.asks.len() {
        spoil(&mut |example| example.asks[at].answer = Expected::Same("d1=wrong@v1".to_owned()));
    }
    for at in 0..example.lists.len() {
        spoil(&mut |example| example.lists[at].names.push("wrong".to_owned()));
    }
    if example.refused.is_some() {
        spoil(&mut |example| example.refused = Some("wrong".to_owned()));
        spoil(&mut |example| (example.refused, example.after) = (None, Some(example.rows.clone())));
    }
    if let Some(after) = &example.after {
        spoil(&mut |example| (example.refused, example.after) = (Some("id".to_owned()), None));
        let other = Row::new("wrong", "m", "x", "v1");
        let rows = [after.as_slice(), &[other]].concat();
        spoil(&mut |example| example.after = Some(rows.clone()));
    }
    wrong
}

#[test]
fn each_expectation_fails_when_it_is_wrong() {
    let mut tried = 0;
    for example in examples() {
        for preset in &example.presets {
            for wrong in spoiled(&example) {
                let held = wrong.hold(preset, || Specified::of(preset), &mut Ran::default());
                assert!(held.is_err(), "{}: {wrong:#?}", example.file);
                tried += 1;
            }
        }
    }
    assert!(tried > examples().len(), "{tried} expectations were made wrong");
}

#[test]
fn each_preset_has_a_name_and_a_sentence_of_its_own() {
    let names: BTreeSet<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    let sentences: BTreeSet<&str> = PRESETS.iter().map(|preset| preset.sentence).collect();
    assert_eq!((names.len(), sentences.len()), (PRESETS.len(), PRESETS.len()));
    assert!(Semantics::preset("lax").is_none());
    for preset in PRESETS {
        assert_eq!(Semantics::preset(preset.name), Some(preset));
        assert_eq!(spec(preset.name).semantics().name, preset.name);
    }
}

/// The strict examples of changes hold a row with each kind of bad text. The other presets take these rows, and leave it
/// to the router whether it does.
#[test]
fn texts_that_the_strict_preset_refuses_are_left_open_by_the_others() {
    let mut open = 0;
    let strict = spec(STRICT.name);
    for change in examples().into_iter().filter_map(|example| example.change) {
        let refused = strict.change(&Table::new(), &change).err();
        let bad_text = refused.is_some_and(|why| why.ends_with("is empty, too long or holds a control character"));
        assert!(!strict.leaves_open(&change), "{change:?}");
        for preset in PRESETS.iter().filter(|preset| preset.name != STRICT.name) {
            assert_eq!(spec(preset.name).leaves_open(&change), bad_text, "{change:?}");
            if bad_text {
                assert!(spec(preset.name).change(&Table::new(), &change).is_ok(), "{change:?}");
            }
        }
        open += usize::from(bad_text);
    }
    assert!(open >= 12, "{open} rows with a bad text, of six fields in two ways");
}
