//! Rule unit tests, in promtool's format and with its meaning.
//!
//! A test file names rule files, says what series there are, and what alerts and values the rules are
//! to make of them. [`UnitFile::parse`] reads it; who reads the rule files that it names is the caller;
//! [`run`] loads the series into the store in memory, evaluates the groups one interval after another
//! with the very code that evaluates them in production, and compares.

mod read;
mod replay;
mod run;
mod show;

use std::time::Duration;

use query::script::notation::Item;
use store::labels::Labels;

use crate::problem::Problem;

pub use run::{Outcome, run};

/// A file of unit tests.
#[derive(Clone, Debug)]
pub struct UnitFile {
    /// The rule files as patterns, relative to the folder of the test file.
    pub rule_files: Vec<String>,
    /// The tests.
    pub tests: Vec<UnitTest>,
    pub(crate) evaluation_interval: Duration,
    pub(crate) group_eval_order: Vec<String>,
    pub(crate) comparison: Comparison,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// They must be the same.
    Exact,
    /// They may be neighbours.
    Fuzzy,
}

/// One test.
#[derive(Clone, Debug)]
pub struct UnitTest {
    /// Its name, or its place in the file.
    pub name: String,
    pub(crate) interval: Duration,
    pub(crate) start_ms: i64,
    pub(crate) series: Vec<(Labels, Vec<Item>)>,
    pub(crate) alerts: Vec<AlertCase>,
    pub(crate) expressions: Vec<ExpressionCase>,
    pub(crate) external_labels: Labels,
    pub(crate) external_url: String,
}

/// Which alerts of a name are to fire at a time.
#[derive(Clone, Debug)]
pub(crate) struct AlertCase {
    /// After the beginning.
    pub(crate) eval_time: Duration,
    pub(crate) name: String,
    pub(crate) expected: Vec<ExpectedAlert>,
}

/// Labels or annotations, sorted by name.
pub(crate) type Pairs = Vec<(String, String)>;

/// An alert that is to fire. What it says is compared with what the rules make of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExpectedAlert {
    pub(crate) labels: Pairs,
    pub(crate) annotations: Pairs,
}

/// What an expression is to give at a time.
#[derive(Clone, Debug)]
pub(crate) struct ExpressionCase {
    pub(crate) expr: String,
    /// After the beginning.
    pub(crate) eval_time: Duration,
    pub(crate) expected: Vec<(Labels, f64)>,
}

impl UnitFile {
    /// Reads a file of unit tests. Either all of it is right, or everything that is wrong is said.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        read::file(bytes)
    }
}

#[cfg(test)]
mod tests;
