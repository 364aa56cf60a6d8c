//! What is under way: a vacuum, an index build, logical replication, a standby that becomes a primary.

use nightshift_agent::sources::postgres::Postgres;

use crate::cluster::{Cluster, until};
use crate::observed::{collect, collect_until};

#[tokio::test]
async fn a_running_vacuum_shows_how_far_it_is() {
    for (major, dead_rows) in [
        (16, "pg_stat_progress_vacuum_max_dead_tuples"),
        (17, "pg_stat_progress_vacuum_max_dead_tuple_bytes"),
    ] {
        let cluster = Cluster::primary(major).await;
        cluster
            .run("CREATE TABLE large AS SELECT g FROM generate_series(1, 200000) AS g")
            .await;
        let worker = cluster.connect("postgres").await;
        // So slow that it runs until it is ended.
        worker.run("SET vacuum_cost_delay = 100").await;
        worker.run("SET vacuum_cost_limit = 1").await;
        let vacuum = worker.client.batch_execute("VACUUM large");
        let look = async {
            let mut source = Postgres::new(cluster.settings());
            let seen = collect_until(&mut source, "the vacuum scans", |seen| {
                !seen
                    .values("pg_stat_progress_vacuum_heap_blks", &[])
                    .is_empty()
            })
            .await;
            let blocks = cluster.ask("SELECT pg_relation_size('large') / 8192").await;
            seen.shows(&format!(
                "pg_stat_progress_vacuum_heap_blks{{datname=postgres,relname=public.large}} = {blocks}
                 pg_stat_progress_vacuum_phase{{relname=public.large,phase=scanning heap}} = 1
                 {dead_rows}{{relname=public.large}} > 0"
            ));
            cluster
                .run("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_vacuum")
                .await;
        };
        let (ended, ()) = tokio::join!(vacuum, look);
        assert!(ended.is_err(), "the vacuum was ended");
    }
}

#[tokio::test]
async fn a_subscription_shows_its_workers_and_errors() {
    let cluster = Cluster::primary(16).await;
    cluster.run("CREATE DATABASE copy").await;
    let (from, to) = (
        cluster.connect("postgres").await,
        cluster.connect("copy").await,
    );
    for side in [&from, &to] {
        side.run("CREATE TABLE rows (id int PRIMARY KEY)").await;
    }
    from.run("CREATE PUBLICATION all_rows FOR TABLE rows").await;
    from.run("SELECT pg_create_logical_replication_slot('copied', 'pgoutput')")
        .await;
    let host = cluster.ask("SHOW unix_socket_directories").await;
    to.run(&format!(
        "CREATE SUBSCRIPTION copied CONNECTION 'host={host} user=postgres dbname=postgres' \
         PUBLICATION all_rows WITH (create_slot = false, copy_data = false)"
    ))
    .await;
    from.run("INSERT INTO rows VALUES (1)").await;
    let mut source = Postgres::new(cluster.settings());
    let seen = collect_until(&mut source, "the worker runs", |seen| {
        seen.value("pg_stat_subscription_workers", &[("subname", "copied")]) == Some(1.0)
            && seen.value(
                "pg_stat_subscription_received_lsn_bytes",
                &[("subname", "copied")],
            ) > Some(0.0)
            // The publisher's own views come to know of it at another moment.
            && seen.value("pg_replication_slots_active", &[("slot_name", "copied")]) == Some(1.0)
            && seen
                .value("pg_stat_replication_sync_state", &[("application_name", "copied")])
                .is_some()
    })
    .await;
    seen.shows(
        "pg_stat_subscription_stats_apply_error_count{subname=copied} = 0
         pg_replication_slots_active{slot_name=copied,database=postgres} = 1
         pg_stat_replication_sync_state{application_name=copied,sync_state=async} = 1",
    );
    until("the row is copied", || async {
        to.ask("SELECT count(*) FROM rows").await == "1"
    })
    .await;
    // The same key once more makes an error, over and over.
    to.run("INSERT INTO rows VALUES (2)").await;
    from.run("INSERT INTO rows VALUES (2)").await;
    collect_until(&mut source, "the error shows", |seen| {
        seen.value(
            "pg_stat_subscription_stats_apply_error_count",
            &[("subname", "copied")],
        ) >= Some(1.0)
    })
    .await;
}

#[tokio::test]
async fn a_promotion_shows_at_the_next_collection() {
    let primary = Cluster::primary(15).await;
    let standby = primary.standby("replica1").await;
    let mut source = Postgres::new(standby.settings());
    collect(&mut source).await.shows(
        "pg_replication_is_replica = 1
         pg_timeline = 1
         pg_archive_ready_segments is absent",
    );
    standby.run("SELECT pg_promote()").await;
    let seen = collect(&mut source).await;
    assert_eq!(seen.gaps, []);
    // The checkpoint that writes the new timeline into the control file may not have ended yet.
    seen.shows(
        "pg_replication_is_replica = 0
         pg_timeline = 2
         pg_archive_ready_segments >= 0
         pg_replication_lag_seconds = 0",
    );
    assert!(
        seen.values("pg_stat_wal_receiver_received_tli", &[])
            .is_empty()
    );
}
