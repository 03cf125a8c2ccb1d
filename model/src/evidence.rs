//! Evidence, from which alone the rules judge: the moments and transitions of a run, with everything that was known
//! then.

mod arrivals;
pub(crate) mod fleet;
mod standing;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    AdapterFault, Answer, Candidate, Change, Changed, Dialect, FaultKind, Moved, Now, Observation, Outcome, Query,
    Question, Questions, Round, Row, RunReply, Shown, StepReply,
};

pub(crate) use self::arrivals::{Arrivals, EVERY_ORDER_ROWS_MAX};
pub use self::arrivals::{note_arrivals, rows_in_order};
pub(crate) use self::standing::Prediction;
use self::standing::Standing;
use crate::failure::Tier;
use crate::kept::KeptSpec;
use crate::pattern::{Patterns, is_pattern};
use crate::reach::Reach;
use crate::spec::{Spec, Table};

/// The facts that do not change over a trial.
#[derive(Debug)]
pub struct Ground {
    /// The preset that the router claims, where it claims one, and what it has answered.
    pub kept: Option<KeptSpec>,
    /// The names of the extras whose rows do not answer as others do, and which the preset does not predict.
    pub opaque: Vec<String>,
    /// The targets that the other extras bring along, whose rows answer as any row does.
    pub plain_targets: Vec<String>,
    /// The prefixes of targets; empty where the router takes any.
    pub target_prefixes: Vec<String>,
    /// The names of the code paths that answer lookups.
    pub paths: Vec<String>,
    /// The structure that is the router's own registry, where it says which.
    pub registry: Option<String>,
    /// The rest of what the router says of itself.
    pub dialect: Dialect,
    /// Matches names, for premises and tiers.
    pub patterns: Patterns,
}

/// Every version of every row that the router was ever given, by tag.
pub(crate) type Issued = BTreeMap<String, Row>;

/// The answers of a fresh router of the same kind with the same rows, or the reason why none could be built of them.
pub type Fresh = Result<Observation, String>;

/// The results of a run's end and of its refused changes, got again from fresh routers of the same kind.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The answers of fresh routers to the last round of questions: the first was given the rows of the last table in the
    /// order of their arrival, the others in other orders.
    pub at_end: Vec<Fresh>,
    /// For each refused change, by the number of steps done then, the outcomes of the same change made to fresh routers of
    /// the rows that were applied before it.
    pub refused: BTreeMap<usize, Vec<Outcome>>,
}

/// One round of questions with its answers.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The questions of the run.
    pub questions: &'a Questions,
    /// The round: which of the questions were asked, and in which order.
    pub round: &'a Round,
    /// The answers.
    pub seen: &'a Observation,
}

impl<'a> Look<'a> {
    /// The questions that were asked, each with its place in the list of the run and its answer, in the order of asking.
    pub fn iter(self) -> impl Iterator<Item = (usize, &'a Question, &'a Shown)> {
        let asked = self.questions.of(self.round).zip(&self.seen.shown);
        asked.map(|((place, question), shown)| (place, question, shown))
    }

    /// The answer to the question at that place of the list of the run, where it was asked.
    pub fn get(self, place: usize) -> Option<&'a Shown> {
        match &self.round.order {
            None => self.seen.shown.get(place),
            Some(_) => self
                .iter()
                .find_map(|(other, _, shown)| (other == place).then_some(shown)),
        }
    }

    /// Each question that was asked both in this round and in a later one of the same questions, directly around a change.
    pub(crate) fn around(self, later: Self) -> Vec<Around<'a>> {
        let both = |(place, question, before)| {
            let now = later.get(place)?;
            Some(Around { question, before, now })
        };
        self.iter().filter_map(both).collect()
    }

    /// Everything that was shown to the question at that place: of a router that picks there may be several answers.
    pub fn all(self, place: usize) -> impl Iterator<Item = &'a Shown> {
        let only = if self.round.order.is_none() {
            self.get(place)
        } else {
            None
        };
        let several = self.iter().filter(move |_| self.round.order.is_some());
        only.into_iter()
            .chain(several.filter_map(move |(other, _, shown)| (other == place).then_some(shown)))
    }

    /// The lookups, each with its place and the answers that it got, one for each path.
    pub fn lookups(self) -> impl Iterator<Item = (usize, &'a Query, &'a [Answer])> {
        self.iter()
            .filter_map(|(place, question, shown)| match (question, shown) {
                (Question::Lookup(query), Shown::Answers(answers)) => Some((place, query, answers.as_slice())),
                _ => None,
            })
    }

    /// The listings, each with its place, the team of the caller and the names.
    pub fn listings(self) -> impl Iterator<Item = (usize, &'a Option<String>, &'a [String])> {
        self.iter()
            .filter_map(|(place, question, shown)| match (question, shown) {
                (Question::Listing(team), Shown::Names(names)) => Some((place, team, names.as_slice())),
                _ => None,
            })
    }

    /// The entries of each derived structure, where they were asked for.
    pub fn sizes(self) -> impl Iterator<Item = &'a BTreeMap<String, u64>> {
        self.iter().filter_map(|(_, _, shown)| match shown {
            Shown::Sizes(sizes) => Some(sizes),
            _ => None,
        })
    }
}

