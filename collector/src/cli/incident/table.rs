//! Incidents as tables, and one as a page of text.

use std::fmt::Write as _;

use incidents::timeline::length;
use serde_json::Value;

use crate::cli::asking::{items, moment, plain, row, text};
use crate::cli::query::columns;

/// The incidents, and how fast they were answered and over.
pub(super) fn list(data: &Value) -> String {
    let incidents = items(&data["incidents"]);
    if incidents.is_empty() {
        return "no incidents\n".to_owned();
    }
    let head = [
        "ID", "STATUS", "SEVERITY", "BEGAN", "LASTED", "OWNER", "FIRING", "WHAT",
    ];
    let mut rows = vec![row(head)];
    for incident in incidents {
        let alerts = &incident["impact"]["alerts"];
        rows.push(row([
            &incident["id"].to_string(),
            text(incident, "status"),
            text(incident, "severity"),
            &moment(text(incident, "openedAt")),
            &lasted(&incident["impact"]["lastedSeconds"]),
            text(incident, "owner"),
            &format!("{}/{alerts}", incident["firing"]),
            text(incident, "title"),
        ]));
    }
    let means = &data["means"]["all"];
    let mut out = columns(&rows);
    let acknowledge = lasted(&means["meanToAcknowledgeSeconds"]);
    let resolve = lasted(&means["meanToResolveSeconds"]);
    if !(acknowledge.is_empty() && resolve.is_empty()) {
        let or_none = |text: String| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text
            }
        };
        let (acknowledge, resolve) = (or_none(acknowledge), or_none(resolve));
        writeln!(
            out,
            "\nmean time to acknowledge {acknowledge}, to resolve {resolve}"
        )
        .ok();
    }
    out
}

/// What became of an incident, on one line.
pub(super) fn line(incident: &Value) -> String {
    let owner = match text(incident, "owner") {
        "" => "nobody has it".to_owned(),
        owner => format!("{} has it", plain(owner)),
    };
    format!(
        "incident {}: {}, {owner}: {}\n",
        incident["id"],
        text(incident, "status"),
        plain(text(incident, "title"))
    )
}

/// An incident with its alerts and its timeline.
pub(super) fn one(incident: &Value) -> String {
    let mut out = line(incident);
    let impact = &incident["impact"];
    let (began, lasted_for) = (
        moment(text(incident, "openedAt")),
        lasted(&impact["lastedSeconds"]),
    );
    let severity = text(incident, "severity");
    writeln!(
        out,
        "severity {severity}, began {began}, lasted {lasted_for}"
    )
    .ok();
    for name in ["clusters", "hosts"] {
        let all: Vec<&str> = items(&incident[name])
            .into_iter()
            .filter_map(Value::as_str)
            .collect();
        if !all.is_empty() {
            writeln!(out, "{name}: {}", plain(&all.join(", "))).ok();
        }
    }
    let head = ["ALERT", "SEVERITY", "STATE", "SINCE", "TIMES", "WHAT"];
    let mut rows = vec![row(head)];
    for alert in items(&incident["alerts"]) {
        let last = items(&alert["spans"]).last().copied();
        let last = last.cloned().unwrap_or_default();
        let state = if alert["firing"] == true {
            "firing"
        } else {
            "over"
        };
        let since = if state == "firing" {
            text(&last, "from")
        } else {
            text(&last, "to")
        };
        rows.push(row([
            text(&alert["labels"], "alertname"),
            text(alert, "severity"),
            state,
            &moment(since),
            &alert["firings"].to_string(),
            text(alert, "summary"),
        ]));
    }
    write!(out, "\n{}\n", columns(&rows)).ok();
    for entry in items(&incident["timeline"]) {
        let sentence = plain(text(entry, "sentence"));
        writeln!(out, "{}  {sentence}", moment(text(entry, "at"))).ok();
    }
    for missing in items(&incident["missing"]) {
        writeln!(out, "{}", plain(missing.as_str().unwrap_or_default())).ok();
    }
    out
}

fn lasted(seconds: &Value) -> String {
    #[allow(clippy::cast_possible_truncation)]
    let ms = seconds.as_f64().map(|seconds| (seconds * 1_000.0) as i64);
    ms.map(length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn incident() -> Value {
        json!({
            "id": 12, "status": "acknowledged", "severity": "high", "owner": "ann",
            "title": "pg1:5432 cannot\u{1b}[31m be reached", "openedAt": "2026-11-21T03:00:00.250Z",
            "impact": {"lastedSeconds": 61.5, "alerts": 2}, "firing": 1,
            "clusters": ["77"], "hosts": ["pg1", "pg2"],
            "alerts": [
                {"labels": {"alertname": "PostgresDown"}, "severity": "high", "firing": true,
                 "firings": 1, "summary": "s", "spans": [{"from": "2026-11-21T03:00:00.250Z", "to": null}]},
                {"labels": {"alertname": "Lag"}, "severity": "low", "firing": false, "firings": 2,
                 "summary": "l", "spans": [{"from": "x", "to": "2026-11-21T03:01:00.000Z"}]},
            ],
            "timeline": [{"at": "2026-11-21T03:00:10.000Z", "sentence": "ann: a\nb"}],
            "missing": [],
        })
    }

    #[test]
    fn incidents_are_listed() {
        let data = json!({"incidents": [incident()],
            "means": {"all": {"meanToAcknowledgeSeconds": 30.0, "meanToResolveSeconds": null}}});
        let expected = "\
ID  STATUS        SEVERITY  BEGAN                 LASTED  OWNER  FIRING  WHAT
12  acknowledged  high      2026-11-21 03:00:00Z  1m1s    ann    1/2     pg1:5432 cannot [31m be reached

mean time to acknowledge 30s, to resolve -
";
        assert_eq!(list(&data), expected);
        assert_eq!(list(&json!({})), "no incidents\n");
    }

    #[test]
    fn an_incident_is_shown() {
        let expected = "\
incident 12: acknowledged, ann has it: pg1:5432 cannot [31m be reached
severity high, began 2026-11-21 03:00:00Z, lasted 1m1s
clusters: 77
hosts: pg1, pg2

ALERT         SEVERITY  STATE   SINCE                 TIMES  WHAT
PostgresDown  high      firing  2026-11-21 03:00:00Z  1      s
Lag           low       over    2026-11-21 03:01:00Z  2      l

2026-11-21 03:00:10Z  ann: a b
";
        assert_eq!(one(&incident()), expected);
    }
}
