//! The steps of every change and lookup: one trait, whose default methods are right.
//!
//! A fault is a type that overrides one of them. The methods stand in three groups: changes, lookups, reports.

use std::cmp::Ordering;

use protocol::{Answer, Candidate, Outcome, Query, Refusal, Row};

use crate::pattern::{self, Token};
use crate::tables::{Entry, GLOBAL, Home, Tables, add_pattern, drop_pattern, home, scope};

/// The longest text of a row or query that the router takes, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 1_024;

/// The reason why a row leaves the list.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'a> {
    /// An update: this version takes the row's place.
    Update(&'a Row),
    /// A deletion.
    Delete,
}

/// A place where a lookup searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The exact names of the caller's team.
    TeamNames,
    /// Global exact names.
    Names,
    /// The ids of the rows that the caller may see.
    Ids,
    /// The patterns of the caller's team.
    TeamPatterns,
    /// Global patterns.
    Patterns,
}

/// A row list that a tier found for a name.
#[derive(Clone, Debug)]
pub struct Found<'t, 'n> {
    /// The tier that found it.
    pub tier: Tier,
    /// The rows that go by it, blocked ones too.
    pub rows: Vec<&'t Row>,
    /// The texts that the `*` of the pattern stand for.
    pub captures: Vec<&'n str>,
}

impl<'t> Found<'t, '_> {
    fn of(tier: Tier, rows: Vec<&'t Row>) -> Self {
        Self {
            tier,
            rows,
            captures: Vec::new(),
        }
    }
}

