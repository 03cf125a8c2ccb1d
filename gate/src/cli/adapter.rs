//! The flags of `routeproof adapter`.

use clap::Args;

use super::router::parse_spec;
use crate::adapter::spec::{FORMS, Spec};

/// The flags of `adapter`.
#[derive(Clone, Debug, Args)]
pub struct AdapterArgs {
    /// The router on trial.
    #[arg(help = FORMS, value_name = "SPEC", value_parser = parse_spec)]
    pub router: Spec,
}
