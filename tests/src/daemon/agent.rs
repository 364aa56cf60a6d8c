//! The agent, `nightshift-agent run`, and the one place that knows the shape of its configuration file.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Daemon;
use crate::http;
use crate::lab::Lab;
use crate::lab::folder::Folder;
use crate::lab::node::Node;
use crate::lab::ports::Port;
use crate::lab::roles::Role;
use crate::parity::Exposition;

/// Custom queries in postgres_exporter's format: how old what the ETL job loaded is.
const FRESHNESS: &str = include_str!("freshness.yml");

const POSTGRES: &str = "[[postgres]]";

/// What one agent is to look at besides its PostgreSQL node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// The node alone, without the host: another agent on this host reports that.
    Node,
    /// The node and the host.
    NodeAndHost,
    /// The node, the host, and all that the lab has beside its nodes.
    Everything,
}

/// A source's section of the file: its header, and its keys with their values as TOML.
type Section = (&'static str, Vec<(&'static str, String)>);

/// The configuration of one agent.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its `host_name`, and the name of its folder.
    pub name: String,
    /// Addresses of collectors; none for an agent that keeps everything in its spool.
    pub collectors: Vec<String>,
    /// From one collection to the next, of every source; ten seconds unless told.
    pub interval: Duration,
    /// Further TOML, appended.
    pub further: String,
    /// Further variables of its environment.
    pub env: Vec<(String, String)>,
    sections: Vec<Section>,
}

impl Config {
    /// An agent for a node of the lab, named after it.
    pub fn for_node(lab: &Lab, node: &Node, watched: Watched) -> Result<Self> {
        let name = format!("agent-{}", node.name());
        let mut config = Self::empty(&name);
        config.postgres(&node.dsn(Role::Monitor, "postgres"));
        config.section(
            "[host]",
            &[("enabled", (watched != Watched::Node).to_string())],
        );
        if watched == Watched::Everything {
            config.everything_beside(lab)?;
        } else {
            config.section("[containers]", &[("enabled", false.to_string())]);
        }
        Ok(config)
    }

    /// An agent for the host alone.
    #[must_use]
    pub fn host(name: &str) -> Self {
        let mut config = Self::empty(name);
        config.section("[host]", &[]);
        config.section("[containers]", &[("enabled", false.to_string())]);
        config
    }

    fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            collectors: Vec::new(),
            interval: Duration::from_secs(10),
            further: String::new(),
            env: Vec::new(),
            sections: Vec::new(),
        }
    }

    /// Looks at a PostgreSQL instance.
    pub fn postgres(&mut self, dsn: &str) {
        self.section(POSTGRES, &[("dsn", quoted(dsn))]);
    }

    /// Looks at a `/metrics`, the collector's own for instance: `127.0.0.1:7700`.
    pub fn scrape(&mut self, address: &str) {
        let url = format!("http://{address}/metrics");
        self.section("[[scrape]]", &[("url", quoted(&url))]);
    }

    fn everything_beside(&mut self, lab: &Lab) -> Result<()> {
        let secrets = self.secret_file(lab)?;
        if let Ok(bouncer) = lab.pgbouncer() {
            let (port, user) = (bouncer.port(), Role::Monitor.name());
            let dsn = format!("host=127.0.0.1 port={port} user={user} dbname=pgbouncer");
            let password = ("password_file", quoted(&secrets));
            self.section("[[pgbouncer]]", &[("dsn", quoted(&dsn)), password]);
        }
        if let Ok(redis) = lab.redis() {
            self.section("[[redis]]", &[("address", quoted(&redis.address()))]);
        }
        match lab.docker() {
            Ok(docker) => {
                let socket = docker.socket().display().to_string();
                self.section("[containers]", &[("socket", quoted(&socket))]);
            }
            Err(_) => self.section("[containers]", &[("enabled", false.to_string())]),
        }
        let queries = lab
            .folder()
            .write(format!("{}/freshness.yml", self.name), FRESHNESS)?;
        let dsn = quoted(&lab.primary().dsn(Role::Monitor, "warehouse"));
        let files = format!("[{}]", quoted(&queries.display().to_string()));
        self.section("[[sql]]", &[("dsn", dsn), ("files", files)]);
        Ok(())
    }

    fn secret_file(&self, lab: &Lab) -> Result<String> {
        let path = format!("{}/password", self.name);
        let path = lab.folder().write(path, &Role::Monitor.password())?;
        Ok(path.display().to_string())
    }

    fn section(&mut self, header: &'static str, values: &[(&'static str, String)]) {
        self.sections.push((header, values.to_vec()));
    }

    /// The file's text. `data` is the agent's data folder, `expose` where it serves `/metrics`.
    fn text(&self, data: &str, expose: &str) -> Result<String> {
        let collectors: Vec<String> = self.collectors.iter().map(|url| quoted(url)).collect();
        let mut text = format!(
            "host_name = {}\ndata = {}\n",
            quoted(&self.name),
            quoted(data)
        );
        writeln!(text, "\n[labels]\ncluster = \"loans\"")?;
        writeln!(
            text,
            "\n[collector]\nendpoints = [{}]",
            collectors.join(", ")
        )?;
        writeln!(text, "\n[expose]\nlisten = {}", quoted(expose))?;
        // What else runs on the machine is not the lab's.
        writeln!(
            text,
            "\n[discovery]\npostgres = false\npgbouncer = false\nredis = false"
        )?;
        let pace = self.pace();
        for (header, values) in &self.sections {
            writeln!(text, "\n{header}\n{pace}")?;
            if *header == POSTGRES {
                writeln!(text, "databases_interval = {}", milliseconds(self.interval))?;
            }
            for (key, value) in values {
                writeln!(text, "{key} = {value}")?;
            }
        }
        text += &self.further;
        Ok(text)
    }

    /// What a source has four fifths of its interval for is given up before the next collection.
    fn pace(&self) -> String {
        let timeout = milliseconds(self.interval * 4 / 5);
        format!(
            "interval = {}\ntimeout = {timeout}",
            milliseconds(self.interval)
        )
    }
}

