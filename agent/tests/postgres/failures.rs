//! Servers that hang, refuse, end sessions or show only a part: each gives an error or a named gap
//! within its time, and the next collection works again.

use std::time::{Duration, Instant};

use nightshift_agent::config::Problems;
use nightshift_agent::sources::hidden::Hidden;
use nightshift_agent::sources::login::{Encryption, Host, Password, Target};
use nightshift_agent::sources::postgres::{Databases, Postgres, RawSettings, Settings, setup};
use nix::sys::signal::Signal;
use wire::secret::Secret;

use crate::cluster::Cluster;
use crate::observed::{collect, collect_until};

const SECRET: &str = "hunter2-never-to-be-seen";

#[tokio::test]
async fn a_stopped_server_is_an_error_within_the_timeout_and_comes_back() {
    let cluster = Cluster::primary(16).await;
    let mut settings = cluster.settings();
    settings.timeout = Duration::from_secs(3);
    settings.databases_timeout = Duration::from_secs(3);
    let bound = Duration::from_secs(30);
    let mut connected = Postgres::new(settings.clone());
    let mut fresh = Postgres::new(settings.clone());
    let mut databases = Databases::new(settings);
    assert!(collect(&mut connected).await.outcome.is_ok());
    assert!(collect(&mut databases).await.outcome.is_ok());
    cluster.signal_all(Signal::SIGSTOP);
    let began = Instant::now();
    let seen = collect(&mut connected).await;
    assert_eq!(seen.the("pg_up", &[]), 0.0);
    let error = seen.outcome.unwrap_err();
    assert!(error.detail.contains("did not answer"), "{error:?}");
    let error = collect(&mut fresh).await.outcome.unwrap_err();
    assert!(
        error.message.contains("did not accept a connection"),
        "{error:?}"
    );
    let seen = collect(&mut databases).await;
    assert!(seen.outcome.is_err());
    assert!(
        seen.families.is_empty(),
        "old numbers must not pass for new ones"
    );
    // Each is bounded by seconds; a hang would be for ever.
    assert!(began.elapsed() < bound);
    cluster.signal_all(Signal::SIGCONT);
    for source in [&mut connected, &mut fresh] {
        let seen = collect_until(source, "the server is back", |seen| seen.outcome.is_ok()).await;
        assert_eq!(seen.the("pg_up", &[]), 1.0);
    }
    assert!(collect(&mut databases).await.outcome.is_ok());
}

#[tokio::test]
async fn a_session_that_was_ended_is_replaced_within_the_same_collection() {
    let cluster = Cluster::primary(17).await;
    let mut source = Postgres::new(cluster.settings());
    assert!(collect(&mut source).await.outcome.is_ok());
    cluster
        .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nightshift-agent'")
        .await;
    let seen = collect(&mut source).await;
    assert!(seen.outcome.is_ok(), "{:?}", seen.outcome);
    assert_eq!(seen.gaps, []);
    assert_eq!(seen.the("pg_up", &[]), 1.0);
}

