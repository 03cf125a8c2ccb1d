//! Strategies by which replicas follow a store: each a plain value, so that one replica of a fleet can differ from the next.

use model::RuleId;
/// The effect of an upsert or a delete on the wildcard entries that a row has in the pattern tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Patterns {
    /// Entries stay.
    Kept,
    /// Entries of this row go.
    RemovedById,
    /// All tables are built anew from the rows.
    Rebuilt,
    /// Entries stay where they are, under the new version's tag.
    Retagged,
}

/// The reaction of a replica to a write through its own admin endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum After {
    /// Applies the row that was written, and no other.
    Row,
    /// Polls.
    Poll,
    /// Drops every row and polls.
    DropAndPoll,
    /// Waits for its next poll.
    Nothing,
}

/// The reaction of a replica to a change notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Notices {
    /// None: the replica does not listen.
    Ignored,
    /// Reads the row that changed.
    RowRead,
    /// Polls.
    Polled,
}

/// The meaning of a read without any row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EmptyRead {
    /// Deletes nothing, so that the last row stays for ever.
    DeletesNothing,
    /// Deletes every row.
    DeletesAll,
}

/// One way to follow a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a choice of its own that a canary turns"
)]
pub struct Strategy {
    /// The word for it in flags and reports.
    pub name: &'static str,
    /// Source of the behaviour.
    pub source: &'static str,
    /// Effect of a change on the row's wildcard entries.
    pub on_update: Patterns,
    /// Effect of a delete on the row's wildcard entries.
    pub on_delete: Patterns,
    /// Names once served are taken to be served for ever: they are listed, and they hide the wildcards.
    pub sticky_names: bool,
    /// Blocked rows are no candidates.
    pub filters_blocked: bool,
    /// A team's wildcards come before the global ones; otherwise after.
    pub team_first: bool,
    /// The team of the caller is looked at.
    pub checks_team: bool,
    /// A row that must be refused leaves the earlier version as it was; otherwise it is gone.
    pub refusal_keeps: bool,
    /// A read with a row that must be refused is refused whole; only where a read is applied in one step.
    pub refuses_invalid_reads: bool,
    /// A row, or its absence, is never replaced by an older one: rows and reads carry revisions.
    pub refuses_older: bool,
    /// An empty or partial read that is no whole read is recognised and ignored.
    pub knows_whole_reads: bool,
    /// A failed read is ignored; otherwise it is taken for an empty one.
    pub knows_failures: bool,
    /// Meaning of a read without rows.
    pub empty_read: EmptyRead,
    /// A read is applied in one step; otherwise first the deletes, then row by row.
    pub atomic_apply: bool,
    /// Writes through the admin endpoint and notifications wait for a poll under way.
    pub locked: bool,
    /// After a create.
    pub after_create: After,
    /// After a change of a row.
    pub after_change: After,
    /// After a delete.
    pub after_delete: After,
    /// Reaction to change notifications.
    pub notices: Notices,
    /// A miss makes the replica read the row.
    pub reads_through: bool,
}

impl Strategy {
    /// Returns whether change notifications are sent to the replica.
    pub fn listens(&self) -> bool {
        self.notices != Notices::Ignored
    }
}

/// The rules of `router-core`: rows and reads carry revisions, and each change goes through one place.
pub const REFERENCE: Strategy = Strategy {
    name: "reference",
    source: "router-core",
    on_update: Patterns::RemovedById,
    on_delete: Patterns::RemovedById,
    sticky_names: false,
    filters_blocked: true,
    team_first: true,
    checks_team: true,
    refusal_keeps: true,
    refuses_invalid_reads: true,
    refuses_older: true,
    knows_whole_reads: true,
    knows_failures: true,
    empty_read: EmptyRead::DeletesAll,
    atomic_apply: true,
    locked: false,
    after_create: After::Row,
    after_change: After::Row,
    after_delete: After::Row,
    notices: Notices::Polled,
    reads_through: false,
};

/// `LiteLLM` 1.85.0, whose pattern tables only ever grow.
pub const LITELLM_1_85: Strategy = Strategy {
    name: "litellm-1.85",
    source: "https://github.com/BerriAI/litellm/issues/29064",
    on_update: Patterns::Kept,
    on_delete: Patterns::Kept,
    sticky_names: true,
    filters_blocked: false,
    team_first: false,
    checks_team: true,
    refusal_keeps: false,
    refuses_invalid_reads: false,
    refuses_older: false,
    knows_whole_reads: false,
    knows_failures: false,
    empty_read: EmptyRead::DeletesNothing,
    atomic_apply: false,
    locked: false,
    after_create: After::Poll,
    after_change: After::DropAndPoll,
    after_delete: After::Row,
    notices: Notices::Ignored,
    reads_through: false,
};

