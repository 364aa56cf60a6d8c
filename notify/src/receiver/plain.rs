//! The message without any template: for when one fails.

use jiff::Timestamp;

use crate::alert::Alert;
use crate::notification::Notification;
use crate::template::status;

/// How many alerts are told one by one.
const LISTED: usize = 10;

/// What this is about, in one line.
pub(super) fn line(notification: &Notification) -> String {
    let status = status(notification.is_firing()).to_uppercase();
    let count = match notification.firing().count() {
        0 | 1 => String::new(),
        count => format!(":{count}"),
    };
    let alerts = notification.alerts.iter().take(3);
    let alerts: Vec<_> = alerts.map(what).collect();
    format!("[{status}{count}] {}", alerts.join("; "))
}

/// All of it, and which template failed.
pub(super) fn message(notification: &Notification, field: &str, wrong: &str) -> String {
    let mut lines = vec![line(notification), String::new()];
    for alert in notification.alerts.iter().take(LISTED) {
        let status = status(!alert.is_resolved(notification.at_ms));
        let since = Timestamp::from_millisecond(alert.starts_at_ms);
        let since = since.map_or_else(|_| String::new(), |at| format!(", since {at:.0}"));
        lines.push(format!("{status}: {}{since}", what(alert)));
        if let Some(description) = annotation(alert, "description") {
            lines.push(format!("  {description}"));
        }
        if !alert.generator_url.is_empty() {
            lines.push(format!("  {}", alert.generator_url));
        }
    }
    if notification.alerts.len() > LISTED {
        lines.push(format!(
            "The first {LISTED} of {}.",
            notification.alerts.len()
        ));
    }
    if !notification.external_url.is_empty() {
        lines.push(format!("All alerts: {}", notification.external_url));
    }
    lines.push(String::new());
    lines.push(format!(
        "This is a plain message, because the template of {field} failed: {wrong}"
    ));
    lines.join("\n")
}

fn what(alert: &Alert) -> String {
    if let Some(summary) = annotation(alert, "summary") {
        return summary.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let labels: Vec<_> = alert
        .labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{} ({})", alert.name(), labels.join(", "))
}

fn annotation<'a>(alert: &'a Alert, wanted: &str) -> Option<&'a str> {
    let mut annotations = alert.annotations.iter();
    let found = annotations.find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.as_str())
}
