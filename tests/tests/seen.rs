//! What a DBA looks for at 3 AM, seen on the real lab through agent and collector: values, not
//! presence. Each test breaks one thing, waits until the collector says so with the right number,
//! and mends it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use tests::daemon::Watched;
use tests::lab::Lab;
use tests::lab::docker::Docker;
use tests::lab::node::Node;
use tests::lab::roles::Role;
use tests::stage::Stage;

/// Short, so that tests are; PostgreSQL's source keeps nearly a second of each for its tail.
const INTERVAL: Duration = Duration::from_secs(3);

fn instance(node: &Node) -> String {
    format!("instance=\"agent-{}:{}\"", node.name(), node.port())
}

#[tokio::test]
async fn rows_written_show_in_the_counters() {
    let stage = Stage::start(Lab::builder(), Watched::Node, INTERVAL)
        .await
        .unwrap();
    let inserted = "pg_stat_user_tables_n_tup_ins{datname=\"loans\",relname=\"branches\"}";
    let before = stage.wait(inserted, |value| value > 0.0).await;
    let rows = "INSERT INTO branches SELECT n, 'Branch ' || n, 'Vienna' FROM generate_series(1001, 1500) n";
    stage.lab.primary().sql_in("loans", rows).await.unwrap();
    stage.wait(inserted, |value| value == before + 500.0).await;

    let commits = "pg_stat_database_xact_commit{datname=\"loans\"}";
    let before = stage.wait(commits, |value| value > 0.0).await;
    for _ in 0..20 {
        stage
            .lab
            .primary()
            .sql_in("loans", "SELECT txid_current()")
            .await
            .unwrap();
    }
    stage.wait(commits, |value| value >= before + 20.0).await;
    stage.end().await.unwrap();
}

#[tokio::test]
async fn a_paused_replica_shows_its_lag_in_bytes_and_seconds() {
    let stage = Stage::start(Lab::builder().replicas(1), Watched::Node, INTERVAL)
        .await
        .unwrap();
    let [replica] = stage.lab.replicas() else {
        panic!("one replica")
    };
    let bytes = format!(
        "pg_stat_replication_replay_lag_bytes{{application_name=\"{}\"}}",
        replica.name()
    );
    stage.wait(&bytes, |value| value == 0.0).await;

    // How old the last replayed transaction is can only be told once there was one.
    let first = "INSERT INTO branches VALUES (2001, 'Branch 2001', 'Vienna')";
    stage.lab.primary().sql_in("loans", first).await.unwrap();
    replica.catch_up_with(stage.lab.primary()).await.unwrap();
    replica.pause_replay().await.unwrap();
    let write = "CREATE TABLE lag AS SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n";
    stage.lab.primary().sql_in("loans", write).await.unwrap();
    // 5,000 rows of a thousand bytes are five megabytes at the least.
    stage.wait(&bytes, |value| value > 5e6).await;
    let own = instance(replica);
    stage
        .wait(&format!("pg_replication_replay_paused{{{own}}}"), |value| {
            value == 1.0
        })
        .await;
    let seconds = format!("pg_replication_lag_seconds{{{own}}}");
    let first = stage.wait(&seconds, |value| value > 0.5).await;
    stage.wait(&seconds, |value| value > first + 0.5).await;

    replica.resume_replay().await.unwrap();
    stage.wait(&bytes, |value| value == 0.0).await;
    stage.wait(&seconds, |value| value < first).await;
    stage.end().await.unwrap();
}

#[tokio::test]
async fn a_broken_archive_command_shows_as_failures_and_a_growing_backlog() {
    let stage = Stage::start(Lab::builder(), Watched::Node, INTERVAL)
        .await
        .unwrap();
    let primary = stage.lab.primary();
    stage
        .wait("pg_stat_archiver_archived_count", |_| true)
        .await;
    primary.set("archive_command", "false").await.unwrap();
    for round in 0..3 {
        primary
            .sql(&format!(
                "CREATE TABLE segment_{round} (); SELECT pg_switch_wal()"
            ))
            .await
            .unwrap();
    }
    stage
        .wait("pg_archive_ready_segments", |value| value >= 3.0)
        .await;
    let failures = stage
        .wait("pg_stat_archiver_failed_count", |value| value >= 1.0)
        .await;
    stage
        .wait("pg_stat_archiver_failed_count", |value| value > failures)
        .await;

    primary.reset("archive_command").await.unwrap();
    stage
        .wait("pg_archive_ready_segments", |value| value == 0.0)
        .await;
    stage
        .wait("pg_stat_archiver_archived_count", |value| value >= 3.0)
        .await;
    stage.end().await.unwrap();
}

