//! Debian's Alertmanager beside Prometheus, which sends it what fires.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use crate::bench::cost::{self, Reading};
use crate::http;
use crate::lab::account::Account;
use crate::lab::folder::Folder;
use crate::lab::launch::Launch;
use crate::lab::ports::Port;
use crate::lab::process::Process;
use crate::wait::{GENEROUS, wait_for};

/// One that runs.
pub(super) struct Alertmanager {
    _folder: Arc<Folder>,
    process: Process,
    port: Port,
}

impl Alertmanager {
    /// Starts one with this configuration and waits until it is ready.
    pub(super) async fn start(config: &Path) -> Result<Self> {
        let folder = Folder::new()?;
        let port = Port::claim()?;
        let launch = Launch::new(
            "alertmanager",
            "/usr/bin/prometheus-alertmanager",
            Account::Own,
        )
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address={}", address(&port)))
        .arg("--cluster.listen-address=");
        let process = folder.start(&launch)?;
        let started = Self {
            _folder: folder,
            process,
            port,
        };
        let is_ready = || async {
            started.process.check_running()?;
            http::get(&started.address(), "/-/ready").await?.ok()
        };
        wait_for("Alertmanager is ready", GENEROUS, is_ready).await?;
        Ok(started)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        address(&self.port)
    }

    /// What it has cost since it started.
    pub(super) fn cost(&self) -> Result<Reading> {
        self.process.check_running()?;
        cost::read(self.process.pid())
    }

    /// Kills it.
    pub(super) async fn kill(&self) -> Result<()> {
        self.process.kill().await
    }
}

fn address(port: &Port) -> String {
    format!("127.0.0.1:{}", port.number())
}
