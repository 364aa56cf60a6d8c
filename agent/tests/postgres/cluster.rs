//! A PostgreSQL server of a test's own: in a temporary folder, on a Unix socket in that folder, as
//! OS user `postgres`, gone with the value.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nightshift_agent::sources::login::{Encryption, Host, Target};
use nightshift_agent::sources::postgres::Settings;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Every major that is tested.
pub(crate) const MAJORS: [u32; 5] = [13, 15, 16, 17, 18];

/// A server that takes longer to start, on a machine that is busy with other tests, hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One server.
pub(crate) struct Cluster {
    pub(crate) major: u32,
    folder: TempDir,
    server: Child,
}

/// A connection of a test, as the superuser.
pub(crate) struct Connection {
    pub(crate) client: Client,
    _driver: JoinSet<()>,
}

impl Cluster {
    /// A primary with `pg_stat_statements` and a role `nightshift` that has `pg_monitor` and no more.
    pub(crate) async fn primary(major: u32) -> Self {
        Self::primary_with(major, "").await
    }

    /// The same with lines of configuration of its own.
    pub(crate) async fn primary_with(major: u32, configuration: &str) -> Self {
        let folder = new_folder();
        run(tool(major, "initdb")
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(folder.path().join("data")));
        let settings = format!(
            "fsync = off\nshared_buffers = 16MB\nmax_wal_size = 256MB\nwal_level = logical\n\
             shared_preload_libraries = 'pg_stat_statements'\nlisten_addresses = ''\n\
             max_prepared_transactions = 5\nunix_socket_directories = '{}'\n{configuration}\n",
            folder.path().display()
        );
        append(&folder.path().join("data/postgresql.conf"), &settings);
        let cluster = Self::start(major, folder).await;
        cluster
            .run(
                "CREATE EXTENSION pg_stat_statements; CREATE ROLE nightshift LOGIN; \
                 GRANT pg_monitor TO nightshift",
            )
            .await;
        cluster
    }

    /// A streaming standby of this primary, made of a copy of its files between a start and a stop
    /// of a backup.
    pub(crate) async fn standby(&self, slot: &str) -> Self {
        let folder = new_folder();
        let (data, copy) = (self.data(), folder.path().join("data"));
        let connection = self.connect("postgres").await;
        connection
            .run(&format!(
                "SELECT pg_create_physical_replication_slot('{slot}', true)"
            ))
            .await;
        let (begin, end) = if self.major >= 15 {
            (
                "SELECT pg_backup_start('copy', true)",
                "SELECT pg_backup_stop(false)",
            )
        } else {
            (
                "SELECT pg_start_backup('copy', true, false)",
                "SELECT pg_stop_backup(false, false)",
            )
        };
        connection.run(begin).await;
        run(Command::new("cp").arg("-a").arg(&data).arg(&copy));
        connection.run(end).await;
        std::fs::remove_file(copy.join("postmaster.pid")).unwrap();
        append(
            &copy.join("postgresql.conf"),
            &format!(
                "unix_socket_directories = '{}'\nprimary_slot_name = '{slot}'\nhot_standby = on\n\
                 primary_conninfo = 'host={} user=postgres application_name={slot}'\n",
                folder.path().display(),
                self.folder.path().display()
            ),
        );
        append(&copy.join("standby.signal"), "");
        Self::start(self.major, folder).await
    }

