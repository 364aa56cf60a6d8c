use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::super::tests::peers::postgres::{PASSWORD, Postgres, connect};
use super::super::tests::peers::{Server, command_as, folder_of, free_port, password_file, until};
use super::*;

/// A PgBouncer of its own before a PostgreSQL of its own, with one server connection a pool.
struct Pooled {
    port: u16,
    server: Server,
    postgres: Postgres,
    folder: TempDir,
}

impl Pooled {
    async fn start() -> Self {
        let postgres = Postgres::start(&[]).await;
        let folder = folder_of("postgres");
        let port = free_port();
        let users = folder.path().join("users");
        let ini = folder.path().join("pgbouncer.ini");
        std::fs::write(
            &users,
            format!(
                "\"postgres\" \"{PASSWORD}\"\n\"stats\" \"{PASSWORD}\"\n\"nobody\" \"{PASSWORD}\"\n"
            ),
        )
        .unwrap();
        let text = format!(
            "[databases]\napp = host=127.0.0.1 port={} dbname=postgres pool_size=1\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = scram-sha-256\n\
             auth_file = {}\nstats_users = stats\nadmin_users = postgres\npool_mode = transaction\n\
             max_client_conn = 77\nunix_socket_dir =\n",
            postgres.port,
            users.display(),
        );
        std::fs::write(&ini, text).unwrap();
        let mut command = command_as("postgres", "pgbouncer");
        command.arg("pgbouncer.ini").current_dir(folder.path());
        let server = Server::start(&mut command, &folder.path().join("log"));
        let pooled = Self {
            port,
            server,
            postgres,
            folder,
        };
        until("PgBouncer takes connections", async || {
            connect(&pooled.dsn("postgres", "app")).await.ok()
        })
        .await;
        pooled
    }

    fn dsn(&self, user: &str, database: &str) -> String {
        let port = self.port;
        format!("host=127.0.0.1 port={port} user={user} password={PASSWORD} dbname={database}")
    }

    fn source(&self, user: &str, more: &str) -> Pgbouncer {
        self.source_with(PASSWORD, user, more)
    }

    fn source_with(&self, password: &str, user: &str, more: &str) -> Pgbouncer {
        let dsn = format!("host=127.0.0.1 port={} user={user}", self.port);
        let file = password_file(self.folder.path(), password);
        let keys = format!("dsn = '{dsn}'\n{file}\n{more}");
        let raw: RawSettings = toml::from_str(&keys).unwrap();
        let mut problems = Problems::default();
        let settings = raw.validate(&mut problems);
        assert_eq!(problems.into_inner(), []);
        Pgbouncer::new(settings.unwrap())
    }
}

type Series = BTreeMap<String, f64>;

/// Every series as `name{a="b"}`, also those before an error.
async fn collect(source: &mut Pgbouncer) -> (Series, Result<(), SourceError>) {
    let mut out = Gather::default();
    let outcome = source.collect(&mut out).await;
    let (families, gaps) = out.finish();
    assert_eq!(gaps, []);
    let mut series = BTreeMap::new();
    for family in families {
        for point in family.points {
            let labels = point
                .labels
                .iter()
                .map(|l| format!("{}={:?}", l.name, l.value));
            let labels: Vec<String> = labels.collect();
            let name = format!("{}{{{}}}", family.name, labels.join(","));
            assert_eq!(series.insert(name.clone(), point.value), None, "{name}");
        }
    }
    (series, outcome)
}

fn pool(metric: &str) -> String {
    format!("pgbouncer_pools_{metric}{{database=\"app\",user=\"postgres\"}}")
}

fn stat(metric: &str) -> String {
    format!("pgbouncer_stats_{metric}_total{{database=\"app\"}}")
}

#[tokio::test]
async fn a_client_that_waits_shows() {
    let pooled = Pooled::start().await;
    let mut source = pooled.source("stats", "");
    let (before, outcome) = collect(&mut source).await;
    outcome.unwrap();

    let holder = connect(&pooled.dsn("postgres", "app")).await.unwrap();
    holder
        .batch_execute("BEGIN; SELECT pg_sleep(0.05)")
        .await
        .unwrap();
    let waiter = connect(&pooled.dsn("postgres", "app")).await.unwrap();
    let waiting = waiter.batch_execute("SELECT 1");
    let watched = until("the second client waits", async || {
        let (series, outcome) = collect(&mut source).await;
        outcome.unwrap();
        let waited = series[&pool("client_maxwait_seconds")];
        (series[&pool("client_waiting_connections")] == 1.0 && waited > 0.0).then_some(series)
    });
    tokio::pin!(waiting);
    let held = tokio::select! {
        held = watched => held,
        _ = &mut waiting => panic!("the pool has one server connection, and it is held"),
    };
    assert_eq!(held[&pool("client_active_connections")], 1.0);
    assert_eq!(held[&pool("server_active_connections")], 1.0);
    assert_eq!(held[&pool("server_idle_connections")], 0.0);
    // Two clients of the application and the console's own.
    assert_eq!(held["pgbouncer_used_clients{}"], 3.0);

    holder.batch_execute("COMMIT").await.unwrap();
    waiting.await.unwrap();
    let (after, outcome) = collect(&mut source).await;
    outcome.unwrap();
    assert_eq!(after[&pool("client_waiting_connections")], 0.0);
    assert_eq!(after[&pool("client_maxwait_seconds")], 0.0);
    let grown = |metric: &str| after[&stat(metric)] - before.get(&stat(metric)).unwrap_or(&0.0);
    assert_eq!(grown("sql_transactions_pooled"), 2.0);
    assert_eq!(grown("queries_pooled"), 3.0);
    // pg_sleep(0.05) and no more than this test has run: seconds, not microseconds.
    let busy = grown("queries_duration_seconds");
    assert!((0.05..60.0).contains(&busy), "{busy}");
    assert!((0.0..60.0).contains(&grown("client_wait_seconds")));
    assert!(grown("received_bytes") > 0.0);
}

