//! Every database of an instance, however many there are, whatever lies in them, whoever locks it.

use std::time::Duration;

use nightshift_agent::sources::postgres::{Databases, Postgres};

use crate::cluster::Cluster;
use crate::observed::{collect, collect_until};

/// How many databases there are: a hundred in each run of the tests, more where the environment says
/// so, as `make soak` does.
fn many() -> usize {
    match std::env::var("NIGHTSHIFT_TEST_DATABASES") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => 100,
    }
}

#[tokio::test]
async fn many_databases_need_few_connections() {
    let many = many();
    let cluster = Cluster::primary_with(16, "max_connections = 30").await;
    let admin = cluster.connect("postgres").await;
    for at in 0..many {
        admin
            .run(&format!(
                "CREATE DATABASE db{at:03} TEMPLATE template0 STRATEGY wal_log"
            ))
            .await;
    }
    cluster
        .connect("db050")
        .await
        .run("CREATE TABLE loans AS SELECT g FROM generate_series(1, 42) AS g")
        .await;
    let mut settings = cluster.settings();
    // A machine that runs other tests beside this one needs more than the usual time.
    settings.databases_timeout = Duration::from_secs(300);
    let mut instance = Postgres::new(settings.clone());
    let mut databases = Databases::new(settings);
    assert!(collect(&mut instance).await.outcome.is_ok());
    let (seen, most) = tokio::join!(collect(&mut databases), most_connections(&cluster, many));
    assert!(seen.outcome.is_ok(), "{:?}", seen.outcome);
    assert_eq!(seen.gaps, []);
    assert!((1..=5).contains(&most), "{most} connections");
    let ages = seen.values("nightshift_postgres_database_age_seconds", &[]);
    assert_eq!(ages.len(), many + 1, "each database within one collection");
    assert_eq!(
        seen.the(
            "pg_stat_user_tables_n_tup_ins",
            &[("datname", "db050"), ("relname", "loans")]
        ),
        42.0
    );
    // The next one looks at some and gives the others again; a new one comes first, a dropped one goes.
    admin
        .run("CREATE DATABASE newcomer TEMPLATE template0 STRATEGY wal_log")
        .await;
    let last = format!("db{:03}", many - 1);
    admin.run(&format!("DROP DATABASE {last}")).await;
    let seen = collect(&mut databases).await;
    assert_eq!(seen.gaps, []);
    let known = seen.label_values("pg_user_tables", "datname");
    assert_eq!(known.len(), many + 1);
    assert!(known.contains("newcomer") && !known.contains(last.as_str()));
}

/// The most connections that the agent had at once, seen until it has come to most of `many` databases.
async fn most_connections(cluster: &Cluster, many: usize) -> u64 {
    let watcher = cluster.connect("postgres").await;
    let before: u64 = sessions(&watcher).await;
    let mut most = 0;
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    loop {
        let now = watcher
            .ask(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nightshift-agent'",
            )
            .await;
        most = most.max(now.parse().unwrap());
        if sessions(&watcher).await >= before + many as u64 * 4 / 5 {
            return most;
        }
        looks.tick().await;
    }
}

async fn sessions(watcher: &crate::cluster::Connection) -> u64 {
    let sql = "SELECT sum(sessions) FROM pg_stat_database";
    watcher.ask(sql).await.parse().unwrap()
}

#[tokio::test]
async fn three_databases_keep_their_connections() {
    let cluster = Cluster::primary(17).await;
    for name in ["shop", "warehouse"] {
        cluster.run(&format!("CREATE DATABASE {name}")).await;
    }
    let pids = "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity \
        WHERE application_name = 'nightshift-agent'";
    let mut databases = Databases::new(cluster.settings());
    assert_eq!(collect(&mut databases).await.gaps, []);
    let first = cluster.ask(pids).await;
    assert_eq!(first.split(' ').count(), 3, "{first}");
    assert_eq!(collect(&mut databases).await.gaps, []);
    assert_eq!(cluster.ask(pids).await, first);
    // With a fourth they are given back.
    cluster.run("CREATE DATABASE fourth").await;
    assert_eq!(collect(&mut databases).await.gaps, []);
    crate::cluster::until("one connection is left", || async {
        cluster.ask(pids).await.split(' ').count() == 1
    })
    .await;
    // A database that lets nobody in is named; the others go on.
    cluster
        .run("ALTER DATABASE fourth CONNECTION LIMIT 0")
        .await;
    let seen = collect(&mut databases).await;
    assert!(seen.outcome.is_ok());
    assert_eq!(seen.gaps.len(), 1, "{:?}", seen.gaps);
    assert!(
        seen.gap("fourth").why.contains("too many connections"),
        "{:?}",
        seen.gaps
    );
    assert_eq!(seen.label_values("pg_user_tables", "datname").len(), 3);
}

