//! Silences as tables for people.

use std::time::Duration;

use notify::matcher::{Matcher, Op};
use serde_json::Value;
use wire::quantity::Period;

use crate::api::time;
use crate::cli::asking::{moment, row};
use crate::cli::query::columns;

/// Silences in the order given.
pub(super) fn silences(silences: &[Value], now_ms: i64) -> String {
    if silences.is_empty() {
        return "no silences\n".to_owned();
    }
    let mut rows = vec![row([
        "ID", "STATE", "ENDS", "LEFT", "MATCHERS", "BY", "COMMENT",
    ])];
    for silence in silences {
        rows.push(row([
            text(&silence["id"]),
            text(&silence["status"]["state"]),
            &moment(text(&silence["endsAt"])),
            &left(silence, now_ms),
            &matchers(silence),
            text(&silence["createdBy"]),
            &first_line(text(&silence["comment"])),
        ]));
    }
    columns(&rows)
}

/// One silence, and the alerts that it keeps quiet.
pub(super) fn silence(silence: &Value, quiet: &[Value], now_ms: i64) -> String {
    let state = text(&silence["status"]["state"]);
    let left = left(silence, now_ms);
    let state = match left.as_str() {
        "" => state.to_owned(),
        left => format!("{state}, {left} left"),
    };
    let rows = [
        ["id", text(&silence["id"])],
        ["state", &state],
        ["starts", &moment(text(&silence["startsAt"]))],
        ["ends", &moment(text(&silence["endsAt"]))],
        ["changed", &moment(text(&silence["updatedAt"]))],
        ["matchers", &matchers(silence)],
        ["by", text(&silence["createdBy"])],
        ["comment", text(&silence["comment"])],
        ["quiet now", &count(quiet.len())],
    ];
    let mut shown = String::new();
    for [name, text] in rows {
        // Whole, for this is where it is read; what is no text is not for the terminal.
        let lines = text.lines().map(|line| line.replace(char::is_control, " "));
        let text = lines.collect::<Vec<_>>().join("\n           ");
        shown += &format!("{name:<9}  {text}\n");
    }
    for alert in quiet {
        let labels = alert["labels"].as_object().into_iter().flatten();
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect();
        let line = labels.join(" ").replace(char::is_control, " ");
        shown += &format!("  {line}\n");
    }
    shown
}

/// Silences that were ended.
pub(super) fn ended(silences: &[Value]) -> String {
    let ended = silences.iter().map(|silence| {
        let id = text(&silence["id"]);
        match text(&silence["status"]["state"]) {
            "expired" => format!("{id} had ended at {}\n", moment(text(&silence["endsAt"]))),
            _ => format!("{id} ended\n"),
        }
    });
    ended.collect()
}

/// So many alerts that are quiet.
pub(super) fn count(alerts: usize) -> String {
    match alerts {
        1 => "1 alert that fires is quiet".to_owned(),
        many => format!("{many} alerts that fire are quiet"),
    }
}

fn left(silence: &Value, now_ms: i64) -> String {
    let ends_at_ms = time::parse(text(&silence["endsAt"]));
    let left_ms = ends_at_ms.map(|at_ms| at_ms.saturating_sub(now_ms));
    match left_ms.and_then(|left_ms| u64::try_from(left_ms / 1_000).ok()) {
        None | Some(0) => String::new(),
        Some(seconds) => Period(Duration::from_secs(seconds)).to_string(),
    }
}

/// As they would be written on a command line.
fn matchers(silence: &Value) -> String {
    let given = silence["matchers"].as_array().into_iter().flatten();
    let shown = given.map(|matcher| {
        let is = |key: &str, default| matcher[key].as_bool().unwrap_or(default);
        let op = Op::of(is("isEqual", true), is("isRegex", false));
        let (name, value) = (text(&matcher["name"]), text(&matcher["value"]));
        let whole = Matcher::new(name, op, value);
        whole.map_or_else(
            |_| format!("{name}{}{value}", op.as_str()),
            |it| it.to_string(),
        )
    });
    let shown: Vec<String> = shown.collect();
    shown.join(" ")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn example(state: &str) -> Value {
        json!({"id": "6e8f", "status": {"state": state}, "startsAt": "1970-01-01T00:00:00.000Z",
               "endsAt": "1970-01-01T02:00:00.000Z", "updatedAt": "1970-01-01T00:00:01.500Z",
               "createdBy": "ana", "comment": "new disks\nat noon",
               "matchers": [{"name": "alertname", "value": "DiskFull", "isRegex": false},
                            {"name": "host", "value": "db.*", "isRegex": true, "isEqual": false}]})
    }

    #[test]
    fn silences_are_a_table() {
        let expected = "\
ID    STATE   ENDS                  LEFT   MATCHERS                           BY   COMMENT
6e8f  active  1970-01-01 02:00:00Z  1h59m  alertname=\"DiskFull\" host!~\"db.*\"  ana  new disks
";
        assert_eq!(silences(&[example("active")], 60_000), expected);
        assert_eq!(silences(&[], 0), "no silences\n");
    }

    #[test]
    fn a_silence_is_shown_with_what_it_does() {
        let quiet = [json!({"labels": {"alertname": "DiskFull", "host": "web1"}})];
        let expected = "\
id         6e8f
state      expired
starts     1970-01-01 00:00:00Z
ends       1970-01-01 02:00:00Z
changed    1970-01-01 00:00:01Z
matchers   alertname=\"DiskFull\" host!~\"db.*\"
by         ana
comment    new disks
           at noon
quiet now  1 alert that fires is quiet
  alertname=DiskFull host=web1
";
        assert_eq!(silence(&example("expired"), &quiet, 7_200_000), expected);
    }

    #[test]
    fn what_was_ended_is_told() {
        let both = [example("active"), example("expired")];
        let expected = "6e8f ended\n6e8f had ended at 1970-01-01 02:00:00Z\n";
        assert_eq!(ended(&both), expected);
    }
}
