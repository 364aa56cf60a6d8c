//! kill -9: alerts come back as they were, with the same start, and nothing came to pass because of it.

use serde_json::Value;

use super::{Site, alerts, evaluated, history, push, time, transitions, until_state};
use crate::server::until;

const RULES: &str = r#"
groups:
- name: g
  interval: 100ms
  rules:
  - {alert: Soon, expr: cpu > 90, for: 5s}
  - {alert: Late, expr: cpu > 90, for: 3h}
  - {alert: Now, expr: cpu > 90, keep_firing_for: 1h}
"#;

#[tokio::test]
async fn pending_and_firing_alerts_survive() {
    let site = Site::new(RULES);
    let server = site.start().await;
    push(&server, "cpu", "db1", 95.0).await;
    let mut before = Vec::new();
    for (name, state) in [("Soon", "pending"), ("Late", "pending"), ("Now", "firing")] {
        before.push((name, until_state(&server, name, state).await));
    }
    server.kill().await;
    let server = site.start().await;
    evaluated(&server, 3).await;
    for (name, alert) in &before {
        let after = alerts(&server, name).await;
        assert_eq!(after.len(), 1, "{name}");
        assert_eq!(after[0]["activeAt"], alert["activeAt"], "{name}");
    }
    let fired = until_state(&server, "Soon", "firing").await;
    assert_eq!(fired["activeAt"], before[0].1["activeAt"]);
    let events = history(&server, "Soon").await;
    let held = time(&events[1]["at"]) - time(&fired["activeAt"]);
    // It fires by the first evaluation after its time.
    assert!(held >= 5_000, "fired after {held} ms");
    assert_eq!(transitions(&server, "Soon").await, ["pending", "firing"]);
    assert_eq!(transitions(&server, "Late").await, ["pending"]);
    assert_eq!(transitions(&server, "Now").await, ["firing"]);
    server.stop(&[]).await;
}

/// Rounds of the campaign.
const ROUNDS: usize = 6;

/// What happens in a round, in the order of the rounds: what hosts say, and what is to become of each.
fn value(round: usize, host: usize) -> f64 {
    // Host 0 is high throughout, 1 never, 2 in every second round, 3 from the third round on.
    let is_high = match host {
        0 => true,
        1 => false,
        2 => round.is_multiple_of(2),
        _ => round >= 2,
    };
    if is_high { 95.0 } else { 5.0 }
}

/// The transitions of each host as a collector that is never killed would have them.
fn expected(host: usize) -> Vec<&'static str> {
    let mut all = Vec::new();
    let mut was_high = false;
    for round in 0..ROUNDS {
        let is_high = value(round, host) > 90.0;
        match (was_high, is_high) {
            (false, true) => all.push("firing"),
            (true, false) => all.push("resolved"),
            _ => {}
        }
        was_high = is_high;
    }
    all
}

#[tokio::test]
async fn a_campaign_of_kills_gives_what_no_kill_would() {
    let rules =
        "groups:\n- name: g\n  interval: 100ms\n  rules:\n  - {alert: High, expr: cpu > 90}\n";
    let site = Site::new(rules);
    let mut server = site.start().await;
    let of = |alerts: &[Value], host: usize| {
        let name = format!("h{host}");
        let found = alerts
            .iter()
            .find(|alert| alert["labels"]["host"] == name.as_str());
        found.map(|alert| alert["activeAt"].clone())
    };
    let mut known: Vec<Option<Value>> = vec![None; 4];
    for round in 0..ROUNDS {
        for host in 0..4 {
            push(&server, "cpu", &format!("h{host}"), value(round, host)).await;
        }
        // At any moment of what now begins, also before the first evaluation that sees it.
        for beat in 0..round * 7 % 11 {
            push(&server, "beat", "any", beat as f64).await;
        }
        server.kill().await;
        server = site.start().await;
        for host in 0..4 {
            push(&server, "cpu", &format!("h{host}"), value(round, host)).await;
        }
        until("alerts are as the hosts are", async || {
            let alerts = alerts(&server, "High").await;
            (0..4).all(|host| of(&alerts, host).is_some() == (value(round, host) > 90.0))
        })
        .await;
        let alerts = alerts(&server, "High").await;
        for (host, before) in known.iter_mut().enumerate() {
            let now = of(&alerts, host);
            if let (Some(before), Some(now)) = (&before, &now) {
                assert_eq!(before, now, "host {host} in round {round}");
            }
            *before = now;
        }
    }
    let events = history(&server, "High").await;
    for host in 0..4 {
        let name = format!("h{host}");
        let own = events
            .iter()
            .filter(|event| event["labels"]["host"] == name.as_str());
        let own: Vec<&str> = own
            .map(|event| event["transition"].as_str().unwrap())
            .collect();
        assert_eq!(own, expected(host), "host {host}");
    }
    server.stop(&[]).await;
}
