//! What an operator looks for at night: blocked sessions, archiving that fails, slots that retain,
//! transactions left open, settings that were edited and not loaded.

use nightshift_agent::sources::postgres::Postgres;
use nightshift_agent::sources::postgres::setup::{self, Extent};

use crate::cluster::{Cluster, Connection, until};
use crate::observed::{collect, collect_until};

#[tokio::test]
async fn a_blocked_session_shows_as_a_tree() {
    let cluster = Cluster::primary(16).await;
    cluster.run("CREATE TABLE accounts AS SELECT 1 AS id").await;
    let first = session(&cluster, "first").await;
    let second = session(&cluster, "second").await;
    let third = session(&cluster, "third").await;
    first.run("BEGIN; LOCK accounts").await;
    let mut source = Postgres::new(cluster.settings());
    let ((), (), ()) = tokio::join!(
        second.run("UPDATE accounts SET id = 2"),
        async {
            until("the second waits", || async {
                cluster
                    .ask("SELECT count(*) FROM pg_locks WHERE NOT granted")
                    .await
                    == "1"
            })
            .await;
            third.run("TRUNCATE accounts").await;
        },
        async {
            let seen = collect_until(&mut source, "both wait", |seen| {
                seen.value("pg_blocked_sessions", &[]) == Some(2.0)
            })
            .await;
            // The third waits for the first, and behind the second, who came before.
            seen.shows(
                "pg_blocked_session_wait_seconds{application_name=second,datname=postgres,usename=postgres,locktype=relation,mode=RowExclusiveLock,relation=public.accounts} > 0
                 pg_root_blocker_blocked_sessions{application_name=first,state=idle in transaction} = 2
                 pg_root_blocker_transaction_seconds{application_name=first} > 0
                 pg_root_blocker_blocked_sessions{application_name=second} is absent
                 pg_stat_activity_count{wait_event_type=Lock,wait_event=relation,application_name=second} = 1
                 pg_locks_waiting_count{datname=postgres,mode=rowexclusivelock} = 1",
            );
            let behind = [("application_name", "third")];
            assert_eq!(
                seen.values("pg_blocked_session_wait_seconds", &behind)
                    .len(),
                2
            );
            first.run("COMMIT").await;
        }
    );
    collect(&mut source).await.shows(
        "pg_blocked_sessions = 0
         pg_blocked_session_wait_seconds is absent",
    );
}

async fn session(cluster: &Cluster, name: &str) -> Connection {
    let session = cluster.connect("postgres").await;
    session
        .run(&format!("SET application_name = '{name}'"))
        .await;
    session
}

#[tokio::test]
async fn failing_archiving_shows_as_failures_and_a_growing_backlog() {
    let cluster = Cluster::primary_with(17, "archive_mode = on\narchive_command = 'false'").await;
    for _ in 0..3 {
        cluster
            .run("SELECT pg_logical_emit_message(false, 'x', 'x'), pg_switch_wal()")
            .await;
    }
    let mut source = Postgres::new(cluster.settings());
    let seen = collect_until(&mut source, "archiving fails", |seen| {
        seen.the("pg_stat_archiver_failed_count", &[]) >= 1.0
    })
    .await;
    assert!(seen.the("pg_archive_ready_segments", &[]) >= 3.0);
    assert!(seen.the("pg_archive_ready_oldest_seconds", &[]) >= 0.0);
    assert!(seen.the("pg_stat_archiver_last_failure_age", &[]) >= 0.0);
    assert_eq!(seen.the("pg_stat_archiver_archived_count", &[]), 0.0);
    assert_eq!(
        seen.value("pg_stat_archiver_last_archive_age", &[]),
        None,
        "nothing was ever archived, which is not the same as just now"
    );
    cluster
        .run("ALTER SYSTEM SET archive_command = 'true'")
        .await;
    cluster.run("SELECT pg_reload_conf()").await;
    let seen = collect_until(&mut source, "archiving works", |seen| {
        seen.the("pg_stat_archiver_archived_count", &[]) >= 3.0
    })
    .await;
    assert!(seen.the("pg_stat_archiver_last_archive_age", &[]) >= 0.0);
}

#[tokio::test]
async fn a_slot_without_a_reader_shows_what_it_retains() {
    let cluster = Cluster::primary_with(18, "max_slot_wal_keep_size = 64MB").await;
    cluster
        .run("SELECT pg_create_physical_replication_slot('forgotten', true)")
        .await;
    cluster
        .run("SELECT pg_create_logical_replication_slot('decoded', 'pgoutput')")
        .await;
    cluster
        .run("CREATE TABLE written AS SELECT g FROM generate_series(1, 20000) AS g")
        .await;
    let mut source = Postgres::new(cluster.settings());
    let seen = collect(&mut source).await;
    let forgotten = [("slot_name", "forgotten")];
    let retained = seen.the("pg_replication_slots_pg_wal_lsn_diff", &forgotten);
    assert!(retained > 1e6, "{retained}");
    assert_eq!(seen.the("pg_replication_slots_active", &forgotten), 0.0);
    assert!(seen.the("pg_replication_slots_safe_wal_size_bytes", &forgotten) > 0.0);
    assert!(seen.the("pg_replication_slots_inactive_since_seconds", &forgotten) > 1.7e9);
    let decoded = [("slot_name", "decoded"), ("database", "postgres")];
    assert_eq!(seen.the("pg_replication_slots_active", &decoded), 0.0);
    assert!(
        seen.the(
            "pg_replication_slots_catalog_xmin_age",
            &[("slot_name", "decoded")]
        ) > 0.0
    );
    assert!(
        seen.the(
            "pg_xmin_holder_age",
            &[("holder", "slot"), ("name", "decoded")]
        ) > 0.0
    );
    assert_eq!(
        seen.the(
            "pg_stat_replication_slots_total_txns_total",
            &[("slot_name", "decoded")]
        ),
        0.0
    );
}