#[tokio::test]
async fn ten_thousand_tables_are_bounded_and_counted() {
    let cluster = Cluster::primary_with(18, "max_locks_per_transaction = 1000").await;
    let admin = cluster.connect("postgres").await;
    for part in 0..10 {
        admin
            .run(&format!(
                "DO $$ BEGIN FOR i IN {}..{} LOOP \
                   EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', i); END LOOP; END $$",
                part * 1_000 + 1,
                (part + 1) * 1_000
            ))
            .await;
    }
    admin
        .run("INSERT INTO t7777 SELECT g FROM generate_series(1, 500) AS g")
        .await;
    let mut settings = cluster.settings();
    settings.databases_timeout = Duration::from_secs(300);
    let mut databases = Databases::new(settings.clone());
    let seen = collect_until(&mut databases, "the busiest table comes first", |seen| {
        !seen
            .values("pg_stat_user_tables_n_tup_ins", &[("relname", "t7777")])
            .is_empty()
    })
    .await;
    assert!(seen.outcome.is_ok());
    assert_eq!(seen.gaps, []);
    assert_eq!(
        seen.values("pg_stat_user_tables_n_live_tup", &[]).len(),
        1_000
    );
    assert_eq!(
        seen.the("pg_stat_user_tables_n_tup_ins", &[("relname", "t7777")]),
        500.0
    );
    assert_eq!(
        seen.the("pg_user_tables", &[("datname", "postgres")]),
        10_000.0
    );
    assert_eq!(
        seen.the(
            "nightshift_postgres_tables_left_out",
            &[("datname", "postgres")]
        ),
        9_000.0
    );
    let seen = collect(&mut Postgres::new(settings)).await;
    assert_eq!(seen.gaps, []);
}

#[tokio::test]
async fn a_locked_table_delays_nothing_but_its_own_size() {
    for major in [13, 17] {
        let cluster = Cluster::primary(major).await;
        let admin = cluster.connect("postgres").await;
        admin
            .run(
                "CREATE TABLE locked (id int PRIMARY KEY, t text); \
                 CREATE TABLE reindexed (id int PRIMARY KEY); \
                 CREATE TABLE free (id int PRIMARY KEY); \
                 CREATE SEQUENCE counted; GRANT SELECT ON SEQUENCE counted TO nightshift; \
                 INSERT INTO locked VALUES (1)",
            )
            .await;
        let holder = cluster.connect("postgres").await;
        holder
            .run("BEGIN; LOCK TABLE locked; REINDEX INDEX reindexed_pkey; ALTER SEQUENCE counted MAXVALUE 10")
            .await;
        let mut databases = Databases::new(cluster.settings());
        let seen = collect(&mut databases).await;
        assert!(seen.outcome.is_ok());
        let size = "pg_stat_user_tables_table_size_bytes";
        for table in ["locked", "reindexed"] {
            let gap = seen.gap(&format!("postgres.public.{table}"));
            assert!(gap.why.contains("AccessExclusiveLock"), "{gap:?}");
            assert_eq!(seen.value(size, &[("relname", table)]), None);
            assert!(
                seen.value("pg_stat_user_tables_n_live_tup", &[("relname", table)])
                    .is_some()
            );
        }
        assert!(
            seen.gap("sequence postgres.public.counted")
                .why
                .contains("lock")
        );
        assert_eq!(seen.gaps.len(), 3, "{:?}", seen.gaps);
        assert!(seen.value(size, &[("relname", "free")]).is_some());
        assert!(
            seen.value("pg_index_size_bytes", &[("indexrelname", "free_pkey")])
                .is_some()
        );
        assert_eq!(
            collect(&mut Postgres::new(cluster.settings())).await.gaps,
            []
        );
        holder.run("COMMIT").await;
        let seen = collect(&mut databases).await;
        assert_eq!(seen.gaps, []);
        assert!(seen.value(size, &[("relname", "locked")]).is_some());
    }
}

#[tokio::test]
async fn a_locked_catalog_is_a_gap_after_lock_timeout() {
    let cluster = Cluster::primary(16).await;
    let holder = cluster.connect("postgres").await;
    holder
        .run("BEGIN; LOCK TABLE pg_catalog.pg_stat_slru")
        .await;
    let mut source = Postgres::new(cluster.settings());
    let seen = collect(&mut source).await;
    assert!(seen.outcome.is_ok(), "{:?}", seen.outcome);
    assert_eq!(seen.gap("slru").why, "a lock is held on what it reads");
    assert_eq!(seen.gaps.len(), 1);
    assert!(seen.names().contains("pg_stat_statements_calls_total"));
    // The planner itself reads this one, so that a new session can ask nothing at all.
    holder
        .run("SET allow_system_table_mods = on; LOCK TABLE pg_catalog.pg_tablespace")
        .await;
    let error = collect(&mut Postgres::new(cluster.settings()))
        .await
        .outcome
        .unwrap_err();
    assert!(
        error.message.starts_with("nothing can be asked"),
        "{error:?}"
    );
    assert!(error.detail.contains("lock timeout"), "{error:?}");
}