fn milliseconds(duration: Duration) -> String {
    quoted(&format!("{}ms", duration.as_millis()))
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// An agent with its configuration and data.
#[derive(Debug)]
pub struct Agent {
    daemon: Daemon,
    expose: Port,
    home: PathBuf,
}

impl Agent {
    /// Writes the configuration and starts the agent.
    pub async fn start(folder: &Arc<Folder>, config: &Config) -> Result<Self> {
        let expose = Port::claim().context("claim a port for the agent")?;
        let home = folder.path().join(&config.name);
        let data = home.join("data").display().to_string();
        let text = config.text(&data, &format!("127.0.0.1:{}", expose.number()))?;
        let file = folder.write(format!("{}/agent.toml", config.name), &text)?;
        let daemon = Daemon::new(folder, &config.name, "nightshift-agent").await?;
        let agent = Self {
            daemon: daemon
                .args(["run", "--config"])
                .args([file])
                .env(&config.env),
            expose,
            home,
        };
        agent.daemon.start()?;
        Ok(agent)
    }

    /// Its process and its log; starts, stops and kills it.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// Where it serves `/metrics`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.expose.number())
    }

    /// What it serves at `/metrics` now.
    pub async fn metrics(&self) -> Result<Exposition> {
        Exposition::parse(&self.metrics_text().await?)
    }

    /// The same as the agent writes it.
    pub async fn metrics_text(&self) -> Result<String> {
        http::get(&self.address(), "/metrics").await?.ok()
    }

    /// The folder of its configuration, its log and, below `data`, of its spool.
    #[must_use]
    pub fn home(&self) -> &PathBuf {
        &self.home
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_the_agent_understands() {
        let mut config = Config::empty("agent-\"odd\"");
        config.collectors.push("http://127.0.0.1:7700".to_owned());
        config.interval = Duration::from_secs(1);
        config.postgres("host=/tmp user=nightshift");
        let text = config.text("/tmp/data", "127.0.0.1:9187").unwrap();
        let expected = "host_name = \"agent-\\\"odd\\\"\"\ndata = \"/tmp/data\"\n\
            \n[labels]\ncluster = \"loans\"\n\
            \n[collector]\nendpoints = [\"http://127.0.0.1:7700\"]\n\
            \n[expose]\nlisten = \"127.0.0.1:9187\"\n\
            \n[discovery]\npostgres = false\npgbouncer = false\nredis = false\n\
            \n[[postgres]]\ninterval = \"1000ms\"\ntimeout = \"800ms\"\n\
            databases_interval = \"1000ms\"\ndsn = \"host=/tmp user=nightshift\"\n";
        assert_eq!(text, expected);
    }
}