/// `LiteLLM` 1.109: a lock around each poll, notifications, a look-up on a miss, and a refused row leaves the former one.
pub const LITELLM_1_109: Strategy = Strategy {
    name: "litellm-1.109",
    source: "https://github.com/BerriAI/litellm/pull/29601",
    on_update: Patterns::RemovedById,
    on_delete: Patterns::RemovedById,
    sticky_names: false,
    filters_blocked: true,
    team_first: true,
    // Measured on 1.109.1 and 1.110.2: the counterexample of a refusal that loses its row breaks nothing there.
    refusal_keeps: true,
    knows_failures: true,
    empty_read: EmptyRead::DeletesAll,
    locked: true,
    after_change: After::Poll,
    after_delete: After::Poll,
    notices: Notices::RowRead,
    reads_through: true,
    ..LITELLM_1_85
};

/// 1.85.0 with the first proposed fix of the founding bug: an update rebuilds the pattern tables.
pub const REBUILD_ON_UPDATE: Strategy = Strategy {
    name: "rebuild-pattern-table",
    on_update: Patterns::Rebuilt,
    ..LITELLM_1_85
};

/// 1.85.0 with the second proposed fix: an update removes the row's old entries by its id.
pub const REMOVE_BY_ID: Strategy = Strategy {
    name: "remove-by-id",
    source: "https://github.com/BerriAI/litellm/pull/29225",
    on_update: Patterns::RemovedById,
    ..LITELLM_1_85
};

/// The strategies that a fleet can be made of, the reference first.
pub const STRATEGIES: [Strategy; 5] = [REFERENCE, LITELLM_1_85, LITELLM_1_109, REBUILD_ON_UPDATE, REMOVE_BY_ID];

/// The strategy of this name.
pub fn named(name: &str) -> Option<Strategy> {
    STRATEGIES.into_iter().find(|strategy| strategy.name == name)
}

/// For each rule a strategy that breaks it: the reference with one choice turned.
pub const CANARIES: [(RuleId, Strategy); 14] = [
    (
        RuleId::Current,
        broken(Strategy {
            on_update: Patterns::Kept,
            ..REFERENCE
        }),
    ),
    (
        RuleId::Complete,
        broken(Strategy {
            sticky_names: true,
            ..REFERENCE
        }),
    ),
    (
        RuleId::NoDuplicate,
        broken(Strategy {
            on_delete: Patterns::Kept,
            after_change: After::DropAndPoll,
            ..REFERENCE
        }),
    ),
    (
        RuleId::Scoped,
        broken(Strategy {
            checks_team: false,
            ..REFERENCE
        }),
    ),
    (
        RuleId::NotBlocked,
        broken(Strategy {
            filters_blocked: false,
            ..REFERENCE
        }),
    ),
    (
        RuleId::Resolved,
        broken(Strategy {
            on_update: Patterns::Retagged,
            ..REFERENCE
        }),
    ),
    (
        RuleId::AtomicRefusal,
        broken(Strategy {
            refusal_keeps: false,
            ..REFERENCE
        }),
    ),
    (
        RuleId::Listing,
        broken(Strategy {
            sticky_names: true,
            ..REFERENCE
        }),
    ),
    (
        RuleId::Bounded,
        broken(Strategy {
            on_delete: Patterns::Kept,
            ..REFERENCE
        }),
    ),
    (
        RuleId::Monotonic,
        broken(Strategy {
            refuses_older: false,
            ..REFERENCE
        }),
    ),
    (
        RuleId::ReadYourWrites,
        broken(Strategy {
            after_change: After::Nothing,
            ..REFERENCE
        }),
    ),
    (
        RuleId::Heals,
        broken(Strategy {
            on_delete: Patterns::Kept,
            ..REFERENCE
        }),
    ),
    (
        RuleId::FailsSafe,
        broken(Strategy {
            knows_failures: false,
            knows_whole_reads: false,
            refuses_older: false,
            ..REFERENCE
        }),
    ),
    (
        RuleId::Converges,
        broken(Strategy {
            empty_read: EmptyRead::DeletesNothing,
            ..REFERENCE
        }),
    ),
];

const fn broken(strategy: Strategy) -> Strategy {
    Strategy {
        name: "canary",
        source: "the reference with one choice turned",
        ..strategy
    }
}