/// One moment of a run, with everything that was known then.
#[derive(Debug)]
pub struct Moment<'a> {
    /// The facts that do not change over a trial.
    pub ground: &'a Ground,
    /// The replica that was looked at; none where there is only one router.
    pub replica: Option<u8>,
    /// Number of whole polls that the replica has done in a row by then, while nothing else happened to it and the
    /// store stood still.
    pub polls: usize,
    /// The rows that were applied by then.
    pub table: &'a Table,
    /// Every version given by then.
    pub issued: &'a Issued,
    /// Versions beside the issued ones that may have one of their tags. Patches make them: one that keeps the tag of
    /// its row, or one whose row may have been in one of several versions.
    pub variants: &'a [Row],
    /// The index by which lookups find their rows among these versions.
    pub reach: &'a Reach<'a>,
    /// Number of steps done by then.
    pub after: usize,
    /// The questions and their answers.
    pub look: Look<'a>,
    /// The answers of fresh routers of the same rows to the same questions; see [`Beside::at_end`]. Empty where none was
    /// asked.
    pub fresh: &'a [Fresh],
    /// The facts on the lookups that do not depend on the answers.
    pub(crate) standing: OnceCell<Standing<'a>>,
}

impl<'a> Moment<'a> {
    /// The answers of each fresh router that could be built.
    pub fn built(&self) -> impl Iterator<Item = Look<'a>> {
        let fresh = self.fresh;
        let look = self.look;
        fresh.iter().flatten().map(move |seen| Look { seen, ..look })
    }
}

/// One question that was put before a change and behind it, with nothing but questions between.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The question.
    pub question: &'a Question,
    /// The last answer before.
    pub before: &'a Shown,
    /// The first answer behind.
    pub now: &'a Shown,
}

/// One change and its outcome.
#[derive(Debug)]
pub struct Transition<'a> {
    /// The facts that do not change over a trial.
    pub ground: &'a Ground,
    /// Number of steps done, this one included; 0 is the construction.
    pub after: usize,
    /// The change that was asked for.
    pub change: &'a Change,
    /// The router's reply.
    pub changed: &'a Changed,
    /// The rows that were applied before.
    pub before: &'a Table,
    /// The rows that are applied now.
    pub now: &'a Table,
    /// The ids that the router claimed before.
    pub held_before: Option<&'a [String]>,
    /// If it was refused, each question that was put both directly before it and directly behind it.
    pub seen: Vec<Around<'a>>,
    /// The outcomes of the same change made to fresh routers; see [`Beside::refused`]. Empty where none was built.
    pub again: &'a [Outcome],
}

impl Ground {
    /// The preset that the router claims, where it claims one.
    pub fn spec(&self) -> Option<&Spec> {
        self.kept.as_ref().map(KeptSpec::spec)
    }

    /// Returns the reason why the preset must refuse the row; none if it need not, or if the preset says nothing of the
    /// row.
    pub fn must_refuse(&self, row: &Row) -> Option<String> {
        let spec = self.spec().filter(|_| !self.is_opaque(row))?;
        spec.check(row).err()
    }

    /// Returns whether a router may refuse the row: its preset must, or without one nothing says that it is to be taken.
    pub fn may_refuse(&self, row: &Row) -> bool {
        let stars = |text: &str| text.matches('*').count();
        let fits = [0, stars(row.asked_name())].contains(&stars(&row.model));
        self.must_refuse(row).is_some() || self.is_opaque(row) || !fits
    }

    /// The tier by which `row` is reached by that name; `None` where it is not.
    pub fn reaches(&self, row: &Row, asked: &str) -> Option<Tier> {
        if self.patterns.matches(row.asked_name(), asked) {
            return Some(tier_of_name(row));
        }
        (row.id == asked).then_some(Tier::Id)
    }

