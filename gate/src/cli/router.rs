//! The text that names a router.

use crate::adapter::builtin;
use crate::adapter::spec::Spec;

pub(super) fn parse_spec(text: &str) -> Result<Spec, String> {
    Spec::parse(text, &builtin::fault_names(), &builtin::strategy_names()).map_err(|why| why.to_string())
}
