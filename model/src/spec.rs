//! The specification: the meaning of each change and lookup, stated as naively as possible on a sorted map of rows.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Answer, Candidate, Change, Query, Refusal, Row};

use crate::pattern::{Patterns, is_pattern, pattern_rank};
use crate::semantics::{Blocking, By, Filling, Listing, Match, Of, STRICT, Semantics, TierSpec, When};

/// The rows that a router has applied, by id.
pub type Table = BTreeMap<String, Row>;

/// A preset, ready to answer.
#[derive(Debug)]
pub struct Spec {
    semantics: &'static Semantics,
    /// The providers that a query may be retried with, without the `/`.
    providers: Vec<String>,
    /// False for a router whose rows are reached by no id.
    by_id: bool,
    patterns: Patterns,
}

/// One reading of a lookup.
#[derive(Clone, Copy)]
struct AskedName<'a> {
    query: &'a Query,
    /// The router's path that is asked.
    path: &'a str,
    /// The name that is tried where a pattern does not match the name that is asked for.
    retry: Option<&'a str>,
}

/// A row that a tier found.
struct Hit<'a> {
    row: &'a Row,
    /// The texts that the wildcards of the row's name stood for.
    captures: Vec<String>,
    /// The text that the row's name was matched against.
    asked: String,
}

impl Spec {
    /// Makes the specification of that preset, for a router whose targets start with one of these prefixes.
    pub fn new(semantics: &'static Semantics, target_prefixes: &[String]) -> Self {
        let providers = target_prefixes
            .iter()
            .map(|prefix| prefix.trim_end_matches('/').to_owned());
        Self {
            semantics,
            providers: providers.collect(),
            by_id: true,
            patterns: Patterns::default(),
        }
    }

    /// The same for a router whose rows are reached by no id.
    #[must_use]
    pub fn without_ids(self) -> Self {
        Self { by_id: false, ..self }
    }

