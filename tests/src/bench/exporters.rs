//! The exporters that an agent replaces: peers of its cost, and a well of real samples.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::http;
use crate::lab::account::Account;
use crate::lab::folder::Folder;
use crate::lab::launch::Launch;
use crate::lab::node::Node;
use crate::lab::ports::Port;
use crate::lab::process::Process;
use crate::lab::roles::Role;
use crate::wait::{GENEROUS, wait_for};

/// node_exporter, and postgres_exporter for each instance.
pub struct Exporters {
    /// Name, process and address of each.
    pub programs: Vec<(String, Process, String)>,
    _ports: Vec<Port>,
}

impl Exporters {
    /// Starts them in a lab's folder.
    pub fn start(folder: &Arc<Folder>, instances: &[&Node]) -> Result<Self> {
        let mut exporters = Self {
            programs: Vec::new(),
            _ports: Vec::new(),
        };
        let node = Launch::new(
            "node_exporter",
            "/usr/bin/prometheus-node-exporter",
            Account::Own,
        );
        exporters.launch(folder, "node_exporter".to_owned(), node)?;
        for instance in instances {
            let name = format!("postgres_exporter, {}", instance.name());
            let home = format!("postgres_exporter_{}", instance.name());
            let dsn = instance.tcp_dsn(Role::Monitor, "postgres");
            let launch = Launch::new(&home, "/usr/bin/prometheus-postgres-exporter", Account::Own)
                .env("DATA_SOURCE_NAME", &format!("{dsn} sslmode=disable"))
                .arg("--auto-discover-databases");
            exporters.launch(folder, name, launch)?;
        }
        Ok(exporters)
    }

    fn launch(&mut self, folder: &Arc<Folder>, name: String, launch: Launch) -> Result<()> {
        let port = Port::claim()?;
        let address = format!("127.0.0.1:{}", port.number());
        let process = folder.start(&launch.arg(format!("--web.listen-address={address}")))?;
        self.programs.push((name, process, address));
        self._ports.push(port);
        Ok(())
    }

    /// Waits until all answer.
    pub async fn ready(&self) -> Result<()> {
        for (name, _, address) in &self.programs {
            let answers = || http::get(address, "/metrics");
            wait_for(&format!("{name} answers"), GENEROUS, answers).await?;
        }
        Ok(())
    }

    /// Scrapes all of them once; an exposition each.
    pub async fn scrape(&self) -> Result<Vec<String>> {
        let mut pages = Vec::new();
        for (name, _, address) in &self.programs {
            let answer = http::get(address, "/metrics").await;
            let answer = answer.and_then(http::Answer::ok);
            pages.push(answer.with_context(|| format!("scrape {name}"))?);
        }
        Ok(pages)
    }

    /// Scrapes all of them at a pace until a moment.
    pub async fn scrape_until(&self, end: Instant, every: Duration) -> Result<()> {
        self.ready().await?;
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while Instant::now() < end {
            self.scrape().await?;
            tokio::select! {
                _ = ticks.tick() => {}
                () = sleep_until(end) => {}
            }
        }
        Ok(())
    }
}