#[tokio::test]
async fn a_blocked_session_shows_as_a_tree() {
    let stage = Stage::start(Lab::builder(), Watched::Node, INTERVAL)
        .await
        .unwrap();
    let primary = stage.lab.primary();
    let open = || primary.session(Role::Superuser, "loans");
    let (root, middle, leaf) = (
        open().await.unwrap(),
        open().await.unwrap(),
        open().await.unwrap(),
    );
    let name = "SET application_name TO";
    root.sql(&format!(
        "{name} 'root'; BEGIN; UPDATE branches SET city = 'A' WHERE id = 1"
    ))
    .await
    .unwrap();
    middle
        .sql(&format!(
            "{name} 'middle'; BEGIN; UPDATE branches SET city = 'B' WHERE id = 2"
        ))
        .await
        .unwrap();
    leaf.sql(&format!("{name} 'leaf'")).await.unwrap();
    let first = middle.sql("UPDATE branches SET city = 'C' WHERE id = 1; COMMIT");
    let second = leaf.sql("UPDATE branches SET city = 'D' WHERE id = 2");
    let watch = async {
        stage
            .wait("pg_blocked_sessions", |value| value == 2.0)
            .await;
        let wait = "pg_blocked_session_wait_seconds{application_name=\"middle\"}";
        let waited = stage.wait(wait, |value| value > 0.0).await;
        stage.wait(wait, |value| value > waited + 0.5).await;
        let blocked = "pg_root_blocker_blocked_sessions{application_name=\"root\"}";
        stage.wait(blocked, |value| value == 2.0).await;
        root.sql("COMMIT").await.unwrap();
    };
    let (first, second, ()) = tokio::join!(first, second, watch);
    first.unwrap();
    second.unwrap();
    stage
        .wait("pg_blocked_sessions", |value| value == 0.0)
        .await;
    stage.end().await.unwrap();
}

#[tokio::test]
async fn a_container_killed_by_its_memory_limit_shows() {
    // Where no engine can run there is no container to see; the lab says why.
    Docker::available().unwrap();
    let stage = Stage::start(Lab::builder().docker(true), Watched::Everything, INTERVAL)
        .await
        .unwrap();
    let docker = stage.lab.docker().unwrap();
    docker.run_oom("greedy").await.unwrap();
    stage
        .wait("container_last_oom_killed{name=\"greedy\"}", |value| {
            value == 1.0
        })
        .await;
    stage
        .wait("container_exit_code{name=\"greedy\"}", |value| {
            value == 137.0
        })
        .await;
    docker.run_unhealthy("ill").await.unwrap();
    let ill = "container_health_status{name=\"ill\",status=\"unhealthy\"}";
    stage.wait(ill, |value| value == 1.0).await;
    stage.end().await.unwrap();
}

#[tokio::test]
async fn a_stopped_etl_job_shows_as_age() {
    let every = std::time::Duration::from_millis(300);
    let stage = Stage::start(
        Lab::builder().etl_every(every),
        Watched::Everything,
        INTERVAL,
    )
    .await
    .unwrap();
    let age = "etl_last_success_age_seconds";
    stage.wait(age, |value| value < 2.0).await;
    let runs = stage.wait("etl_succeeded_total", |value| value > 0.0).await;
    stage
        .wait("etl_succeeded_total", |value| value > runs)
        .await;
    stage.lab.etl().stop().await.unwrap();
    // Older than any first look after the next run can be, which may come a whole interval later.
    let stale = stage.wait(age, |value| value > 6.0).await;
    stage.lab.etl().run_once().await.unwrap();
    stage.wait(age, |value| value < stale - 2.0).await;
    stage.end().await.unwrap();
}
