//! The collector, `nightshift serve`.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Daemon;
use crate::http::{self, escape};
use crate::lab::folder::Folder;
use crate::parity::Exposition;
use crate::wait::{GENEROUS, wait_for};

/// Where a collector listens. Ports differ from start to start unless fixed.
#[derive(Clone, Debug, Deserialize)]
pub struct Endpoints {
    /// HTTP API, and what agents ship to: `127.0.0.1:7700`.
    pub listen: String,
    /// OTLP over gRPC.
    #[serde(default)]
    pub otlp_grpc: Option<String>,
    /// OTLP over HTTP.
    #[serde(default)]
    pub otlp_http: Option<String>,
}

/// A collector with its data.
#[derive(Debug)]
pub struct Collector {
    daemon: Daemon,
    data: PathBuf,
}

impl Collector {
    /// Starts a collector at `listen` (`127.0.0.1:0` for any port), with the OTLP ports closed.
    pub async fn start(folder: &Arc<Folder>, listen: &str) -> Result<Self> {
        let off = ["--otlp-grpc", "off", "--otlp-http", "off"];
        Self::start_with(folder, listen, &off).await
    }

    /// Starts a collector that is configured by this TOML, with the OTLP ports closed.
    pub async fn start_configured(folder: &Arc<Folder>, listen: &str, text: &str) -> Result<Self> {
        let file = folder.write("collector/nightshift.toml", text)?;
        let file = file.display().to_string();
        let words = [
            "--otlp-grpc",
            "off",
            "--otlp-http",
            "off",
            "--config",
            &file,
        ];
        Self::start_with(folder, listen, &words).await
    }

    /// Starts a collector with further words on its command line.
    pub async fn start_with(folder: &Arc<Folder>, listen: &str, words: &[&str]) -> Result<Self> {
        Self::start_under(folder, listen, words, &[]).await
    }

    /// The same in an environment of its own.
    pub async fn start_under(
        folder: &Arc<Folder>,
        listen: &str,
        words: &[&str],
        env: &[(String, String)],
    ) -> Result<Self> {
        let data = folder.path().join("collector/data");
        let daemon = Daemon::new(folder, "collector", "nightshift").await?;
        let daemon = daemon
            .env(env)
            .args(["serve", "--listen", listen, "--data"])
            .args([&data])
            .args(words);
        let collector = Self { daemon, data };
        collector.start_again().await?;
        Ok(collector)
    }

    /// Starts it after a stop or a kill, and waits until it is ready.
    pub async fn start_again(&self) -> Result<Endpoints> {
        // What a killed collector wrote there is not where the new one listens.
        match fs::remove_file(self.endpoints_path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).context("remove the former endpoints");
            }
            _ => {}
        }
        self.daemon.start()?;
        let process = self.daemon.process()?;
        wait_for("the collector is ready", GENEROUS, || async {
            if let Err(ended) = process.check_running() {
                return Ok(Err(ended));
            }
            let endpoints = self.endpoints()?;
            http::get(&endpoints.listen, "/-/ready").await?.ok()?;
            anyhow::Ok(Ok(endpoints))
        })
        .await?
    }

    /// Where it listens.
    pub fn endpoints(&self) -> Result<Endpoints> {
        let path = self.endpoints_path();
        let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("parse {}", path.display()))
    }

    /// The body of a page of its API.
    pub async fn get(&self, path: &str) -> Result<String> {
        http::get(&self.endpoints()?.listen, path).await?.ok()
    }

    /// The newest sample of every series that `selector` matches, such as `{job="postgres"}`.
    pub async fn federate(&self, selector: &str) -> Result<Exposition> {
        Exposition::parse(&self.federate_text(selector).await?)
    }

    /// The same as the collector writes it.
    pub async fn federate_text(&self, selector: &str) -> Result<String> {
        let path = format!("/federate?match%5B%5D={}", escape(selector));
        self.get(&path).await
    }

    /// The value of the one series that `selector` matches; an error if there is none, or several.
    pub async fn value(&self, selector: &str) -> Result<f64> {
        let found = self.federate(selector).await?;
        let values: Vec<f64> = found.series().map(|(_, value)| value).collect();
        match values[..] {
            [value] => Ok(value),
            _ => anyhow::bail!("{} series match {selector}", values.len()),
        }
    }

    /// Its process and its log.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// The folder given to it by `--data`.
    #[must_use]
    pub fn data(&self) -> &PathBuf {
        &self.data
    }

    fn endpoints_path(&self) -> PathBuf {
        self.data.join("endpoints.json")
    }
}
