//! The configuration as the file has it. Quantities and addresses stay text here, so that all that
//! are wrong can be told together.

use std::path::PathBuf;

use serde::Deserialize;

use super::Problem;
use super::incidents::RawIncidents;
use super::notify::RawNotify;
use super::query::RawQuery;
use super::rules::RawRules;
use super::store::RawStore;
use crate::remote::forward::config::RawForward;

/// The collector's configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// The data folder. Default: `/var/lib/nightshift`.
    pub data: Option<PathBuf>,
    /// Address of the collector's own port: gRPC and HTTP together. Default: `127.0.0.1:7700`.
    pub listen: Option<String>,
    /// Taking OTLP in.
    #[serde(default)]
    pub otlp: RawOtlp,
    /// Taking remote write in.
    #[serde(default)]
    pub remote_write: RawRemoteWrite,
    /// To whom what comes in is sent on by remote write.
    #[serde(default)]
    pub forward: Vec<RawForward>,
    /// How telemetry is kept.
    #[serde(default)]
    pub store: RawStore,
    /// What queries may take.
    #[serde(default)]
    pub query: RawQuery,
    /// Which rules are evaluated, and how.
    #[serde(default)]
    pub rules: RawRules,
    /// Who is told of alerts, and how much at once.
    #[serde(default)]
    pub notify: RawNotify,
    /// How alerts become incidents, and who is on call.
    #[serde(default)]
    pub incidents: RawIncidents,
    /// Who may speak how.
    #[serde(default)]
    pub tls: RawTls,
    /// How the collector logs.
    #[serde(default)]
    pub log: RawLog,
    /// The collector's own traces.
    #[serde(default)]
    pub telemetry: RawTelemetry,
}

/// Taking OTLP in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawOtlp {
    /// Address of the standard gRPC port, or `off`.
    pub grpc: Option<String>,
    /// Address of the standard HTTP port, or `off`.
    pub http: Option<String>,
    /// Largest body as sent.
    pub max_request_size: Option<String>,
    /// Largest body once decompressed.
    pub max_decompressed_size: Option<String>,
    /// Requests at once.
    pub max_concurrent_requests: Option<i64>,
}

/// Taking remote write in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRemoteWrite {
    /// Largest body as sent.
    pub max_request_size: Option<String>,
    /// Largest body once decompressed.
    pub max_decompressed_size: Option<String>,
}

/// Who may speak how.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTls {
    /// From where plain text is taken: `local`, `everywhere`, `never`.
    pub plain_text: Option<String>,
    /// Names of the server's certificate, beside this host's own.
    #[serde(default)]
    pub names: Vec<String>,
}

/// How the collector logs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLog {
    /// `text` or `json`.
    pub format: Option<String>,
    /// A level or directives.
    pub level: Option<String>,
}

/// The collector's own traces.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTelemetry {
    /// Where the collector's own traces go, as OTLP over gRPC.
    pub otlp_endpoint: Option<String>,
}

impl RawConfig {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                let before = text.get(..span.start).unwrap_or_default();
                before.matches('\n').count() + 1
            });
            let key = line.map(|line| format!("line {line}")).unwrap_or_default();
            let hint = "nightshift.toml, which comes with Nightshift, documents every option";
            Problem::new(&key, error.message(), hint)
        })
    }
}
