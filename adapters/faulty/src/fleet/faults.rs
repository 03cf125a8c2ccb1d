//! The planted faults of fleets, by name: each is one choice that differs from those of the fleet without a fault.

use crate::faults::Fault;

/// A planted fault of a fleet.
#[derive(Clone, Copy, Debug)]
pub struct FleetFault {
    /// The name of the fault, in kebab case.
    pub name: &'static str,
    /// The description of the fault, as a sentence.
    pub sentence: &'static str,
    /// The issue or the measurement that it is modelled on.
    pub source: &'static str,
    pub(super) choices: Choices,
}

/// The way in which replicas follow their store, and the store keeps what is written: one choice after the other.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a choice of its own that a fault turns"
)]
pub(super) struct Choices {
    /// A reading that is older than what is there is passed over.
    pub checks_revision: bool,
    /// A reading without any row is held against the number of rows that the store has.
    pub checks_empty: bool,
    /// The most rows that a poll reads.
    pub reads_max: usize,
    /// A poll removes the rows that the store has no more.
    pub removes_deleted: bool,
    /// A reading with a row that must be refused is refused as a whole, and what was there stays.
    pub keeps_on_bad_reading: bool,
    /// A write is served when it is acknowledged, not from the next poll on.
    pub serves_writes: bool,
    /// A deletion that was made here is remembered until a reading has it.
    pub remembers_deletions: bool,
    /// Rows that must be refused are refused.
    pub refuses_invalid: bool,
    /// A refused write leaves the row that was there.
    pub keeps_on_refusal: bool,
    /// Rows go on serving while a write is under way.
    pub serves_meanwhile: bool,
    /// A patch is written on the condition that its row is as it was read.
    pub patches_on_condition: bool,
    /// A write that the store did not make is told as such.
    pub tells_conflicts: bool,
    /// A poll that fails lets the next one read.
    pub unlocks_on_failure: bool,
    /// A notification makes the replica poll, and not read the one row that it names.
    pub polls_on_notice: bool,
    /// The planted fault of the router that each replica answers by.
    pub router: &'static str,
    pub store: StoreChoices,
}

/// The way in which the store keeps what is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreChoices {
    /// A conditional write is made on its condition alone.
    pub checks_condition: bool,
    /// A deletion is made when the store says so.
    pub makes_deletions: bool,
    /// An update keeps the fields that it does not bring as they are.
    pub keeps_other_fields: bool,
}

/// The choices of the fleet without a fault.
const RIGHT: Choices = Choices {
    checks_revision: true,
    checks_empty: true,
    reads_max: usize::MAX,
    removes_deleted: true,
    keeps_on_bad_reading: true,
    serves_writes: true,
    remembers_deletions: true,
    refuses_invalid: true,
    keeps_on_refusal: true,
    serves_meanwhile: true,
    patches_on_condition: true,
    tells_conflicts: true,
    unlocks_on_failure: true,
    polls_on_notice: true,
    router: "none",
    store: RIGHT_STORE,
};

const RIGHT_STORE: StoreChoices = StoreChoices {
    checks_condition: true,
    makes_deletions: true,
    keeps_other_fields: true,
};

/// The fleet without a fault.
pub const NO_FLEET_FAULT: FleetFault = FleetFault {
    name: "none",
    sentence: "replicas follow the store",
    source: "the naive statement of how a replica follows a store",
    choices: RIGHT,
};

