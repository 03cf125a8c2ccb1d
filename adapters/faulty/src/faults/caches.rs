//! Faults of caches of answers in front of tables that are right.
//!
//! Such a fault shows only where what was asked, and in which order, is part of the trace.

use protocol::{Answer, Outcome, Query, Refusal, Row};

use crate::memo::{Kept, MEMO_ENTRIES_MAX};
use crate::steps::{Cause, Correct, Steps};
use crate::tables::{GLOBAL, Tables};

/// The number of stamps before they begin anew.
const STAMPS: u8 = 8;

/// Answers from the cache, or else from the tables, and keeps the answer.
fn cached(tables: &Tables, query: &Query, entries_max: usize) -> Answer {
    let (scope, name) = (query.team.as_deref().unwrap_or(GLOBAL), query.model.as_str());
    if let Some(answer) = tables.memo.answer(scope, name) {
        return answer;
    }
    let answer = Correct::lookup(tables, query);
    tables.memo.keep_answer(scope, name, &answer, entries_max);
    answer
}

/// Forgets the answers to the name that a row is asked for by, which is all that an exact key can tell.
fn forget_exact(tables: &Tables, row: &Row) {
    tables.memo.forget_answers(|kept| kept.name == row.asked_name());
}

/// Defines caches of answers that are told apart by their size alone.
macro_rules! caches_by_exact_key {
    ($($cache:ident: $entries:literal, $name:literal, $sentence:literal, $source:literal;)+) => {$(
        pub(super) struct $cache;

        impl Steps for $cache {
            const NAME: &'static str = $name;
            const SENTENCE: &'static str = $sentence;
            const SOURCE: &'static str = $source;

            fn register(tables: &mut Tables, row: &Row, at: usize) {
                forget_exact(tables, row);
                Correct::register(tables, row, at);
            }

            fn unregister(tables: &mut Tables, row: &Row, at: usize, cause: Cause<'_>) {
                forget_exact(tables, row);
                Correct::unregister(tables, row, at, cause);
            }

            fn clear(tables: &mut Tables) {
                tables.memo.forget_answers(|_| true);
                Correct::clear(tables);
            }

            fn lookup(tables: &Tables, query: &Query) -> Answer {
                cached(tables, query, $entries)
            }
        }
    )+};
}

caches_by_exact_key! {
    CacheOfOne: 1, "cache-of-one",
        "the last answer is kept, and a change drops it only where it was to the very name of the row",
        "apache/apisix#8119, with room for one answer";
    CacheOfFour: 4, "cache-of-four",
        "the last four answers are kept, and a change drops those to the very name of the row alone",
        "apache/apisix#8119, with room for four answers";
    CacheOfSixteen: 16, "cache-of-sixteen",
        "the last 16 answers are kept, and a change drops those to the very name of the row alone",
        "apache/apisix#8119, with room for 16 answers";
    CacheOfAThousand: 1_000, "cache-of-a-thousand",
        "the last 1,000 answers are kept, and a change drops those to the very name of the row alone",
        "apache/apisix#8119, with room for 1,000 answers";
}

pub(super) struct MissForgottenByName;

impl Steps for MissForgottenByName {
    const NAME: &'static str = "miss-forgotten-by-name";
    const SENTENCE: &'static str = "a name that was unknown once stays unknown until a row of that very name comes";
    const SOURCE: &'static str = "Kong/kong#5397, with the cache of misses cleared by key";

    fn register(tables: &mut Tables, row: &Row, at: usize) {
        tables.memo.forget_miss(row.asked_name());
        Correct::register(tables, row, at);
    }

    fn forget_misses(_tables: &mut Tables) {}
}

pub(super) struct StampWraps;

impl Steps for StampWraps {
    const NAME: &'static str = "stamp-wraps";
    const SENTENCE: &'static str =
        "an answer is kept while the table has its stamp, and the eighth change brings it back";
    const SOURCE: &'static str = "a version counter of three bits; the ABA problem, Treiber, IBM RJ 5118, 1986";

    fn forget(tables: &mut Tables) {
        tables.memo.stamp(STAMPS);
        Correct::forget(tables);
    }

    fn lookup(tables: &Tables, query: &Query) -> Answer {
        cached(tables, query, MEMO_ENTRIES_MAX)
    }
}

pub(super) struct FirstCandidateIndexed;

impl Steps for FirstCandidateIndexed {
    const NAME: &'static str = "first-candidate-indexed";
    const SENTENCE: &'static str = "an update drops the kept answers in which its row comes first, and no others";
    const SOURCE: &'static str = "a reverse index from rows to kept answers that holds one row of each answer";

    fn upsert_new(tables: &mut Tables, row: &Row) {
        tables.memo.forget_answers(|_| true);
        Correct::upsert_new(tables, row);
    }

    fn add(tables: &mut Tables, row: &Row) -> Outcome {
        tables.memo.forget_answers(|_| true);
        Correct::add(tables, row)
    }

    fn register(tables: &mut Tables, row: &Row, at: usize) {
        tables.memo.forget_answers(|kept| kept.answer.candidates().is_empty());
        Correct::register(tables, row, at);
    }

    fn unregister(tables: &mut Tables, row: &Row, at: usize, cause: Cause<'_>) {
        let is_first = |kept: &Kept| {
            let first = kept.answer.candidates().first();
            first.is_some_and(|first| first.id == row.id)
        };
        let stays = matches!(cause, Cause::Update(to) if to.asked_name() == row.asked_name());
        tables.memo.forget_answers(|kept| !stays || is_first(kept));
        Correct::unregister(tables, row, at, cause);
    }

    fn clear(tables: &mut Tables) {
        tables.memo.forget_answers(|_| true);
        Correct::clear(tables);
    }

    fn lookup(tables: &Tables, query: &Query) -> Answer {
        cached(tables, query, MEMO_ENTRIES_MAX)
    }
}

pub(super) struct FirstLookupKept;

impl Steps for FirstLookupKept {
    const NAME: &'static str = "first-lookup-kept";
    const SENTENCE: &'static str = "the answer to the first lookup of a name is kept for good";
    const SOURCE: &'static str = "apache/apisix#8119, where nothing clears the cache";

    fn lookup(tables: &Tables, query: &Query) -> Answer {
        cached(tables, query, MEMO_ENTRIES_MAX)
    }
}

pub(super) struct PinOutlivesRow;

impl Steps for PinOutlivesRow {
    const NAME: &'static str = "pin-outlives-row";
    const SENTENCE: &'static str = "a caller stays pinned to the row that served it, after that row is deleted too";
    const SOURCE: &'static str = "an affinity record that is not dropped with its backend, as sessions are pinned";

    fn lookup(tables: &Tables, query: &Query) -> Answer {
        let (scope, name) = (query.team.as_deref().unwrap_or(GLOBAL), query.model.as_str());
        let answer = Correct::lookup(tables, query);
        if answer == Answer::Refused(Refusal::UnknownModel) {
            return tables.memo.answer(scope, name).unwrap_or(answer);
        }
        if let Some(first) = answer.candidates().first() {
            let pin = Answer::Candidates(vec![first.clone()]);
            tables.memo.keep_answer(scope, name, &pin, MEMO_ENTRIES_MAX);
        }
        answer
    }
}