    /// The tier by which `row` came up for that name, be it rightly or wrongly.
    pub fn tier(&self, row: &Row, asked: &str) -> Tier {
        self.reaches(row, asked).unwrap_or_else(|| tier_of_name(row))
    }

    /// Returns true if the row is meant to be several deployments of its id.
    pub fn is_several(&self, row: &Row) -> bool {
        let mut extras = self.dialect.extras.iter();
        extras.any(|extra| extra.copies && row.extra.as_ref() == Some(&extra.name))
    }

    /// Returns true if the preset says nothing of this row: its extra makes it answer unlike other rows, or its target
    /// has none of the prefixes that the dialect names.
    pub fn is_opaque(&self, row: &Row) -> bool {
        let known = |prefix: &String| row.model.starts_with(prefix);
        let target_is_known = self.target_prefixes.is_empty() || self.target_prefixes.iter().any(known);
        match &row.extra {
            // A row may have got a new extra and kept the target that its former one brought along.
            Some(extra) => self.opaque.contains(extra) || !(target_is_known || self.plain_targets.contains(&row.model)),
            None => !target_is_known,
        }
    }
}

/// The tier by which a row is reached under the name that it is asked for by.
pub(crate) fn tier_of_name(row: &Row) -> Tier {
    match (is_pattern(row.asked_name()), &row.team) {
        (false, Some(_)) => Tier::TeamExact,
        (false, None) => Tier::Exact,
        (true, Some(_)) => Tier::TeamPattern,
        (true, None) => Tier::GlobalPattern,
    }
}

impl Moment<'_> {
    /// The version of the row that a candidate came from.
    pub fn version(&self, candidate: &Candidate) -> Option<&Row> {
        match self.table.get(&candidate.id) {
            Some(row) if row.tag == candidate.tag => Some(row),
            _ => self.issued.get(&candidate.tag),
        }
    }

    /// Each version of the row that a candidate may have come from: several where they share a tag.
    pub fn versions(&self, candidate: &Candidate) -> impl Iterator<Item = &Row> {
        let known = self.version(candidate);
        let is_held = known.is_some() && known == self.table.get(&candidate.id);
        let others = self
            .variants
            .iter()
            .filter(move |row| !is_held && row.tag == candidate.tag);
        known.into_iter().chain(others)
    }
}

/// The table after a change that the router answered with `outcome`, by the router's own word: what it refused did not
/// happen, and what it did not refuse did.
pub fn applied_table(table: &Table, change: &Change, outcome: &Outcome) -> Table {
    let mut table = table.clone();
    match (change, outcome) {
        (_, Outcome::Refused(_)) => {}
        // A router that says that it took an id that exists holds the new row.
        (Change::Add(row), Outcome::Applied) => Change::Upsert(row.clone()).apply_to(&mut table),
        _ => change.apply_to(&mut table),
    }
    table
}

/// Returns whether the router took a list in which an id comes twice. Which duplicate it kept is undefined, so nothing
/// after it is judged.
pub(crate) fn took_an_id_twice(change: &Change, outcome: &Outcome, now: &Table) -> bool {
    !matches!(outcome, Outcome::Refused(_)) && matches!(change, Change::Replace(rows) if rows.len() != now.len())
}

/// Checks that every tag that a reply shows is one of those that were given.
///
/// # Errors
///
/// A fault that names the first tag that is not.
pub(crate) fn check_tags(given: &BTreeSet<&str>, reply: &RunReply) -> Result<(), AdapterFault> {
    let lie = |what: String, tag: &str| {
        let message = format!(
            "{what} with the tag `{tag}`, which no row of the run was given; the adapter must return the tag of the row \
             version that the router answered from"
        );
        Err(AdapterFault::new(FaultKind::Lied, message))
    };
    let (shown, answered) = shown(reply);
    let of_lookups = shown.iter().filter_map(|shown| match shown {
        Shown::Answers(answers) => Some(answers),
        _ => None,
    });
    for candidate in of_lookups.chain(answered).flatten().flat_map(Answer::candidates) {
        if !given.contains(candidate.tag.as_str()) {
            return lie(format!("an answer holds `{}`", candidate.id), &candidate.tag);
        }
    }
    for shown in shown {
        let Shown::Holds(holds) = shown else { continue };
        for (structure, tags) in holds {
            if let Some(tag) = tags.iter().find(|tag| !given.contains(tag.as_str())) {
                return lie(format!("`{structure}` holds a row"), tag);
            }
        }
    }
    Ok(())
}

