//! The agent's configuration, in two stages: [`RawConfig`] as the file has it, and [`Config`] as the
//! program may rely on it.
//!
//! Every section belongs to the module that it configures; this module only joins them, with the
//! command line and the environment laid over the file. Reading reports every problem at once.

pub mod secret;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use wire::metric::Label;

pub use wire::problem::{Problem, Problems};

use crate::cli;
use crate::discovery;
use crate::join::Credentials;
use crate::pipeline;
use crate::ship;
use crate::sources::{containers, host, pgbouncer, postgres, probe, prometheus, redis, sql};
use crate::spool;

/// The file, before anything in it has been believed. TOML; every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    /// The host's name in the `instance` label and in the collector's list of agents. Default: what
    /// the kernel says.
    pub host_name: Option<String>,
    /// The folder for the spool and the agent's identity. Default: `/var/lib/nightshift-agent`.
    pub data: Option<PathBuf>,
    /// Emit the names of postgres_exporter 0.11 beside today's. Default: false.
    pub legacy_names: bool,
    /// Labels for every series of this host, such as `cluster = "loans"`. Default: none.
    pub labels: BTreeMap<String, String>,
    /// Where batches go.
    pub collector: ship::RawSettings,
    /// The queue on disk.
    pub spool: spool::RawSettings,
    /// What happens to series between source and spool.
    pub pipeline: pipeline::RawSettings,
    /// The agent's own `/metrics`.
    pub expose: RawExpose,
    /// What is looked for where nothing is configured.
    pub discovery: discovery::RawSettings,
    /// The host source.
    pub host: host::RawSettings,
    /// PostgreSQL instances.
    pub postgres: Vec<postgres::RawSettings>,
    /// PgBouncer instances.
    pub pgbouncer: Vec<pgbouncer::RawSettings>,
    /// Redis instances.
    pub redis: Vec<redis::RawSettings>,
    /// The container source.
    pub containers: containers::RawSettings,
    /// Probes.
    pub probe: Vec<probe::RawSettings>,
    /// Other `/metrics` to scrape.
    pub scrape: Vec<prometheus::RawSettings>,
    /// Custom queries.
    pub sql: Vec<sql::RawSettings>,
}

/// The agent's own `/metrics`, which an existing Prometheus can scrape in place of the exporters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawExpose {
    /// Address to serve `/metrics` on, such as `127.0.0.1:9187`. Default: not served.
    pub listen: Option<String>,
}

/// A configuration that the program may rely on.
#[derive(Clone, Debug)]
pub struct Config {
    /// The host's name.
    pub host_name: String,
    /// The data folder.
    pub data: PathBuf,
    /// Whether 0.11 names are emitted as well.
    pub legacy_names: bool,
    /// Labels for every series.
    pub labels: Vec<Label>,
    /// Where batches go; `None` where no collector is configured.
    pub collector: Option<ship::Settings>,
    /// The queue on disk.
    pub spool: spool::Settings,
    /// What happens to series.
    pub pipeline: pipeline::Settings,
    /// Where `/metrics` is served, if anywhere.
    pub expose: Option<SocketAddr>,
    /// What is looked for.
    pub discovery: discovery::Settings,
    /// The sources that the file names.
    pub sources: Sources,
}

/// The sources that the file names.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The host, unless switched off.
    pub host: Option<host::Settings>,
    /// The container engine, where there is one.
    pub containers: Option<containers::Settings>,
    /// PostgreSQL instances.
    pub postgres: Vec<postgres::Settings>,
    /// PgBouncer instances.
    pub pgbouncer: Vec<pgbouncer::Settings>,
    /// Redis instances.
    pub redis: Vec<redis::Settings>,
    /// Probes.
    pub probe: Vec<probe::Settings>,
    /// Other `/metrics`.
    pub scrape: Vec<prometheus::Settings>,
    /// Custom queries.
    pub sql: Vec<sql::Settings>,
}

/// Why there is no configuration to run with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key that does not exist.
    #[error("the configuration {} is not valid:\n{message}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// Values that cannot be.
    #[error("the configuration has {} problem(s):\n{}", .0.len(), list(.0))]
    Invalid(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("- {problem}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reads the file's text into its raw form.
pub fn read(path: &Path) -> Result<RawConfig, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Parse {
        path: path.to_owned(),
        message: without_values(&error),
    })
}

/// The parser's error quotes the line, and a value of the wrong type; either may hold a secret in the
/// wrong place.
fn without_values(error: &toml::de::Error) -> String {
    let place = error
        .span()
        .map(|span| format!(" (at byte {})", span.start))
        .unwrap_or_default();
    let message = error.message();
    let quotes = message.starts_with("invalid type") || message.starts_with("invalid value");
    match message.rsplit_once(", expected ") {
        Some((_, expected)) if quotes => {
            format!("a value of the wrong kind, expected {expected}{place}")
        }
        _ => format!("{message}{place}"),
    }
}