#[tokio::test]
async fn no_server_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = Postgres::new(Settings::of(Target {
        host: Host::Folder(folder.path().to_owned()),
        port: 5432,
        user: "nightshift".to_owned(),
        dbname: "postgres".to_owned(),
        encryption: Encryption::Off,
        options: None,
        given_password: Some(Password::Fixed(Secret::new(SECRET))),
        passfile: None,
    }));
    let seen = collect(&mut source).await;
    assert_eq!(seen.the("pg_up", &[]), 0.0);
    assert_eq!(seen.names().len(), 1, "nothing but that is known of it");
    let error = seen.outcome.unwrap_err();
    assert!(error.hint.contains(".s.PGSQL.5432"), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_says_what_to_do_and_shows_nothing() {
    let cluster = Cluster::primary(18).await;
    cluster.run("ALTER ROLE nightshift PASSWORD 'right'").await;
    cluster.rewrite(
        "pg_hba.conf",
        "local all postgres trust\nlocal all all scram-sha-256\n",
    );
    cluster.run("SELECT pg_reload_conf()").await;
    let mut settings = cluster.settings();
    settings.target.given_password = Some(Password::Fixed(Secret::new(SECRET)));
    let mut source = Postgres::new(settings.clone());
    let error = collect_until(&mut source, "the password is refused", |seen| {
        seen.outcome.is_err()
    })
    .await
    .outcome
    .unwrap_err();
    assert!(
        error.detail.contains("password authentication failed"),
        "{error:?}"
    );
    assert!(
        error.hint.contains("ALTER ROLE nightshift PASSWORD"),
        "{error:?}"
    );
    assert!(!format!("{error:?} {settings:?}").contains(SECRET));
    assert!(!cluster.log().contains(SECRET));

    settings.target.given_password = Some(Password::Fixed(Secret::new("right")));
    let mut source = Postgres::new(settings.clone());
    assert!(collect(&mut source).await.outcome.is_ok());
    settings.target.given_password = None;
    let mut source = Postgres::new(settings);
    let error = collect(&mut source).await.outcome.unwrap_err();
    assert!(error.hint.contains("password_file"), "{error:?}");
}

#[tokio::test]
async fn what_the_role_may_not_see_is_left_out_and_named() {
    let cluster = Cluster::primary(15).await;
    cluster.run("REVOKE pg_monitor FROM nightshift").await;
    let mut source = Postgres::new(cluster.settings());
    let seen = collect(&mut source).await;
    assert!(seen.outcome.is_ok());
    assert_eq!(seen.the("pg_up", &[]), 1.0);
    for view in [
        "activity",
        "blocking",
        "locks",
        "settings",
        "wal_folder",
        "statements",
        "xmin_holders",
    ] {
        let gap = seen.gap(view);
        assert_eq!(gap.fix, "GRANT pg_monitor TO nightshift", "{gap:?}");
    }
    for family in [
        "pg_stat_activity_count",
        "pg_locks_count",
        "pg_wal_segments",
        "pg_blocked_sessions",
    ] {
        assert!(!seen.names().contains(family), "{family}");
    }
    // What anyone may see is there.
    assert_eq!(seen.the("pg_replication_is_replica", &[]), 0.0);
    assert!(seen.names().contains("pg_stat_database_xact_commit"));
    // A grant counts from the next collection on, without a new connection.
    cluster.run("GRANT pg_monitor TO nightshift").await;
    let seen = collect(&mut source).await;
    assert_eq!(seen.gaps, []);
    assert!(seen.names().contains("pg_stat_activity_count"));
}

#[tokio::test]
async fn a_missing_extension_is_named_with_its_fix() {
    let cluster = Cluster::primary(13).await;
    cluster.run("DROP EXTENSION pg_stat_statements").await;
    let mut source = Postgres::new(cluster.settings());
    let seen = collect(&mut source).await;
    assert!(seen.outcome.is_ok());
    let gap = seen.gap("statements");
    assert!(
        gap.fix.contains("CREATE EXTENSION pg_stat_statements"),
        "{gap:?}"
    );
    assert_eq!(seen.gaps.len(), 1);
}

#[tokio::test]
async fn setup_lets_the_agent_in() {
    for major in [13, 18] {
        let cluster = Cluster::primary(major).await;
        cluster.run("DROP EXTENSION pg_stat_statements").await;
        cluster.run("CREATE DATABASE shop").await;
        let shop = cluster.connect("shop").await;
        shop.run("CREATE SCHEMA \"odd Name\"; CREATE TABLE \"odd Name\".loans (id serial)")
            .await;
        for _twice in 0..2 {
            shop.run("INSERT INTO \"odd Name\".loans DEFAULT VALUES")
                .await;
        }
        for role in ["watcher", "Odd \"role's\" %s"] {
            for _twice in 0..2 {
                setup::apply(&cluster.target("postgres"), role)
                    .await
                    .unwrap();
            }
            let settings = Settings::of(cluster.target(role));
            let seen = collect(&mut Postgres::new(settings.clone())).await;
            assert!(seen.outcome.is_ok(), "{:?}", seen.outcome);
            assert_eq!(seen.gaps, []);
            let seen = collect(&mut Databases::new(settings)).await;
            assert_eq!(seen.gaps, []);
            assert!(seen.the("pg_sequence_used_ratio", &[("schemaname", "odd Name")]) > 0.0);
            assert_eq!(
                seen.the(
                    "nightshift_postgres_sequences_unreadable",
                    &[("datname", "shop")]
                ),
                0.0
            );
        }
    }
}

#[test]
fn a_password_in_the_configuration_file_is_refused_without_showing_it() {
    for dsn in [
        format!("postgresql://nightshift:{SECRET}@db1/postgres"),
        format!("postgresql://nightshift@db1/postgres?password={SECRET}"),
        format!("host=db1 user=nightshift password={SECRET}"),
        format!("host=db1 user=nightshift password='{SECRET}"),
    ] {
        let mut problems = Problems::default();
        let raw = RawSettings {
            dsn: Some(Hidden::new(dsn)),
            ..RawSettings::default()
        };
        assert!(raw.validate(&mut problems).is_none());
        let text = format!("{:?}", problems.into_inner());
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn settings_have_documented_defaults_and_bounds() {
    let mut problems = Problems::default();
    let settings = RawSettings::default().validate(&mut problems).unwrap();
    assert_eq!(problems.into_inner(), []);
    assert_eq!(settings.interval, Duration::from_secs(10));
    assert_eq!(settings.timeout, Duration::from_secs(9));
    assert_eq!(settings.databases_interval, Duration::from_secs(60));
    assert_eq!(settings.statements, 100);
    assert_eq!(settings.target.user, "nightshift");
    for (text, key) in [
        ("interval = \"1ms\"", "interval"),
        ("statements = 1000000", "statements"),
        ("tables = 1000000", "tables"),
        ("sslmode = \"maybe\"", "sslmode"),
        (
            "host = \"db1\"\n[tls]\nca_file = \"/no/such\"",
            "tls.ca_file",
        ),
        ("dsn = \"x\"", "dsn"),
        ("dsn = \"host=a\"\ndsn_env = \"B\"", "dsn_env"),
        ("password_file = \"/no/such\"", "password_file"),
        ("password_env = \"NO_SUCH_VARIABLE\"", "password_env"),
    ] {
        let raw: RawSettings = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        let _settings = raw.validate(&mut problems);
        let found = problems.into_inner();
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].key, key, "{text}");
        assert!(!found[0].hint.is_empty(), "{text}");
    }
    assert!(toml::from_str::<RawSettings>("pasword = \"x\"").is_err());
}
