//! On every major: nothing is left out for a role that has `pg_monitor` and no more, and what the
//! server is made to do shows as values.

use nightshift_agent::sources::postgres::{Databases, Postgres};

use crate::cluster::{Cluster, MAJORS, until};
use crate::observed::{Observed, collect, collect_until};

#[tokio::test]
async fn postgresql_13() {
    check(13).await;
}

#[tokio::test]
async fn postgresql_15() {
    check(15).await;
}

#[tokio::test]
async fn postgresql_16() {
    check(16).await;
}

#[tokio::test]
async fn postgresql_17() {
    check(17).await;
}

#[tokio::test]
async fn postgresql_18() {
    check(18).await;
}

#[test]
fn each_major_is_tested() {
    assert_eq!(MAJORS, [13, 15, 16, 17, 18]);
}

/// How the extension shows the statement that stands out.
const TEXT: &str = "SELECT count(*) FROM loans WHERE amount > $1 AND $2 <> $3";

async fn check(major: u32) {
    let primary = Cluster::primary(major).await;
    let standby = primary.standby("replica1").await;
    let mut source = Postgres::new(primary.settings());
    let before = collect(&mut source).await;
    no_gaps(&before);
    work(&primary).await;
    // A session's counters are flushed a moment after its transaction, and texts of statements may
    // come some collections after their numbers.
    let after = collect_until(&mut source, "the work shows", |seen| {
        let rows = seen.value("pg_stat_database_tup_inserted", &[("datname", "shop")]);
        let texts = seen.label_values("pg_stat_statements_query_id", "query");
        rows.is_some_and(|rows| rows >= 1000.0) && texts.contains(TEXT)
    })
    .await;
    no_gaps(&after);
    instance(&primary, &before, &after).await;
    statements(&after);
    standby_of(&primary, &standby).await;
    relations(&primary).await;
}

fn no_gaps(observed: &Observed) {
    assert!(observed.outcome.is_ok(), "{:?}", observed.outcome);
    assert_eq!(observed.gaps, []);
}

/// A thousand loans, some of them changed, one statement that stands out.
async fn work(primary: &Cluster) {
    primary.run("CREATE DATABASE shop").await;
    let shop = primary.connect("shop").await;
    shop.run(
        "CREATE TABLE loans (id serial PRIMARY KEY, amount numeric); \
         CREATE INDEX loans_amount ON loans (amount); \
         INSERT INTO loans (amount) SELECT g FROM generate_series(1, 1000) AS g; \
         UPDATE loans SET amount = 0 WHERE id <= 10; \
         DELETE FROM loans WHERE id > 995",
    )
    .await;
    shop.run("SELECT count(*) FROM loans WHERE amount > 17 AND 'hunter2' <> ''")
        .await;
    shop.run("CREATE ROLE teller PASSWORD 'hunter2'").await;
}

async fn instance(primary: &Cluster, before: &Observed, after: &Observed) {
    let version = primary.ask("SHOW server_version").await;
    let version = version.split_whitespace().next().unwrap().to_owned();
    let identity = primary
        .ask("SELECT system_identifier FROM pg_control_system()")
        .await;
    after.shows(&format!(
        "pg_up = 1
         pg_static{{short_version={version}.0}} = 1
         pg_system_info{{system_identifier={identity}}} = 1
         nightshift_postgres_connections = 1"
    ));
    // The agent's own session has a timeout of ten seconds and no JIT; the server has neither. The
    // catalogs' own rows count as rows of a database, so those are lower bounds.
    after.shows(
        "pg_replication_is_replica = 0
         pg_replication_lag_seconds = 0
         pg_replication_last_replay_seconds is absent
         pg_replication_replay_lag_bytes is absent
         pg_timeline = 1
         pg_settings_max_connections = 100
         pg_settings_shared_buffers_bytes = 16777216
         pg_settings_statement_timeout_seconds = 0
         pg_settings_jit = 1
         pg_stat_database_tup_updated{datname=shop} >= 10
         pg_stat_database_tup_deleted{datname=shop} >= 5
         pg_database_connection_limit{datname=postgres} = -1
         pg_database_size_bytes{datname=postgres} > 1000000
         pg_database_wraparound_age_datfrozenxid_seconds{datname=shop} > 0
         pg_wal_segments >= 1
         pg_stat_activity_count{datname=postgres,state=active} = 0
         pg_locks_count{datname=shop,mode=accessexclusivelock} = 0",
    );
    let grows = |name| assert!(after.the(name, &[]) > before.the(name, &[]), "{name}");
    grows("pg_wal_lsn_location_bytes");
    if primary.major >= 14 {
        grows("pg_stat_wal_bytes_total");
    }
    if primary.major >= 16 {
        after.shows(
            "pg_stat_io_hits_total{backend_type=client backend,object=relation,context=normal} > 0",
        );
    }
    // 18 has checksums unless told otherwise, the older ones have none: no failures is not known.
    after.shows(if primary.major >= 18 {
        "pg_stat_database_checksum_failures_total{datname=shop} = 0"
    } else {
        "pg_stat_database_checksum_failures_total is absent"
    });
    after.shows(if primary.major >= 17 {
        "pg_stat_checkpointer_num_requested_total >= 1"
    } else {
        "pg_stat_bgwriter_checkpoints_req_total >= 1"
    });
}