    /// Returns the preset.
    pub fn semantics(&self) -> &'static Semantics {
        self.semantics
    }

    /// Returns the table after `change`.
    ///
    /// # Errors
    ///
    /// The reason why the change must be refused; the table stays as it is.
    pub fn change(&self, table: &Table, change: &Change) -> Result<Table, String> {
        self.check_change(table, change)?;
        let mut table = table.clone();
        change.apply_to(&mut table);
        Ok(table)
    }

    /// Returns whether the change may be made.
    ///
    /// # Errors
    ///
    /// The reason why it must be refused.
    pub fn check_change(&self, table: &Table, change: &Change) -> Result<(), String> {
        match change {
            Change::Upsert(row) => self.check(row),
            Change::Add(row) => {
                self.check(row)?;
                if table.contains_key(&row.id) {
                    return Err(format!("the id `{}` exists", row.id));
                }
                Ok(())
            }
            Change::Delete(_) => Ok(()),
            Change::Replace(rows) => {
                let mut ids = BTreeSet::new();
                for row in rows {
                    self.check(row)?;
                    if !ids.insert(&row.id) {
                        return Err(format!("the id `{}` comes twice", row.id));
                    }
                }
                Ok(())
            }
        }
    }

    /// Returns whether the preset leaves it to the router to take the change or to refuse it.
    pub fn leaves_open(&self, change: &Change) -> bool {
        let bad = |row| bad_text(row, STRICT.text_bytes_max).is_some();
        self.semantics.text_bytes_max.is_none() && change.rows().iter().any(bad)
    }

    /// Returns whether the preset takes the row at all.
    ///
    /// # Errors
    ///
    /// The reason why it must be refused.
    pub fn check(&self, row: &Row) -> Result<(), String> {
        if let Some(field) = bad_text(row, self.semantics.text_bytes_max) {
            return Err(format!("`{field}` is empty, too long or holds a control character"));
        }
        if self.semantics.filling != Filling::Exact {
            return Ok(());
        }
        if row.team.is_none() && row.team_model_name.is_some() {
            return Err("`team_model_name` needs a `team`".to_owned());
        }
        let stars = |text: &str| text.matches('*').count();
        let wanted = stars(row.asked_name());
        let given = stars(&row.model);
        if given != 0 && given != wanted {
            return Err(format!("`model` has {given} `*`, and the name has {wanted}"));
        }
        Ok(())
    }

    /// Returns the answers that are allowed on that path of the router: several only where the preset leaves a choice.
    /// Candidates are sorted.
    pub fn lookup(&self, table: &Table, query: &Query, path: &str) -> Vec<Answer> {
        let texts = [Some(&query.model), query.team.as_ref()];
        if texts
            .into_iter()
            .flatten()
            .any(|text| is_bad(text, self.semantics.text_bytes_max))
        {
            return vec![Answer::Refused(Refusal::Invalid)];
        }
        let mut allowed = Vec::new();
        for retry in self.retries(&query.model) {
            let asked = AskedName {
                query,
                path,
                retry: retry.as_deref(),
            };
            for answer in self.lookup_as(table, asked) {
                if !allowed.contains(&answer) {
                    allowed.push(answer);
                }
            }
        }
        allowed
    }

    /// Returns the names that a pattern tier that finds nothing may be tried again with, one for each way in which the
    /// router may read the query.
    pub(crate) fn retries(&self, model: &str) -> Vec<Option<String>> {
        if !self.semantics.retries_with_provider {
            return vec![None];
        }
        let with = |provider: &str| Some(format!("{provider}/{model}"));
        let stated = model.split_once('/').map(|(provider, _)| provider);
        match stated.filter(|provider| self.providers.iter().any(|known| known == provider)) {
            Some(provider) => vec![with(provider)],
            // How the router reads a bare model name is not known here: each reading is allowed.
            None => std::iter::once("None")
                .chain(self.providers.iter().map(String::as_str))
                .map(with)
                .collect(),
        }
    }

    fn lookup_as(&self, table: &Table, asked: AskedName) -> Vec<Answer> {
        let name_is_known = table.values().any(|row| row.model_name == asked.query.model);
        for tier in self.semantics.tiers {
            let is_skipped = tier.by == By::Id && !self.by_id;
            if is_skipped || (tier.when == When::NameUnknown && name_is_known) {
                continue;
            }
            let choices = self.find(*tier, table, asked);
            if !choices.is_empty() {
                return choices.iter().map(|hits| self.answer(hits, asked)).collect();
            }
        }
        vec![Answer::Refused(Refusal::UnknownModel)]
    }

    /// Returns the names that a caller of `team` is shown.
    pub fn listing(&self, table: &Table, team: Option<&str>) -> BTreeSet<String> {
        self.listing_of(table, team, |query| {
            let answers = self.lookup(table, query, "");
            answers.iter().any(|answer| !answer.candidates().is_empty())
        })
    }

    /// Returns the names that a caller of `team` is shown, where `is_answered` says which lookups find a row.
    pub(crate) fn listing_of(
        &self,
        table: &Table,
        team: Option<&str>,
        is_answered: impl Fn(&Query) -> bool,
    ) -> BTreeSet<String> {
        let visible = table.values().filter(|row| is_visible(row, team));
        let names = match self.semantics.listing {
            Listing::Answered => visible
                .map(Row::asked_name)
                .filter(|name| is_answered(&Query::new(name, team)))
                .collect::<BTreeSet<_>>(),
            Listing::Registered => visible.filter_map(registered_name).collect(),
        };
        names.into_iter().map(str::to_owned).collect()
    }

    /// Returns the rows that the tier finds: one list for each name that may win, and none if no name matches.
    fn find<'a>(&self, tier: TierSpec, table: &'a Table, asked: AskedName) -> Vec<Vec<Hit<'a>>> {
        let AskedName { query, retry, .. } = asked;
        let team = query.team.as_deref();
        let rows = table.values().filter(|row| match tier.of {
            Of::Own => row.team.is_some() && row.team.as_deref() == team,
            Of::Global => row.team.is_none(),
            Of::Visible => is_visible(row, team),
            Of::Loose => team.is_none() || is_visible(row, team),
            Of::All => true,
        });
        let named: Vec<(&str, &Row)> = rows.filter_map(|row| Some((text(row, tier.by)?, row))).collect();
        match tier.how {
            Match::Pattern => self.best_patterns(&named, &query.model, retry),
            Match::Exact | Match::Text => {
                let same = named.into_iter().filter(|(name, _)| {
                    let is_text = tier.how == Match::Text || !is_pattern(name);
                    *name == query.model && is_text
                });
                let hits: Vec<Hit> = same.map(|(_, row)| Hit::new(row, Vec::new(), &query.model)).collect();
                if hits.is_empty() { Vec::new() } else { vec![hits] }
            }
        }
    }

    /// Returns the rows of the best patterns that match; where none does, of the best that match `retry`.
    fn best_patterns<'a>(&self, named: &[(&str, &'a Row)], asked: &str, retry: Option<&str>) -> Vec<Vec<Hit<'a>>> {
        let found = self.best_for(named, asked);
        match retry.filter(|_| found.is_empty()) {
            Some(retry) => self.best_for(named, retry),
            None => found,
        }
    }

    fn best_for<'a>(&self, named: &[(&str, &'a Row)], asked: &str) -> Vec<Vec<Hit<'a>>> {
        let text = if self.semantics.spans_lines {
            asked
        } else {
            first_line(asked)
        };
        let mut by_name: BTreeMap<&str, Vec<Hit>> = BTreeMap::new();
        for (name, row) in named.iter().filter(|(name, _)| is_pattern(name)) {
            if let Some(captures) = self.patterns.captures(name, text, self.semantics.anchored_at_end) {
                by_name.entry(name).or_default().push(Hit::new(row, captures, asked));
            }
        }
        let precedence = self.semantics.precedence;
        let best = by_name.keys().map(|name| pattern_rank(name, precedence)).min();
        let wins = |name: &str| Some(pattern_rank(name, precedence)) == best;
        let (winning, _): (Vec<_>, Vec<_>) = by_name.iter_mut().partition(|(name, _)| wins(name));
        winning.into_iter().map(|(_, hits)| std::mem::take(hits)).collect()
    }

    fn answer(&self, hits: &[Hit], asked: AskedName) -> Answer {
        let checks_team = self.semantics.paths_that_check_teams.contains(&asked.path);
        let open = hits.iter().filter(|hit| {
            let blocked = hit.row.blocked && self.semantics.blocking == Blocking::Refuses;
            !blocked && (!checks_team || is_visible(hit.row, asked.query.team.as_deref()))
        });
        let candidates: Vec<Candidate> = open
            .map(|hit| Candidate {
                id: hit.row.id.clone(),
                model: self.target(hit, asked),
                tag: hit.row.tag.clone(),
            })
            .collect();
        if candidates.is_empty() {
            return Answer::Refused(Refusal::Blocked);
        }
        Answer::Candidates(candidates).sorted()
    }

    /// Returns the upstream model of a row that was found.
    fn target(&self, hit: &Hit, asked: AskedName) -> String {
        let target = self.fill(&hit.row.model, &hit.captures, &hit.asked);
        if self.semantics.filling != Filling::LenientTwice {
            return target;
        }
        match self.own_captures(hit.row, asked) {
            Some((captures, matched)) => self.fill(&target, &captures, matched),
            None => target,
        }
    }

    /// Returns what the first of the row's own names that matches captures, and the text that it was matched against.
    fn own_captures<'a>(&self, row: &Row, asked: AskedName<'a>) -> Option<(Vec<String>, &'a str)> {
        // The team's name counts here even where the row has no team.
        let names = [row.team_model_name.as_deref(), Some(row.model_name.as_str())];
        let names = names.into_iter().flatten().filter(|name| is_pattern(name));
        let texts = || [Some(asked.query.model.as_str()), asked.retry].into_iter().flatten();
        names
            .flat_map(|name| texts().map(move |text| (name, text)))
            .find_map(|(name, text)| {
                let captures = self
                    .patterns
                    .captures(name, first_line(text), self.semantics.anchored_at_end)?;
                Some((captures, text))
            })
    }

    /// Returns a target filled with what a pattern captured of `matched`.
    fn fill(&self, target: &str, captures: &[String], matched: &str) -> String {
        let stars = target.matches('*').count();
        if captures.is_empty() || stars == 0 {
            return target.to_owned();
        }
        match self.semantics.filling {
            Filling::Lenient | Filling::LenientTwice if captures.len() > stars => matched.to_owned(),
            Filling::Lenient | Filling::LenientTwice => captures
                .iter()
                .fold(target.to_owned(), |text, capture| text.replacen('*', capture, 1)),
            Filling::Exact => {
                let captures = captures.iter().map(String::as_str).chain(std::iter::once(""));
                target
                    .split('*')
                    .zip(captures)
                    .flat_map(|(literal, capture)| [literal, capture])
                    .collect()
            }
        }
    }
}