/// The steps of a router. What is not overridden is right.
pub trait Steps: Sized + 'static {
    /// The fault's name, in kebab case.
    const NAME: &'static str;
    /// The description of the fault, as a sentence.
    const SENTENCE: &'static str;
    /// The issue or the measurement that it is modelled on.
    const SOURCE: &'static str;

    /// The order in which a lookup searches; the first tier that knows the name decides.
    const TIERS: [Tier; 5] = [
        Tier::TeamNames,
        Tier::Names,
        Tier::Ids,
        Tier::TeamPatterns,
        Tier::Patterns,
    ];

    // Changes.

    /// Says whether a row may be taken.
    ///
    /// # Errors
    ///
    /// The fault of the row, and what to do.
    fn check(row: &Row) -> Result<(), String> {
        check_texts(row)?;
        check_wildcards(row)
    }

    /// Puts a row in the place of the one with its id, or at the end.
    fn upsert(tables: &mut Tables, row: &Row) -> Outcome {
        if let Err(why) = Self::check(row) {
            Self::refuse_row(tables, row);
            return Self::refusal(why);
        }
        match Self::position(tables, &row.id) {
            None => Self::upsert_new(tables, row),
            Some(at) if Self::same(&tables.rows[at], row) => return Outcome::Unchanged,
            Some(_) => {
                Self::remove(tables, &row.id, Cause::Update(row));
                Self::insert(tables, row);
            }
        }
        Outcome::Applied
    }

    /// Inserts a row of a new id, for an upsert.
    fn upsert_new(tables: &mut Tables, row: &Row) {
        Self::insert(tables, row);
    }

    /// Returns whether an update changes nothing.
    fn same(held: &Row, row: &Row) -> bool {
        held == row
    }

    /// Inserts a row whose id is new.
    fn add(tables: &mut Tables, row: &Row) -> Outcome {
        if let Err(why) = Self::check(row) {
            Self::refuse_row(tables, row);
            return Self::refusal(why);
        }
        if Self::position(tables, &row.id).is_some() {
            return Self::refusal(format!(
                "`id` `{}` is held already: upsert it, or delete it first",
                row.id
            ));
        }
        Self::insert(tables, row);
        Outcome::Applied
    }

    /// Removes the row of this id.
    fn delete(tables: &mut Tables, id: &str) -> Outcome {
        if !Self::remove(tables, id, Cause::Delete) {
            return Outcome::Unchanged;
        }
        Outcome::Applied
    }

    /// Loads a list in place of all rows. It is loaded also where it says what the router holds already.
    fn replace(tables: &mut Tables, rows: &[Row]) -> Outcome {
        if let Err(why) = Self::check_list(rows) {
            Self::refuse_list(tables, rows);
            return Self::refusal(why);
        }
        let held = |row: &Row| Self::position(tables, &row.id).is_some_and(|at| tables.rows[at] == *row);
        let same = rows.len() == tables.rows.len() && rows.iter().all(held);
        Self::clear(tables);
        for row in rows {
            Self::insert(tables, row);
        }
        if same { Outcome::Unchanged } else { Outcome::Applied }
    }

    /// Says whether a list may be loaded.
    ///
    /// # Errors
    ///
    /// The fault of the list, and what to do.
    fn check_list(rows: &[Row]) -> Result<(), String> {
        for (position, row) in rows.iter().enumerate() {
            Self::check(row).map_err(|why| format!("row {position} (`{}`): {why}", row.id.escape_debug()))?;
            if rows[..position].iter().any(|earlier| earlier.id == row.id) {
                let id = &row.id;
                return Err(format!(
                    "row {position}: `id` `{id}` stands in an earlier row too: give each row an id of its own"
                ));
            }
        }
        Ok(())
    }

    /// Leaves nothing of a refused row behind.
    fn refuse_row(_tables: &mut Tables, _row: &Row) {}

    /// Leaves nothing of a refused list behind.
    fn refuse_list(_tables: &mut Tables, _rows: &[Row]) {}

    /// Returns the reply to a change that was refused.
    fn refusal(why: String) -> Outcome {
        Outcome::Refused(why)
    }

    /// The position of the row of this id.
    fn position(tables: &Tables, id: &str) -> Option<usize> {
        let at = *tables.by_id.get(id)?;
        (at < tables.rows.len()).then_some(at)
    }

    /// Appends a row to the list and registers it everywhere.
    fn insert(tables: &mut Tables, row: &Row) {
        let at = tables.rows.len();
        tables.by_id.insert(row.id.clone(), at);
        Self::register(tables, row, at);
        tables.targets.push(row.model.clone());
        let names = tables.shown.entry(scope(row).to_owned()).or_default();
        names.insert(row.asked_name().to_owned());
        tables.rows.push(row.clone());
    }

    /// Registers a row at its home.
    fn register(tables: &mut Tables, row: &Row, at: usize) {
        let name = row.asked_name().to_owned();
        match home(row) {
            Home::Names => {
                tables.names.insert(name.clone());
                tables.by_name.entry(name).or_default().push(at);
            }
            Home::TeamNames(team) => {
                let names = tables.by_team.entry(team.to_owned()).or_default();
                names.entry(name).or_default().push(at);
            }
            Home::Patterns => add_pattern(&mut tables.patterns, row, Self::compile(&name)),
            Home::TeamPatterns(team) => {
                let entries = tables.team_patterns.entry(team.to_owned()).or_default();
                add_pattern(entries, row, Self::compile(&name));
            }
        }
    }

    /// Removes the row of this id from the list and from every other structure; says whether there was one.
    fn remove(tables: &mut Tables, id: &str, cause: Cause<'_>) -> bool {
        let Some(at) = Self::position(tables, id) else {
            return false;
        };
        let row = tables.rows.remove(at);
        Self::drop_id(tables, &row, cause);
        Self::unregister(tables, &row, at, cause);
        Self::drop_target(tables, &row, cause);
        Self::drop_shown(tables, &row);
        Self::shift(tables, at);
        true
    }

    /// Removes a row from its home.
    fn unregister(tables: &mut Tables, row: &Row, at: usize, cause: Cause<'_>) {
        match home(row) {
            Home::Names => {
                Self::drop_exact(tables, row, at, cause);
                Self::drop_name(tables, row, cause);
            }
            Home::TeamNames(team) => Self::drop_team_exact(tables, team, row, at, cause),
            Home::Patterns => Self::drop_pattern(tables, row, cause),
            Home::TeamPatterns(team) => Self::drop_team_pattern(tables, team, row, cause),
        }
    }

    /// Removes a row's id from the index of ids.
    fn drop_id(tables: &mut Tables, row: &Row, _cause: Cause<'_>) {
        tables.by_id.remove(&row.id);
    }

    /// Removes a row's position from the index of global names.
    fn drop_exact(tables: &mut Tables, row: &Row, at: usize, _cause: Cause<'_>) {
        tables.drop_exact(row.asked_name(), at);
    }

    /// Removes a row's name from the known names, unless another row has it.
    fn drop_name(tables: &mut Tables, row: &Row, _cause: Cause<'_>) {
        if !tables.is_asked(GLOBAL, row.asked_name()) {
            tables.names.remove(row.asked_name());
        }
    }

    /// Removes a row's position from the index of its team's names.
    fn drop_team_exact(tables: &mut Tables, team: &str, row: &Row, at: usize, _cause: Cause<'_>) {
        tables.drop_team_exact(team, row.asked_name(), at);
    }

    /// Removes a row from the table of global patterns.
    fn drop_pattern(tables: &mut Tables, row: &Row, _cause: Cause<'_>) {
        drop_pattern(&mut tables.patterns, row);
    }

    /// Removes a row from the table of its team's patterns.
    fn drop_team_pattern(tables: &mut Tables, team: &str, row: &Row, _cause: Cause<'_>) {
        tables.drop_team_pattern(team, row);
    }

    /// Removes a row's target from the list of targets.
    fn drop_target(tables: &mut Tables, row: &Row, _cause: Cause<'_>) {
        if let Some(at) = tables.targets.iter().position(|target| *target == row.model) {
            tables.targets.remove(at);
        }
    }

    /// Removes a row's name from the names to show, unless another row of its scope has it.
    fn drop_shown(tables: &mut Tables, row: &Row) {
        if tables.is_asked(scope(row), row.asked_name()) {
            return;
        }
        if let Some(names) = tables.shown.get_mut(scope(row)) {
            names.remove(row.asked_name());
            if names.is_empty() {
                tables.shown.remove(scope(row));
            }
        }
    }

    /// Moves the positions behind a removed row.
    fn shift(tables: &mut Tables, removed: usize) {
        tables.shift(|position| position > removed);
    }

    /// Empties everything, so that a list can be loaded.
    fn clear(tables: &mut Tables) {
        tables.rows.clear();
        tables.by_id.clear();
        tables.names.clear();
        tables.targets.clear();
        tables.shown.clear();
        Self::clear_exact(tables);
        Self::clear_team_exact(tables);
        Self::clear_patterns(tables);
        Self::clear_team_patterns(tables);
    }

    /// Empties the index of global names.
    fn clear_exact(tables: &mut Tables) {
        tables.by_name.clear();
    }

    /// Empties the index of the teams' names.
    fn clear_team_exact(tables: &mut Tables) {
        tables.by_team.clear();
    }

    /// Empties the table of global patterns.
    fn clear_patterns(tables: &mut Tables) {
        tables.patterns.clear();
    }

    /// Empties the tables of the teams' patterns.
    fn clear_team_patterns(tables: &mut Tables) {
        tables.team_patterns.clear();
    }

    /// Empties the memo of lookups, after every change, whatever its outcome.
    fn forget(tables: &mut Tables) {
        Self::forget_patterns(tables);
        Self::forget_misses(tables);
    }

    /// Forgets which patterns serve which names.
    fn forget_patterns(tables: &mut Tables) {
        tables.memo.forget_patterns();
    }

    /// Forgets which names nothing serves.
    fn forget_misses(tables: &mut Tables) {
        tables.memo.forget_misses();
    }

    // Lookups.

    /// Answers a query.
    fn lookup(tables: &Tables, query: &Query) -> Answer {
        let (name, team) = (query.model.as_str(), query.team.as_deref());
        if Self::is_invalid(name) || team.is_some_and(Self::is_invalid) {
            return Answer::Refused(Refusal::Invalid);
        }
        let caller = team.unwrap_or(GLOBAL);
        if tables.memo.is_miss(caller, name) {
            return Answer::Refused(Refusal::UnknownModel);
        }
        let answer = Self::resolve(tables, name, team);
        if answer == Answer::Refused(Refusal::UnknownModel) {
            tables.memo.note_miss(caller, name);
        }
        answer
    }

    /// Returns whether a text can be asked for.
    fn is_invalid(text: &str) -> bool {
        check_text(text).is_err()
    }

    /// Answers a valid query, tier by tier.
    fn resolve(tables: &Tables, name: &str, team: Option<&str>) -> Answer {
        let mut answer = Answer::Refused(Refusal::UnknownModel);
        for tier in Self::TIERS {
            if let Some(found) = Self::search(tables, tier, name, team) {
                answer = Self::answer(&found);
                if Self::decides(&answer) {
                    break;
                }
            }
        }
        answer
    }

    /// Returns whether the first tier that knows a name decides, even if it has no candidate.
    fn decides(_answer: &Answer) -> bool {
        true
    }

    /// Returns the rows of a name in one tier; `None` if the tier does not know the name.
    fn search<'t, 'n>(tables: &'t Tables, tier: Tier, name: &'n str, team: Option<&str>) -> Option<Found<'t, 'n>> {
        match tier {
            Tier::TeamNames => Self::in_team(tables, name, team).map(|rows| Found::of(tier, rows)),
            Tier::Names => Self::in_names(tables, name).map(|rows| Found::of(tier, rows)),
            Tier::Ids => {
                let row = &tables.rows[Self::position(tables, name)?];
                Self::sees(row, team).then(|| Found::of(tier, vec![row]))
            }
            Tier::TeamPatterns => {
                let (team, entries) = Self::team_patterns(tables, team)?;
                Self::in_patterns(tables, tier, (team, entries), name)
            }
            Tier::Patterns => Self::in_patterns(tables, tier, (GLOBAL, &tables.patterns), name),
        }
    }

    /// The rows of the caller's team that go by this exact name.
    fn in_team<'t>(tables: &'t Tables, name: &str, team: Option<&str>) -> Option<Vec<&'t Row>> {
        let positions = tables.by_team.get(team?)?.get(name)?;
        Some(tables.at(positions))
    }

    /// The global rows that go by this exact name. Only a known name is looked up.
    fn in_names<'t>(tables: &'t Tables, name: &str) -> Option<Vec<&'t Row>> {
        if !tables.names.contains(name) {
            return None;
        }
        let positions = tables.by_name.get(name);
        Some(positions.map_or_else(Vec::new, |positions| tables.at(positions)))
    }

    /// Returns whether a caller of this team may see a row.
    fn sees(row: &Row, team: Option<&str>) -> bool {
        row.team.as_deref().is_none_or(|owner| Some(owner) == team)
    }

    /// The table of patterns of the caller's team.
    fn team_patterns<'t>(tables: &'t Tables, team: Option<&str>) -> Option<(&'t str, &'t [Entry])> {
        let (team, entries) = tables.team_patterns.get_key_value(team?)?;
        Some((team, entries))
    }

    /// The rows of the best pattern of a table that the name matches. Which one it is, is remembered.
    fn in_patterns<'t, 'n>(
        tables: &'t Tables,
        tier: Tier,
        (scope, entries): (&str, &'t [Entry]),
        name: &'n str,
    ) -> Option<Found<'t, 'n>> {
        let entry = if let Some(text) = tables.memo.pattern(scope, name) {
            entries.iter().find(|entry| entry.text == text)?
        } else {
            let best = Self::best(entries, name)?;
            tables.memo.note_pattern(scope, name, &best.text);
            best
        };
        Some(Found {
            tier,
            rows: entry.rows.iter().collect(),
            captures: pattern::captures(&entry.tokens, name)?,
        })
    }

    /// The pattern of a table that serves this name.
    fn best<'t>(entries: &'t [Entry], name: &str) -> Option<&'t Entry> {
        let matching = |entry: &&Entry| pattern::captures(&entry.tokens, name).is_some();
        let preferred = |one: &&Entry, other: &&Entry| Self::prefer(&one.text, &other.text);
        entries.iter().filter(matching).min_by(preferred)
    }

    /// Orders two patterns that match; the lesser is taken.
    fn prefer(one: &str, other: &str) -> Ordering {
        pattern::prefer(one, other)
    }

    /// The tokens of a pattern.
    fn compile(text: &str) -> Vec<Token> {
        pattern::compile(text)
    }

    /// Answers with the rows that a tier found.
    fn answer(found: &Found<'_, '_>) -> Answer {
        let candidate = |row: &&Row| Candidate {
            id: row.id.clone(),
            model: Self::fill(&row.model, &found.captures),
            tag: row.tag.clone(),
        };
        let serving = found.rows.iter().filter(|row| Self::serves(row, found.tier));
        let candidates: Vec<Candidate> = serving.map(candidate).collect();
        if !candidates.is_empty() {
            Answer::Candidates(candidates)
        } else if found.rows.is_empty() {
            Answer::Refused(Refusal::UnknownModel)
        } else {
            Answer::Refused(Refusal::Blocked)
        }
    }

    /// Returns whether a row may be a candidate.
    fn serves(row: &Row, _tier: Tier) -> bool {
        !row.blocked
    }

    /// The upstream model: the target with the captures in place of its `*`. What was found without a pattern has no
    /// captures, and its target is used as it is.
    fn fill(target: &str, captures: &[&str]) -> String {
        pattern::fill(target, captures.iter().copied())
    }

    // Reports.

    /// The names that a caller of this team is shown: those of the rows that it may see, exact names and patterns, for
    /// which a lookup of that very text has candidates.
    fn listing(tables: &Tables, team: Option<&str>) -> Vec<String> {
        let mut names: Vec<&str> = [Some(GLOBAL), team]
            .into_iter()
            .flatten()
            .filter_map(|scope| tables.shown.get(scope))
            .flatten()
            .map(String::as_str)
            .filter(|name| Self::is_shown(tables, name, team))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(str::to_owned).collect()
    }

    /// Returns whether a name of a row that the caller may see is shown to the caller.
    fn is_shown(tables: &Tables, name: &str, team: Option<&str>) -> bool {
        matches!(Self::lookup(tables, &Query::new(name, team)), Answer::Candidates(_))
    }

    /// The ids that the router claims to hold.
    fn held(tables: &Tables) -> Vec<String> {
        tables.by_id.keys().cloned().collect()
    }
}