fn statements(after: &Observed) {
    let texts = after.label_values("pg_stat_statements_query_id", "query");
    assert!(texts.contains(TEXT), "{texts:#?}");
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("CREATE ROLE teller PASSWORD")),
        "{texts:#?}"
    );
    assert!(
        !texts.iter().any(|text| text.contains("hunter2")),
        "{texts:#?}"
    );
    let id = after
        .families
        .iter()
        .filter(|family| family.name == "pg_stat_statements_query_id")
        .flat_map(|family| &family.points)
        .find(|point| point.labels.iter().any(|label| label.value == TEXT))
        .and_then(|point| point.labels.iter().find(|label| label.name == "queryid"))
        .map(|label| label.value.to_string())
        .unwrap();
    let of = [
        ("user", "postgres"),
        ("datname", "shop"),
        ("queryid", id.as_str()),
    ];
    assert_eq!(after.the("pg_stat_statements_calls_total", &of), 1.0);
    assert_eq!(after.the("pg_stat_statements_rows_total", &of), 1.0);
    assert!(after.the("pg_stat_statements_seconds_total", &of) > 0.0);
}

/// Both ends of replication: caught up, with replay paused, caught up again.
async fn standby_of(primary: &Cluster, standby: &Cluster) {
    let mut there = Postgres::new(standby.settings());
    caught_up(primary).await;
    let seen = collect(&mut there).await;
    no_gaps(&seen);
    seen.shows(
        "pg_replication_is_replica = 1
         pg_replication_lag_seconds = 0
         pg_replication_replay_lag_bytes = 0
         pg_replication_replay_paused = 0
         pg_timeline = 1
         pg_stat_wal_receiver_received_tli{slot_name=replica1,status=streaming} = 1",
    );
    pause_replay(primary, standby).await;
    collect(&mut there).await.shows(
        "pg_replication_replay_lag_bytes > 100000
         pg_replication_lag_seconds > 0
         pg_replication_replay_paused = 1",
    );
    collect(&mut Postgres::new(primary.settings())).await.shows(
        "pg_stat_replication_replay_lag_bytes{application_name=replica1,state=streaming,slot_name=replica1} > 100000
         pg_stat_replication_pg_wal_lsn_diff{application_name=replica1,state=streaming,slot_name=replica1} > 100000
         pg_stat_replication_replay_lag_seconds{application_name=replica1} > 0
         pg_stat_replication_sync_state{application_name=replica1,sync_state=async} = 1
         pg_replication_slots_active{slot_name=replica1} = 1
         pg_replication_slots_wal_status{slot_name=replica1,wal_status=reserved} = 1",
    );
    standby.run("SELECT pg_wal_replay_resume()").await;
    caught_up(primary).await;
    collect(&mut there)
        .await
        .shows("pg_replication_lag_seconds = 0");
    no_gaps(&collect(&mut Databases::new(standby.settings())).await);
}

async fn caught_up(primary: &Cluster) {
    until("the standby has caught up", || async {
        primary
            .ask(
                "SELECT count(*) FROM pg_stat_replication \
                 WHERE state = 'streaming' AND replay_lsn = pg_current_wal_lsn()",
            )
            .await
            == "1"
    })
    .await;
}

async fn pause_replay(primary: &Cluster, standby: &Cluster) {
    standby.run("SELECT pg_wal_replay_pause()").await;
    primary
        .run("CREATE TABLE lagging AS SELECT g FROM generate_series(1, 10000) AS g")
        .await;
    until("the standby has told what it must not replay", || async {
        primary
            .ask("SELECT flush_lsn - replay_lsn > 100000 FROM pg_stat_replication")
            .await
            == "t"
    })
    .await;
}

async fn relations(primary: &Cluster) {
    let mut source = Databases::new(primary.settings());
    let seen = collect(&mut source).await;
    no_gaps(&seen);
    let shop = primary.connect("shop").await;
    let table = shop.ask("SELECT pg_table_size('loans')").await;
    let indexes = shop.ask("SELECT pg_indexes_size('loans')").await;
    seen.shows(&format!(
        "pg_stat_user_tables_n_tup_ins{{datname=shop,schemaname=public,relname=loans}} = 1000
         pg_stat_user_tables_n_tup_upd{{relname=loans}} = 10
         pg_stat_user_tables_n_tup_del{{relname=loans}} = 5
         pg_stat_user_tables_last_vacuum{{relname=loans}} = 0
         pg_stat_user_tables_table_size_bytes{{relname=loans}} = {table}
         pg_stat_user_tables_index_size_bytes{{relname=loans}} = {indexes}
         pg_statio_user_tables_heap_blocks_hit{{relname=loans}} > 0
         pg_stat_user_indexes_idx_scan{{indexrelname=loans_amount}} = 0
         nightshift_postgres_sequences_unreadable{{datname=shop}} = 1"
    ));
    shop.run("GRANT SELECT ON SEQUENCE loans_id_seq TO nightshift")
        .await;
    shop.run("SELECT setval('loans_id_seq', 2000000000)").await;
    shop.run("VACUUM loans").await;
    let seen = collect_until(&mut source, "the vacuum shows", |seen| {
        seen.the("pg_stat_user_tables_last_vacuum", &[("relname", "loans")]) > 0.0
    })
    .await;
    no_gaps(&seen);
    seen.shows(
        "pg_sequence_used_ratio{datname=shop,schemaname=public,sequencename=loans_id_seq} > 0.93
         pg_unused_indexes{datname=shop} = 1
         pg_stat_user_tables_last_vacuum{relname=loans} > 1700000000",
    );
}