impl<'a> Hit<'a> {
    fn new(row: &'a Row, captures: Vec<String>, asked: &str) -> Self {
        Self {
            row,
            captures,
            asked: asked.to_owned(),
        }
    }
}

/// Returns what a regular expression of Python sees of a text that is matched from its start, where `.` matches no line break.
fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// Returns the text of a row by which a tier finds it; `None` where it has none.
fn text(row: &Row, by: By) -> Option<&str> {
    match by {
        By::AskedName => Some(row.asked_name()),
        By::ModelName => Some(&row.model_name),
        By::TeamName => row.team.as_ref().and(row.team_model_name.as_deref()),
        By::Id => Some(&row.id),
        By::Target => Some(&row.model),
    }
}

fn registered_name(row: &Row) -> Option<&str> {
    match row.team {
        None => Some(&row.model_name),
        Some(_) => row.team_model_name.as_deref(),
    }
}

/// Returns whether a text is empty, longer than `bytes_max` or holds a control character; `false` for every text where
/// there is no such limit.
fn is_bad(text: &str, bytes_max: Option<usize>) -> bool {
    bytes_max.is_some_and(|max| text.is_empty() || text.len() > max || text.chars().any(char::is_control))
}

/// Returns the first field with a bad text.
fn bad_text(row: &Row, bytes_max: Option<usize>) -> Option<&'static str> {
    let mut texts = vec![
        ("id", &row.id),
        ("model_name", &row.model_name),
        ("model", &row.model),
        ("tag", &row.tag),
    ];
    texts.extend(row.team.iter().map(|text| ("team", text)));
    texts.extend(row.team_model_name.iter().map(|text| ("team_model_name", text)));
    let mut bad = texts.into_iter().filter(|(_, text)| is_bad(text, bytes_max));
    bad.next().map(|(field, _)| field)
}

/// Returns whether a caller of `team` may see the row.
pub fn is_visible(row: &Row, team: Option<&str>) -> bool {
    row.team.is_none() || row.team.as_deref() == team
}
