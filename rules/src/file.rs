//! Rule files: Prometheus' format, strict on unknown keys, with a few keys of our own for alerts.
//!
//! | key of an alert | meaning |
//! |---|---|
//! | `runbook` | the runbook that answers it |
//! | `on_missing` | what it means that a series is gone, rather than that the condition no longer holds: `resolve` (as in Prometheus, and the default), `keep` what was, or `fire` |
//! | `clear` | an expression; a firing alert resolves only once this has a result that its labels do not contradict |
//! | `flap` | a duration; an alert that comes back within it after it resolved goes on with the same episode |
//!
//! A file without them is read by Prometheus and promtool as well. What a file says is checked here
//! once, all that is wrong is said at once, and what comes out has everything parsed: [`Group`]s of
//! [`Rule`]s. What they mean over time is [`crate::state`]'s.

mod presence;
mod read;
mod validate;

use std::time::Duration;

use query::promql::Query;

use crate::problem::Problem;
use crate::template::Template;

pub(crate) use read::text;

/// The largest file that is read; ten thousand rules with all their texts have a fourth of it.
pub const MAX_BYTES: usize = 32 << 20;

/// The variables that templates of alerts are given.
pub const VARIABLES: [&str; 4] = ["$labels", "$externalLabels", "$externalURL", "$value"];

/// A rule file.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// Its groups, in their order.
    pub groups: Vec<Group>,
    /// What is not wrong, but hardly meant.
    pub warnings: Vec<Problem>,
}

/// Rules that are evaluated together, one after another.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name, which no other group of the file has.
    pub name: String,
    /// How often it is evaluated; the default where nothing is said.
    pub interval: Option<Duration>,
    /// How far back it looks; the default where nothing is said.
    pub query_offset: Option<Duration>,
    /// How many series or alerts a rule may give.
    pub limit: Option<usize>,
    /// The rules, in their order.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug)]
pub enum Rule {
    /// Writes the result of an expression as a series.
    Record(RecordingRule),
    /// Tells somebody that an expression has a result.
    Alert(AlertRule),
}

impl Rule {
    /// The series that it writes, or the name of the alert.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Record(rule) => &rule.name,
            Self::Alert(rule) => &rule.name,
        }
    }

    /// Its expression.
    #[must_use]
    pub fn expr(&self) -> &Query {
        match self {
            Self::Record(rule) => &rule.expr,
            Self::Alert(rule) => &rule.expr,
        }
    }

    /// What tells it from the other rules of its group, and stays the same while it means the same
    /// alerts or series: its kind, its name and its labels as they are written. Two rules may have the
    /// same; they are told apart by their order.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut identity = match self {
            Self::Record(rule) => format!("record {}", rule.name),
            Self::Alert(rule) => format!("alert {}", rule.name),
        };
        let mut add = |name: &str, value: &str| {
            identity += &format!(" {name}={}", query::promql::quote(value));
        };
        match self {
            Self::Record(rule) => rule
                .labels
                .iter()
                .for_each(|(name, value)| add(name, value)),
            Self::Alert(rule) => {
                for (name, text) in &rule.labels {
                    add(name, text.source());
                }
            }
        }
        identity
    }
}

/// A rule that writes the result of an expression as a series.
#[derive(Clone, Debug)]
pub struct RecordingRule {
    /// The name of the series.
    pub name: String,
    /// The expression.
    pub expr: Query,
    /// Labels that every series gets, sorted by name; those of the group are among them.
    pub labels: Vec<(String, String)>,
}

/// A rule that tells somebody that an expression has a result.
#[derive(Clone, Debug)]
pub struct AlertRule {
    /// The name of the alert.
    pub name: String,
    /// The expression.
    pub expr: Query,
    /// How long it must have a result before the alert fires: `for`.
    pub hold: Duration,
    /// How long the alert goes on firing without a result.
    pub keep_firing_for: Duration,
    /// Labels that every alert gets, sorted by name; those of the group are among them.
    pub labels: Vec<(String, Text)>,
    /// What the alert tells people, sorted by name.
    pub annotations: Vec<(String, Text)>,
    /// The runbook that answers it.
    pub runbook: Option<String>,
    /// What a missing series means.
    pub on_missing: OnMissing,
    /// What must have a result before the alert resolves.
    pub clear: Option<Query>,
    /// Within which time after it resolved an alert goes on with the same episode.
    pub flap: Option<Duration>,
}

/// What it means that a series is gone.
#[derive(Clone, Debug, Default)]
pub enum OnMissing {
    /// The same as that the condition no longer holds.
    #[default]
    Resolve,
    /// Nothing: alerts stay as they were. The query has a result for every series that is there,
    /// whether the condition holds or not.
    Keep(Box<Query>),
    /// The same as that the condition holds. The query is as that of [`OnMissing::Keep`].
    Fire(Box<Query>),
}

impl OnMissing {
    /// The query that has a result for every series that is there, where it matters.
    #[must_use]
    pub fn presence(&self) -> Option<&Query> {
        match self {
            Self::Resolve => None,
            Self::Keep(query) | Self::Fire(query) => Some(query),
        }
    }
}

/// A text that may be a template.
#[derive(Clone, Debug)]
pub struct Text {
    source: String,
    /// Nothing where the text has no actions.
    template: Option<Box<Template>>,
}

impl Text {
    /// The text as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The template, where it is one.
    #[must_use]
    pub fn template(&self) -> Option<&Template> {
        self.template.as_deref()
    }
}

impl RuleFile {
    /// Reads a rule file. Either all of it is right, or everything that is wrong is said.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        read::file(bytes)
    }
}

#[cfg(test)]
mod tests;
