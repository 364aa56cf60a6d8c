//! What a program says of its rules, under the names that both have.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::http;
use crate::parity::Exposition;

/// Sums and extremes over all groups.
pub(super) struct Readings {
    pub(super) rules: usize,
    pub(super) evaluated: u64,
    pub(super) failed: u64,
    pub(super) missed: u64,
    /// The longest last evaluation of a group.
    pub(super) longest_group: Duration,
}

impl Readings {
    pub(super) async fn of(address: &str) -> Result<Self> {
        let text = http::get(address, "/metrics").await?.ok()?;
        let found = Exposition::parse(&text)?;
        let values = |name: &str| -> Vec<f64> {
            let named = found.series().filter(|(key, _)| key.name == name);
            named.map(|(_, value)| value).collect()
        };
        let sum = |name: &str| values(name).iter().sum::<f64>() as u64;
        let longest = values("prometheus_rule_group_last_duration_seconds");
        Ok(Self {
            rules: usize::try_from(sum("prometheus_rule_group_rules"))?,
            evaluated: sum("prometheus_rule_evaluations_total"),
            failed: sum("prometheus_rule_evaluation_failures_total"),
            missed: sum("prometheus_rule_group_iterations_missed_total"),
            longest_group: Duration::from_secs_f64(longest.into_iter().fold(0.0, f64::max)),
        })
    }
}

/// How many alerts pend and how many fire.
pub(super) async fn alerts(address: &str) -> Result<[usize; 2]> {
    let answer = http::get(address, "/api/v1/alerts").await?.ok()?;
    let answer: Value = serde_json::from_str(&answer)?;
    let alerts = answer["data"]["alerts"]
        .as_array()
        .context("alerts are a list")?;
    let count = |state: &str| {
        alerts
            .iter()
            .filter(|alert| alert["state"] == state)
            .count()
    };
    Ok([count("pending"), count("firing")])
}
