//! Alerts and their history as tables.

use serde_json::{Map, Value};
use wire::quantity::Period;

use crate::api::time;
use crate::cli::query::columns;

/// What pends and fires, firing ones first, the oldest first among them.
pub(super) fn alerts(data: &Value, now_ms: i64) -> String {
    let mut alerts: Vec<&Value> = list(&data["alerts"]);
    if alerts.is_empty() {
        return "no alerts\n".to_owned();
    }
    alerts.sort_by_key(|alert| (text(alert, "state") != "firing", text(alert, "activeAt")));
    let mut rows = vec![row([
        "STATE", "SINCE", "FOR", "ALERT", "LABELS", "VALUE", "SUMMARY",
    ])];
    for alert in alerts {
        let since = text(alert, "activeAt");
        let age = time::parse(since).map(|at_ms| (now_ms - at_ms).max(0).unsigned_abs());
        let age = age.map(|ms| std::time::Duration::from_secs(ms / 1_000));
        rows.push(row([
            text(alert, "state"),
            &moment(since),
            &age.map(|age| Period(age).to_string()).unwrap_or_default(),
            text(&alert["labels"], "alertname"),
            &labels(&alert["labels"]),
            &number(text(alert, "value")),
            summary(&alert["annotations"]),
        ]));
    }
    columns(&rows)
}

/// Every transition, the newest last, where the prompt is.
pub(super) fn history(data: &Value) -> String {
    let events = list(&data["events"]);
    if events.is_empty() {
        return "nothing came to pass\n".to_owned();
    }
    let mut rows = vec![row(["AT", "BECAME", "ALERT", "LABELS", "VALUE", "SINCE"])];
    for event in events.into_iter().rev() {
        rows.push(row([
            &moment(text(event, "at")),
            text(event, "transition"),
            text(&event["labels"], "alertname"),
            &labels(&event["labels"]),
            text(event, "value"),
            &moment(text(event, "activeAt")),
        ]));
    }
    columns(&rows)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn list(value: &Value) -> Vec<&Value> {
    value
        .as_array()
        .map(|items| items.iter().collect())
        .unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn moment(text: &str) -> String {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    format!("{}Z", whole.trim_end_matches('Z').replace('T', " "))
}

/// As people write it, not as the API does.
fn number(text: &str) -> String {
    text.parse::<f64>()
        .map_or_else(|_| text.to_owned(), query::promql::go_float)
}

fn labels(labels: &Value) -> String {
    let none = Map::new();
    let labels = labels.as_object().unwrap_or(&none).iter();
    let shown = labels.filter(|(name, _)| *name != "alertname");
    let shown: Vec<String> = shown
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    shown.join(" ")
}

fn summary(annotations: &Value) -> &str {
    let said = ["summary", "message", "description"].map(|name| text(annotations, name));
    said.into_iter()
        .find(|said| !said.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn firing_alerts_come_first() {
        let alert = |name: &str, state: &str, at: &str| {
            json!({"labels": {"alertname": name, "host": "db1"}, "annotations": {"summary": "s"},
                   "state": state, "activeAt": at, "value": "1.5e+00"})
        };
        let data = json!({"alerts": [
            alert("A", "pending", "1970-01-01T00:00:00.000Z"),
            alert("B", "firing", "1970-01-01T00:01:00.500Z"),
        ]});
        let expected = "\
STATE    SINCE                 FOR  ALERT  LABELS    VALUE  SUMMARY
firing   1970-01-01 00:01:00Z  1m   B      host=db1  1.5    s
pending  1970-01-01 00:00:00Z  2m   A      host=db1  1.5    s
";
        assert_eq!(alerts(&data, 120_500), expected);
        assert_eq!(alerts(&json!({}), 0), "no alerts\n");
    }

    #[test]
    fn the_newest_transition_comes_last() {
        let event = |became: &str, at: &str| {
            json!({"labels": {"alertname": "A"}, "at": at, "transition": became, "value": "1",
                   "activeAt": "1970-01-01T00:00:00.000Z"})
        };
        let data = json!({"events": [
            event("firing", "1970-01-01T00:01:00.000Z"),
            event("pending", "1970-01-01T00:00:00.000Z"),
        ]});
        let expected = "\
AT                    BECAME   ALERT  LABELS  VALUE  SINCE
1970-01-01 00:00:00Z  pending  A              1      1970-01-01 00:00:00Z
1970-01-01 00:01:00Z  firing   A              1      1970-01-01 00:00:00Z
";
        assert_eq!(history(&data), expected);
    }
}
