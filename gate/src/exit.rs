//! The table of exit codes: part of the stable interface, and the only place that knows them.
//!
//! The help text, the man page and the book take the table from [`Exit::ALL`].

use std::fmt::Write as _;
use std::process::ExitCode;

/// The end of a run of `routeproof`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Every rule that was asked for was checked and held; or a command that judges nothing succeeded.
    Conforms,
    /// At least one rule was broken.
    Violation,
    /// The command line, a file or a name in it is wrong; or output that cannot be written.
    Usage,
    /// At least one rule could not be judged.
    Inconclusive,
    /// No rule was judged at all.
    NothingRan,
    /// The adapter failed, so that nothing is known of the router.
    AdapterFault,
    /// Routeproof itself broke.
    Internal,
}

impl Exit {
    /// Every exit code, in ascending order.
    pub const ALL: [Self; 7] = [
        Self::Conforms,
        Self::Violation,
        Self::Usage,
        Self::Inconclusive,
        Self::NothingRan,
        Self::AdapterFault,
        Self::Internal,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Conforms => 0,
            Self::Violation => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::NothingRan => 4,
            Self::AdapterFault => 5,
            Self::Internal => 70,
        }
    }

    /// The word for it in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conforms => "conforms",
            Self::Violation => "violation",
            Self::Usage => "usage",
            Self::Inconclusive => "inconclusive",
            Self::NothingRan => "nothing ran",
            Self::AdapterFault => "adapter fault",
            Self::Internal => "our own bug",
        }
    }

    /// The meaning, and what does not follow from it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Conforms => {
                "every rule that was asked for was checked and held; or a command that judges nothing succeeded"
            }
            Self::Violation => "at least one rule was broken, and the report shows how",
            Self::Usage => {
                "the command line, a file or a name in it is wrong, and nothing was tried; or what was to be written could not be"
            }
            Self::Inconclusive => {
                "no rule was broken, but one could not be judged: it never had anything to check, or a limit cut the run"
            }
            Self::NothingRan => "nothing was judged: no trace, rule or known issue was left to run",
            Self::AdapterFault => {
                "the adapter is missing, ended, hung or broke the protocol; this says nothing about the router behind it"
            }
            Self::Internal => "routeproof itself broke; please report it with the text on stderr",
        }
    }

    /// The table as lines of plain text.
    pub fn table() -> String {
        let mut text = String::new();
        for exit in Self::ALL {
            writeln!(text, "  {:>2}  {}: {}", exit.code(), exit.name(), exit.meaning())
                .expect("a string takes any text");
        }
        text
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_stable_interface() {
        let codes = Exit::ALL.map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 70]);
        assert!(codes.is_sorted());
    }

    #[test]
    fn the_table_has_a_line_for_each() {
        assert_eq!(Exit::table().lines().count(), Exit::ALL.len());
        assert!(Exit::table().contains("\n   5  adapter fault: the adapter is missing"));
    }
}