/// Every planted fault of a fleet: of what replicas read, of what they write, of the store, and of the router.
pub static FLEET_FAULTS: [FleetFault; 18] = [
    FleetFault {
        name: "older-reading-applied",
        sentence: "a reading that was overtaken by a newer one is applied all the same",
        source: "measured on LiteLLM 1.85.0: a poll that is held between read and apply takes a later write back",
        choices: Choices {
            checks_revision: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "empty-reading-empties",
        sentence: "a reading that is empty by error empties the replica",
        source: "the number of rows is asked for apart from the rows in `router-core`'s examples, to tell the two apart",
        choices: Choices {
            checks_empty: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "first-page-read",
        sentence: "a poll reads the first hundred rows, and there are more",
        source: "APIs of stores that give a page where no other is asked for",
        choices: Choices {
            reads_max: 100,
            ..RIGHT
        },
    },
    FleetFault {
        name: "poll-keeps-deleted",
        sentence: "a poll takes what the store has, and removes nothing",
        source: "measured on LiteLLM: an empty list removes nothing, so that the last row stays",
        choices: Choices {
            removes_deleted: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "bad-reading-loses-row",
        sentence: "a reading with a row that must be refused takes away what was there of that row",
        source: "measured on LiteLLM up to 1.108: a refused update loses the former row",
        choices: Choices {
            keeps_on_bad_reading: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "lock-kept-on-failure",
        sentence: "a poll that fails keeps the lock, and every later one waits for it",
        source: "a lock that is let go by hand at the end of a poll, and not where it leaves early",
        choices: Choices {
            unlocks_on_failure: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "notice-applies-late-row",
        sentence: "a notification makes the replica read the row, which it takes however old it is by then",
        source: "invalidation by key, where a read that was under way puts the former value back",
        choices: Choices {
            polls_on_notice: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "write-served-at-next-poll",
        sentence: "a write is acknowledged, and served from the next poll on",
        source: "measured on LiteLLM 1.85.0: what an endpoint does not reload waits for the next poll",
        choices: Choices {
            serves_writes: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "deletion-forgotten",
        sentence: "a row that was deleted here comes back with a reading that is older than the deletion",
        source: "a memory of own writes that has no entry for what is gone",
        choices: Choices {
            checks_revision: false,
            remembers_deletions: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "invalid-row-accepted",
        sentence: "a row that must be refused is written",
        source: "checks that are made when a row is loaded, and not when it is written",
        choices: Choices {
            refuses_invalid: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "refusal-loses-row",
        sentence: "a write that is refused takes away the row that was there",
        source: "measured on LiteLLM up to 1.108: the former row is removed before the new one is checked",
        choices: Choices {
            keeps_on_refusal: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "nothing-served-meanwhile",
        sentence: "while a write is under way no row is served",
        source: "measured on LiteLLM 1.85.0: PATCH drops every row of the database, and polls",
        choices: Choices {
            serves_meanwhile: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "patch-writes-whole-row",
        sentence: "a patch writes the whole row that it had read, whatever was written meanwhile",
        source: "measured on LiteLLM: PATCH reads the row, changes it, and writes it whole",
        choices: Choices {
            patches_on_condition: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "conflict-acknowledged",
        sentence: "a patch that the store did not make, since the row had changed, is acknowledged",
        source: "an update that checks no number of rows affected",
        choices: Choices {
            tells_conflicts: false,
            ..RIGHT
        },
    },
    FleetFault {
        name: "store-ignores-condition",
        sentence: "the store makes a conditional write whether its condition holds or not",
        source: "compare-and-set by a statement whose `WHERE` lacks the revision",
        choices: Choices {
            store: StoreChoices {
                checks_condition: false,
                ..RIGHT_STORE
            },
            ..RIGHT
        },
    },
    FleetFault {
        name: "store-loses-deletion",
        sentence: "the store acknowledges a deletion that it does not make",
        source: "a transaction that is rolled back after its reply",
        choices: Choices {
            store: StoreChoices {
                makes_deletions: false,
                ..RIGHT_STORE
            },
            ..RIGHT
        },
    },
    FleetFault {
        name: "store-drops-team",
        sentence: "an update of a row takes its team away",
        source: "an upsert that writes the columns it knows of and sets the others to their defaults",
        choices: Choices {
            store: StoreChoices {
                keeps_other_fields: false,
                ..RIGHT_STORE
            },
            ..RIGHT
        },
    },
    FleetFault {
        name: "router-keeps-deleted-pattern",
        sentence: "a wildcard that the store has no more goes on serving",
        source: "BerriAI/litellm#29064: the pattern router is not cleaned",
        choices: Choices {
            router: "delete-keeps-global-pattern",
            ..RIGHT
        },
    },
];

/// Returns the planted fault of a fleet of that name, or that of no fault for `none`.
pub fn find_fleet(name: &str) -> Option<&'static FleetFault> {
    static NONE: FleetFault = NO_FLEET_FAULT;
    FLEET_FAULTS.iter().chain([&NONE]).find(|fault| fault.name == name)
}

impl FleetFault {
    /// Returns the fault of a fleet whose replicas follow the store rightly, and answer by routers with that fault.
    pub(super) fn of_router(fault: &Fault) -> Self {
        Self {
            name: fault.name,
            sentence: fault.sentence,
            source: fault.source,
            choices: Choices {
                router: fault.name,
                ..RIGHT
            },
        }
    }
}