#[tokio::test]
async fn configuration_and_version_show() {
    let pooled = Pooled::start().await;
    let mut source = pooled.source("stats", "");
    let address = format!("127.0.0.1:{}", pooled.port);
    assert_eq!(source.instance(), address);
    let (series, outcome) = collect(&mut source).await;
    outcome.unwrap();
    let labels = format!(
        "{{name=\"app\",host=\"127.0.0.1\",port=\"{}\",database=\"postgres\"}}",
        pooled.postgres.port
    );
    assert_eq!(
        series[&format!("pgbouncer_databases_pool_size{labels}")],
        1.0
    );
    assert_eq!(series[&format!("pgbouncer_databases_paused{labels}")], 0.0);
    assert_eq!(series["pgbouncer_config_max_client_connections{}"], 77.0);
    assert_eq!(series["pgbouncer_config_max_user_connections{}"], 0.0);
    assert_eq!(series["pgbouncer_databases{}"], 2.0);
    assert_eq!(series["pgbouncer_up{}"], 1.0);
    let version = series
        .keys()
        .find(|name| name.starts_with("pgbouncer_version_info"));
    assert!(version.unwrap().contains("PgBouncer 1."), "{version:?}");

    let found = discover();
    let ours = found.iter().find(|candidate| candidate.port == pooled.port);
    let ours = ours.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(ours.host, "127.0.0.1");
    assert_eq!(ours.user.as_deref(), Some("stats"));
}

#[tokio::test]
async fn failures_are_told_and_passed() {
    let pooled = Pooled::start().await;
    let mut stranger = pooled.source("nobody", "");
    let (series, outcome) = collect(&mut stranger).await;
    assert_eq!(series["pgbouncer_up{}"], 0.0);
    assert_eq!(series.len(), 1, "{series:?}");
    let error = outcome.unwrap_err();
    assert!(
        error.message.starts_with("cannot log in at 127.0.0.1:"),
        "{error:?}"
    );

    let mut source = pooled.source("stats", "interval = '1s'\ntimeout = '1s'");
    until("it is read", async || collect(&mut source).await.1.ok()).await;
    pooled.server.signal(Signal::SIGSTOP);
    let (series, outcome) = collect(&mut source).await;
    assert_eq!(series["pgbouncer_up{}"], 0.0);
    let error = outcome.unwrap_err();
    assert!(
        error.message.ends_with("did not answer within 900ms"),
        "{error:?}"
    );
    pooled.server.signal(Signal::SIGCONT);
    until("it is read again", async || {
        collect(&mut source).await.1.ok()
    })
    .await;

    let mut wrong = pooled.source_with("wrong", "stats", "");
    let error = collect(&mut wrong).await.1.unwrap_err();
    assert!(!error.detail.is_empty());
    for shown in [
        format!("{error:?}"),
        format!("{source:?}"),
        format!("{stranger:?}"),
    ] {
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}

#[test]
fn wrong_settings_are_named() {
    for (toml, expected) in [
        ("", "missing field `dsn`"),
        (
            "dsn = 'host=db1 dbname=app'",
            "dsn: the DSN names another database",
        ),
        (
            "dsn = 'host=db1 options=-cstatement_timeout=1'",
            "dsn: the DSN has options",
        ),
        (
            "dsn = 'host=db1 port=x'",
            "dsn: the value of port is not valid",
        ),
        (
            "dsn = 'host=db1'\ninterval = '0s'",
            "interval: an interval of nothing",
        ),
        (
            "dsn = 'host=db1 password=hush'",
            "dsn: it holds a password, which",
        ),
        ("dsn = 'host=db1'\nuser = 'x'", "unknown field `user`"),
    ] {
        let mut problems = Problems::default();
        let said = match toml::from_str::<RawSettings>(toml) {
            Err(error) => error.message().to_owned(),
            Ok(raw) => {
                assert!(raw.validate(&mut problems).is_none(), "{toml}");
                problems.into_inner()[0].to_string()
            }
        };
        assert!(said.contains(expected), "{toml}\nsaid {said}");
    }
}
