//! The collector's configuration, in two stages: as the file has it ([`raw`]), and as the program may
//! rely on it ([`Config`]). `nightshift.toml` beside the crate documents each option; a test keeps its
//! values equal to the defaults here.

pub mod incidents;
pub mod notify;
pub mod query;
pub mod raw;
pub mod rules;
pub mod store;
mod validate;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::bucket::config::Place;
use crate::identity::handshake::PlainText;
use crate::remote::forward::config::ForwardConfig;

use incidents::IncidentsConfig;
use notify::NotifyConfig;
use query::QueryConfig;
use rules::RulesConfig;
use store::StoreConfig;

pub use wire::problem::{Problem, Problems};

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// Where the collector's own port listens.
    pub listen: String,
    /// The standard port of OTLP over gRPC.
    pub otlp_grpc: OtlpPort,
    /// The standard port of OTLP over HTTP.
    pub otlp_http: OtlpPort,
    /// Bounds on what comes in.
    pub limits: Limits,
    /// Bounds on what comes in by remote write.
    pub remote_write: RemoteWriteLimits,
    /// To whom what was stored is sent on.
    pub forward: Vec<ForwardConfig>,
    /// How telemetry is kept.
    pub store: StoreConfig,
    /// Where blocks lie.
    pub blocks: Place,
    /// What queries may take.
    pub query: QueryConfig,
    /// Which rules are evaluated, and how.
    pub rules: RulesConfig,
    /// Who is told of alerts, and how much at once.
    pub notify: NotifyConfig,
    /// How alerts become incidents, and who is on call.
    pub incidents: IncidentsConfig,
    /// Who may speak how.
    pub tls: TlsConfig,
    /// How the collector logs.
    pub log: LogConfig,
    /// Where the collector's own traces go.
    pub otlp_endpoint: Option<String>,
}

/// One of the standard OTLP ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtlpPort {
    /// Not opened.
    Off,
    /// Where nobody said otherwise: that it is busy is no reason not to start.
    Usual(String),
    /// Where the operator wants it.
    Wanted(String),
}

/// Bounds on what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body as it is sent.
    pub max_request_size: usize,
    /// Bytes of a request's body once decompressed.
    pub max_decompressed_size: usize,
    /// Requests with telemetry at once.
    pub max_concurrent_requests: usize,
}

/// Bounds on a request of remote write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteWriteLimits {
    /// Bytes of a request's body as it is sent.
    pub max_request_size: usize,
    /// Bytes of a request's body once decompressed.
    pub max_decompressed_size: usize,
}

/// Who may speak how at the collector's own port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// From where plain text is taken.
    pub plain_text: PlainText,
    /// Names under which clients reach the collector, beside this host's own.
    pub names: Vec<String>,
}

/// How the collector logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// For people or for programs.
    pub format: LogFormat,
    /// What is logged: a level, or directives as `tracing` knows them.
    pub level: String,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the command line says; it counts more than the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--otlp-grpc`.
    pub otlp_grpc: Option<String>,
    /// `--otlp-http`.
    pub otlp_http: Option<String>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`; counts less than the file.
    pub otlp_endpoint: Option<String>,
}

/// The configuration cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    /// Which file; none where only the command line is at fault.
    pub file: Option<PathBuf>,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

impl Config {
    /// Reads the file, if there is one, under what the command line says.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let failed = |problems| ConfigError {
            file: file.map(Path::to_owned),
            problems,
        };
        let text = match file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                let hint = "name a file that this user may read";
                failed(vec![Problem::new(
                    "",
                    format!("cannot be read: {error}"),
                    hint,
                )])
            })?,
        };
        Self::parse(&text, overrides).map_err(failed)
    }

    /// Reads the text of a file under what the command line says.
    pub fn parse(text: &str, overrides: &Overrides) -> Result<Self, Vec<Problem>> {
        let raw = raw::RawConfig::parse(text).map_err(|problem| vec![problem])?;
        validate::validate(raw, overrides)
    }
}

impl OtlpPort {
    /// The address, unless it is off.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Off => None,
            Self::Usual(address) | Self::Wanted(address) => Some(address),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // An agent's bundle is a few hundred kilobytes; a day's backlog comes in many bundles.
            max_request_size: 16 << 20,
            max_decompressed_size: 64 << 20,
            // They wait for one fsync together; more would only take memory.
            max_concurrent_requests: 16,
        }
    }
}

impl Default for RemoteWriteLimits {
    fn default() -> Self {
        Self {
            // Senders keep to a few thousand samples, some hundred kilobytes.
            max_request_size: 16 << 20,
            max_decompressed_size: 64 << 20,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        match &self.file {
            Some(file) => write!(f, "{}: {count} {noun}", file.display())?,
            None => write!(f, "the command line: {count} {noun}")?,
        }
        for problem in &self.problems {
            write!(f, "\n{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
