//! A cause in one line of words, made from its key alone.

use std::collections::BTreeSet;

use model::{CauseKey, Left, Race, Remains, RowChange, RuleId, Schedule, Until, Wrong};
use protocol::Place;

/// The headline of a cause.
pub(crate) fn headline(key: &CauseKey) -> String {
    match key {
        CauseKey::Applied {
            verb,
            shows,
            structures,
            extras,
        } => {
            let place = if structures.is_empty() {
                String::new()
            } else {
                format!(" in {}", listed(structures))
            };
            format!("{}{place}{}", applied(verb, *shows), with(extras))
        }
        CauseKey::RefusedRow { remains } => match remains {
            Remains::Held => "A refused row is held as if it had been accepted",
            Remains::Lost => "A refused update loses the row that it was to change",
            Remains::LeftBehind => "A refused change leaves something behind",
        }
        .to_owned(),
        CauseKey::RefusedList => "A refused list is loaded in part, or empties the table".to_owned(),
        CauseKey::Unbuildable { verb, reason } => {
            format!("An accepted {} makes the next start fail: {reason}", noun(verb))
        }
        CauseKey::AskedBefore => "An answer depends on what was asked before".to_owned(),
        CauseKey::Lookup {
            rule,
            class,
            by_id,
            extras,
            ..
        } => {
            let by = match (rule, *by_id) {
                (_, true) => " by its id",
                (RuleId::Scoped | RuleId::NotBlocked, false) if class != "listed" => " by name or pattern",
                _ => "",
            };
            format!("{}{by}{}", lookup(*rule, class), with(extras))
        }
        CauseKey::Growth {
            structure,
            fewer: false,
        } => format!("{structure} only grows"),
        CauseKey::Growth { structure, fewer: true } => format!("{structure} lacks what a restart puts there"),
        CauseKey::NotCarriedOut { verb } => format!("{} is taken for no change", subject(verb)),
        CauseKey::LeftOut { extras } => format!("An accepted row is left out{}", with(extras)),
        CauseKey::Decision { class, verb, reason } => {
            let decided = match class.as_str() {
                "wrongly-accepted" => format!("An invalid {} is accepted", noun(verb)),
                _ => format!("A valid {} is refused", noun(verb)),
            };
            format!("{decided}: {reason}")
        }
        CauseKey::Schedule(schedule) => of_schedule(schedule),
        CauseKey::Unexplained { rule, class } => format!("{rule} is broken ({class}); the step to blame is not known"),
    }
}

fn of_schedule(schedule: &Schedule) -> String {
    let Schedule {
        race,
        store,
        change,
        restarts,
        by_pattern,
        left,
        structure,
        until,
    } = schedule;
    if let Some(what) = whatever_the_schedule(*left) {
        return what.to_owned();
    }
    if let Some(structure) = structure {
        return format!("{structure} has another size than on a fresh replica");
    }
    let when = steps_of(race.as_ref(), store, *change);
    let restarted = if *restarts { " and a restart" } else { "" };
    let by = match by_pattern {
        Some(true) => ", by pattern",
        Some(false) => ", by name",
        None => "",
    };
    let until = match until {
        Some(Until::Poll) => ", until the next poll",
        Some(Until::Never) => ", and no poll ends it",
        None => "",
    };
    format!("{when}{restarted}: {}{by}{until}", left_behind(*left))
}

/// The headline of what a router answers whatever led to its state.
fn whatever_the_schedule(left: Left) -> Option<&'static str> {
    match left {
        Left::OtherTeam => Some("Another team's deployment is served"),
        Left::Blocked => Some("A blocked deployment is served"),
        Left::Target => Some("A request is sent to another upstream model than the row says"),
        _ => None,
    }
}

