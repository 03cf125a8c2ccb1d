//! The planted faults, by name.
//!
//! Each is a unit struct that overrides one of the [`Steps`]. A caller reaches them through [`FAULTS`] and [`find`], and
//! their routers by [`Fault::router`] or [`Router::new`](crate::Router::new).

mod caches;
mod delete;
mod lookup;
mod patterns;
mod replace;
mod report;
mod update;

use std::fmt;
use std::hash::{Hash, Hasher};

use protocol::{Answer, Outcome, Query, Row};

use crate::steps::{Correct, Steps};
use crate::tables::Tables;

/// A planted fault. Equality and hash are those of its name, which no other fault has.
#[derive(Clone, Copy)]
pub struct Fault {
    /// The name of the fault, in kebab case.
    pub name: &'static str,
    /// The description of the fault, as a sentence.
    pub sentence: &'static str,
    /// The issue or the measurement that it is modelled on.
    pub source: &'static str,
    pub(crate) calls: Calls,
}

/// The steps of one fault that a router calls, through which it reaches all others.
///
/// Pointers, so that only this crate compiles code for each fault: whoever explores a router, or puts it on trial, is
/// compiled for one type of it.
#[derive(Clone, Copy)]
pub(crate) struct Calls {
    pub upsert: fn(&mut Tables, &Row) -> Outcome,
    pub add: fn(&mut Tables, &Row) -> Outcome,
    pub delete: fn(&mut Tables, &str) -> Outcome,
    pub replace: fn(&mut Tables, &[Row]) -> Outcome,
    pub forget: fn(&mut Tables),
    pub lookup: fn(&Tables, &Query) -> Answer,
    pub listing: fn(&Tables, Option<&str>) -> Vec<String>,
    pub held: fn(&Tables) -> Vec<String>,
}

impl Fault {
    const fn of<S: Steps>() -> Self {
        Self {
            name: S::NAME,
            sentence: S::SENTENCE,
            source: S::SOURCE,
            calls: Calls {
                upsert: S::upsert,
                add: S::add,
                delete: S::delete,
                replace: S::replace,
                forget: S::forget,
                lookup: S::lookup,
                listing: S::listing,
                held: S::held,
            },
        }
    }
}

impl PartialEq for Fault {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Fault {}

impl Hash for Fault {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fault").field(&self.name).finish()
    }
}

/// The router without a fault, under the name `none`. It is not one of the [`FAULTS`].
pub static NO_FAULT: Fault = Fault::of::<Correct>();

/// The fault of this name, or [`NO_FAULT`].
pub fn find(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().chain([&NO_FAULT]).find(|fault| fault.name == name)
}

