//! One PostgreSQL server: starting it, asking it, and doing to it what happens to servers.

mod builder;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::signal::Signal;

pub use self::builder::Builder;
use super::account::Account;
use super::folder::Folder;
use super::launch::Launch;
use super::ports::Port;
use super::process::Process;
use super::release::Release;
use super::roles::Role;
use super::session::{Rows, Session};
use crate::wait::{GENEROUS, wait_for};

/// A server with its data. Everything of it is gone when the last value that shares its folder is.
#[derive(Debug)]
pub struct Node {
    name: String,
    release: Release,
    port: Port,
    /// Absent between a stop and the next start.
    process: Mutex<Option<Process>>,
    folder: Arc<Folder>,
}

impl Node {
    /// A single server, not part of a cluster, in a folder of its own.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn major(&self) -> u32 {
        self.release.major()
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The folder of its Unix socket, its log and its data.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.home().join(format!("{}.log", self.name))
    }

    /// The program `pg_ctl` of its release.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.release.program("pg_ctl")
    }

    /// A libpq connection string over the Unix socket, where no password is asked.
    #[must_use]
    pub fn dsn(&self, role: Role, database: &str) -> String {
        let (home, port, user) = (self.home(), self.port(), role.name());
        format!(
            "host={} port={port} user={user} dbname={database}",
            home.display()
        )
    }

    /// A libpq connection string over TCP, with the password.
    #[must_use]
    pub fn tcp_dsn(&self, role: Role, database: &str) -> String {
        let (port, user, password) = (self.port(), role.name(), role.password());
        format!("host=127.0.0.1 port={port} user={user} password={password} dbname={database}")
    }

    /// Opens a connection that stays open, for what needs one: a lock, a transaction, a long query.
    pub async fn session(&self, role: Role, database: &str) -> Result<Session> {
        let session = Session::open(&self.dsn(role, database)).await;
        session.with_context(|| format!("log in to {} as {}", self.name, role.name()))
    }

    /// Runs statements as superuser in the database `postgres`.
    pub async fn sql(&self, text: &str) -> Result<Rows> {
        self.sql_in("postgres", text).await
    }

    /// Runs statements as superuser in that database.
    pub async fn sql_in(&self, database: &str, text: &str) -> Result<Rows> {
        self.session(Role::Superuser, database)
            .await?
            .sql(text)
            .await
    }

    /// The first column of the first row, asked as superuser in the database `postgres`.
    pub async fn value(&self, text: &str) -> Result<String> {
        self.value_in("postgres", text).await
    }

    /// The first column of the first row, asked as superuser in that database.
    pub async fn value_in(&self, database: &str, text: &str) -> Result<String> {
        self.session(Role::Superuser, database)
            .await?
            .value(text)
            .await
    }

    /// Changes a setting as `ALTER SYSTEM` does and waits until new sessions have it.
    pub async fn set(&self, setting: &str, value: &str) -> Result<()> {
        let value = value.replace('\'', "''");
        self.reload_after(&format!("ALTER SYSTEM SET {setting} = '{value}'"))
            .await
    }

    /// Takes back what `set` changed.
    pub async fn reset(&self, setting: &str) -> Result<()> {
        self.reload_after(&format!("ALTER SYSTEM RESET {setting}"))
            .await
    }

    /// Stops a standby from replaying what it receives.
    pub async fn pause_replay(&self) -> Result<()> {
        self.sql("SELECT pg_wal_replay_pause()").await?;
        wait_for("replay is paused", GENEROUS, || async {
            let state = self.value("SELECT pg_get_wal_replay_pause_state()").await?;
            ensure!(state == "paused", "state {state}");
            Ok(())
        })
        .await
    }

    pub async fn resume_replay(&self) -> Result<()> {
        self.sql("SELECT pg_wal_replay_resume()").await.map(drop)
    }

    /// Waits until this standby has replayed everything that `primary` has written until now.
    pub async fn catch_up_with(&self, primary: &Self) -> Result<()> {
        let written = primary.value("SELECT pg_current_wal_lsn()").await?;
        let behind =
            format!("SELECT pg_wal_lsn_diff('{written}', pg_last_wal_replay_lsn())::bigint");
        wait_for("standby has caught up", GENEROUS, || async {
            let bytes: i64 = self.value(&behind).await?.parse()?;
            ensure!(bytes <= 0, "{bytes} bytes behind");
            Ok(())
        })
        .await
    }

    /// The process ids of the postmaster, which is the first, and of all its children.
    pub fn pids(&self) -> Result<Vec<u32>> {
        Ok(self.process()?.tree())
    }

    /// Stops every process of the server where it stands (SIGSTOP).
    pub async fn pause(&self) -> Result<()> {
        self.process()?.pause().await
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> Result<()> {
        self.process()?.resume()
    }

    /// Stops the server in order (mode fast).
    pub async fn stop(&self) -> Result<()> {
        let status = self.process()?.stop(Signal::SIGINT).await?;
        ensure!(status.success(), "{} stopped with {status}", self.name);
        self.set_process(None);
        Ok(())
    }

    /// Kills every process of the server at once (SIGKILL).
    pub async fn kill(&self) -> Result<()> {
        self.process()?.kill().await?;
        self.set_process(None);
        Ok(())
    }

    /// Starts the server after a stop or a kill, and waits until it answers.
    pub async fn start(&self) -> Result<()> {
        let launch = Launch::new(
            &self.name,
            self.release.program("postgres"),
            Account::Service,
        );
        let process = self.folder.start(&launch.arg("-D").arg(self.data()))?;
        self.set_process(Some(process.clone()));
        wait_for("PostgreSQL answers", GENEROUS, || async {
            match process.check_running() {
                Ok(()) => self.sql("SELECT 1").await.map(|_| Ok(())),
                // A server that has ended will never answer: no use in waiting on.
                Err(ended) => Ok(Err(ended)),
            }
        })
        .await?
    }

    async fn reload_after(&self, statement: &str) -> Result<()> {
        let before = self.value("SELECT pg_conf_load_time()").await?;
        self.sql(statement).await?;
        self.sql("SELECT pg_reload_conf()").await?;
        wait_for("configuration is loaded again", GENEROUS, || async {
            let now = self.value("SELECT pg_conf_load_time()").await?;
            ensure!(now != before, "loaded at {now}");
            Ok(())
        })
        .await
    }

    fn process(&self) -> Result<Process> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process
            .clone()
            .ok_or_else(|| anyhow!("{} is stopped", self.name))
    }

    fn set_process(&self, process: Option<Process>) {
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = process;
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn release(&self) -> &Release {
        &self.release
    }
}

/// Appends settings to a data folder's `postgresql.conf`, where the last one of a name counts.
fn configure(data: &Path, settings: &[(String, String)]) -> Result<()> {
    let path = data.join("postgresql.conf");
    let mut file = OpenOptions::new()
        .append(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    for (setting, value) in settings {
        writeln!(file, "{setting} = '{}'", value.replace('\'', "''"))
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