/// The schedule of a fleet, as a phrase that begins a sentence.
fn steps_of(race: Option<&Race>, store: &BTreeSet<String>, change: Option<RowChange>) -> String {
    let while_store = if store.is_empty() {
        String::new()
    } else {
        format!(" while the store {}", listed(store))
    };
    if let Some(Race {
        held,
        until,
        here,
        elsewhere,
    }) = race
    {
        let mut passing = Vec::new();
        if !here.is_empty() {
            passing.push(format!("{} here", listed(here)));
        }
        if !elsewhere.is_empty() {
            passing.push(format!("{} elsewhere", listed(elsewhere)));
        }
        let passed = if passing.is_empty() {
            String::new()
        } else {
            format!(", passed by {}", passing.join(" and "))
        };
        return format!("A {held} held {}{passed}{while_store}", place(*until));
    }
    let what = match change {
        Some(RowChange::Addition) => "After an addition",
        Some(RowChange::Update) => "After an update",
        Some(RowChange::Delete) => "After a delete",
        None => "From the start",
    };
    format!("{what}{while_store}")
}

fn place(place: Place) -> &'static str {
    match place {
        Place::BeforeRead => "before its read",
        Place::AfterRead => "after its read",
        Place::BeforeWrite => "before its write",
        Place::AfterWrite => "after its write",
    }
}

fn left_behind(left: Left) -> &'static str {
    match left {
        Left::Old => "a version is served that should not be",
        Left::Missing => "a row is missing",
        Left::Twice => "a row comes twice",
        Left::Size => "a structure has another size",
        Left::Write => "an acknowledged write is lost in the store",
        Left::Stuck => "no poll of a replica gets through any more",
        Left::Decision => "a change is decided wrongly",
        Left::OtherTeam | Left::Blocked | Left::Target | Left::Other => "a replica answers as it should not",
    }
}

fn applied(verb: &str, shows: Wrong) -> String {
    let subject = subject(verb);
    match (verb, shows) {
        ("delete", Wrong::Kept) => "A delete leaves the row behind".to_owned(),
        ("replace", Wrong::Kept) => "Loading a new list keeps rows of the old one".to_owned(),
        (_, Wrong::Kept) => format!("{subject} leaves the old version behind"),
        (_, Wrong::New) => format!("{subject} serves a row that a restart leaves out"),
        (_, Wrong::Hides) => format!("{subject} hides a row that a restart serves"),
        (_, Wrong::Breaks) => format!("{subject} makes lookups break"),
        (_, Wrong::Ignored) => format!("{subject} is accepted and changes nothing"),
    }
}

fn lookup(rule: RuleId, class: &str) -> String {
    match (rule, class) {
        (RuleId::Scoped, "listed") => "Another team's name is listed",
        (RuleId::Scoped, _) => "Another team's deployment is served",
        (RuleId::NotBlocked, _) => "A blocked deployment is served",
        (RuleId::OrderFree, "unbuildable") => "A start fails in one order of the rows, and not in another",
        (RuleId::OrderFree, _) => "An answer depends on the order in which rows were loaded",
        (RuleId::Resolved, "wrong-model") => "A request is sent to another upstream model than the row says",
        (RuleId::Resolved, _) => "A row answers what another should, or none",
        (RuleId::Complete, "missing") => "A row is left out beside others",
        (RuleId::Complete, "refused") => "A row that should answer is not found",
        (RuleId::Complete, "refusal-kind") => "A request is refused for the wrong reason",
        (RuleId::Complete, "failed") => "A lookup breaks",
        (RuleId::NoDuplicate, _) => "A row is served more than once",
        (RuleId::Current, _) => "A row is served that is not current",
        (RuleId::Listing, "hidden") => "A name that is answered is not listed",
        (RuleId::Listing, _) => "A name is listed that is not answered",
        _ => return format!("{rule} is broken ({class})"),
    }
    .to_owned()
}

/// The change of that verb, as the subject of a sentence.
fn subject(verb: &str) -> &'static str {
    match verb {
        "upsert" => "An update",
        "add" => "An addition",
        "delete" => "A delete",
        "replace" => "Loading a new list",
        _ => "A construction",
    }
}

fn noun(verb: &str) -> &'static str {
    match verb {
        "upsert" => "update",
        "add" => "addition",
        "delete" => "delete",
        "replace" => "list",
        _ => "construction",
    }
}

fn with(extras: &BTreeSet<String>) -> String {
    if extras.is_empty() {
        return String::new();
    }
    format!(", with {}", listed(extras))
}