/// The steps without a fault.
pub struct Correct;

impl Steps for Correct {
    const NAME: &'static str = "none";
    const SENTENCE: &'static str = "nothing is wrong";
    const SOURCE: &'static str = "the strict semantics";
}

/// Checks that each text of a row is one that a row may have.
///
/// # Errors
///
/// The fault of the first text that is not, and what to do.
pub(crate) fn check_texts(row: &Row) -> Result<(), String> {
    let texts = [
        ("id", Some(&row.id)),
        ("model_name", Some(&row.model_name)),
        ("model", Some(&row.model)),
        ("tag", Some(&row.tag)),
        ("team", row.team.as_ref()),
        ("team_model_name", row.team_model_name.as_ref()),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            check_text(text).map_err(|what| format!("`{field}` {what}"))?;
        }
    }
    if row.team.is_none() && row.team_model_name.is_some() {
        return Err("`team_model_name` is set in a row without a team: set `team` or remove it".to_owned());
    }
    Ok(())
}

/// Checks that a text is one that a row or query may have.
///
/// # Errors
///
/// The fault of the text, and what to do.
fn check_text(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty: give it a text or leave the row out".to_owned());
    }
    if text.len() > TEXT_BYTES_MAX {
        let bytes = text.len();
        return Err(format!("has {bytes} bytes: shorten it to {TEXT_BYTES_MAX} at most"));
    }
    match text.find(char::is_control) {
        Some(at) => Err(format!("holds a control character at byte {at}: remove it")),
        None => Ok(()),
    }
}

fn check_wildcards(row: &Row) -> Result<(), String> {
    let (name, target) = (pattern::wildcards(row.asked_name()), pattern::wildcards(&row.model));
    if target != 0 && target != name {
        return Err(format!(
            "`model` has {target} `*` and the name that is asked for has {name}: use as many, or none"
        ));
    }
    Ok(())
}
