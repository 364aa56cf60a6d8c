//! Instances are found without being told of.

use std::os::unix::net::UnixListener;
use std::path::Path;

use nightshift_agent::sources::login::Host;
use nightshift_agent::sources::postgres::discover;

use crate::cluster::Cluster;

#[tokio::test]
async fn running_servers_are_found_with_what_can_be_read() {
    let cluster = Cluster::primary(17).await;
    let other = Cluster::primary(13).await;
    let Host::Folder(folder) = cluster.target("x").host else {
        panic!("the lab listens on sockets");
    };
    // PgBouncer's sockets have names like PostgreSQL's, but no lock file.
    let _bouncer = UnixListener::bind(folder.join(".s.PGSQL.6432")).unwrap();
    let all = discover::instances(Path::new("/proc"));
    let found: Vec<_> = all
        .iter()
        .filter(|found| found.socket_folder.as_deref() == Some(&folder))
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let found = found[0].clone();
    assert_eq!(found.port, 5432);
    assert_eq!(found.major, Some(17));
    assert_eq!(found.data.as_deref(), Some(cluster.data().as_path()));
    assert!(!found.contained);
    let second: Vec<_> = all
        .iter()
        .filter(|found| found.data.as_deref() == Some(other.data().as_path()))
        .collect();
    assert_eq!(second.len(), 1, "{second:?}");
    assert_eq!(second[0].major, Some(13));

    cluster.run("CREATE SEQUENCE counted").await;
    let report = discover::examine(found.clone(), "nightshift").await;
    assert!(report.outcome.is_ok(), "{:?}", report.outcome);
    assert_eq!(report.gaps, []);
    for view in ["activity", "statements", "user_tables", "wal_folder"] {
        assert!(
            report.readable.iter().any(|name| name == view),
            "{view}: {report:?}"
        );
    }
    let fixes: Vec<&str> = report
        .advice
        .iter()
        .map(|advice| advice.fix.as_str())
        .collect();
    assert!(
        fixes
            .iter()
            .any(|fix| fix.contains("pg_file_settings TO nightshift")),
        "{fixes:?}"
    );
    assert!(
        fixes.iter().any(|fix| fix.contains("SEQUENCES")),
        "{fixes:?}"
    );

    cluster.run("REVOKE pg_monitor FROM nightshift").await;
    let report = discover::examine(found.clone(), "nightshift").await;
    assert!(
        report
            .gaps
            .iter()
            .any(|gap| gap.fix == "GRANT pg_monitor TO nightshift")
    );
    let report = discover::examine(found, "nobody_there").await;
    let error = report.outcome.unwrap_err();
    assert!(error.hint.contains("setup-postgres"), "{error:?}");
}

#[test]
fn a_proc_that_says_nothing_or_nonsense_finds_nothing() {
    let proc = tempfile::tempdir().unwrap();
    assert_eq!(discover::instances(proc.path()), []);
    assert_eq!(discover::instances(Path::new("/no/such/folder")), []);
    let server = proc.path().join("42");
    std::fs::create_dir_all(server.join("cwd")).unwrap();
    std::fs::write(server.join("comm"), "postgres\n").unwrap();
    for lock in [
        "",
        "x",
        "42\n",
        "42\n/data\n1\nport\n",
        "42\n/data\n1\n70000\n/tmp\n",
    ] {
        std::fs::write(server.join("cwd/postmaster.pid"), lock).unwrap();
        assert_eq!(discover::instances(proc.path()), [], "{lock:?}");
    }
    std::fs::write(
        server.join("cwd/postmaster.pid"),
        "42\n/data\n1\n5433\n\n*\n",
    )
    .unwrap();
    let found = discover::instances(proc.path());
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].port, &found[0].socket_folder), (5433, &None));
    assert_eq!(
        found[0].target("x").host,
        Host::Name("localhost".to_owned())
    );
}
