//! The planted faults, by name.
//!
//! Each is a unit struct that overrides one of the [`Steps`]. A caller reaches them through [`FAULTS`], as a
//! [`RouterUnderTest`] by [`Fault::router`], and as a type by [`with`] and [`each`].

mod caches;
mod delete;
mod lookup;
mod patterns;
mod replace;
mod report;
mod update;

use std::fmt::Debug;
use std::hash::Hash;

use protocol::{InProcess, Local, RouterUnderTest};

use crate::router::Router;
use crate::steps::{Correct, Steps};

/// A planted fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The name of the fault, in kebab case.
    pub name: &'static str,
    /// The description of the fault, as a sentence.
    pub sentence: &'static str,
    /// The issue or the measurement that it is modelled on.
    pub source: &'static str,
    make: fn() -> Box<dyn RouterUnderTest + Send>,
}

impl Fault {
    const fn of<S: Steps>() -> Self {
        Self {
            name: S::NAME,
            sentence: S::SENTENCE,
            source: S::SOURCE,
            make: make::<S>,
        }
    }

    /// A fresh router with this fault.
    pub fn router(&self) -> Box<dyn RouterUnderTest + Send> {
        (self.make)()
    }
}

fn make<S: Steps>() -> Box<dyn RouterUnderTest + Send> {
    Box::new(InProcess::new(Router::<S>::default()))
}

/// A router of this crate, which an explorer can copy, compare and send to another thread.
pub trait Trial: Local + Clone + Debug + Default + Eq + Hash + Send + Sync + 'static {}

impl<R: Local + Clone + Debug + Default + Eq + Hash + Send + Sync + 'static> Trial for R {}

/// Code that is generic over the router.
pub trait Visit {
    /// The result for one router.
    type Output;

    /// Runs it on the router with this fault.
    fn visit<R: Trial>(self, fault: &'static Fault) -> Self::Output;
}

/// The router without a fault, under the name `none`. It is not one of the [`FAULTS`].
pub static NO_FAULT: Fault = Fault::of::<Correct>();

/// The fault of this name, or [`NO_FAULT`].
pub fn find(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().chain([&NO_FAULT]).find(|fault| fault.name == name)
}

/// Runs `visitor` on the router with the fault of this name; nothing if there is no such fault.
pub fn with<V: Visit>(name: &str, visitor: V) -> Option<V::Output> {
    dispatch(find(name)?, visitor)
}

/// Runs `visitor` on the router with each fault, in the order of [`FAULTS`].
pub fn each<V: Visit + Clone>(visitor: &V) -> Vec<V::Output> {
    FAULTS
        .iter()
        .filter_map(|fault| dispatch(fault, visitor.clone()))
        .collect()
}

/// Lists the types of the faults once, for the registry and for the way from a name to a type.
macro_rules! faults {
    ($($steps:ty),+ $(,)?) => {
        /// All planted faults.
        pub static FAULTS: &[Fault] = &[$(Fault::of::<$steps>()),+];

        fn dispatch<V: Visit>(fault: &'static Fault, visitor: V) -> Option<V::Output> {
            $(if fault.name == <$steps>::NAME {
                return Some(visitor.visit::<Router<$steps>>(fault));
            })+
            (fault.name == Correct::NAME).then(|| visitor.visit::<Router<Correct>>(fault))
        }
    };
}

faults![
    update::UpsertKeepsGlobalPattern,
    update::UpsertKeepsTeamPattern,
    update::RenameIgnored,
    update::RenameKeepsOldName,
    update::TeamNameChangeIgnored,
    update::TeamChangeKeepsOldTeam,
    update::TagChangeIgnored,
    update::WeightChangeIgnored,
    update::BlockIgnored,
    update::UnblockIgnored,
    update::NewRowDropped,
    update::AddOverwrites,
    update::RefusedUpdateHalfRegisters,
    update::RefusedUpdateLosesOldRow,
    update::RefusalSwallowed,
    update::RefusalFreezes,
    update::MismatchedWildcardsTaken,
    update::TargetsOnlyGrow,
    delete::DeleteKeepsGlobalPattern,
    delete::DeleteKeepsTeamPattern,
    delete::DeleteKeepsExactIndex,
    delete::DeleteKeepsTeamIndex,
    delete::DeleteKeepsId,
    delete::DeleteByPrefix,
    delete::LastRowStays,
    delete::IdsIgnoreCase,
    delete::IndexNotShifted,
    delete::IndexShiftStopsEarly,
    delete::NamesOnlyGrow,
    delete::EmptyTeamNameShadows,
    replace::ReplaceKeepsGlobalPatterns,
    replace::ReplaceKeepsTeamPatterns,
    replace::ReplaceKeepsExactIndex,
    replace::EmptyReplaceIgnored,
    replace::RefusedReplaceEmptiesTable,
    replace::RefusedReplaceLoadsTheRest,
    replace::ReplaceTakesDoubleIds,
    replace::SharedIdsKeepPatterns,
    lookup::BlockedPatternsServed,
    lookup::BlockedIdsServed,
    lookup::BlockedFallsThrough,
    lookup::IdIgnoresTeam,
    lookup::TeamlessSeesTeamNames,
    lookup::ForeignTeamPatterns,
    lookup::IdsFirst,
    lookup::GlobalPatternsFirst,
    lookup::ResolvedNameKept,
    lookup::MissRemembered,
    caches::MissForgottenByName,
    caches::FirstLookupKept,
    caches::CacheOfOne,
    caches::CacheOfFour,
    caches::CacheOfSixteen,
    caches::CacheOfAThousand,
    caches::FirstCandidateIndexed,
    caches::StampWraps,
    caches::PinOutlivesRow,
    patterns::TiesByInsertion,
    patterns::FirstPatternWins,
    patterns::EscapedLengthDecides,
    patterns::FifthPatternIgnored,
    patterns::EndUnanchored,
    patterns::DotUnescaped,
    patterns::StarNeedsACharacter,
    patterns::CapturesShortest,
    patterns::CapturesSwapped,
    patterns::FirstCaptureEverywhere,
    report::ListingKeepsOldNames,
    report::ListingShowsBlocked,
    report::ListingLeaksTeams,
    report::ListingOmitsTeamNames,
    report::NewNamesUnlisted,
    report::ClaimsOmitBlocked,
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

    #[derive(Clone)]
    struct NameOfType;

    impl Visit for NameOfType {
        type Output = (String, &'static str);

        fn visit<R: Trial>(self, fault: &'static Fault) -> Self::Output {
            (R::describe().router, fault.name)
        }
    }

    #[test]
    fn a_name_leads_to_its_own_type() {
        let visited = each(&NameOfType);
        assert_eq!(visited.len(), FAULTS.len());
        for (router, name) in visited.into_iter().chain(with("none", NameOfType)) {
            assert_eq!(router, format!("faulty:{name}"));
        }
        for fault in FAULTS {
            assert_eq!(fault.router().hello().router, format!("faulty:{}", fault.name));
        }
        assert!(with("no-such-fault", NameOfType).is_none());
    }
}
