//! kill -9: what came to pass stands in one incident, once, and nobody is called twice.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Pager, incidents, one, sentences, site, tell};
use crate::alerts::{evaluated, history, until_state};
use crate::server::{Server, until};

/// How often it is killed.
const ROUNDS: usize = 8;

async fn status(server: &Server, wanted: &str) {
    super::until_incident(server, wanted, |all| {
        !all.is_empty() && all.iter().all(|one| one["status"] == wanted)
    })
    .await;
}

#[tokio::test]
async fn kills_lose_nothing_and_repeat_nothing() {
    let pager = Pager::start().await;
    let site = site(Some(&pager), "resolve_after = \"1h\"");
    for round in 0..ROUNDS {
        let server = site.start().await;
        // Killed at another point each time: as soon as it fires, as soon as there is an incident, as
        // soon as somebody is called.
        let is_high = round % 2 == 0;
        tell(
            &server,
            "pg_up",
            "pg1:5432",
            if is_high { 0.0 } else { 1.0 },
        )
        .await;
        until_state(&server, "Down", if is_high { "firing" } else { "gone" }).await;
        if round % 4 == 2 {
            status(&server, "open").await;
        }
        server.kill().await;
    }
    let server = site.start().await;
    evaluated(&server, 2).await;
    // As many transitions as there are in the history stand in the timeline, each once.
    let events = history(&server, "Down").await;
    let changes = |incident: &Value| {
        let timeline = incident["timeline"].as_array().unwrap().iter();
        let changes = timeline.filter(|entry| entry["kind"] == "alert");
        changes
            .map(|entry| format!("{} {}", entry["at"], entry["became"]))
            .collect::<Vec<String>>()
    };
    until("all transitions are followed", async || {
        let all = incidents(&server).await;
        !all.is_empty() && changes(&one(&server, 1).await).len() >= events.len()
    })
    .await;
    assert_eq!(incidents(&server).await.len(), 1);
    let incident = one(&server, 1).await;
    let told = changes(&incident);
    let once: BTreeSet<&String> = told.iter().collect();
    assert_eq!(
        (told.len(), once.len()),
        (events.len(), events.len()),
        "{told:?}"
    );
    // It may have been over before anybody was called; nobody was called twice.
    let called = sentences(&incident);
    let called = called.iter().filter(|one| one.starts_with("step 1"));
    assert!(called.count() <= 1);
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_call_that_was_decided_arrives_once_over_kills() {
    let pager = Pager::start().await;
    let site = site(Some(&pager), "");
    let server = site.start().await;
    tell(&server, "pg_up", "pg1:5432", 0.0).await;
    until("ann is called", async || pager.calls("ann").len() == 1).await;
    // Until it is noted that the call arrived, it may come again; from then on not.
    until("the call is noted", async || {
        let told = sentences(&one(&server, 1).await);
        told.iter().any(|one| one.contains("was told of 1 alert"))
    })
    .await;
    server.kill().await;
    for _ in 0..3 {
        let server = site.start().await;
        until_state(&server, "Down", "firing").await;
        status(&server, "open").await;
        server.kill().await;
    }
    assert_eq!(pager.calls("ann").len(), 1);
}