    async fn start(major: u32, folder: TempDir) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let server = tool(major, "postgres")
            .arg("-D")
            .arg(folder.path().join("data"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let cluster = Self {
            major,
            folder,
            server,
        };
        until("the server accepts connections", async || {
            cluster.try_connect("postgres").await.is_some()
        })
        .await;
        cluster
    }

    /// What the agent is given: the role with `pg_monitor`.
    pub(crate) fn settings(&self) -> Settings {
        Settings::of(self.target("nightshift"))
    }

    pub(crate) fn target(&self, user: &str) -> Target {
        Target {
            host: Host::Folder(self.folder.path().to_owned()),
            port: 5432,
            user: user.to_owned(),
            dbname: "postgres".to_owned(),
            encryption: Encryption::Off,
            options: None,
            given_password: None,
            passfile: None,
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Adds lines to the configuration file, without loading them.
    pub(crate) fn edit(&self, lines: &str) {
        append(&self.data().join("postgresql.conf"), lines);
    }

    /// Replaces a file of the data folder.
    pub(crate) fn rewrite(&self, file: &str, text: &str) {
        std::fs::write(self.data().join(file), text).unwrap();
    }

    pub(crate) async fn connect(&self, database: &str) -> Connection {
        self.try_connect(database)
            .await
            .unwrap_or_else(|| panic!("cannot connect; the log says:\n{}", self.log()))
    }

    async fn try_connect(&self, database: &str) -> Option<Connection> {
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(self.folder.path())
            .user("postgres")
            .dbname(database)
            .connect(NoTls)
            .await
            .ok()?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            let _ended = connection.await;
        });
        Some(Connection {
            client,
            _driver: driver,
        })
    }

    /// Runs statements as the superuser in database `postgres`.
    pub(crate) async fn run(&self, sql: &str) {
        self.connect("postgres").await.run(sql).await;
    }

    /// One value as the superuser.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        self.connect("postgres").await.ask(sql).await
    }

    /// Sends a signal to the postmaster and every process of the server.
    pub(crate) fn signal_all(&self, signal: Signal) {
        let postmaster = i32::try_from(self.server.id()).unwrap();
        for pid in children(postmaster).into_iter().chain([postmaster]) {
            // A process may have ended since it was listed.
            let _gone = kill(Pid::from_raw(pid), signal);
            while signal == Signal::SIGSTOP && !is_stopped(pid) {
                std::thread::yield_now();
            }
        }
    }
}

/// Whether a process stands still, or is gone.
fn is_stopped(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().unwrap_or_default();
    !state.starts_with(['R', 'S', 'D', 'I'])
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.signal_all(Signal::SIGCONT);
        let postmaster = Pid::from_raw(i32::try_from(self.server.id()).unwrap());
        let _gone = kill(postmaster, Signal::SIGQUIT);
        let _status = self.server.wait();
    }
}

impl Connection {
    pub(crate) async fn run(&self, sql: &str) {
        if let Err(error) = self.client.batch_execute(sql).await {
            panic!("{sql}: {:?}", error.as_db_error());
        }
    }

    pub(crate) async fn ask(&self, sql: &str) -> String {
        let answer = self.client.simple_query(sql).await.unwrap();
        answer
            .iter()
            .find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .unwrap_or_default()
    }
}

/// Waits for a state, and fails with its name when it does not come.
pub(crate) async fn until(what: &str, reached: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    while !reached().await {
        assert!(Instant::now() < deadline, "this never happened: {what}");
        looks.tick().await;
    }
}

/// A program of that major, to be run as the user that PostgreSQL wants.
pub(crate) fn tool(major: u32, name: &str) -> Command {
    let folder = match major {
        15 => PathBuf::from("/usr/lib/postgresql/15/bin"),
        other => std::env::var_os("NIGHTSHIFT_EMBEDDED_POSTGRES")
            .map_or_else(
                || PathBuf::from("/var/cache/nightshift/postgres"),
                PathBuf::from,
            )
            .join(other.to_string())
            .join("bin"),
    };
    let program = folder.join(name);
    assert!(
        program.exists(),
        "{} is missing: run scripts/setup.sh",
        program.display()
    );
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        let user = postgres();
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        // The folder of the test runner need not be one that this user may enter.
        command.current_dir("/");
    }
    command
}

fn postgres() -> User {
    User::from_name("postgres")
        .unwrap()
        .expect("there is no OS user postgres: run scripts/setup.sh")
}

fn new_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("ns").tempdir().unwrap();
    if nix::unistd::geteuid().is_root() {
        let user = postgres();
        nix::unistd::chown(folder.path(), Some(user.uid), Some(user.gid)).unwrap();
    }
    folder
}

fn append(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn children(of: i32) -> Vec<i32> {
    let path = format!("/proc/{of}/task/{of}/children");
    let list = std::fs::read_to_string(path).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}