#[tokio::test]
async fn transactions_left_open_show_with_who_holds_them() {
    let cluster = Cluster::primary(15).await;
    cluster.run("CREATE TABLE held (id int)").await;
    let idle = cluster.connect("postgres").await;
    idle.run("SET application_name = 'forgetful'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        .await;
    let pid = idle.ask("SELECT pg_backend_pid()").await;
    let prepared = cluster.connect("postgres").await;
    prepared
        .run("BEGIN; INSERT INTO held VALUES (1); PREPARE TRANSACTION 'in doubt'")
        .await;
    for _ in 0..3 {
        cluster.run("INSERT INTO held VALUES (2)").await;
    }
    let mut source = Postgres::new(cluster.settings());
    let seen = collect(&mut source).await;
    assert_eq!(seen.the("pg_idle_in_transaction_sessions", &[]), 1.0);
    assert!(seen.the("pg_idle_in_transaction_oldest_seconds", &[]) > 0.0);
    assert_eq!(seen.the("pg_long_running_transactions", &[]), 1.0);
    assert_eq!(
        seen.the(
            "pg_stat_activity_count",
            &[
                ("state", "idle in transaction"),
                ("application_name", "forgetful")
            ]
        ),
        1.0
    );
    let session = [
        ("holder", "session"),
        ("name", pid.as_str()),
        ("datname", "postgres"),
    ];
    assert!(seen.the("pg_xmin_holder_age", &session) >= 4.0);
    let doubt = [("holder", "prepared transaction"), ("name", "in doubt")];
    assert!(seen.the("pg_xmin_holder_age", &doubt) >= 3.0);
    assert_eq!(
        seen.the("pg_prepared_transactions", &[("datname", "postgres")]),
        1.0
    );
    assert!(
        seen.the(
            "pg_process_idle_seconds",
            &[("application_name", "forgetful"), ("le", "+Inf")]
        ) >= 1.0
    );
}

#[tokio::test]
async fn settings_edited_and_not_in_effect_show() {
    let cluster = Cluster::primary(17).await;
    // What `setup-postgres` applies goes beyond pg_monitor here.
    cluster
        .run(&setup::setup_sql("nightshift", 17, Extent::Instance))
        .await;
    let mut source = Postgres::new(cluster.settings());
    let seen = collect(&mut source).await;
    assert_eq!(seen.gaps, []);
    assert_eq!(
        seen.values("pg_settings_differs_from_file", &[]),
        [] as [f64; 0]
    );
    cluster.run("ALTER SYSTEM SET work_mem = '64MB'").await;
    cluster.run("ALTER SYSTEM SET max_connections = 200").await;
    let mut source = Postgres::new(cluster.settings());
    let seen = collect(&mut source).await;
    assert_eq!(
        seen.values("pg_settings_pending_restart", &[]),
        [] as [f64; 0]
    );
    cluster.run("SELECT pg_reload_conf()").await;
    until("the file is loaded", || async {
        cluster.ask("SHOW work_mem").await == "64MB"
    })
    .await;
    let mut source = Postgres::new(cluster.settings());
    let seen = collect(&mut source).await;
    assert_eq!(
        seen.the(
            "pg_settings_pending_restart",
            &[("name", "max_connections")]
        ),
        1.0
    );
    assert_eq!(
        seen.the("pg_settings_work_mem_bytes", &[]),
        64.0 * 1_048_576.0
    );
    cluster.edit("work_mem = 1GB\nno_such_setting = 1\n");
    cluster.run("ALTER SYSTEM RESET work_mem").await;
    let mut source = Postgres::new(cluster.settings());
    let seen = collect(&mut source).await;
    assert_eq!(
        seen.values(
            "pg_file_settings_not_applied",
            &[("name", "no_such_setting")]
        )
        .len(),
        1
    );
}

#[tokio::test]
async fn a_long_statement_text_is_cut() {
    let cluster = Cluster::primary(16).await;
    // A megabyte of statement, as a generated IN list or a pasted document makes it.
    let columns = (0..60_000)
        .map(|at| format!("{at} AS column_{at:07}"))
        .take(1_600);
    let statement = format!(
        "SELECT {} /* {} */",
        columns.collect::<Vec<_>>().join(", "),
        "x".repeat(1 << 20)
    );
    cluster
        .connect("postgres")
        .await
        .client
        .batch_execute(&statement)
        .await
        .unwrap();
    let mut source = Postgres::new(cluster.settings());
    let seen = collect_until(&mut source, "the statement shows", |seen| {
        seen.label_values("pg_stat_statements_query_id", "query")
            .iter()
            .any(|text| text.contains("column_0000001"))
    })
    .await;
    let longest = seen.label_values("pg_stat_statements_query_id", "query");
    assert!(longest.iter().all(|text| text.len() <= 4096));
}