/// Everything that a reply shows, and the answers to the requests in it.
fn shown(reply: &RunReply) -> (Vec<&Shown>, Vec<&Vec<Answer>>) {
    let mut shown: Vec<&Shown> = reply.rounds.iter().flatten().flat_map(|seen| &seen.shown).collect();
    let mut answered = Vec::new();
    for step in &reply.steps {
        match step {
            StepReply::Shown(asked) => shown.push(asked),
            StepReply::Moved(moved) => answered.extend(moved.iter().filter_map(|Moved { now, .. }| match now {
                Now::Answered(answers) => Some(answers),
                _ => None,
            })),
            StepReply::Changed(_) => {}
        }
    }
    (shown, answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, name: &str, tag: &str) -> Row {
        Row::new(id, name, "up/m", tag)
    }

    fn table(rows: &[Row]) -> Table {
        rows.iter().map(|row| (row.id.clone(), row.clone())).collect()
    }

    fn refused() -> Outcome {
        Outcome::Refused("no".to_owned())
    }

    fn ground(opaque: &[&str], target_prefixes: &[&str]) -> Ground {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Ground {
            kept: None,
            opaque: texts(opaque),
            plain_targets: texts(&["proxy/m"]),
            target_prefixes: texts(target_prefixes),
            paths: Vec::new(),
            registry: None,
            dialect: Dialect::default(),
            patterns: Patterns::default(),
        }
    }

    /// A moment at which nothing was asked.
    fn moment<'a>(
        ground: &'a Ground,
        table: &'a Table,
        (issued, reach): (&'a Issued, &'a Reach<'a>),
        look: Look<'a>,
    ) -> Moment<'a> {
        Moment {
            ground,
            replica: None,
            polls: 0,
            table,
            issued,
            variants: &[],
            reach,
            after: 0,
            look,
            fresh: &[],
            standing: OnceCell::new(),
        }
    }

    /// A run of `questions` of which nothing was asked.
    fn nothing() -> (Questions, Round, Observation) {
        (Questions::default(), Round::all(0), Observation::default())
    }

    fn look((questions, round, seen): &(Questions, Round, Observation)) -> Look<'_> {
        Look { questions, round, seen }
    }

    #[test]
    fn answers_stand_beside_their_questions_in_any_order() {
        let listing = Question::Listing(None);
        let lookup = |model: &str| Question::Lookup(Query::new(model, None));
        let questions = Questions {
            asked: vec![lookup("a"), listing, lookup("b"), Question::Sizes],
            rounds: Vec::new(),
        };
        let refused = |kind| Shown::Answers(vec![Answer::Refused(kind)]);
        let sizes = Shown::Sizes([("names".to_owned(), 1)].into());
        let seen = Observation {
            replica: None,
            shown: vec![
                sizes,
                refused(protocol::Refusal::Blocked),
                refused(protocol::Refusal::Invalid),
            ],
        };
        let round = Round {
            after: 0,
            order: Some(vec![3, 2, 0]),
            wait: 0,
        };
        let asked = (questions, round, seen);
        let look = look(&asked);
        let places: Vec<(usize, &str)> = look
            .lookups()
            .map(|(place, query, _)| (place, query.model.as_str()))
            .collect();
        assert_eq!(places, [(2, "b"), (0, "a")]);
        assert_eq!(look.get(0), Some(&refused(protocol::Refusal::Invalid)));
        assert_eq!(
            (look.get(1), look.listings().count(), look.sizes().count()),
            (None, 0, 1)
        );
    }

    #[test]
    fn what_a_router_refused_did_not_happen_and_what_it_did_not_refuse_did() {
        let (old, new, other) = (row("d1", "m", "v1"), row("d1", "m", "v2"), row("d2", "m", "v3"));
        let held = table(std::slice::from_ref(&old));
        #[rustfmt::skip]
        let rows = [
            (Change::Upsert(new.clone()), Outcome::Applied, vec![new.clone()]),
            // It says that nothing was to be done, and holds another version.
            (Change::Upsert(new.clone()), Outcome::Unchanged, vec![new.clone()]),
            (Change::Upsert(new.clone()), refused(), vec![old.clone()]),
            (Change::Add(new.clone()), Outcome::Applied, vec![new.clone()]),
            // An id that is taken: an addition that changes nothing is right.
            (Change::Add(new.clone()), Outcome::Unchanged, vec![old.clone()]),
            (Change::Add(other.clone()), Outcome::Unchanged, vec![old.clone(), other.clone()]),
            (Change::Delete("d1".into()), Outcome::Applied, vec![]),
            (Change::Delete("d2".into()), Outcome::Unchanged, vec![old.clone()]),
            (Change::Delete("d1".into()), refused(), vec![old.clone()]),
            (Change::Replace(vec![other.clone()]), Outcome::Applied, vec![other.clone()]),
            (Change::Replace(vec![other]), refused(), vec![old]),
        ];
        for (change, outcome, expected) in rows {
            assert_eq!(
                applied_table(&held, &change, &outcome),
                table(&expected),
                "{change:?}, {outcome:?}"
            );
        }
    }

    #[test]
    fn a_list_with_an_id_twice_may_be_refused_or_taken() {
        let (one, twin, other) = (row("d1", "m", "v1"), row("d1", "m", "v2"), row("d2", "m", "v3"));
        let twice = Change::Replace(vec![one.clone(), twin.clone()]);
        assert!(took_an_id_twice(
            &twice,
            &Outcome::Applied,
            &table(std::slice::from_ref(&twin))
        ));
        assert!(!took_an_id_twice(&twice, &refused(), &Table::new()));
        let once = Change::Replace(vec![one.clone(), other.clone()]);
        assert!(!took_an_id_twice(&once, &Outcome::Applied, &table(&[one, other])));
        assert!(!took_an_id_twice(
            &Change::Upsert(twin),
            &Outcome::Applied,
            &Table::new()
        ));
    }

    #[test]
    fn a_row_that_the_preset_does_not_predict_makes_queries_opaque() {
        let told = ground(&["router"], &["up/"]);
        let plain = row("d1", "m", "v1");
        let extra = |extra: &str| Row {
            extra: Some(extra.to_owned()),
            ..plain.clone()
        };
        let elsewhere = Row {
            model: "down/m".to_owned(),
            ..plain.clone()
        };
        assert!(!told.is_opaque(&plain) && !told.is_opaque(&extra("region")));
        assert!(told.is_opaque(&extra("router")) && told.is_opaque(&elsewhere));
        assert!(!ground(&[], &[]).is_opaque(&elsewhere));
        let aimed = |model: &str| Row {
            model: model.to_owned(),
            ..extra("region")
        };
        assert!(told.is_opaque(&aimed("router/m")) && !told.is_opaque(&aimed("proxy/m")));

        let asks = |rows: &[Row], model: &str| {
            let (table, issued, asked) = (table(rows), Issued::new(), nothing());
            let reach = Reach::new(None, issued.values());
            moment(&told, &table, (&issued, &reach), look(&asked)).is_opaque(&Query::new(model, None))
        };
        let named = Row {
            team: Some("t1".into()),
            team_model_name: Some("pub".into()),
            ..elsewhere.clone()
        };
        let wild = Row {
            model_name: "x*".into(),
            ..elsewhere
        };
        assert!(!asks(std::slice::from_ref(&plain), "m"));
        for (model, opaque) in [
            ("m", true),
            ("pub", true),
            ("d1", true),
            ("down/m", true),
            ("other", false),
        ] {
            assert_eq!(asks(std::slice::from_ref(&named), model), opaque, "{model}");
        }
        assert!(asks(&[wild], "whatever"));
    }

    #[test]
    fn a_candidate_is_of_the_row_that_is_there_or_of_the_version_that_was_issued() {
        let (held, stale, twin) = (row("d1", "m", "v2"), row("d1", "m", "v1"), row("d2", "n", "v2"));
        // A tag that two rows share is that of the row with the candidate's id.
        let issued: Issued = [("v1".into(), stale.clone()), ("v2".into(), twin)].into();
        let (ground, table, asked) = (ground(&[], &[]), table(std::slice::from_ref(&held)), nothing());
        let reach = Reach::new(None, issued.values());
        let moment = moment(&ground, &table, (&issued, &reach), look(&asked));
        let candidate = |tag: &str| Candidate {
            id: "d1".to_owned(),
            model: "up/m".to_owned(),
            tag: tag.to_owned(),
        };
        assert_eq!(moment.version(&candidate("v2")), Some(&held));
        assert_eq!(moment.version(&candidate("v1")), Some(&stale));
        assert_eq!(moment.version(&candidate("v9")), None);
    }
}
