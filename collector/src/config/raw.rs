//! The configuration as the file has it. Quantities and addresses stay text here, so that all that
//! are wrong can be told together.

use std::path::PathBuf;

use serde::Deserialize;

use super::Problem;
use super::query::RawQuery;
use crate::remote::forward::config::RawForward;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    /// The data folder.
    pub(super) data: Option<PathBuf>,
    /// Address of the collector's own port: gRPC and HTTP together.
    pub(super) listen: Option<String>,
    #[serde(default)]
    pub(super) otlp: RawOtlp,
    #[serde(default)]
    pub(super) remote_write: RawRemoteWrite,
    #[serde(default)]
    pub(super) forward: Vec<RawForward>,
    #[serde(default)]
    pub(super) store: RawStore,
    #[serde(default)]
    pub(super) query: RawQuery,
    #[serde(default)]
    pub(super) tls: RawTls,
    #[serde(default)]
    pub(super) log: RawLog,
    #[serde(default)]
    pub(super) telemetry: RawTelemetry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOtlp {
    /// Address of the standard gRPC port, or `off`.
    pub(super) grpc: Option<String>,
    /// Address of the standard HTTP port, or `off`.
    pub(super) http: Option<String>,
    /// Largest body as sent.
    pub(super) max_request_size: Option<String>,
    /// Largest body once decompressed.
    pub(super) max_decompressed_size: Option<String>,
    /// Requests at once.
    pub(super) max_concurrent_requests: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRemoteWrite {
    /// Largest body as sent.
    pub(super) max_request_size: Option<String>,
    /// Largest body once decompressed.
    pub(super) max_decompressed_size: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStore {
    /// How long after its arrival a sample is kept.
    pub(super) retention: Option<String>,
    /// Bytes of blocks kept at the most.
    pub(super) max_size: Option<String>,
    /// Samples in memory before they go to a block early.
    pub(super) max_samples: Option<i64>,
    /// Series in memory, likewise.
    pub(super) max_series: Option<i64>,
    /// Size after which a new file of the journal is begun.
    pub(super) segment_size: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    /// From where plain text is taken: `local`, `everywhere`, `never`.
    pub(super) plain_text: Option<String>,
    /// Names of the server's certificate, beside this host's own.
    #[serde(default)]
    pub(super) names: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    /// `text` or `json`.
    pub(super) format: Option<String>,
    /// A level or directives.
    pub(super) level: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTelemetry {
    /// Where the collector's own traces go, as OTLP over gRPC.
    pub(super) otlp_endpoint: Option<String>,
}

impl Raw {
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
