//! Groups, rules and alerts as Prometheus tells them.

use std::time::Duration;

use query::promql::go_float;
use rules::file::{AlertRule, Rule};
use rules::state::{Alert, Phase, State};
use serde_json::{Value, json};
use store::labels::Labels;

use crate::api::answer::pairs;
use crate::api::time::rfc3339;
use crate::judge::{GroupStatus, Health, RuleStatus};

use super::Alerts;

/// What Go's clients read as no time at all.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub(super) fn group(group: &GroupStatus, rules: Vec<Value>) -> Value {
    json!({
        "name": group.name,
        "file": group.file,
        "rules": rules,
        "interval": seconds(group.interval),
        "limit": group.limit.unwrap_or_default(),
        "evaluationTime": seconds(group.evaluation_time),
        "lastEvaluation": moment(group.last_evaluation_ms),
    })
}

pub(super) fn rule(status: &RuleStatus, alerts: Alerts) -> Value {
    let report = &status.report;
    let mut shown = json!({
        "name": status.rule.name(),
        "query": status.rule.expr().expr().to_string(),
        "health": match report.health {
            Health::Unknown => "unknown",
            Health::Good => "ok",
            Health::Bad => "err",
        },
        "evaluationTime": seconds(report.evaluation_time),
        "lastEvaluation": moment(report.last_evaluation_ms),
    });
    if let Some(error) = &report.last_error {
        shown["lastError"] = error.as_str().into();
    }
    let labels = pairs(labels(&status.rule).iter());
    match &*status.rule {
        Rule::Record(_) => {
            shown["type"] = "recording".into();
            // Prometheus leaves them out where there are none.
            if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
                shown["labels"] = labels;
            }
        }
        Rule::Alert(rule) => {
            shown["type"] = "alerting".into();
            shown["labels"] = labels;
            add_alerting(&mut shown, rule, &status.state);
            shown["alerts"] = match alerts {
                Alerts::Told => Value::Array(self::alerts(&status.state, &status.rule)),
                Alerts::LeftOut => Value::Array(Vec::new()),
            };
        }
    }
    shown
}

fn add_alerting(shown: &mut Value, rule: &AlertRule, state: &State) {
    let mut active = state.active();
    shown["state"] = match active.clone().any(Alert::is_firing) {
        true => "firing",
        false if active.next().is_some() => "pending",
        false => "inactive",
    }
    .into();
    shown["duration"] = seconds(rule.hold);
    shown["keepFiringFor"] = seconds(rule.keep_firing_for);
    let annotations = rule.annotations.iter();
    shown["annotations"] = pairs(annotations.map(|(name, text)| (&**name, text.source())));
}

/// The labels of a rule as they are written.
pub(super) fn labels(rule: &Rule) -> Labels {
    match rule {
        Rule::Record(rule) => {
            Labels::from_pairs(rule.labels.iter().map(|(name, value)| (&**name, &**value)))
        }
        Rule::Alert(rule) => Labels::from_pairs(
            rule.labels
                .iter()
                .map(|(name, text)| (&**name, text.source())),
        ),
    }
}

/// The alerts that pend and fire.
pub(super) fn alerts(state: &State, rule: &Rule) -> Vec<Value> {
    let runbook = match rule {
        Rule::Alert(rule) => rule.runbook.as_deref(),
        Rule::Record(_) => None,
    };
    state.active().map(|one| alert(one, runbook)).collect()
}

/// The runbook is ours; other clients pass over what they do not know.
pub(super) fn alert(alert: &Alert, runbook: Option<&str>) -> Value {
    let annotations = alert.annotations.iter();
    let mut shown = json!({
        "labels": pairs(alert.labels.iter()),
        "annotations": pairs(annotations.map(|(name, text)| (&**name, &**text))),
        "state": if alert.is_firing() { "firing" } else { "pending" },
        "activeAt": rfc3339(alert.active_at_ms),
        "value": exponential(alert.value),
    });
    if let Phase::Firing {
        gone_since_ms: Some(gone_since_ms),
        ..
    } = alert.phase
    {
        shown["keepFiringSince"] = rfc3339(gone_since_ms).into();
    }
    if let Some(runbook) = runbook {
        shown["runbook"] = runbook.into();
    }
    shown
}

/// Whole ones without a fraction, as Go writes them.
fn seconds(duration: Duration) -> Value {
    match duration.subsec_nanos() {
        0 => duration.as_secs().into(),
        _ => duration.as_secs_f64().into(),
    }
}

fn moment(at_ms: Option<i64>) -> String {
    at_ms.map_or_else(|| NEVER.to_owned(), rfc3339)
}

/// As Go's `%e` with as many digits as needed: `1e+00`.
fn exponential(value: f64) -> String {
    if !value.is_finite() {
        return go_float(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_with_an_exponent() {
        let check = |value: f64, expected: &str| assert_eq!(exponential(value), expected);
        check(0.0, "0e+00");
        check(1.0, "1e+00");
        check(-12.5, "-1.25e+01");
        check(1e-7, "1e-07");
        check(1e300, "1e+300");
        check(f64::INFINITY, "+Inf");
        check(f64::NAN, "NaN");
    }
}