impl RawConfig {
    /// Lays the command line over the file.
    pub fn override_with(&mut self, given: &cli::Settings) {
        if !given.collector.is_empty() {
            self.collector.endpoints.clone_from(&given.collector);
        }
        if given.data.is_some() {
            self.data.clone_from(&given.data);
        }
        if given.expose.is_some() {
            self.expose.listen.clone_from(&given.expose);
        }
        self.legacy_names |= given.legacy_names;
    }

    /// Checks everything and turns it into what the program relies on.
    pub fn validate(self) -> Result<Config, ConfigError> {
        let mut problems = Problems::default();
        let config = self.check(&mut problems);
        match (config, problems.into_inner()) {
            (Some(config), found) if found.is_empty() => Ok(config),
            (_, found) => Err(ConfigError::Invalid(found)),
        }
    }

    fn check(self, problems: &mut Problems) -> Option<Config> {
        let host_name = self.host_name.unwrap_or_else(kernel_host_name);
        let data = self
            .data
            .unwrap_or_else(|| PathBuf::from("/var/lib/nightshift-agent"));
        let labels = labels(self.labels, problems);
        let collector = collector(self.collector, &data, problems);
        let spool = problems.under("spool", |problems| {
            self.spool.validate(data.clone(), problems)
        });
        let pipeline = problems.under("pipeline", |problems| self.pipeline.validate(problems));
        let expose = self
            .expose
            .listen
            .and_then(|listen| address(&listen, problems));
        let discovery = self.discovery.validate();
        let sources = Sources {
            host: problems.under("host", |problems| self.host.validate(problems)),
            containers: problems.under("containers", |problems| self.containers.validate(problems)),
            postgres: each(
                "postgres",
                self.postgres,
                problems,
                postgres::RawSettings::validate,
            ),
            pgbouncer: each(
                "pgbouncer",
                self.pgbouncer,
                problems,
                pgbouncer::RawSettings::validate,
            ),
            redis: each("redis", self.redis, problems, redis::RawSettings::validate),
            probe: each("probe", self.probe, problems, probe::RawSettings::validate),
            scrape: each(
                "scrape",
                self.scrape,
                problems,
                prometheus::RawSettings::validate,
            ),
            sql: each("sql", self.sql, problems, sql::RawSettings::validate),
        };
        Some(Config {
            host_name,
            data,
            legacy_names: self.legacy_names,
            labels,
            collector,
            spool: spool?,
            pipeline: pipeline?,
            expose,
            discovery,
            sources,
        })
    }
}

/// Where batches go, if anywhere: an agent without a collector serves `/metrics` or fills its spool.
/// An agent that has joined proves itself by what it got then.
fn collector(
    mut raw: ship::RawSettings,
    data: &Path,
    problems: &mut Problems,
) -> Option<ship::Settings> {
    if raw.endpoints.is_empty() {
        return None;
    }
    let joined = Credentials::of(data);
    let own_files = raw.ca_file.is_some() || raw.certificate_file.is_some();
    let is_tls = raw
        .endpoints
        .iter()
        .any(|endpoint| endpoint.starts_with("https:"));
    if is_tls && !own_files && joined.exist() {
        raw.ca_file = Some(joined.authority);
        raw.certificate_file = Some(joined.certificate);
        raw.key_file = Some(joined.key);
    }
    problems.under("collector", |problems| raw.validate(problems))
}

/// Validates the entries of one list, naming each by its place: `redis[1]`.
fn each<R, S>(
    key: &str,
    entries: Vec<R>,
    problems: &mut Problems,
    validate: impl Fn(R, &mut Problems) -> Option<S>,
) -> Vec<S> {
    let mut settings = Vec::new();
    for (place, entry) in entries.into_iter().enumerate() {
        let key = format!("{key}[{place}]");
        settings.extend(problems.under(&key, |problems| validate(entry, problems)));
    }
    settings
}

fn labels(raw: BTreeMap<String, String>, problems: &mut Problems) -> Vec<Label> {
    let mut labels = Vec::new();
    for (name, value) in raw {
        if !is_label_name(&name) || matches!(name.as_str(), "job" | "instance") {
            let message = format!("{name:?} cannot be a label for every series");
            let hint =
                "use letters, digits and underscores; job and instance belong to the sources";
            problems.add("labels", message, hint);
        } else {
            labels.push(Label::new(name, value));
        }
    }
    labels
}

fn is_label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__")
}

fn address(text: &str, problems: &mut Problems) -> Option<SocketAddr> {
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            let message = format!("{text:?} is not an address with a port");
            problems.add(
                "expose.listen",
                message,
                "write it as 127.0.0.1:9187 or [::]:9187",
            );
            None
        }
    }
}

fn kernel_host_name() -> String {
    match nix::unistd::gethostname() {
        Ok(name) => name.to_string_lossy().into_owned(),
        Err(_) => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests;
