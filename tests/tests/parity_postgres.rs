//! The postgres source against Debian's postgres_exporter on the same server: every series that it
//! gives, we give.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../agent/tests/postgres/cluster.rs"]
#[allow(dead_code, reason = "this test needs a part of it")]
mod cluster;

use std::path::Path;
use std::time::Duration;

use cluster::{Cluster, until};
use nightshift_agent::schedule::{self, Plan};
use nightshift_agent::sources::login::Host;
use nightshift_agent::sources::postgres::Postgres;
use tests::parity::{Exporter, Exposition, Readings, Table, Tolerance, compare};

const PROGRAM: &str = "/usr/bin/prometheus-postgres-exporter";

/// Both print what the server says; only sums are made of it.
const USUAL: Tolerance = Tolerance {
    relative: 1e-9,
    absolute: 0.0,
};

#[tokio::test]
async fn every_series_of_the_exporter_is_given() {
    let cluster = Cluster::primary_with(15, "archive_mode = on\narchive_command = 'true'").await;
    work(&cluster).await;
    let mut settings = cluster.settings();
    settings.legacy_names = true;
    let Host::Folder(folder) = &settings.target.host else {
        panic!("the cluster listens on a socket");
    };
    let dsn = format!("host={} user=nightshift dbname=postgres", folder.display());
    let exporter = Exporter::start(PROGRAM, &[], &[("DATA_SOURCE_NAME", &dsn)]).unwrap();
    let plan = Plan {
        source: "postgres",
        job: "postgres-exporter".into(),
        instance: "here".into(),
        speaks_for_target: true,
        interval: settings.interval,
        timeout: Duration::from_secs(60),
    };
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/postgres.toml");
    let table = Table::read(&table).unwrap();
    let before = exporter.scrape().unwrap();
    let collection = schedule::once(Postgres::new(settings), plan).await;
    let after = exporter.scrape().unwrap();
    assert_eq!(collection.gaps, []);
    let readings = Readings {
        before: &before,
        ours: &Exposition::of(&collection.families),
        after: &after,
    };
    let report = compare(readings, &table, USUAL);
    assert!(report.problems.is_empty(), "{report}");
    assert!(report.unused.is_empty(), "{report}");
    assert!(report.agreed > 350, "{report}");
}

/// Statistics that are not all zero, and times of reset that are known.
async fn work(cluster: &Cluster) {
    cluster
        .run("CREATE TABLE loans AS SELECT g FROM generate_series(1, 5000) AS g")
        .await;
    cluster.run("CREATE DATABASE shop").await;
    for database in ["postgres", "shop", "template1"] {
        let session = cluster.connect(database).await;
        session.run("SELECT pg_stat_reset()").await;
    }
    cluster.run("UPDATE loans SET g = 0 WHERE g < 100").await;
    cluster.run("CHECKPOINT").await;
    cluster.run("SELECT pg_switch_wal()").await;
    until("a segment was archived", || async {
        cluster
            .ask("SELECT archived_count > 0 FROM pg_stat_archiver")
            .await
            == "t"
    })
    .await;
}
