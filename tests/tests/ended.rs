//! Series that end on the real lab: gone from queries and from `/federate` with the next collection,
//! long before the five minutes for which the last sample of a series stands for it. The waiting of
//! these tests is shorter than that, so what is seen to end did not merely grow old.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tests::daemon::Watched;
use tests::http::escape;
use tests::lab::Lab;
use tests::stage::Stage;
use tests::wait::{GENEROUS, wait_for};

/// The usual one: with a shorter one a busy machine leaves views out for want of time, and what is
/// left out has ended, too.
const INTERVAL: Duration = Duration::from_secs(10);
const BRANCHES: &str = "pg_stat_user_tables_n_live_tup{datname=\"loans\",relname=\"branches\"}";
const DOOMED: &str = "pg_stat_user_tables_n_live_tup{datname=\"loans\",relname=\"doomed\"}";
const AGENT: &str = "nightshift_agent_info";

async fn stage() -> Stage {
    Stage::start(Lab::builder(), Watched::Node, INTERVAL)
        .await
        .unwrap()
}

/// How many series `selector` finds, which `/federate` and an instant query must agree about.
async fn count(stage: &Stage, selector: &str) -> Result<usize> {
    let federated = stage.collector.federate(selector).await?.series().count();
    let path = format!("/api/v1/query?query={}", escape(selector));
    let answer: serde_json::Value = serde_json::from_str(&stage.collector.get(&path).await?)?;
    let found = answer["data"]["result"].as_array().context("no result")?;
    ensure!(federated == found.len(), "{federated} federated, {answer}");
    Ok(federated)
}

async fn wait_until_gone(stage: &Stage, selector: &str) {
    let look = || async {
        let found = count(stage, selector).await?;
        let shown = stage.collector.federate_text(selector).await?;
        ensure!(found == 0, "{found} series:\n{shown}");
        anyhow::Ok(())
    };
    let state = format!("{selector} has ended");
    wait_for(&state, GENEROUS, look).await.unwrap();
}

#[tokio::test]
async fn a_dropped_table_is_gone_and_others_stay() {
    let stage = stage().await;
    let primary = stage.lab.primary();
    let create = "CREATE TABLE doomed AS SELECT generate_series(1, 10) AS n";
    primary.sql_in("loans", create).await.unwrap();
    stage.wait(DOOMED, |_| true).await;

    primary.sql_in("loans", "DROP TABLE doomed").await.unwrap();
    wait_until_gone(&stage, DOOMED).await;
    assert_eq!(count(&stage, BRANCHES).await.unwrap(), 1);
    let made = "nightshift_pipeline_staleness_markers_total{source=~\"postgres_databases .*\"}";
    stage.wait(made, |value| value > 0.0).await;
    // What the agent shows of itself has no marker in it.
    let shown = stage.agents[0].metrics_text().await.unwrap();
    assert!(!shown.contains("relname=\"doomed\""));

    primary.sql_in("loans", create).await.unwrap();
    stage.wait(DOOMED, |_| true).await;
    stage.end().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_down_leaves_only_what_says_so() {
    let stage = stage().await;
    stage.wait(BRANCHES, |_| true).await;
    for complaint in ["source failed", "part of a source left out"] {
        stage.agents[0].daemon().complaints().expect(complaint);
    }
    stage.lab.primary().stop().await.unwrap();
    let up = "up{job=~\"postgres.*\"}";
    stage.wait(up, |value| value == 0.0).await;
    wait_until_gone(&stage, BRANCHES).await;
    wait_until_gone(&stage, "pg_stat_database_xact_commit").await;
    assert_eq!(count(&stage, up).await.unwrap(), 1);

    stage.lab.primary().start().await.unwrap();
    stage.wait(BRANCHES, |_| true).await;
    stage.end().await.unwrap();
}

#[tokio::test]
async fn a_restart_of_the_agent_ends_nothing() {
    let stage = stage().await;
    let agent = &stage.agents[0];
    stage.wait(BRANCHES, |_| true).await;
    let started = "process_start_time_seconds{job=\"nightshift-agent\"}";
    let first = stage.wait(started, |_| true).await;

    // Stopping drains: what the agent had to say has arrived.
    agent.daemon().stop().await.unwrap();
    for selector in [BRANCHES, AGENT, started] {
        assert_eq!(count(&stage, selector).await.unwrap(), 1, "{selector}");
    }
    agent.daemon().start().unwrap();
    stage.wait(started, |value| value > first).await;
    assert_eq!(count(&stage, BRANCHES).await.unwrap(), 1);
    stage.end().await.unwrap();
}

#[tokio::test]
async fn a_source_that_a_reload_removes_ends_whole() {
    let stage = stage().await;
    let agent = &stage.agents[0];
    stage.wait(BRANCHES, |_| true).await;
    let file = agent.home().join("agent.toml");
    let config = fs::read_to_string(&file).unwrap();
    let (before, from) = config.split_once("[[postgres]]").unwrap();
    let after = from.split_once("\n[").map_or("", |(_, after)| after);
    fs::write(&file, format!("{before}\n[{after}")).unwrap();
    let process = agent.daemon().process().unwrap();
    process.signal(Signal::SIGHUP).unwrap();
    wait_until_gone(&stage, "{job=~\"postgres.*\"}").await;
    assert_eq!(count(&stage, AGENT).await.unwrap(), 1);
    assert_eq!(count(&stage, BRANCHES).await.unwrap(), 0);
    let shown = agent.metrics_text().await.unwrap();
    assert!(!shown.contains("pg_stat_user_tables"));
    stage.end().await.unwrap();
}
