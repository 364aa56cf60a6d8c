//! PgBouncer in front of the lab's primary.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::account::Account;
use super::folder::Folder;
use super::launch::Launch;
use super::node::Node;
use super::ports::Port;
use super::process::Process;
use super::roles::Role;
use super::session::Session;
use crate::wait::{GENEROUS, wait_for};

const NAME: &str = "pgbouncer";
/// Few enough that a burst of the loan workload makes clients wait, as it does in production.
const POOL: u32 = 8;

/// A running PgBouncer.
#[derive(Debug)]
pub struct PgBouncer {
    port: Port,
    process: Process,
    folder: Arc<Folder>,
}

impl PgBouncer {
    pub(super) async fn start(folder: &Arc<Folder>, primary: &Node) -> Result<Self> {
        let port = Port::claim().context("claim a port for PgBouncer")?;
        let launch = Launch::new(NAME, "pgbouncer", Account::Service).arg("pgbouncer.ini");
        launch.home(folder.path())?;
        let users = Role::ALL.map(|role| format!("\"{}\" \"{}\"\n", role.name(), role.password()));
        folder.write(format!("{NAME}/users.txt"), &users.concat())?;
        let home = folder.path().join(NAME).display().to_string();
        let configuration = configuration(&home, port.number(), primary.port());
        folder.write(format!("{NAME}/pgbouncer.ini"), &configuration)?;
        let process = folder.start(&launch)?;
        let bouncer = Self {
            port,
            process,
            folder: Arc::clone(folder),
        };
        bouncer.answers().await?;
        Ok(bouncer)
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The folder of its Unix socket, its configuration and its log.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    /// Its process: to pause, kill or read the log of.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// A libpq connection string; the database `pgbouncer` is its console, which the monitoring role
    /// may read and the superuser may command.
    #[must_use]
    pub fn dsn(&self, role: Role, database: &str) -> String {
        let (port, user, password) = (self.port(), role.name(), role.password());
        format!("host=127.0.0.1 port={port} user={user} password={password} dbname={database}")
    }

    /// Opens a connection through it, or to its console.
    pub async fn session(&self, role: Role, database: &str) -> Result<Session> {
        let session = Session::open(&self.dsn(role, database)).await;
        session.with_context(|| format!("log in to PgBouncer as {}", role.name()))
    }

    async fn answers(&self) -> Result<()> {
        wait_for("PgBouncer answers", GENEROUS, || async {
            if let Err(ended) = self.process.check_running() {
                return Ok(Err(ended));
            }
            let console = self.session(Role::Monitor, "pgbouncer").await?;
            let version = console.value("SHOW VERSION").await?;
            ensure!(version.starts_with("PgBouncer"), "it says: {version}");
            anyhow::Ok(Ok(()))
        })
        .await?
    }
}

fn configuration(home: &str, port: u16, primary: u16) -> String {
    let database = |name| format!("{name} = host=127.0.0.1 port={primary} dbname={name}\n");
    let databases = ["loans", "warehouse", "postgres"].map(database).concat();
    format!(
        "[databases]\n{databases}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir = {home}\n\
         auth_type = scram-sha-256\n\
         auth_file = {home}/users.txt\n\
         admin_users = {admin}\n\
         stats_users = {monitor}\n\
         pool_mode = transaction\n\
         default_pool_size = {POOL}\n\
         max_client_conn = 200\n\
         ignore_startup_parameters = extra_float_digits\n\
         server_login_retry = 1\n",
        admin = Role::Superuser.name(),
        monitor = Role::Monitor.name(),
    )
}