/// All planted faults.
pub static FAULTS: &[Fault] = &[
    Fault::of::<update::UpsertKeepsGlobalPattern>(),
    Fault::of::<update::UpsertKeepsTeamPattern>(),
    Fault::of::<update::RenameIgnored>(),
    Fault::of::<update::RenameKeepsOldName>(),
    Fault::of::<update::TeamNameChangeIgnored>(),
    Fault::of::<update::TeamChangeKeepsOldTeam>(),
    Fault::of::<update::TagChangeIgnored>(),
    Fault::of::<update::WeightChangeIgnored>(),
    Fault::of::<update::BlockIgnored>(),
    Fault::of::<update::UnblockIgnored>(),
    Fault::of::<update::NewRowDropped>(),
    Fault::of::<update::AddOverwrites>(),
    Fault::of::<update::RefusedUpdateHalfRegisters>(),
    Fault::of::<update::RefusedUpdateLosesOldRow>(),
    Fault::of::<update::RefusalSwallowed>(),
    Fault::of::<update::RefusalFreezes>(),
    Fault::of::<update::MismatchedWildcardsTaken>(),
    Fault::of::<update::TargetsOnlyGrow>(),
    Fault::of::<delete::DeleteKeepsGlobalPattern>(),
    Fault::of::<delete::DeleteKeepsTeamPattern>(),
    Fault::of::<delete::DeleteKeepsExactIndex>(),
    Fault::of::<delete::DeleteKeepsTeamIndex>(),
    Fault::of::<delete::DeleteKeepsId>(),
    Fault::of::<delete::DeleteByPrefix>(),
    Fault::of::<delete::LastRowStays>(),
    Fault::of::<delete::IdsIgnoreCase>(),
    Fault::of::<delete::IndexNotShifted>(),
    Fault::of::<delete::IndexShiftStopsEarly>(),
    Fault::of::<delete::NamesOnlyGrow>(),
    Fault::of::<delete::EmptyTeamNameShadows>(),
    Fault::of::<replace::ReplaceKeepsGlobalPatterns>(),
    Fault::of::<replace::ReplaceKeepsTeamPatterns>(),
    Fault::of::<replace::ReplaceKeepsExactIndex>(),
    Fault::of::<replace::EmptyReplaceIgnored>(),
    Fault::of::<replace::RefusedReplaceEmptiesTable>(),
    Fault::of::<replace::RefusedReplaceLoadsTheRest>(),
    Fault::of::<replace::ReplaceTakesDoubleIds>(),
    Fault::of::<replace::SharedIdsKeepPatterns>(),
    Fault::of::<lookup::BlockedPatternsServed>(),
    Fault::of::<lookup::BlockedIdsServed>(),
    Fault::of::<lookup::BlockedFallsThrough>(),
    Fault::of::<lookup::IdIgnoresTeam>(),
    Fault::of::<lookup::TeamlessSeesTeamNames>(),
    Fault::of::<lookup::ForeignTeamPatterns>(),
    Fault::of::<lookup::IdsFirst>(),
    Fault::of::<lookup::GlobalPatternsFirst>(),
    Fault::of::<lookup::ResolvedNameKept>(),
    Fault::of::<lookup::MissRemembered>(),
    Fault::of::<caches::MissForgottenByName>(),
    Fault::of::<caches::FirstLookupKept>(),
    Fault::of::<caches::CacheOfOne>(),
    Fault::of::<caches::CacheOfFour>(),
    Fault::of::<caches::CacheOfSixteen>(),
    Fault::of::<caches::CacheOfAThousand>(),
    Fault::of::<caches::FirstCandidateIndexed>(),
    Fault::of::<caches::StampWraps>(),
    Fault::of::<caches::PinOutlivesRow>(),
    Fault::of::<patterns::TiesByInsertion>(),
    Fault::of::<patterns::FirstPatternWins>(),
    Fault::of::<patterns::EscapedLengthDecides>(),
    Fault::of::<patterns::FifthPatternIgnored>(),
    Fault::of::<patterns::EndUnanchored>(),
    Fault::of::<patterns::DotUnescaped>(),
    Fault::of::<patterns::StarNeedsACharacter>(),
    Fault::of::<patterns::CapturesShortest>(),
    Fault::of::<patterns::CapturesSwapped>(),
    Fault::of::<patterns::FirstCaptureEverywhere>(),
    Fault::of::<report::ListingKeepsOldNames>(),
    Fault::of::<report::ListingShowsBlocked>(),
    Fault::of::<report::ListingLeaksTeams>(),
    Fault::of::<report::ListingOmitsTeamNames>(),
    Fault::of::<report::NewNamesUnlisted>(),
    Fault::of::<report::ClaimsOmitBlocked>(),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_kebab_case() {
        let names: BTreeSet<&str> = FAULTS.iter().map(|fault| fault.name).collect();
        assert_eq!(names.len(), FAULTS.len());
        for fault in FAULTS.iter().chain([&NO_FAULT]) {
            let kebab = |character: char| character.is_ascii_lowercase() || character == '-';
            assert!(fault.name.chars().all(kebab), "{}", fault.name);
            assert!(!fault.sentence.is_empty(), "{}", fault.name);
            assert!(!fault.source.is_empty(), "{}", fault.name);
        }
    }

    #[test]
    fn a_name_leads_to_the_router_of_its_fault() {
        for fault in FAULTS.iter().chain([&NO_FAULT]) {
            let found = find(fault.name).expect("it is registered");
            assert_eq!(found.router().hello().router, format!("faulty:{}", fault.name));
        }
        assert!(find("no-such-fault").is_none());
    }
}