fn listed(texts: &BTreeSet<String>) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_is_made_of_the_parameters_of_its_key() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let applied = |verb: &str, shows, structures: &[&str], extras: &[&str]| CauseKey::Applied {
            verb: verb.to_owned(),
            shows,
            structures: texts(structures),
            extras: texts(extras),
        };
        let lookup = |rule, class: &str, by_id| CauseKey::Lookup {
            rule,
            class: class.to_owned(),
            paths: texts(&["sync"]),
            by_id,
            extras: texts(&[]),
        };
        #[rustfmt::skip]
        let rows = [
            (applied("replace", Wrong::Kept, &["pattern_router"], &[]), "Loading a new list keeps rows of the old one in pattern_router"),
            (applied("upsert", Wrong::Kept, &[], &["organizations"]), "An update leaves the old version behind, with organizations"),
            (applied("upsert", Wrong::New, &[], &[]), "An update serves a row that a restart leaves out"),
            (applied("add", Wrong::Ignored, &[], &[]), "An addition is accepted and changes nothing"),
            (lookup(RuleId::Scoped, "other-team", true), "Another team's deployment is served by its id"),
            (lookup(RuleId::Listing, "hidden", false), "A name that is answered is not listed"),
            (applied("delete", Wrong::Breaks, &[], &[]), "A delete makes lookups break"),
            (lookup(RuleId::OrderFree, "unbuildable", false), "A start fails in one order of the rows, and not in another"),
            (CauseKey::Unexplained { rule: RuleId::Current, class: "stale".to_owned() }, "current is broken (stale); the step to blame is not known"),
            (lookup(RuleId::Heals, "other", false), "heals is broken (other)"),
            (CauseKey::Growth { structure: "names".to_owned(), fewer: false }, "names only grows"),
            (CauseKey::Growth { structure: "names".to_owned(), fewer: true }, "names lacks what a restart puts there"),
            (
                CauseKey::Unbuildable { verb: "upsert".to_owned(), reason: "no _ is held".to_owned() },
                "An accepted update makes the next start fail: no _ is held",
            ),
        ];
        for (key, expected) in rows {
            assert_eq!(headline(&key), expected, "{key:?}");
        }
    }

    #[test]
    fn a_headline_of_a_schedule_says_when_what_and_how_long() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let plain = |store: &[&str], change, until, restarts| {
            CauseKey::Schedule(Schedule {
                race: None,
                store: texts(store),
                change,
                restarts,
                by_pattern: None,
                left: Left::Old,
                structure: None,
                until,
            })
        };
        let race = |held: &str, until, here: &[&str], elsewhere: &[&str]| {
            CauseKey::Schedule(Schedule {
                race: Some(Race {
                    held: held.to_owned(),
                    until,
                    here: texts(here),
                    elsewhere: texts(elsewhere),
                }),
                store: texts(&[]),
                change: None,
                restarts: false,
                by_pattern: Some(false),
                left: Left::Missing,
                structure: None,
                until: None,
            })
        };
        #[rustfmt::skip]
        let rows = [
            (race("patch", Place::AfterRead, &["delete"], &["poll"]), "A patch held after its read, passed by delete here and poll elsewhere: a row is missing, by name"),
            (plain(&["shows no row"], Some(RowChange::Update), None, true), "After an update while the store shows no row and a restart: a version is served that should not be"),
            (plain(&[], Some(RowChange::Delete), Some(Until::Never), false), "After a delete: a version is served that should not be, and no poll ends it"),
            (plain(&[], Some(RowChange::Addition), Some(Until::Poll), false), "After an addition: a version is served that should not be, until the next poll"),
            (plain(&[], None, None, false), "From the start: a version is served that should not be"),
            (CauseKey::Schedule(Schedule { left: Left::Size, structure: Some("names".to_owned()), ..Schedule::default() }), "names has another size than on a fresh replica"),
            (CauseKey::Schedule(Schedule { left: Left::OtherTeam, ..Schedule::default() }), "Another team's deployment is served"),
        ];
        for (key, expected) in rows {
            assert_eq!(headline(&key), expected, "{key:?}");
        }
    }
}
