//! Alerts and their history as tables.

use serde_json::{Map, Value};
use wire::quantity::Period;

use crate::api::time;
use crate::cli::asking::{items, moment, row, text};
use crate::cli::query::columns;

/// What pends and fires, firing ones first, the oldest first among them.
pub(super) fn alerts(data: &Value, now_ms: i64) -> String {
    let mut alerts: Vec<&Value> = items(&data["alerts"]);
    if alerts.is_empty() {
        return "no alerts\n".to_owned();
    }
    alerts.sort_by_key(|alert| (text(alert, "state") != "firing", text(alert, "activeAt")));
    let mut rows = vec![row([
        "STATE", "SINCE", "FOR", "ALERT", "LABELS", "VALUE", "TELLS", "SUMMARY",
    ])];
    for alert in alerts {
        let since = text(alert, "activeAt");
        let age = time::parse(since).map(|at_ms| (now_ms - at_ms).max(0).unsigned_abs());
        let age = age.map(|ms| std::time::Duration::from_secs(ms / 1_000));
        rows.push(row([
            state(alert),
            &moment(since),
            &age.map(|age| Period(age).to_string()).unwrap_or_default(),
            text(&alert["labels"], "alertname"),
            &labels(&alert["labels"]),
            &number(text(alert, "value")),
            &tells(alert),
            summary(&alert["annotations"]),
        ]));
    }
    columns(&rows)
}

/// What keeps an alert quiet that fires counts more than that it does.
fn state(alert: &Value) -> &str {
    let quiet = [
        ("silencedBy", "silenced"),
        ("inhibitedBy", "inhibited"),
        ("mutedBy", "muted"),
    ];
    let quiet = quiet
        .iter()
        .find(|(key, _)| !items(&alert[*key]).is_empty());
    quiet.map_or(text(alert, "state"), |(_, word)| word)
}

/// The receivers of an alert that fires.
fn tells(alert: &Value) -> String {
    let receivers = alert["receivers"].as_array();
    let names: Vec<&str> = match receivers {
        None => return String::new(),
        Some(none) if none.is_empty() => return "nobody".to_owned(),
        Some(some) => some.iter().filter_map(Value::as_str).collect(),
    };
    names.join(", ")
}

/// Every transition, the newest last, where the prompt is.
pub(super) fn history(data: &Value) -> String {
    let events = items(&data["events"]);
    if events.is_empty() {
        return "nothing came to pass\n".to_owned();
    }
    let mut rows = vec![row([
        "AT", "BECAME", "ALERT", "LABELS", "VALUE", "SINCE", "TOLD",
    ])];
    for event in events.into_iter().rev() {
        rows.push(row([
            &moment(text(event, "at")),
            text(event, "transition"),
            text(&event["labels"], "alertname"),
            &labels(&event["labels"]),
            text(event, "value"),
            &moment(text(event, "activeAt")),
            &told(&event["told"]),
        ]));
    }
    columns(&rows)
}

/// Who was told, when, and what became of it where it did not arrive. Of several times the last counts.
fn told(told: &Value) -> String {
    let mut newest: Vec<(&str, String)> = Vec::new();
    for one in items(told) {
        let who = text(one, "integration");
        let shown = match text(one, "outcome") {
            "delivered" => format!("{who} {}", moment(text(one, "doneAt"))),
            "folded" => format!("{who} in a digest"),
            "waiting" if one["attempts"] == 0 => format!("{who} waiting"),
            outcome => format!("{who} {outcome}: {}", text(one, "detail")),
        };
        newest.retain(|(known, _)| *known != who);
        newest.push((who, shown));
    }
    let shown: Vec<String> = newest.into_iter().map(|(_, shown)| shown).collect();
    shown.join(", ")
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
        let alert = |name: &str, state: &str, at: &str, more: Value| {
            let mut alert = json!({"labels": {"alertname": name, "host": "db1"},
                "annotations": {"summary": "s"}, "state": state, "activeAt": at, "value": "1.5e+00"});
            for (key, value) in more.as_object().unwrap() {
                alert[key] = value.clone();
            }
            alert
        };
        let data = json!({"alerts": [
            alert("A", "pending", "1970-01-01T00:00:00.000Z", json!({})),
            alert("B", "firing", "1970-01-01T00:01:00.500Z", json!({"receivers": ["db", "log"]})),
            alert("C", "firing", "1970-01-01T00:02:00.500Z", json!({"receivers": []})),
            alert("D", "firing", "1970-01-01T00:02:00.600Z",
                json!({"receivers": ["db"], "silencedBy": ["x"], "inhibitedBy": ["y"]})),
            alert("E", "firing", "1970-01-01T00:02:00.700Z",
                json!({"receivers": ["db"], "mutedBy": ["nights"]})),
        ]});
        let expected = "\
STATE     SINCE                 FOR  ALERT  LABELS    VALUE  TELLS    SUMMARY
firing    1970-01-01 00:01:00Z  1m   B      host=db1  1.5    db, log  s
firing    1970-01-01 00:02:00Z  0s   C      host=db1  1.5    nobody   s
silenced  1970-01-01 00:02:00Z  0s   D      host=db1  1.5    db       s
muted     1970-01-01 00:02:00Z  0s   E      host=db1  1.5    db       s
pending   1970-01-01 00:00:00Z  2m   A      host=db1  1.5             s
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
        let mut fired = event("firing", "1970-01-01T00:01:00.000Z");
        let told = |who: &str, outcome: &str, at: &str| json!({"integration": who, "outcome": outcome, "detail": "403", "doneAt": at, "attempts": 1});
        fired["told"] = json!([
            told("a/slack[0]", "delivered", "1970-01-01T00:02:00.000Z"),
            told("a/slack[0]", "delivered", "1970-01-01T04:02:00.000Z"),
            told("b/email[0]", "refused", "1970-01-01T00:02:00.000Z"),
        ]);
        let data = json!({"events": [
            fired,
            event("pending", "1970-01-01T00:00:00.000Z"),
        ]});
        let shown = history(&data);
        let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
        let at = "1970-01-01 00:00:00Z";
        assert_eq!(
            lines[0],
            "AT                    BECAME   ALERT  LABELS  VALUE  SINCE                 TOLD"
        );
        assert_eq!(
            lines[1],
            format!("{at}  pending  A              1      {at}")
        );
        let told = "a/slack[0] 1970-01-01 04:02:00Z, b/email[0] refused: 403";
        assert_eq!(
            lines[2],
            format!("1970-01-01 00:01:00Z  firing   A              1      {at}  {told}")
        );
    }
}
