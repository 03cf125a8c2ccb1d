//! The test of a cause in the router's own language, and what it came to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A test that fails where a cause is present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReproductionReport {
    /// The file that holds it.
    pub file: String,
    /// The runs: on the release on trial, where it fails, and on the one that is said to be mended, if one is.
    pub runs: Vec<TestRun>,
}

/// A test on one release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestRun {
    /// The version of the router.
    pub version: String,
    /// The result.
    pub result: TestResult,
    /// The line with which it failed, or broke.
    pub line: String,
}

/// The result of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestResult {
    /// The cause is there.
    Fails,
    /// The cause is not there.
    Passes,
    /// The test itself came to no end: an exception of another kind, or no time left.
    Broken,
}

impl fmt::Display for TestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fails => "fails",
            Self::Passes => "passes",
            Self::Broken => "breaks",
        })
    }
}
