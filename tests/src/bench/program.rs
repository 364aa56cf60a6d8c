//! Our collector and its peers as a benchmark sees them: started on a folder and a port of their own,
//! ready, at rest, killed.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::cost::{self, Reading};
use crate::http;
use crate::lab::account::Account;
use crate::lab::folder::Folder;
use crate::lab::launch::Launch;
use crate::lab::ports::Port;
use crate::lab::process::Process;
use crate::wait::{GENEROUS, wait_for};

/// At rest is a program that used less than this share of a core...
const REST_SHARE: f64 = 0.02;
/// ...for this long.
const REST: Duration = Duration::from_secs(3);
/// One that never rests is measured anyhow.
const LONGEST_UNREST: Duration = Duration::from_secs(60);

/// A program that takes metrics in and answers for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Ours.
    Nightshift,
    /// Debian's.
    Prometheus,
    /// Debian's.
    VictoriaMetrics,
}

impl Program {
    /// In the order in which they are measured.
    pub const ALL: [Self; 3] = [Self::Nightshift, Self::Prometheus, Self::VictoriaMetrics];

    /// As tables have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nightshift => "nightshift",
            Self::Prometheus => "Prometheus 2.42",
            Self::VictoriaMetrics => "VictoriaMetrics 1.79",
        }
    }

    fn ready_path(self) -> &'static str {
        match self {
            Self::Nightshift | Self::Prometheus => "/-/ready",
            Self::VictoriaMetrics => "/health",
        }
    }

    fn launch(self, folder: &Path, address: &str, setup: &Setup) -> Result<Launch> {
        let data = folder.join("data");
        let data = data.display();
        let named = |name: &str, program: &Path| match setup.processors {
            None => Launch::new(name, program, Account::Own),
            // It replaces itself by the program, whose process id it had.
            Some(count) => Launch::new(name, "taskset", Account::Own)
                .args(["-c".to_owned(), format!("0-{}", count.get() - 1)])
                .arg(program),
        };
        Ok(match self {
            Self::Nightshift => {
                let config = folder.join("nightshift.toml");
                std::fs::write(&config, &setup.nightshift)?;
                named("nightshift", &built("nightshift")?)
                    .arg("serve")
                    .arg(format!("--config={}", config.display()))
                    .arg(format!("--data={data}"))
                    .arg(format!("--listen={address}"))
                    .args(["--otlp-grpc=off", "--otlp-http=off"])
            }
            Self::Prometheus => {
                let config = folder.join("prometheus.yml");
                std::fs::write(&config, &setup.prometheus)?;
                named("prometheus", Path::new("/usr/bin/prometheus"))
                    .arg(format!("--config.file={}", config.display()))
                    .arg(format!("--storage.tsdb.path={data}"))
                    .arg(format!("--web.listen-address={address}"))
                    .arg("--web.enable-remote-write-receiver")
                    .arg("--web.enable-admin-api")
            }
            Self::VictoriaMetrics => named("victoria", Path::new("/usr/bin/victoria-metrics"))
                .arg(format!("-storageDataPath={data}"))
                .arg(format!("-httpListenAddr={address}"))
                .arg("-retentionPeriod=1"),
        })
    }
}

/// How programs are started, beyond what they all need.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The configuration of ours.
    pub nightshift: String,
    /// The configuration of Prometheus.
    pub prometheus: String,
    /// How many processors they may use; all if nothing.
    pub processors: Option<NonZero<usize>>,
}

/// A program that runs.
pub struct Running {
    program: Program,
    folder: Arc<Folder>,
    launch: Launch,
    process: Process,
    port: Port,
}

impl Running {
    /// Starts one; `settings` are the configuration of ours.
    pub async fn start(program: Program, settings: &str) -> Result<Self> {
        let setup = Setup {
            nightshift: settings.to_owned(),
            ..Setup::default()
        };
        Self::start_as(program, &setup).await
    }

    /// Starts one in a way of its own.
    pub async fn start_as(program: Program, setup: &Setup) -> Result<Self> {
        let folder = Folder::new()?;
        let port = Port::claim()?;
        let launch = program.launch(folder.path(), &address(&port), setup)?;
        let process = folder.start(&launch)?;
        let running = Self {
            program,
            folder,
            launch,
            process,
            port,
        };
        running.ready().await?;
        Ok(running)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        address(&self.port)
    }

    /// Where its data are.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it has cost since it started.
    pub fn cost(&self) -> Result<Reading> {
        self.process.check_running()?;
        cost::read(self.process.pid())
    }

    /// Waits until it does nothing worth speaking of: what it put off belongs to the load.
    pub async fn rest(&self) -> Result<()> {
        let began = Instant::now();
        let mut last = self.cost()?;
        while began.elapsed() < LONGEST_UNREST {
            sleep(REST).await;
            let now = self.cost()?;
            let used = (now.cpu - last.cpu).as_secs_f64();
            last = now;
            if used < REST.as_secs_f64() * REST_SHARE {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Has it read its configuration again.
    pub fn reload(&self) -> Result<()> {
        self.process.signal(Signal::SIGHUP)
    }

    /// Kills it.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill().await
    }

    /// Kills it and starts it again; says how long it took to be ready.
    pub async fn restart(&mut self) -> Result<Duration> {
        self.kill().await?;
        let began = Instant::now();
        self.process = self.folder.start(&self.launch)?;
        self.ready().await?;
        Ok(began.elapsed())
    }

    async fn ready(&self) -> Result<()> {
        let (path, address) = (self.program.ready_path(), self.address());
        let is_ready = || async {
            self.process.check_running()?;
            http::get(&address, path).await?.ok()
        };
        let what = format!("{} is ready", self.program.name());
        wait_for(&what, GENEROUS, is_ready).await.map(drop)
    }
}

fn address(port: &Port) -> String {
    format!("127.0.0.1:{}", port.number())
}

/// One of our programs, beside this one in the build's folder.
pub fn built(name: &str) -> Result<PathBuf> {
    let folder = std::env::current_exe()?.parent().map(Path::to_path_buf);
    let path = folder.context("this program is in a folder")?.join(name);
    ensure!(
        path.exists(),
        "{} is not built; `make bench` builds it",
        path.display()
    );
    Ok(path)
}
