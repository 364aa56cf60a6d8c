//! What an alert that somebody posts leaves behind: its transitions in the history with who was told, and an
//! incident.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Site, give};
use crate::alerts::{history, transitions};
use crate::client::get;
use crate::notify::Hook;
use crate::server::{Server, run, until};

/// A site whose alerts are told to a webhook, and whose incidents end with their alerts.
fn site(hook: &Hook) -> Site {
    let site = Site::new(&hook.file("global: {resolve_timeout: 1s}\n"));
    let path = site.path("nightshift.toml");
    let mut config = std::fs::read_to_string(&path).unwrap();
    writeln!(config, "[incidents]\nresolve_after = \"0s\"").unwrap();
    std::fs::write(&path, config).unwrap();
    site
}

/// When the alert began, an end that is far enough ahead, and one that is past.
const BEGAN: &str = "2026-01-01T00:00:00Z";
const AHEAD: &str = "2100-01-01T00:00:00Z";
const PAST: &str = "2026-01-02T00:00:00Z";

/// Posts it as a Prometheus does, with when it ends unless it is sent again.
async fn send(server: &Server, ends_at: &str) {
    let alert = json!([{
        "labels": {"alertname": "DiskFull", "host": "db1", "severity": "critical"},
        "annotations": {"summary": "the disk of db1 is full"},
        "startsAt": BEGAN,
        "endsAt": ends_at,
        "generatorURL": "http://prometheus:9090/graph",
    }]);
    let answer = give(server, "alerts", &alert.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn incidents(server: &Server) -> Vec<Value> {
    let path = "/api/incidents?state=all";
    let answer = get(server.listen(), path).await.json();
    answer["data"]["incidents"].as_array().unwrap().clone()
}

async fn until_told(server: &Server, count: usize) {
    until("who was told is noted", async || {
        let events = history(server, "DiskFull").await;
        let told = |event: &Value| event["told"][0]["outcome"] == "delivered";
        events.len() == count && events.iter().all(told)
    })
    .await;
}

#[tokio::test]
async fn it_is_in_the_history_once_and_makes_an_incident_over_kills_and_repeats() {
    let hook = Hook::start().await;
    let site = site(&hook);
    let mut server = site.start().await;
    for _ in 0..3 {
        send(&server, AHEAD).await;
        // What was answered with 200 is in the history, whatever comes then.
        assert_eq!(transitions(&server, "DiskFull").await, ["firing"]);
        server.kill().await;
        server = site.start().await;
        assert_eq!(transitions(&server, "DiskFull").await, ["firing"]);
    }
    until_told(&server, 1).await;
    until("there is an incident", async || {
        incidents(&server).await.len() == 1
    })
    .await;
    for _ in 0..3 {
        send(&server, AHEAD).await;
    }
    let event = &history(&server, "DiskFull").await[0];
    let shown = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let seen = ["source", "group", "rule", "file", "value"].map(shown);
    assert_eq!(seen, ["posted", "", "DiskFull", "", ""]);
    assert_eq!(event["samples"], json!([]));
    let incident = &incidents(&server).await[0];
    assert_eq!(incident["title"], "the disk of db1 is full");
    assert_eq!(incident["severity"], "high");
    assert_eq!(incident["status"], "open");
    send(&server, PAST).await;
    until_told(&server, 2).await;
    assert_eq!(
        transitions(&server, "DiskFull").await,
        ["firing", "resolved"]
    );
    until("the incident is over", async || {
        incidents(&server).await[0]["status"] == "resolved"
    })
    .await;
    assert_eq!(incidents(&server).await.len(), 1);
    check_commands(&server).await;
    server.stop(&[]).await;
}

async fn check_commands(server: &Server) {
    let url = format!("http://{}", server.listen());
    let (code, out, err) = run(&["alerts", "history", "--collector", &url]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("resolved  DiskFull  host=db1 severity=critical"),
        "{out}"
    );
    let (code, out, err) = run(&["incident", "export", "1", "--collector", &url]);
    assert_eq!((code, err.as_str()), (0, ""));
    for part in [
        "DiskFull fires: the disk of db1 is full",
        "DiskFull is over",
        "The charts of DiskFull: it was posted from elsewhere",
    ] {
        assert!(out.contains(part), "{part}:\n{out}");
    }
    assert!(!out.contains("NaN") && !out.contains("(value"), "{out}");
}

#[tokio::test]
async fn one_that_is_not_heard_of_any_more_is_over_and_comes_back_anew() {
    let hook = Hook::start().await;
    let site = site(&hook);
    let server = site.start().await;
    let drill = r#"[{"labels": {"alertname": "Drill", "host": "db1"}}]"#;
    for round in 1..3 {
        let answer = give(&server, "alerts", drill).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        hook.until_told(round * 2).await;
        until("it is over", async || {
            transitions(&server, "Drill").await.len() == round * 2
        })
        .await;
    }
    assert_eq!(
        transitions(&server, "Drill").await,
        ["firing", "resolved", "firing", "resolved"]
    );
    server.stop(&[]).await;
}
