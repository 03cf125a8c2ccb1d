//! A request router whose derived indexes cannot go stale.
//!
//! A [`Table`] holds deployments and every index that a lookup needs. All changes go through [`Table::replace`], which
//! tells every index; a lookup is a pure function of the table and the [`Query`].
//!
//! # Examples
//!
//! ```
//! use router_core::{Query, Refusal, Row, Table};
//!
//! let rows = [
//!     Row { id: "d1", model_name: "openai/*", model: "openai/*", tag: "v1", ..Row::default() },
//!     Row { id: "d2", model_name: "openai/gpt-*", model: "azure/*", tag: "v1", team: Some("blue"), ..Row::default() },
//! ];
//! let table = Table::of(rows)?;
//!
//! let blue = table.lookup(Query { model: "openai/gpt-4o", team: Some("blue") });
//! assert_eq!(blue.pick(0).unwrap().model().to_string(), "azure/4o");
//!
//! let anybody = table.lookup(Query { model: "openai/gpt-4o", team: None });
//! assert_eq!(anybody.pick(0).unwrap().model().to_string(), "openai/gpt-4o");
//!
//! assert_eq!(table.lookup(Query { model: "claude", team: None }).refusal(), Some(Refusal::UnknownModel));
//! assert_eq!(table.visible_names(None), ["openai/*"]);
//! # Ok::<(), router_core::LoadError>(())
//! ```

mod deployment;
mod error;
mod index;
mod lookup;
mod pattern;
mod replica;
mod router;
mod table;

pub use deployment::{Deployment, Id, Name, Row, TEXT_BYTES_MAX, Tag, Target, Team};
pub use error::{Field, LoadError, Problem, ReadingError, RowError, StoreError};
pub use lookup::{Answer, Candidate, Candidates, Query, Refusal, Resolved};
pub use pattern::Pattern;
pub use replica::{Outcome, Reading, Replica, Revision, Store};
pub use router::{Pinned, Router, Snapshot};
pub use table::{Change, Table};
