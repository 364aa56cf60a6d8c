//! What is known of the groups and their rules: written by those who evaluate, read by the API and by
//! `/metrics`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rules::file::Rule;
use rules::state::State;
use wire::text::Exposition;

/// What is known of all groups.
#[derive(Debug, Default)]
pub struct Board {
    /// By file and name.
    groups: RwLock<BTreeMap<(String, String), Arc<GroupStatus>>>,
    /// Evaluations whose outcome could not be made durable.
    pub(super) unsaved: AtomicU64,
    /// Results that could not be written to the store.
    pub(super) unwritten: AtomicU64,
    /// Files that were wrong when they were last read.
    pub(super) wrong_files: AtomicU64,
    /// Whether the groups are known.
    is_set: AtomicBool,
}

/// What is known of a group.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// The file that it stands in.
    pub file: String,
    /// Its name.
    pub name: String,
    /// How often it is evaluated.
    pub interval: Duration,
    /// How many series or alerts a rule may give.
    pub limit: Option<usize>,
    /// How long the last evaluation took.
    pub evaluation_time: Duration,
    /// For which time that was, in milliseconds since 1970.
    pub last_evaluation_ms: Option<i64>,
    /// Its rules, in their order.
    pub rules: Vec<RuleStatus>,
    /// Alerts about its rules.
    pub failing: Arc<State>,
    /// What was counted.
    pub tally: Tally,
}

/// What is known of a rule.
#[derive(Clone, Debug)]
pub struct RuleStatus {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its alerts.
    pub state: Arc<State>,
    /// What came of its last evaluation.
    pub report: Report,
}

/// What came of the last evaluation of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether it was evaluated, and whether that went well.
    pub health: Health,
    /// What went wrong.
    pub last_error: Option<String>,
    /// How long it took.
    pub evaluation_time: Duration,
    /// For which time that was, in milliseconds since 1970.
    pub last_evaluation_ms: Option<i64>,
    /// How often in a row it failed.
    pub failures: u32,
}

/// How a rule is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Not evaluated yet.
    #[default]
    Unknown,
    /// The last evaluation went well.
    Good,
    /// It did not.
    Bad,
}

/// What is counted of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Times at which it was to be evaluated.
    pub iterations: u64,
    /// Those of them that passed while an earlier evaluation went on.
    pub missed: u64,
    /// Rules evaluated.
    pub evaluations: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Samples that the last evaluation gave.
    pub samples: usize,
}

impl Board {
    /// The groups by file and name.
    #[must_use]
    pub fn groups(&self) -> Vec<Arc<GroupStatus>> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.values().cloned().collect()
    }

    /// Whether every group was evaluated since the start.
    #[must_use]
    pub fn was_evaluated(&self) -> bool {
        if !self.is_set.load(Ordering::Acquire) {
            return false;
        }
        let groups = self.groups();
        groups
            .iter()
            .all(|group| group.last_evaluation_ms.is_some())
    }

    pub(super) fn put(&self, status: GroupStatus) {
        let key = (status.file.clone(), status.name.clone());
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        groups.insert(key, Arc::new(status));
    }

    /// These groups and no others.
    pub(crate) fn replace(&self, statuses: impl Iterator<Item = GroupStatus>) {
        let new = statuses
            .map(|status| ((status.file.clone(), status.name.clone()), Arc::new(status)))
            .collect();
        *self.groups.write().unwrap_or_else(PoisonError::into_inner) = new;
        self.is_set.store(true, Ordering::Release);
    }

    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the metrics, under Prometheus' names where it has them.
    pub fn write(&self, out: &mut Exposition) {
        let groups: Vec<(String, Arc<GroupStatus>)> = self
            .groups()
            .into_iter()
            .map(|group| (format!("{};{}", group.file, group.name), group))
            .collect();
        for (name, kind, help, value) in FAMILIES {
            out.family(name, kind, help);
            for (label, group) in &groups {
                out.sample(name, [("rule_group", label.as_str())], value(group), None);
            }
        }
        for (name, help, counter) in [
            (
                "nightshift_rules_unsaved_evaluations_total",
                "Evaluations of groups whose outcome could not be made durable at once.",
                &self.unsaved,
            ),
            (
                "nightshift_rules_unwritten_results_total",
                "Results of rules that could not be written to the store.",
                &self.unwritten,
            ),
        ] {
            out.single(
                name,
                "counter",
                help,
                counter.load(Ordering::Relaxed) as f64,
            );
        }
        let wrong = self.wrong_files.load(Ordering::Relaxed) as f64;
        let help = "Problems of the rule files when they were last read.";
        out.single("nightshift_rules_problems", "gauge", help, wrong);
    }
}

type Family = (
    &'static str,
    &'static str,
    &'static str,
    fn(&GroupStatus) -> f64,
);

const FAMILIES: [Family; 9] = [
    (
        "prometheus_rule_group_interval_seconds",
        "gauge",
        "The interval of a rule group.",
        |group| group.interval.as_secs_f64(),
    ),
    (
        "prometheus_rule_group_last_duration_seconds",
        "gauge",
        "The duration of the last rule group evaluation.",
        |group| group.evaluation_time.as_secs_f64(),
    ),
    (
        "prometheus_rule_group_last_evaluation_timestamp_seconds",
        "gauge",
        "The timestamp of the last rule group evaluation in seconds.",
        |group| group.last_evaluation_ms.unwrap_or_default() as f64 / 1_000.0,
    ),
    (
        "prometheus_rule_group_last_evaluation_samples",
        "gauge",
        "The number of samples returned during the last rule group evaluation.",
        |group| group.tally.samples as f64,
    ),
    (
        "prometheus_rule_group_rules",
        "gauge",
        "The number of rules.",
        |group| group.rules.len() as f64,
    ),
    (
        "prometheus_rule_group_iterations_total",
        "counter",
        "The total number of scheduled rule group evaluations, whether executed or missed.",
        |group| group.tally.iterations as f64,
    ),
    (
        "prometheus_rule_group_iterations_missed_total",
        "counter",
        "The total number of rule group evaluations missed due to slow rule group evaluation.",
        |group| group.tally.missed as f64,
    ),
    (
        "prometheus_rule_evaluations_total",
        "counter",
        "The total number of rule evaluations.",
        |group| group.tally.evaluations as f64,
    ),
    (
        "prometheus_rule_evaluation_failures_total",
        "counter",
        "The total number of rule evaluation failures.",
        |group| group.tally.failures as f64,
    ),
];
