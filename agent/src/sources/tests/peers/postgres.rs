//! A PostgreSQL 15 with one superuser, `postgres`, whose password is [`PASSWORD`].

use std::ops::Deref;
use std::path::Path;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use super::{Server, command_as, folder_of, free_port, password_file, until};

/// Planted to be looked for: it must show nowhere.
pub(crate) const PASSWORD: &str = "hush-hush-42";

const BINARIES: &str = "/usr/lib/postgresql/15/bin";

/// A running PostgreSQL.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    pub(crate) server: Server,
    folder: TempDir,
}

impl Postgres {
    /// Starts one with those settings beside the defaults of a test.
    pub(crate) async fn start(settings: &[&str]) -> Self {
        let folder = folder_of("postgres");
        let data = folder.path().join("data");
        initdb(folder.path(), &data);
        let port = free_port();
        let mut command = command_as("postgres", &format!("{BINARIES}/postgres"));
        command.arg("-D").arg(&data);
        command.arg("-k").arg(folder.path());
        let own = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "fsync=off".to_owned(),
            "shared_buffers=8MB".to_owned(),
        ];
        let settings = settings.iter().map(|setting| (*setting).to_owned());
        for setting in own.into_iter().chain(settings) {
            command.args(["-c", &setting]);
        }
        let log = folder.path().join("log");
        // An immediate stop takes the children along, which SIGKILL would leave.
        let server = Server::start(&mut command, &log).ending_with(Signal::SIGQUIT);
        let started = Self {
            port,
            server,
            folder,
        };
        until("PostgreSQL takes connections", async || {
            started.connect("postgres").await.ok()
        })
        .await;
        started
    }

    /// The folder of its socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The keys of a source that logs in to `database`.
    pub(crate) fn login(&self, database: &str) -> String {
        let file = password_file(self.folder.path(), PASSWORD);
        format!("dsn = '{}'\n{file}", self.place(database))
    }

    /// A DSN without a password.
    pub(crate) fn place(&self, database: &str) -> String {
        let port = self.port;
        format!("host=127.0.0.1 port={port} user=postgres dbname={database}")
    }

    /// Runs statements in `database`.
    pub(crate) async fn run(&self, database: &str, sql: &str) {
        let client = self.connect(database).await.unwrap();
        client.batch_execute(sql).await.unwrap();
    }

    /// One value of `database` as text.
    pub(crate) async fn value(&self, database: &str, sql: &str) -> Option<String> {
        let client = self.connect(database).await.unwrap();
        let row = client.query_one(sql, &[]).await.unwrap();
        row.get(0)
    }

    /// A session of the test's own.
    pub(crate) async fn connect(
        &self,
        database: &str,
    ) -> Result<TestSession, tokio_postgres::Error> {
        connect(&format!("{} password={PASSWORD}", self.place(database))).await
    }
}

/// A session of the test's own; ends with it.
pub(crate) struct TestSession {
    client: Client,
    _task: JoinSet<()>,
}

impl Deref for TestSession {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A session at any DSN.
pub(crate) async fn connect(dsn: &str) -> Result<TestSession, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await?;
    let mut task = JoinSet::new();
    task.spawn(async move {
        connection.await.ok();
    });
    Ok(TestSession {
        client,
        _task: task,
    })
}

fn initdb(folder: &Path, data: &Path) {
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    let done = command_as("postgres", &format!("{BINARIES}/initdb"))
        .args(["--username=postgres", "--auth=scram-sha-256", "--no-sync"])
        .args(["--locale=C", "--encoding=UTF8"])
        .arg(format!("--pwfile={}", password.display()))
        .arg("-D")
        .arg(data)
        .output()
        .expect("PostgreSQL 15 is installed by scripts/setup.sh");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
